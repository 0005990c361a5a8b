// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One Service on iptables: the chains of each port, named and filled as kube-proxy's iptables mode
 * does (pkg/proxy/iptables/proxier.go), and for each address and port that it answers on the chain
 * that a new connection enters.
 *
 * A new endpoint adds one chain of its own and changes the rules that lead to it; all other chains
 * and entries depend on the Service alone. The filter table refuses or drops packets that no rule
 * has translated (resolve_node.c), so that a Service without endpoints needs no rule of its own. A
 * set (KUBE-LOOP-BACK) selects the packets of an endpoint to itself, which are masqueraded, so that
 * an endpoint needs no rule for them.
 *
 * Connections are spread by chance, in proportion to the endpoints' weights.
 *
 * The chains of kube-proxy's layout differ in four things: they mark what is to be masqueraded by
 * themselves, have no weights, check loadBalancerSourceRanges in a chain of their own, and do not
 * exist where they would lead nowhere. Until that layout is complete, ours leads to them, too.
 */
#include <netinet/in.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "core/service_chain.h"

/* One port while its chains are made. */
struct port_chains {
	const struct resolver *r;
	const struct served_port *p;
	char hash[SERVICE_HASH_LEN]; /* in the names of its chains */
	struct rule_list rules;	     /* of the chain at hand */
	struct buf comment;	     /* of the rule at hand */
};

static void finish_chain(struct port_chains *c, const char *name)
{
	fact_list_add(c->r->out,
		fact_chain(c->p->family, TABLE_NAT, name, rule_pool_put(c->r->pool, &c->rules)));
	rule_list_reset(&c->rules);
}

/* The chains are also, or only, for kube-proxy's entrances. */
static bool are_for_kube_proxy(const struct resolver *r)
{
	return r->view->options->layout != LAYOUT_OWN;
}

static uint32_t weight_of(const struct resolver *r, const struct candidate *ep)
{
	return are_for_kube_proxy(r) ? 1 : ep->weight;
}

static bool takes_part(const struct resolver *r, const struct candidate *ep, bool local)
{
	return weight_of(r, ep) && candidate_is_in(ep, local);
}

/* An endpoint answers with that policy. */
static bool has_list(const struct resolver *r, const struct served_port *p, bool local)
{
	for (size_t i = 0; i < p->endpoints.n; i++)
		if (takes_part(r, &p->endpoints.eps[i], local))
			return true;
	return false;
}

/* Something leads to the chain of the list, even if the list is empty. */
static bool list_stands(const struct port_chains *c, bool local)
{
	return !node_view_handed_over(c->r->view) || has_list(c->r, c->p, local);
}

/* The comment of the rule at hand: the name of the port between two texts. */
static const char *comment_on(struct port_chains *c, const char *before, const char *after)
{
	buf_reset(&c->comment);
	buf_adds(&c->comment, before);
	service_port_name(&c->comment, c->p->service, c->p->port);
	buf_adds(&c->comment, after);
	return buf_str(&c->comment);
}

static void endpoint_chain_name(const struct port_chains *c, const struct candidate *ep,
	char name[static CHAIN_NAME_LEN + 1])
{
	char hash[SERVICE_HASH_LEN];

	service_chain_hash(c->p->service, c->p->port, &ep->ip, ep->port, hash);
	service_chain_name(SERVICE_CHAIN_SEP, hash, name);
}

static void lead_to_endpoint(
	struct port_chains *c, const struct candidate *ep, struct rule_match match)
{
	char name[CHAIN_NAME_LEN + 1], address[IP_PORT_STRLEN];

	endpoint_chain_name(c, ep, name);
	if (match.type == MATCH_REMEMBERED)
		match.client.record = name;
	buf_reset(&c->comment);
	service_port_name(&c->comment, c->p->service, c->p->port);
	buf_addf(&c->comment, " -> %s", ip_print_port(&ep->ip, ep->port, address));
	rule_list_add(&c->rules,
		&(struct rule){ .match = { match },
			.target = jump_to(name),
			.comment = buf_str(&c->comment) });
}

/* As resolve_node.c has it for all Services at once. */
static void masquerade_to_cluster_ip(struct port_chains *c)
{
	const struct node_view *view = c->r->view;
	const struct rule_match pods = resolve_match_pods(view, c->p->family);
	const struct cidr to = { .ip = service_cluster_ip(c->p->service, c->p->family),
		.len = ip_bits(c->p->family) };
	/* In the order in which iptables tells them. */
	struct rule rule = {
		.match = { [1] = match_net(MATCH_DESTINATION, &to),
			[3] = { MATCH_PROTOCOL, .protocol = c->p->port->proto },
			[4] = { MATCH_PORTS, .ports = { c->p->port->port, c->p->port->port } } },
		.target = jump_to("KUBE-MARK-MASQ"),
		.comment = comment_on(c, "", " cluster IP")
	};

	if (!view->options->masquerade_all && pods.type == MATCH_ANY)
		return;
	if (!view->options->masquerade_all) {
		const size_t place = pods.type == MATCH_SOURCE ? 0 : 2;

		rule.match[place] = pods;
		rule.match[place].negated = true;
	}
	rule_list_add(&c->rules, &rule);
}

