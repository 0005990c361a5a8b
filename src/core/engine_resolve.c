// SPDX-License-Identifier: GPL-2.0-or-later
/* From dirty slots to claims. Where Services want the same, the older one has it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/drain.h"
#include "core/marks.h"
#include "core/resolve.h"
#include "core/stale_watch.h"
#include "engine_own.h"

enum {
	STEP_SLOTS = 512, /* resolved in one step */
};

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
	e->node.vital = e->config.view->backend != BACKEND_IPTABLES;
	if (!e->releasing)
		resolve_node(e->config.view, &e->texts, &new);
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
	struct slot *s = engine_owner(e, vs);

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

static void tell_conflict(
	const struct engine *e, const struct slot *slot, const struct fact_key *frontend)
{
	for (size_t i = 0; i < slot->n_lost; i++)
		if (fact_key_eq(&slot->lost[i], frontend))
			return;
	if (e->config.on_conflict)
		e->config.on_conflict(frontend, &slot->claimant,
			&engine_owner(e, frontend)->claimant, e->config.arg);
}

/*
 * Where an older Service has the same address and port, its sets decide who is masqueraded and who
 * may come: ours must not mix with them. The claim on the frontend stays, to be promoted when the
 * other goes.
 */
static void yield_to_older(const struct engine *e, struct slot *slot, struct fact_list *new)
{
	struct fact_key *lost = NULL;
	size_t n_lost = 0, cap = 0;

	for (size_t i = 0; i < new->n; i++) {
		const struct fact_key vs = new->facts[i].key;
		size_t n = 0;

		if (!fact_is_frontend(&vs) || !outranked(e, slot, &vs))
			continue;
		tell_conflict(e, slot, &vs);
		mem_grow(lost, n_lost, cap);
		lost[n_lost++] = vs;
		for (size_t j = 0; j < new->n; j++)
			if (!speaks_for(&new->facts[j], &vs))
				new->facts[n++] = new->facts[j];
		i -= new->n - n; /* members stand before frontends */
		new->n = n;
	}
	free(slot->lost);
	slot->lost = lost;
	slot->n_lost = n_lost;
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

		if (key->kind == FACT_VS && engine_drains(e, key) &&
			ledger_state(e->ledger, key, &s) && !s.wanted)
			drain_expect(e->drain, key, (uint64_t)slot->drain_timeout);
	}
	slot->drain_timeout = slot->service ? slot->service->drain_timeout : -1;
}

static void check_degraded(struct engine *e, struct slot *slot, const struct fact_list *new)
{
	const struct service *s = slot->service;
	bool degraded = new->n && *
		s->scheduler &&node_view_scheduler_missing(e->config.view, s->scheduler);

	if (degraded && !slot->degraded && e->config.on_degraded)
		e->config.on_degraded(s, e->config.arg);
	slot->degraded = degraded;
}

static void publish_slot(struct engine *e, struct slot *slot)
{
	struct fact_list *new = &e->scratch;
	const size_t n_old = slot->n_facts;

	new->n = 0;
	if (e->releasing || e->config.view->backend == BACKEND_IPTABLES)
		marks_release(e->marks, slot);
	else if (!marks_assign(e->marks, slot, e->config.view))
		e->stats.marks_exhausted++;
	if (!e->releasing)
		resolve_service(slot, e->config.view, &e->texts, new);
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
		stale_watch_slot(e->stale, slot, e->config.view, e->releasing);
	e->stats.resolves++;
	store_prune(e->config.store, slot);
}

bool engine_resolve(struct engine *e)
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
