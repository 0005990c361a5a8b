// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of the node that does not depend on the Services: the device, the sets, and a constant
 * number of rules that refer to the sets, so that a Service costs set members and, with IPVS, never
 * a rule. Chains, comments and their order are those of kube-proxy's IPVS mode
 * (pkg/proxy/ipvs/proxier.go), except that
 *
 * 1. packets pass as few rules as can be, above all those of established connections. A rule that
 *    looks into an empty set is left out, and so is an empty chain with its jumps. The members of a
 *    set and its rules come and go in the order of core/op_order.c;
 * 2. ICMP echo to a VIP is answered;
 * 3. packets to a Service's own address never reach the NodePort rules, which look at the port
 *    alone and would masquerade them if their port happens to be some NodePort;
 * 4. external IPs need no physdev rule (which would load br_netfilter): what is not for IPVS passes.
 *
 * The iptables and nftables backends keep the sets and differ in this:
 *
 * 1. Table nat: packets to an address and port of a Service are looked up in the tree under
 *    KUBE-DISPATCH, packets to a NodePort in the tree under KUBE-PORT-DISPATCH. The adapter of
 *    FACT_DISPATCH writes both trees. All other packets pass after a few lookups in sets.
 * 2. Table filter: a packet to a Service that is not translated by then has no endpoint to go to.
 *    It is dropped or refused, as a packet to an unused port of a VIP is.
 *
 * A VIP that nobody else has is local with both backends: the node itself needs no route to it, it
 * answers ICMP echo, and packets that are not translated come to INPUT. Packets to an address that
 * stays with its owner and that are not translated are routed: they come to FORWARD, or from the
 * node itself to OUTPUT.
 *
 * kube-proxy's iptables mode has no sets. Its chains of the node have rules for each Service
 * (portals.c), and those of Services mark what is to be masqueraded. To hand over, the iptables
 * backend first adds the chains that it does not have itself (LAYOUT_BOTH): nothing leads to the
 * one of table nat, and those of table filter drop and refuse what ours drop and refuse. Then they
 * take the place of ours (LAYOUT_KUBE_PROXY).
 */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "core/service_chain.h"

/* The chains of one family while they are made, one after the other. */
struct node_rules {
	const struct node_view *view;
	const struct node_needs *needs;
	struct rule_pool *pool;
	struct fact_list *out;
	int family;
	bool translates;  /* iptables or nftables; else IPVS */
	bool whole;	  /* every rule stands, as kube-proxy has them */
	bool handed_over; /* to kube-proxy's iptables mode */
	bool takes_ports; /* of addresses that stay with their owners */
	bool leads_ports; /* to IPVS */
	uint32_t mark;	  /* of packets to be masqueraded */
	struct cidr loopback;
	const struct rule_list *portals; /* of struct node_needs, of this family */
	struct rule_list list;		 /* of the chain at hand */
};

/* Sets of the addresses and ports that a Service with a VIP answers on. */
static const enum set_id portals[] = { SET_CLUSTER_IP, SET_LOAD_BALANCER, SET_EXTERNAL_IP,
	SET_EXTERNAL_IP_LOCAL };

/* add_rule(n, target, comment, matches...), to the chain at hand */
#define add_rule(n, where, why, ...) \
	rule_list_add(&(n)->list,    \
		&(struct rule){ .match = { __VA_ARGS__ }, .target = where, .comment = why })

/* Packets of connections that have had their first one, and ICMP errors about them. */
static const struct rule_match going_on = { MATCH_STATES,
	.states = STATE_RELATED | STATE_ESTABLISHED };
static const struct rule_match not_going_on = { MATCH_STATES, true,
	.states = STATE_RELATED | STATE_ESTABLISHED };

/* A rule for what is in one of our sets, with the comment of the set. */
static void add_set_rule(
	struct node_rules *n, enum set_id set, enum set_dirs dirs, struct rule_target target)
{
	add_rule(n, target, set_info(set)->comment, match_set(set, dirs));
}

static bool set_is_used(const struct node_rules *n, enum set_id set)
{
	return n->whole || n->needs->has_members[n->family == AF_INET6][set];
}

static bool rule_is_used(const struct node_rules *n, const struct rule *rule)
{
	rule_for_each_match(m, rule)
		if (m->type == MATCH_SET && !m->negated && !set_is_used(n, m->set.id))
			return false;
	return true;
}

static void leave_out_unused_rules(struct node_rules *n)
{
	struct rule_list used = { 0 };
	struct rule rule;

	for (size_t at = 0; rule_list_next(&n->list, &at, &rule);)
		if (rule_is_used(n, &rule))
			rule_list_add(&used, &rule);
	rule_list_done(&n->list);
	n->list = used;
}

/* The chain at hand is complete. Without IPVS an entrance changes late (core/op_order.c), so that it
 * has all its rules from the beginning. */
static void end_chain(struct node_rules *n, enum table table, const char *name)
{
	const bool entrance = chain_is_entrance(table, name);

	assert(chain_is_ours(table, name));
	if (!n->translates || !entrance)
		leave_out_unused_rules(n);
	if (n->list.n || n->whole || entrance)
		fact_list_add(n->out,
			fact_chain(n->family, table, name, rule_pool_put(n->pool, &n->list)));
	rule_list_reset(&n->list);
}

