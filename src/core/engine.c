// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/engine.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/drain.h"
#include "core/hold.h"
#include "core/marks.h"
#include "core/resolve.h"
#include "core/stale_watch.h"

enum {
	ALL_KINDS = (1 << FACT_KINDS) - 1,
	STEP_SLOTS = 512,   /* resolved in one step */
	STEP_OPS = 4096,    /* applied in one step */
	BATCH_OPS = 1024,   /* in one call of an adapter */
	AUDIT_RETRY = 1000, /* ms */
	RATE_LOST = 100,    /* ms between audits because of lost answers */
	/* Of the time no more than this part goes into reading what takes long to read. */
	READING_SHARE = 20,
	RATE_FLOWS = 1000,   /* ms between readings of the connection table, which may be large */
	FLOWS_RETRY = 10000, /* ms, after one that failed */
	/*
	 * Changing the scheduler of a virtual server waits for an RCU grace period in the kernel
	 * (ip_vs_edit_service()), 10 ms and more each.
	 */
	BATCH_VS_SET = 16,
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
};

static bool is_tcp(const struct engine *e, const struct fact_key *vs)
{
	return vs->proto ? vs->proto == IPPROTO_TCP
			 : marks_is_tcp(e->config.policy->mark_mask, fact_fwmark(vs));
}

static bool drains(const struct engine *e, const struct fact_key *vs)
{
	return !e->releasing && e->config.drain && is_tcp(e, vs);
}

/* The slot of the Service that has the virtual server; NULL: none. */
static struct slot *owner(const struct engine *e, const struct fact_key *vs)
{
	struct fact_state s;

	if (!ledger_state(e->ledger, vs, &s) || !s.claimant || s.claimant == &e->node ||
		s.claimant == drain_claimant(e->drain))
		return NULL;
	return container_of(s.claimant, struct slot, claimant);
}

/* The annotation of the Service whose virtual server it is, while there is one. */
static uint64_t drain_timeout(const struct fact_key *vs, void *arg)
{
	const struct engine *e = arg;
	const struct slot *slot;
	int64_t ms = e->config.policy->drain_timeout;

	if (!drains(e, vs))
		return 0;
	slot = owner(e, vs);
	if (slot && slot->service && slot->service->drain_timeout >= 0)
		ms = slot->service->drain_timeout;
	return ms > 0 ? (uint64_t)ms : 0;
}

static int drain_conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *fn_arg, void *arg)
{
	const struct engine *e = arg;
	struct adapter *a = e->adapter[FACT_RS];
	struct err err;

	return a && a->conns ? a->conns(a, vs, fn, fn_arg, &err) : 0;
}

struct engine *engine_new(const struct engine_config *config)
{
	struct engine *e = new0(struct engine);

	e->config = *config;
	e->ledger = ledger_new();
	e->drain = drain_new(&(struct drain_config){
		.ledger = e->ledger, .timeout = drain_timeout, .conns = drain_conns, .arg = e });
	e->node = (struct claimant){ .born = 0, .name = "" };
	e->max_ops = BATCH_OPS;
	e->ops = mem_zalloc(e->max_ops, sizeof(*e->ops));
	e->node_dirty = true;
	if (config->delete_flows)
		e->stale = stale_watch_new();
	return e;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	stale_watch_free(e->stale);
	drain_free(e->drain);
	ledger_free(e->ledger);
	marks_free(e->marks);
	text_done(&e->texts);
	fact_list_done(&e->node_facts);
	fact_list_done(&e->scratch);
	free(e->ops);
	free(e);
}

void engine_add_adapter(struct engine *e, struct adapter *a)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		if (a->kinds & 1u << kind)
			e->adapter[kind] = a;
}

void engine_fed(struct engine *e)
{
	e->stats.fed = true;
}

void engine_request_audit(struct engine *e)
{
	engine_request_audit_of(e, ALL_KINDS);
}

void engine_request_audit_of(struct engine *e, unsigned kinds)
{
	e->audit_requested |= kinds;
}

void engine_policy_changed(struct engine *e)
{
	e->node_dirty = true;
	e->config.policy->n_missing_schedulers = 0;
	store_mark_all_dirty(e->config.store);
}

