// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What stands on the node whatever the Services are: the device, the sets, and a constant number of
 * iptables rules that refer to the sets, so that a Service costs set members and never a rule.
 * Chains, comments and their order are those of kube-proxy's IPVS mode (pkg/proxy/ipvs/proxier.go),
 * except that
 *
 * - every rule always stands; one that refers to an empty set matches nothing, and no rule has to
 * come and go;
 * - ICMP echo to a VIP is answered;
 * - what a Service's own address answers never gets to the NodePort rules, which look at the port
 * alone, and so is not masqueraded because its port happens to be some NodePort;
 * - external IPs need no physdev rule (which would load br_netfilter): every VIP is local here.
 *
 * The rules are written in the form in which iptables-save prints them, so that an audit can
 * compare.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "resolve_own.h"

void rules_match_set(struct rules *r, enum set_id set, const char *dirs, bool comment)
{
	char name[SET_NAME_LEN + 1];

	if (comment) {
		buf_adds(&r->text, " -m comment --comment \"");
		for (const char *s = set_info(set)->comment; *s; s++)
			buf_addf(&r->text, *s == '\'' ? "\\%c" : "%c", *s);
		buf_addc(&r->text, '"');
	}
	buf_addf(&r->text, " -m set --match-set %s %s", set_name(set, r->family, name), dirs);
}

void rules_set(
	struct rules *r, const char *head, enum set_id set, const char *dirs, const char *target)
{
	buf_addf(&r->text, "-A %s", head);
	rules_match_set(r, set, dirs, true);
	buf_addf(&r->text, " -j %s\n", target);
}

void rules_bare(
	struct rules *r, const char *head, enum set_id set, const char *dirs, const char *target)
{
	buf_addf(&r->text, "-A %s", head);
	rules_match_set(r, set, dirs, false);
	buf_addf(&r->text, " -j %s\n", target);
}

static bool by_interface(const struct node_view *p)
{
	return p->options->detect_local == DETECT_BRIDGE_INTERFACE ||
		p->options->detect_local == DETECT_INTERFACE_NAME_PREFIX;
}

bool resolve_match_pods(struct buf *b, const struct node_view *p, int family, bool others)
{
	const struct cidr *cidr = node_view_local_cidr(p, family);
	const char *not = others ? " !" : "";
	char s[CIDR_STRLEN];

	if (by_interface(p))
		buf_addf(b, "%s -i %s%s", not, p->options->interface,
			p->options->detect_local == DETECT_INTERFACE_NAME_PREFIX ? "+" : "");
	else if (cidr)
		buf_addf(b, "%s -s %s", not, cidr_print(cidr, s));
	return by_interface(p) || cidr;
}

static bool match_pods(struct rules *r, bool others)
{
	return resolve_match_pods(&r->text, r->view, r->family, others);
}

/*
 * Cluster IP traffic that does not come from a pod of this node must find its way back: it is
 * masqueraded. Without a way to tell: what has the VIP itself as its source address, see
 * --vip-mode=address.
 */
void rules_cluster_ip(struct rules *r)
{
	bool all = r->view->options->masquerade_all;
	bool told;

	buf_adds(&r->text, "-A KUBE-SERVICES");
	told = all || match_pods(r, true);
	rules_match_set(r, SET_CLUSTER_IP, told ? "dst,dst" : "src,dst", true);
	buf_adds(&r->text, " -j KUBE-MARK-MASQ\n");
}

static void external_accept(struct rules *r, enum set_id set)
{
	buf_adds(&r->text, "-A KUBE-SERVICES");
	rules_match_set(r, set, "dst,dst", true);
	buf_adds(&r->text, " -m addrtype --dst-type LOCAL -j ACCEPT\n");
}

