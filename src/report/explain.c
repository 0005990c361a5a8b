// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/explain.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "core/health_checks.h"
#include "core/publication.h"
#include "core/resolve.h"
#include "core/service_chain.h"
#include "report_service.h"
#include "report_words.h"

/* A fact of a Service that is not in sync. */
struct service_fault {
	struct fact_key key;
	json_t *words;
};

struct explainer {
	const struct report_input *in;
	const struct explain_query *query;
	struct walk walk;
	const struct slot **slots; /* those with a Service, by name */
	size_t n_slots;
	struct service_fault *faults; /* of the Service at hand */
	size_t n_faults, cap_faults;
};

static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

/* A path: where packets from one source to one address go */

static json_t *walk_rule_json(const struct explainer *x, int family, const struct walk_rule *rule)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!*rule->chain)
		return json_null();
	x->in->print_rule(&text, x->in->view, family, rule->table, rule->chain, &rule->rule);
	return json_string(buf_str(&text));
}

/* Why it ends so; `local_policy`: only endpoints on this node may answer. */
static const char *path_reason(const struct walk_path *path, bool answered, bool local_policy,
	const struct endpoint_list *endpoints)
{
	const struct rule *rule = &path->rule.rule;

	switch (path->end) {
	case WALK_FORWARDED:
		if (answered)
			return "";
		return local_policy && endpoints->n_cluster
			? "the traffic policy is Local, and no endpoint on this node can answer"
			: "no endpoint can answer";
	case WALK_NOBODY:
		return "no virtual server has this address and port";
	case WALK_DROPPED:
	case WALK_REJECTED:
		if (rule_has_set(rule, SET_NO_LOCAL))
			return "the traffic policy is Local, and only endpoints on other nodes can "
			       "answer";
		if (!strcmp(path->rule.chain, CHAIN_SOURCE_RANGES))
			return "the source is in none of the loadBalancerSourceRanges";
		if (rule_has_set(rule, SET_NO_ENDPOINTS))
			return "no endpoint can answer";
		if (rule_has_set(rule, SET_IPVS_IPS))
			return "no Service has this port of this address";
		return "this rule matches";
	case WALK_UNREADABLE:
		return "this rule cannot be interpreted";
	}
	return "";
}

/* A new reference to one of "paths". */
static json_t *explain_path(const struct explainer *x, const struct walk_packet *packet,
	const struct endpoint_list *endpoints, bool local_policy)
{
	static const char *const ends[] = {
		[WALK_FORWARDED] = "forwarded",
		[WALK_NOBODY] = "delivered",
		[WALK_DROPPED] = "dropped",
		[WALK_REJECTED] = "rejected",
		[WALK_UNREADABLE] = "unknown",
	};
	_cleanup_free_ bool *leads = mem_zalloc(endpoints->n, sizeof(*leads));
	_cleanup_(buf_done) struct buf chain_text = { 0 };
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;
	json_t *list = json_array();
	bool answered = false;
	struct walk_path path;
	enum walk_end end;
	char s[IP_STRLEN];

	walk_to_vs(&x->walk, packet, &path);

	/* In spite of the policy Local the virtual server of a firewall mark or, without IPVS, the
	 * chain of all endpoints leads to all of them. */
	if (path.end == WALK_FORWARDED &&
		(path.choice ? service_chain_parse(path.chain, &chain, hash) &&
					chain == SERVICE_CHAIN_SVC
				: *path.chain ? !(path.spread.flags & SPREAD_LOCAL)
					      : !path.vs.proto))
		local_policy = false;
	walk_leads_to(&x->walk, &path, endpoints, leads);
	for (size_t i = 0; i < endpoints->n; i++) {
		const struct candidate *ep = &endpoints->eps[i];
		const bool used = leads[i];
		struct walk_rule rule = { 0 };
		bool masqueraded =
			used && walk_masqueraded(&x->walk, &path, &ep->ip, ep->port, &rule);

		answered = answered || (used && ep->weight);
		json_array_append_new(list,
			json_pack("{s:s, s:i, s:s, s:b, s:I, s:b, s:s, s:b, s:o}", "address",
				ip_print(&ep->ip, s), "port", (int)ep->port, "node",
				ep->endpoint->place->node_name, "local", (int)ep->local, "weight",
				(json_int_t)ep->weight, "used", (int)used, "reason",
				report_endpoint_reason(ep, used, local_policy && !ep->local),
				"masquerade", (int)masqueraded, "masqueradeRule",
				walk_rule_json(x, ep->ip.family, &rule)));
	}
	if (*path.chain)
		x->in->print_chain(&chain_text, x->in->view, TABLE_NAT, path.chain);
	/* A virtual server without a real server that has a weight rejects. */
	end = path.end == WALK_FORWARDED && !answered ? WALK_REJECTED : path.end;
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "from",
		packet_source_name(packet->source), "address",
		x->query->from == EXPLAIN_FROM_ADDRESS ? ip_print(&packet->src, s) : "", "verdict",
		ends[end], "reason", path_reason(&path, answered, local_policy, endpoints), "rule",
		walk_rule_json(x, packet->dst.family, &path.rule), "virtualServer",
		path.end == WALK_FORWARDED && !*path.chain ? report_vs_json(&path.vs) : json_null(),
		"chain", *path.chain ? json_string(buf_str(&chain_text)) : json_null(), "endpoints",
		list);
}

