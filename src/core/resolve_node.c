// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of the node that does not depend on the Services: the device, the sets, and a constant
 * number of rules that refer to the sets, so that a Service costs set members and, with IPVS, never
 * a rule. Chains, comments and their order are those of kube-proxy's IPVS mode
 * (pkg/proxy/ipvs/proxier.go), except that
 *
 * 1. every rule always stands: a rule that refers to an empty set matches nothing, so rules need
 *    not come and go with the members;
 * 2. ICMP echo to a VIP is answered;
 * 3. packets to a Service's own address never reach the NodePort rules, which look at the port
 *    alone and would masquerade them if their port happens to be some NodePort;
 * 4. external IPs need no physdev rule (which would load br_netfilter): every VIP is local here.
 *
 * The iptables backend keeps the sets and differs in this:
 *
 * 1. Table nat: packets to an address and port of a Service are looked up in the tree under
 *    KUBE-DISPATCH, packets to a NodePort in the tree under KUBE-NODEPORTS. The adapter of
 *    FACT_DISPATCH writes both trees. All other packets pass after a few lookups in sets.
 * 2. Table filter: a packet to a Service that is not translated by then has no endpoint to go to.
 *    It is dropped or refused, as a packet to an unused port of a VIP is.
 *
 * VIPs are local with both backends: the node itself needs no route to them, they answer ICMP echo,
 * and packets that are not translated come to INPUT.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "resolve_own.h"

/* The rules of one chain while they are made. */
struct chain_rules {
	const struct node_view *view;
	int family;
	struct rule_list list;
};

/* Sets of the addresses and ports that a Service with a VIP answers on. */
static const enum set_id portals[] = { SET_CLUSTER_IP, SET_LOAD_BALANCER, SET_EXTERNAL_IP,
	SET_EXTERNAL_IP_LOCAL };

/* add_rule(c, target, comment, matches...) */
#define add_rule(c, where, why, ...) \
	rule_list_add(&(c)->list,    \
		&(struct rule){ .match = { __VA_ARGS__ }, .target = where, .comment = why })

/* A rule for what is in one of our sets, with the comment of the set. */
static void add_set_rule(
	struct chain_rules *c, enum set_id set, enum set_dirs dirs, struct rule_target target)
{
	add_rule(c, target, set_info(set)->comment, match_set(set, dirs));
}

struct rule_match resolve_match_pods(const struct node_view *view, int family)
{
	const struct options *o = view->options;
	const struct cidr *cidr = node_view_local_cidr(view, family);

	if (options_detect_by_interface(o))
		return (struct rule_match){ .type = MATCH_INTERFACE,
			.interface = { .name = o->interface,
				.prefix = o->detect_local == DETECT_INTERFACE_NAME_PREFIX } };
	return cidr ? match_net(MATCH_SOURCE, cidr) : match_any;
}

static struct cidr loopback_net(int family)
{
	struct cidr net = { .ip.family = (uint8_t)family, .len = family == AF_INET6 ? 128 : 8 };

	net.ip.bytes[family == AF_INET6 ? 15 : 0] = family == AF_INET6 ? 1 : 127;
	return net;
}

static uint32_t masquerade_mark(const struct chain_rules *c)
{
	return UINT32_C(1) << c->view->options->masquerade_bit;
}

/* Rules of both backends */

/*
 * Cluster IP traffic that does not come from a pod of this node must find its way back, so it is
 * masqueraded. If pods cannot be told from others, only packets whose source address is the VIP
 * itself are masqueraded, see --vip-mode=address.
 */
static void masquerade_cluster_ip(struct chain_rules *c)
{
	const struct rule_match pods = resolve_match_pods(c->view, c->family);
	const bool all = c->view->options->masquerade_all, told = pods.type != MATCH_ANY;

	add_rule(c, jump_to("KUBE-MARK-MASQ"), set_info(SET_CLUSTER_IP)->comment,
		told && !all ? match_not(pods) : match_any,
		match_set(SET_CLUSTER_IP, told || all ? DIRS_DST_DST : DIRS_SRC_DST));
}

