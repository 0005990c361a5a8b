// SPDX-License-Identifier: GPL-2.0-or-later
#include "publisher.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/drain.h"
#include "core/hold.h"

/* Of one run: Services that are resolved, and their facts, old and new, with one Service more. */
enum { RUN_SLOTS = 512, RUN_FACTS = 8192 };

static void publication_free(struct publication *pub)
{
	list_remove(&pub->link);
	pub->slot->published = NULL;
	claims_done(&pub->claims);
	free(pub->marks.marks);
	free(pub->wishes);
	free(pub->cluster_ips);
	free(pub->unready);
	free(pub);
}

void publisher_done(struct publisher *p)
{
	if (p->indexes_endpoints)
		store_index_endpoints(p->store, NULL, NULL);
	rights_done(&p->rights);
	list_for_each_entry_safe(struct publication, pub, &p->publications, link)
		publication_free(pub);
	rule_pool_done(&p->rules);
	claims_done(&p->node_claims);
	fact_list_done(&p->old);
	fact_list_done(&p->new);
	served_ports_done(&p->served);
}

static void mark_rules(struct publisher *p, const struct claims *claims, const struct claimant *who)
{
	for (size_t i = 0; i < claims->n; i++) {
		const struct fact f = claims_fact(claims, i, who);

		if (f.key.kind == FACT_CHAIN || f.key.kind == FACT_JUMP)
			rule_pool_mark(&p->rules, f.val.chain.rules);
	}
}

void publisher_sweep_rules(struct publisher *p)
{
	if (!rule_pool_is_ripe(&p->rules))
		return;
	mark_rules(p, &p->node_claims, &p->node);
	list_for_each_entry(struct publication, pub, &p->publications, link)
		mark_rules(p, &pub->claims, &pub->claimant);
	rule_pool_sweep(&p->rules);
}

/* Only TCP connections are waited for. */
bool publisher_may_drain(const struct fact_key *vs, void *publisher)
{
	const struct publisher *p = publisher;
	const struct ip ip = fact_ip(vs);
	const struct fact taken =
		fact_member(SET_EXTERNAL_PORT, vs->family, &ip, vs->proto, vs->port, NULL);
	struct fact_state exposure;
	bool tcp = vs->proto ? vs->proto == IPPROTO_TCP
			     : marks_is_tcp(p->view->options->mark_mask, fact_fwmark(vs));

	if (p->releasing || !p->drains || !tcp)
		return false;
	if (publication_owner(p->ledger, vs))
		return true;
	if (rights_refused(&p->rights, &ip, vs->port, vs->proto))
		return false;
	/* A port of others' goes back to them at once, unless only the backend has changed. */
	return node_view_is_local(p->view, &ip) ||
		!(ledger_state(p->ledger, &taken.key, &exposure) && exposure.present) ||
		rights_granted(&p->rights, &ip, vs->port, vs->proto);
}

uint64_t publisher_drain_timeout(const struct fact_key *vs, void *publisher)
{
	const struct publisher *p = publisher;
	const struct publication *pub = publication_owner(p->ledger, vs);
	int64_t ms = p->view->options->drain_timeout;

	if (pub && pub->slot->service && pub->slot->service->drain_timeout >= 0)
		ms = pub->slot->service->drain_timeout;
	return ms > 0 ? (uint64_t)ms : 0;
}

bool publisher_lists(const struct fact_key *rs, void *publisher)
{
	const struct publisher *p = publisher;
	const struct publication *pub;
	struct node_socket endpoint;
	struct fact_key vs;

	fact_parent(rs, &vs);
	pub = publication_owner(p->ledger, &vs);
	memset(&endpoint, 0, sizeof(endpoint));
	endpoint.ip = fact_ip2(rs);
	endpoint.port = rs->port2;
	return pub && pub->n_unready &&
		bsearch(&endpoint, pub->unready, pub->n_unready, sizeof(endpoint),
			node_socket_compare);
}

