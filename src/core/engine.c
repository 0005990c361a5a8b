// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine_own.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/drain.h"
#include "core/hold.h"
#include "core/marks.h"
#include "core/stale_watch.h"

enum {
	STEP_OPS = 4096,     /* applied in one step */
	BATCH_OPS = 1024,    /* in one call of an adapter */
	RATE_FLOWS = 1000,   /* ms between readings of the connection table, which may be large */
	FLOWS_RETRY = 10000, /* ms, after one that failed */
	/*
	 * Changing the scheduler of a virtual server waits for an RCU grace period in the kernel
	 * (ip_vs_edit_service()), 10 ms and more each.
	 */
	BATCH_VS_SET = 16,
};

static bool is_tcp(const struct engine *e, const struct fact_key *vs)
{
	return vs->proto ? vs->proto == IPPROTO_TCP
			 : marks_is_tcp(e->config.view->options->mark_mask, fact_fwmark(vs));
}

bool engine_drains(const struct engine *e, const struct fact_key *vs)
{
	return !e->releasing && e->config.drain && is_tcp(e, vs);
}

struct slot *engine_owner(const struct engine *e, const struct fact_key *vs)
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
	int64_t ms = e->config.view->options->drain_timeout;

	if (!engine_drains(e, vs))
		return 0;
	slot = engine_owner(e, vs);
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

void engine_node_changed(struct engine *e)
{
	e->node_dirty = true;
	store_mark_all_dirty(e->config.store);
}

void engine_reload(struct engine *e)
{
	node_view_forget_missing_schedulers(e->config.view);
	engine_node_changed(e);
	engine_request_audit(e);
	ledger_retry_now(e->ledger);
	e->next_flows = 0;
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

/* Applies */

/* Gives the Services that asked for it another one; false where there is none. */
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
	if (a->advance)
		e->holding = true;
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
	const struct slot *slot = engine_owner(e, &op->fact.key);
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
			e->holding = false;
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

static bool fails(const struct engine *e, enum fact_kind kind, enum op_type type)
{
	return ledger_counts_of(e->ledger, kind)->failing_ops[type];
}

/* What could not be taken from clients' way in the kernel yet may still make stale entries. */
static bool leads_astray(const struct engine *e)
{
	return fails(e, FACT_CHAIN, OP_SET) || fails(e, FACT_DISPATCH, OP_SET) ||
		fails(e, FACT_DISPATCH, OP_DEL) || fails(e, FACT_VS, OP_DEL) ||
		fails(e, FACT_RS, OP_DEL);
}

/* Deletes the entries of the connection table that are stale by now. Returns when to be called
 * again. */
static uint64_t clean_flows(struct engine *e, uint64_t now)
{
	struct stale_list stale = { 0 };
	bool more = false;
	int r;

	if (!e->stale || !stale_watch_any(e->stale))
		return UINT64_MAX;
	if (now < e->next_flows)
		return e->next_flows;
	stale_watch_list(e->stale, &stale);
	stale.translated = e->config.view->backend == BACKEND_IPTABLES;
	r = stale.n ? e->config.delete_flows(&stale, &more, e->config.arg) : 0;
	stale_done(&stale);
	if (r > 0)
		e->stats.flows_deleted += (uint64_t)r;
	if (r < 0 || leads_astray(e))
		return e->next_flows = now + FLOWS_RETRY;
	e->next_flows = now + RATE_FLOWS;
	if (more)
		return e->next_flows;
	stale_watch_clear(e->stale);
	return UINT64_MAX;
}

uint64_t engine_step(struct engine *e, uint64_t now)
{
	uint64_t next;
	bool held;

	if (!e->stats.fed)
		return UINT64_MAX;
	if (!e->marks)
		engine_adopt_marks(e);
	e->stats.synced = false;
	if ((!e->holding || e->releasing) && engine_resolve(e))
		return now;
	if (is_busy(e, now))
		return UINT64_MAX;
	if (!engine_audit(e, now))
		return UINT64_MAX;
	if (!e->audited || e->config.dry_run)
		return e->next_audit;
	drain_catch(e->drain, now);
	drain_poll(e->drain, now);
	next = apply_some(e, now);
	if (e->busy)
		return UINT64_MAX;
	if (next <= now)
		return now;
	held = e->holding;
	e->holding = false;
	if ((!held && !list_empty(&e->config.store->dirty)) ||
		(e->audit_requested && !e->audit_failed))
		return now;
	e->stats.synced = true;
	next = earlier(next, clean_flows(e, now));
	if (!list_empty(&e->config.store->dirty) || e->node_dirty)
		return now;
	if (ledger_unsure(e->ledger) && !e->audit_failed)
		next = earlier(next, e->stats.last_audit + RATE_LOST);
	next = earlier(next, earlier(e->next_audit, drain_next(e->drain)));
	return next > now ? next : now + 1;
}