static void nat_postrouting(struct chain_rules *c)
{
	struct rule_target masquerade = { .type = TARGET_MASQUERADE };
	uint32_t mark = masquerade_mark(c);

	add_set_rule(c, SET_LOOP_BACK, DIRS_DST_DST_SRC, masquerade);
	/* A VIP on an interface becomes the source of the node's own connections, which no reply
	 * would find. */
	if (c->view->options->vip_mode == VIP_ADDRESS)
		add_set_rule(c, SET_IPVS_IPS, DIRS_SRC, masquerade);
	add_rule(c, to_return, NULL, match_not(match_mark(mark, mark)));
	add_rule(c, mark_with(mark, 0), NULL);
	masquerade.random_fully = c->view->random_fully;
	add_rule(c, masquerade, "kubernetes service traffic requiring SNAT");
}

static void nat_mark_masq(struct chain_rules *c)
{
	add_rule(c, mark_with(masquerade_mark(c), masquerade_mark(c)), NULL);
}

static void filter_forward(struct chain_rules *c)
{
	uint32_t mark = masquerade_mark(c);

	add_rule(c, to_accept, "kubernetes forwarding rules", match_mark(mark, mark));
	add_rule(c, to_accept, "kubernetes forwarding conntrack rule",
		match_states(STATE_RELATED | STATE_ESTABLISHED));
}

static void filter_node_port(struct chain_rules *c)
{
	add_set_rule(c, SET_HEALTH_CHECK_NODE_PORT, DIRS_DST, to_accept);
}

/* Returns for clients in one of the loadBalancerSourceRanges. */
static void return_allowed_sources(struct chain_rules *c)
{
	add_set_rule(c, SET_LOAD_BALANCER_SOURCE_CIDR, DIRS_DST_DST_SRC, to_return);
	add_set_rule(c, SET_LOAD_BALANCER_SOURCE_IP, DIRS_DST_DST_SRC, to_return);
}

static void source_ranges(struct chain_rules *c)
{
	return_allowed_sources(c);
	add_rule(c, to_drop, NULL);
}

static void check_source_ranges(struct chain_rules *c)
{
	add_set_rule(c, SET_LOAD_BALANCER_FW, DIRS_DST_DST, jump_to(CHAIN_SOURCE_RANGES));
}

/* Ends a chain: lets ICMP echo to a VIP pass and refuses all other new packets to one. */
static void refuse_vips(struct chain_rules *c)
{
	const uint8_t icmp = c->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	add_rule(c, to_return, NULL, match_set(SET_HEALTH_CHECK_NODE_PORT, DIRS_DST));
	add_rule(c, to_return, NULL, match_protocol(icmp), match_of(MATCH_ICMP_ECHO));
	add_rule(c, to_reject, NULL, match_states(STATE_NEW), match_set(SET_IPVS_IPS, DIRS_DST));
}

/* Drops packets to a Local policy without endpoints here, unless IPVS has them marked. */
static void drop_no_local(struct chain_rules *c, bool only_new)
{
	const uint32_t mask = c->view->options->mark_mask;

	add_rule(c, to_drop, NULL, match_set(SET_NO_LOCAL, DIRS_DST_DST),
		mask ? match_mark(0, mask) : match_any,
		only_new ? match_states(STATE_NEW) : match_any);
}

/* An empty chain that kube-proxy's layout has. */
static void no_rules(struct chain_rules *c)
{
	(void)c;
}

/* Rules of IPVS */

/* Packets to this set of external addresses are for IPVS alone. */
static void accept_external(struct chain_rules *c, enum set_id set)
{
	add_rule(c, to_accept, set_info(set)->comment, match_set(set, DIRS_DST_DST),
		match_of(MATCH_DESTINATION_LOCAL));
}