static bool chain_stands(const struct node_rules *n, enum table table, const char *name)
{
	const struct fact chain = fact_chain(n->family, table, name, 0);

	for (size_t i = 0; i < n->out->n; i++)
		if (fact_key_eq(&n->out->facts[i].key, &chain.key))
			return true;
	return false;
}

struct rule_match resolve_match_pods(const struct node_view *view, int family)
{
	const struct options *o = view->options;
	const struct cidr *cidr = node_view_local_cidr(view, family);

	if (options_detect_by_interface(o))
		return (struct rule_match){ .type = MATCH_INTERFACE, .interface = o->interface };
	return cidr ? match_net(MATCH_SOURCE, cidr) : match_any;
}

/*
 * Cluster IP traffic that does not come from a pod of this node must find its way back, so it is
 * masqueraded. If pods cannot be told from others, only packets whose source address is the VIP
 * itself are masqueraded, see --vip-mode=address.
 */
static void masquerade_cluster_ip(struct node_rules *n)
{
	const struct rule_match pods = resolve_match_pods(n->view, n->family);
	const bool all = n->view->options->masquerade_all, told = pods.type != MATCH_ANY;
	struct rule_match others = match_any;

	if (told && !all) {
		others = pods;
		others.negated = true;
	}
	add_rule(n, jump_to("KUBE-MARK-MASQ"), set_info(SET_CLUSTER_IP)->comment, others,
		match_set(SET_CLUSTER_IP, told || all ? DIRS_DST_DST : DIRS_SRC_DST));
}

/* Drops what comes from outside of loadBalancerSourceRanges. Table nat cannot drop: it leaves that
 * to the chain of this name in table filter. */
static void end_source_ranges_chain(struct node_rules *n, enum table table)
{
	if (table != TABLE_NAT && !set_is_used(n, SET_LOAD_BALANCER_FW))
		return;
	add_set_rule(n, SET_LOAD_BALANCER_SOURCE_CIDR, DIRS_DST_DST_SRC, to_return);
	add_set_rule(n, SET_LOAD_BALANCER_SOURCE_IP, DIRS_DST_DST_SRC, to_return);
	add_rule(n, table == TABLE_NAT ? to_accept : to_drop, NULL);
	end_chain(n, table, CHAIN_SOURCE_RANGES);
}

/* The end of a chain that packets to Services have left by then: lets ICMP echo to a VIP pass and
 * refuses all other new packets to one. */
static void refuse_vips(struct node_rules *n)
{
	const uint8_t icmp = n->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	add_rule(n, to_return, NULL, match_set(SET_HEALTH_CHECK_NODE_PORT, DIRS_DST));
	add_rule(n, to_return, NULL, { MATCH_PROTOCOL, .protocol = icmp }, { MATCH_ICMP_ECHO });
	add_rule(n, to_reject, NULL, { MATCH_STATES, .states = STATE_NEW },
		match_set(SET_IPVS_IPS, DIRS_DST));
}

/* The chains of both backends and of kube-proxy's iptables mode. */
static void add_common_chains(struct node_rules *n)
{
	const struct rule_match marked = { MATCH_MARK, .mark = { n->mark, n->mark } };
	const struct rule_match unmarked = { MATCH_MARK, true, .mark = { n->mark, n->mark } };
	const struct rule_target mark = { TARGET_MARK, .mark = { n->mark, n->mark } };
	const struct rule_target unmark = { TARGET_MARK, .mark = { n->mark, 0 } };
	static const char established[] = "kubernetes forwarding conntrack rule";
	struct rule_target masquerade = { TARGET_MASQUERADE };

	if (!n->handed_over)
		add_set_rule(n, SET_LOOP_BACK, DIRS_DST_DST_SRC, masquerade);
	/* A VIP on an interface becomes the source of the node's own connections, which no reply
	 * would find. */
	if (!n->handed_over && n->view->options->vip_mode == VIP_ADDRESS)
		add_set_rule(n, SET_IPVS_IPS, DIRS_SRC, masquerade);
	add_rule(n, to_return, NULL, unmarked);
	add_rule(n, unmark, NULL);
	masquerade.random_fully = n->view->random_fully;
	add_rule(n, masquerade, "kubernetes service traffic requiring SNAT");
	end_chain(n, TABLE_NAT, "KUBE-POSTROUTING");

	add_rule(n, mark, NULL);
	end_chain(n, TABLE_NAT, "KUBE-MARK-MASQ");

	/* Most packets come first; kube-proxy has them last. */
	if (!n->whole)
		add_rule(n, to_accept, established, going_on);
	/* On iptables a packet that connection tracking does not take for a part of the connection
	 * is not translated back: its sender would show up with the endpoint's address and be
	 * answered with a reset (kubernetes/kubernetes#74839). */
	if (n->translates && n->view->drop_invalid)
		add_rule(n, to_drop, NULL, { MATCH_STATES, .states = STATE_INVALID });
	add_rule(n, to_accept, "kubernetes forwarding rules", marked);
	if (n->whole)
		add_rule(n, to_accept, established, going_on);
	end_chain(n, TABLE_FILTER, "KUBE-FORWARD");
}

/* The chains of both backends. */
static void add_filter_chains(struct node_rules *n)
{
	add_set_rule(n, SET_HEALTH_CHECK_NODE_PORT, DIRS_DST, to_accept);
	end_chain(n, TABLE_FILTER, "KUBE-NODE-PORT");

	end_source_ranges_chain(n, TABLE_FILTER);
}

