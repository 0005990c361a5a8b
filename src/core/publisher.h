/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_PUBLISHER_H
#define CORE_PUBLISHER_H

#include "core/engine.h"
#include "core/marks.h"
#include "core/publication.h"
#include "core/resolve.h"
#include "core/stale_watch.h"
#include "rights.h"

/*
 * From objects to claims: resolves the node and dirty slots into facts and publishes these to the
 * ledger. rights.h decides which frontends a Service gets.
 */
struct publisher {
	/* Given by the engine, which owns them */
	struct ledger *ledger;
	struct drain *drain;
	struct marks *marks;	   /* NULL until the kernel's marks are adopted */
	struct stale_watch *stale; /* NULL: nobody cleans the connection table */
	struct store *store;
	const struct node_view *view;
	struct engine_stats *stats; /* counts resolves and exhausted marks */
	bool drains;		    /* real servers keep their connections for a while */
	bool applies;		    /* the engine applies what is desired */
	void (*on_degraded)(const struct service *service, void *arg);
	void (*on_beyond)(const struct service *service, void *arg);
	void (*on_refused)(const struct refused_frontends *refused, void *arg);
	bool (*misses_endpoints)(const struct slot *slot, void *arg); /* of engine_config */
	void *arg;

	/* Own state: at first the list is empty, the node is dirty, and all else is zero. */
	struct rights rights;
	bool indexes_endpoints;	  /* the store does, for `rights` */
	size_t n_taking_ports[2]; /* Services with REACH_PORTS, of IPv4 and IPv6 */
	bool keeps_ports[2];	  /* so do orphans that are kept */
	bool takes_ports[2]; /* one of these, as Services were resolved; see resolve_service() */
	struct node_needs needs; /* as resolved */
	struct rule_pool rules;
	struct list publications;
	struct claimant node; /* of the facts that no Service brings */
	struct claims node_claims;
	bool node_dirty;
	uint32_t node_generation;   /* of the store, as resolved */
	bool releasing;		    /* nothing is desired any more */
	bool incomplete;	    /* the input: see engine_set_input_complete() */
	struct served_ports served; /* of the slot at hand */
	struct served_ports before; /* of slices of it that changed */
	struct fact_list old, new;  /* its facts */
};

/* The store still exists; the ledger may be gone. */
void publisher_done(struct publisher *p);

/* Resolves what is dirty, up to a number of slots. Returns whether there may be more. */
bool publisher_run(struct publisher *p);
/* There is something to resolve: a Service, the node, or what Services need of the node. */
bool publisher_is_dirty(const struct publisher *p);

/* Forgets rules that no published fact stands for, where many are. No adapter may be busy: it looks
 * up the rules of its operations. */
void publisher_sweep_rules(struct publisher *p);

/* While the input is incomplete: more endpoints of the Service may be in what could not be read. */
bool publisher_misses_endpoints(const struct publisher *p, const struct slot *slot);

/* struct drain_config, may_drain. */
bool publisher_may_drain(const struct fact_key *vs, void *publisher);
/* struct drain_config, listed. */
bool publisher_lists(const struct fact_key *rs, void *publisher);
/* struct drain_config, timeout: how long real servers of this virtual server may drain. */
uint64_t publisher_drain_timeout(const struct fact_key *vs, void *publisher);

#endif
