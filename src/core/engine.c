// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/engine.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/mem.h"
#include "core/drain.h"
#include "core/hold.h"
#include "core/marks.h"
#include "core/stale_watch.h"
#include "op_order.h"
#include "orphan.h"
#include "ownership.h"
#include "publisher.h"

/* Times in milliseconds. */
enum {
	STEP_OPS = 4096,     /* applied in one step */
	BATCH_OPS = 1024,    /* in one call of an adapter */
	RATE_FLOWS = 1000,   /* between readings of the connection table, which may be large */
	FLOWS_RETRY = 10000, /* after one that failed */
	BATCH_SLOW = 16,     /* of operations that src/core/op_order.h calls slow */
	AUDIT_SLICE = 1024,  /* virtual and real servers that one step of an audit looks at */
};

struct engine {
	struct engine_config config;
	struct engine_stats stats;
	struct ledger *ledger;
	struct drain *drain;
	struct publisher publisher;
	struct adapter *adapter[FACT_KINDS]; /* NULL: facts of that kind cannot be had */
	unsigned mixed;			     /* mask of the kinds whose adapter mixes them */
	struct adapter *earlier_members;     /* NULL: there are none, or they were read */
	struct fact_list earlier;	     /* these, sorted */
	uint64_t next_flows;
	bool made;    /* on_made() was called */
	bool keeping; /* orphans, because the input is, or was until now, incomplete */

	/* Operations under way */
	struct op *ops; /* room for max_ops */
	size_t max_ops;
	struct adapter *busy; /* has the first n_busy ops; NULL: none has */
	size_t n_busy;
	/*
	 * An adapter that answers later has answered: the rest of the round is done before anything
	 * new is resolved, else the last operations would never come while changes go on. A slow
	 * operation ends the wait.
	 */
	bool holding;

	struct audit audit;
};

static int drain_conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *fn_arg, void *arg)
{
	const struct engine *e = container_of(arg, struct engine, publisher);
	struct adapter *a = e->adapter[FACT_RS];
	struct err err;

	return a && a->conns ? a->conns(a, vs, fn, fn_arg, &err) : 0;
}

struct engine *engine_new(const struct engine_config *config)
{
	struct engine *e = new0(struct engine);

	e->config = *config;
	e->audit = (struct audit){ .adapters = e->adapter, .interval = config->audit_interval };
	e->stats.complete = true;
	e->ledger = ledger_new();
	e->drain = drain_new(&(struct drain_config){
		.ledger = e->ledger,
		.external_table = config->view->options->external_table,
		.may_drain = publisher_may_drain,
		.timeout = publisher_drain_timeout,
		.listed = publisher_lists,
		.conns = drain_conns,
		.arg = &e->publisher,
	});
	e->publisher = (struct publisher){
		.ledger = e->ledger,
		.drain = e->drain,
		.stale = config->delete_flows ? stale_watch_new() : NULL,
		.store = config->store,
		.view = config->view,
		.stats = &e->stats,
		.drains = config->drain,
		.applies = !config->dry_run,
		.on_degraded = config->on_degraded,
		.on_beyond = config->on_beyond,
		.on_refused = config->on_refused,
		.misses_endpoints = config->misses_endpoints,
		.arg = config->arg,
		.node = { .born = CLAIMANT_NODE, .name = "" },
		.node_dirty = true,
	};
	list_init(&e->publisher.publications);
	rights_init(&e->publisher.rights, e->ledger, config->view, config->store);
	e->max_ops = BATCH_OPS;
	e->ops = mem_zalloc(e->max_ops, sizeof(*e->ops));
	return e;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	stale_watch_free(e->publisher.stale);
	drain_free(e->drain);
	ledger_free(e->ledger);
	marks_free(e->publisher.marks);
	audit_done(&e->audit);
	publisher_done(&e->publisher);
	fact_list_done(&e->earlier);
	free(e->ops);
	free(e);
}

void engine_add_adapter(struct engine *e, struct adapter *a)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		if (a->kinds & 1u << kind) {
			e->adapter[kind] = a;
			e->mixed = a->mixes ? e->mixed | 1u << kind : e->mixed & ~(1u << kind);
			audit_adapter_changed(&e->audit, kind);
		}
}

void engine_add_earlier_members(struct engine *e, struct adapter *a)
{
	e->earlier_members = a;
}