void engine_release_all(struct engine *e)
{
	e->releasing = true;
	e->node_dirty = true;
	drain_release_all(e->drain);
	store_mark_all_dirty(e->config.store);
}

void engine_print_failure(const struct engine *e, struct buf *b, const struct op *op)
{
	const struct adapter *a = e->adapter[op->fact.key.kind];
	const char *why = a && a->explain ? a->explain(op) : NULL;

	buf_adds(b, strerror(-op->result));
	if (why)
		buf_addf(b, " (%s)", why);
}

const struct engine_stats *engine_stats(const struct engine *e)
{
	return &e->stats;
}

struct ledger *engine_ledger(struct engine *e)
{
	return e->ledger;
}

const struct drain *engine_drain(const struct engine *e)
{
	return e->drain;
}

const struct text_pool *engine_texts(const struct engine *e)
{
	return &e->texts;
}

/* Resolves */

/* Drops the references that these facts have to texts. */
static void unref_texts(struct engine *e, const struct fact *facts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (facts[i].key.kind == FACT_CHAIN || facts[i].key.kind == FACT_JUMP)
			text_unref(&e->texts, facts[i].val.chain.text);
}

static void finish_list(struct engine *e, struct fact_list *l)
{
	size_t n = l->n;

	fact_list_finish(l);
	unref_texts(e, l->facts + l->n, n - l->n);
}

static void publish_node(struct engine *e)
{
	struct fact_list new = { 0 };

	/* iptables takes much in one document faster than a little in each of two. */
	e->node.vital = e->config.policy->backend != BACKEND_IPTABLES;
	if (!e->releasing)
		resolve_node(e->config.policy, &e->texts, &new);
	finish_list(e, &new);
	ledger_publish(e->ledger, e->node_facts.facts, e->node_facts.n, new.facts, new.n, &e->node);
	unref_texts(e, e->node_facts.facts, e->node_facts.n);
	fact_list_done(&e->node_facts);
	e->node_facts = new;
	e->node_dirty = false;
}

/* The other Service that wants this frontend before all others; NULL: none. */
static struct slot *other_owner(
	const struct engine *e, const struct slot *slot, const struct fact_key *vs)
{
	struct slot *s = owner(e, vs);

	return s == slot ? NULL : s;
}

static bool outranked(const struct engine *e, const struct slot *slot, const struct fact_key *key)
{
	const struct slot *other = other_owner(e, slot, key);

	return other && claimant_older(&other->claimant, &slot->claimant);
}

/* Members that say how packets to this one frontend are treated. */
static bool speaks_for(const struct fact *member, const struct fact_key *vs)
{
	return member->key.kind == FACT_MEMBER && member->key.set >= SET_CLUSTER_IP &&
		member->key.set <= SET_LOAD_BALANCER_FW && member->key.family == vs->family &&
		member->key.port == vs->port && member->key.proto == vs->proto &&
		!memcmp(member->key.addr, vs->addr, sizeof(vs->addr));
}

/*
 * Where an older Service has the same address and port, its sets decide who is masqueraded and who
 * may come: ours must not mix with them. The claim on the frontend stays, to be promoted when the
 * other goes.
 */
static void yield_to_older(const struct engine *e, const struct slot *slot, struct fact_list *new)
{
	for (size_t i = 0; i < new->n; i++) {
		const struct fact_key vs = new->facts[i].key;
		size_t n = 0;

		if (!fact_is_frontend(&vs) || !outranked(e, slot, &vs))
			continue;
		for (size_t j = 0; j < new->n; j++)
			if (!speaks_for(&new->facts[j], &vs))
				new->facts[n++] = new->facts[j];
		i -= new->n - n; /* members stand before frontends */
		new->n = n;
	}
}

static bool leads_to(const struct fact *member, const struct fact_key *vs)
{
	return member->key.kind == FACT_MEMBER && member->key.set == SET_LOCAL_MARK &&
		member->key.family == vs->family && member->val.member.mark == fact_fwmark(vs);
}

static bool is_led_to(const struct fact_list *facts, const struct fact_key *vs)
{
	for (size_t i = 0; i < facts->n; i++)
		if (leads_to(&facts->facts[i], vs))
			return true;
	return false;
}

