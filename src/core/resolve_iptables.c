// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One Service on iptables: the chains of each port, named and filled as kube-proxy's iptables mode
 * does (pkg/proxy/iptables/proxier.go), and for each address and port that it answers on the chain
 * that a new connection enters.
 *
 * Chains and entries depend on the Service alone, their rules on its endpoints: what comes and goes
 * with an endpoint is a chain for itself and the rules that lead to it. What no rule translates is
 * refused or dropped in the filter table (resolve_node_iptables.c), so that a Service without
 * endpoints needs no rule of its own; packets to itself are masqueraded by a set (KUBE-LOOP-BACK),
 * so that an endpoint needs none either.
 *
 * Connections are spread by chance, in proportion to the endpoints' weights.
 */
#include <netinet/in.h>

#include "base/mem.h"
#include "core/service_chain.h"
#include "resolve_own.h"

struct chain {
	struct buf text;
	char name[CHAIN_NAME_LEN + 1];
};

static void chain_begin(struct chain *ch, enum service_chain kind, const char *hash)
{
	service_chain_name(kind, hash, ch->name);
	buf_reset(&ch->text);
}

static void chain_end(const struct context *c, struct chain *ch)
{
	fact_list_add(c->out,
		fact_chain(c->family, TABLE_NAT, ch->name, text_put(c->texts, buf_str(&ch->text))));
}

/* The record of an endpoint's clients is named after its chain. */
static void name_record(const struct context *c, struct buf *b, const char *chain_name)
{
	buf_addf(b, " --name %s --mask %s --rsource", chain_name,
		c->family == AF_INET6 ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
				      : "255.255.255.255");
}

static bool takes_part(const struct chosen *ep, bool local)
{
	return ep->weight && (local ? ep->in_local : ep->in_cluster);
}

static bool any_takes_part(const struct endpoint_list *l, bool local)
{
	for (size_t i = 0; i < l->n; i++)
		if (takes_part(&l->eps[i], local))
			return true;
	return false;
}

static void endpoint_chain_name(
	const struct context *c, const struct chosen *ep, char name[static CHAIN_NAME_LEN + 1])
{
	char hash[SERVICE_HASH_LEN];

	service_endpoint_hash(c->service, c->port, &ep->ip, ep->port, hash);
	service_chain_name(SERVICE_CHAIN_SEP, hash, name);
}

static void add_endpoint_chain(const struct context *c, const struct chosen *ep, struct chain *ch)
{
	const char *proto = proto_lower(c->port->proto);
	char address[IP_PORT_STRLEN];

	endpoint_chain_name(c, ep, ch->name);
	buf_reset(&ch->text);
	buf_addf(&ch->text, "-A %s -p %s", ch->name, proto);
	if (c->service->affinity_client_ip) {
		buf_adds(&ch->text, " -m recent --set");
		name_record(c, &ch->text, ch->name);
	}
	buf_addf(&ch->text, " -j DNAT --to-destination %s\n",
		ip_print_port(&ep->ip, ep->port, address));
	chain_end(c, ch);
}

/* "-A CHAIN -m comment --comment "ns/name:port -> 10.244.1.7:8080"" */
static void begin_endpoint_rule(const struct context *c, const struct chosen *ep, struct chain *ch)
{
	char address[IP_PORT_STRLEN];

	buf_addf(&ch->text, "-A %s -m comment --comment \"", ch->name);
	service_port_name(&ch->text, c->service, c->port);
	buf_addf(&ch->text, " -> %s\"", ip_print_port(&ep->ip, ep->port, address));
}

static void add_affinity(const struct context *c, bool local, struct chain *ch)
{
	char target[CHAIN_NAME_LEN + 1];

	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct chosen *ep = &c->endpoints.eps[i];

		if (!takes_part(ep, local))
			continue;
		endpoint_chain_name(c, ep, target);
		begin_endpoint_rule(c, ep, ch);
		buf_addf(&ch->text, " -m recent --rcheck --seconds %u --reap",
			c->service->affinity_timeout);
		name_record(c, &ch->text, target);
		buf_addf(&ch->text, " -j %s\n", target);
	}
}

/*
 * The kernel compares 31 random bits (xt_statistic.c); iptables rounds what it reads to them, and
 * prints them with 11 digits. Written like that a rule is read back unchanged.
 */
static void match_share(struct buf *b, uint64_t weight, uint64_t all)
{
	enum { BITS = 31 };
	uint64_t threshold = ((weight << BITS) + all / 2) / all;

	buf_addf(b, " -m statistic --mode random --probability %.11f",
		(double)threshold / (double)(UINT64_C(1) << BITS));
}

/* An endpoint gets its share of what those before it left. */
static void add_balancing(const struct context *c, bool local, struct chain *ch)
{
	char target[CHAIN_NAME_LEN + 1];
	uint64_t rest = 0;

	for (size_t i = 0; i < c->endpoints.n; i++)
		if (takes_part(&c->endpoints.eps[i], local))
			rest += c->endpoints.eps[i].weight;
	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct chosen *ep = &c->endpoints.eps[i];

		if (!takes_part(ep, local))
			continue;
		begin_endpoint_rule(c, ep, ch);
		if (ep->weight < rest)
			match_share(&ch->text, ep->weight, rest);
		endpoint_chain_name(c, ep, target);
		buf_addf(&ch->text, " -j %s\n", target);
		rest -= ep->weight;
	}
}