static void remember_unready(struct publication *pub, const struct served_ports *served)
{
	size_t cap = 0;

	free(take(pub->unready));
	pub->n_unready = 0;
	for (size_t k = 0; k < served->n; k++)
		for (size_t i = 0; i < served->ports[k].endpoints.n; i++) {
			const struct candidate *ep = &served->ports[k].endpoints.eps[i];
			struct node_socket *s;

			if (ep->eligibility == ENDPOINT_USED)
				continue;
			mem_grow(pub->unready, pub->n_unready, cap);
			s = &pub->unready[pub->n_unready++];
			memset(s, 0, sizeof(*s));
			s->ip = ep->ip;
			s->port = ep->port;
		}
	if (pub->n_unready)
		qsort(pub->unready, pub->n_unready, sizeof(*pub->unready), node_socket_compare);
}

static bool takes_ports(const struct publisher *p, size_t family)
{
	return p->n_taking_ports[family] || p->keeps_ports[family];
}

static bool has_external_on_interface(const struct publication *pub, size_t family)
{
	for (size_t i = 0; i < pub->n_wishes; i++) {
		const struct frontend *fe = &pub->wishes[i].fe;

		if (!fe->refusal && fe->reach == REACH_NODE &&
			(fe->ip.family == AF_INET6) == (family == 1))
			return true;
	}
	return false;
}

/* Of external addresses on interfaces, ports are taken while those of other addresses are. */
static void requeue_on_interfaces(struct publisher *p)
{
	for (size_t f = 0; f < ARRAY_SIZE(p->takes_ports); f++) {
		if (p->takes_ports[f] == takes_ports(p, f))
			continue;
		p->takes_ports[f] = !p->takes_ports[f];
		list_for_each_entry(struct publication, pub, &p->publications, link)
			if (has_external_on_interface(pub, f))
				store_mark_dirty(p->store, pub->slot);
	}
}

/* What the node has to have for its Services. The members that are still there count too, because a
 * set must have room for all of them to become smaller. */
static struct node_needs node_needs_now(const struct publisher *p)
{
	const bool drops = p->applies && ledger_any_change(p->ledger, FACT_VS, hold_drops);
	struct node_needs needs = { 0 };

	for (size_t f = 0; f < ARRAY_SIZE(needs.takes_ports); f++) {
		const struct fact led = fact_set(SET_EXTERNAL_PORT, f ? AF_INET6 : AF_INET);

		needs.takes_ports[f] = takes_ports(p, f);
		needs.leads_ports[f] = node_view_translates(p->view)
			? ledger_count_children(p->ledger, &led.key)
			: needs.takes_ports[f];
		for (enum set_id id = 0; id < SET_COUNT; id++) {
			const struct fact set = fact_set(id, f ? AF_INET6 : AF_INET);
			const size_t n = ledger_count_children(p->ledger, &set.key);

			needs.set_room[f][id] = set_room(n, p->needs.set_room[f][id]);
			/* Those that drop for a while have members that the ledger does not see. */
			needs.has_members[f][id] = n || (id == SET_NO_LOCAL && drops);
		}
	}
	return needs;
}

static bool node_is_dirty(const struct publisher *p)
{
	const struct node_needs needs = node_needs_now(p);

	return p->node_dirty || needs.takes_ports[0] != p->needs.takes_ports[0] ||
		needs.takes_ports[1] != p->needs.takes_ports[1] ||
		needs.leads_ports[0] != p->needs.leads_ports[0] ||
		needs.leads_ports[1] != p->needs.leads_ports[1] ||
		memcmp(needs.set_room, p->needs.set_room, sizeof(needs.set_room)) != 0 ||
		memcmp(needs.has_members, p->needs.has_members, sizeof(needs.has_members)) != 0;
}

bool publisher_is_dirty(const struct publisher *p)
{
	return !list_empty(&p->store->dirty) || node_is_dirty(p);
}

