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
	free(pub->sums);
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
	served_ports_done(&p->before);
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

struct node_sockets {
	struct node_socket *sockets;
	size_t n;
};

static void node_sockets_done(struct node_sockets *l)
{
	free(l->sockets);
}

/* Sorted. */
static struct node_sockets list_unready(const struct served_ports *served)
{
	struct node_sockets ret = { .n = 0 };
	size_t cap = 0;

	for (size_t k = 0; k < served->n; k++)
		for (size_t i = 0; i < served->ports[k].endpoints.n; i++) {
			const struct candidate *ep = &served->ports[k].endpoints.eps[i];
			struct node_socket *s;

			if (ep->eligibility == ENDPOINT_USED)
				continue;
			mem_grow(ret.sockets, ret.n, cap);
			s = &ret.sockets[ret.n++];
			memset(s, 0, sizeof(*s));
			s->ip = ep->ip;
			s->port = ep->port;
		}
	if (ret.n)
		qsort(ret.sockets, ret.n, sizeof(*ret.sockets), node_socket_compare);
	return ret;
}

static void remember_unready(struct publication *pub, const struct served_ports *served)
{
	const struct node_sockets unready = list_unready(served);

	free(pub->unready);
	pub->unready = unready.sockets;
	pub->n_unready = unready.n;
}

/* Takes those of some slices as they were out, and puts those as they are now in. */
static void change_unready(
	struct publication *pub, const struct served_ports *before, const struct served_ports *now)
{
	_cleanup_(node_sockets_done) struct node_sockets out = list_unready(before);
	_cleanup_(node_sockets_done) struct node_sockets in = list_unready(now);
	_cleanup_free_ struct node_socket *old = pub->unready;
	struct node_socket *new;
	size_t n = 0, j = 0, k = 0;

	pub->unready = new = mem_zalloc(pub->n_unready + in.n, sizeof(*new));
	for (size_t i = 0; i < pub->n_unready; i++) {
		if (j < out.n && !node_socket_compare(&old[i], &out.sockets[j])) {
			j++;
			continue;
		}
		while (k < in.n && node_socket_compare(&in.sockets[k], &old[i]) < 0)
			new[n++] = in.sockets[k++];
		new[n++] = old[i];
	}
	while (k < in.n)
		new[n++] = in.sockets[k++];
	pub->n_unready = n;
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

/*
 * Slice by slice
 *
 * A slice that changes does not concern the endpoints of other slices if each endpoint is judged by
 * itself: some are ready before and after, no topology hints are followed, no policy is Local, and no
 * address and port stands in two slices. Then it is enough to resolve what the slice was and what
 * it is, and to change the claims by the difference.
 */

static void sum_endpoints(struct endpoint_sum *sum, const struct endpoint_list *l, bool add)
{
	const size_t one = add ? 1 : (size_t)-1;

	for (size_t i = 0; i < l->n; i++) {
		const struct endpoint_place *place = l->eps[i].endpoint->place;

		sum->n += one;
		if (l->eps[i].eligibility != ENDPOINT_USED)
			continue;
		sum->n_ready += one;
		sum->n_node_hints += place->n_node_hints ? one : 0;
		sum->n_zone_hints += place->n_zone_hints ? one : 0;
	}
}

/* All slices have the same ports, so the first port of a family speaks for the others. Returns false
 * if it does not, or if an endpoint is told twice. */
static bool sum_served(
	struct endpoint_sum sums[static 2], const struct served_ports *served, bool add)
{
	for (size_t k = 0; k < served->n; k++) {
		const struct served_port *p = &served->ports[k];

		if (p->beyond || p->endpoints.n_duplicates)
			return false;
		if (!k || p[-1].family != p->family)
			sum_endpoints(&sums[p->family == AF_INET6], &p->endpoints, add);
		else if (p[-1].endpoints.n != p->endpoints.n)
			return false;
	}
	return true;
}

/* Each endpoint can be judged by itself. */
static bool sums_are_plain(const struct endpoint_sum sums[static 2])
{
	for (size_t f = 0; f < 2; f++)
		if (sums[f].n &&
			(sums[f].n_node_hints >= sums[f].n_ready ||
				sums[f].n_zone_hints >= sums[f].n_ready))
			return false;
	return true;
}

static bool slices_have_same_ports(const struct slice *a, const struct slice *b)
{
	const struct subset *x = a->subsets, *y = b->subsets;

	if (a->n_subsets != 1 || b->n_subsets != 1 || x->n_ports != y->n_ports)
		return false;
	for (size_t i = 0; i < x->n_ports; i++)
		if (strcmp(x->ports[i].name, y->ports[i].name) != 0 ||
			x->ports[i].proto != y->ports[i].proto ||
			x->ports[i].port != y->ports[i].port)
			return false;
	return true;
}

/* To be called when all of the Service was resolved. */
static void remember_sums(const struct publisher *p, struct publication *pub)
{
	const struct slot *slot = pub->slot;
	const struct service *s = slot->service;
	struct endpoint_sum sums[2] = { { 0 }, { 0 } };
	const struct slot_slice *first;

	free(take(pub->sums));
	if (!s || slot->n_slices < STORE_MANY_SLICES || p->releasing || pub->withheld ||
		pub->n_wishes || s->internal_local || s->external_local ||
		node_view_translates(p->view))
		return;
	/* The connection table is cleaned by all endpoints of a port. */
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].proto == IPPROTO_UDP)
			return;
	first = container_of(slot->slices.next, struct slot_slice, link);
	list_for_each_entry(const struct slot_slice, it, &slot->slices, link)
		if (!slices_have_same_ports(first->slice, it->slice))
			return;
	if (!sum_served(sums, &p->served, true) || !sums_are_plain(sums))
		return;
	pub->sums = mem_zalloc(2, sizeof(*sums));
	memcpy(pub->sums, sums, sizeof(sums));
}