static bool is_of(const struct fact *f, const struct fact_key *vs)
{
	struct fact_key parent;

	return fact_key_eq(&f->key, vs) ||
		(fact_parent(&f->key, &parent) && fact_key_eq(&parent, vs));
}

/*
 * Without the members that lead to it a virtual server by mark gets no packets, and the next daemon
 * does not find its mark in our set.
 */
static void drop_unmarked(struct fact_list *new)
{
	for (size_t i = 0; i < new->n; i++) {
		const struct fact_key vs = new->facts[i].key;
		size_t n = i;

		if (vs.kind != FACT_VS || vs.proto || is_led_to(new, &vs))
			continue;
		for (size_t j = i; j < new->n; j++) /* real servers stand behind */
			if (!is_of(&new->facts[j], &vs))
				new->facts[n++] = new->facts[j];
		new->n = n;
		i--;
	}
}

/* A younger Service that has what this one claims now gives way: it is resolved again. */
static void wake_younger(struct engine *e, const struct slot *slot, const struct fact_list *new)
{
	for (size_t i = 0; i < new->n; i++) {
		const struct fact_key *key = &new->facts[i].key;
		struct slot *other = fact_is_frontend(key) ? other_owner(e, slot, key) : NULL;

		if (other && !outranked(e, slot, key))
			store_mark_dirty(e->config.store, other);
	}
}

/* So does one that waited behind what this one no longer claims. */
static void wake_promoted(struct engine *e, const struct slot *slot)
{
	for (size_t i = 0; i < slot->n_facts; i++) {
		const struct fact_key *key = &slot->facts[i].key;
		struct slot *other = fact_is_frontend(key) ? other_owner(e, slot, key) : NULL;

		if (other)
			store_mark_dirty(e->config.store, other);
	}
}

/*
 * The age of a Service decides conflicts. While a slot holds claims their order must not change
 * under them, so a new age is taken over by releasing everything first.
 */
static void take_age(struct engine *e, struct slot *slot)
{
	uint64_t born =
		slot->service && slot->service->created > 0 ? (uint64_t)slot->service->created : 1;

	if (slot->claimant.born == born)
		return;
	ledger_publish(e->ledger, slot->facts, slot->n_facts, NULL, 0, &slot->claimant);
	wake_promoted(e, slot);
	unref_texts(e, slot->facts, slot->n_facts);
	slot->n_facts = 0;
	slot->claimant.born = born;
}

/* Of what nobody wants any more only this slot knows how long it may drain. */
static void expect_draining(struct engine *e, struct slot *slot, size_t n_old)
{
	struct fact_state s;

	for (size_t i = 0; slot->drain_timeout >= 0 && i < n_old; i++) {
		const struct fact_key *key = &slot->facts[i].key;

		if (key->kind == FACT_VS && drains(e, key) && ledger_state(e->ledger, key, &s) &&
			!s.wanted)
			drain_expect(e->drain, key, (uint64_t)slot->drain_timeout);
	}
	slot->drain_timeout = slot->service ? slot->service->drain_timeout : -1;
}

static void check_degraded(struct engine *e, struct slot *slot, const struct fact_list *new)
{
	const struct service *s = slot->service;
	bool degraded =
		new->n && * s->scheduler &&policy_scheduler_missing(e->config.policy, s->scheduler);

	if (degraded && !slot->degraded && e->config.on_degraded)
		e->config.on_degraded(s, e->config.arg);
	slot->degraded = degraded;
}

static void publish_slot(struct engine *e, struct slot *slot)
{
	struct fact_list *new = &e->scratch;
	const size_t n_old = slot->n_facts;

	new->n = 0;
	if (e->releasing || e->config.policy->backend == BACKEND_IPTABLES)
		marks_release(e->marks, slot);
	else if (!marks_assign(e->marks, slot, e->config.policy))
		e->stats.marks_exhausted++;
	if (!e->releasing)
		resolve_service(slot, e->config.policy, &e->texts, new);
	finish_list(e, new);
	check_degraded(e, slot, new);
	slot->claimant.vital = e->node.vital && slot->service && service_is_vital(slot->service);
	take_age(e, slot);
	yield_to_older(e, slot, new);
	drop_unmarked(new);
	wake_younger(e, slot, new);
	ledger_publish(e->ledger, slot->facts, slot->n_facts, new->facts, new->n, &slot->claimant);
	wake_promoted(e, slot);
	expect_draining(e, slot, n_old);
	unref_texts(e, slot->facts, slot->n_facts);
	slot->facts = mem_realloc(slot->facts, new->n, sizeof(*slot->facts));
	if (new->n)
		memcpy(slot->facts, new->facts, new->n * sizeof(*slot->facts));
	slot->n_facts = new->n;
	if (e->stale)
		stale_watch_slot(e->stale, slot, e->config.policy, e->releasing);
	e->stats.resolves++;
	store_prune(e->config.store, slot);
}