void engine_forget_earlier_members(struct engine *e)
{
	fact_list_done(&e->earlier);
	ledger_enter_last(e->ledger, false);
}

void engine_enter_last(struct engine *e)
{
	ledger_enter_last(e->ledger, true);
}

void engine_fed(struct engine *e)
{
	e->stats.fed = true;
}

/* The orphans go only after the Services of the last objects have claimed what is theirs: see
 * forget_orphans(). */
void engine_set_input_complete(struct engine *e, bool complete)
{
	if (e->publisher.incomplete == !complete)
		return;
	e->publisher.incomplete = !complete;
	e->stats.complete = complete;
	e->keeping |= !complete;
	store_mark_all_dirty(e->config.store);
}

void engine_request_audit(struct engine *e, unsigned kinds)
{
	if (kinds & 1u << FACT_RS)
		kinds |= 1u << FACT_VS; /* whose real servers they are */
	e->audit.requested |= kinds;
}

void engine_node_changed(struct engine *e)
{
	e->publisher.node_dirty = true;
	store_mark_all_dirty(e->config.store);
}

void engine_reload(struct engine *e)
{
	node_view_forget_missing_schedulers(e->config.view);
	engine_node_changed(e);
	engine_request_audit(e, FACT_ALL_KINDS);
	ledger_retry(e->ledger, UINT64_MAX);
	e->next_flows = 0;
}

void engine_release_all(struct engine *e)
{
	e->publisher.releasing = true;
	engine_set_input_complete(e, true);
	drain_release_all(e->drain);
	engine_node_changed(e);
}

void engine_print_failure(const struct engine *e, struct buf *b, const struct op *op)
{
	const struct adapter *a = e->adapter[op->fact.key.kind];
	const char *why = a && a->explain ? a->explain(op) : NULL;

	buf_adds(b, strerror(-op->result));
	if (why)
		buf_addf(b, " (%s)", why);
}

void engine_each_wish(const struct engine *e, const struct ip *ip, uint16_t port, uint8_t proto,
	void (*fn)(const struct slot *slot, const struct frontend *fe, void *arg), void *arg)
{
	rights_each_wish(&e->publisher.rights, ip, port, proto, fn, arg);
}

const struct slot *engine_cluster_ip_holder(const struct engine *e, const struct ip *ip)
{
	const struct publication *pub = rights_cluster_ip_holder(&e->publisher.rights, ip, NULL);

	return pub ? pub->slot : NULL;
}

const struct engine_stats *engine_stats(const struct engine *e)
{
	return &e->stats;
}

struct ledger *engine_ledger(struct engine *e)
{
	return e->ledger;
}

static void find_failing_of_node(const struct fact_key *key, const struct fact_state *s, void *arg)
{
	(void)key;
	*(bool *)arg |= s->error && s->claimant && s->claimant->born == CLAIMANT_NODE;
}

bool engine_node_fails(const struct engine *e)
{
	static const enum fact_kind kinds[] = { FACT_SET, FACT_CHAIN, FACT_JUMP };
	bool fails = false;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (ledger_counts_of(e->ledger, kinds[i])->failing)
			ledger_each(e->ledger, kinds[i], find_failing_of_node, &fails);
	return fails;
}

const struct rule_pool *engine_rules(const struct engine *e)
{
	return &e->publisher.rules;
}

/* Answers */

/* The Services that asked for it get another one; false where there is none. */
static bool degrade_scheduler(struct engine *e, const char *scheduler)
{
	if (!strcmp(scheduler, LAST_SCHEDULER))
		return false;
	if (node_view_scheduler_missing(e->config.view, scheduler))
		return true;
	if (!node_view_add_missing_scheduler(e->config.view, scheduler))
		return false;
	store_mark_all_dirty(e->config.store);
	e->holding = false;
	if (e->config.on_scheduler_missing)
		e->config.on_scheduler_missing(scheduler, e->config.arg);
	return true;
}

/* Others made the virtual server that a Service wants: the Service is decided anew. */
static void disown(struct engine *e, const struct fact_key *vs)
{
	const struct publication *pub = publication_owner(e->ledger, vs);

	ledger_disown(e->ledger, vs);
	if (pub)
		store_mark_dirty(e->config.store, pub->slot);
}

