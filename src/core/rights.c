// SPDX-License-Identifier: GPL-2.0-or-later
#include "rights.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/health_checks.h"
#include "core/resolve.h"

enum { KUBELET_PORT = 10250 };

void rights_init(struct rights *r, const struct ledger *ledger, const struct node_view *view,
	struct store *store)
{
	*r = (struct rights){ .ledger = ledger, .view = view, .store = store };
}

/* Wishes */

/* The wishes for one frontend or, with port 0, for one address. They are lists, because thousands of
 * Services may share an address. */
struct wish_group {
	struct map_node by_key;
	struct ip ip;
	uint16_t port;
	uint8_t proto;
	bool requeued; /* all their Services, and none of them was decided since */
	struct list wishes;
};

static struct wish_group *group_find(
	const struct map *groups, const struct ip *ip, uint16_t port, uint8_t proto)
{
	const uint32_t hash = map_hash(ip, sizeof(*ip)) * 31 + (uint32_t)port * 257 + proto;

	map_for_each_match_entry(struct wish_group, g, groups, hash, by_key)
		if (g->port == port && g->proto == proto && ip_eq(&g->ip, ip))
			return g;
	return NULL;
}

static void group_add(
	struct map *groups, const struct ip *ip, uint16_t port, uint8_t proto, struct list *wish)
{
	struct wish_group *g = group_find(groups, ip, port, proto);

	if (!g) {
		g = new0(struct wish_group);
		g->ip = *ip;
		g->port = port;
		g->proto = proto;
		list_init(&g->wishes);
		map_add(groups, &g->by_key,
			map_hash(ip, sizeof(*ip)) * 31 + (uint32_t)port * 257 + proto);
	}
	list_init(wish);
	list_insert(&g->wishes, wish);
	g->requeued = false;
}

static void group_remove(
	struct map *groups, const struct ip *ip, uint16_t port, uint8_t proto, struct list *wish)
{
	struct wish_group *g = group_find(groups, ip, port, proto);

	list_remove(wish);
	if (!list_empty(&g->wishes))
		return;
	map_del(groups, &g->by_key);
	free(g);
}

static void groups_done(struct map *groups)
{
	map_for_each_entry(struct wish_group, g, groups, by_key)
		free(g);
	map_done(groups);
}

void rights_done(struct rights *r)
{
	groups_done(&r->by_frontend);
	groups_done(&r->by_address);
	map_done(&r->cluster_ips);
}

void rights_each_wish(const struct rights *r, const struct ip *ip, uint16_t port, uint8_t proto,
	void (*fn)(const struct slot *slot, const struct frontend *fe, void *arg), void *arg)
{
	const struct wish_group *g = group_find(&r->by_frontend, ip, port, proto);

	if (!g)
		return;
	list_for_each_entry(const struct wish, w, &g->wishes, same_frontend)
		fn(w->pub->slot, &w->fe, arg);
}

bool rights_refused(const struct rights *r, const struct ip *ip, uint16_t port, uint8_t proto)
{
	const struct wish_group *g = group_find(&r->by_frontend, ip, port, proto);

	if (!g)
		return false;
	list_for_each_entry(const struct wish, w, &g->wishes, same_frontend)
		if (w->fe.refusal && w->fe.refusal != REFUSAL_HELD)
			return true;
	return false;
}

bool rights_granted(const struct rights *r, const struct ip *ip, uint16_t port, uint8_t proto)
{
	const struct wish_group *g = group_find(&r->by_frontend, ip, port, proto);

	if (!g)
		return false;
	list_for_each_entry(const struct wish, w, &g->wishes, same_frontend)
		if (!w->fe.refusal)
			return true;
	return false;
}

bool rights_granted_address(const struct rights *r, const struct ip *ip)
{
	const struct wish_group *g = group_find(&r->by_address, ip, 0, 0);

	if (!g)
		return false;
	list_for_each_entry(const struct wish, w, &g->wishes, same_address)
		if (!w->fe.refusal)
			return true;
	return false;
}

/* The first Service has the better right: see rights.h. */
static bool outranks(const struct publication *a, enum authority of_a, const struct publication *b,
	enum authority of_b)
{
	return of_a != of_b ? of_a < of_b : claimant_older(&a->claimant, &b->claimant);
}