/* Returns whether there may be more. */
static bool resolve_some(struct engine *e)
{
	struct store *store = e->config.store;

	if (e->node_generation != store->node_generation) {
		e->node_generation = store->node_generation;
		store_mark_all_dirty(store);
	}
	if (e->node_dirty)
		publish_node(e);
	for (int i = 0; i < STEP_SLOTS; i++) {
		struct slot *slot = store_next_dirty(store);

		if (!slot)
			return false;
		publish_slot(e, slot);
	}
	return true;
}

/* Audits */

static bool present(const struct engine *e, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(e->ledger, key, &s) && s.present;
}

struct mark_search {
	uint32_t mark;
	bool found;
};

static void match_mark(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct mark_search *s = arg;

	if (key->set == SET_LOCAL_MARK && state->present && state->have.member.mark == s->mark)
		s->found = true;
}

static bool has_member(const struct engine *e, enum set_id set, const struct fact_key *vs)
{
	struct ip ip = fact_ip(vs);
	struct fact member = fact_member(set, vs->family, &ip, vs->proto, vs->port, NULL);

	return present(e, &member.key);
}

/*
 * The bits of the mask are ours alone. A mark of an earlier mask stands in our set, unless the
 * daemon was killed just then: members that lead to a virtual server are added after it and deleted
 * before it.
 */
static bool mark_is_ours(const struct engine *e, uint32_t mark)
{
	struct mark_search s = { .mark = mark };

	if (!(mark & ~e->config.policy->mark_mask))
		return true;
	ledger_each(e->ledger, FACT_MEMBER, match_mark, &s);
	return s.found;
}

/*
 * Who made a virtual server is written in the sets: ours stands in one of them, since members are
 * added before it and deleted after it, by us as by kube-proxy. NodePorts are sets of ports, for
 * the node's own addresses.
 */
static bool vs_is_ours(const struct engine *e, const struct fact_key *vs)
{
	static const enum set_id portals[] = { SET_CLUSTER_IP, SET_EXTERNAL_IP,
		SET_EXTERNAL_IP_LOCAL, SET_LOAD_BALANCER, SET_NODE_PORT_SCTP };
	struct ip ip = fact_ip(vs);

	if (!vs->proto)
		return mark_is_ours(e, fact_fwmark(vs));
	if (policy_excluded(e->config.policy, &ip))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		if (has_member(e, portals[i], vs))
			return true;
	if (!policy_is_local(e->config.policy, &ip))
		return false;
	return (vs->proto == IPPROTO_TCP && has_member(e, SET_NODE_PORT_TCP, vs)) ||
		(vs->proto == IPPROTO_UDP && has_member(e, SET_NODE_PORT_UDP, vs));
}

static bool is_ours(const struct engine *e, const struct fact_key *key)
{
	struct ip ip = fact_ip(key);

	switch ((enum fact_kind)key->kind) {
	case FACT_VS:
		return vs_is_ours(e, key);
	case FACT_ADDR:
		return !policy_excluded(e->config.policy, &ip) && has_member(e, SET_IPVS_IPS, key);
	case FACT_LINK: /* by their names, and routes by their protocol number */
	case FACT_SET:
	case FACT_MEMBER:
	case FACT_CHAIN:
	case FACT_DISPATCH:
	case FACT_JUMP:
	case FACT_RS:
	case FACT_ROUTE:
	case FACT_KINDS:
		return true;
	}
	return true;
}