static void settle_answer(struct engine *e, const struct op *op, uint64_t now)
{
	const struct fact_key *key = &op->fact.key;
	const struct ip ip = fact_ip(key);
	struct fact_state before = { 0 }, after = { 0 };

	ledger_state(e->ledger, key, &before);
	ledger_settle(e->ledger, op, now);
	if (!op->result) {
		e->stats.ops[key->kind][op->type]++;
		e->stats.last_change = now;
		/* No Service tells of the frontends that an earlier run left behind. */
		if (e->publisher.stale && op->type == OP_DEL && fact_is_frontend(key) &&
			key->proto == IPPROTO_UDP)
			stale_watch_add(e->publisher.stale, &ip, key->port, key->proto);
		return;
	}
	if (key->kind == FACT_VS && op->result == -EPROTONOSUPPORT &&
		degrade_scheduler(e, op->fact.val.vs.scheduler))
		return;
	/* It was not there at the last audit, and we have not made it since. */
	if (key->kind == FACT_VS && key->proto && op->type == OP_ADD && op->result == -EEXIST &&
		!before.ours && !e->config.view->options->adopt_foreign)
		disown(e, key);
	ledger_state(e->ledger, key, &after);
	if (!after.error || !after.retry_at)
		return; /* news, not a failure */
	e->stats.failures++;
	if (after.error != before.error && e->config.on_failure)
		e->config.on_failure(op, e->config.arg);
}

/* Settles the answers of the adapter that has operations. Returns false while it works on them. */
static bool settle_answers(struct engine *e, uint64_t now)
{
	struct adapter *a = e->busy;

	if (!a)
		return true;
	if (a->advance && !a->advance(a))
		return false;
	e->busy = NULL;
	if (a->advance)
		e->holding = true;
	for (size_t i = 0; i < e->n_busy; i++)
		settle_answer(e, &e->ops[i], now);
	return true;
}

/* Applies */

/*
 * A member that leads packets to us waits, as if it failed, for its virtual server: without one a
 * daemon of the node that listens on every address would get them. Moves such operations behind the
 * others, and returns the number of the others.
 */
static size_t put_off_exposures(struct engine *e, size_t n)
{
	size_t n_ready = 0;

	for (size_t i = 0; i < n; i++) {
		struct op op = e->ops[i];
		const struct ip ip = fact_ip(&op.fact.key);
		const struct fact vs = fact_vs(&ip, op.fact.key.port, op.fact.key.proto);
		struct fact_state s;

		if (op.type == OP_ADD && fact_exposes(&op.fact.key) &&
			!(ledger_state(e->ledger, &vs.key, &s) && s.present)) {
			e->ops[i].result = -EAGAIN;
			continue;
		}
		e->ops[i] = e->ops[n_ready];
		e->ops[n_ready++] = op;
	}
	return n_ready;
}

/*
 * Hands the first n operations to their adapter. Claims may change while it works on them, so that
 * rules are forgotten only before it begins. A slow operation changes a virtual server; the kernel
 * refuses connections meanwhile, so that it is guarded: see core/hold.h.
 */
static void begin_apply(struct engine *e, struct adapter *a, size_t n)
{
	publisher_sweep_rules(&e->publisher);
	e->busy = a;
	e->n_busy = n;
	e->stats.batches++;
	if (!op_is_slow(&e->ops[0])) {
		a->apply(a, e->ops, put_off_exposures(e, n));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct publication *pub = publication_owner(e->ledger, &e->ops[i].fact.key);
		_cleanup_(fact_list_done) struct fact_list facts = { 0 };
		const struct hold h = {
			.ledger = e->ledger,
			.virtual_servers = e->adapter[FACT_VS],
			.members = e->adapter[FACT_MEMBER],
			.facts = &facts,
		};

		if (pub)
			publication_facts(pub, &facts);
		if (!hold_change(&h, &e->ops[i]))
			engine_request_audit(e, h.members->kinds);
	}
}

static void tell_made(struct engine *e)
{
	if (!e->made && !node_view_translates(e->config.view))
		ledger_turn_last(e->ledger, false);
	if (!e->made && e->config.on_made)
		e->config.on_made(e->config.arg);
	e->made = true;
}

/* Applies operations until an adapter answers later or the step has done enough. Returns when to go
 * on: `now` while there is more, UINT64_MAX while an adapter is busy. */