/* Requeues the Service with the best right among those to which the frontend was refused because
 * somebody had it; nobody has it now, or with less authority than before. */
static void promote(const struct rights *r, const struct ip *ip, uint16_t port, uint8_t proto)
{
	const struct wish_group *g = group_find(&r->by_frontend, ip, port, proto);
	const struct wish *best = NULL;

	if (!g)
		return;
	list_for_each_entry(const struct wish, w, &g->wishes, same_frontend)
		if (w->fe.refusal == REFUSAL_HELD &&
			(!best ||
				outranks(w->pub, frontend_authority(w->fe.kind), best->pub,
					frontend_authority(best->fe.kind))))
			best = w;
	if (best)
		store_mark_dirty(r->store, best->pub->slot);
}

/* Requeues the other Services that asked for a port on one of the node's addresses. */
static void requeue_node_port(
	const struct rights *r, uint16_t port, uint8_t proto, const struct publication *but)
{
	for (size_t i = 0; port && r->by_frontend.count && i < r->view->n_local; i++) {
		const struct wish_group *g =
			group_find(&r->by_frontend, &r->view->local[i], port, proto);

		if (!g)
			continue;
		list_for_each_entry(const struct wish, w, &g->wishes, same_frontend)
			if (w->pub != but)
				store_mark_dirty(r->store, w->pub->slot);
	}
}

/* Requeues the other Services that name the address as an external one. */
static void requeue_address(
	const struct rights *r, const struct ip *ip, const struct publication *but)
{
	struct wish_group *g = group_find(&r->by_address, ip, 0, 0);

	/* Thousands of endpoints may have one address, too. */
	if (!g || g->requeued)
		return;
	g->requeued = true;
	list_for_each_entry(const struct wish, w, &g->wishes, same_address) {
		if (w->pub != but)
			store_mark_dirty(r->store, w->pub->slot);
		else
			g->requeued = false;
	}
}

void rights_endpoint_changed(struct rights *r, const struct ip *ip)
{
	requeue_address(r, ip, NULL);
}

/* Another program has a virtual server there. */
static bool is_foreign(const struct rights *r, const struct frontend *fe, uint8_t proto)
{
	const struct fact vs = fact_vs(&fe->ip, fe->port, proto);
	struct fact_state state;

	return !node_view_translates(r->view) && !r->view->options->adopt_foreign &&
		ledger_state(r->ledger, &vs.key, &state) && state.foreign;
}

void rights_audited(const struct rights *r)
{
	if (!r->refused[REFUSAL_FOREIGN])
		return;
	map_for_each_entry(const struct wish_group, g, &r->by_frontend, by_key)
		list_for_each_entry(const struct wish, w, &g->wishes, same_frontend)
			if (w->fe.refusal == REFUSAL_FOREIGN && !is_foreign(r, &w->fe, w->proto))
				store_mark_dirty(r->store, w->pub->slot);
}

struct old_wishes rights_forget(struct rights *r, struct publication *pub)
{
	struct old_wishes old = { pub->wishes, pub->n_wishes };

	for (size_t i = 0; i < old.n; i++) {
		struct wish *w = &old.wishes[i];

		r->refused[w->fe.refusal]--;
		group_remove(&r->by_frontend, &w->fe.ip, w->fe.port, w->proto, &w->same_frontend);
		group_remove(&r->by_address, &w->fe.ip, 0, 0, &w->same_address);
	}
	pub->wishes = NULL;
	pub->n_wishes = pub->n_refused = 0;
	return old;
}

static void remember_wishes(struct rights *r, struct publication *pub)
{
	if (pub->n_wishes)
		qsort(pub->wishes, pub->n_wishes, sizeof(*pub->wishes), wish_compare);
	for (size_t i = 0; i < pub->n_wishes; i++) {
		struct wish *w = &pub->wishes[i];

		pub->n_refused += w->fe.refusal != REFUSAL_NONE;
		r->refused[w->fe.refusal]++;
		group_add(&r->by_frontend, &w->fe.ip, w->fe.port, w->proto, &w->same_frontend);
		group_add(&r->by_address, &w->fe.ip, 0, 0, &w->same_address);
	}
}

/* Cluster IPs */