static void add_ipvs_nat_chains(struct node_rules *n)
{
	static const enum set_id external[] = { SET_EXTERNAL_IP, SET_EXTERNAL_IP_LOCAL };
	static const struct {
		uint8_t protocol;
		enum set_id local, all;
		enum set_dirs dirs;
	} node_ports[] = {
		{ IPPROTO_TCP, SET_NODE_PORT_LOCAL_TCP, SET_NODE_PORT_TCP, DIRS_DST },
		{ IPPROTO_UDP, SET_NODE_PORT_LOCAL_UDP, SET_NODE_PORT_UDP, DIRS_DST },
		{ IPPROTO_SCTP, SET_NODE_PORT_LOCAL_SCTP, SET_NODE_PORT_SCTP, DIRS_DST_DST },
	};

	add_rule(n, to_return, NULL, match_net(MATCH_SOURCE, &n->loopback));
	add_set_rule(n, SET_LOAD_BALANCER, DIRS_DST_DST, jump_to("KUBE-LOAD-BALANCER"));
	masquerade_cluster_ip(n);
	add_set_rule(n, SET_EXTERNAL_IP, DIRS_DST_DST, jump_to("KUBE-MARK-MASQ"));
	/* From here on the packets are for IPVS alone. */
	for (size_t i = 0; i < ARRAY_SIZE(external); i++)
		add_set_rule(n, external[i], DIRS_DST_DST, to_accept);
	add_rule(n, to_accept, NULL, match_set(SET_CLUSTER_IP, DIRS_DST_DST));
	add_rule(n, to_accept, NULL, match_set(SET_LOAD_BALANCER, DIRS_DST_DST));
	add_rule(n, jump_to("KUBE-NODE-PORT"), NULL, { MATCH_DESTINATION_LOCAL });
	end_chain(n, TABLE_NAT, "KUBE-SERVICES");

	for (size_t i = 0; i < ARRAY_SIZE(node_ports); i++) {
		const enum set_id local = node_ports[i].local, all = node_ports[i].all;
		const struct rule_match protocol = { MATCH_PROTOCOL,
			.protocol = node_ports[i].protocol };

		add_rule(n, to_return, set_info(local)->comment, protocol,
			match_set(local, node_ports[i].dirs));
		add_rule(n, jump_to("KUBE-MARK-MASQ"), set_info(all)->comment, protocol,
			match_set(all, node_ports[i].dirs));
	}
	end_chain(n, TABLE_NAT, "KUBE-NODE-PORT");

	add_set_rule(n, SET_LOAD_BALANCER_LOCAL, DIRS_DST_DST, to_return);
	add_rule(n, jump_to("KUBE-MARK-MASQ"), NULL);
	end_chain(n, TABLE_NAT, "KUBE-LOAD-BALANCER");
}

/* The sets of TCP and UDP have ports alone; the virtual servers are at the addresses that carry node
 * ports. */
static void accept_node_ports(struct node_rules *n)
{
	static const struct {
		uint8_t protocol;
		enum set_id set;
	} sets[] = { { IPPROTO_TCP, SET_NODE_PORT_TCP }, { IPPROTO_UDP, SET_NODE_PORT_UDP } };
	const bool all = options_all_nodeport_addresses(n->view->options, n->family);

	add_rule(n, to_accept, NULL, match_set(SET_NODE_PORT_SCTP, DIRS_DST_DST));
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const struct rule_match protocol = { MATCH_PROTOCOL, .protocol = sets[i].protocol };
		const struct rule_match port = match_set(sets[i].set, DIRS_DST);

		if (all)
			add_rule(n, to_accept, NULL, protocol, port, { MATCH_DESTINATION_LOCAL });
		for (size_t k = 0; !all && k < n->view->n_local; k++) {
			const struct cidr own = { .ip = n->view->local[k],
				.len = ip_bits(n->family) };

			if (own.ip.family == n->family &&
				node_view_is_nodeport_address(n->view, &own.ip))
				add_rule(n, to_accept, NULL, match_net(MATCH_DESTINATION, &own),
					protocol, port);
		}
	}
}

static void add_ipvs_filter_chains(struct node_rules *n)
{
	add_set_rule(n, SET_LOAD_BALANCER_FW, DIRS_DST_DST, jump_to(CHAIN_SOURCE_RANGES));
	end_chain(n, TABLE_FILTER, "KUBE-PROXY-FIREWALL");

	/* IPVS takes packets behind INPUT, so a firewall that drops there by default, such as ufw or
	 * firewalld, would stop all Services. The same holds for ICMP errors about connections of
	 * Services, which IPVS hands to the endpoint: without them it does not learn the MTU of the
	 * path to its client. */
	add_rule(n, to_accept, NULL, going_on, match_set(SET_IPVS_IPS, DIRS_DST));
	accept_node_ports(n);
	/* An address that is not taken as a whole is no member of KUBE-IPVS-IPS. */
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		if (portals[i] != SET_CLUSTER_IP)
			add_rule(n, to_accept, NULL, going_on, match_set(portals[i], DIRS_DST_DST));
	add_rule(n, to_return, NULL, going_on);
	/* Sources that a Service excludes are dropped here as well, because the jump to
	 * KUBE-PROXY-FIREWALL may stand behind the one to this chain. */
	add_set_rule(n, SET_LOAD_BALANCER_FW, DIRS_DST_DST, jump_to(CHAIN_SOURCE_RANGES));
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		add_rule(n, to_accept, NULL, match_set(portals[i], DIRS_DST_DST));
	/* A packet that no Service answers must not reach a daemon of the node that listens on
	 * every address. */
	refuse_vips(n);
	end_chain(n, TABLE_FILTER, "KUBE-IPVS-FILTER");

	/* kube-proxy's layout has this chain; it needs no rules here. */
	end_chain(n, TABLE_FILTER, "KUBE-IPVS-OUT-FILTER");
}