/* kube-proxy's iptables mode has rules for each Service in the chains of the node. */
static bool needs_portals(const struct publisher *p)
{
	return p->view->backend == BACKEND_IPTABLES && p->view->options->layout != LAYOUT_OWN;
}

static void publish_node(struct publisher *p)
{
	struct portals portals = { 0 };
	struct fact_list new = { 0 };
	struct node_needs needs;

	p->needs = needs = node_needs_now(p);
	if (!p->releasing && needs_portals(p)) {
		list_for_each_entry(struct publication, pub, &p->publications, link) {
			served_ports_select(&p->served, pub->slot, p->view);
			portals_add(&portals, &p->served);
		}
		needs.portals = &portals;
	}
	if (!p->releasing)
		resolve_node(p->view, &needs, &p->rules, &new);
	portals_done(&portals);
	fact_list_finish(&new);
	ledger_publish(p->ledger, &p->node_claims, new.facts, new.n, &p->node);
	fact_list_done(&new);
	p->node_dirty = false;
}

/* Only the publication knows how long those virtual servers may drain that nobody wants now. */
static void expect_draining(
	struct publisher *p, struct publication *pub, const struct fact_list *old)
{
	const struct service *s = pub->slot->service;
	struct fact_state state;

	for (size_t i = 0; pub->drain_timeout >= 0 && i < old->n; i++) {
		const struct fact_key *key = &old->facts[i].key;

		if (key->kind == FACT_VS && ledger_state(p->ledger, key, &state) && !state.wanted)
			drain_expect(p->drain, key, (uint64_t)pub->drain_timeout);
	}
	pub->drain_timeout = s ? s->drain_timeout : -1;
}

/* An external IP may be refused because an endpoint has it, so that endpoints are found by address
 * from the first external IP on. */
static void on_endpoint(const struct ip *ip, void *arg)
{
	struct publisher *p = arg;

	rights_endpoint_changed(&p->rights, ip);
}

static void need_endpoints(struct publisher *p, const struct service *s)
{
	if (p->indexes_endpoints || !s || !s->n_external_ips || !p->view->options->external_ips)
		return;
	p->indexes_endpoints = true;
	store_index_endpoints(p->store, on_endpoint, p);
}

/* Tells of the frontends that were not refused before, or for another reason. */
static void tell_refused(
	const struct publisher *p, const struct publication *pub, const struct old_wishes *old)
{
	struct refused_frontends told = { .service = pub->slot->service };

	for (size_t i = 0; i < pub->n_wishes; i++) {
		const struct wish *w = &pub->wishes[i];
		const struct wish *was =
			old->n ? bsearch(w, old->wishes, old->n, sizeof(*w), wish_compare) : NULL;

		if (!w->fe.refusal || (was && was->fe.refusal == w->fe.refusal))
			continue;
		if (told.n++)
			continue;
		told.frontend = &w->fe;
		told.proto = w->proto;
		if (w->fe.refusal == REFUSAL_HELD)
			told.holder = rights_holder(&p->rights, pub, &w->fe, w->proto);
	}
	if (told.n && p->on_refused)
		p->on_refused(&told, p->arg);
}

static void tell_beyond(const struct publisher *p, struct publication *pub)
{
	bool beyond = false;

	for (size_t k = 0; k < p->served.n; k++)
		beyond |= p->served.ports[k].beyond;
	if (beyond && !pub->beyond && p->on_beyond)
		p->on_beyond(pub->slot->service, p->arg);
	pub->beyond = beyond;
}

bool publisher_misses_endpoints(const struct publisher *p, const struct slot *slot)
{
	return p->incomplete && p->misses_endpoints && p->misses_endpoints(slot, p->arg);
}

static struct publication *publication_new(struct publisher *p, struct slot *slot)
{
	struct publication *pub = new0(struct publication);

	pub->slot = slot;
	pub->claimant.name = slot->name;
	list_init(&pub->link);
	list_insert(&p->publications, &pub->link);
	return slot->published = pub;
}