static void nat_services(struct rules *r)
{
	buf_addf(&r->text, "-A KUBE-SERVICES -s %s -j RETURN\n",
		r->family == AF_INET6 ? "::1/128" : "127.0.0.0/8");
	rules_set(r, "KUBE-SERVICES", SET_LOAD_BALANCER, "dst,dst", "KUBE-LOAD-BALANCER");
	rules_cluster_ip(r);
	rules_set(r, "KUBE-SERVICES", SET_EXTERNAL_IP, "dst,dst", "KUBE-MARK-MASQ");
	external_accept(r, SET_EXTERNAL_IP);
	external_accept(r, SET_EXTERNAL_IP_LOCAL);
	rules_bare(r, "KUBE-SERVICES", SET_CLUSTER_IP, "dst,dst", "ACCEPT");
	rules_bare(r, "KUBE-SERVICES", SET_LOAD_BALANCER, "dst,dst", "ACCEPT");
	buf_adds(&r->text, "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT\n");
}

static void nat_load_balancer(struct rules *r)
{
	rules_set(r, "KUBE-LOAD-BALANCER", SET_LOAD_BALANCER_LOCAL, "dst,dst", "RETURN");
	buf_adds(&r->text, "-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ\n");
}

static void nat_node_port(struct rules *r)
{
	rules_set(r, "KUBE-NODE-PORT -p tcp", SET_NODE_PORT_LOCAL_TCP, "dst", "RETURN");
	rules_set(r, "KUBE-NODE-PORT -p tcp", SET_NODE_PORT_TCP, "dst", "KUBE-MARK-MASQ");
	rules_set(r, "KUBE-NODE-PORT -p udp", SET_NODE_PORT_LOCAL_UDP, "dst", "RETURN");
	rules_set(r, "KUBE-NODE-PORT -p udp", SET_NODE_PORT_UDP, "dst", "KUBE-MARK-MASQ");
	rules_set(r, "KUBE-NODE-PORT -p sctp", SET_NODE_PORT_LOCAL_SCTP, "dst,dst", "RETURN");
	rules_set(r, "KUBE-NODE-PORT -p sctp", SET_NODE_PORT_SCTP, "dst,dst", "KUBE-MARK-MASQ");
}

static uint32_t mark(const struct rules *r)
{
	return UINT32_C(1) << r->view->options->masquerade_bit;
}

static void nat_postrouting(struct rules *r)
{
	uint32_t m = mark(r);

	rules_set(r, "KUBE-POSTROUTING", SET_LOOP_BACK, "dst,dst,src", "MASQUERADE");
	/* A VIP on an interface becomes the source of the node's own connections, which no reply
	 * would find. */
	if (r->view->options->vip_mode == VIP_ADDRESS) {
		buf_adds(&r->text, "-A KUBE-POSTROUTING");
		rules_match_set(r, SET_IPVS_IPS, "src", true);
		buf_adds(&r->text, " -j MASQUERADE\n");
	}
	buf_addf(&r->text, "-A KUBE-POSTROUTING -m mark ! --mark 0x%x/0x%x -j RETURN\n", m, m);
	buf_addf(&r->text, "-A KUBE-POSTROUTING -j MARK --set-xmark 0x%x/0x0\n", m);
	buf_addf(&r->text,
		"-A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic "
		"requiring SNAT\" -j MASQUERADE%s\n",
		r->view->random_fully ? " --random-fully" : "");
}

static void nat_mark_masq(struct rules *r)
{
	buf_addf(&r->text, "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x%x/0x%x\n", mark(r), mark(r));
}

void rules_filter_forward(struct rules *r)
{
	buf_addf(&r->text,
		"-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" "
		"-m mark --mark 0x%x/0x%x -j ACCEPT\n",
		mark(r), mark(r));
	buf_adds(&r->text,
		"-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack rule\" "
		"-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n");
}

static void filter_node_port(struct rules *r)
{
	rules_set(r, "KUBE-NODE-PORT", SET_HEALTH_CHECK_NODE_PORT, "dst", "ACCEPT");
}

