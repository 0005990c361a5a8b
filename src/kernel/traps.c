// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/traps.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"

enum {
	/* Before Linux 6.2 all estimators run in one timer every two seconds. So many of them take
	 * milliseconds, in which the CPU handles no packet. */
	MANY_ESTIMATORS = 5000,
	FULL_PERCENT = 90, /* of the connection table */
};

/* Reading */

static long read_setting(const char *path)
{
	long value;

	return sysctl_read(path, &value) < 0 ? TRAP_UNKNOWN : value;
}

static bool any_bridge(void)
{
	char path[sizeof("/sys/class/net//bridge") + NAME_MAX];
	DIR *dir = opendir("/sys/class/net");
	bool found = false;

	if (!dir)
		return false;
	for (const struct dirent *d; !found && (d = readdir(dir));) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", d->d_name);
		found = !access(path, F_OK);
	}
	closedir(dir);
	return found;
}

/* The mark of others can be ours, or have it as a part. */
static bool rule_uses_mark(const struct link_rule *rule, uint32_t mark)
{
	return rule->mark & rule->mask & mark;
}

/* As fib_rule_match() judges a packet that has our mark alone and is selected by nothing else. */
static bool rule_catches(const struct link_rule *rule, uint32_t mark)
{
	const bool selected = !rule->selectors && (mark & rule->mask) == (rule->mark & rule->mask);

	return selected != rule->inverted;
}

/* The kernel asks rules of one priority in the order in which they were added. A route in table
 * local is before ours anyway. */
static bool rule_shadows(const struct link_rule *rule, const struct trap_facts *f)
{
	return rule->priority <= f->external_priority && rule->table != RT_TABLE_LOCAL &&
		rule_catches(rule, f->external_mark);
}

