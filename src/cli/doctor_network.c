// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks of the node's network: ports, interfaces, addresses, and other proxies. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/port_set.h"
#include "doctor.h"
#include "kernel/iptables_gate.h"
#include "kernel/link.h"
#include "tree.h"

/* Source ports of the node */

enum { FIRST_NODE_PORT = 30000, LAST_NODE_PORT = 32767 /* of kube-apiserver, by default */ };

void doctor_judge_source_ports(const struct doctor_facts *f, json_t *findings)
{
	const char *range = doctor_text(f, "/proc/sys/net/ipv4/ip_local_port_range");
	const char *reserved = doctor_text(f, "/proc/sys/net/ipv4/ip_local_reserved_ports");
	_cleanup_free_ char *text = NULL;
	_cleanup_(buf_done) struct buf open = { 0 };
	struct port_set kept = { 0 }, used = { 0 };
	unsigned first, last;
	json_t *o;

	if (!range || sscanf(range, "%u %u", &first, &last) != 2)
		return;
	text = reserved ? mem_strndup(reserved, strcspn(reserved, "\n")) : NULL;
	if (text && port_set_parse(text, &kept) < 0)
		return;
	for (unsigned p = FIRST_NODE_PORT; p <= LAST_NODE_PORT; p++)
		if (p >= first && p <= last)
			port_set_add(&used, (uint16_t)p);
	port_set_minus(&used, &kept, &used);
	/* With a few ports kept, as by the daemon, those of the next Services are still open. */
	if (!port_set_count(&used))
		return;
	port_set_print(&open, &used);
	o = doctor_finding(findings, "port-range",
		"The node may connect from a port that a Service gets as its node port later; the "
		"answers of such a connection go to the Service. The daemon reserves the ports of "
		"Services only when it serves them.");
	doctor_say(o, "seen",
		"net.ipv4.ip_local_port_range is %u to %u and has node ports (%d to %d) that "
		"net.ipv4.ip_local_reserved_ports does not keep",
		first, last, FIRST_NODE_PORT, LAST_NODE_PORT);
	doctor_say(o, "remedy",
		"sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\", or reserve %d-%d by "
		"net.ipv4.ip_local_reserved_ports, and keep it in /etc/sysctl.d",
		FIRST_NODE_PORT, LAST_NODE_PORT);
	doctor_say(o, "command", "%s",
		"sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports");
}

/* Other proxies */

static const char proxy_why[] =
	"Two proxies translate the same packets. Whoever sees them first wins, with endpoints that the "
	"other one does not know.";

static const struct interface *find_link(const struct doctor_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_links; i++)
		if (!strcmp(f->links[i].name, name))
			return &f->links[i];
	return NULL;
}

static bool has_option(const struct kube_proxy *k, const char *option)
{
	for (size_t i = 0; i < k->n_options; i++)
		if (!strcmp(k->options[i], option))
			return true;
	return false;
}