static uint64_t apply_some(struct engine *e, uint64_t now)
{
	uint64_t next = UINT64_MAX, unused;

	for (size_t done = 0; done < STEP_OPS;) {
		struct adapter *a;
		size_t n;

		if (e->max_ops != BATCH_OPS) {
			e->max_ops = BATCH_OPS;
			e->ops = mem_realloc(e->ops, e->max_ops, sizeof(*e->ops));
		}
		n = ledger_take(e->ledger, now, e->mixed, e->ops, BATCH_OPS, &next);
		if (!n)
			return next;
		if (op_is_slow(&e->ops[0])) {
			n = n < BATCH_SLOW ? n : BATCH_SLOW;
			done += STEP_OPS;
			e->holding = false;
		}
		a = e->adapter[e->ops[0].fact.key.kind];
		assert(a);
		/* The same operations again, and more of their kind and type, into more room. */
		while (a->whole_queue && n == e->max_ops) {
			e->max_ops *= 2;
			e->ops = mem_realloc(e->ops, e->max_ops, sizeof(*e->ops));
			n = ledger_take(e->ledger, now, e->mixed, e->ops, e->max_ops, &unused);
		}
		if (op_breaks(&e->ops[0]))
			tell_made(e);
		begin_apply(e, a, n);
		if (!settle_answers(e, now))
			return UINT64_MAX;
		done += n;
	}
	return now;
}

/* Audits: what the kernel holds, and what of it is ours */

static void observe_fact(const struct fact *f, void *arg)
{
	struct engine *e = arg;
	const struct ownership ownership = { .ledger = e->ledger,
		.view = e->config.view,
		.earlier = e->earlier.facts,
		.n_earlier = e->earlier.n };
	struct fact_state s = { 0 };

	ledger_state(e->ledger, &f->key, &s);
	ledger_observe(e->ledger, f, s.wanted || ownership_is_ours(&ownership, &f->key));
	if (f->key.kind == FACT_VS && e->audit.reading & 1u << FACT_RS)
		audit_add_virtual_server(&e->audit, &f->key);
	if (s.wanted && !s.present && !ownership_of_wanted(&ownership, f, &s.want))
		disown(e, &f->key);
	if (e->keeping && !s.wanted)
		ledger_keep(e->ledger, &f->key, orphan_stays(&e->publisher, &f->key));
}

/* Orphans */

static void find_kept_ports(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	bool *keeps_ports = arg;

	if (state->kept && fact_exposes(key))
		keeps_ports[key->family == AF_INET6] = true;
}

/* The node's rules for ports of others' addresses stand for orphans, too. */
static void count_kept_ports(struct engine *e)
{
	bool keeps[2] = { false, false };

	ledger_each(e->ledger, FACT_MEMBER, find_kept_ports, keeps);
	memcpy(e->publisher.keeps_ports, keeps, sizeof(keeps));
}

static void forget_orphans(struct engine *e)
{
	e->keeping = false;
	ledger_keep_none(e->ledger);
	count_kept_ports(e);
}

/* Whether the chain is one of a Service on iptables, or one of the nftables backend. */
static void note_translating_chain(
	const struct fact_key *key, const struct fact_state *s, void *arg)
{
	bool *translated = arg;

	*translated |= s->present &&
		(op_class_of(key) == OP_CLASS_SERVICE_CHAIN ||
			(key->set == TABLE_NAT && !strcmp(key->name, CHAIN_DISPATCH)));
}

/* With IPVS, the first audit tells whether another backend has to be relieved. */
static bool entrances_turn_last(const struct engine *e)
{
	bool translated = node_view_translates(e->config.view) ||
		ledger_counts_of(e->ledger, FACT_DISPATCH)->present;

	if (!translated)
		ledger_each(e->ledger, FACT_CHAIN, note_translating_chain, &translated);
	return translated;
}

/* The kernel was read, or with an error it could not be. */
static void end_audit(struct engine *e, const struct err *err, uint64_t now)
{
	const bool failed = e->audit.failed, first = !e->audit.done;
	const size_t drift = e->audit.drift;

	audit_end(&e->audit, err, now);
	e->stats.last_audit = e->audit.last;
	if (failed != e->audit.failed && e->config.on_audit)
		e->config.on_audit(err, e->config.arg);
	if (err) {
		e->stats.audit_failures++;
		return;
	}
	rights_audited(&e->publisher.rights);
	if (e->keeping)
		count_kept_ports(e);
	if (first)
		ledger_turn_last(e->ledger, entrances_turn_last(e));
	e->stats.drift += first ? 0 : drift;
	e->stats.audits++;
}