/* The chain that chooses an endpoint: known clients go back to theirs, and of all others each
 * endpoint gets its share of what those before it left. */
static void add_list(struct port_chains *c, bool local)
{
	const struct endpoint_list *eps = &c->p->endpoints;
	char name[CHAIN_NAME_LEN + 1];
	uint64_t rest = 0;

	if (!list_stands(c, local))
		return;
	if (are_for_kube_proxy(c->r) && local == c->p->service->internal_local)
		masquerade_to_cluster_ip(c);
	for (size_t i = 0; i < eps->n; i++) {
		if (!takes_part(c->r, &eps->eps[i], local))
			continue;
		rest += weight_of(c->r, &eps->eps[i]);
		if (c->p->service->affinity_client_ip)
			lead_to_endpoint(c, &eps->eps[i],
				(struct rule_match){ .type = MATCH_REMEMBERED,
					.client.seconds = c->p->service->affinity_timeout });
	}
	for (size_t i = 0; i < eps->n; i++) {
		const uint64_t weight = weight_of(c->r, &eps->eps[i]);
		struct rule_match share = match_any;

		if (!takes_part(c->r, &eps->eps[i], local))
			continue;
		if (weight < rest) {
			share.type = MATCH_SHARE;
			share.share = (uint32_t)((weight * RULE_SHARE_ALL + rest / 2) / rest);
		}
		lead_to_endpoint(c, &eps->eps[i], share);
		rest -= weight;
	}
	service_chain_name(local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC, c->hash, name);
	finish_chain(c, name);
}

/*
 * With the policy Local clients keep their addresses and reach the endpoints here; pods of this
 * node and the node itself may use all, and the node's packets are masqueraded, since its source
 * address may be one that no endpoint could answer.
 */
static void add_external(struct port_chains *c, bool local)
{
	const struct rule_match pods = resolve_match_pods(c->r->view, c->p->family);
	const struct rule_match node = { MATCH_SOURCE_LOCAL };
	char all[CHAIN_NAME_LEN + 1], name[CHAIN_NAME_LEN + 1];
	const struct {
		bool stands;
		const char *what; /* begins the comment */
		struct rule_match match;
		const char *target;
	} rows[] = {
		{ !local, "masquerade traffic for ", match_any, "KUBE-MARK-MASQ" },
		{ local && pods.type != MATCH_ANY, "pod traffic for ", pods, all },
		{ local, "masquerade LOCAL traffic for ", node, "KUBE-MARK-MASQ" },
		{ local, "route LOCAL traffic for ", node, all },
	};

	service_chain_name(SERVICE_CHAIN_SVC, c->hash, all);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].stands)
			rule_list_add(&c->rules,
				&(struct rule){ .match = { rows[i].match },
					.target = jump_to(rows[i].target),
					.comment = comment_on(
						c, rows[i].what, " external destinations") });
	}

	service_chain_name(local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC, c->hash, name);
	if (list_stands(c, local))
		rule_list_add(&c->rules, &(struct rule){ .target = jump_to(name) });
	service_chain_name(SERVICE_CHAIN_EXT, c->hash, name);
	finish_chain(c, name);
}

/* Of kube-proxy's layout: packets to a load balancer address come here first, and leave it where
 * their source is excluded, to be dropped in table filter. */
static void add_firewall(struct port_chains *c)
{
	const struct service *s = c->p->service;
	const struct ip *node_ip = &c->r->view->node_ip[c->p->family == AF_INET6];
	char ext[CHAIN_NAME_LEN + 1], name[CHAIN_NAME_LEN + 1];
	bool node_may = false;

	service_chain_name(SERVICE_CHAIN_EXT, c->hash, ext);
	for (size_t i = 0; i < s->n_source_ranges; i++) {
		const struct cidr *range = &s->source_ranges[i];

		if (range->ip.family != c->p->family)
			continue;
		node_may |= cidr_contains(range, node_ip);
		rule_list_add(&c->rules,
			&(struct rule){ .match = { match_net(MATCH_SOURCE, range) },
				.target = jump_to(ext),
				.comment = comment_on(c, "", " loadbalancer IP") });
	}
	for (size_t i = 0; node_may && i < c->p->frontends.n; i++) {
		const struct frontend *fe = &c->p->frontends.fes[i];
		const struct cidr self = { .ip = fe->ip, .len = ip_bits(c->p->family) };

		if (fe->kind == FRONTEND_LOAD_BALANCER)
			rule_list_add(&c->rules,
				&(struct rule){ .match = { match_net(MATCH_SOURCE, &self) },
					.target = jump_to(ext),
					.comment = comment_on(c, "", " loadbalancer IP") });
	}
	rule_list_add(&c->rules,
		&(struct rule){ .comment = comment_on(c, "other traffic to ",
					" will be dropped by KUBE-PROXY-FIREWALL") });
	service_chain_name(SERVICE_CHAIN_FW, c->hash, name);
	finish_chain(c, name);
}

