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

static bool takes_part(const struct candidate *ep, bool local)
{
	return ep->weight && candidate_is_in(ep, local);
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

/* The chain that chooses an endpoint: known clients go back to theirs, and of all others each
 * endpoint gets its share of what those before it left. */
static void add_list(struct port_chains *c, bool local)
{
	const struct endpoint_list *eps = &c->p->endpoints;
	char name[CHAIN_NAME_LEN + 1];
	uint64_t rest = 0;

	for (size_t i = 0; i < eps->n; i++) {
		if (!takes_part(&eps->eps[i], local))
			continue;
		rest += eps->eps[i].weight;
		if (c->p->service->affinity_client_ip)
			lead_to_endpoint(c, &eps->eps[i],
				(struct rule_match){ .type = MATCH_REMEMBERED,
					.client.seconds = c->p->service->affinity_timeout });
	}
	for (size_t i = 0; i < eps->n; i++) {
		const uint64_t weight = eps->eps[i].weight;
		struct rule_match share = match_any;

		if (!takes_part(&eps->eps[i], local))
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
		const char *what;
		struct rule_match match;
		const char *target;
	} rows[] = {
		{ !local, "masquerade", match_any, "KUBE-MARK-MASQ" },
		{ local && pods.type != MATCH_ANY, "pod", pods, all },
		{ local, "masquerade LOCAL", node, "KUBE-MARK-MASQ" },
		{ local, "route LOCAL", node, all },
	};

	service_chain_name(SERVICE_CHAIN_SVC, c->hash, all);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].stands)
			continue;
		buf_reset(&c->comment);
		buf_addf(&c->comment, "%s traffic for ", rows[i].what);
		service_port_name(&c->comment, c->p->service, c->p->port);
		buf_adds(&c->comment, " external destinations");
		rule_list_add(&c->rules,
			&(struct rule){ .match = { rows[i].match },
				.target = jump_to(rows[i].target),
				.comment = buf_str(&c->comment) });
	}

	service_chain_name(local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC, c->hash, name);
	rule_list_add(&c->rules, &(struct rule){ .target = jump_to(name) });
	service_chain_name(SERVICE_CHAIN_EXT, c->hash, name);
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
		struct rule rule = { .match = { { MATCH_PROTOCOL, .protocol = c->p->port->proto } },
			.target = { TARGET_DNAT, .to = { ep->ip, ep->port } } };
		char name[CHAIN_NAME_LEN + 1];

		if (!(all && takes_part(ep, false)) && !(local && takes_part(ep, true)))
			continue;
		endpoint_chain_name(c, ep, name);
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
	if (accessible)
		add_external(c, external_local);
}

/* Another Service has the node port. */
static bool lost_node_port(const struct served_port *p)
{
	for (size_t i = 0; i < p->refused.n; i++)
		if (p->refused.fes[i].kind == FRONTEND_NODE_PORT)
			return true;
	return false;
}

void resolve_iptables_port(const struct resolver *r, const struct served_port *p)
{
	const struct ip any = { .family = (uint8_t)p->family };
	const uint8_t proto = p->port->proto;
	const uint16_t node_port = p->port->node_port;
	struct port_chains c = { .r = r, .p = p };

	service_chain_hash(p->service, p->port, NULL, 0, c.hash);
	add_chains(&c, service_externally_accessible(p->service, p->port, p->family));

	/* The node's rules say which addresses carry node ports, once for all Services; 127.0.0.1,
	 * which is no frontend, may be among them. */
	if (node_port && !lost_node_port(p))
		fact_list_add(
			r->out, fact_dispatch(&any, node_port, proto, SERVICE_CHAIN_EXT, c.hash));
	if (node_port && !lost_node_port(p) && proto != IPPROTO_SCTP)
		fact_list_add(r->out,
			fact_member(proto == IPPROTO_TCP ? SET_NODE_PORT_TCP : SET_NODE_PORT_UDP,
				p->family, &any, 0, node_port, NULL));

	for (size_t i = 0; i < p->frontends.n; i++) {
		const struct frontend *fe = &p->frontends.fes[i];
		enum set_id refused =
			fe->local && p->endpoints.any ? SET_NO_LOCAL : SET_NO_ENDPOINTS;
		enum service_chain chain = fe->kind != FRONTEND_CLUSTER_IP ? SERVICE_CHAIN_EXT
			: fe->local					   ? SERVICE_CHAIN_SVL
									   : SERVICE_CHAIN_SVC;
		bool answered = false;

		if (fe->kind != FRONTEND_NODE_PORT)
			fact_list_add(
				r->out, fact_dispatch(&fe->ip, fe->port, proto, chain, c.hash));
		for (size_t k = 0; k < p->endpoints.n && !answered; k++)
			answered = takes_part(&p->endpoints.eps[k], fe->local);
		if (!answered)
			fact_list_add(r->out,
				fact_member(refused, p->family, &fe->ip, proto, fe->port, NULL));
	}
	rule_list_done(&c.rules);
	buf_done(&c.comment);
}