static void ipvs_nat_services(struct chain_rules *c)
{
	const struct cidr loopback = loopback_net(c->family);

	add_rule(c, to_return, NULL, match_net(MATCH_SOURCE, &loopback));
	add_set_rule(c, SET_LOAD_BALANCER, DIRS_DST_DST, jump_to("KUBE-LOAD-BALANCER"));
	masquerade_cluster_ip(c);
	add_set_rule(c, SET_EXTERNAL_IP, DIRS_DST_DST, jump_to("KUBE-MARK-MASQ"));
	accept_external(c, SET_EXTERNAL_IP);
	accept_external(c, SET_EXTERNAL_IP_LOCAL);
	add_rule(c, to_accept, NULL, match_set(SET_CLUSTER_IP, DIRS_DST_DST));
	add_rule(c, to_accept, NULL, match_set(SET_LOAD_BALANCER, DIRS_DST_DST));
	add_rule(c, jump_to("KUBE-NODE-PORT"), NULL, match_of(MATCH_DESTINATION_LOCAL));
}

static void ipvs_nat_load_balancer(struct chain_rules *c)
{
	add_set_rule(c, SET_LOAD_BALANCER_LOCAL, DIRS_DST_DST, to_return);
	add_rule(c, jump_to("KUBE-MARK-MASQ"), NULL);
}

static void ipvs_nat_node_port(struct chain_rules *c)
{
	static const struct {
		uint8_t protocol;
		enum set_id local, all;
		enum set_dirs dirs;
	} rows[] = {
		{ IPPROTO_TCP, SET_NODE_PORT_LOCAL_TCP, SET_NODE_PORT_TCP, DIRS_DST },
		{ IPPROTO_UDP, SET_NODE_PORT_LOCAL_UDP, SET_NODE_PORT_UDP, DIRS_DST },
		{ IPPROTO_SCTP, SET_NODE_PORT_LOCAL_SCTP, SET_NODE_PORT_SCTP, DIRS_DST_DST },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rule_match protocol = match_protocol(rows[i].protocol);

		add_rule(c, to_return, set_info(rows[i].local)->comment, protocol,
			match_set(rows[i].local, rows[i].dirs));
		add_rule(c, jump_to("KUBE-MARK-MASQ"), set_info(rows[i].all)->comment, protocol,
			match_set(rows[i].all, rows[i].dirs));
	}
}

/* A packet that no Service answers must not reach a daemon of the node that listens on every
 * address. */
static void ipvs_filter(struct chain_rules *c)
{
	static const enum set_id pass[] = { SET_LOAD_BALANCER, SET_CLUSTER_IP, SET_EXTERNAL_IP,
		SET_EXTERNAL_IP_LOCAL };

	for (size_t i = 0; i < ARRAY_SIZE(pass); i++)
		add_rule(c, to_return, NULL, match_set(pass[i], DIRS_DST_DST));
	refuse_vips(c);
}

/* Marks packets to an external address with a Local policy: they may go to every endpoint. */
static void add_map_mark(struct chain_rules *c, struct rule_match who)
{
	const struct rule_target map_mark = { .type = TARGET_MAP_MARK,
		.set = { SET_LOCAL_MARK, DIRS_DST_DST } };

	add_rule(c, map_mark, NULL, who, match_set(SET_LOCAL_MARK, DIRS_DST_DST));
}

/* Packets that come in: mangle PREROUTING stands before everything that would answer. Connections
 * that exist already live on with an endpoint that is leaving. */
static void ipvs_mangle_pods(struct chain_rules *c)
{
	const struct rule_match pods = resolve_match_pods(c->view, c->family);

	if (pods.type != MATCH_ANY)
		add_map_mark(c, pods);
	drop_no_local(c, true);
}

/*
 * Packets of the node itself. IPVS takes them in LOCAL_OUT (-98), before filter OUTPUT (0) could
 * look at the VIP, so loadBalancerSourceRanges are checked once more in mangle OUTPUT (-150).
 */
static void ipvs_mangle_node(struct chain_rules *c)
{
	add_map_mark(c, match_any);
	drop_no_local(c, true);
	check_source_ranges(c);
}

/* Rules of iptables */