static bool has_ip(const struct ip *ips, size_t n, const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (ip_eq(&ips[i], ip))
			return true;
	return false;
}

/* A Service has gained or lost the cluster IP: see decide_frontend(). Only whether nobody, one
 * or several have it decides, else many Services with one address would all requeue each other. */
static void cluster_ip_changed(
	const struct rights *r, const struct ip *ip, const struct publication *pub)
{
	unsigned n_others = 0;

	map_for_each_match_entry(
		struct allocated_ip, a, &r->cluster_ips, map_hash(ip, sizeof(*ip)), by_address) {
		n_others += a->pub != pub && ip_eq(&a->ip, ip);
		if (n_others == 2)
			return;
	}
	requeue_address(r, ip, pub);
}

static void remember_cluster_ips(
	struct rights *r, struct publication *pub, const struct served_ports *served)
{
	const struct service *s = served->n ? served->ports[0].service : NULL;
	struct ip was[ARRAY_SIZE(s->cluster_ips)];
	const size_t n_was = pub->n_cluster_ips, n = s ? s->n_cluster_ips : 0;

	for (size_t i = 0; i < n_was; i++) {
		was[i] = pub->cluster_ips[i].ip;
		map_del(&r->cluster_ips, &pub->cluster_ips[i].by_address);
	}
	free(take(pub->cluster_ips));
	pub->cluster_ips = n ? mem_zalloc(n, sizeof(*pub->cluster_ips)) : NULL;
	pub->n_cluster_ips = n;
	for (size_t i = 0; i < n; i++) {
		struct allocated_ip *a = &pub->cluster_ips[i];

		*a = (struct allocated_ip){ .pub = pub, .ip = s->cluster_ips[i] };
		map_add(&r->cluster_ips, &a->by_address, map_hash(&a->ip, sizeof(a->ip)));
		if (!has_ip(was, n_was, &a->ip))
			cluster_ip_changed(r, &a->ip, pub);
	}
	for (size_t i = 0; i < n_was; i++)
		if (!has_ip(s ? s->cluster_ips : NULL, n, &was[i]))
			cluster_ip_changed(r, &was[i], pub);
}

const struct publication *rights_cluster_ip_holder(
	const struct rights *r, const struct ip *ip, const struct publication *but)
{
	map_for_each_match_entry(
		struct allocated_ip, a, &r->cluster_ips, map_hash(ip, sizeof(*ip)), by_address)
		if (a->pub != but && ip_eq(&a->ip, ip))
			return a->pub;
	return NULL;
}

/* Deciding */

/* A range that holds the node's own address as well does not tell pods from others. */
static bool is_for_pods(const struct node_view *view, const struct ip *ip)
{
	const size_t f = ip->family == AF_INET6;
	const struct ip *own = &view->node_ip[f];
	const struct cidr *cluster = &view->options->cluster_cidr[f];

	if (cidr_contains(cluster, ip) && !cidr_contains(cluster, own))
		return true;
	for (size_t i = 0; i < view->n_pod_cidrs; i++)
		if (cidr_contains(&view->pod_cidrs[i], ip) &&
			!cidr_contains(&view->pod_cidrs[i], own))
			return true;
	return false;
}

struct other_claim {
	const struct publication *pub;
	bool found;
};

static void find_other_claim(const struct claimant *claimant, void *arg)
{
	struct other_claim *o = arg;

	if (claimant != &o->pub->claimant)
		o->found = true;
}

/* The health check node port of another Service, or of this one. */
static bool is_health_check(const struct rights *r, const struct publication *pub, uint16_t port)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct service *s = pub->slot->service;
	struct other_claim other = { .pub = pub };
	const struct ip none = { 0 };

	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		const struct fact check =
			fact_member(SET_HEALTH_CHECK_NODE_PORT, families[f], &none, 0, port, NULL);

		ledger_each_claimant(r->ledger, &check.key, find_other_claim, &other);
	}
	return other.found || (service_has_health_check(s) && s->health_check_node_port == port);
}

