// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One Service on iptables: the chains of each port, named and filled as kube-proxy's iptables mode
 * does (pkg/proxy/iptables/proxier.go), and for each address and port that it answers on the chain
 * that a new connection enters.
 *
 * Chains and entries depend on the Service alone, their rules on its endpoints: what comes and goes
 * with an endpoint is a chain for itself and the rules that lead to it. What no rule translates is
 * refused or dropped in the filter table (resolve_node.c), so that a Service without
 * endpoints needs no rule of its own; packets to itself are masqueraded by a set (KUBE-LOOP-BACK),
 * so that an endpoint needs none either.
 *
 * Connections are spread by chance, in proportion to the endpoints' weights.
 */
#include <netinet/in.h>

#include "base/mem.h"
#include "core/service_chain.h"
#include "resolve_own.h"

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

static bool any_takes_part(const struct endpoint_list *l, bool local)
{
	for (size_t i = 0; i < l->n; i++)
		if (takes_part(&l->eps[i], local))
			return true;
	return false;
}

static void endpoint_chain_name(const struct port_chains *c, const struct candidate *ep,
	char name[static CHAIN_NAME_LEN + 1])
{
	char hash[SERVICE_HASH_LEN];

	service_endpoint_hash(c->p->service, c->p->port, &ep->ip, ep->port, hash);
	service_chain_name(SERVICE_CHAIN_SEP, hash, name);
}

/* The record of an endpoint's clients is named after its chain. */
static void add_endpoint_chain(struct port_chains *c, const struct candidate *ep)
{
	const bool affinity = c->p->service->affinity_client_ip;
	char name[CHAIN_NAME_LEN + 1];

	endpoint_chain_name(c, ep, name);
	rule_list_add(&c->rules,
		&(struct rule){ .match = { match_protocol(c->p->port->proto),
					{ .type = affinity ? MATCH_REMEMBER : MATCH_ANY,
						.client.record = name } },
			.target = { .type = TARGET_DNAT, .to = { ep->ip, ep->port } } });
	finish_chain(c, name);
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

/* With the comment "WHAT traffic for ns/name:port external destinations". */
static void add_external_rule(
	struct port_chains *c, const char *what, struct rule_match match, const char *target)
{
	buf_reset(&c->comment);
	buf_addf(&c->comment, "%s traffic for ", what);
	service_port_name(&c->comment, c->p->service, c->p->port);
	buf_adds(&c->comment, " external destinations");
	rule_list_add(&c->rules,
		&(struct rule){ .match = { match },
			.target = jump_to(target),
			.comment = buf_str(&c->comment) });
}

/*
 * With the policy Local clients keep their addresses and reach the endpoints here; pods of this
 * node and the node itself may use all, and the node's packets are masqueraded, since its source
 * address may be one that no endpoint could answer.
 */
static void add_external(struct port_chains *c, bool local)
{
	const struct rule_match pods = resolve_match_pods(c->r->view, c->p->family);
	const struct rule_match node = match_of(MATCH_SOURCE_LOCAL);
	char all[CHAIN_NAME_LEN + 1], name[CHAIN_NAME_LEN + 1];

	service_chain_name(SERVICE_CHAIN_SVC, c->hash, all);
	if (!local) {
		add_external_rule(c, "masquerade", match_any, "KUBE-MARK-MASQ");
	} else {
		if (pods.type != MATCH_ANY)
			add_external_rule(c, "pod", pods, all);
		add_external_rule(c, "masquerade LOCAL", node, "KUBE-MARK-MASQ");
		add_external_rule(c, "route LOCAL", node, all);
	}
	service_chain_name(local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC, c->hash, name);
	rule_list_add(&c->rules, &(struct rule){ .target = jump_to(name) });
	service_chain_name(SERVICE_CHAIN_EXT, c->hash, name);
	finish_chain(c, name);
}

static void add_dispatch(
	const struct port_chains *c, const struct ip *ip, uint16_t port, enum service_chain chain)
{
	fact_list_add(c->r->out, fact_dispatch(ip, port, c->p->port->proto, chain, c->hash));
}

/*
 * Which addresses carry node ports is said by the node's rules, once for all Services; 127.0.0.1,
 * which is no frontend, may be among them.
 */
static void add_node_port(const struct port_chains *c)
{
	const struct ip any = { .family = (uint8_t)c->p->family };
	uint16_t port = c->p->port->node_port;

	add_dispatch(c, &any, port, SERVICE_CHAIN_EXT);
	if (c->p->port->proto != IPPROTO_SCTP)
		fact_list_add(c->r->out,
			fact_member(c->p->port->proto == IPPROTO_TCP ? SET_NODE_PORT_TCP
								     : SET_NODE_PORT_UDP,
				c->p->family, &any, 0, port, NULL));
}

static void add_chains(struct port_chains *c)
{
	bool accessible = service_externally_accessible(c->p->service, c->p->port, c->p->family);
	bool external_local = accessible && service_external_local(c->p->service);
	bool all = accessible || !c->p->service->internal_local;
	bool local = external_local || c->p->service->internal_local;

	for (size_t i = 0; i < c->p->endpoints.n; i++) {
		const struct candidate *ep = &c->p->endpoints.eps[i];

		if ((all && takes_part(ep, false)) || (local && takes_part(ep, true)))
			add_endpoint_chain(c, ep);
	}
	if (all)
		add_list(c, false);
	if (local)
		add_list(c, true);
	if (accessible)
		add_external(c, external_local);
	if (c->p->port->node_port)
		add_node_port(c);
}

static void add_frontend(const struct port_chains *c, const struct frontend *fe)
{
	enum set_id refused = fe->local && c->p->endpoints.any ? SET_NO_LOCAL : SET_NO_ENDPOINTS;

	if (fe->kind == FRONTEND_CLUSTER_IP)
		add_dispatch(
			c, &fe->ip, fe->port, fe->local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC);
	else if (fe->kind != FRONTEND_NODE_PORT)
		add_dispatch(c, &fe->ip, fe->port, SERVICE_CHAIN_EXT);
	if (!any_takes_part(&c->p->endpoints, fe->local))
		fact_list_add(c->r->out,
			fact_member(
				refused, c->p->family, &fe->ip, c->p->port->proto, fe->port, NULL));
}

void resolve_iptables_port(const struct resolver *r, const struct served_port *p)
{
	struct port_chains c = { .r = r, .p = p };

	service_port_hash(p->service, p->port, c.hash);
	add_chains(&c);
	for (size_t i = 0; i < p->frontends.n; i++)
		add_frontend(&c, &p->frontends.fes[i]);
	rule_list_done(&c.rules);
	buf_done(&c.comment);
}