static void judge_proxy_links(const struct doctor_facts *f, json_t *findings)
{
	static const struct {
		const char *link, *proxy, *remedy;
	} known[] = {
		{ "kube-dummy-if", "kube-router's service proxy",
			"run kube-router with --run-service-proxy=false, and `kube-router "
			"--cleanup-config` once" },
		{ "bpfin.cali", "Calico's eBPF data plane",
			"kubectl patch felixconfiguration default --type merge -p "
			"'{\"spec\":{\"bpfEnabled\":false}}'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		json_t *o;

		if (!find_link(f, known[i].link))
			continue;
		o = doctor_finding(findings, "other-proxy", proxy_why);
		doctor_say(o, "seen", "the device %s is that of %s", known[i].link, known[i].proxy);
		doctor_say(o, "remedy", "%s", known[i].remedy);
		doctor_say(o, "command", "ip link show %s", known[i].link);
	}
}

void doctor_judge_proxies(const struct doctor_facts *f, json_t *findings)
{
	const struct kube_proxy *proxy = &f->proxies[0], *router = &f->proxies[2];
	const char *replaces = f->cilium_replaces ? f->cilium_replaces : "";
	json_t *o;

	if (proxy->pid) {
		o = doctor_finding(findings, "other-proxy", proxy_why);
		doctor_say(o, "seen", "kube-proxy runs as process %d", proxy->pid);
		doctor_say(o, "remedy", "%s",
			"take the steps that `ipvsctl-svc preflight` prints; with hand-over kube-proxy "
			"stops when the daemon is ready");
		doctor_say(o, "command", "ps -fp %d", proxy->pid);
	}
	if (router->pid && !has_option(router, "--run-service-proxy=false") &&
		!find_link(f, "kube-dummy-if")) {
		o = doctor_finding(findings, "other-proxy", proxy_why);
		doctor_say(o, "seen",
			"kube-router runs as process %d without "
			"--run-service-proxy=false",
			router->pid);
		doctor_say(o, "remedy", "run it with --run-service-proxy=false");
		doctor_say(o, "command", "ps -fp %d", router->pid);
	}
	if (*replaces && strcmp(replaces, "false") != 0 && strcmp(replaces, "disabled") != 0) {
		o = doctor_finding(findings, "other-proxy", proxy_why);
		doctor_say(o, "seen", "Cilium runs with kube-proxy-replacement \"%s\"", replaces);
		doctor_say(o, "remedy",
			"set kube-proxy-replacement to \"false\" in Cilium's "
			"ConfigMap cilium-config, and restart its agents");
		doctor_say(o, "command",
			"kubectl -n kube-system get configmap cilium-config -o yaml | grep "
			"kube-proxy-replacement");
	}
	judge_proxy_links(f, findings);
	/* With a daemon they are among its warnings. */
	if (json_array_size(f->leftovers)) {
		const size_t n = json_array_size(f->leftovers);

		o = doctor_finding(findings, "other-proxy", proxy_why);
		doctor_say(o, "seen", "kube-proxy left %s%s",
			json_string_value(json_array_get(f->leftovers, 0)),
			n > 1 ? " and more" : "");
		doctor_say(o, "remedy", "%s",
			"if kube-proxy does not run any more: ipvsctl-svc cleanup --of kube-proxy");
		doctor_say(o, "command", "ipvsctl-svc cleanup --of kube-proxy --dry-run");
	}
}

/* Interfaces */

/* What a tunnel adds to each packet, over IPv4: the least that it can be. */
static const struct {
	const char *kind;
	long bytes;
} tunnels[] = { { "vxlan", 50 }, { "geneve", 50 }, { "wireguard", 60 }, { "ipip", 20 },
	{ "gre", 24 }, { "sit", 20 }, { "ip6tnl", 40 } };

enum {
	UNLIMITED_MTU =
		60000 /* of a tunnel whose packets are limited elsewhere, as Open vSwitch does */
};

/* 0: it is no tunnel */
static long tunnel_overhead(const struct interface *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++)
		if (!strcmp(l->kind, tunnels[i].kind))
			return tunnels[i].bytes;
	return 0;
}

static bool begins_with(const char *s, const char *start)
{
	return !strncmp(s, start, strlen(start));
}

static const struct interface *link_by_index(const struct doctor_facts *f, int index)
{
	for (size_t i = 0; index && i < f->n_links; i++)
		if (f->links[i].index == index)
			return &f->links[i];
	return NULL;
}

/* A bridge or a veth of pods; those of Docker and libvirt are for their own containers. */
static bool is_of_pods(const struct doctor_facts *f, const struct interface *l)
{
	static const char *const bridges[] = { "cni", "cbr", "kube-bridge", "weave" };
	static const char *const veths[] = { "cali", "lxc", "veth" };
	const bool bridge = !strcmp(l->kind, "bridge"), veth = !strcmp(l->kind, "veth");
	const struct interface *master = link_by_index(f, l->master);

	if (gate_is_others_interface(l->name) || (master && gate_is_others_interface(master->name)))
		return false;
	for (size_t i = 0; bridge && i < ARRAY_SIZE(bridges); i++)
		if (begins_with(l->name, bridges[i]))
			return true;
	for (size_t i = 0; veth && i < ARRAY_SIZE(veths); i++)
		if (begins_with(l->name, veths[i]))
			return true;
	return false;
}