/* Leads packets to the addresses of the node that carry NodePorts to them. */
static void add_node_port_addresses(struct chain_rules *c)
{
	const struct rule_target node_port = jump_to("KUBE-NODE-PORT");
	const struct cidr loopback = loopback_net(c->family);
	const struct rule_match to_loopback = match_net(MATCH_DESTINATION, &loopback);
	bool localhost = c->family == AF_INET && node_view_localhost_nodeports(c->view);

	if (options_all_nodeport_addresses(c->view->options, c->family)) {
		add_rule(c, node_port, NULL, localhost ? match_any : match_not(to_loopback),
			match_of(MATCH_DESTINATION_LOCAL));
		return;
	}
	for (size_t i = 0; i < c->view->n_local; i++) {
		const struct cidr own = { .ip = c->view->local[i], .len = ip_bits(c->family) };

		if (own.ip.family == c->family && node_view_is_nodeport_address(c->view, &own.ip))
			add_rule(c, node_port, NULL, match_net(MATCH_DESTINATION, &own));
	}
	if (localhost)
		add_rule(c, node_port, NULL, to_loopback);
}

static void iptables_nat_services(struct chain_rules *c)
{
	check_source_ranges(c);
	masquerade_cluster_ip(c);
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		add_rule(c, jump_to(CHAIN_DISPATCH), NULL, match_set(portals[i], DIRS_DST_DST));
	/* A port of a VIP that no Service has is not a NodePort, though the VIP is an address of
	 * the node. */
	add_rule(c, to_return, NULL, match_set(SET_IPVS_IPS, DIRS_DST));
	add_node_port_addresses(c);
}

static void iptables_nat_node_port(struct chain_rules *c)
{
	const struct rule_target node_ports = jump_to(CHAIN_NODE_PORTS);

	add_rule(c, node_ports, NULL, match_protocol(IPPROTO_TCP),
		match_set(SET_NODE_PORT_TCP, DIRS_DST));
	add_rule(c, node_ports, NULL, match_protocol(IPPROTO_UDP),
		match_set(SET_NODE_PORT_UDP, DIRS_DST));
	add_rule(c, node_ports, NULL, match_protocol(IPPROTO_SCTP));
}

/* The nat table cannot drop. Packets that are not translated here are dropped by the chain of the
 * same name in the filter table. */
static void iptables_nat_source_ranges(struct chain_rules *c)
{
	return_allowed_sources(c);
	add_rule(c, to_accept, NULL);
}

/*
 * Packets that connection tracking does not take for a part of the connection are not translated
 * either. As the address is the node's, its own TCP or SCTP would answer them with a reset and end
 * the connection.
 */
static void drop_invalid(struct chain_rules *c)
{
	const struct rule_match invalid = match_states(STATE_INVALID);

	if (!c->view->drop_invalid)
		return;
	add_rule(c, to_drop, NULL, invalid, match_set(SET_IPVS_IPS, DIRS_DST));
	add_rule(c, to_drop, NULL, invalid, match_set(SET_NODE_PORT_SCTP, DIRS_DST_DST));
	add_rule(c, to_drop, NULL, match_protocol(IPPROTO_TCP), invalid,
		match_set(SET_NODE_PORT_TCP, DIRS_DST));
}

/*
 * Packets that a Service with endpoints answers are translated before they come here. They are let
 * pass all the same: while IPVS takes over, or hands over, they come untranslated for a moment.
 */
static void iptables_filter_services(struct chain_rules *c)
{
	const struct cidr loopback = loopback_net(c->family);

	add_rule(c, to_return, NULL, match_states(STATE_RELATED | STATE_ESTABLISHED | STATE_DNAT));
	drop_invalid(c);
	/* With route_localnet others on the link could reach services that listen on 127.0.0.1. */
	if (c->family == AF_INET && node_view_localhost_nodeports(c->view))
		add_rule(c, to_drop, "block incoming localnet connections",
			match_not(match_net(MATCH_SOURCE, &loopback)),
			match_net(MATCH_DESTINATION, &loopback));
	check_source_ranges(c);
	drop_no_local(c, false);
	add_set_rule(c, SET_NO_ENDPOINTS, DIRS_DST_DST, to_reject);
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		add_rule(c, to_return, NULL, match_set(portals[i], DIRS_DST_DST));
	refuse_vips(c);
}