static void observe(const struct fact *f, void *arg)
{
	struct engine *e = arg;
	struct fact_state s;

	/* What somebody wants is ours, whoever made it; only of the rest it must be found out. */
	ledger_observe(e->ledger, f,
		(ledger_state(e->ledger, &f->key, &s) && s.wanted) || is_ours(e, &f->key));
}

static bool skip_foreign(const struct fact_key *vs, void *arg)
{
	const struct engine *e = arg;
	struct fact_state s;

	return !ledger_state(e->ledger, vs, &s) || !s.present || s.foreign;
}

/* NULL: it is no part of the audit, or facts of that kind cannot be had. */
static struct adapter *audited_adapter(const struct engine *e, enum fact_kind kind)
{
	return e->auditing & 1u << kind ? e->adapter[kind] : NULL;
}

static int dump_all(struct engine *e, struct err *err)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct adapter *a = audited_adapter(e, kind);
		int r = a ? a->dump(a, kind, skip_foreign, observe, e, err) : 0;

		if (r < 0) {
			err_prefix(err, "reading %s from the kernel", fact_kind_name(kind));
			return r;
		}
	}
	return 0;
}

static void audit_succeeded(struct engine *e, uint64_t now)
{
	size_t drift = ledger_audit_end(e->ledger);

	if (e->audited)
		e->stats.drift += drift;
	e->stats.audits++;
	if (now > e->audit_begun)
		e->rest_until = now + READING_SHARE * (now - e->audit_begun);
	if (!e->regular)
		return;
	if (e->audit_failed && e->config.on_audit)
		e->config.on_audit(NULL, e->config.arg);
	e->audited = true;
	e->audit_failed = false;
	e->stats.last_audit = now;
	e->next_audit = e->config.audit_interval ? now + e->config.audit_interval : UINT64_MAX;
}

static void audit_failed(struct engine *e, const struct err *err, uint64_t now)
{
	ledger_audit_abort(e->ledger);
	if (!e->audit_failed && e->config.on_audit)
		e->config.on_audit(err, e->config.arg);
	e->audit_failed = true;
	e->stats.audit_failures++;
	e->next_audit = now + AUDIT_RETRY;
}

static void audit(struct engine *e, uint64_t now)
{
	uint64_t (*clock_us)(void) = e->config.clock_us;
	uint64_t start = clock_us ? clock_us() : 0;
	struct err err = { 0 };

	ledger_audit_begin(e->ledger, e->auditing);
	if (dump_all(e, &err))
		audit_failed(e, &err, now);
	else
		audit_succeeded(e, now);
	e->auditing = 0;
	if (clock_us)
		e->stats.audit_us = clock_us() - start;
}

/* Whether those adapters that take long to read the kernel have done so. */
static bool read_ahead(struct engine *e)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct adapter *a = audited_adapter(e, kind);

		if (a && a->read_ahead && !a->read_ahead(a))
			return false;
	}
	return true;
}

static unsigned slow_kinds(const struct engine *e)
{
	unsigned kinds = 0;

	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		if (e->adapter[kind] && e->adapter[kind]->read_ahead)
			kinds |= 1u << kind;
	return kinds;
}

static bool must_read_all(const struct engine *e, uint64_t now)
{
	return !e->audited || (e->audit_failed && now >= e->next_audit) ||
		(!e->audit_failed && ledger_unsure(e->ledger) &&
			now >= e->stats.last_audit + RATE_LOST);
}

/* A request that comes while the kernel is read may tell of what was read already: it is served by
 * the next audit. */
static void begin_audit(struct engine *e, uint64_t now)
{
	const unsigned resting = now < e->rest_until ? slow_kinds(e) : 0;
	const bool interval = now >= e->next_audit;

	if (must_read_all(e, now))
		e->auditing = ALL_KINDS;
	else if (interval)
		e->auditing = (ALL_KINDS & ~resting) | e->audit_requested;
	else
		e->auditing = e->audit_failed ? 0 : e->audit_requested;
	e->regular = interval || e->auditing == ALL_KINDS;
	if (interval && !e->auditing)
		e->next_audit = e->rest_until;
	e->audit_requested &= ~e->auditing;
	e->audit_begun = now;
}

/* Applies */

