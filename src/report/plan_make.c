// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/frontends.h"
#include "core/publication.h"
#include "report/plan.h"

static void collect(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct plan *p = arg;
	struct fact want = { .key = *key, .val = state->want };
	struct fact have = { .key = *key, .val = state->have };
	struct difference d = { .type = OP_SET, .fact = want, .have = have };

	if (state->wanted)
		fact_list_add(&p->facts, want);
	if (state->wanted && state->present && fact_val_eq(&want.val, &have.val))
		return;
	if (!state->wanted && (!state->present || state->foreign))
		return;
	if (!state->present)
		d.type = OP_ADD;
	else if (!state->wanted)
		d = (struct difference){ .type = OP_DEL, .fact = have };
	mem_grow(p->differences, p->n_differences, p->cap_differences);
	p->differences[p->n_differences++] = d;
}

static int cmp_difference(const void *a, const void *b)
{
	const struct difference *x = a, *y = b;

	return fact_key_cmp(&x->fact.key, &y->fact.key);
}

static int cmp_slot(const void *a, const void *b)
{
	const struct slot *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void collect_slots(struct plan *p, const struct store *store)
{
	p->slots = mem_zalloc(store->n_services, sizeof(void *));
	map_for_each(n, &store->slots) {
		struct slot *slot = container_of(n, struct slot, by_name);

		if (slot->service)
			p->slots[p->n_slots++] = slot;
	}
	if (p->n_slots)
		qsort(p->slots, p->n_slots, sizeof(void *), cmp_slot);
}

static void collect_conflicts(struct plan *p)
{
	struct fact_state state;

	for (size_t i = 0; i < p->n_slots; i++) {
		const struct slot *slot = p->slots[i];
		const struct publication *pub = slot->published;

		for (size_t j = 0; pub && j < pub->n_facts; j++) {
			const struct fact_key *key = &pub->facts[j].key;

			if (!fact_is_frontend(key) ||
				!ledger_state(engine_ledger(p->engine), key, &state) ||
				state.claimant == &pub->claimant)
				continue;
			mem_grow(p->conflicts, p->n_conflicts, p->cap_conflicts);
			p->conflicts[p->n_conflicts++] = (struct conflict){ *key, slot };
		}
	}
}

/* Steps until everything is resolved and the kernel was read once. */
static int run(struct engine *engine)
{
	uint64_t now = 0;

	engine_fed(engine);
	while (engine_step(engine, now) <= now)
		;
	return engine_stats(engine)->audits ? 0 : -EIO;
}

int plan_make(struct plan *p, struct engine *engine, const struct store *store,
	const struct node_view *view, bool compare)
{
	int r = run(engine);

	*p = (struct plan){ .view = view, .engine = engine };
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		ledger_each(engine_ledger(engine), kind, collect, p);
	fact_list_finish(&p->facts);
	if (p->n_differences)
		qsort(p->differences, p->n_differences, sizeof(*p->differences), cmp_difference);
	p->compared = compare && !r;
	collect_slots(p, store);
	collect_conflicts(p);
	return r;
}

void plan_done(struct plan *p)
{
	free(p->slots);
	free(p->conflicts);
	free(p->differences);
	fact_list_done(&p->facts);
	*p = (struct plan){ 0 };
}

const struct fact *plan_facts(const struct plan *p, enum fact_kind kind, size_t *ret_n)
{
	size_t from = 0, to;

	while (from < p->facts.n && p->facts.facts[from].key.kind < kind)
		from++;
	for (to = from; to < p->facts.n && p->facts.facts[to].key.kind == kind;)
		to++;
	*ret_n = to - from;
	return p->facts.facts + from;
}

size_t plan_real_servers(const struct fact_key *vs, const struct fact *rs, size_t n)
{
	struct fact_key parent;
	size_t own = 0;

	while (own < n && fact_parent(&rs[own].key, &parent) && fact_key_eq(&parent, vs))
		own++;
	return own;
}

static const struct slot *slot_of(const struct claimant *who)
{
	return container_of((struct claimant *)who, struct publication, claimant)->slot;
}

static bool answers(const struct plan *p, const struct service *s, const struct service_port *port,
	const struct fact_key *vs)
{
	struct frontend_list l = { 0 };
	struct ip ip = fact_ip(vs);
	bool found = false;

	if (ip_is_unspecified(&ip) && vs->proto)
		return port->proto == vs->proto && port->node_port == vs->port;
	if (port->proto == vs->proto)
		frontends_list(s, port, vs->family, p->view, &l);
	for (size_t i = 0; i < l.n && !found; i++)
		found = l.fes[i].port == vs->port && ip_eq(&l.fes[i].ip, &ip);
	frontends_done(&l);
	return found;
}

void plan_service_port(
	const struct plan *p, const struct slot *slot, const struct fact_key *vs, struct buf *out)
{
	const struct service *s = slot->service;

	buf_adds(out, slot->name);
	for (size_t i = 0; i < s->n_ports; i++) {
		if (!answers(p, s, &s->ports[i], vs))
			continue;
		if (*s->ports[i].name)
			buf_addf(out, ":%s", s->ports[i].name);
		return;
	}
}

void plan_service(const struct plan *p, const struct fact_key *vs, struct buf *out)
{
	struct fact_state state;

	if (ledger_state(engine_ledger(p->engine), vs, &state) && state.claimant)
		plan_service_port(p, slot_of(state.claimant), vs, out);
}

void plan_each_rule(const struct plan *p, const struct fact *f,
	void (*fn)(const char *rule, size_t len, void *arg), void *arg)
{
	const struct rule_list *rules = rule_pool_get(engine_rules(p->engine), f->val.chain.rules);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct rule rule;

	for (size_t at = 0; rules && rule_list_next(rules, &at, &rule);) {
		buf_reset(&text);
		p->print_rule(&text, f->key.family, &rule);
		fn(buf_str(&text), text.len, arg);
	}
}

/* The words of a fact's line up to its value. */
static int key_words(enum fact_kind kind)
{
	switch (kind) {
	case FACT_LINK:
	case FACT_SET:
	case FACT_DISPATCH:
	case FACT_VS:
	case FACT_ROUTE:
	case FACT_ADDR:
		return 2;
	case FACT_MEMBER:
	case FACT_RS:
		return 3;
	case FACT_CHAIN:
		return 4;
	case FACT_JUMP:
		return 5;
	case FACT_KINDS:
		return 0;
	}
	return 0;
}

void plan_print_have(const struct difference *d, struct buf *out)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	const char *s;

	fact_print(&line, &d->have);
	s = buf_str(&line);
	for (int words = key_words(d->have.key.kind); words && *s; words--) {
		s += strcspn(s, " ");
		s += strspn(s, " ");
	}
	buf_adds(out, *s ? s : "none");
}