/*
 * A packet that connection tracking does not take for a part of the connection is not translated
 * back: its sender would show up with the endpoint's address and be answered with a reset
 * (kubernetes/kubernetes#74839).
 */
static void iptables_filter_forward(struct chain_rules *c)
{
	if (c->view->drop_invalid)
		add_rule(c, to_drop, NULL, match_states(STATE_INVALID));
	filter_forward(c);
}

/* The chains */

enum { ON_IPVS = 1, ON_IPTABLES = 2 };

static const struct node_chain {
	unsigned backends; /* 0: of kube-proxy's iptables mode only; ours to delete */
	enum table table;
	const char *name;
	void (*add_rules)(struct chain_rules *c);
} node_chains[] = {
	{ ON_IPVS, TABLE_NAT, "KUBE-SERVICES", ipvs_nat_services },
	{ ON_IPTABLES, TABLE_NAT, "KUBE-SERVICES", iptables_nat_services },
	{ ON_IPVS | ON_IPTABLES, TABLE_NAT, "KUBE-POSTROUTING", nat_postrouting },
	{ ON_IPVS, TABLE_NAT, "KUBE-NODE-PORT", ipvs_nat_node_port },
	{ ON_IPTABLES, TABLE_NAT, "KUBE-NODE-PORT", iptables_nat_node_port },
	{ ON_IPVS, TABLE_NAT, "KUBE-LOAD-BALANCER", ipvs_nat_load_balancer },
	{ ON_IPVS | ON_IPTABLES, TABLE_NAT, "KUBE-MARK-MASQ", nat_mark_masq },
	{ ON_IPTABLES, TABLE_NAT, CHAIN_SOURCE_RANGES, iptables_nat_source_ranges },
	{ ON_IPVS, TABLE_FILTER, "KUBE-FORWARD", filter_forward },
	{ ON_IPTABLES, TABLE_FILTER, "KUBE-FORWARD", iptables_filter_forward },
	{ ON_IPVS | ON_IPTABLES, TABLE_FILTER, "KUBE-NODE-PORT", filter_node_port },
	{ ON_IPVS, TABLE_FILTER, "KUBE-PROXY-FIREWALL", check_source_ranges },
	{ ON_IPVS | ON_IPTABLES, TABLE_FILTER, CHAIN_SOURCE_RANGES, source_ranges },
	{ ON_IPVS, TABLE_FILTER, "KUBE-IPVS-FILTER", ipvs_filter },
	{ ON_IPVS, TABLE_FILTER, "KUBE-IPVS-OUT-FILTER", no_rules },
	{ ON_IPTABLES, TABLE_FILTER, "KUBE-SERVICES", iptables_filter_services },
	{ ON_IPVS, TABLE_MANGLE, "KUBE-IPVS-PODS", ipvs_mangle_pods },
	{ ON_IPVS, TABLE_MANGLE, "KUBE-IPVS-NODE", ipvs_mangle_node },
	{ ON_IPVS, TABLE_MANGLE, CHAIN_SOURCE_RANGES, source_ranges },
	{ 0, TABLE_FILTER, "KUBE-EXTERNAL-SERVICES", no_rules },
	{ 0, TABLE_FILTER, "KUBE-NODEPORTS", no_rules },
};