/*
 * Policies that IPVS does not know. Packets to an external address with a Local policy are marked
 * if they may go to every endpoint. All others are dropped if there is no endpoint here, but only
 * new ones: connections that exist already live on with an endpoint that is leaving. IPVS looks at
 * the mark when it chooses an endpoint. Of packets that go on, it does that only for UDP, whose
 * flows get another endpoint when theirs is gone.
 */
static void add_local_policies(struct node_rules *n, struct rule_match inside, bool inside_is_told)
{
	const struct rule_match not_udp = { MATCH_PROTOCOL, true, .protocol = IPPROTO_UDP };
	const struct rule_match unmarked = { MATCH_MARK,
		.mark = { 0, n->view->options->mark_mask } };
	const struct rule_target map_mark = { TARGET_MAP_MARK,
		.set = { SET_LOCAL_MARK, DIRS_DST_DST } };

	if (!set_is_used(n, SET_LOCAL_MARK) && !set_is_used(n, SET_NO_LOCAL))
		return;
	add_rule(n, to_return, NULL, not_udp, going_on);
	if (inside_is_told)
		add_rule(n, map_mark, NULL, inside, match_set(SET_LOCAL_MARK, DIRS_DST_DST));
	add_rule(n, to_drop, NULL, { MATCH_STATES, .states = STATE_NEW }, unmarked,
		match_set(SET_NO_LOCAL, DIRS_DST_DST));
}

static void add_ipvs_mangle_chains(struct node_rules *n)
{
	const struct rule_match pods = resolve_match_pods(n->view, n->family);

	/* PREROUTING of this table stands before everything that would answer. */
	add_local_policies(n, pods, pods.type != MATCH_ANY);
	end_chain(n, TABLE_MANGLE, "KUBE-IPVS-PODS");

	/* IPVS takes packets of the node itself in LOCAL_OUT (-98), before filter OUTPUT (0) could
	 * look at the VIP, so loadBalancerSourceRanges are checked in mangle OUTPUT (-150), too. */
	add_local_policies(n, match_any, true);
	add_rule(n, jump_to(CHAIN_SOURCE_RANGES), set_info(SET_LOAD_BALANCER_FW)->comment,
		not_going_on, match_set(SET_LOAD_BALANCER_FW, DIRS_DST_DST));
	end_chain(n, TABLE_MANGLE, "KUBE-IPVS-NODE");

	end_source_ranges_chain(n, TABLE_MANGLE);
}

/*
 * Packets to the ports that are taken of others' addresses. Their mark lives from here to INPUT,
 * where IPVS gets them: IPVS compares whole marks, and a tunnel's outer packet, which inherits the
 * mark, must find its way to an address that may be the same. Packets of the node itself need none:
 * IPVS takes them before they are routed (LOCAL_OUT).
 */
static void add_external_chains(struct node_rules *n)
{
	const uint32_t bit = UINT32_C(1) << n->view->options->external_mark_bit;
	const struct rule_target set = { TARGET_MARK, .mark = { bit, bit } };
	const struct rule_target clear = { TARGET_MARK, .mark = { 0, bit } };

	add_set_rule(n, SET_EXTERNAL_PORT, DIRS_DST_DST, set);
	end_chain(n, TABLE_MANGLE, "KUBE-IPVS-EXTERNAL");

	add_rule(n, clear, NULL);
	end_chain(n, TABLE_MANGLE, "KUBE-IPVS-TAKEN");
}

/* Leads packets to the addresses of the node that carry NodePorts to the target. */
static void add_node_port_addresses(
	struct node_rules *n, struct rule_target target, const char *comment)
{
	const struct rule_match to_loopback = match_net(MATCH_DESTINATION, &n->loopback);
	bool localhost = n->family == AF_INET && node_view_localhost_nodeports(n->view);
	struct rule_match elsewhere = to_loopback;

	if (options_all_nodeport_addresses(n->view->options, n->family)) {
		elsewhere.negated = true;
		add_rule(n, target, comment, localhost ? match_any : elsewhere,
			{ MATCH_DESTINATION_LOCAL });
		return;
	}
	for (size_t i = 0; i < n->view->n_local; i++) {
		const struct cidr own = { .ip = n->view->local[i], .len = ip_bits(n->family) };

		if (own.ip.family == n->family && node_view_is_nodeport_address(n->view, &own.ip))
			add_rule(n, target, comment, match_net(MATCH_DESTINATION, &own));
	}
	if (localhost)
		add_rule(n, target, comment, to_loopback);
}