/* An interface through which the node reaches others, not its own pods. */
static bool is_outside(const struct doctor_facts *f, const struct interface *l)
{
	return l->up && !l->master && strcmp(l->kind, "loopback") != 0 &&
		strcmp(l->kind, "dummy") != 0 && !tunnel_overhead(l) && !is_of_pods(f, l) &&
		!gate_is_others_interface(l->name);
}

static void add_mtu_finding(
	const struct interface *l, const struct interface *way, long overhead, json_t *findings)
{
	json_t *o = doctor_finding(findings, "mtu",
		"Packets that are too large are fragmented or dropped. Where the ICMP message about it "
		"is lost, small answers arrive and large ones hang.");

	if (overhead)
		doctor_say(o, "seen",
			"the %s tunnel %s has MTU %u and adds %ld bytes, but %s, through which its "
			"packets leave, has MTU %u",
			l->kind, l->name, l->mtu, overhead, way->name, way->mtu);
	else
		doctor_say(o, "seen", "%s of pods has MTU %u, but %s with the default route has %u",
			l->name, l->mtu, way->name, way->mtu);
	doctor_say(o, "remedy",
		"set the MTU of pods in the CNI plugin's configuration to %ld or less",
		way->mtu - overhead);
	doctor_say(o, "command", "ip -d link show %s; ip link show %s", l->name, way->name);
}

/*
 * Where it is unknown which interface carries a tunnel, that with the greatest MTU counts. Cilium
 * limits packets by routes.
 */
static void judge_tunnel(const struct doctor_facts *f, const struct interface *l,
	const struct interface *widest, json_t *findings)
{
	const struct interface *lower = link_by_index(f, l->lower);
	const long overhead = tunnel_overhead(l);

	if (!lower)
		lower = widest;
	if (l->mtu + overhead > lower->mtu && l->mtu < UNLIMITED_MTU &&
		!begins_with(l->name, "cilium_"))
		add_mtu_finding(l, lower, overhead, findings);
}

void doctor_judge_mtu(const struct doctor_facts *f, json_t *findings)
{
	const struct interface *way = doctor_default_link(f);
	bool tunnels_are_up = false;

	if (!way)
		return;
	for (size_t i = 0; i < f->n_links; i++)
		if (is_outside(f, &f->links[i]) && f->links[i].mtu > way->mtu)
			way = &f->links[i];
	for (size_t i = 0; i < f->n_links; i++) {
		const struct interface *l = &f->links[i];

		if (!tunnel_overhead(l) || !l->up || l == way)
			continue;
		tunnels_are_up = true;
		judge_tunnel(f, l, way, findings);
	}
	/* Packets of pods leave through the tunnel. */
	if (tunnels_are_up)
		return;
	for (size_t i = 0; i < f->n_links; i++) {
		const struct interface *l = &f->links[i];

		if (!l->up || !is_of_pods(f, l) || l->mtu <= way->mtu)
			continue;
		add_mtu_finding(l, way, 0, findings);
		return; /* all pods have the same MTU */
	}
}

/*
 * The greater of "all" and the interface's own counts; a strict one for all is a trap of the daemon. A
 * node with one way to the outside gets its packets where it sends them. What network plugins set for
 * their own interfaces is theirs.
 */
void doctor_judge_rp_filter(const struct doctor_facts *f, json_t *findings)
{
	const long all = doctor_number(f, "/proc/sys/net/ipv4/conf/all/rp_filter");
	size_t ways = 0;

	for (size_t i = 0; i < f->n_links; i++)
		ways += is_outside(f, &f->links[i]);
	for (size_t i = 0; i < f->n_links && ways > 1 && all == 0; i++) {
		const struct interface *l = &f->links[i];
		_cleanup_(buf_done) struct buf setting = { 0 }, value = { 0 };
		const char *file;
		unsigned line;
		json_t *o;

		buf_addf(&setting, "/proc/sys/net/ipv4/conf/%s/rp_filter", l->name);
		if (!is_outside(f, l) || doctor_number(f, buf_str(&setting)) != 1)
			continue;
		o = doctor_finding(findings, "rp-filter",
			"A packet is dropped unless the route back to its source leads through the "
			"interface on which it came. On a node with several interfaces this drops "
			"clients and answers of endpoints.");
		doctor_say(o, "seen",
			"net.ipv4.conf.%s.rp_filter is 1 (strict), and the node has %zu interfaces to "
			"the outside",
			l->name, ways);
		file = doctor_sysctl_file(
			f, buf_str(&setting) + strlen("/proc/sys/"), &value, &line);
		doctor_say(o, "remedy", "set it to 2 (loose)%s%s", file ? ", and correct " : "",
			file ? file : "");
		doctor_say(o, "command",
			"sysctl net.ipv4.conf.%s.rp_filter; nstat -az "
			"TcpExtIPReversePathFilter",
			l->name);
	}
}

