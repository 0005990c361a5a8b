/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_ADAPTERS_H
#define KERNEL_ADAPTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/adapter.h"
#include "core/engine.h"
#include "core/rule_pool.h"

/* The adapters that program a whole node. Start from a zeroed struct. */
struct adapters {
	struct adapter *ipvs, *link, *ipset, *iptables; /* NULL: not open */
};

enum adapters_need {
	ADAPTERS_ALL,	    /* each must open */
	ADAPTERS_NO_IPVS,   /* IPVS stays closed: opening it would load its module */
	ADAPTERS_AVAILABLE, /* those that the kernel does not have (-ENOENT) stay closed */
};

/*
 * `pool` has the rules that iptables writes, and lives as long as the adapters; `external_table` is
 * that of the options. Returns 0, or a negative errno with words: see the adapters. Call
 * adapters_close() in both cases.
 */
int adapters_open(struct adapters *a, enum adapters_need need, const struct rule_pool *pool,
	bool ipv4, bool ipv6, uint16_t external_table, struct err *err);
void adapters_close(struct adapters *a);
/* Hands those that are open to the engine, which must end before them. */
void adapters_serve(const struct adapters *a, struct engine *e);

#endif
