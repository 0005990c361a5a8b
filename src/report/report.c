// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "report_service.h"
#include "report_words.h"

/* Warnings quote file names, which may hold any bytes; JSON holds UTF-8 only. */
static json_t *any_text(const char *s)
{
	_cleanup_free_ char *ascii = NULL;
	json_t *ret = json_string(s);

	if (ret)
		return ret;
	ascii = mem_strdup(s);
	for (char *p = ascii; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(ascii);
}

static json_t *warnings_json(const struct report_input *in)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < in->n_warnings; i++)
		json_array_append_new(ret, any_text(in->warnings[i]));
	return ret;
}

/* What belongs to no Service */

struct found {
	struct fact_key key;
	struct fact_state state;
};

struct search {
	struct found *found;
	size_t n, cap;
};

static void search_add(struct search *s, const struct fact_key *key, const struct fact_state *state)
{
	mem_grow(s->found, s->n, s->cap);
	s->found[s->n++] = (struct found){ .key = *key, .state = *state };
}

static void search_done(struct search *s)
{
	free(s->found);
}

static int cmp_found(const void *a, const void *b)
{
	return fact_key_cmp(&((const struct found *)a)->key, &((const struct found *)b)->key);
}

static void search_sort(struct search *s)
{
	if (s->n)
		qsort(s->found, s->n, sizeof(*s->found), cmp_found);
}

static void find_foreign(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	if (state->foreign)
		search_add(arg, key, state);
}

static json_t *foreign_json(const struct ledger *ledger)
{
	_cleanup_(search_done) struct search s = { 0 };
	json_t *ret = json_array();

	ledger_each(ledger, FACT_VS, find_foreign, &s);
	search_sort(&s);
	for (size_t i = 0; i < s.n; i++) {
		json_t *o = report_vs_json(&s.found[i].key);

		json_object_set_new(
			o, "scheduler", json_string(s.found[i].state.have.vs.scheduler));
		json_array_append_new(ret, o);
	}
	return ret;
}

/* The node's own things, and what should go and does not: no Service tells of these. */
static bool of_no_service(const struct fact_key *key, const struct fact_state *state)
{
	switch ((enum fact_kind)key->kind) {
	case FACT_LINK:
	case FACT_SET:
	case FACT_CHAIN:
	case FACT_JUMP:
		return true;
	case FACT_MEMBER:
	case FACT_DISPATCH:
	case FACT_VS:
	case FACT_RS:
	case FACT_ROUTE:
	case FACT_ADDR:
	case FACT_KINDS:
		return !state->wanted;
	}
	return false;
}

static void find_failing(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	if (state->error && of_no_service(key, state))
		search_add(arg, key, state);
}

static json_t *failures_json(const struct ledger *ledger, const struct report_input *in)
{
	_cleanup_(search_done) struct search s = { 0 };
	json_t *ret = json_array();

	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		ledger_each(ledger, kind, find_failing, &s);
	search_sort(&s);
	for (size_t i = 0; i < s.n && i < REPORT_MAX_FAILURES; i++) {
		_cleanup_(buf_done) struct buf words = { 0 };

		report_failure(&words, &s.found[i].key, &s.found[i].state, in);
		json_array_append_new(ret, json_string(buf_str(&words)));
	}
	return ret;
}

static void count_draining(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	(void)key;
	if (state->claimant && state->claimant->born == CLAIMANT_LAST)
		++*(size_t *)arg;
}

static size_t draining(const struct ledger *ledger)
{
	size_t n = 0;

	ledger_each(ledger, FACT_RS, count_draining, &n);
	return n;
}

static uint64_t operations(const struct engine_stats *stats)
{
	uint64_t n = 0;

	for (size_t i = 0; i < FACT_KINDS; i++)
		for (size_t j = 0; j < ARRAY_SIZE(stats->ops[i]); j++)
			n += stats->ops[i][j];
	return n;
}

static json_t *known(uint64_t n, bool is_known)
{
	return is_known ? json_integer((json_int_t)n) : json_null();
}

