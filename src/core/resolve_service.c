// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One Service, as far as the backends do not differ: the VIPs made local, and the set members that
 * the node's rules (resolve_node.c) refer to. The layout is that of kube-proxy's IPVS mode, so that
 * a node can be taken over in place, and so that a node that changes its backend keeps its sets.
 */
#include <netinet/in.h>

#include "core/resolve.h"
#include "resolve_own.h"

static void add_member(const struct context *c, enum set_id set, const struct ip *ip, uint16_t port,
	const struct cidr *second)
{
	fact_list_add(c->out, fact_member(set, c->family, ip, c->port->proto, port, second));
}

static void add_vip(const struct context *c, const struct ip *vip)
{
	const struct ip *source = &c->view->node_ip[c->family == AF_INET6];

	add_member(c, SET_IPVS_IPS, vip, 0, NULL);
	if (c->view->options->vip_mode == VIP_ADDRESS)
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
	const struct ip *node_ip = &c->view->node_ip[c->family == AF_INET6];
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
	if (c->view->backend == BACKEND_IPTABLES)
		iptables_add_frontend(c, fe);
	else
		ipvs_add_frontend(c, fe);
	if (fe->vip)
		add_vip(c, &fe->ip);
}

/*
 * Every endpoint here, whatever its state: it may reach itself through a connection that it holds.
 * With iptables those of other nodes too, as kube-proxy's iptables mode has it: they may come here
 * by an external address.
 */
static void add_loop_back(const struct context *c)
{
	bool all = c->view->backend == BACKEND_IPTABLES;

	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct chosen *ep = &c->endpoints.eps[i];
		const struct cidr self = { .ip = ep->ip, .len = ip_bits(c->family) };

		if (ep->local || all)
			add_member(c, SET_LOOP_BACK, &ep->ip, ep->port, &self);
	}
}

static void add_port(struct context *c, const struct slot *slot)
{
	frontends_list(c->service, c->port, c->family, c->view, &c->frontends);
	if (!c->frontends.n)
		return;
	endpoints_select(slot, c->port, c->family, c->view, &c->endpoints);
	add_loop_back(c);
	if (c->view->backend == BACKEND_IPTABLES)
		iptables_add_port(c);
	else
		ipvs_add_port(c, slot);
	for (size_t i = 0; i < c->frontends.n; i++)
		add_frontend(c, &c->frontends.fes[i]);
}

static bool has_health_check(const struct service *s)
{
	return s->type == SERVICE_LOAD_BALANCER && service_external_local(s) &&
		s->health_check_node_port;
}

void resolve_service(const struct slot *slot, const struct node_view *view, struct text_pool *texts,
	struct fact_list *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct context c = { .service = slot->service, .view = view, .texts = texts, .out = ret };
	const struct ip none = { 0 };

	if (!slot->service || *service_not_proxied(slot->service))
		return;
	for (size_t f = 0; f < 2; f++) {
		c.family = families[f];
		if (!node_view_serves(view, c.family) ||
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