/* Gives the Services that asked for it another one; false where there is none. */
static bool degrade_scheduler(struct engine *e, const char *scheduler)
{
	struct policy *p = e->config.policy;

	if (!strcmp(scheduler, LAST_SCHEDULER))
		return false;
	if (policy_scheduler_missing(p, scheduler))
		return true;
	if (p->n_missing_schedulers == POLICY_MAX_SCHEDULERS)
		return false;
	snprintf(
		p->missing_schedulers[p->n_missing_schedulers++], SCHED_NAME_SIZE, "%s", scheduler);
	store_mark_all_dirty(e->config.store);
	if (e->config.on_scheduler_missing)
		e->config.on_scheduler_missing(scheduler, e->config.arg);
	return true;
}

static void settle_failure(struct engine *e, const struct op *op, uint64_t now)
{
	struct fact_state before = { 0 }, after = { 0 };

	ledger_state(e->ledger, &op->fact.key, &before);
	ledger_settle(e->ledger, op, now);
	ledger_state(e->ledger, &op->fact.key, &after);
	if (op->fact.key.kind == FACT_VS && op->result == -EPROTONOSUPPORT &&
		degrade_scheduler(e, op->fact.val.vs.scheduler))
		return;
	if (!after.error || !after.retry_at)
		return; /* news, not a failure */
	e->stats.failures++;
	if (after.error != before.error && e->config.on_failure)
		e->config.on_failure(op, e->config.arg);
}

/* No Service tells of what an earlier run left behind. */
static void watch_deletion(struct stale_watch *w, const struct fact_key *key)
{
	const struct ip ip = fact_ip(key);

	if (fact_is_frontend(key) && key->proto == IPPROTO_UDP)
		stale_watch_add(w, &ip, key->port, key->proto);
}

static void settle(struct engine *e, const struct op *op, uint64_t now)
{
	if (op->result) {
		settle_failure(e, op, now);
		return;
	}
	ledger_settle(e->ledger, op, now);
	e->stats.ops[op->fact.key.kind][op->type]++;
	e->stats.last_change = now;
	if (e->stale && op->type == OP_DEL)
		watch_deletion(e->stale, &op->fact.key);
}

static bool has_text(const struct op *op)
{
	return op->type != OP_DEL &&
		(op->fact.key.kind == FACT_CHAIN || op->fact.key.kind == FACT_JUMP);
}

/*
 * Whether the adapter that has operations still works on them; its answers are settled. Meanwhile
 * claims may change, and so the texts that it needs are kept.
 */
static bool is_busy(struct engine *e, uint64_t now)
{
	struct adapter *a = e->busy;

	if (!a)
		return false;
	if (a->advance && !a->advance(a))
		return true;
	e->busy = NULL;
	for (size_t i = 0; i < e->n_busy; i++) {
		settle(e, &e->ops[i], now);
		if (has_text(&e->ops[i]))
			text_unref(&e->texts, e->ops[i].fact.val.chain.text);
	}
	return false;
}

static bool is_slow(const struct op *op)
{
	return op->type == OP_SET && op->fact.key.kind == FACT_VS;
}

static void change_virtual_server(struct engine *e, struct op *op)
{
	const struct slot *slot = owner(e, &op->fact.key);
	struct hold h = {
		.ledger = e->ledger,
		.virtual_servers = e->adapter[FACT_VS],
		.members = e->adapter[FACT_MEMBER],
	};

	if (slot) {
		h.facts = slot->facts;
		h.n_facts = slot->n_facts;
	}
	if (!hold_change(&h, op))
		engine_request_audit_of(e, h.members->kinds);
}