/* There is a way to tell pods from others. */
static bool explain_tells_pods(const struct node_view *view, int family)
{
	return view->options->detect_local == DETECT_BRIDGE_INTERFACE ||
		view->options->detect_local == DETECT_INTERFACE_NAME_PREFIX ||
		node_view_local_cidr(view, family);
}

/* An address that stands for all of that source; family 0: there is none. */
static struct ip source_ip(
	const struct node_view *view, enum packet_source source, const struct frontend *fe)
{
	/* Any client far away (RFC 5737, RFC 3849) */
	static const uint8_t v4[16] = { 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	const int family = fe->ip.family;
	const struct ip outside = ip_make(family, family == AF_INET6 ? v6 : v4);
	const struct cidr *pods;
	struct ip ip;

	switch (source) {
	case FROM_POD:
		pods = node_view_local_cidr(view, family);
		if (!pods)
			return outside;
		/* The last address of the range, which no pod has. */
		ip = pods->ip;
		for (int bit = pods->len; bit < ip_bits(family); bit++)
			ip.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
		return ip;
	case FROM_NODE:
		/* The kernel sends from the destination itself if it is on an interface. */
		if (fe->reach == REACH_WHOLE && view->options->vip_mode == VIP_ADDRESS)
			return fe->ip;
		return view->node_ip[family == AF_INET6];
	case FROM_OUTSIDE:
	case PACKET_SOURCES:
		break;
	}
	return outside;
}

static json_t *explain_paths(
	const struct explainer *x, const struct served_port *p, const struct frontend *fe)
{
	const struct explain_query *q = x->query;
	const struct node_view *view = x->in->view;
	struct walk_packet packet = { .dst = fe->ip, .port = fe->port, .proto = p->port->proto };
	json_t *ret = json_array();

	if (q->from == EXPLAIN_FROM_ADDRESS) {
		packet.src = q->from_ip;
		packet.source = walk_source_of(view, &packet.src);
		if (packet.src.family == packet.dst.family)
			json_array_append_new(
				ret, explain_path(x, &packet, &p->endpoints, fe->local));
		return ret;
	}
	for (enum packet_source s = FROM_POD; s <= FROM_OUTSIDE; s++) {
		if (q->from == EXPLAIN_FROM_SOURCE && s != q->source)
			continue;
		if (q->from == EXPLAIN_FROM_ANYWHERE && s == FROM_POD &&
			!explain_tells_pods(view, fe->ip.family))
			continue;
		packet.source = s;
		packet.src = source_ip(view, s, fe);
		if (packet.src.family)
			json_array_append_new(
				ret, explain_path(x, &packet, &p->endpoints, fe->local));
	}
	return ret;
}

/* An address of a port */

/* The fact is claimed for that address of the port. */
static bool fact_is_of_frontend(const struct explainer *x, const struct served_port *p,
	const struct frontend *fe, const struct fact_key *key)
{
	const uint8_t proto = p->port->proto;
	struct ip ip = fact_ip(key);
	struct fact_key vs;

	switch ((enum fact_kind)key->kind) {
	case FACT_VS:
	case FACT_RS:
		if (!key->proto)
			return fe->local && p->mark && key->family == fe->ip.family &&
				fact_fwmark(key) == p->mark;
		return ip_eq(&ip, &fe->ip) && key->port == fe->port && key->proto == proto;
	case FACT_DISPATCH:
		vs = resolve_frontend_key(x->in->view, fe, proto);
		return fact_key_eq(key, &vs);
	case FACT_MEMBER:
		return ip_eq(&ip, &fe->ip) &&
			(!key->port || (key->port == fe->port && key->proto == proto));
	case FACT_HELD:
	case FACT_ROUTE:
	case FACT_ADDR:
		return ip_eq(&ip, &fe->ip);
	case FACT_LINK:
	case FACT_POLICY_RULE:
	case FACT_SET:
	case FACT_CHAIN:
	case FACT_JUMP:
	case FACT_KINDS:
		return false;
	}
	return false;
}

struct draining_list {
	const struct ledger *ledger;
	json_t *list;
};

static void add_draining(const struct rs_conns *conns, void *arg)
{
	const struct draining_list *d = arg;
	struct ip ip = fact_ip2(&conns->key);
	struct fact_state state;
	char s[IP_STRLEN];

	if (ledger_state(d->ledger, &conns->key, &state) && state.claimant &&
		state.claimant->born == CLAIMANT_LAST)
		json_array_append_new(d->list,
			json_pack("{s:s, s:i, s:I, s:I}", "address", ip_print(&ip, s), "port",
				(int)conns->key.port2, "active", (json_int_t)conns->active,
				"inactive", (json_int_t)conns->inactive));
}

static void add_rival(const struct slot *slot, const struct frontend *fe, void *arg)
{
	if (fe->refusal == REFUSAL_HELD)
		json_array_append_new(arg, json_string(slot->name));
}

/* Adds to the report's entry of an address what explains it. */
static void explain_address(const struct explainer *x, const struct served_port *p,
	const struct frontend *fe, json_t *address)
{
	const struct fact_key vs = resolve_frontend_key(x->in->view, fe, p->port->proto);
	const char *holder = report_holder(x->in, fe, p->port->proto);
	const bool refused = fe->refusal;
	struct draining_list draining = { x->walk.ledger, json_array() };
	json_t *rivals = json_array(), *problems = json_array();

	if (!refused)
		engine_each_wish(
			x->in->engine, &fe->ip, fe->port, p->port->proto, add_rival, rivals);
	for (size_t i = 0; !refused && i < x->n_faults; i++)
		if (fact_is_of_frontend(x, p, fe, &x->faults[i].key))
			json_array_append(problems, x->faults[i].words);
	if (!refused && x->in->conns)
		x->in->conns(&vs, add_draining, &draining, x->in->conns_arg);

	json_object_set_new(address, "trafficPolicy", json_string(fe->local ? "Local" : "Cluster"));
	json_object_set_new(address, "heldBy", holder ? json_string(holder) : json_null());
	json_object_set_new(address, "alsoWantedBy", rivals);
	json_object_set_new(address, "problems", problems);
	json_object_set_new(address, "draining", draining.list);
	json_object_set_new(address, "paths", refused ? json_array() : explain_paths(x, p, fe));
	if (x->in->dry)
		json_object_set_new(address, "present", json_null());
}

/* Notes */

static void __attribute__((format(printf, 2, 3))) add_note(json_t *notes, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		json_array_append_new(notes, json_string(text));
	va_end(ap);
}

/* A Service */

/* The query is about that Service: by name, or it claims the address and port. */
static bool query_selects(
	const struct explain_query *q, const struct slot *slot, const struct node_view *view)
{
	const struct frontend vip = { .kind = FRONTEND_CLUSTER_IP, .ip = q->ip, .port = q->port };
	const struct frontend node = { .kind = FRONTEND_NODE_PORT, .ip = q->ip, .port = q->port };

	if (*q->name)
		return !strcmp(slot->service->ns, q->ns) && !strcmp(slot->service->name, q->name);
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		const struct fact_key vip_key = resolve_frontend_key(view, &vip, protos[i]);
		const struct fact_key node_key = resolve_frontend_key(view, &node, protos[i]);

		if (q->proto && q->proto != protos[i])
			continue;
		if (publication_claims(slot->published, &vip_key) ||
			publication_wishes(slot->published, &vip, protos[i]))
			return true;
		if (node_view_is_nodeport_address(view, &q->ip) &&
			publication_claims(slot->published, &node_key))
			return true;
	}
	return false;
}

