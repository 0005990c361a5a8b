// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/publication.h"
#include "core/resolve.h"
#include "report_service.h"
#include "report_words.h"

/* What belongs to no Service */

struct loose_fact {
	struct fact_key key;
	struct fact_state state;
};

enum loose_type { LOOSE_FOREIGN, LOOSE_KEPT, LOOSE_FAILURE };

struct loose_facts {
	enum loose_type type;
	struct loose_fact *facts;
	size_t n, cap;
};

static void loose_facts_done(struct loose_facts *l)
{
	free(l->facts);
}

static int loose_fact_compare(const void *a, const void *b)
{
	const struct loose_fact *x = a, *y = b;

	return fact_key_cmp(&x->key, &y->key);
}

/* The node's own facts, and those that no Service claims any more. */
static bool is_of_no_service(const struct fact_key *key, const struct fact_state *state)
{
	switch ((enum fact_kind)key->kind) {
	case FACT_LINK:
	case FACT_POLICY_RULE:
	case FACT_SET:
	case FACT_CHAIN:
	case FACT_JUMP:
		return true;
	case FACT_MEMBER:
	case FACT_DISPATCH:
	case FACT_VS:
	case FACT_RS:
	case FACT_HELD:
	case FACT_ROUTE:
	case FACT_ADDR:
	case FACT_KINDS:
		return !state->wanted;
	}
	return false;
}

static void collect_loose(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct loose_facts *l = arg;
	bool is = false;

	switch (l->type) {
	case LOOSE_FOREIGN:
		is = state->foreign;
		break;
	case LOOSE_KEPT: /* those that are selected by mark say nothing to people */
		is = state->kept && key->proto;
		break;
	case LOOSE_FAILURE:
		is = state->error && is_of_no_service(key, state);
		break;
	}
	if (!is)
		return;
	mem_grow(l->facts, l->n, l->cap);
	l->facts[l->n++] = (struct loose_fact){ .key = *key, .state = *state };
}

static json_t *foreign_json(const struct ledger *ledger)
{
	_cleanup_(loose_facts_done) struct loose_facts l = { .type = LOOSE_FOREIGN };
	json_t *ret = json_array();

	ledger_each(ledger, FACT_VS, collect_loose, &l);
	if (l.n)
		qsort(l.facts, l.n, sizeof(*l.facts), loose_fact_compare);
	for (size_t i = 0; i < l.n; i++) {
		json_t *o = report_vs_json(&l.facts[i].key);

		json_object_set_new(
			o, "scheduler", json_string(l.facts[i].state.have.vs.scheduler));
		json_array_append_new(ret, o);
	}
	return ret;
}

/* Removes the frontends of Services that are known and withheld: these have rows of their own. */
static void drop_withheld(struct loose_facts *l, const struct report_input *in)
{
	_cleanup_(served_ports_done) struct served_ports served = { 0 };
	size_t n = 0;

	map_for_each_entry(const struct slot, slot, &in->store->slots, by_name) {
		if (!slot->service || !slot->published || !slot->published->withheld)
			continue;
		served_ports_select(&served, slot, in->view);
		for (size_t k = 0; k < served.n; k++) {
			const struct served_port *p = &served.ports[k];

			for (size_t i = 0; i < p->frontends.n; i++) {
				const struct loose_fact f = { .key = resolve_frontend_key(in->view,
								      &p->frontends.fes[i],
								      p->port->proto) };
				struct loose_fact *found = bsearch(
					&f, l->facts, l->n, sizeof(*l->facts), loose_fact_compare);

				if (found)
					found->state.kept = false;
			}
		}
	}
	for (size_t i = 0; i < l->n; i++)
		if (l->facts[i].state.kept)
			l->facts[n++] = l->facts[i];
	l->n = n;
}

/* Frontends that an earlier run left and that stay because the input is incomplete. */
static json_t *unknown_json(const struct report_input *in, size_t *ret_n)
{
	_cleanup_(loose_facts_done) struct loose_facts l = { .type = LOOSE_KEPT };
	const struct ledger *ledger = engine_ledger(in->engine);
	json_t *ret = json_array();

	ledger_each(ledger, FACT_VS, collect_loose, &l);
	ledger_each(ledger, FACT_DISPATCH, collect_loose, &l);
	if (l.n) {
		qsort(l.facts, l.n, sizeof(*l.facts), loose_fact_compare);
		drop_withheld(&l, in);
	}
	for (size_t i = 0; i < l.n && i < REPORT_MAX_UNKNOWN; i++) {
		json_t *o = report_vs_json(&l.facts[i].key);

		json_object_set_new(o, "scheduler",
			json_string(l.facts[i].key.kind == FACT_VS
					? l.facts[i].state.have.vs.scheduler
					: "random"));
		json_object_set_new(o, "state", json_string("Unknown"));
		json_object_set_new(o, "reason", json_string(REPORT_INCOMPLETE));
		json_array_append_new(ret, o);
	}
	*ret_n = l.n;
	return ret;
}