/* Virtual servers come last: see ownership.h. Their real servers follow one by one. */
static const enum fact_kind audit_order[] = { FACT_LINK, FACT_POLICY_RULE, FACT_SET, FACT_MEMBER,
	FACT_CHAIN, FACT_DISPATCH, FACT_JUMP, FACT_HELD, FACT_ROUTE, FACT_ADDR, FACT_VS };
static_assert(ARRAY_SIZE(audit_order) == FACT_KINDS - 1, "all kinds but FACT_RS");

/* Ends the ledger's audit, or breaks it off. Returns 0, or the error with words. */
static int end_reading(struct engine *e, int r, enum fact_kind kind, struct err *err)
{
	if (r < 0) {
		ledger_audit_abort(e->ledger);
		err_prefix(err, "reading %s from the kernel", fact_kind_name(kind));
		return r;
	}
	e->audit.drift += ledger_audit_end(e->ledger);
	return 0;
}

static int read_kinds(struct engine *e, uint64_t now, struct err *err)
{
	const unsigned reading = e->audit.reading & ~(1u << FACT_RS);
	enum fact_kind kind = FACT_LINK;
	int r = 0;

	ledger_audit_begin(e->ledger, reading);
	if (e->audit.reading & 1u << FACT_RS)
		ledger_trust(e->ledger, FACT_RS);
	for (size_t i = 0; i < ARRAY_SIZE(audit_order) && r >= 0; i++) {
		struct adapter *a;

		kind = audit_order[i];
		a = reading & 1u << kind ? e->adapter[kind] : NULL;
		r = a ? a->dump(a, kind, observe_fact, e, err) : 0;
	}
	audit_dumped(&e->audit, now);
	return end_reading(e, r, kind, err);
}

/* Those of a foreign virtual server are not ours either. Orphans that are kept are decided anew. */
static int read_real_servers(struct engine *e, const struct fact_key *vs, struct err *err)
{
	struct adapter *a = e->adapter[FACT_RS];
	struct fact_state s;
	int r;

	if (!ledger_state(e->ledger, vs, &s) || !s.present)
		return 0;
	if (!s.foreign && !e->keeping && a->unchanged && a->unchanged(a, vs))
		return 0;
	ledger_audit_begin_children(e->ledger, vs);
	r = s.foreign ? 0 : a->dump_real_servers(a, vs, observe_fact, e, err);
	return end_reading(e, r, FACT_RS, err);
}

/*
 * Reads the kernel where it is time to: at first all but the real servers, then those of some
 * virtual servers in each step. Returns false while an adapter is still at it.
 */
static bool read_kernel(struct engine *e, uint64_t now)
{
	uint64_t (*clock_us)(void) = e->config.clock_us, start;
	const struct fact_key *vs = NULL;
	struct err err = { 0 };
	int r = 0;

	if (!audit_begin(&e->audit, ledger_unsure(e->ledger), e->keeping, now))
		return true;
	if (!e->audit.dumped && !audit_read_ahead(&e->audit))
		return false;
	start = clock_us ? clock_us() : 0;
	e->stats.audit_steps++;
	if (!e->audit.dumped) {
		e->stats.audit_us = 0;
		r = read_kinds(e, now, &err);
	}
	for (size_t n = 0; r >= 0 && n < AUDIT_SLICE;
		n += 1 + ledger_count_children(e->ledger, vs)) {
		vs = audit_next_virtual_server(&e->audit);
		if (!vs)
			break;
		r = read_real_servers(e, vs, &err);
	}
	if (r < 0 || !vs)
		end_audit(e, r < 0 ? &err : NULL, now);
	if (clock_us)
		e->stats.audit_us += clock_us() - start;
	return true;
}

static void adopt_mark(const struct fact *f, void *arg)
{
	struct ip ip = fact_ip(&f->key);

	if (f->key.set == SET_LOCAL_MARK)
		marks_adopt(arg, &ip, f->key.proto, f->key.port, f->val.member.mark);
}

/* Stale entries of the connection table */

