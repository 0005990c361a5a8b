// SPDX-License-Identifier: GPL-2.0-or-later
#include "publisher.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/drain.h"

enum { RUN_SLOTS = 512 /* resolved in one run */ };

static void publication_free(struct publication *pub)
{
	list_remove(&pub->link);
	pub->slot->published = NULL;
	free(pub->facts);
	free(pub->marks.marks);
	free(pub->lost);
	free(pub);
}

void publisher_done(struct publisher *p)
{
	list_for_each_entry_safe(struct publication, pub, &p->publications, link)
		publication_free(pub);
	rule_pool_done(&p->rules);
	fact_list_done(&p->node_facts);
	fact_list_done(&p->scratch);
	served_ports_done(&p->served);
}

void publisher_sweep_rules(struct publisher *p)
{
	if (!rule_pool_is_ripe(&p->rules))
		return;
	for (size_t i = 0; i < p->node_facts.n; i++) {
		const struct fact *f = &p->node_facts.facts[i];

		if (f->key.kind == FACT_CHAIN || f->key.kind == FACT_JUMP)
			rule_pool_mark(&p->rules, f->val.chain.rules);
	}
	/* A Service has chains, and no jumps. */
	list_for_each_entry(struct publication, pub, &p->publications, link)
		for (size_t i = 0; i < pub->n_facts; i++)
			if (pub->facts[i].key.kind == FACT_CHAIN)
				rule_pool_mark(&p->rules, pub->facts[i].val.chain.rules);
	rule_pool_sweep(&p->rules);
}

bool publication_claims(const struct publication *p, const struct fact_key *key)
{
	return p && p->n_facts &&
		bsearch(key, p->facts, p->n_facts, sizeof(*p->facts), fact_compare);
}

struct publication *publisher_owner(const struct publisher *p, const struct fact_key *key)
{
	struct fact_state s;

	if (!ledger_state(p->ledger, key, &s) || !s.claimant || s.claimant == &p->node ||
		s.claimant->born == CLAIMANT_LAST)
		return NULL;
	return container_of(s.claimant, struct publication, claimant);
}

/* Connections of TCP only are worth to wait for. */
static bool may_drain(const struct publisher *p, const struct fact_key *vs)
{
	bool tcp = vs->proto ? vs->proto == IPPROTO_TCP
			     : marks_is_tcp(p->view->options->mark_mask, fact_fwmark(vs));

	return !p->releasing && p->drains && tcp;
}

uint64_t publisher_drain_timeout(const struct fact_key *vs, void *publisher)
{
	const struct publisher *p = publisher;
	const struct publication *pub = publisher_owner(p, vs);
	int64_t ms = p->view->options->drain_timeout;

	if (!may_drain(p, vs))
		return 0;
	if (pub && pub->slot->service && pub->slot->service->drain_timeout >= 0)
		ms = pub->slot->service->drain_timeout;
	return ms > 0 ? (uint64_t)ms : 0;
}

static void publish_node(struct publisher *p)
{
	struct fact_list new = { 0 };

	/* iptables takes much in one document faster than a little in each of two. */
	p->node.vital = p->view->backend != BACKEND_IPTABLES;
	if (!p->releasing)
		resolve_node(p->view, &p->rules, &new);
	fact_list_finish(&new);
	ledger_publish(p->ledger, p->node_facts.facts, p->node_facts.n, new.facts, new.n, &p->node);
	fact_list_done(&p->node_facts);
	p->node_facts = new;
	p->node_dirty = false;
}

/* Conflicts of Services */

/* Another Service that decides this frontend; NULL: none does. */
static struct publication *other_owner(
	const struct publisher *p, const struct publication *pub, const struct fact_key *key)
{
	struct publication *owner = fact_is_frontend(key) ? publisher_owner(p, key) : NULL;

	return owner == pub ? NULL : owner;
}

/*
 * Where an older Service has the same address and port, its set members decide who is masqueraded
 * and who may come: ours must not mix with them. The claim on the frontend stays, to be promoted
 * when the other goes.
 */
static void yield_to_older(struct publisher *p, struct publication *pub, struct fact_list *new)
{
	struct fact_key *lost = NULL;
	size_t n_lost = 0, cap = 0;

	for (size_t i = 0; i < new->n; i++) {
		const struct fact_key vs = new->facts[i].key;
		const struct publication *owner = other_owner(p, pub, &vs);
		bool told = false;
		size_t n = 0;

		if (!owner || !claimant_older(&owner->claimant, &pub->claimant))
			continue;
		for (size_t j = 0; j < pub->n_lost && !told; j++)
			told = fact_key_eq(&pub->lost[j], &vs);
		if (p->on_conflict && !told)
			p->on_conflict(&vs, &pub->claimant, &owner->claimant, p->arg);
		mem_grow(lost, n_lost, cap);
		lost[n_lost++] = vs;
		for (size_t j = 0; j < new->n; j++) {
			const struct fact_key *m = &new->facts[j].key;
			bool of_frontend = m->kind == FACT_MEMBER && m->set >= SET_CLUSTER_IP &&
				m->set <= SET_LOAD_BALANCER_FW && m->family == vs.family &&
				m->port == vs.port && m->proto == vs.proto &&
				!memcmp(m->addr, vs.addr, sizeof(vs.addr));

			if (!of_frontend)
				new->facts[n++] = new->facts[j];
		}
		i -= new->n - n; /* members stand before frontends */
		new->n = n;
	}
	free(pub->lost);
	pub->lost = lost;
	pub->n_lost = n_lost;
}