/* Returns the number of facts that it has looked at. */
static size_t publish_slot(struct publisher *p, struct slot *slot)
{
	const struct service *s = slot->service;
	const uint64_t born = s && s->created > 0 ? (uint64_t)s->created : 1;
	struct publication *pub = slot->published ? slot->published : publication_new(p, slot);
	const bool took_ports[2] = { pub->takes_ports[0], pub->takes_ports[1] };
	const bool renewed = pub->claims.n && pub->claimant.born != born;
	struct old_wishes old_wishes = rights_forget(&p->rights, pub);
	struct fact_list *old = &p->old, *new = &p->new;
	const char *scheduler = s ? s->scheduler : "";
	bool degraded;

	old->n = 0;
	publication_facts(pub, old);

	/* Decide. The order of claims must not change while there are any, so a new age first
	 * releases everything. */
	if (renewed)
		ledger_publish(p->ledger, &pub->claims, NULL, 0, &pub->claimant);
	pub->claimant.born = born;
	pub->claimant.vital = p->node.vital && s && service_is_vital(s);
	new->n = 0;
	p->served.n = 0;
	need_endpoints(p, s);
	/* Without endpoints it would refuse the packets that orphans of it may still answer. */
	pub->withheld = s && !slot->n_slices && !old->n && publisher_misses_endpoints(p, slot);
	if (!p->releasing && !pub->withheld)
		served_ports_select(&p->served, slot, p->view);
	tell_beyond(p, pub);
	rights_decide(&p->rights, pub, &p->served);
	tell_refused(p, pub, &old_wishes);
	for (size_t f = 0; f < ARRAY_SIZE(p->n_taking_ports); f++)
		p->n_taking_ports[f] += (size_t)pub->takes_ports[f] - (size_t)took_ports[f];

	/* Resolve */
	if (p->releasing || node_view_translates(p->view) || !options_use_marks(p->view->options))
		marks_release(p->marks, &pub->marks);
	else if (!marks_assign(p->marks, &pub->marks, slot->name, &p->served))
		p->stats->marks_exhausted++;
	resolve_service(&p->served, p->view, p->takes_ports, &p->rules, new);
	fact_list_finish(new);
	degraded = new->n &&*scheduler &&node_view_scheduler_missing(p->view, scheduler);
	if (degraded && !pub->degraded && p->on_degraded)
		p->on_degraded(s, p->arg);
	pub->degraded = degraded;

	/* Publish */
	ledger_publish(p->ledger, &pub->claims, new->facts, new->n, &pub->claimant);
	rights_settle(&p->rights, pub, &old_wishes, old, renewed);
	expect_draining(p, pub, old);
	remember_unready(pub, &p->served);
	if (p->stale)
		stale_watch_service(p->stale, &pub->stale, &p->served);
	p->stats->resolves++;
	p->node_dirty |= needs_portals(p);
	if (!s) {
		publication_free(pub);
		store_prune(p->store, slot);
	}
	return old->n + new->n;
}

bool publisher_run(struct publisher *p)
{
	struct slot *slot;
	size_t n_facts = 0;

	/* iptables takes much in one document faster than a little in each of two. */
	p->node.vital = !node_view_translates(p->view);
	if (p->node_generation != p->store->node_generation) {
		p->node_generation = p->store->node_generation;
		store_mark_all_dirty(p->store);
	}
	for (int i = 0; i < RUN_SLOTS && n_facts < RUN_FACTS; i++) {
		slot = store_next_dirty(p->store);
		if (!slot) {
			requeue_on_interfaces(p);
			slot = store_next_dirty(p->store);
		}
		if (slot) {
			n_facts += publish_slot(p, slot);
			continue;
		}
		/* A Service may be the first that needs something of the node, or the last. */
		if (node_is_dirty(p))
			publish_node(p);
		return false;
	}
	return true;
}
