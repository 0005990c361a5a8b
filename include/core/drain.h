/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_DRAIN_H
#define CORE_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/adapter.h"
#include "core/ledger.h"

/*
 * A TCP real server that no Service claims any more drains: it keeps its connections until its
 * time-out, which begins when its endpoint is deleted: an endpoint that is only not ready, or that
 * terminates, may still answer. The drain is the last claimant. It claims the real server with weight
 * 0 until there are no connections left or the deadline has passed; the claim of a Service outranks
 * it. While a real
 * server drains, its virtual server stays, with the addresses and set members that lead packets to
 * it.
 *
 * The drain looks at queued deletes, not at changes of Services. So it also drains real servers
 * that an earlier run of the daemon left behind. A restart begins their time-outs anew.
 *
 * All times are milliseconds.
 */

struct drain;

struct drain_config {
	struct ledger *ledger;
	uint16_t external_table; /* struct options */
	/* The real servers of this virtual server may drain. Asked again at every look. */
	bool (*may_drain)(const struct fact_key *vs, void *arg);
	/* How long they may; 0: not at all. */
	uint64_t (*timeout)(const struct fact_key *vs, void *arg);
	/* The endpoint of this real server still exists, though it gets no new connections. Asked at
	 * every look; NULL: none does. */
	bool (*listed)(const struct fact_key *rs, void *arg);
	/* Counts connections: struct adapter, conns. */
	int (*conns)(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *fn_arg),
		void *fn_arg, void *arg);
	void *arg;
};

struct drain *drain_new(const struct drain_config *config);
void drain_free(struct drain *d);

/* This virtual server loses its claimant before the next drain_catch(), which takes this time-out
 * instead of asking drain_config.timeout. */
void drain_expect(struct drain *d, const struct fact_key *vs, uint64_t timeout);
/* Claims the facts whose delete is queued and that may have connections. To be called before
 * drain_poll(), and before operations are taken. */
void drain_catch(struct drain *d, uint64_t now);
/* Releases facts that have no connections any more or are past their deadline. Returns when there
 * is something to do again, before which a call does nothing; UINT64_MAX: nothing drains. */
uint64_t drain_poll(struct drain *d, uint64_t now);
/* Releases everything at once. */
void drain_release_all(struct drain *d);
/* How many real servers drain. */
size_t drain_count(const struct drain *d);

#endif
