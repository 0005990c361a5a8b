// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One Service on IPVS: a virtual server for each address and port that it answers on, its real
 * servers, the VIPs made local, and the set members that the node's rules (resolve_node.c) refer
 * to. The layout is that of kube-proxy's IPVS mode, so that a node can be taken over in place.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/endpoints.h"
#include "core/frontends.h"
#include "core/marks.h"
#include "core/resolve.h"

/* One port of a Service in one family, while its facts are made. */
struct context {
	const struct service *service;
	const struct service_port *port;
	const struct policy *policy;
	int family;
	struct endpoint_list endpoints;
	struct frontend_list frontends;
	uint32_t mark; /* of in-cluster traffic to its external addresses; 0: none */
	struct fact_list *out;
};

static void add_member(const struct context *c, enum set_id set, const struct ip *ip, uint16_t port,
	const struct cidr *second)
{
	fact_list_add(c->out, fact_member(set, c->family, ip, c->port->proto, port, second));
}

/*
 * Persistence of a virtual server that is selected by mark leaves the packet's port as it is
 * (ip_vs_sched_persist), so there a hash of the client's address holds it to one real server. A
 * real server of weight 0 keeps places in the table of "sh", which then needs another one.
 */
static void set_affinity(const struct context *c, struct fact *vs)
{
	if (vs->key.proto) {
		vs->val.vs.flags |= VS_PERSISTENT;
		vs->val.vs.timeout = c->service->affinity_timeout;
	} else if (!policy_scheduler_missing(c->policy, "sh")) {
		strcpy(vs->val.vs.scheduler, "sh");
		vs->val.vs.flags |= VS_SCHED_SH_FALLBACK;
	}
}

static void add_real_servers(const struct context *c, struct fact vs, bool local)
{
	snprintf(vs.val.vs.scheduler, sizeof(vs.val.vs.scheduler), "%s",
		resolve_scheduler(c->service, c->policy));
	if (c->service->affinity_client_ip)
		set_affinity(c, &vs);
	/* Without it mh hashes the client's address alone, and one client never spreads over its
	 * connections. */
	if (!strcmp(vs.val.vs.scheduler, "mh"))
		vs.val.vs.flags |= VS_SCHED_MH_PORT;
	fact_list_add(c->out, vs);
	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct chosen *ep = &c->endpoints.eps[i];

		if (local ? ep->in_local : ep->in_cluster)
			fact_list_add(c->out, fact_rs(&vs.key, &ep->ip, ep->port, ep->weight));
	}
}

/*
 * With a Local policy only endpoints here may answer. Where there are none but elsewhere there are,
 * packets are dropped, in mangle, before IPVS refuses them; where there are none at all, IPVS
 * refuses them. Pods and the node itself may use all endpoints of an external address, so their
 * packets are marked, and there is a virtual server for the mark.
 */
static void add_virtual_server(const struct context *c, const struct frontend *fe)
{
	add_real_servers(c, fact_vs(&fe->ip, fe->port, c->port->proto), fe->local);
	if (!fe->local)
		return;
	if (c->policy->mark_mask && !c->endpoints.n_local && c->endpoints.any)
		add_member(c, SET_NO_LOCAL, &fe->ip, fe->port, NULL);
	if (fe->kind != FRONTEND_CLUSTER_IP && c->mark)
		fact_list_add(c->out,
			fact_member_mark(SET_LOCAL_MARK, c->family, &fe->ip, c->port->proto,
				fe->port, c->mark, c->policy->mark_mask));
}

static void add_vip(const struct context *c, const struct ip *vip)
{
	const struct ip *source = &c->policy->node_ip[c->family == AF_INET6];

	add_member(c, SET_IPVS_IPS, vip, 0, NULL);
	if (c->policy->vip_mode == VIP_ADDRESS)
		fact_list_add(c->out, fact_addr(vip));
	else
		fact_list_add(c->out, fact_route(vip, source));
}

/*
 * The ranges of one family say nothing about the other, and a range that is everything lifts the
 * restriction (pkg/proxy/serviceport.go).
 */
static bool restricted(const struct context *c)
{
	bool any = false;

	for (size_t i = 0; i < c->service->n_source_ranges; i++) {
		const struct cidr *range = &c->service->source_ranges[i];

		if (range->ip.family != c->family)
			continue;
		if (!range->len)
			return false;
		any = true;
	}
	return any;
}