/* The chains of the port: one for each endpoint, and those that lead to them. */
static void add_chains(struct port_chains *c, bool accessible)
{
	const struct service *s = c->p->service;
	bool external_local = accessible && service_external_local(s);
	bool all = accessible || !s->internal_local;
	bool local = external_local || s->internal_local;

	for (size_t i = 0; i < c->p->endpoints.n; i++) {
		const struct candidate *ep = &c->p->endpoints.eps[i];
		const struct cidr self = { .ip = ep->ip, .len = ip_bits(c->p->family) };
		struct rule rule = { .match = { { MATCH_PROTOCOL, .protocol = c->p->port->proto } },
			.target = { TARGET_DNAT, .to = { ep->ip, ep->port } } };
		char name[CHAIN_NAME_LEN + 1];

		if (!(all && takes_part(c->r, ep, false)) && !(local && takes_part(c->r, ep, true)))
			continue;
		endpoint_chain_name(c, ep, name);
		if (are_for_kube_proxy(c->r)) {
			rule.comment = comment_on(c, "", "");
			rule_list_add(&c->rules,
				&(struct rule){ .match = { match_net(MATCH_SOURCE, &self) },
					.target = jump_to("KUBE-MARK-MASQ"),
					.comment = rule.comment });
		}
		/* The record of an endpoint's clients is named after its chain. */
		if (s->affinity_client_ip)
			rule.match[1] =
				(struct rule_match){ MATCH_REMEMBER, .client.record = name };
		rule_list_add(&c->rules, &rule);
		finish_chain(c, name);
	}
	if (all)
		add_list(c, false);
	if (local)
		add_list(c, true);
	if (accessible && (c->p->endpoints.any || list_stands(c, external_local)))
		add_external(c, external_local);
	if (are_for_kube_proxy(c->r) && accessible && c->p->endpoints.any &&
		served_port_is_restricted(c->p))
		add_firewall(c);
}

/* The addresses and ports of which the node's entrances lead to the chains, and those that filter
 * refuses. */
static void add_entries(const struct port_chains *c)
{
	const struct resolver *r = c->r;
	const struct served_port *p = c->p;
	const struct ip any = { .family = (uint8_t)p->family };
	const uint8_t proto = p->port->proto;
	const uint16_t node_port = p->port->node_port;

	/* The node's rules say which addresses carry node ports, once for all Services; 127.0.0.1,
	 * which is no frontend, may be among them. */
	if (node_port && !served_port_lost_node_port(p))
		fact_list_add(
			r->out, fact_dispatch(&any, node_port, proto, SERVICE_CHAIN_EXT, c->hash));
	if (node_port && !served_port_lost_node_port(p) && proto != IPPROTO_SCTP)
		fact_list_add(r->out,
			fact_member(proto == IPPROTO_TCP ? SET_NODE_PORT_TCP : SET_NODE_PORT_UDP,
				p->family, &any, 0, node_port, NULL));

	for (size_t i = 0; i < p->frontends.n; i++) {
		const struct frontend *fe = &p->frontends.fes[i];
		enum service_chain chain = fe->kind != FRONTEND_CLUSTER_IP ? SERVICE_CHAIN_EXT
			: fe->local					   ? SERVICE_CHAIN_SVL
									   : SERVICE_CHAIN_SVC;

		if (fe->kind != FRONTEND_NODE_PORT)
			fact_list_add(
				r->out, fact_dispatch(&fe->ip, fe->port, proto, chain, c->hash));
		if (!has_list(r, p, fe->local))
			fact_list_add(r->out, resolve_without_endpoints(p, fe));
	}
}

void resolve_iptables_port(const struct resolver *r, const struct served_port *p)
{
	struct port_chains c = { .r = r, .p = p };

	service_chain_hash(p->service, p->port, NULL, 0, c.hash);
	add_chains(&c, service_externally_accessible(p->service, p->port, p->family));
	if (!node_view_handed_over(r->view))
		add_entries(&c);
	rule_list_done(&c.rules);
	buf_done(&c.comment);
}