static json_t *failures_json(const struct ledger *ledger, const struct report_input *in)
{
	_cleanup_(loose_facts_done) struct loose_facts l = { .type = LOOSE_FAILURE };
	json_t *ret = json_array();

	ledger_each(ledger, FACT_KINDS, collect_loose, &l);
	if (l.n)
		qsort(l.facts, l.n, sizeof(*l.facts), loose_fact_compare);
	for (size_t i = 0; i < l.n && i < REPORT_MAX_FAILURES; i++) {
		_cleanup_(buf_done) struct buf words = { 0 };

		report_failure(&words, &l.facts[i].key, &l.facts[i].state, in);
		json_array_append_new(ret, json_string(buf_str(&words)));
	}
	return ret;
}

/* The summary */

static json_t *summary_json(const struct report_input *in, const struct ledger_counts *counts,
	const struct report_sums *sums, size_t foreign, size_t unknown)
{
	const struct engine_stats *stats = engine_stats(in->engine);
	json_int_t operations = 0;

	for (size_t i = 0; i < FACT_KINDS; i++)
		for (size_t j = 0; j < ARRAY_SIZE(stats->ops[i]); j++)
			operations += (json_int_t)stats->ops[i][j];

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
		"services", (json_int_t)in->store->n_services, "ports", (json_int_t)sums->ports,
		"endpoints", (json_int_t)sums->endpoints, "draining", (json_int_t)stats->draining,
		"drift", (json_int_t)stats->drift, "foreign", (json_int_t)foreign, "unknown",
		(json_int_t)unknown, "failing", (json_int_t)counts->failing, "pending",
		(json_int_t)counts->pending, "operations", operations, "audits",
		(json_int_t)stats->audits, "lastChangeMsAgo",
		stats->last_change ? json_integer((json_int_t)(in->now - stats->last_change))
				   : json_null(),
		"lastSyncMicroseconds",
		in->last_sync_us ? json_integer((json_int_t)in->last_sync_us) : json_null());
}

/* The pieces */

enum { PIECE_SIZE = 1 << 16 /* bytes, with one Service more */ };

struct report_item {
	char *name; /* "namespace/name", with a NUL instead of the '/' */
	size_t ns_len;
};

struct report {
	/* The Services that there were at the begin and that are not reported yet: a heap with the
	 * first one on top, because to sort all of them at once would take a long turn. */
	struct report_item *items;
	size_t n;
	struct report_sums sums;
	struct served_ports served; /* of the Service at hand */
	bool begun, any;	    /* `any`: a Service has been added */
};

static bool item_is_before(const struct report_item *a, const struct report_item *b)
{
	int c = strcmp(a->name, b->name);

	return c ? c < 0 : strcmp(a->name + a->ns_len + 1, b->name + b->ns_len + 1) < 0;
}

/* Puts the item where it belongs below an empty place, both of whose branches are heaps. */
static void heap_sink(struct report *r, size_t at, struct report_item item)
{
	for (size_t child = 2 * at + 1; child < r->n; child = 2 * at + 1) {
		if (child + 1 < r->n && item_is_before(&r->items[child + 1], &r->items[child]))
			child++;
		if (!item_is_before(&r->items[child], &item))
			break;
		r->items[at] = r->items[child];
		at = child;
	}
	r->items[at] = item;
}

/* The caller frees its name. */
static struct report_item take_first(struct report *r)
{
	const struct report_item first = r->items[0];

	if (--r->n)
		heap_sink(r, 0, r->items[r->n]);
	return first;
}

struct report *report_begin(const struct report_input *in)
{
	struct report *r = new0(struct report);

	r->items = mem_zalloc(in->store->n_services, sizeof(*r->items));
	map_for_each_entry(const struct slot, slot, &in->store->slots, by_name) {
		struct report_item *item = &r->items[r->n];

		if (!slot->service)
			continue;
		item->name = mem_strdup(slot->name);
		item->ns_len = strlen(slot->service->ns);
		item->name[item->ns_len] = '\0';
		r->n++;
	}
	for (size_t i = r->n / 2; i--;)
		heap_sink(r, i, r->items[i]);
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->items[i].name);
	free(r->items);
	served_ports_done(&r->served);
	free(r);
}