static bool query_selects_port(const struct explain_query *q, const struct service_port *port)
{
	if (q->proto && q->proto != port->proto)
		return false;
	if (!*q->name)
		return true; /* its addresses decide */
	if (*q->port_name)
		return !strcmp(q->port_name, port->name);
	return !q->port || q->port == port->port || q->port == port->node_port;
}

struct explained_port {
	size_t at; /* the next of the port's addresses */
	json_t *addresses;
};

/* Of "ports" and their "addresses" leaves those that are asked for, and explains these. */
static void explain_ports(const struct explainer *x, const struct served_ports *served,
	const struct slot *slot, json_t *service)
{
	const struct explain_query *q = x->query;
	json_t *all = json_object_get(service, "ports"), *asked = json_array();
	const size_t n = json_array_size(all);
	_cleanup_free_ struct explained_port *ports = mem_zalloc(n, sizeof(*ports));

	for (size_t i = 0; i < n; i++)
		ports[i].addresses = json_array();
	for (size_t k = 0; k < served->n; k++) {
		const struct served_port *p = &served->ports[k];
		const size_t i = (size_t)(p->port - p->service->ports);
		const json_t *addresses = json_object_get(json_array_get(all, i), "addresses");

		for (size_t j = 0; j < p->frontends.n + p->refused.n; j++) {
			const struct frontend *fe = j < p->frontends.n
				? &p->frontends.fes[j]
				: &p->refused.fes[j - p->frontends.n];
			json_t *address = json_array_get(addresses, ports[i].at++);

			if (!query_selects_port(q, p->port))
				continue;
			if (!*q->name && !(ip_eq(&fe->ip, &q->ip) && fe->port == q->port))
				continue;
			explain_address(x, p, fe, address);
			json_array_append(ports[i].addresses, address);
		}
	}

	for (size_t i = 0; i < n; i++) {
		json_t *port = json_array_get(all, i);
		bool any = json_array_size(ports[i].addresses);

		json_object_set_new(port, "addresses", ports[i].addresses);
		if (*q->name ? query_selects_port(q, &slot->service->ports[i]) : any)
			json_array_append(asked, port);
	}
	json_object_set_new(service, "ports", asked);
}

