/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/adapter.h"
#include "core/frontends.h"
#include "core/node_view.h"
#include "core/rule_pool.h"
#include "core/stale.h"
#include "core/store.h"

/*
 * The heart: dirty slots are resolved and published, operations are taken, applied and settled,
 * audits are run. First feed, first audit, then act: nothing is written before the sources are
 * complete and the kernel was read once. There is no full sync: an audit ends in the same queue as
 * an event.
 */

/* The frontends of one Service that are refused from now on, or for another reason than before. */
struct refused_frontends {
	const struct service *service;
	const struct frontend *frontend; /* the first of them */
	uint8_t proto;			 /* of the first */
	const char *holder;		 /* REFUSAL_HELD of the first: the Service that has it */
	size_t n;
};

struct engine_config {
	struct store *store;
	struct node_view *view;	 /* whoever changes it calls engine_node_changed() */
	uint64_t audit_interval; /* milliseconds; 0: only on request */
	bool drain;		 /* real servers that leave keep their connections for a while */
	bool dry_run;		 /* audits, and never applies */
	/* Microseconds, to measure audits with; NULL: they are not measured. */
	uint64_t (*clock_us)(void);
	/* Called when a failure begins and when its text changes; may be NULL. */
	void (*on_failure)(const struct op *op, void *arg);
	/* The kernel does not know this scheduler; Services that asked for it get the default. */
	void (*on_scheduler_missing)(const char *scheduler, void *arg);
	/* The Service asked for a scheduler that the kernel does not have, and gets the default.
	 * Called once, and again only if its own was available in between. May be NULL. */
	void (*on_degraded)(const struct service *service, void *arg);
	/* Ports of the Service are beyond SERVICE_MAX_REAL_SERVERS. Called once, and again only if
	 * none was in between. May be NULL. */
	void (*on_beyond)(const struct service *service, void *arg);
	/* A Service does not get all frontends that it asks for. May be NULL. */
	void (*on_refused)(const struct refused_frontends *refused, void *arg);
	/* Whether endpoints of the Service may be in what could not be read, while the input is
	 * incomplete. NULL: they are not. */
	bool (*misses_endpoints)(const struct slot *slot, void *arg);
	/* Audits began to fail, or succeed again (err == NULL). Nothing is written before the first
	 * success (stats.last_audit). */
	void (*on_audit)(const struct err *err, void *arg);
	/* Called once: all that is wanted was made, except for what the kernel refused, and nothing
	 * that an earlier run left was deleted yet. May be NULL. */
	void (*on_made)(void *arg);
	/*
	 * Deletes the entries of the kernel's connection table that are stale by this list. Returns
	 * their number, and whether there are more; or a negative errno, and is called again later
	 * with at least the same frontends. NULL: the connection table is left alone.
	 */
	int (*delete_flows)(const struct stale_list *stale, bool *ret_more, void *arg);
	void *arg;
};

struct engine_stats {
	uint64_t ops[FACT_KINDS][3]; /* operations that succeeded, by kind and enum op_type */
	uint64_t failures;
	uint64_t batches;
	uint64_t audits, audit_failures;
	uint64_t audit_us; /* how long the last one took, without the work in between */
	uint64_t audit_steps;
	uint64_t drift; /* facts that audits after the first one found changed by others */
	uint64_t resolves,
		part_resolves;	  /* of Services, and how many of them of some slices alone */
	uint64_t marks_exhausted; /* resolves that wanted more firewall marks than there are */
	uint64_t last_change;	  /* time of the last successful operation, ms */
	uint64_t last_audit;	  /* of all kinds, ms; 0: never */
	uint64_t flows_deleted;	  /* entries of the connection table */
	size_t draining;	  /* real servers that drain now */
	size_t refused[REFUSALS]; /* frontends that Services ask for and do not have */
	size_t degraded;	  /* Services whose scheduler the kernel lacks */
	size_t unserved;	  /* Services without an endpoint, here or elsewhere */
	/*
	 * `fed`: the sources are complete. `synced`: only failed operations that wait for their
	 * retry are left, and perhaps changes that arrived while an adapter was busy, which the
	 * next step resolves. `complete`: see engine_set_input_complete().
	 */
	bool fed, synced, complete;
};

struct engine;
struct engine *engine_new(const struct engine_config *config);
void engine_free(struct engine *e);
/* Hands the kinds that it names to this adapter, which must live as long as the engine. */
void engine_add_adapter(struct engine *e, struct adapter *a);
/*
 * The members of sets that this adapter has tell, too, which marks are in use and which virtual
 * servers and addresses are ours: those of an earlier run, or of kube-proxy, by another interface of
 * the kernel. They are read once, with the first step after engine_fed(), until which it must live;
 * engine_forget_earlier_members() when they are gone.
 */
void engine_add_earlier_members(struct engine *e, struct adapter *a);
void engine_forget_earlier_members(struct engine *e);
/*
 * Until engine_forget_earlier_members(), chains of Services in that other interface translate
 * packets, so that those are led to us only when everything here answers. Call it before the first
 * step.
 */
void engine_enter_last(struct engine *e);

/* The sources have told everything that they had at the start. */
void engine_fed(struct engine *e);
/*
 * Not everything could be read at the start (false), or now everything could be (true, which is the
 * default). Until then, what an earlier run left in the kernel stays, unless what could be read
 * contradicts it. What this run has made goes with its object as always.
 */
void engine_set_input_complete(struct engine *e, bool complete);
/*
 * Does a bounded piece of work and returns when it wants to be called again: `now` (more work is
 * ready), a later time, or UINT64_MAX (after a change in the store, or when an adapter that answers
 * later should be asked).
 */
uint64_t engine_step(struct engine *e, uint64_t now);
/* The next step reads the kernel again, as far as the kinds of the mask go (bits 1 << enum
 * fact_kind; FACT_ALL_KINDS). */
void engine_request_audit(struct engine *e, unsigned kinds);
/* The node view changed: resolves everything again. */
void engine_node_changed(struct engine *e);
/* As engine_node_changed(), and also audits, asks the kernel again for the schedulers that it did
 * not have, and retries failed operations at once. */
void engine_reload(struct engine *e);
/* Releases all facts: the next steps remove everything of ours. */
void engine_release_all(struct engine *e);

/* Why an operation failed: the text of its errno, and the adapter's words where it has some. */
void engine_print_failure(const struct engine *e, struct buf *b, const struct op *op);

/* Calls fn for each external or refused frontend of a Service with this address and port; see its
 * `refusal`. */
void engine_each_wish(const struct engine *e, const struct ip *ip, uint16_t port, uint8_t proto,
	void (*fn)(const struct slot *slot, const struct frontend *fe, void *arg), void *arg);

/* A Service that has the cluster IP; NULL: none. */
const struct slot *engine_cluster_ip_holder(const struct engine *e, const struct ip *ip);

const struct engine_stats *engine_stats(const struct engine *e);
struct ledger *engine_ledger(struct engine *e);
/* The kernel refuses a set or rule of the node itself, which all Services need. */
bool engine_node_fails(const struct engine *e);
const struct rule_pool *engine_rules(const struct engine *e);

#endif