/*
 * Without members that lead to it a virtual server by mark gets no packets, and the next daemon
 * does not find its mark in our set.
 */
static void drop_unmarked(struct fact_list *new)
{
	for (size_t i = 0; i < new->n; i++) {
		const struct fact_key vs = new->facts[i].key;
		bool marked = false;
		size_t n = i;

		if (vs.kind != FACT_VS || vs.proto)
			continue;
		for (size_t j = 0; j < i && !marked; j++) { /* members stand before */
			const struct fact *f = &new->facts[j];

			marked = f->key.kind == FACT_MEMBER && f->key.set == SET_LOCAL_MARK &&
				f->key.family == vs.family &&
				f->val.member.mark == fact_fwmark(&vs);
		}
		if (marked)
			continue;
		for (size_t j = i + 1; j < new->n; j++) { /* real servers stand behind */
			struct fact_key parent;

			if (!fact_parent(&new->facts[j].key, &parent) || !fact_key_eq(&parent, &vs))
				new->facts[n++] = new->facts[j];
		}
		new->n = n;
		i--;
	}
}

/* Requeues each Service that now has an address and port of which this one gave up its claim. */
static void wake_promoted(struct publisher *p, const struct publication *pub)
{
	for (size_t i = 0; i < pub->n_facts; i++) {
		const struct publication *other = other_owner(p, pub, &pub->facts[i].key);

		if (other)
			store_mark_dirty(p->store, other->slot);
	}
}

/* Only the publication knows how long those virtual servers may drain that nobody wants now. */
static void expect_draining(struct publisher *p, struct publication *pub, size_t n_old)
{
	const struct service *s = pub->slot->service;
	struct fact_state state;

	for (size_t i = 0; pub->drain_timeout >= 0 && i < n_old; i++) {
		const struct fact_key *key = &pub->facts[i].key;

		if (key->kind == FACT_VS && may_drain(p, key) &&
			ledger_state(p->ledger, key, &state) && !state.wanted)
			drain_expect(p->drain, key, (uint64_t)pub->drain_timeout);
	}
	pub->drain_timeout = s ? s->drain_timeout : -1;
}

static void publish_slot(struct publisher *p, struct slot *slot)
{
	const struct service *s = slot->service;
	const uint64_t born = s && s->created > 0 ? (uint64_t)s->created : 1;
	struct publication *pub = slot->published;
	struct fact_list *new = &p->scratch;
	bool degraded;
	size_t n_old;

	if (!pub) {
		pub = slot->published = new0(struct publication);
		pub->slot = slot;
		pub->claimant.name = slot->name;
		list_init(&pub->link);
		list_insert(&p->publications, &pub->link);
	}
	n_old = pub->n_facts;

	/* Resolve */
	new->n = 0;
	p->served.n = 0;
	if (!p->releasing)
		served_ports_select(&p->served, slot, p->view);
	if (p->releasing || p->view->backend == BACKEND_IPTABLES)
		marks_release(p->marks, &pub->marks);
	else if (!marks_assign(p->marks, &pub->marks, slot->name, &p->served))
		p->stats->marks_exhausted++;
	resolve_service(&p->served, p->view, &p->rules, new);
	fact_list_finish(new);
	degraded =
		s && new->n && * s->scheduler &&node_view_scheduler_missing(p->view, s->scheduler);
	if (degraded && !pub->degraded && p->on_degraded)
		p->on_degraded(s, p->arg);
	pub->degraded = degraded;

	/* Publish */
	pub->claimant.vital = p->node.vital && s && service_is_vital(s);

	/* The age of a Service decides conflicts. The order of claims must not change while it
	 * holds any, so a new age first releases everything. */
	if (pub->claimant.born != born) {
		ledger_publish(p->ledger, pub->facts, pub->n_facts, NULL, 0, &pub->claimant);
		wake_promoted(p, pub);
		pub->n_facts = 0;
		pub->claimant.born = born;
	}

	yield_to_older(p, pub, new);
	drop_unmarked(new);
	/* A younger Service that has one of these frontends gives way: it is resolved again. */
	for (size_t i = 0; i < new->n; i++) {
		const struct publication *other = other_owner(p, pub, &new->facts[i].key);

		if (other && !claimant_older(&other->claimant, &pub->claimant))
			store_mark_dirty(p->store, other->slot);
	}
	ledger_publish(p->ledger, pub->facts, pub->n_facts, new->facts, new->n, &pub->claimant);
	wake_promoted(p, pub);
	expect_draining(p, pub, n_old);

	/* Remember */
	pub->facts = mem_realloc(pub->facts, new->n, sizeof(*pub->facts));
	if (new->n)
		memcpy(pub->facts, new->facts, new->n * sizeof(*pub->facts));
	pub->n_facts = new->n;
	if (p->stale)
		stale_watch_service(p->stale, &pub->stale, &pub->claimant, &p->served);
	p->stats->resolves++;
	if (!s) {
		publication_free(pub);
		store_prune(p->store, slot);
	}
}

bool publisher_run(struct publisher *p)
{
	struct slot *slot;

	if (p->node_generation != p->store->node_generation) {
		p->node_generation = p->store->node_generation;
		store_mark_all_dirty(p->store);
	}
	if (p->node_dirty)
		publish_node(p);
	for (int i = 0; i < RUN_SLOTS; i++) {
		slot = store_next_dirty(p->store);
		if (!slot)
			return false;
		publish_slot(p, slot);
	}
	return true;
}