static void add_iptables_nat_chains(struct node_rules *n)
{
	const struct rule_target node_ports = jump_to(CHAIN_DISPATCH_PORTS);

	add_set_rule(n, SET_LOAD_BALANCER_FW, DIRS_DST_DST, jump_to(CHAIN_SOURCE_RANGES));
	masquerade_cluster_ip(n);
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		add_rule(n, jump_to(CHAIN_DISPATCH), NULL, match_set(portals[i], DIRS_DST_DST));
	/* A port of a VIP that no Service has is not a NodePort, though the VIP is an address of
	 * the node. */
	add_rule(n, to_return, NULL, match_set(SET_IPVS_IPS, DIRS_DST));
	add_node_port_addresses(n, jump_to("KUBE-NODE-PORT"), NULL);
	end_chain(n, TABLE_NAT, "KUBE-SERVICES");

	add_rule(n, node_ports, NULL, { MATCH_PROTOCOL, .protocol = IPPROTO_TCP },
		match_set(SET_NODE_PORT_TCP, DIRS_DST));
	add_rule(n, node_ports, NULL, { MATCH_PROTOCOL, .protocol = IPPROTO_UDP },
		match_set(SET_NODE_PORT_UDP, DIRS_DST));
	add_rule(n, node_ports, NULL, { MATCH_PROTOCOL, .protocol = IPPROTO_SCTP });
	end_chain(n, TABLE_NAT, "KUBE-NODE-PORT");
}

/* Pods and the node have maps of their own for the entries that are others for them. */
static void add_dispatch_chain(struct node_rules *n, const char *name, bool node_ports)
{
	const struct rule_match pods = resolve_match_pods(n->view, n->family);
	struct rule_target target = { TARGET_SPREAD, .dispatch = { SET_DISPATCH_POD, node_ports } };

	if (pods.type != MATCH_ANY)
		add_rule(n, target, NULL, pods);
	target.dispatch.set = SET_DISPATCH_NODE;
	add_rule(n, target, NULL, { MATCH_SOURCE_LOCAL });
	target.dispatch.set = SET_DISPATCH;
	add_rule(n, target, NULL);
	end_chain(n, TABLE_NAT, name);
}

/* An entry is found as fast as a member of a set, so no set is asked before. */
static void add_nftables_nat_chains(struct node_rules *n)
{
	add_set_rule(n, SET_LOAD_BALANCER_FW, DIRS_DST_DST, jump_to(CHAIN_SOURCE_RANGES));
	masquerade_cluster_ip(n);
	add_rule(n, jump_to(CHAIN_DISPATCH), NULL);
	/* As with iptables: this is not a NodePort. */
	add_rule(n, to_return, NULL, match_set(SET_IPVS_IPS, DIRS_DST));
	add_node_port_addresses(n, jump_to(CHAIN_DISPATCH_PORTS), NULL);
	end_chain(n, TABLE_NAT, "KUBE-SERVICES");

	add_dispatch_chain(n, CHAIN_DISPATCH, false);
	add_dispatch_chain(n, CHAIN_DISPATCH_PORTS, true);
}

/* With route_localnet others on the link could reach services that listen on 127.0.0.1. */
static void block_localnet(struct node_rules *n, struct rule_match states)
{
	struct rule_match elsewhere = match_net(MATCH_SOURCE, &n->loopback);

	elsewhere.negated = true;
	if (n->family == AF_INET && node_view_localhost_nodeports(n->view))
		add_rule(n, to_drop, "block incoming localnet connections", elsewhere,
			match_net(MATCH_DESTINATION, &n->loopback), states);
}

/*
 * Packets that a Service with endpoints answers are translated before they come here. They are let
 * pass all the same: while IPVS takes over, or hands over, they come untranslated for a moment.
 */
static void add_translated_filter_chains(struct node_rules *n)
{
	const uint32_t mask = n->view->options->mark_mask;
	const struct rule_match invalid = { MATCH_STATES, .states = STATE_INVALID };
	const struct rule_match unmarked = { MATCH_MARK, .mark = { 0, mask } };

	add_rule(n, to_return, NULL, { MATCH_STATES, .states = STATE_DNAT });

	/* Packets that connection tracking does not take for a part of the connection are not
	 * translated either. As the address is the node's, its own TCP or SCTP would answer them
	 * with a reset and end the connection. */
	if (n->view->drop_invalid) {
		add_rule(n, to_drop, NULL, invalid, match_set(SET_IPVS_IPS, DIRS_DST));
		add_rule(n, to_drop, NULL, invalid, match_set(SET_NODE_PORT_SCTP, DIRS_DST_DST));
		add_rule(n, to_drop, NULL, { MATCH_PROTOCOL, .protocol = IPPROTO_TCP }, invalid,
			match_set(SET_NODE_PORT_TCP, DIRS_DST));
	}

	block_localnet(n, match_any);
	add_set_rule(n, SET_LOAD_BALANCER_FW, DIRS_DST_DST, jump_to(CHAIN_SOURCE_RANGES));
	/* Packets to a Local policy without endpoints here, unless IPVS has them marked. */
	add_rule(n, to_drop, NULL, match_set(SET_NO_LOCAL, DIRS_DST_DST),
		mask ? unmarked : match_any);
	add_set_rule(n, SET_NO_ENDPOINTS, DIRS_DST_DST, to_reject);
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		add_rule(n, to_return, NULL, match_set(portals[i], DIRS_DST_DST));
	refuse_vips(n);
	end_chain(n, TABLE_FILTER, "KUBE-SERVICES");
}