/* Deletes the entries that are stale by now. Returns when to be called again. */
static uint64_t clean_flows(struct engine *e, uint64_t now)
{
	/* While one of these fails, packets may still go the old way and make stale entries. */
	static const struct {
		enum fact_kind kind;
		enum op_type type;
	} ends_old_way[] = { { FACT_MEMBER, OP_SET }, { FACT_MEMBER, OP_DEL },
		{ FACT_CHAIN, OP_SET }, { FACT_DISPATCH, OP_SET }, { FACT_DISPATCH, OP_DEL },
		{ FACT_VS, OP_DEL }, { FACT_RS, OP_DEL } };
	struct stale_watch *watch = e->publisher.stale;
	struct stale_list stale = { 0 };
	bool more = false, again;
	int r;

	if (!watch || !stale_watch_any(watch))
		return UINT64_MAX;
	if (now < e->next_flows)
		return e->next_flows;
	stale.translated = node_view_translates(e->config.view);
	stale_watch_list(watch, &stale);
	r = stale.n ? e->config.delete_flows(&stale, &more, e->config.arg) : 0;
	stale_done(&stale);
	if (r > 0)
		e->stats.flows_deleted += (uint64_t)r;

	again = r < 0;
	for (size_t i = 0; i < ARRAY_SIZE(ends_old_way) && !again; i++)
		again = ledger_counts_of(e->ledger, ends_old_way[i].kind)
				->failing_ops[ends_old_way[i].type];
	if (again)
		return e->next_flows = now + FLOWS_RETRY;
	e->next_flows = now + RATE_FLOWS;
	if (more)
		return e->next_flows;
	stale_watch_clear(watch);
	return UINT64_MAX;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void keep_earlier_member(const struct fact *f, void *arg)
{
	fact_list_add(arg, *f);
}

/* As far as they can be read. */
static void read_earlier_members(struct engine *e)
{
	struct adapter *a = take(e->earlier_members);
	struct err err;

	if (a)
		a->dump(a, FACT_MEMBER, keep_earlier_member, &e->earlier, &err);
	fact_list_finish(&e->earlier);
	for (size_t i = 0; e->config.view->options->mark_mask && i < e->earlier.n; i++)
		adopt_mark(&e->earlier.facts[i], e->publisher.marks);
}

uint64_t engine_step(struct engine *e, uint64_t now)
{
	const uint32_t mark_mask = e->config.view->options->mark_mask;
	struct adapter *members = e->adapter[FACT_MEMBER];
	uint64_t next, next_drain;
	struct err err;
	bool held;

	/* 1. Nothing is done before the inputs are complete. Then marks of an earlier run stay what
	 *    they were; where they cannot be read, others do as well. */
	if (!e->stats.fed)
		return UINT64_MAX;
	if (!e->publisher.marks) {
		e->publisher.marks = marks_new(mark_mask);
		if (members && mark_mask)
			members->dump(members, FACT_MEMBER, adopt_mark, e->publisher.marks, &err);
		read_earlier_members(e);
	}
	e->stats.synced = false;

	/* 2. Resolve and publish, unless the end of a round waits. */
	if (!e->holding || e->publisher.releasing) {
		if (publisher_run(&e->publisher))
			return now;
		if (e->keeping && !e->publisher.incomplete) {
			forget_orphans(e);
			return now;
		}
	}
	memcpy(e->stats.refused, e->publisher.rights.refused, sizeof(e->stats.refused));

	/* 3. Hear the adapter that answers later. */
	if (!settle_answers(e, now))
		return UINT64_MAX;

	/* 4. Audit; nothing is written before the first one. */
	if (!read_kernel(e, now))
		return UINT64_MAX;
	if (publisher_is_dirty(&e->publisher) && !e->holding)
		return now; /* the audit found what Services wait for, or may not have */
	if (!e->audit.done || e->config.dry_run)
		return e->audit.kinds ? now : e->audit.next;

	/* 5. Drain what is about to be deleted, then apply. */
	drain_catch(e->drain, now);
	next_drain = drain_poll(e->drain, now);
	e->stats.draining = drain_count(e->drain);
	next = apply_some(e, now);
	if (e->busy)
		return UINT64_MAX;
	if (next <= now)
		return now;

	/* 6. The round ends: only what waits for its retry is left. */
	held = e->holding;
	e->holding = false;
	if ((!held && !list_empty(&e->config.store->dirty)) ||
		(e->audit.requested && !e->audit.failed))
		return now;
	tell_made(e);
	e->stats.synced = true;
	next = earlier(next, clean_flows(e, now));
	if (publisher_is_dirty(&e->publisher))
		return now;

	/* 7. Sleep until the next thing is due. */
	if (e->audit.kinds)
		return now;
	next = earlier(next, earlier(audit_next(&e->audit, ledger_unsure(e->ledger)), next_drain));
	return next > now ? next : now + 1;
}