/* One endpoint is enough to say what is wrong. */
static void note_virtual_endpoints(
	const struct explainer *x, const struct served_ports *served, json_t *notes)
{
	for (size_t k = 0; k < served->n; k++) {
		const struct endpoint_list *l = &served->ports[k].endpoints;

		for (size_t i = 0; i < l->n; i++) {
			const struct slot *holder =
				engine_cluster_ip_holder(x->in->engine, &l->eps[i].ip);
			char s[IP_PORT_STRLEN];

			if (!holder)
				continue;
			add_note(notes,
				"the endpoint %s is the cluster IP of Service %s: packets do not go "
				"on from one Service to another",
				ip_print_port(&l->eps[i].ip, l->eps[i].port, s), holder->name);
			return;
		}
	}
}

static void faults_clear(struct explainer *x)
{
	for (size_t i = 0; i < x->n_faults; i++)
		json_decref(x->faults[i].words);
	x->n_faults = 0;
}

static void faults_find(struct explainer *x, const struct slot *slot)
{
	const struct publication *pub = slot->published;

	faults_clear(x);
	for (size_t i = 0; pub && i < pub->claims.n && !x->in->dry; i++) {
		const struct fact_key key = claims_key(&pub->claims, i);
		_cleanup_(buf_done) struct buf words = { 0 };
		struct fact_state state = { 0 };

		ledger_state(x->walk.ledger, &key, &state);
		if (report_fault(&words, &key, &state, x->in) == FAULT_NONE)
			continue;
		mem_grow(x->faults, x->n_faults, x->cap_faults);
		x->faults[x->n_faults++] =
			(struct service_fault){ key, json_string(buf_str(&words)) };
	}
}