/* The chain has the rules for the addresses and ports of Services, after those at hand. */
static void end_portal_chain(
	struct node_rules *n, enum table table, const char *name, enum portal_chain rules)
{
	rule_list_append(&n->list, &n->portals[rules]);
	end_chain(n, table, name);
}

/* The chains of kube-proxy's iptables mode that ours can stand beside. */
static void add_portal_chains(struct node_rules *n)
{
	const struct rule_match untranslated = { MATCH_STATES, true,
		.states = STATE_RELATED | STATE_ESTABLISHED | STATE_DNAT };

	end_portal_chain(n, TABLE_NAT, CHAIN_NODE_PORTS, PORTAL_NODE_PORTS);
	end_portal_chain(n, TABLE_FILTER, CHAIN_NODE_PORTS, PORTAL_HEALTH_CHECKS);
	end_portal_chain(n, TABLE_FILTER, "KUBE-PROXY-FIREWALL", PORTAL_FIREWALL);
	/* kube-proxy blocks localnet in KUBE-FIREWALL, which belongs to the kubelet, too. */
	block_localnet(n, untranslated);
	end_portal_chain(n, TABLE_FILTER, "KUBE-EXTERNAL-SERVICES", PORTAL_EXTERNAL_REFUSALS);
}

/* Those that have the names of ours. */
static void add_portal_entrances(struct node_rules *n)
{
	end_portal_chain(n, TABLE_FILTER, "KUBE-SERVICES", PORTAL_REFUSALS);

	rule_list_append(&n->list, &n->portals[PORTAL_SERVICES]);
	add_node_port_addresses(n, jump_to(CHAIN_NODE_PORTS),
		"kubernetes service nodeports; NOTE: this must be the last rule in this chain");
	end_chain(n, TABLE_NAT, "KUBE-SERVICES");
}

/* Whose chains jumps lead to: those of a backend, or of kube-proxy's iptables mode from the moment
 * on that it is prepared, or takes over. */
enum {
	ON_IPVS = 1,
	ON_TRANSLATED = 2, /* iptables or nftables */
	ON_BOTH = ON_IPVS | ON_TRANSLATED,
	ON_PREPARED = 4,
	ON_HANDED_OVER = 8,
	ON_ALL = ON_BOTH | ON_HANDED_OVER,
};

/* What a jump stands for. */
enum node_jump_use {
	USE_ALWAYS,
	USE_PORTS, /* ports of others' addresses */
	USE_LEADS, /* the same, led to IPVS */
	USE_NEW,   /* new connections: for their packets alone */
};

/* With iptables inserted at the head of their built-in chain, one after the other. With nftables they
 * stand in this order, see jump_place(). */
static const struct node_jump {
	unsigned layouts;
	enum table table;
	enum hook from;
	const char *to, *comment;
	enum node_jump_use use;
	bool guards; /* packets that go on need not pass it */
} node_jumps[] = {
	{ ON_ALL, TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES", "kubernetes service portals" },
	{ ON_ALL, TABLE_NAT, HOOK_PREROUTING, "KUBE-SERVICES", "kubernetes service portals" },
	{ ON_ALL, TABLE_NAT, HOOK_POSTROUTING, "KUBE-POSTROUTING", "kubernetes postrouting rules" },
	{ ON_ALL, TABLE_FILTER, HOOK_FORWARD, "KUBE-FORWARD", "kubernetes forwarding rules" },
	{ ON_BOTH, TABLE_FILTER, HOOK_INPUT, "KUBE-NODE-PORT", "kubernetes health check rules" },
	{ ON_IPVS, TABLE_FILTER, HOOK_INPUT, "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules",
		.guards = true },
	{ ON_IPVS, TABLE_FILTER, HOOK_FORWARD, "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules",
		.guards = true },
	{ ON_IPVS, TABLE_FILTER, HOOK_INPUT, "KUBE-IPVS-FILTER", "kubernetes ipvs access filter" },
	{ ON_IPVS, TABLE_FILTER, HOOK_OUTPUT, "KUBE-IPVS-OUT-FILTER",
		"kubernetes ipvs access filter" },
	{ ON_TRANSLATED, TABLE_FILTER, HOOK_INPUT, "KUBE-SERVICES", "kubernetes service portals",
		.guards = true },
	{ ON_TRANSLATED, TABLE_FILTER, HOOK_FORWARD, "KUBE-SERVICES", "kubernetes service portals",
		.guards = true },
	/* An address that is not local is looked for on its way out as well. */
	{ ON_TRANSLATED, TABLE_FILTER, HOOK_OUTPUT, "KUBE-SERVICES", "kubernetes service portals",
		USE_PORTS, .guards = true },
	{ ON_PREPARED, TABLE_FILTER, HOOK_INPUT, "KUBE-EXTERNAL-SERVICES",
		"kubernetes externally-visible service portals", USE_NEW },
	{ ON_PREPARED, TABLE_FILTER, HOOK_FORWARD, "KUBE-EXTERNAL-SERVICES",
		"kubernetes externally-visible service portals", USE_NEW },
	{ ON_PREPARED, TABLE_FILTER, HOOK_INPUT, CHAIN_NODE_PORTS,
		"kubernetes health check service ports" },
	{ ON_HANDED_OVER, TABLE_FILTER, HOOK_FORWARD, "KUBE-SERVICES", "kubernetes service portals",
		USE_NEW },
	{ ON_HANDED_OVER, TABLE_FILTER, HOOK_OUTPUT, "KUBE-SERVICES", "kubernetes service portals",
		USE_NEW },
	{ ON_PREPARED, TABLE_FILTER, HOOK_INPUT, "KUBE-PROXY-FIREWALL",
		"kubernetes load balancer firewall", USE_NEW },
	{ ON_PREPARED, TABLE_FILTER, HOOK_OUTPUT, "KUBE-PROXY-FIREWALL",
		"kubernetes load balancer firewall", USE_NEW },
	{ ON_PREPARED, TABLE_FILTER, HOOK_FORWARD, "KUBE-PROXY-FIREWALL",
		"kubernetes load balancer firewall", USE_NEW },
	{ ON_IPVS, TABLE_MANGLE, HOOK_PREROUTING, "KUBE-IPVS-PODS",
		"kubernetes ipvs traffic policies" },
	{ ON_IPVS, TABLE_MANGLE, HOOK_OUTPUT, "KUBE-IPVS-NODE",
		"kubernetes ipvs traffic policies" },
	{ ON_BOTH, TABLE_MANGLE, HOOK_PREROUTING, "KUBE-IPVS-EXTERNAL",
		"kubernetes ports of external addresses", USE_LEADS },
	{ ON_BOTH, TABLE_MANGLE, HOOK_INPUT, "KUBE-IPVS-TAKEN",
		"kubernetes ports of external addresses", USE_LEADS },
};

size_t jump_place(const struct fact_key *jump)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(node_jumps) &&
		!(node_jumps[i].table == jump->set && node_jumps[i].from == jump->port &&
			!strcmp(node_jumps[i].to, jump->name)))
		i++;
	return i;
}

