/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_ENGINE_OWN_H
#define CORE_ENGINE_OWN_H

#include "core/engine.h"
#include "core/resolve.h"

/* Between the parts of the engine, each of which does its share of engine_step(). */

enum {
	ALL_KINDS = (1 << FACT_KINDS) - 1,
	RATE_LOST = 100, /* ms between audits because of lost answers */
};

struct engine {
	struct engine_config config;
	struct engine_stats stats;
	struct ledger *ledger;
	struct drain *drain;
	struct text_pool texts;
	struct marks *marks;	   /* NULL before the first step */
	struct stale_watch *stale; /* NULL: nobody deletes flows */
	uint64_t next_flows;
	struct claimant node; /* claims what stands whatever the Services are */
	struct fact_list node_facts;
	struct fact_list scratch;
	struct op *ops; /* room for max_ops */
	size_t max_ops;
	struct adapter *busy; /* with the first n_busy ops; NULL: none is */
	size_t n_busy;
	struct adapter *adapter[FACT_KINDS]; /* NULL: facts of that kind cannot be had */
	uint32_t node_generation;	     /* of the store, as resolved */
	uint64_t next_audit;
	uint64_t audit_begun;
	uint64_t rest_until; /* of adapters that take long to read the kernel, by regular audits */
	unsigned audit_requested, auditing; /* masks of 1 << enum fact_kind */
	bool regular; /* the audit under way is of all kinds but those that rest */
	bool node_dirty, audited, audit_failed, releasing;
	/* An adapter that answers later has answered, and the rest is done before anything new is
	 * resolved: else what comes last would never come while changes go on. For what takes long
	 * nothing waits. */
	bool holding;
};

/* Whether real servers of this virtual server keep their connections for a while. */
bool engine_drains(const struct engine *e, const struct fact_key *vs);
/* The slot of the Service that has the virtual server; NULL: none. */
struct slot *engine_owner(const struct engine *e, const struct fact_key *vs);

/* Publishes what some dirty slots resolve to. Returns whether there may be more. */
bool engine_resolve(struct engine *e);

/* Marks of an earlier run stay what they were; without them other ones would do as well. */
void engine_adopt_marks(struct engine *e);
/* Reads the kernel where it is time to. Returns false while an adapter is still at it. */
bool engine_audit(struct engine *e, uint64_t now);

#endif