/* Whether the kubelet, this daemon or a health check listens on that port of the node. */
static enum refusal refusal_of_own_port(
	const struct rights *r, const struct publication *pub, const struct ip *ip, uint16_t port)
{
	const struct node_view *view = r->view;

	if (port == KUBELET_PORT)
		return REFUSAL_KUBELET;
	for (size_t i = 0; i < view->n_own_ports; i++) {
		const struct node_socket *own = &view->own_ports[i];

		if (own->port == port && (!own->ip.family || ip_eq(&own->ip, ip)))
			return REFUSAL_DAEMON;
	}
	return is_health_check(r, pub, port) ? REFUSAL_HEALTH_CHECK : REFUSAL_NONE;
}

/* Why nobody may have this external frontend, whatever other Services claim. */
static enum refusal refusal_of_address(const struct rights *r, const struct publication *pub,
	const struct frontend *fe, uint8_t proto)
{
	const struct node_view *view = r->view;
	const struct options *o = view->options;
	const bool by_controller = fe->kind == FRONTEND_LOAD_BALANCER;
	const struct cidr *ranges = by_controller ? o->load_balancer_ranges : o->external_ip_ranges;
	const size_t n_ranges = by_controller ? o->n_load_balancer_ranges : o->n_external_ip_ranges;
	struct node_socket at;

	memset(&at, 0, sizeof(at));
	at.ip = fe->ip;
	at.port = fe->port;
	if (ip_kind(&fe->ip) != IP_HOST)
		return REFUSAL_SPECIAL;
	if (proto == IPPROTO_TCP && view->n_api_servers &&
		bsearch(&at, view->api_servers, view->n_api_servers, sizeof(at),
			node_socket_compare))
		return REFUSAL_API_SERVER;
	/* Where the address is taken as a whole, any port of it takes the API server's. */
	for (size_t i = 0; fe->reach == REACH_WHOLE && i < view->n_api_servers; i++)
		if (ip_eq(&view->api_servers[i].ip, &fe->ip))
			return REFUSAL_API_SERVER;
	if (cidrs_contain(o->cluster_ip_ranges, ARRAY_SIZE(o->cluster_ip_ranges), &fe->ip))
		return REFUSAL_CLUSTER_IP;
	if (is_for_pods(view, &fe->ip))
		return REFUSAL_POD;
	if (n_ranges && !cidrs_contain(ranges, n_ranges, &fe->ip))
		return REFUSAL_RANGE;
	return proto == IPPROTO_TCP && fe->reach == REACH_NODE
		? refusal_of_own_port(r, pub, &fe->ip, fe->port)
		: REFUSAL_NONE;
}

struct contest {
	const struct publication *pub;
	const struct frontend *fe;
	uint8_t proto;
	const struct publication *winner; /* with a better right; NULL: there is none */
	struct store *requeue; /* the Services that lose are requeued; NULL: they are not */
};

/* By which authority the Service has the frontend. It may ask for it twice: the port of an external
 * address may be the node port of another port. */
static enum authority claim_authority(
	const struct publication *pub, const struct frontend *fe, uint8_t proto)
{
	static const enum frontend_kind external[] = { FRONTEND_LOAD_BALANCER,
		FRONTEND_EXTERNAL_IP };
	struct frontend f = *fe;

	for (size_t i = 0; i < ARRAY_SIZE(external); i++) {
		const struct wish *wish;

		f.kind = external[i];
		wish = publication_wish(pub, &f, proto);
		if (wish && !wish->fe.refusal)
			return frontend_authority(f.kind);
	}
	return AUTHORITY_ALLOCATED;
}

static void contend(const struct claimant *claimant, void *arg)
{
	struct contest *c = arg;
	const struct publication *other = publication_of(claimant);

	if (!other || other == c->pub)
		return;
	if (outranks(other, claim_authority(other, c->fe, c->proto), c->pub,
		    frontend_authority(c->fe->kind)))
		c->winner = other;
	else if (c->requeue)
		store_mark_dirty(c->requeue, other->slot);
}

/* The Service that claims the frontend as well and has a better right to it; NULL: there is none.
 * `requeue`: see struct contest. */
static const struct publication *better_claim(const struct rights *r, const struct publication *pub,
	const struct frontend *fe, uint8_t proto, struct store *requeue)
{
	struct contest c = { .pub = pub, .fe = fe, .proto = proto, .requeue = requeue };
	struct fact_key keys[RESOLVE_RIVAL_KEYS];
	const size_t n = resolve_rival_keys(r->view, fe, proto, keys);

	for (size_t i = 0; i < n; i++)
		ledger_each_claimant(r->ledger, &keys[i], contend, &c);
	return c.winner;
}