/* A new reference to one of "services". */
static json_t *explain_service(struct explainer *x, const struct slot *slot, json_t *notes)
{
	const struct service *s = slot->service;
	_cleanup_(served_ports_done) struct served_ports served = { 0 };
	struct report_sums sums = { 0 };
	_cleanup_(buf_done) struct buf report = { 0 };
	json_t *ret, *ranges = json_array();
	char text[CIDR_STRLEN];

	report_service(x->in, slot, &served, &sums, &report);
	ret = json_loads(buf_str(&report), 0, NULL);
	faults_find(x, slot);
	explain_ports(x, &served, slot, ret);
	note_virtual_endpoints(x, &served, notes);
	for (size_t i = 0; i < s->n_source_ranges; i++)
		json_array_append_new(ranges, json_string(cidr_print(&s->source_ranges[i], text)));
	json_object_set_new(
		ret, "internalTrafficPolicy", json_string(s->internal_local ? "Local" : "Cluster"));
	json_object_set_new(ret, "externalTrafficPolicy",
		json_string(service_external_local(s) ? "Local" : "Cluster"));
	json_object_set_new(ret, "loadBalancerSourceRanges", ranges);
	json_object_set_new(ret, "drainTimeoutMs",
		json_integer(s->drain_timeout >= 0 ? s->drain_timeout
						   : x->in->view->options->drain_timeout));
	json_object_set_new(ret, "healthCheck",
		!service_has_health_check(s)
			? json_null()
			: json_pack("{s:i, s:I}", "port", (int)s->health_check_node_port,
				  "localEndpoints",
				  (json_int_t)health_check_local_ready(&served, AF_INET) +
					  health_check_local_ready(&served, AF_INET6)));
	return ret;
}

/* Why nothing was found */

static void note_ports(const struct service *s, json_t *notes)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	for (size_t i = 0; i < s->n_ports; i++) {
		const struct service_port *p = &s->ports[i];

		buf_addf(&b, "%s%u/%s", i ? ", " : "", p->port, proto_name(p->proto));
		if (*p->name)
			buf_addf(&b, " (%s)", p->name);
	}
	add_note(notes, "Service %s/%s has no such port; it has: %s", s->ns, s->name,
		b.len ? buf_str(&b) : "none");
}

/* The Service's object names the address. *ret_proxy: the load balancer delivers to it itself. */
static bool service_names_address(const struct service *s, const struct ip *ip, bool *ret_proxy)
{
	bool named = false;

	*ret_proxy = false;
	for (size_t i = 0; i < s->n_cluster_ips; i++)
		named = named || ip_eq(&s->cluster_ips[i], ip);
	for (size_t i = 0; i < s->n_external_ips; i++)
		named = named || ip_eq(&s->external_ips[i], ip);
	for (size_t i = 0; i < s->n_ingress; i++)
		if (ip_eq(&s->ingress[i].ip, ip)) {
			*ret_proxy = s->ingress[i].proxy_mode;
			return true;
		}
	return named;
}

static void note_node_port(const struct explainer *x, const struct service *s, json_t *notes)
{
	const struct explain_query *q = x->query;

	for (size_t i = 0; i < s->n_ports; i++) {
		if (!q->port || s->ports[i].node_port != q->port)
			continue;
		if (q->proto && s->ports[i].proto != q->proto)
			add_note(notes, "Service %s/%s has this node port for %s only", s->ns,
				s->name, proto_name(s->ports[i].proto));
		else if (!node_view_is_nodeport_address(x->in->view, &q->ip))
			add_note(notes,
				"Service %s/%s has this node port, but --nodeport-addresses does "
				"not select this address",
				s->ns, s->name);
	}
}

/* What one Service has to do with the address that is asked for. */
static void note_address_of(const struct explainer *x, const struct slot *slot, json_t *notes)
{
	const struct ip *ip = &x->query->ip;
	const struct service *s = slot->service;
	const char *why = service_not_proxied(s);
	bool proxy, found = false;

	if (!service_names_address(s, ip, &proxy)) {
		if (node_view_is_local(x->in->view, ip))
			note_node_port(x, s, notes);
	} else if (*why) {
		add_note(notes, "Service %s/%s has this address, but is not proxied: %s", s->ns,
			s->name, why);
	} else if (!node_view_serves(x->in->view, ip->family)) {
		add_note(notes, "Service %s/%s has this address, but this node does not serve %s",
			s->ns, s->name, family_name(ip->family));
	} else if (proxy) {
		add_note(notes,
			"Service %s/%s has this address with ipMode Proxy: the load balancer "
			"itself delivers to it",
			s->ns, s->name);
	} else {
		note_ports(s, notes);
	}
	list_for_each_entry(const struct slot_slice, it, &slot->slices, link)
		for (size_t i = 0; i < it->slice->n_subsets; i++) {
			const struct subset *set = &it->slice->subsets[i];

			for (size_t j = 0; j < set->n_endpoints; j++)
				found |= ip_eq(&set->endpoints[j].ip, ip);
		}
	if (found)
		add_note(notes,
			"this is the address of an endpoint of Service %s/%s: packets go to it "
			"directly",
			s->ns, s->name);
}

