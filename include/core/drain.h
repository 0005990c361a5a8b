/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_DRAIN_H
#define CORE_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/adapter.h"
#include "core/ledger.h"

/*
 * TCP real servers that are no longer wanted keep their connections: the drain is one more
 * claimant, behind all others, which wants them with weight 0 until their connections are gone or
 * their deadline has passed. An endpoint that comes back simply outranks it. A virtual server that
 * is to go is kept, with the address and the set members that lead packets to it, as long as one of
 * its real servers drains.
 *
 * It looks at what is about to be deleted, not at what changed: so what an earlier run of the
 * daemon left behind is drained too, and a restart in the middle starts the time-out anew and loses
 * nothing.
 */

struct drain;

struct drain_config {
	struct ledger *ledger;
	/* How long the real servers of this virtual server may drain, milliseconds; 0: not at all.
	 */
	uint64_t (*timeout)(const struct fact_key *vs, void *arg);
	/* Counts connections: struct adapter, conns. */
	int (*conns)(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *fn_arg),
		void *fn_arg, void *arg);
	void *arg;
};

struct drain *drain_new(const struct drain_config *config);
void drain_free(struct drain *d);

/* This virtual server loses its claimant before the next drain_catch(); until then its time-out is
 * this one instead of what drain_config.timeout says. */
void drain_expect(struct drain *d, const struct fact_key *vs, uint64_t timeout);
/* Claims what is on its way out and may have connections. To be called before drain_poll(), and
 * before operations are taken. */
void drain_catch(struct drain *d, uint64_t now);
/* Lets go of what has no connections any more or is past its deadline, where it is time to look. */
void drain_poll(struct drain *d, uint64_t now);
/* Lets go of everything at once. */
void drain_release_all(struct drain *d);
/* When drain_poll() has something to do; UINT64_MAX: nothing drains. */
uint64_t drain_next(const struct drain *d);
/* How many real servers drain. */
size_t drain_count(const struct drain *d);
/* The claimant of draining facts: fact_state.claimant. */
const struct claimant *drain_claimant(const struct drain *d);

#endif