/* The ports that endpoints of other Services have at one address. */
struct endpoint_ports {
	struct map_node by_ip;
	struct ip ip;
	uint8_t proto;
	struct port_set *set; /* NULL: none */
};

/* What is looked up once for all frontends of a Service, which may have 20,000 ports. */
struct decision {
	const struct rights *rights;
	const struct publication *pub;
	uint32_t *node_ports; /* its own, with their protocols, sorted */
	size_t n_node_ports;
	struct map endpoints; /* of struct endpoint_ports */
};

static uint32_t node_port_key(uint16_t port, uint8_t proto)
{
	return (uint32_t)port << 8 | proto;
}

static int node_port_key_compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void decision_init(struct decision *d, const struct rights *r, const struct publication *pub)
{
	const struct service *s = pub->slot->service;

	*d = (struct decision){ .rights = r,
		.pub = pub,
		.node_ports = mem_zalloc(s ? s->n_ports : 0, sizeof(uint32_t)) };
	for (size_t i = 0; s && i < s->n_ports; i++)
		if (s->ports[i].node_port)
			d->node_ports[d->n_node_ports++] =
				node_port_key(s->ports[i].node_port, s->ports[i].proto);
	qsort(d->node_ports, d->n_node_ports, sizeof(*d->node_ports), node_port_key_compare);
}

static void decision_done(struct decision *d)
{
	map_for_each_entry(struct endpoint_ports, e, &d->endpoints, by_ip) {
		free(e->set);
		free(e);
	}
	map_done(&d->endpoints);
	free(d->node_ports);
}

/* Another port of the same Service has it as its node port. */
static bool is_own_node_port(const struct decision *d, const struct frontend *fe, uint8_t proto)
{
	const uint32_t key = node_port_key(fe->port, proto);

	return node_view_is_nodeport_address(d->rights->view, &fe->ip) &&
		bsearch(&key, d->node_ports, d->n_node_ports, sizeof(key), node_port_key_compare);
}

static bool is_endpoint_of_other(struct decision *d, const struct frontend *fe, uint8_t proto)
{
	const uint32_t hash = map_hash(&fe->ip, sizeof(fe->ip)) + proto;
	struct endpoint_ports *new;

	map_for_each_match_entry(const struct endpoint_ports, e, &d->endpoints, hash, by_ip)
		if (e->proto == proto && ip_eq(&e->ip, &fe->ip))
			return e->set && port_set_has(e->set, fe->port);
	new = new0(struct endpoint_ports);
	new->ip = fe->ip;
	new->proto = proto;
	new->set = new0(struct port_set);
	if (!store_add_endpoint_ports(d->rights->store, d->pub->slot, &fe->ip, proto, new->set))
		free(take(new->set));
	map_add(&d->endpoints, &new->by_ip, hash);
	return new->set &&port_set_has(new->set, fe->port);
}

/*
 * An endpoint is no reason to refuse an address that a controller wrote: whoever may write endpoints
 * could take the address from its Service. Nor is one that the Service has itself: Services that
 * select the same pods on the host network share their endpoints.
 */
static enum refusal decide_frontend(
	struct decision *d, const struct served_port *p, const struct frontend *fe)
{
	const struct rights *r = d->rights;
	const struct publication *pub = d->pub;
	const uint8_t proto = p->port->proto;
	const bool external = frontend_authority(fe->kind) != AUTHORITY_ALLOCATED;
	const enum refusal refusal =
		external ? refusal_of_address(r, pub, fe, proto) : REFUSAL_NONE;

	if (refusal)
		return refusal;
	if (external && rights_cluster_ip_holder(r, &fe->ip, pub))
		return REFUSAL_CLUSTER_IP;
	if (fe->kind == FRONTEND_EXTERNAL_IP && !endpoints_find(&p->endpoints, &fe->ip, fe->port) &&
		is_endpoint_of_other(d, fe, proto))
		return REFUSAL_ENDPOINT;
	if (is_foreign(r, fe, proto))
		return REFUSAL_FOREIGN;
	if (external && is_own_node_port(d, fe, proto))
		return REFUSAL_HELD;
	return better_claim(r, pub, fe, proto, NULL) ? REFUSAL_HELD : REFUSAL_NONE;
}