static void filter_proxy_firewall(struct rules *r)
{
	rules_set(r, "KUBE-PROXY-FIREWALL", SET_LOAD_BALANCER_FW, "dst,dst",
		"KUBE-SOURCE-RANGES-FIREWALL");
}

static void filter_source_ranges(struct rules *r)
{
	rules_set(r, "KUBE-SOURCE-RANGES-FIREWALL", SET_LOAD_BALANCER_SOURCE_CIDR, "dst,dst,src",
		"RETURN");
	rules_set(r, "KUBE-SOURCE-RANGES-FIREWALL", SET_LOAD_BALANCER_SOURCE_IP, "dst,dst,src",
		"RETURN");
	buf_adds(&r->text, "-A KUBE-SOURCE-RANGES-FIREWALL -j DROP\n");
}

const char *rules_refuse(const struct rules *r)
{
	return r->family == AF_INET6 ? "REJECT --reject-with icmp6-port-unreachable"
				     : "REJECT --reject-with icmp-port-unreachable";
}

void rules_refuse_vips(struct rules *r, const char *chain)
{
	rules_bare(r, chain, SET_HEALTH_CHECK_NODE_PORT, "dst", "RETURN");
	buf_addf(&r->text, "-A %s %s -j RETURN\n", chain,
		r->family == AF_INET6 ? "-p ipv6-icmp -m icmp6 --icmpv6-type 128"
				      : "-p icmp -m icmp --icmp-type 8");
	buf_addf(&r->text, "-A %s -m conntrack --ctstate NEW", chain);
	rules_match_set(r, SET_IPVS_IPS, "dst", false);
	buf_addf(&r->text, " -j %s\n", rules_refuse(r));
}

/* What no Service answers must not reach a daemon of the node that listens on every address. */
static void filter_ipvs(struct rules *r)
{
	static const enum set_id pass[] = { SET_LOAD_BALANCER, SET_CLUSTER_IP, SET_EXTERNAL_IP,
		SET_EXTERNAL_IP_LOCAL };

	for (size_t i = 0; i < ARRAY_SIZE(pass); i++)
		rules_bare(r, "KUBE-IPVS-FILTER", pass[i], "dst,dst", "RETURN");
	rules_refuse_vips(r, "KUBE-IPVS-FILTER");
}

/* Marks what goes to an external address with a Local policy: it may go to every endpoint. */
static void map_mark(struct rules *r)
{
	char name[SET_NAME_LEN + 1];

	rules_match_set(r, SET_LOCAL_MARK, "dst,dst", false);
	buf_addf(&r->text, " -j SET --map-set %s dst,dst --map-mark\n",
		set_name(SET_LOCAL_MARK, r->family, name));
}

void rules_drop_no_local(struct rules *r, const char *chain, const char *which)
{
	buf_addf(&r->text, "-A %s", chain);
	rules_match_set(r, SET_NO_LOCAL, "dst,dst", false);
	if (r->view->options->mark_mask)
		buf_addf(&r->text, " -m mark --mark 0x0/0x%x", r->view->options->mark_mask);
	buf_addf(&r->text, "%s -j DROP\n", which);
}

/* Connections that stand live on with an endpoint that is leaving. */
static void drop_new_no_local(struct rules *r, const char *chain)
{
	rules_drop_no_local(r, chain, " -m conntrack --ctstate NEW");
}

/* Packets that come in: mangle PREROUTING stands before everything that would answer. */
static void mangle_pods(struct rules *r)
{
	size_t start = r->text.len;

	buf_adds(&r->text, "-A KUBE-IPVS-PODS");
	if (match_pods(r, false)) {
		map_mark(r);
	} else {
		r->text.len = start;
		r->text.data[start] = '\0';
	}
	drop_new_no_local(r, "KUBE-IPVS-PODS");
}