static void read_foreign_rules(int family, struct trap_facts *f)
{
	_cleanup_free_ struct link_rule *rules = NULL;
	size_t n = 0;

	if (link_foreign_rules(family, &rules, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n && f->n_rules < TRAP_MAX_RULES; i++)
		if (rule_uses_mark(&rules[i], f->external_mark) || rule_shadows(&rules[i], f))
			f->rules[f->n_rules++] = rules[i];
}

/*
 * IPVS takes packets behind INPUT and sends them to endpoints through OUTPUT, as if they came from the
 * node; replies pass FORWARD. Without it all of them pass FORWARD, translated.
 */
static void read_foreign_gates(
	const struct adapter *iptables, const struct node_view *view, struct trap_facts *f)
{
	static const struct gate_packets of_ipvs[] = { { HOOK_INPUT },
		{ HOOK_FORWARD, .replies = true }, { HOOK_OUTPUT } };
	static const struct gate_packets of_others[] = { { HOOK_FORWARD, .translated = true } };
	const bool nft = iptables && iptables_info(iptables)->nft;
	const struct foreign_query query = {
		.packets = f->ipvs ? of_ipvs : of_others,
		.n_packets = f->ipvs ? ARRAY_SIZE(of_ipvs) : ARRAY_SIZE(of_others),
		.ipv4 = view->ipv4,
		.ipv6 = view->ipv6,
		.skip_nft_filter = nft,
		.skip_legacy = iptables && !nft,
	};

	for (size_t i = 0; i < ARRAY_SIZE(f->pods); i++) {
		f->services[i] = view->options->cluster_ip_ranges[i];
		f->pods[i] = view->options->cluster_cidr[i];
	}
	f->serves[0] = view->ipv4;
	f->serves[1] = view->ipv6;
	if (foreign_gates_read(&query, f->foreign, ARRAY_SIZE(f->foreign), &f->n_foreign, NULL))
		f->n_foreign = 0;
}

void traps_read(struct adapter *ipvs, const struct adapter *iptables, const struct node_view *view,
	size_t n_estimated, bool external, struct trap_facts *ret)
{
	struct trap_facts f = { .n_estimated = n_estimated };
	struct ipvs_timeouts timeouts;

	sysctl_kernel_version(&f.major, &f.minor);
	f.n_wanted = view && node_view_translates(view)
		? sysctl_wanted_without_ipvs(
			  false, view->ipv6, node_view_localhost_nodeports(view), f.wanted)
		: sysctl_wanted(f.major, f.minor, false, view && view->ipv6, f.wanted);
	for (size_t i = 0; i < f.n_wanted; i++)
		f.found[i] = read_setting(f.wanted[i].path);

	f.ipvs_tcp_timeout = TRAP_UNKNOWN;
	if (ipvs && !ipvs_get_timeouts(ipvs, &timeouts, NULL))
		f.ipvs_tcp_timeout = (long)timeouts.tcp;
	f.tcp_keepalive_time = read_setting("net/ipv4/tcp_keepalive_time");
	f.rp_filter = read_setting("net/ipv4/conf/all/rp_filter");
	f.conntrack_count = read_setting("net/netfilter/nf_conntrack_count");
	f.conntrack_max = read_setting("net/netfilter/nf_conntrack_max");
	f.run_estimation = read_setting("net/ipv4/vs/run_estimation");

	/* The node has an address among those of its pods, as a bridge does that is their gateway.
	 */
	if (view && view->options->detect_local == DETECT_BRIDGE_INTERFACE)
		f.bridge_family = AF_INET;
	for (size_t i = 0; view && !f.bridge_family && i < view->n_local; i++) {
		const struct cidr *pods = node_view_local_cidr(view, view->local[i].family);

		if (pods && cidr_contains(pods, &view->local[i]))
			f.bridge_family = view->local[i].family;
	}
	if (f.bridge_family && !any_bridge())
		f.bridge_family = 0;
	f.bridge_nf_call =
		read_setting(f.bridge_family == AF_INET6 ? "net/bridge/bridge-nf-call-ip6tables"
							 : "net/bridge/bridge-nf-call-iptables");

	/* IPVS sends packets to endpoints as if they came from the node. */
	if (view && iptables) {
		f.gate_hook = node_view_translates(view) ? HOOK_FORWARD : HOOK_OUTPUT;
		f.gates[0] = iptables_gate(iptables, AF_INET, f.gate_hook);
		f.gates[1] = iptables_gate(iptables, AF_INET6, f.gate_hook);
	}
	if (view) {
		f.ipvs = view->backend == BACKEND_IPVS || view->backend == BACKEND_AUTO;
		read_foreign_gates(iptables, view, &f);
	}

	if (view && external) {
		f.external_mark = 1u << view->options->external_mark_bit;
		f.external_priority = view->options->external_rule_priority;
		if (view->ipv4)
			read_foreign_rules(AF_INET, &f);
		if (view->ipv6)
			read_foreign_rules(AF_INET6, &f);
	}
	*ret = f;
}

/* Judging */

struct trap_report {
	void (*fn)(const char *sentence, void *arg);
	void *arg;
};

static void __attribute__((format(printf, 2, 3)))
trap_report(const struct trap_report *r, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		r->fn(text, r->arg);
	va_end(ap);
}

/* Settings that the daemon made and somebody else changed. */
static void judge_settings(const struct trap_facts *f, const struct trap_report *r)
{
	static const struct {
		const char *path, *name, *consequence;
	} known[] = {
		{ "net/ipv4/vs/conntrack", "conntrack-off", "nothing is masqueraded" },
		{ "net/ipv4/vs/conn_reuse_mode", "conn-reuse",
			"a client that reuses a port is delayed by a second or sent to a removed "
			"endpoint" },
		{ "net/ipv4/vs/expire_nodest_conn", "expire",
			"connections to a removed endpoint hang" },
		{ "net/ipv4/vs/expire_quiescent_template", "expire",
			"session affinity sends clients to a draining endpoint" },
		{ "net/ipv4/conf/all/route_localnet", "route-localnet",
			"NodePorts do not answer on 127.0.0.1" },
		{ "net/ipv4/ip_forward", "ip-forward", "no packet reaches an endpoint" },
		{ "net/ipv6/conf/all/forwarding", "ip-forward",
			"no IPv6 packet reaches an endpoint" },
	};

	for (size_t i = 0; i < f->n_wanted; i++) {
		const struct sysctl *s = &f->wanted[i];
		char dotted[64];
		size_t k = 0;

		if (f->found[i] == TRAP_UNKNOWN || f->found[i] == s->value ||
			(s->at_least && f->found[i] > s->value))
			continue;
		while (k < ARRAY_SIZE(known) && strcmp(s->path, known[k].path) != 0)
			k++;
		if (k == ARRAY_SIZE(known))
			continue;
		snprintf(dotted, sizeof(dotted), "%s", s->path);
		for (char *p = dotted; (p = strchr(p, '/'));)
			*p = '.';
		trap_report(r, "%s: %s is %ld and should be %" PRId64 ": %s", known[k].name, dotted,
			f->found[i], s->value, known[k].consequence);
	}
}

/* Policy rules of others that disturb ours. One whose mark is ours is not told a second time. */
static void judge_rules(const struct trap_facts *f, const struct trap_report *r)
{
	for (size_t i = 0; i < f->n_rules; i++) {
		const struct link_rule *rule = &f->rules[i];

		if (rule_uses_mark(rule, f->external_mark))
			trap_report(r,
				"mark-bit: the %s policy rule with priority %u is foreign and selects "
				"mark 0x%x/0x%x, which has the bit 0x%x of --external-mark-bit: "
				"packets to external addresses may be routed to the wrong place",
				family_name(rule->family), rule->priority, rule->mark, rule->mask,
				f->external_mark);
		else if (rule_shadows(rule, f))
			trap_report(r,
				"policy-rule: the %s policy rule with priority %u is foreign, comes "
				"before ours (priority %u) and selects packets from and to every "
				"address: packets to external addresses may not reach Services",
				family_name(rule->family), rule->priority, f->external_priority);
	}
}

/* A firewall that closes the way to endpoints. */
static void judge_gates(const struct trap_facts *f, const struct trap_report *r)
{
	const bool forward = f->gate_hook == HOOK_FORWARD;

	for (size_t i = 0; i < ARRAY_SIZE(f->gates); i++)
		if (f->gates[i] != GATE_OPEN)
			trap_report(r,
				"%s: %s of chain %s in table filter (%s) drops new packets to pods, "
				"and no rule before it accepts them: %s",
				forward ? "forward-drop" : "output-drop",
				f->gates[i] == GATE_POLICY ? "the policy" : "a rule",
				hook_name(f->gate_hook), family_name(i ? AF_INET6 : AF_INET),
				forward ? "connections to Services get no answer unless they are "
					  "masqueraded"
					: "connections to Services get no answer");
}

/* Where packets go: in INPUT to Services, else to pods. A name stands for what is not known. */
static const char *range_text(const struct trap_facts *f, const struct foreign_gate *g, bool ipv6,
	char s[static CIDR_STRLEN])
{
	const struct cidr *range = g->hook == HOOK_INPUT ? &f->services[ipv6] : &f->pods[ipv6];

	if (range->ip.family)
		return cidr_print(range, s);
	return g->hook == HOOK_INPUT ? "SERVICES" : "PODS";
}

/* What a rule that opens the chain to packets of one family has to match, in the words of iptables
 * and of nft. */
static void print_opening(const struct trap_facts *f, const struct foreign_gate *g, bool ipv6,
	bool of_iptables, struct buf *b)
{
	char s[CIDR_STRLEN];

	if (g->hook == HOOK_FORWARD && of_iptables)
		buf_addf(b, "-m conntrack --ctstate %s", f->ipvs ? "RELATED,ESTABLISHED" : "DNAT");
	else if (g->hook == HOOK_FORWARD)
		buf_adds(b, f->ipvs ? "ct state established,related" : "ct status dnat");
	else if (of_iptables)
		buf_addf(b, "-d %s", range_text(f, g, ipv6, s));
	else
		buf_addf(b, "%s daddr %s", ipv6 ? "ip6" : "ip", range_text(f, g, ipv6, s));
}

/* The command that opens a chain of others. firewalld writes its table anew, and may own it. */
static void print_remedy(
	const struct trap_facts *f, const struct foreign_gate *g, bool ipv6, struct buf *b)
{
	char s[CIDR_STRLEN];

	if (g->place == PLACE_NFTABLES && !strcmp(g->table, "firewalld")) {
		if (g->hook == HOOK_INPUT)
			buf_addf(b,
				"firewall-cmd --add-rich-rule='rule family=\"%s\" destination "
				"address=\"%s\" accept'",
				ipv6 ? "ipv6" : "ipv4", range_text(f, g, ipv6, s));
		else
			buf_addf(b, "firewall-cmd --zone=trusted --add-source=%s",
				range_text(f, g, ipv6, s));
		return;
	}
	if (g->place == PLACE_NFTABLES) {
		buf_addf(b, "nft insert rule %s %s %s ",
			!g->family			? "inet"
				: g->family == AF_INET6 ? "ip6"
							: "ip",
			g->table, g->chain);
		print_opening(f, g, ipv6, false, b);
		buf_adds(b, " accept");
		return;
	}
	buf_addf(b, "%s-%s ", ipv6 ? "ip6tables" : "iptables",
		g->place == PLACE_IPTABLES_NFT ? "nft" : "legacy");
	if (strcmp(g->table, "filter") != 0)
		buf_addf(b, "-t %s ", g->table);
	buf_addf(b, "-I %s ", g->chain);
	print_opening(f, g, ipv6, true, b);
	buf_adds(b, " -j ACCEPT");
}

/* Chains that our rules cannot open. */
static void judge_foreign_gates(const struct trap_facts *f, const struct trap_report *r)
{
	static const char *const places[] = {
		[PLACE_NFTABLES] = "nftables",
		[PLACE_IPTABLES_NFT] = "iptables-nft",
		[PLACE_IPTABLES_LEGACY] = "iptables-legacy",
	};

	for (size_t i = 0; i < f->n_foreign; i++) {
		const struct foreign_gate *g = &f->foreign[i];
		const bool ipv6 = g->family ? g->family == AF_INET6 : !f->serves[0];
		_cleanup_(buf_done) struct buf remedy = { 0 };

		print_remedy(f, g, ipv6, &remedy);
		/* Only addresses differ by family. */
		if (!g->family && g->hook != HOOK_FORWARD && f->serves[0] && f->serves[1]) {
			buf_adds(&remedy, " and ");
			print_remedy(f, g, true, &remedy);
		}
		trap_report(r,
			"%s: %s of chain %s in table %s of %s (%s) drops %s; no rule there accepts "
			"them, and one of another table cannot: connections to Services get no "
			"answer; remedy: %s",
			g->hook == HOOK_INPUT		  ? "input-drop"
				: g->hook == HOOK_FORWARD ? "forward-drop"
							  : "output-drop",
			g->closed == GATE_POLICY ? "the policy" : "a rule", g->chain, g->table,
			places[g->place], g->family ? family_name(g->family) : "inet",
			g->hook == HOOK_INPUT ? "packets to Services before IPVS takes them"
				: g->hook == HOOK_FORWARD && f->ipvs ? "replies of pods"
								     : "new packets to pods",
			buf_str(&remedy));
	}
}

void traps_judge(const struct trap_facts *f, void (*fn)(const char *sentence, void *arg), void *arg)
{
	const struct trap_report r = { .fn = fn, .arg = arg };

	judge_settings(f, &r);
	if (f->major && sysctl_kernel_before(f->major, f->minor, 5, 9))
		trap_report(&r,
			"conn-reuse: Linux %u.%u is older than 5.9: a client that reuses a port is "
			"sent to its old endpoint, even a draining one",
			f->major, f->minor);
	if (f->ipvs_tcp_timeout > 0 && f->tcp_keepalive_time > 0 &&
		f->ipvs_tcp_timeout <= f->tcp_keepalive_time)
		trap_report(&r,
			"tcp-timeout: IPVS forgets idle TCP connections after %ld s, but the first "
			"keep-alive is sent after %ld s (net.ipv4.tcp_keepalive_time): idle "
			"connections break",
			f->ipvs_tcp_timeout, f->tcp_keepalive_time);
	if (f->major && sysctl_kernel_before(f->major, f->minor, 6, 2) && f->run_estimation &&
		f->n_estimated >= MANY_ESTIMATORS)
		trap_report(&r,
			"estimators: Linux %u.%u estimates the rates of %zu virtual and real "
			"servers at once every 2 s, which delays packets",
			f->major, f->minor, f->n_estimated);
	if (f->conntrack_max > 0 && f->conntrack_count > 0 &&
		f->conntrack_count >= f->conntrack_max / 100 * FULL_PERCENT)
		trap_report(&r,
			"conntrack-full: %ld of %ld connections are tracked "
			"(net.netfilter.nf_conntrack_max): when the table is full, new connections "
			"are dropped",
			f->conntrack_count, f->conntrack_max);
	if (f->bridge_family && f->bridge_nf_call != 1)
		trap_report(&r,
			"bridge: pods are connected to a bridge, and %s: a pod that connects through "
			"a Service to a pod on the same bridge gets no answer",
			f->bridge_nf_call == TRAP_UNKNOWN ? "the module br_netfilter is not loaded"
				: f->bridge_family == AF_INET6
				? "net.bridge.bridge-nf-call-ip6tables is 0"
				: "net.bridge.bridge-nf-call-iptables is 0");
	if (f->rp_filter == 1)
		trap_report(&r,
			"rp-filter: net.ipv4.conf.all.rp_filter is 1 (strict): packets are dropped "
			"that do not arrive through the interface of the route back to their source");
	if (f->external_mark)
		judge_rules(f, &r);
	judge_gates(f, &r);
	judge_foreign_gates(f, &r);
}