void rights_decide(struct rights *r, struct publication *pub, struct served_ports *served)
{
	_cleanup_(decision_done) struct decision d;
	size_t cap = 0;

	decision_init(&d, r, pub);
	remember_cluster_ips(r, pub, served);
	pub->takes_ports[0] = pub->takes_ports[1] = false;
	for (size_t k = 0; k < served->n; k++) {
		struct served_port *p = &served->ports[k];
		const uint8_t proto = p->port->proto;
		size_t n = 0;

		for (size_t i = 0; i < p->frontends.n; i++) {
			struct frontend fe = p->frontends.fes[i];

			fe.refusal = decide_frontend(&d, p, &fe);
			if (fe.refusal) {
				frontend_list_add(&p->refused, &fe);
			} else {
				better_claim(r, pub, &fe, proto, r->store);
				pub->takes_ports[p->family == AF_INET6] |= fe.reach == REACH_PORTS;
				p->frontends.fes[n++] = fe;
			}
			if (!fe.refusal && frontend_authority(fe.kind) == AUTHORITY_ALLOCATED)
				continue;
			mem_grow(pub->wishes, pub->n_wishes, cap);
			pub->wishes[pub->n_wishes++] =
				(struct wish){ .pub = pub, .fe = fe, .proto = proto };
		}
		p->frontends.n = n;
	}
	remember_wishes(r, pub);
}

const char *rights_holder(const struct rights *r, const struct publication *pub,
	const struct frontend *fe, uint8_t proto)
{
	const struct publication *winner = better_claim(r, pub, fe, proto, NULL);

	return winner ? winner->slot->name : pub->slot->name;
}

/* The Service claimed that frontend and gave it up, or is no longer as old as it was. */
static void promote_after(const struct rights *r, const struct fact_key *frontend)
{
	const struct ip ip = fact_ip(frontend);

	/* The entry of a node port on iptables stands for all addresses of the node. */
	if (frontend->kind == FACT_VS || ip_kind(&ip) != IP_UNSPECIFIED)
		promote(r, &ip, frontend->port, frontend->proto);
	for (size_t i = 0; frontend->kind == FACT_DISPATCH && i < r->view->n_local; i++)
		if (ip_kind(&ip) == IP_UNSPECIFIED && r->view->local[i].family == ip.family)
			promote(r, &r->view->local[i], frontend->port, frontend->proto);
}

void rights_settle(struct rights *r, struct publication *pub, struct old_wishes *old,
	const struct fact_list *old_facts, bool renewed)
{
	const struct service *s = pub->slot->service;
	const uint16_t check_before = pub->health_check_port;
	const uint16_t check =
		s && pub->claims.n && service_has_health_check(s) ? s->health_check_node_port : 0;

	for (size_t i = 0; r->refused[REFUSAL_HELD] && i < old_facts->n; i++) {
		const struct fact_key *key = &old_facts->facts[i].key;

		if (fact_is_frontend(key) && key->proto &&
			(renewed || !publication_owner(r->ledger, key)))
			promote_after(r, key);
	}
	for (size_t i = 0; i < old->n; i++) {
		const struct wish *w = &old->wishes[i];

		if (renewed || !publication_holder(r->ledger, r->view, &w->fe, w->proto))
			promote(r, &w->fe.ip, w->fe.port, w->proto);
	}
	/* What it has now for another reason than before, others may have with more authority. */
	for (size_t i = 0; r->refused[REFUSAL_HELD] && i < pub->n_wishes; i++) {
		const struct wish *w = &pub->wishes[i];
		const struct wish *was =
			old->n ? bsearch(w, old->wishes, old->n, sizeof(*w), wish_compare) : NULL;

		if (!w->fe.refusal && !(was && !was->fe.refusal))
			promote(r, &w->fe.ip, w->fe.port, w->proto);
	}
	if (check != check_before) {
		requeue_node_port(r, check_before, IPPROTO_TCP, pub);
		requeue_node_port(r, check, IPPROTO_TCP, pub);
	}
	pub->health_check_port = check;
	free(take(old->wishes));
}