static void add_source_ranges(const struct context *c, const struct frontend *fe)
{
	const struct ip *node_ip = &c->policy->node_ip[c->family == AF_INET6];
	const struct cidr self = { .ip = fe->ip, .len = ip_bits(c->family) };

	if (!restricted(c))
		return;
	add_member(c, SET_LOAD_BALANCER_FW, &fe->ip, fe->port, NULL);
	for (size_t i = 0; i < c->service->n_source_ranges; i++) {
		const struct cidr *range = &c->service->source_ranges[i];

		if (range->ip.family != c->family)
			continue;
		add_member(c, SET_LOAD_BALANCER_SOURCE_CIDR, &fe->ip, fe->port, range);
		if (cidr_contains(range, node_ip))
			add_member(c, SET_LOAD_BALANCER_SOURCE_IP, &fe->ip, fe->port, &self);
	}
}

static void add_node_port_members(const struct context *c, const struct frontend *fe)
{
	static const enum set_id sets[][2] = {
		[IPPROTO_TCP] = { SET_NODE_PORT_TCP, SET_NODE_PORT_LOCAL_TCP },
		[IPPROTO_UDP] = { SET_NODE_PORT_UDP, SET_NODE_PORT_LOCAL_UDP },
		[IPPROTO_SCTP] = { SET_NODE_PORT_SCTP, SET_NODE_PORT_LOCAL_SCTP },
	};
	const enum set_id *set = sets[c->port->proto];

	add_member(c, set[0], &fe->ip, fe->port, NULL);
	if (fe->local)
		add_member(c, set[1], &fe->ip, fe->port, NULL);
}

static void add_frontend(const struct context *c, const struct frontend *fe)
{
	switch (fe->kind) {
	case FRONTEND_CLUSTER_IP:
		add_member(c, SET_CLUSTER_IP, &fe->ip, fe->port, NULL);
		break;
	case FRONTEND_EXTERNAL_IP:
		add_member(c, fe->local ? SET_EXTERNAL_IP_LOCAL : SET_EXTERNAL_IP, &fe->ip,
			fe->port, NULL);
		break;
	case FRONTEND_LOAD_BALANCER:
		add_member(c, SET_LOAD_BALANCER, &fe->ip, fe->port, NULL);
		if (fe->local)
			add_member(c, SET_LOAD_BALANCER_LOCAL, &fe->ip, fe->port, NULL);
		add_source_ranges(c, fe);
		break;
	case FRONTEND_NODE_PORT:
		add_node_port_members(c, fe);
		break;
	}
	add_virtual_server(c, fe);
	if (fe->vip)
		add_vip(c, &fe->ip);
}

/* Every endpoint here, whatever its state: it may reach itself through a connection that it holds.
 */
static void add_loop_back(const struct context *c)
{
	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct chosen *ep = &c->endpoints.eps[i];
		const struct cidr self = { .ip = ep->ip, .len = ip_bits(c->family) };

		if (ep->local)
			add_member(c, SET_LOOP_BACK, &ep->ip, ep->port, &self);
	}
}

static void add_port(struct context *c, const struct slot *slot)
{
	frontends_list(c->service, c->port, c->family, c->policy, &c->frontends);
	if (!c->frontends.n)
		return;
	endpoints_select(slot, c->port, c->family, c->policy, &c->endpoints);
	add_loop_back(c);
	c->mark = marks_find(slot, c->family, c->port->proto, c->port->port);
	if (c->mark)
		add_real_servers(c, fact_vs_fwmark(c->family, c->mark), false);
	for (size_t i = 0; i < c->frontends.n; i++)
		add_frontend(c, &c->frontends.fes[i]);
}

static bool has_health_check(const struct service *s)
{
	return s->type == SERVICE_LOAD_BALANCER && service_external_local(s) &&
		s->health_check_node_port;
}

void resolve_ipvs(const struct slot *slot, const struct policy *policy, struct fact_list *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct context c = { .service = slot->service, .policy = policy, .out = ret };
	const struct ip none = { 0 };

	if (!slot->service || *service_not_proxied(slot->service))
		return;
	for (size_t f = 0; f < 2; f++) {
		c.family = families[f];
		if (!policy_family(policy, c.family) ||
			!service_cluster_ip(c.service, c.family).family)
			continue;
		for (size_t i = 0; i < c.service->n_ports; i++) {
			c.port = &c.service->ports[i];
			add_port(&c, slot);
		}
		if (has_health_check(c.service))
			fact_list_add(ret,
				fact_member(SET_HEALTH_CHECK_NODE_PORT, c.family, &none, 0,
					c.service->health_check_node_port, NULL));
	}
	endpoints_done(&c.endpoints);
	frontends_done(&c.frontends);
}