/* An earlier run left it, and it stays. */
static bool is_kept(const struct explainer *x, const struct fact_key *key)
{
	struct fact_state state;

	return ledger_state(x->walk.ledger, key, &state) && state.kept;
}

static void note_address(const struct explainer *x, json_t *notes)
{
	const struct ip *ip = &x->query->ip, no_source = { 0 };
	const struct fact whole[] = { fact_route(ip, &no_source), fact_addr(ip) };
	const char no_hash[SERVICE_HASH_LEN] = { 0 };
	_cleanup_(buf_done) struct buf route = { 0 };
	struct fact_state state;

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		const struct fact vs = fact_vs(ip, x->query->port, protos[i]);
		const struct fact dispatch =
			fact_dispatch(ip, x->query->port, protos[i], SERVICE_CHAIN_SVC, no_hash);

		if (ledger_state(x->walk.ledger, &vs.key, &state) && state.foreign)
			add_note(notes,
				"another program made a virtual server for this address and port "
				"(%s); it is never touched",
				proto_name(protos[i]));
		if (is_kept(x, &vs.key) || is_kept(x, &dispatch.key))
			add_note(notes,
				"an earlier run served this address and port (%s), and still the "
				"kernel does: " REPORT_INCOMPLETE ", so its Service is unknown",
				proto_name(protos[i]));
	}
	for (size_t i = 0; i < x->n_slots; i++)
		note_address_of(x, x->slots[i], notes);
	if (node_view_is_local(x->in->view, ip)) {
		if (!json_array_size(notes))
			add_note(notes,
				"this is an address of the node, and no Service has this node port");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (ledger_state(x->walk.ledger, &whole[i].key, &state) &&
			(state.wanted || state.kept))
			return;
	if (x->in->print_route)
		x->in->print_route(&route, ip);
	add_note(notes, "no Service has this address and port: packets to it are routed %s",
		route.len ? buf_str(&route) : "as usual");
}

/* Why there is no path from pods. */
static void note_pods(const struct node_view *view, const json_t *services, json_t *notes)
{
	const json_t *service;
	size_t i;

	if (explain_tells_pods(view, AF_INET) || explain_tells_pods(view, AF_INET6))
		return;
	json_array_foreach(services, i, service) {
		if (!json_array_size(json_object_get(service, "ports")))
			continue;
		add_note(notes,
			"packets from pods cannot be told from packets from outside: set "
			"--cluster-cidr or another --detect-local-mode");
		return;
	}
}

/* The explanation */

static void explainer_done(struct explainer *x)
{
	faults_clear(x);
	free(x->faults);
	walk_done(&x->walk);
	free(x->slots);
}

json_t *explain(const struct report_input *in, const struct explain_query *q)
{
	_cleanup_(explainer_done) struct explainer x = { .in = in, .query = q };
	const struct slot *asked = *q->name ? store_find(in->store, q->ns, q->name) : NULL;
	json_t *services = json_array(), *notes = json_array();

	walk_init(&x.walk, engine_ledger(in->engine), engine_rules(in->engine), in->view);
	x.slots = report_slots(in->store, &x.n_slots);
	for (size_t i = 0; i < x.n_slots; i++) {
		const struct slot *slot = x.slots[i];
		json_t *s;

		if (!query_selects(q, slot, in->view))
			continue;
		s = explain_service(&x, slot, notes);
		/* A Service that is not proxied may have no ports here, and is shown nevertheless.
		 */
		if (json_array_size(json_object_get(s, "ports")) ||
			!strcmp(json_string_value(json_object_get(s, "state")), "NotProxied"))
			json_array_append(services, s);
		json_decref(s);
	}
	if (json_array_size(services))
		note_pods(in->view, services, notes);
	else if (!*q->name)
		note_address(&x, notes);
	else if (asked && asked->service)
		note_ports(asked->service, notes);
	else
		add_note(notes, "Service %s/%s does not exist%s", q->ns, q->name,
			asked ? ", but has endpoints" : "");
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "apiVersion", "ipvsctl.io/v1",
		"kind", "Explanation", "source", in->dry ? "manifests" : "daemon", "node",
		in->view->options->node_name, "backend", in->backend, "services", services, "notes",
		notes);
}