static json_t *summary_json(const struct report_input *in, const struct ledger_counts *counts,
	const struct report_sums *sums, size_t foreign)
{
	const struct engine_stats *stats = engine_stats(in->engine);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "services",
		(json_int_t)in->store->n_services, "ports", (json_int_t)sums->ports, "endpoints",
		(json_int_t)sums->endpoints, "draining",
		(json_int_t)draining(engine_ledger(in->engine)), "drift", (json_int_t)stats->drift,
		"foreign", (json_int_t)foreign, "failing", (json_int_t)counts->failing, "pending",
		(json_int_t)counts->pending, "operations", (json_int_t)operations(stats), "audits",
		(json_int_t)stats->audits, "lastChangeMsAgo",
		known(in->now - stats->last_change, stats->last_change), "lastSyncMicroseconds",
		known(in->last_sync_us, in->last_sync_us));
}

/* The pieces */

struct item {
	char *ns, *name;
};

struct report {
	struct item *items; /* the Services that there were, by name */
	size_t n, at;
	struct report_sums sums;
	struct served_ports served; /* of the Service at hand */
	bool begun, any;	    /* `any`: a Service was told */
};

static int cmp_item(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c = strcmp(x->ns, y->ns);

	return c ? c : strcmp(x->name, y->name);
}

struct report *report_begin(const struct report_input *in)
{
	struct report *r = new0(struct report);

	r->items = mem_zalloc(in->store->n_services, sizeof(*r->items));
	map_for_each_entry(const struct slot, slot, &in->store->slots, by_name) {
		const struct service *s = slot->service;

		if (s)
			r->items[r->n++] = (struct item){ mem_strdup(s->ns), mem_strdup(s->name) };
	}
	if (r->n)
		qsort(r->items, r->n, sizeof(*r->items), cmp_item);
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->items[i].ns);
		free(r->items[i].name);
	}
	free(r->items);
	served_ports_done(&r->served);
	free(r);
}

static int add_text(const char *text, size_t len, void *arg)
{
	buf_add(arg, text, len);
	return 0;
}

/* Takes the reference. */
static void add_json(struct buf *out, json_t *tree)
{
	json_dump_callback(tree, add_text, out, JSON_COMPACT);
	json_decref(tree);
}

/* An object without its end, so that more can follow. */
static void add_head(struct buf *out, const struct report_input *in)
{
	json_t *input = json_pack(
		"{s:s, s:b}", "kind", in->input, "synced", (int)engine_stats(in->engine)->fed);

	add_json(out,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "apiVersion", "ipvsctl.io/v1",
			"kind", "Status", "source", "daemon", "node", in->view->options->node_name,
			"backend", in->backend, "kernel", in->kernel, "input", input, "warnings",
			warnings_json(in)));
	out->len--;
	buf_adds(out, ",\"services\":[");
}

/* What is known when all Services are told. */
static void add_tail(const struct report *r, struct buf *out, const struct report_input *in)
{
	const struct ledger *ledger = engine_ledger(in->engine);
	struct ledger_counts counts = ledger_counts(ledger);
	json_t *foreign = counts.foreign ? foreign_json(ledger) : json_array();
	json_t *failures = counts.failing ? failures_json(ledger, in) : json_array();
	const size_t n_foreign = json_array_size(foreign);

	buf_adds(out, "],\"foreign\":");
	add_json(out, foreign);
	buf_adds(out, ",\"failures\":");
	add_json(out, failures);
	buf_adds(out, ",\"summary\":");
	add_json(out, summary_json(in, &counts, &r->sums, n_foreign));
	buf_adds(out, "}\n");
}

static void add_service(struct report *r, struct buf *out, const struct report_input *in)
{
	const struct item *item = &r->items[r->at++];
	const struct slot *slot = store_find(in->store, item->ns, item->name);

	if (!slot || !slot->service)
		return;
	buf_adds(out, r->any ? "," : "");
	add_json(out, report_service(in, slot, &r->served, &r->sums));
	r->any = true;
}

bool report_next(struct report *r, const struct report_input *in, struct buf *out)
{
	if (!r->begun)
		add_head(out, in);
	r->begun = true;
	/* A piece of Services that are all gone would be empty. */
	for (size_t i = 0, start = out->len;
		r->at < r->n && (i < REPORT_PIECE || out->len == start); i++)
		add_service(r, out, in);
	if (r->at < r->n)
		return true;
	add_tail(r, out, in);
	return false;
}