static void add_list(const struct context *c, bool local, struct chain *ch)
{
	chain_begin(ch, local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC, c->hash);
	if (c->service->affinity_client_ip)
		add_affinity(c, local, ch);
	add_balancing(c, local, ch);
	chain_end(c, ch);
}

/* "-A CHAIN MATCH -m comment --comment "WHAT traffic for ns/name:port external destinations"" */
static void begin_external_rule(
	const struct context *c, struct chain *ch, const char *match, const char *what)
{
	buf_addf(
		&ch->text, "-A %s%s -m comment --comment \"%s traffic for ", ch->name, match, what);
	service_port_name(&ch->text, c->service, c->port);
	buf_adds(&ch->text, " external destinations\"");
}

/*
 * With the policy Local clients keep their addresses and reach the endpoints here; pods of this
 * node and the node itself may use all, and the node's packets are masqueraded, since its source
 * address may be one that no endpoint could answer.
 */
static void add_local_policy(const struct context *c, struct chain *ch)
{
	_cleanup_(buf_done) struct buf pods = { 0 };
	char all[CHAIN_NAME_LEN + 1];

	service_chain_name(SERVICE_CHAIN_SVC, c->hash, all);
	if (resolve_match_pods(&pods, c->view, c->family, false)) {
		begin_external_rule(c, ch, buf_str(&pods), "pod");
		buf_addf(&ch->text, " -j %s\n", all);
	}
	begin_external_rule(c, ch, "", "masquerade LOCAL");
	buf_adds(&ch->text, " -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n");
	begin_external_rule(c, ch, "", "route LOCAL");
	buf_addf(&ch->text, " -m addrtype --src-type LOCAL -j %s\n", all);
}

static void add_external(const struct context *c, bool local, struct chain *ch)
{
	char list[CHAIN_NAME_LEN + 1];

	chain_begin(ch, SERVICE_CHAIN_EXT, c->hash);
	if (local) {
		add_local_policy(c, ch);
	} else {
		begin_external_rule(c, ch, "", "masquerade");
		buf_adds(&ch->text, " -j KUBE-MARK-MASQ\n");
	}
	service_chain_name(local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC, c->hash, list);
	buf_addf(&ch->text, "-A %s -j %s\n", ch->name, list);
	chain_end(c, ch);
}

static void add_dispatch(
	const struct context *c, const struct ip *ip, uint16_t port, enum service_chain chain)
{
	fact_list_add(c->out, fact_dispatch(ip, port, c->port->proto, chain, c->hash));
}

/*
 * Which addresses carry node ports is said by the node's rules, once for all Services; 127.0.0.1,
 * which is no frontend, may be among them.
 */
static void add_node_port(const struct context *c)
{
	const struct ip any = { .family = (uint8_t)c->family };
	uint16_t port = c->port->node_port;

	add_dispatch(c, &any, port, SERVICE_CHAIN_EXT);
	if (c->port->proto != IPPROTO_SCTP)
		fact_list_add(c->out,
			fact_member(c->port->proto == IPPROTO_TCP ? SET_NODE_PORT_TCP
								  : SET_NODE_PORT_UDP,
				c->family, &any, 0, port, NULL));
}

void iptables_add_port(struct context *c)
{
	bool accessible = service_externally_accessible(c->service, c->port, c->family);
	bool external_local = accessible && service_external_local(c->service);
	bool all = accessible || !c->service->internal_local;
	bool local = external_local || c->service->internal_local;
	struct chain ch = { 0 };

	service_port_hash(c->service, c->port, c->hash);
	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct chosen *ep = &c->endpoints.eps[i];

		if ((all && takes_part(ep, false)) || (local && takes_part(ep, true)))
			add_endpoint_chain(c, ep, &ch);
	}
	if (all)
		add_list(c, false, &ch);
	if (local)
		add_list(c, true, &ch);
	if (accessible)
		add_external(c, external_local, &ch);
	if (c->port->node_port)
		add_node_port(c);
	buf_done(&ch.text);
}

void iptables_add_frontend(const struct context *c, const struct frontend *fe)
{
	enum set_id refused = fe->local && c->endpoints.any ? SET_NO_LOCAL : SET_NO_ENDPOINTS;

	if (fe->kind == FRONTEND_CLUSTER_IP)
		add_dispatch(
			c, &fe->ip, fe->port, fe->local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC);
	else if (fe->kind != FRONTEND_NODE_PORT)
		add_dispatch(c, &fe->ip, fe->port, SERVICE_CHAIN_EXT);
	if (!any_takes_part(&c->endpoints, fe->local))
		fact_list_add(c->out,
			fact_member(refused, c->family, &fe->ip, c->port->proto, fe->port, NULL));
}