/*
 * Packets of the node itself. IPVS takes them in LOCAL_OUT (-98), before filter OUTPUT (0) could
 * look at the VIP, so loadBalancer- SourceRanges stand here once more, in mangle OUTPUT (-150).
 */
static void mangle_node(struct rules *r)
{
	buf_adds(&r->text, "-A KUBE-IPVS-NODE");
	map_mark(r);
	drop_new_no_local(r, "KUBE-IPVS-NODE");
	rules_set(r, "KUBE-IPVS-NODE", SET_LOAD_BALANCER_FW, "dst,dst",
		"KUBE-SOURCE-RANGES-FIREWALL");
}

/* An empty chain that kube-proxy's layout has. */
static void no_rules(struct rules *r)
{
	(void)r;
}

enum { IPVS = 1, IPTABLES = 2 };

static const struct chain {
	unsigned backends; /* 0: of kube-proxy's iptables mode only; ours to delete */
	enum table table;
	const char *name;
	void (*rules)(struct rules *r);
} chains[] = {
	{ IPVS, TABLE_NAT, "KUBE-SERVICES", nat_services },
	{ IPTABLES, TABLE_NAT, "KUBE-SERVICES", iptables_nat_services },
	{ IPVS | IPTABLES, TABLE_NAT, "KUBE-POSTROUTING", nat_postrouting },
	{ IPVS, TABLE_NAT, "KUBE-NODE-PORT", nat_node_port },
	{ IPTABLES, TABLE_NAT, "KUBE-NODE-PORT", iptables_nat_node_port },
	{ IPVS, TABLE_NAT, "KUBE-LOAD-BALANCER", nat_load_balancer },
	{ IPVS | IPTABLES, TABLE_NAT, "KUBE-MARK-MASQ", nat_mark_masq },
	{ IPTABLES, TABLE_NAT, "KUBE-SOURCE-RANGES-FIREWALL", iptables_nat_source_ranges },
	{ IPVS, TABLE_FILTER, "KUBE-FORWARD", rules_filter_forward },
	{ IPTABLES, TABLE_FILTER, "KUBE-FORWARD", iptables_filter_forward },
	{ IPVS | IPTABLES, TABLE_FILTER, "KUBE-NODE-PORT", filter_node_port },
	{ IPVS, TABLE_FILTER, "KUBE-PROXY-FIREWALL", filter_proxy_firewall },
	{ IPVS | IPTABLES, TABLE_FILTER, "KUBE-SOURCE-RANGES-FIREWALL", filter_source_ranges },
	{ IPVS, TABLE_FILTER, "KUBE-IPVS-FILTER", filter_ipvs },
	{ IPVS, TABLE_FILTER, "KUBE-IPVS-OUT-FILTER", no_rules },
	{ IPTABLES, TABLE_FILTER, "KUBE-SERVICES", iptables_filter_services },
	{ IPVS, TABLE_MANGLE, "KUBE-IPVS-PODS", mangle_pods },
	{ IPVS, TABLE_MANGLE, "KUBE-IPVS-NODE", mangle_node },
	{ IPVS, TABLE_MANGLE, "KUBE-SOURCE-RANGES-FIREWALL", filter_source_ranges },
	{ 0, TABLE_FILTER, "KUBE-EXTERNAL-SERVICES", no_rules },
	{ 0, TABLE_FILTER, "KUBE-NODEPORTS", no_rules },
};