static struct rule make_jump(const struct node_jump *j, bool guards)
{
	struct rule rule = { .target = jump_to(j->to), .comment = j->comment };

	if (guards)
		rule.match[0] = not_going_on;
	if (j->use == USE_NEW) {
		rule.match[0] = (struct rule_match){ MATCH_STATES, .states = STATE_NEW };
		rule.comment_last = true;
	}
	return rule;
}

bool jump_rules(const struct fact *jump, struct rule_list *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(node_jumps); i++) {
		const struct node_jump *j = &node_jumps[i];

		if (j->table != jump->key.set || j->from != jump->key.port ||
			strcmp(j->to, jump->key.name) != 0)
			continue;
		for (int guards = 0; guards <= j->guards; guards++) {
			const struct rule rule = make_jump(j, guards);

			rule_list_reset(ret);
			rule_list_add(ret, &rule);
			if (rule_list_hash(HASH_EMPTY, ret) == jump->val.chain.rules)
				return true;
		}
	}
	return false;
}

static bool jump_stands(const struct node_rules *n, const struct node_jump *j)
{
	const unsigned ours = n->handed_over ? ON_HANDED_OVER
		: n->translates		     ? ON_TRANSLATED
					     : ON_IPVS;

	if (!(j->layouts & (ours | (n->portals ? ON_PREPARED : 0))) ||
		!chain_stands(n, j->table, j->to))
		return false;
	switch (j->use) {
	case USE_ALWAYS:
	case USE_NEW:
		return true;
	case USE_PORTS:
		return n->takes_ports;
	case USE_LEADS:
		return n->leads_ports;
	}
	return false;
}

static void resolve_chains(const struct node_view *view, int family, const struct node_needs *needs,
	struct rule_pool *pool, struct fact_list *ret)
{
	struct node_rules n = {
		.view = view,
		.needs = needs,
		.pool = pool,
		.out = ret,
		.family = family,
		.translates = node_view_translates(view),
		.whole = view->options->layout != LAYOUT_OWN,
		.handed_over = node_view_handed_over(view),
		.takes_ports = needs->takes_ports[family == AF_INET6],
		.leads_ports = needs->leads_ports[family == AF_INET6],
		.mark = UINT32_C(1) << view->options->masquerade_bit,
		.loopback = ip_loopback(family),
		.portals = needs->portals ? needs->portals->rules[family == AF_INET6] : NULL,
	};

	add_common_chains(&n);
	if (!n.handed_over)
		add_filter_chains(&n);
	if (n.portals)
		add_portal_chains(&n);
	if (n.handed_over) {
		add_portal_entrances(&n);
	} else if (n.translates) {
		if (view->backend == BACKEND_NFTABLES)
			add_nftables_nat_chains(&n);
		else
			add_iptables_nat_chains(&n);
		end_source_ranges_chain(&n, TABLE_NAT);
		add_translated_filter_chains(&n);
	} else {
		add_ipvs_nat_chains(&n);
		add_ipvs_filter_chains(&n);
		if (options_use_marks(view->options))
			add_ipvs_mangle_chains(&n);
	}
	if (n.leads_ports)
		add_external_chains(&n);