/* Addresses */

enum { FLAG_DAD_FAILED = 0x08 /* IFA_F_DADFAILED */ };

/* "fd000050000000000000000000000001 02 40 00 80     eth0": if6_seq_show() */
static void judge_duplicates6(const struct doctor_facts *f, json_t *findings)
{
	const char *line = doctor_text(f, "/proc/net/if_inet6");

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		char hex[33], name[IFNAMSIZ], s[IP_STRLEN];
		struct ip ip = { .family = AF_INET6 };
		unsigned flags;
		json_t *o;

		if (sscanf(line, "%32s %*x %*x %*x %x %15s", hex, &flags, name) != 3 ||
			!(flags & FLAG_DAD_FAILED))
			continue;
		for (size_t i = 0; i < sizeof(ip.bytes); i++)
			sscanf(hex + 2 * i, "%2hhx", &ip.bytes[i]);
		o = doctor_finding(findings, "duplicate-address",
			"Another host has this address. The kernel does not use it here, so NodePorts "
			"and pods cannot be reached by it.");
		doctor_say(o, "seen", "duplicate address detection failed for %s on %s",
			ip_print(&ip, s), name);
		doctor_say(o, "remedy", "give one of both hosts another address");
		doctor_say(o, "command", "ip -6 addr show dev %s dadfailed", name);
	}
}

static void judge_duplicates(const struct doctor_facts *f, json_t *findings)
{
	for (size_t i = 0; i < f->n_addresses; i++) {
		const struct doctor_address *a = &f->addresses[i];
		const struct interface *l = find_link(f, a->link);

		for (size_t j = 0; l && is_outside(f, l) && j < i; j++) {
			const struct doctor_address *b = &f->addresses[j];
			const struct interface *other = find_link(f, b->link);
			char s[IP_STRLEN];
			json_t *o;

			if (!ip_eq(&a->ip, &b->ip) || !link_is_node_address(&a->ip) || !other ||
				other == l || !is_outside(f, other))
				continue;
			o = doctor_finding(findings, "duplicate-address",
				"Packets to this address may arrive through one interface and their "
				"answers leave through the other.");
			doctor_say(o, "seen", "%s is on %s and on %s", ip_print(&a->ip, s), b->link,
				a->link);
			doctor_say(o, "remedy", "remove it from one of both");
			doctor_say(o, "command", "ip addr show to %s", s);
		}
	}
}

static void judge_carriers(const struct doctor_facts *f, json_t *findings)
{
	for (size_t i = 0; i < f->n_addresses; i++) {
		const struct doctor_address *a = &f->addresses[i];
		const struct interface *l = find_link(f, a->link);
		char s[IP_STRLEN];
		json_t *o;

		if (!l || !is_outside(f, l) || l->carrier || !link_is_node_address(&a->ip))
			continue;
		o = doctor_finding(findings, "unreachable-address",
			"Nobody reaches this address of the node, and NodePorts at it do not answer.");
		doctor_say(o, "seen", "%s is on %s, which has no carrier", ip_print(&a->ip, s),
			a->link);
		doctor_say(o, "remedy", "connect the interface, or remove its address");
		doctor_say(o, "command", "ip link show %s", a->link);
	}
}

void doctor_judge_addresses(const struct doctor_facts *f, json_t *findings)
{
	judge_duplicates6(f, findings);
	judge_duplicates(f, findings);
	judge_carriers(f, findings);
}
