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

/* One port while its chains are made. */
struct context {
	const struct resolver *r;
	const struct served_port *p;
	char hash[SERVICE_HASH_LEN]; /* in the names of its chains */
};

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
	fact_list_add(c->r->out,
		fact_chain(c->p->family, TABLE_NAT, ch->name,
			text_put(c->r->texts, buf_str(&ch->text))));
}

/* The record of an endpoint's clients is named after its chain. */
static void name_record(const struct context *c, struct buf *b, const char *chain_name)
{
	buf_addf(b, " --name %s --mask %s --rsource", chain_name,
		c->p->family == AF_INET6 ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
					 : "255.255.255.255");
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

static void endpoint_chain_name(
	const struct context *c, const struct candidate *ep, char name[static CHAIN_NAME_LEN + 1])
{
	char hash[SERVICE_HASH_LEN];

	service_endpoint_hash(c->p->service, c->p->port, &ep->ip, ep->port, hash);
	service_chain_name(SERVICE_CHAIN_SEP, hash, name);
}

static void add_endpoint_chain(
	const struct context *c, const struct candidate *ep, struct chain *ch)
{
	const char *proto = proto_lower(c->p->port->proto);
	char address[IP_PORT_STRLEN];

	endpoint_chain_name(c, ep, ch->name);
	buf_reset(&ch->text);
	buf_addf(&ch->text, "-A %s -p %s", ch->name, proto);
	if (c->p->service->affinity_client_ip) {
		buf_adds(&ch->text, " -m recent --set");
		name_record(c, &ch->text, ch->name);
	}
	buf_addf(&ch->text, " -j DNAT --to-destination %s\n",
		ip_print_port(&ep->ip, ep->port, address));
	chain_end(c, ch);
}

/* "-A CHAIN -m comment --comment "ns/name:port -> 10.244.1.7:8080"" */
static void begin_endpoint_rule(
	const struct context *c, const struct candidate *ep, struct chain *ch)
{
	char address[IP_PORT_STRLEN];

	buf_addf(&ch->text, "-A %s -m comment --comment \"", ch->name);
	service_port_name(&ch->text, c->p->service, c->p->port);
	buf_addf(&ch->text, " -> %s\"", ip_print_port(&ep->ip, ep->port, address));
}

static void add_affinity(const struct context *c, bool local, struct chain *ch)
{
	char target[CHAIN_NAME_LEN + 1];

	for (size_t i = 0; i < c->p->endpoints.n; i++) {
		const struct candidate *ep = &c->p->endpoints.eps[i];

		if (!takes_part(ep, local))
			continue;
		endpoint_chain_name(c, ep, target);
		begin_endpoint_rule(c, ep, ch);
		buf_addf(&ch->text, " -m recent --rcheck --seconds %u --reap",
			c->p->service->affinity_timeout);
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

	for (size_t i = 0; i < c->p->endpoints.n; i++)
		if (takes_part(&c->p->endpoints.eps[i], local))
			rest += c->p->endpoints.eps[i].weight;
	for (size_t i = 0; i < c->p->endpoints.n; i++) {
		const struct candidate *ep = &c->p->endpoints.eps[i];

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
	if (c->p->service->affinity_client_ip)
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
	service_port_name(&ch->text, c->p->service, c->p->port);
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
	if (resolve_match_pods(&pods, c->r->view, c->p->family, false)) {
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
	fact_list_add(c->r->out, fact_dispatch(ip, port, c->p->port->proto, chain, c->hash));
}

/*
 * Which addresses carry node ports is said by the node's rules, once for all Services; 127.0.0.1,
 * which is no frontend, may be among them.
 */
static void add_node_port(const struct context *c)
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

static void add_chains(const struct context *c)
{
	bool accessible = service_externally_accessible(c->p->service, c->p->port, c->p->family);
	bool external_local = accessible && service_external_local(c->p->service);
	bool all = accessible || !c->p->service->internal_local;
	bool local = external_local || c->p->service->internal_local;
	struct chain ch = { 0 };

	for (size_t i = 0; i < c->p->endpoints.n; i++) {
		const struct candidate *ep = &c->p->endpoints.eps[i];

		if ((all && takes_part(ep, false)) || (local && takes_part(ep, true)))
			add_endpoint_chain(c, ep, &ch);
	}
	if (all)
		add_list(c, false, &ch);
	if (local)
		add_list(c, true, &ch);
	if (accessible)
		add_external(c, external_local, &ch);
	if (c->p->port->node_port)
		add_node_port(c);
	buf_done(&ch.text);
}

static void add_frontend(const struct context *c, const struct frontend *fe)
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
	struct context c = { .r = r, .p = p };

	service_port_hash(p->service, p->port, c.hash);
	add_chains(&c);
	for (size_t i = 0; i < p->frontends.n; i++)
		add_frontend(&c, &p->frontends.fes[i]);
}