/* Another slice has that address and port: it is claimed, or it is not ready. */
static bool is_endpoint_elsewhere(const struct publisher *p, const struct publication *pub,
	const struct served_port *port, const struct candidate *ep)
{
	const struct fact_key vs =
		resolve_frontend_key(p->view, &port->frontends.fes[0], port->port->proto);
	const struct fact rs = fact_rs(&vs, &ep->ip, ep->port, 0);
	struct node_socket socket;

	memset(&socket, 0, sizeof(socket));
	socket.ip = ep->ip;
	socket.port = ep->port;
	return claims_have(&pub->claims, &rs.key) ||
		(pub->n_unready &&
			bsearch(&socket, pub->unready, pub->n_unready, sizeof(socket),
				node_socket_compare));
}

/* Selects the endpoints of the changed slices before and now, and changes the sums. Returns false if
 * all of the Service has to be resolved. */
static bool select_part(struct publisher *p, struct slot *slot, const struct slot_changes *changes,
	struct endpoint_sum sums[static 2])
{
	const struct slice *before[STORE_MAX_CHANGES], *now[STORE_MAX_CHANGES];
	size_t n_servers = 0;

	for (size_t i = 0; i < changes->n; i++) {
		before[i] = changes->changes[i]->before;
		now[i] = changes->changes[i]->now->slice;
		if (!slices_have_same_ports(before[i], now[i]))
			return false;
	}
	served_ports_select_part(&p->before, slot, before, changes->n, p->view);
	served_ports_select_part(&p->served, slot, now, changes->n, p->view);
	if (!sum_served(sums, &p->before, false) || !sum_served(sums, &p->served, true) ||
		!sums_are_plain(sums))
		return false;
	for (size_t k = 0; k < p->served.n; k++) {
		const struct served_port *port = &p->served.ports[k];

		n_servers += port->frontends.n * sums[port->family == AF_INET6].n;
		for (size_t i = 0; i < port->endpoints.n; i++) {
			const struct candidate *ep = &port->endpoints.eps[i];

			if (!endpoints_find(&p->before.ports[k].endpoints, &ep->ip, ep->port) &&
				is_endpoint_elsewhere(p, slot->published, port, ep))
				return false;
		}
	}
	return n_servers <= SERVICE_MAX_REAL_SERVERS;
}

static void count_unserved(struct publisher *p, struct publication *pub, bool unserved)
{
	p->stats->unserved += (size_t)unserved - (size_t)pub->unserved;
	pub->unserved = unserved;
}

static bool served_by_nobody(const struct served_ports *served)
{
	for (size_t i = 0; i < served->n; i++)
		if (served->ports[i].endpoints.any)
			return false;
	return served->n > 0;
}

/* Returns the number of facts that it has looked at, or 0: all of the Service has to be resolved. */
static size_t publish_part(
	struct publisher *p, struct slot *slot, const struct slot_changes *changes)
{
	struct publication *pub = slot->published;
	struct fact_list *old = &p->old, *new = &p->new;
	struct endpoint_sum sums[2];

	if (!changes->n || !pub || !pub->sums || p->releasing)
		return 0;
	memcpy(sums, pub->sums, sizeof(sums));
	if (!select_part(p, slot, changes, sums))
		return 0;
	memcpy(pub->sums, sums, sizeof(sums));
	count_unserved(p, pub, !sums[0].n && !sums[1].n);

	/* What belongs to the Service itself is in both. */
	old->n = new->n = 0;
	resolve_service(&p->before, p->view, p->takes_ports, &p->rules, old);
	resolve_service(&p->served, p->view, p->takes_ports, &p->rules, new);
	fact_list_finish(old);
	fact_list_finish(new);
	ledger_publish_part(
		p->ledger, &pub->claims, old->facts, old->n, new->facts, new->n, &pub->claimant);
	change_unready(pub, &p->before, &p->served);
	p->stats->resolves++;
	p->stats->part_resolves++;
	return old->n + new->n;
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
	p->stats->degraded += (size_t)degraded - (size_t)pub->degraded;
	pub->degraded = degraded;
	count_unserved(p, pub, served_by_nobody(&p->served));

	/* Publish */
	ledger_publish(p->ledger, &pub->claims, new->facts, new->n, &pub->claimant);
	rights_settle(&p->rights, pub, &old_wishes, old, renewed);
	expect_draining(p, pub, old);
	remember_unready(pub, &p->served);
	remember_sums(p, pub);
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
			struct slot_changes changes = store_take_changes(p->store, slot);
			const size_t n_part = publish_part(p, slot, &changes);

			n_facts += n_part ? n_part : publish_slot(p, slot);
			slot_changes_free(p->store, &changes);
			continue;
		}
		/* A Service may be the first that needs something of the node, or the last. */
		if (node_is_dirty(p))
			publish_node(p);
		return false;
	}
	return true;
}
