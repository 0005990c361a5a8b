/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_ADAPTERS_H
#define KERNEL_ADAPTERS_H

#include "base/err.h"
#include "core/adapter.h"
#include "core/engine.h"
#include "core/rule_pool.h"

/* The adapters that program a whole node. Start from a zeroed struct. */
struct adapters {
	struct adapter *ipvs, *link, *ipset, *iptables, *nftables; /* NULL: not open */
};

enum adapters_need {
	ADAPTERS_ALL,		    /* each must open */
	ADAPTERS_NO_IPVS,	    /* IPVS stays closed: opening it would load its module */
	ADAPTERS_AVAILABLE,	    /* those that the kernel does not have (-ENOENT) stay closed */
	ADAPTERS_AVAILABLE_NO_IPVS, /* both */
};

/*
 * `pool` has the rules that are written, and lives as long as the adapters; the view tells the
 * families and the interface of netfilter. An adapter of iptables_open() that is there is used; its
 * families are those of the view. Returns 0, or a negative errno with words: see the
 * adapters. Call adapters_close() in both cases.
 */
int adapters_open(struct adapters *a, enum adapters_need need, const struct rule_pool *pool,
	const struct node_view *view, struct err *err);
/* Opens the adapters of the interface of netfilter that the view does not use, if the kernel has it. */
int adapters_open_other(struct adapters *a, const struct rule_pool *pool,
	const struct node_view *view, struct err *err);
void adapters_close(struct adapters *a);
/* That of sets, which keeps notes, too; NULL: there is none. */
struct adapter *adapters_sets(const struct adapters *a);
/* The interface in which a daemon of this network namespace has its sets and rules; iptables if
 * there is none. */
enum netfilter adapters_netfilter_in_use(void);
/* Hands those that are open to the engine, which must end before them. */
void adapters_serve(const struct adapters *a, struct engine *e);

#endif
