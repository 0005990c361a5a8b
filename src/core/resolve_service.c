// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One Service, as far as the backends do not differ: the VIPs made local, and the set members that
 * the node's rules (resolve_node.c) refer to. The layout is that of kube-proxy's IPVS mode, so that
 * a node can be taken over in place, and so that a node that changes its backend keeps its sets.
 */
#include <netinet/in.h>

#include "core/health_checks.h"
#include "core/resolve.h"

static void add_member(const struct resolver *r, const struct served_port *p, enum set_id set,
	const struct ip *ip, uint16_t port, const struct cidr *second)
{
	fact_list_add(r->out, fact_member(set, p->family, ip, p->port->proto, port, second));
}

static void add_source_ranges(
	const struct resolver *r, const struct served_port *p, const struct frontend *fe)
{
	const struct ip *node_ip = &r->view->node_ip[p->family == AF_INET6];
	const struct cidr self = { .ip = fe->ip, .len = ip_bits(p->family) };

	if (!served_port_is_restricted(p))
		return;
	add_member(r, p, SET_LOAD_BALANCER_FW, &fe->ip, fe->port, NULL);
	for (size_t i = 0; i < p->service->n_source_ranges; i++) {
		const struct cidr *range = &p->service->source_ranges[i];

		if (range->ip.family != p->family)
			continue;
		add_member(r, p, SET_LOAD_BALANCER_SOURCE_CIDR, &fe->ip, fe->port, range);
		if (cidr_contains(range, node_ip))
			add_member(r, p, SET_LOAD_BALANCER_SOURCE_IP, &fe->ip, fe->port, &self);
	}
}

/* The sets that tell the node's rules how to treat what comes to this address and port. */
static void add_frontend_members(
	const struct resolver *r, const struct served_port *p, const struct frontend *fe)
{
	static const enum set_id node_port[][2] = {
		[IPPROTO_TCP] = { SET_NODE_PORT_TCP, SET_NODE_PORT_LOCAL_TCP },
		[IPPROTO_UDP] = { SET_NODE_PORT_UDP, SET_NODE_PORT_LOCAL_UDP },
		[IPPROTO_SCTP] = { SET_NODE_PORT_SCTP, SET_NODE_PORT_LOCAL_SCTP },
	};
	const enum set_id *sets = node_port[p->port->proto];

	switch (fe->kind) {
	case FRONTEND_CLUSTER_IP:
		add_member(r, p, SET_CLUSTER_IP, &fe->ip, fe->port, NULL);
		break;
	case FRONTEND_EXTERNAL_IP:
		add_member(r, p, fe->local ? SET_EXTERNAL_IP_LOCAL : SET_EXTERNAL_IP, &fe->ip,
			fe->port, NULL);
		break;
	case FRONTEND_LOAD_BALANCER:
		add_member(r, p, SET_LOAD_BALANCER, &fe->ip, fe->port, NULL);
		if (fe->local)
			add_member(r, p, SET_LOAD_BALANCER_LOCAL, &fe->ip, fe->port, NULL);
		add_source_ranges(r, p, fe);
		break;
	case FRONTEND_NODE_PORT:
		add_member(r, p, sets[0], &fe->ip, fe->port, NULL);
		if (fe->local)
			add_member(r, p, sets[1], &fe->ip, fe->port, NULL);
		break;
	}
}

/*
 * Packets to a member of KUBE-EXTERNAL-PORT get a mark (resolve_node.c), by which they look up a
 * table where the address is local; other packets to it are routed as before. IPv4 sends ICMP and
 * resets only from addresses that it knows (__ip_dev_find() in net/ipv4/devinet.c), so it has to
 * know this one, too.
 *
 * While the address is on an interface its own route is found first. When it goes to another host,
 * packets come here until the others know it, and until then connections go on here.
 */
static void take_port(
	const struct resolver *r, const struct served_port *p, const struct frontend *fe)
{
	if (p->family == AF_INET && fe->reach == REACH_PORTS)
		fact_list_add(r->out, fact_held(&fe->ip));
	fact_list_add(r->out, fact_route_in_table(&fe->ip, r->view->options->external_table));
	add_member(r, p, SET_EXTERNAL_PORT, &fe->ip, fe->port, NULL);
}

/* An endpoint that names no node is taken for one of this node unless the node's pod CIDRs tell that
 * it is not. */
static bool may_be_here(const struct node_view *view, const struct candidate *ep)
{
	bool told = false;

	if (view->options->layout == LAYOUT_KUBE_PROXY)
		return ep->local;
	for (size_t i = 0; i < view->n_pod_cidrs; i++) {
		told |= view->pod_cidrs[i].ip.family == ep->ip.family;
		if (cidr_contains(&view->pod_cidrs[i], &ep->ip))
			return true;
	}
	return ep->local || (!*ep->endpoint->place->node_name && !told);
}

static bool is_external_on_interface(const struct frontend *fe)
{
	return fe->reach == REACH_NODE && frontend_authority(fe->kind) != AUTHORITY_ALLOCATED;
}

void resolve_service(const struct served_ports *served, const struct node_view *view,
	const bool takes_ports[static 2], struct rule_pool *pool, struct fact_list *ret)
{
	const struct resolver r = { .view = view, .pool = pool, .out = ret };
	const bool translates = node_view_translates(view);
	const struct ip none = { 0 };

	for (size_t k = 0; k < served->n; k++) {
		const struct served_port *p = &served->ports[k];
		const struct ip *source = &view->node_ip[p->family == AF_INET6];
		const bool takes = takes_ports[p->family == AF_INET6];

		/* kube-proxy's iptables mode needs no sets and no local addresses. */
		if (node_view_handed_over(view)) {
			resolve_iptables_port(&r, p);
			continue;
		}

		/* Every endpoint here, whatever its state: it may reach itself through a connection
		 * that it holds. Without IPVS those of other nodes too, as in kube-proxy's
		 * iptables mode: they may come here by an external address. */
		for (size_t i = 0; i < p->endpoints.n; i++) {
			const struct candidate *ep = &p->endpoints.eps[i];
			const struct cidr self = { .ip = ep->ip, .len = ip_bits(p->family) };

			if (translates || may_be_here(view, ep))
				add_member(&r, p, SET_LOOP_BACK, &ep->ip, ep->port, &self);
		}
		for (size_t i = 0; i < p->frontends.n; i++) {
			const struct frontend *fe = &p->frontends.fes[i];

			add_frontend_members(&r, p, fe);
			if (!translates &&
				(fe->reach == REACH_PORTS ||
					(takes && is_external_on_interface(fe))))
				take_port(&r, p, fe);
			if (fe->reach != REACH_WHOLE)
				continue;
			add_member(&r, p, SET_IPVS_IPS, &fe->ip, 0, NULL);
			fact_list_add(ret,
				view->options->vip_mode == VIP_ADDRESS
					? fact_addr(&fe->ip)
					: fact_route(&fe->ip, source));
		}
		if (view->backend == BACKEND_NFTABLES)
			resolve_nftables_port(&r, p);
		else if (translates)
			resolve_iptables_port(&r, p);
		else
			resolve_ipvs_port(&r, p);
		/* Once for each family. */
		if ((!k || p[-1].family != p->family) && service_has_health_check(p->service))
			fact_list_add(ret,
				fact_member(SET_HEALTH_CHECK_NODE_PORT, p->family, &none, 0,
					p->service->health_check_node_port, NULL));
	}
}