/* Takes the reference. */
static void add_json(struct buf *out, json_t *tree)
{
	_cleanup_free_ char *text = json_dumps(tree, JSON_COMPACT);

	buf_adds(out, text);
	json_decref(tree);
}

/* Warnings quote file names, which may hold any bytes; JSON holds UTF-8 only. */
static json_t *warnings_json(const struct report_input *in)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < in->n_warnings; i++) {
		_cleanup_free_ char *ascii = NULL;
		json_t *text = json_string(in->warnings[i]);

		if (!text) {
			ascii = mem_strdup(in->warnings[i]);
			for (char *p = ascii; *p; p++)
				if ((unsigned char)*p >= 0x80)
					*p = '?';
			text = json_string(ascii);
		}
		json_array_append_new(ret, text);
	}
	return ret;
}

/* The weights that operators set. */
static json_t *overrides_json(const struct report_input *in)
{
	const struct overrides *all = &in->view->overrides;
	json_t *ret = json_array();

	for (size_t i = 0; i < all->n; i++) {
		const struct override *it = &all->v[i];
		const uint64_t left = it->until > in->now ? it->until - in->now : 0;
		_cleanup_(buf_done) struct buf endpoint = { 0 };

		override_print_endpoint(it, &endpoint);
		json_array_append_new(ret,
			json_pack("{s:s, s:s, s:I, s:o, s:I}", "endpoint", buf_str(&endpoint),
				"service", it->service, "weight", (json_int_t)it->weight,
				"secondsLeft",
				it->until == OVERRIDE_FOREVER
					? json_null()
					: json_integer((json_int_t)((left + 999) / 1000)),
				"user", (json_int_t)it->by));
	}
	return ret;
}

/* The sums are complete only after the last Service. */
static void add_tail(const struct report *r, struct buf *out, const struct report_input *in)
{
	const struct ledger *ledger = engine_ledger(in->engine);
	struct ledger_counts counts = ledger_counts(ledger);
	json_t *foreign = counts.foreign ? foreign_json(ledger) : json_array();
	json_t *failures = counts.failing ? failures_json(ledger, in) : json_array();
	const size_t n_foreign = json_array_size(foreign);
	size_t n_unknown = 0;
	json_t *unknown = counts.kept ? unknown_json(in, &n_unknown) : json_array();

	buf_adds(out, "],\"foreign\":");
	add_json(out, foreign);
	buf_adds(out, ",\"unknown\":");
	add_json(out, unknown);
	buf_adds(out, ",\"failures\":");
	add_json(out, failures);
	buf_adds(out, ",\"overrides\":");
	add_json(out, overrides_json(in));
	buf_adds(out, ",\"summary\":");
	add_json(out, summary_json(in, &counts, &r->sums, n_foreign, n_unknown));
	buf_adds(out, "}\n");
}

bool report_next(struct report *r, const struct report_input *in, struct buf *out)
{
	size_t start;

	/* The object's head, without its closing brace. */
	if (!r->begun) {
		json_t *input = json_pack("{s:s, s:b, s:b}", "kind", in->input, "synced",
			(int)engine_stats(in->engine)->fed, "complete",
			(int)engine_stats(in->engine)->complete);

		add_json(out,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "apiVersion",
				"ipvsctl.io/v1", "kind", "Status", "source", "daemon", "node",
				in->view->options->node_name, "backend", in->backend, "netfilter",
				netfilter_name(in->view->netfilter), "kernel", in->kernel, "input",
				input, "warnings", warnings_json(in)));
		out->len--;
		buf_adds(out, ",\"services\":[");
		r->begun = true;
	}

	/* A piece of Services that were all deleted would be empty. */
	start = out->len;
	for (size_t i = 0;
		r->n && out->len - start < PIECE_SIZE && (i < REPORT_PIECE || out->len == start);
		i++) {
		const struct report_item item = take_first(r);
		const struct slot *slot =
			store_find(in->store, item.name, item.name + item.ns_len + 1);

		free(item.name);
		if (!slot || !slot->service)
			continue;
		buf_adds(out, r->any ? "," : "");
		report_service(in, slot, &r->served, &r->sums, out);
		r->any = true;
	}
	if (r->n)
		return true;
	add_tail(r, out, in);
	return false;
}