	for (size_t i = 0; i < ARRAY_SIZE(node_jumps); i++) {
		const struct node_jump *j = &node_jumps[i];
		const struct rule rule = make_jump(j, j->guards && (n.translates || !n.whole));

		if (!jump_stands(&n, j))
			continue;
		rule_list_add(&n.list, &rule);
		fact_list_add(ret,
			fact_jump(family, j->table, j->from, j->to, rule_pool_put(pool, &n.list)));
		rule_list_reset(&n.list);
	}
	rule_list_done(&n.list);
}

static bool set_stands(const struct node_view *view, enum set_id id, bool leads_ports)
{
	const bool translates = node_view_translates(view);
	const bool marks = !translates && options_use_marks(view->options);

	if (node_view_handed_over(view))
		return id == SET_EXTERNAL_PORT && leads_ports;
	switch (id) {
	case SET_NO_ENDPOINTS:
		return translates;
	case SET_LOCAL_MARK:
		return marks;
	case SET_NO_LOCAL:
		return translates || marks;
	case SET_EXTERNAL_PORT:
		return leads_ports;
	case SET_ENDPOINTS:
	case SET_ENDPOINTS_LOCAL:
	case SET_AFFINITY:
	case SET_AFFINITY_LOCAL:
	case SET_SPREADS:
	case SET_DISPATCH:
	case SET_DISPATCH_POD:
	case SET_DISPATCH_NODE:
		return view->backend == BACKEND_NFTABLES;
	case SET_CLIENTS: /* Services that need it bring it */
		return false;
	default:
		return true;
	}
}

void resolve_node(const struct node_view *view, const struct node_needs *needs,
	struct rule_pool *pool, struct fact_list *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct options *o = view->options;
	const bool translates = node_view_translates(view);
	const uint32_t bit = UINT32_C(1) << o->external_mark_bit;

	/* CNI plugins take the device for a sign of IPVS. */
	if (!translates || (o->vip_mode == VIP_ADDRESS && !node_view_handed_over(view)))
		fact_list_add(ret, fact_link(LINK_VIPS));
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		const int family = families[f];
		const bool leads_ports = needs->leads_ports[f];

		if (!node_view_serves(view, family))
			continue;
		if (leads_ports) {
			fact_list_add(ret,
				fact_policy_rule(family, o->external_rule_priority, bit, bit,
					o->external_table));
			if (family == AF_INET)
				fact_list_add(ret, fact_link(LINK_HELD));
		}
		for (enum set_id id = 0; id < SET_COUNT; id++) {
			struct fact set = fact_set(id, family);

			if (set.val.set.max_members && needs->set_room[f][id])
				set.val.set.max_members = needs->set_room[f][id];
			if (set_stands(view, id, leads_ports))
				fact_list_add(ret, set);
		}
		resolve_chains(view, family, needs, pool, ret);
	}
}

struct node_needs node_needs_all(void)
{
	struct node_needs all = { .takes_ports = { true, true }, .leads_ports = { true, true } };

	memset(all.has_members, true, sizeof(all.has_members));
	return all;
}

bool chain_is_entrance(enum table table, const char *name)
{
	return table == TABLE_NAT &&
		(!strcmp(name, "KUBE-SERVICES") || !strcmp(name, "KUBE-NODE-PORT") ||
			!strcmp(name, CHAIN_NODE_PORTS));
}

bool chain_is_ours(enum table table, const char *name)
{
	static const struct {
		enum table table;
		const char *name;
	} chains[] = {
		{ TABLE_NAT, "KUBE-SERVICES" },
		{ TABLE_NAT, "KUBE-POSTROUTING" },
		{ TABLE_NAT, "KUBE-NODE-PORT" },
		{ TABLE_NAT, "KUBE-LOAD-BALANCER" },
		{ TABLE_NAT, "KUBE-MARK-MASQ" },
		{ TABLE_NAT, CHAIN_SOURCE_RANGES },
		{ TABLE_NAT, CHAIN_DISPATCH }, /* with nftables */
		{ TABLE_NAT, CHAIN_DISPATCH_PORTS },
		{ TABLE_FILTER, "KUBE-SERVICES" },
		{ TABLE_FILTER, "KUBE-FORWARD" },
		{ TABLE_FILTER, "KUBE-NODE-PORT" },
		{ TABLE_FILTER, "KUBE-PROXY-FIREWALL" },
		{ TABLE_FILTER, CHAIN_SOURCE_RANGES },
		{ TABLE_FILTER, "KUBE-IPVS-FILTER" },
		{ TABLE_FILTER, "KUBE-IPVS-OUT-FILTER" },
		{ TABLE_MANGLE, "KUBE-IPVS-PODS" },
		{ TABLE_MANGLE, "KUBE-IPVS-NODE" },
		{ TABLE_MANGLE, "KUBE-IPVS-EXTERNAL" },
		{ TABLE_MANGLE, "KUBE-IPVS-TAKEN" },
		{ TABLE_MANGLE, CHAIN_SOURCE_RANGES },
		/* Of kube-proxy's iptables mode only: ours to delete. */
		{ TABLE_NAT, CHAIN_NODE_PORTS },
		{ TABLE_FILTER, "KUBE-EXTERNAL-SERVICES" },
		{ TABLE_FILTER, CHAIN_NODE_PORTS },
	};
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;
	struct spread spread;

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].table == table && !strcmp(chains[i].name, name))
			return true;
	return table == TABLE_NAT &&
		(service_chain_parse(name, &chain, hash) ||
			(spread_chain_parse(name, &spread) && spread.slots));
}
