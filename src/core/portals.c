// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of Services in the chains of the node that kube-proxy's iptables mode has
 * (pkg/proxy/iptables/proxier.go): one after the other for all addresses and ports. We make them
 * only to hand over, see resolve_node.c.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "base/mem.h"
#include "core/health_checks.h"
#include "core/resolve.h"
#include "core/service_chain.h"

/* One port of a Service while its rules are made. */
struct portal_port {
	struct portals *portals;
	const struct served_port *p;
	char hash[SERVICE_HASH_LEN];
	struct buf comment; /* of the rule at hand */
	/* An endpoint answers from inside, and from outside. */
	bool internal, external;
};

static const char *comment_of(struct portal_port *c, const char *after)
{
	buf_reset(&c->comment);
	service_port_name(&c->comment, c->p->service, c->p->port);
	buf_adds(&c->comment, after);
	return buf_str(&c->comment);
}

/* A rule for packets to a port `where` that match says. */
static void add_portal(struct portal_port *c, enum portal_chain chain, struct rule_match where,
	uint16_t port, struct rule_target target, const char *comment)
{
	const bool address = where.type == MATCH_DESTINATION;
	const struct rule rule = {
		/* In the order in which iptables tells them. */
		.match = { address ? where : match_any,
			{ MATCH_PROTOCOL, .protocol = c->p->port->proto },
			address ? match_any : where, { MATCH_PORTS, .ports = { port, port } } },
		.target = target,
		.comment = comment_of(c, comment),
	};

	rule_list_add(&c->portals->rules[c->p->family == AF_INET6][chain], &rule);
}

/* Nobody answers there: dropped where an endpoint is elsewhere, as another node may answer. */
static void refuse(
	struct portal_port *c, enum portal_chain chain, struct rule_match where, uint16_t port)
{
	const bool elsewhere = c->p->endpoints.any;

	add_portal(c, chain, where, port, elsewhere ? to_drop : to_reject,
		elsewhere ? " has no local endpoints" : " has no endpoints");
}

static void add_frontend(struct portal_port *c, const struct frontend *fe)
{
	const struct cidr to = { .ip = fe->ip, .len = ip_bits(c->p->family) };
	const struct rule_match there = match_net(MATCH_DESTINATION, &to);
	const bool any = c->p->endpoints.any, restricted = served_port_is_restricted(c->p);
	char name[CHAIN_NAME_LEN + 1], why[CHAIN_NAME_LEN + 40];

	switch (fe->kind) {
	case FRONTEND_CLUSTER_IP:
		service_chain_name(
			fe->local ? SERVICE_CHAIN_SVL : SERVICE_CHAIN_SVC, c->hash, name);
		if (c->internal)
			add_portal(
				c, PORTAL_SERVICES, there, fe->port, jump_to(name), " cluster IP");
		else
			refuse(c, PORTAL_REFUSALS, there, fe->port);
		return;
	case FRONTEND_EXTERNAL_IP:
		service_chain_name(SERVICE_CHAIN_EXT, c->hash, name);
		if (any)
			add_portal(
				c, PORTAL_SERVICES, there, fe->port, jump_to(name), " external IP");
		break;
	case FRONTEND_LOAD_BALANCER:
		service_chain_name(
			restricted ? SERVICE_CHAIN_FW : SERVICE_CHAIN_EXT, c->hash, name);
		if (any)
			add_portal(c, PORTAL_SERVICES, there, fe->port, jump_to(name),
				" loadbalancer IP");
		snprintf(why, sizeof(why), " traffic not accepted by %s", name);
		if (any && restricted)
			add_portal(c, PORTAL_FIREWALL, there, fe->port, to_drop, why);
		break;
	case FRONTEND_NODE_PORT: /* one rule for all addresses */
		return;
	}
	if (!c->external)
		refuse(c, PORTAL_EXTERNAL_REFUSALS, there, fe->port);
}

static void add_node_port(struct portal_port *c)
{
	const struct rule_match node = { MATCH_DESTINATION_LOCAL };
	const uint16_t port = c->p->port->node_port;
	char name[CHAIN_NAME_LEN + 1];

	if (!port || served_port_lost_node_port(c->p))
		return;
	service_chain_name(SERVICE_CHAIN_EXT, c->hash, name);
	if (c->p->endpoints.any)
		add_portal(c, PORTAL_NODE_PORTS, match_any, port, jump_to(name), "");
	if (!c->external)
		refuse(c, PORTAL_EXTERNAL_REFUSALS, node, port);
}

static void add_health_check(struct portal_port *c)
{
	const uint16_t port = c->p->service->health_check_node_port;

	rule_list_add(&c->portals->rules[c->p->family == AF_INET6][PORTAL_HEALTH_CHECKS],
		&(struct rule){ .match = { { MATCH_PROTOCOL, .protocol = IPPROTO_TCP },
					{ MATCH_PORTS, .ports = { port, port } } },
			.target = to_accept,
			.comment = comment_of(c, " health check node port") });
}

void portals_add(struct portals *portals, const struct served_ports *served)
{
	for (size_t k = 0; k < served->n; k++) {
		const struct served_port *p = &served->ports[k];
		const struct endpoint_list *eps = &p->endpoints;
		struct portal_port c = { .portals = portals,
			.p = p,
			.internal = p->service->internal_local ? eps->n_local : eps->any,
			.external = service_external_local(p->service) ? eps->n_local : eps->any };

		service_chain_hash(p->service, p->port, NULL, 0, c.hash);
		for (size_t i = 0; i < p->frontends.n; i++)
			add_frontend(&c, &p->frontends.fes[i]);
		add_node_port(&c);
		if ((!k || p[-1].family != p->family) && service_has_health_check(p->service))
			add_health_check(&c);
		buf_done(&c.comment);
	}
}

void portals_done(struct portals *portals)
{
	for (enum portal_chain c = 0; c < PORTAL_CHAINS; c++) {
		rule_list_done(&portals->rules[0][c]);
		rule_list_done(&portals->rules[1][c]);
	}
}