/* Inserted at the head of their built-in chain, one after the other. */
static const struct node_jump {
	unsigned backends;
	enum table table;
	enum hook from;
	const char *to, *comment;
} node_jumps[] = {
	{ ON_IPVS | ON_IPTABLES, TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES",
		"kubernetes service portals" },
	{ ON_IPVS | ON_IPTABLES, TABLE_NAT, HOOK_PREROUTING, "KUBE-SERVICES",
		"kubernetes service portals" },
	{ ON_IPVS | ON_IPTABLES, TABLE_NAT, HOOK_POSTROUTING, "KUBE-POSTROUTING",
		"kubernetes postrouting rules" },
	{ ON_IPVS | ON_IPTABLES, TABLE_FILTER, HOOK_FORWARD, "KUBE-FORWARD",
		"kubernetes forwarding rules" },
	{ ON_IPVS | ON_IPTABLES, TABLE_FILTER, HOOK_INPUT, "KUBE-NODE-PORT",
		"kubernetes health check rules" },
	{ ON_IPVS, TABLE_FILTER, HOOK_INPUT, "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules" },
	{ ON_IPVS, TABLE_FILTER, HOOK_FORWARD, "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules" },
	{ ON_IPVS, TABLE_FILTER, HOOK_INPUT, "KUBE-IPVS-FILTER", "kubernetes ipvs access filter" },
	{ ON_IPVS, TABLE_FILTER, HOOK_OUTPUT, "KUBE-IPVS-OUT-FILTER",
		"kubernetes ipvs access filter" },
	{ ON_IPTABLES, TABLE_FILTER, HOOK_INPUT, "KUBE-SERVICES", "kubernetes service portals" },
	{ ON_IPTABLES, TABLE_FILTER, HOOK_FORWARD, "KUBE-SERVICES", "kubernetes service portals" },
	{ ON_IPVS, TABLE_MANGLE, HOOK_PREROUTING, "KUBE-IPVS-PODS",
		"kubernetes ipvs traffic policies" },
	{ ON_IPVS, TABLE_MANGLE, HOOK_OUTPUT, "KUBE-IPVS-NODE",
		"kubernetes ipvs traffic policies" },
};

/* The mangle table serves the marks of IPVS. */
static bool chain_stands(const struct node_view *view, unsigned backends, enum table table)
{
	unsigned backend = view->backend == BACKEND_IPTABLES ? ON_IPTABLES : ON_IPVS;

	return backends & backend && (table != TABLE_MANGLE || view->options->mark_mask);
}

static void resolve_chains(
	const struct node_view *view, int family, struct rule_pool *pool, struct fact_list *ret)
{
	struct chain_rules c = { .view = view, .family = family };

	for (size_t i = 0; i < ARRAY_SIZE(node_chains); i++) {
		if (!chain_stands(view, node_chains[i].backends, node_chains[i].table))
			continue;
		rule_list_reset(&c.list);
		node_chains[i].add_rules(&c);
		fact_list_add(ret,
			fact_chain(family, node_chains[i].table, node_chains[i].name,
				rule_pool_put(pool, &c.list)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(node_jumps); i++) {
		const struct node_jump *j = &node_jumps[i];

		if (!chain_stands(view, j->backends, j->table))
			continue;
		rule_list_reset(&c.list);
		rule_list_add(
			&c.list, &(struct rule){ .target = jump_to(j->to), .comment = j->comment });
		fact_list_add(ret,
			fact_jump(family, j->table, j->from, j->to, rule_pool_put(pool, &c.list)));
	}
	rule_list_done(&c.list);
}

static bool set_stands(const struct node_view *view, enum set_id id)
{
	bool iptables = view->backend == BACKEND_IPTABLES;

	if (id == SET_NO_ENDPOINTS)
		return iptables;
	if (id == SET_LOCAL_MARK)
		return !iptables && view->options->mark_mask;
	return id != SET_NO_LOCAL || iptables || view->options->mark_mask;
}

void resolve_node(const struct node_view *view, struct rule_pool *pool, struct fact_list *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };

	/* CNI plugins take the device for a sign of IPVS. */
	if (view->backend != BACKEND_IPTABLES || view->options->vip_mode == VIP_ADDRESS)
		fact_list_add(ret, fact_link());
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		if (!node_view_serves(view, families[f]))
			continue;
		for (enum set_id id = 0; id < SET_COUNT; id++)
			if (set_stands(view, id))
				fact_list_add(ret, fact_set(id, families[f]));
		resolve_chains(view, families[f], pool, ret);
	}
}

bool chain_is_ours(enum table table, const char *name)
{
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;

	for (size_t i = 0; i < ARRAY_SIZE(node_chains); i++)
		if (node_chains[i].table == table && !strcmp(node_chains[i].name, name))
			return true;
	return table == TABLE_NAT && service_chain_parse(name, &chain, hash);
}