static void begin_apply(struct engine *e, struct adapter *a, size_t n)
{
	e->busy = a;
	e->n_busy = n;
	e->stats.batches++;
	for (size_t i = 0; i < n; i++)
		if (has_text(&e->ops[i]))
			text_ref(&e->texts, e->ops[i].fact.val.chain.text);
	if (!is_slow(&e->ops[0])) {
		a->apply(a, e->ops, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		change_virtual_server(e, &e->ops[i]);
}

/* Takes the same operations, and more of their kind and type, into more room. */
static size_t take_all(struct engine *e, size_t n, uint64_t now)
{
	uint64_t next;

	while (n == e->max_ops) {
		e->max_ops *= 2;
		e->ops = mem_realloc(e->ops, e->max_ops, sizeof(*e->ops));
		n = ledger_take(e->ledger, now, e->ops, e->max_ops, &next);
	}
	return n;
}

static void take_less(struct engine *e)
{
	if (e->max_ops == BATCH_OPS)
		return;
	e->max_ops = BATCH_OPS;
	e->ops = mem_realloc(e->ops, e->max_ops, sizeof(*e->ops));
}

/* Returns when to go on: `now` while there is more. */
static uint64_t apply_some(struct engine *e, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (size_t done = 0; done < STEP_OPS;) {
		struct adapter *a;
		size_t n;

		take_less(e);
		n = ledger_take(e->ledger, now, e->ops, BATCH_OPS, &next);
		if (!n)
			return next;
		if (is_slow(&e->ops[0])) {
			n = n < BATCH_VS_SET ? n : BATCH_VS_SET;
			done += STEP_OPS;
		}
		a = e->adapter[e->ops[0].fact.key.kind];
		assert(a);
		if (a->whole_queue)
			n = take_all(e, n, now);
		begin_apply(e, a, n);
		if (is_busy(e, now))
			return UINT64_MAX;
		done += n;
	}
	return now;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void adopt_mark(const struct fact *f, void *arg)
{
	struct ip ip = fact_ip(&f->key);

	if (f->key.set == SET_LOCAL_MARK)
		marks_adopt(arg, &ip, f->key.proto, f->key.port, f->val.member.mark);
}

/* Marks of an earlier run stay what they were; without them other ones would do as well. */
static void adopt_marks(struct engine *e)
{
	struct adapter *a = e->adapter[FACT_MEMBER];
	struct err err;

	e->marks = marks_new(e->config.policy->mark_mask);
	if (a && e->config.policy->mark_mask)
		a->dump(a, FACT_MEMBER, NULL, adopt_mark, e->marks, &err);
}

/* Deletes the entries of the connection table that are stale by now. Returns when to be called
 * again. */
static uint64_t clean_flows(struct engine *e, uint64_t now)
{
	struct stale_list stale = { 0 };
	int r;

	if (!e->stale || !stale_watch_any(e->stale))
		return UINT64_MAX;
	if (now < e->next_flows)
		return e->next_flows;
	stale_watch_list(e->stale, &stale);
	stale.translated = e->config.policy->backend == BACKEND_IPTABLES;
	r = stale.n ? e->config.delete_flows(&stale, e->config.arg) : 0;
	stale_done(&stale);
	if (r > 0)
		e->stats.flows_deleted += (uint64_t)r;
	/* What could not be deleted in the kernel yet may still make such entries. */
	if (r < 0 || ledger_counts(e->ledger).failing)
		return e->next_flows = now + FLOWS_RETRY;
	e->next_flows = now + RATE_FLOWS;
	stale_watch_clear(e->stale);
	return UINT64_MAX;
}

uint64_t engine_step(struct engine *e, uint64_t now)
{
	uint64_t next;

	if (!e->stats.fed)
		return UINT64_MAX;
	if (!e->marks)
		adopt_marks(e);
	e->stats.synced = false;
	if (resolve_some(e))
		return now;
	if (is_busy(e, now))
		return UINT64_MAX;
	if (!e->auditing)
		begin_audit(e, now);
	if (e->auditing) {
		if (!read_ahead(e))
			return UINT64_MAX;
		audit(e, now);
	}
	if (!e->audited || e->config.dry_run)
		return e->next_audit;
	drain_poll(e->drain, now);
	drain_catch(e->drain, now);
	next = apply_some(e, now);
	if (e->busy)
		return UINT64_MAX;
	if (next <= now || !list_empty(&e->config.store->dirty) ||
		(e->audit_requested && !e->audit_failed))
		return now;
	e->stats.synced = true;
	if (ledger_unsure(e->ledger) && !e->audit_failed)
		next = earlier(next, e->stats.last_audit + RATE_LOST);
	next = earlier(next, earlier(e->next_audit, drain_next(e->drain)));
	next = earlier(next, clean_flows(e, now));
	return next > now ? next : now + 1;
}