/* Inserted at the head of their built-in chain, one after the other. */
static const struct jump {
	unsigned backends;
	enum table table;
	enum hook from;
	const char *to, *comment;
} jumps[] = {
	{ IPVS | IPTABLES, TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES", "kubernetes service portals" },
	{ IPVS | IPTABLES, TABLE_NAT, HOOK_PREROUTING, "KUBE-SERVICES",
		"kubernetes service portals" },
	{ IPVS | IPTABLES, TABLE_NAT, HOOK_POSTROUTING, "KUBE-POSTROUTING",
		"kubernetes postrouting rules" },
	{ IPVS | IPTABLES, TABLE_FILTER, HOOK_FORWARD, "KUBE-FORWARD",
		"kubernetes forwarding rules" },
	{ IPVS | IPTABLES, TABLE_FILTER, HOOK_INPUT, "KUBE-NODE-PORT",
		"kubernetes health check rules" },
	{ IPVS, TABLE_FILTER, HOOK_INPUT, "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules" },
	{ IPVS, TABLE_FILTER, HOOK_FORWARD, "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules" },
	{ IPVS, TABLE_FILTER, HOOK_INPUT, "KUBE-IPVS-FILTER", "kubernetes ipvs access filter" },
	{ IPVS, TABLE_FILTER, HOOK_OUTPUT, "KUBE-IPVS-OUT-FILTER",
		"kubernetes ipvs access filter" },
	{ IPTABLES, TABLE_FILTER, HOOK_INPUT, "KUBE-SERVICES", "kubernetes service portals" },
	{ IPTABLES, TABLE_FILTER, HOOK_FORWARD, "KUBE-SERVICES", "kubernetes service portals" },
	{ IPVS, TABLE_MANGLE, HOOK_PREROUTING, "KUBE-IPVS-PODS",
		"kubernetes ipvs traffic policies" },
	{ IPVS, TABLE_MANGLE, HOOK_OUTPUT, "KUBE-IPVS-NODE", "kubernetes ipvs traffic policies" },
};

/* The mangle table serves the marks of IPVS. */
static bool stands(const struct node_view *p, unsigned backends, enum table table)
{
	unsigned backend = p->backend == BACKEND_IPTABLES ? IPTABLES : IPVS;

	return backends & backend && (table != TABLE_MANGLE || p->options->mark_mask);
}

static void resolve_chains(
	const struct node_view *view, int family, struct text_pool *texts, struct fact_list *ret)
{
	struct rules r = { .view = view, .family = family };

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		if (!stands(view, chains[i].backends, chains[i].table))
			continue;
		buf_reset(&r.text);
		chains[i].rules(&r);
		fact_list_add(ret,
			fact_chain(family, chains[i].table, chains[i].name,
				text_put(texts, buf_str(&r.text))));
	}
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		const struct jump *j = &jumps[i];

		if (!stands(view, j->backends, j->table))
			continue;
		buf_reset(&r.text);
		buf_addf(&r.text, "-A %s -m comment --comment \"%s\" -j %s\n", hook_name(j->from),
			j->comment, j->to);
		fact_list_add(ret,
			fact_jump(family, j->table, j->from, j->to,
				text_put(texts, buf_str(&r.text))));
	}
	buf_done(&r.text);
}

static bool set_stands(const struct node_view *p, enum set_id id)
{
	bool iptables = p->backend == BACKEND_IPTABLES;

	if (id == SET_NO_ENDPOINTS)
		return iptables;
	if (id == SET_LOCAL_MARK)
		return !iptables && p->options->mark_mask;
	return id != SET_NO_LOCAL || iptables || p->options->mark_mask;
}

void resolve_node(const struct node_view *view, struct text_pool *texts, struct fact_list *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };

	/* CNI plugins take it for a sign of IPVS. */
	if (view->backend != BACKEND_IPTABLES || view->options->vip_mode == VIP_ADDRESS)
		fact_list_add(ret, fact_link());
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		if (!node_view_serves(view, families[f]))
			continue;
		for (enum set_id id = 0; id < SET_COUNT; id++)
			if (set_stands(view, id))
				fact_list_add(ret, fact_set(id, families[f]));
		resolve_chains(view, families[f], texts, ret);
	}
}

bool chain_is_ours(enum table table, const char *name)
{
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].table == table && !strcmp(chains[i].name, name))
			return true;
	return table == TABLE_NAT && service_chain_parse(name, &chain, hash);
}
