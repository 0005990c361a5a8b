// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of the iptables backend that are the same whatever the Services are. Here, too, a
 * Service costs members of sets, besides its own chains:
 *
 * - table nat: what goes to an address and port of a Service is looked up in the tree under
 *   KUBE-DISPATCH, what goes to a NodePort in the one under KUBE-NODEPORTS; both are written by the
 *   adapter of FACT_DISPATCH. Everything else passes by after a few lookups in sets.
 * - table filter: what was meant for a Service and is not translated by then has no endpoint to go
 *   to. It is dropped or refused, as it is on an unused port of a VIP.
 *
 * The VIPs are local as they are with IPVS, so the node itself needs no route to them, they answer
 * ICMP echo, and what is not translated comes to INPUT.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "base/mem.h"
#include "resolve_own.h"

static const enum set_id portals[] = { SET_CLUSTER_IP, SET_LOAD_BALANCER, SET_EXTERNAL_IP,
	SET_EXTERNAL_IP_LOCAL };

static void node_port_address(struct rules *r, const struct cidr *to)
{
	char s[CIDR_STRLEN];

	buf_addf(&r->text, "-A KUBE-SERVICES -d %s -j KUBE-NODE-PORT\n", cidr_print(to, s));
}

static void node_port_addresses(struct rules *r)
{
	const struct node_view *p = r->view;
	const struct cidr loopback = { .ip = { .family = AF_INET, .bytes = { 127 } }, .len = 8 };
	bool localhost = r->family == AF_INET && node_view_localhost_nodeports(p);

	if (options_all_nodeport_addresses(p->options, r->family)) {
		buf_addf(&r->text,
			"-A KUBE-SERVICES%s -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT\n",
			localhost			? ""
				: r->family == AF_INET6 ? " ! -d ::1/128"
							: " ! -d 127.0.0.0/8");
		return;
	}
	for (size_t i = 0; i < p->n_local; i++) {
		const struct ip *ip = &p->local[i];

		if (ip->family == r->family && node_view_is_nodeport_address(p, ip))
			node_port_address(
				r, &(struct cidr){ .ip = *ip, .len = ip_bits(r->family) });
	}
	if (localhost)
		node_port_address(r, &loopback);
}

/* A port of a VIP that no Service has is not a NodePort, though the VIP is an address of the node.
 */
void iptables_nat_services(struct rules *r)
{
	rules_set(
		r, "KUBE-SERVICES", SET_LOAD_BALANCER_FW, "dst,dst", "KUBE-SOURCE-RANGES-FIREWALL");
	rules_cluster_ip(r);
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		rules_bare(r, "KUBE-SERVICES", portals[i], "dst,dst", "KUBE-DISPATCH");
	rules_bare(r, "KUBE-SERVICES", SET_IPVS_IPS, "dst", "RETURN");
	node_port_addresses(r);
}

void iptables_nat_node_port(struct rules *r)
{
	rules_bare(r, "KUBE-NODE-PORT -p tcp", SET_NODE_PORT_TCP, "dst", "KUBE-NODEPORTS");
	rules_bare(r, "KUBE-NODE-PORT -p udp", SET_NODE_PORT_UDP, "dst", "KUBE-NODEPORTS");
	buf_adds(&r->text, "-A KUBE-NODE-PORT -p sctp -j KUBE-NODEPORTS\n");
}

/* The nat table cannot drop. What is not translated here is dropped by the chain of the same name
 * in the filter table. */
void iptables_nat_source_ranges(struct rules *r)
{
	rules_set(r, "KUBE-SOURCE-RANGES-FIREWALL", SET_LOAD_BALANCER_SOURCE_CIDR, "dst,dst,src",
		"RETURN");
	rules_set(r, "KUBE-SOURCE-RANGES-FIREWALL", SET_LOAD_BALANCER_SOURCE_IP, "dst,dst,src",
		"RETURN");
	buf_adds(&r->text, "-A KUBE-SOURCE-RANGES-FIREWALL -j ACCEPT\n");
}

/* With route_localnet others on the link could reach what listens on 127.0.0.1. */
static void block_martians(struct rules *r)
{
	if (r->family == AF_INET && node_view_localhost_nodeports(r->view))
		buf_adds(&r->text,
			"-A KUBE-SERVICES ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "
			"\"block incoming localnet connections\" -j DROP\n");
}

/*
 * What connection tracking does not take for a part of the connection is not translated either. As
 * the address is the node's, its own TCP or SCTP would answer with a reset and end the connection.
 */
static void drop_invalid(struct rules *r)
{
	static const char invalid[] = " -m conntrack --ctstate INVALID";
	char head[96];

	if (!r->view->drop_invalid)
		return;
	snprintf(head, sizeof(head), "KUBE-SERVICES%s", invalid);
	rules_bare(r, head, SET_IPVS_IPS, "dst", "DROP");
	rules_bare(r, head, SET_NODE_PORT_SCTP, "dst,dst", "DROP");
	snprintf(head, sizeof(head), "KUBE-SERVICES -p tcp%s", invalid);
	rules_bare(r, head, SET_NODE_PORT_TCP, "dst", "DROP");
}

/*
 * What a Service with endpoints answers is translated before it comes here. It is let pass all the
 * same: when IPVS takes over, or hands over, its packets come untranslated for a moment.
 */
void iptables_filter_services(struct rules *r)
{
	buf_adds(&r->text,
		"-A KUBE-SERVICES -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j RETURN\n");
	drop_invalid(r);
	block_martians(r);
	rules_set(
		r, "KUBE-SERVICES", SET_LOAD_BALANCER_FW, "dst,dst", "KUBE-SOURCE-RANGES-FIREWALL");
	rules_drop_no_local(r, "KUBE-SERVICES", "");
	rules_set(r, "KUBE-SERVICES", SET_NO_ENDPOINTS, "dst,dst", rules_refuse(r));
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		rules_bare(r, "KUBE-SERVICES", portals[i], "dst,dst", "RETURN");
	rules_refuse_vips(r, "KUBE-SERVICES");
}

/*
 * A packet that connection tracking does not take for a part of the connection is not translated
 * back: its sender would show up with the endpoint's address and be answered with a reset
 * (kubernetes/kubernetes#74839).
 */
void iptables_filter_forward(struct rules *r)
{
	if (r->view->drop_invalid)
		buf_adds(&r->text, "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n");
	rules_filter_forward(r);
}
