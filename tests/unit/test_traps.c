// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "kernel/traps.h"

/* A node on which all is well. */
static struct trap_facts good(unsigned major, unsigned minor)
{
	struct trap_facts f = {
		.major = major,
		.minor = minor,
		.ipvs_tcp_timeout = 900,
		.tcp_keepalive_time = 600,
		.rp_filter = 2,
		.conntrack_count = 100,
		.conntrack_max = 262144,
		.bridge_nf_call = TRAP_UNKNOWN,
		.run_estimation = 1,
	};

	f.n_wanted = sysctl_wanted(major, minor, false, true, f.wanted);
	for (size_t i = 0; i < f.n_wanted; i++)
		f.found[i] = f.wanted[i].value;
	return f;
}

static void add_line(const char *sentence, void *arg)
{
	buf_addf(arg, "%s\n", sentence);
}

static void assert_traps(const struct trap_facts *f, const char *want)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	traps_judge(f, add_line, &b);
	assert_string_equal(buf_str(&b), want);
}

static void a_good_node_has_no_traps(void **state)
{
	const struct trap_facts f = good(6, 12), old = good(5, 9);

	(void)state;
	assert_traps(&f, "");
	assert_traps(&old, "");
}

static void unknown_values_are_no_trap(void **state)
{
	struct trap_facts f = good(6, 12);

	(void)state;
	for (size_t i = 0; i < f.n_wanted; i++)
		f.found[i] = TRAP_UNKNOWN;
	f.ipvs_tcp_timeout = f.tcp_keepalive_time = f.rp_filter = TRAP_UNKNOWN;
	f.conntrack_count = f.conntrack_max = f.run_estimation = TRAP_UNKNOWN;
	f.major = f.minor = 0;
	assert_traps(&f, "");
}

static void connections_that_ipvs_forgets_before_the_first_keepalive_break(void **state)
{
	struct trap_facts f = good(6, 12);

	(void)state;
	f.tcp_keepalive_time = 7200;
	assert_traps(&f,
		"tcp-timeout: IPVS forgets idle TCP connections after 900 s, but the first "
		"keep-alive is sent after 7200 s (net.ipv4.tcp_keepalive_time): idle connections "
		"break\n");
	f.ipvs_tcp_timeout = 7201;
	assert_traps(&f, "");
}

static void settings_that_somebody_changed_are_named_with_the_consequence(void **state)
{
	static const struct {
		const char *path, *line;
	} rows[] = {
		{ "net/ipv4/vs/conntrack",
			"conntrack-off: net.ipv4.vs.conntrack is 0 and should be "
			"1: nothing is masqueraded\n" },
		{ "net/ipv4/ip_forward",
			"ip-forward: net.ipv4.ip_forward is 0 and should be 1: no "
			"packet reaches an endpoint\n" },
		{ "net/ipv6/conf/all/forwarding",
			"ip-forward: net.ipv6.conf.all.forwarding is 0 and should be 1: no IPv6 "
			"packet reaches an endpoint\n" },
		{ "net/ipv4/vs/expire_nodest_conn",
			"expire: net.ipv4.vs.expire_nodest_conn is 0 and should be 1: connections to "
			"a removed endpoint hang\n" },
		{ "net/ipv4/vs/expire_quiescent_template",
			"expire: net.ipv4.vs.expire_quiescent_template is 0 and should be 1: session "
			"affinity sends clients to a draining endpoint\n" },
		{ "net/ipv4/vs/conn_reuse_mode",
			"conn-reuse: net.ipv4.vs.conn_reuse_mode is 0 and should be 1: a client that "
			"reuses a port is delayed by a second or sent to a removed endpoint\n" },
	};
	const struct trap_facts node = good(6, 12);

	(void)state;
	assert_int_equal(node.n_wanted, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct trap_facts f = node;

		for (size_t j = 0; j < f.n_wanted; j++)
			if (!strcmp(f.wanted[j].path, rows[i].path))
				f.found[j] = 0;
		assert_traps(&f, rows[i].line);
	}
}

static void a_greater_value_may_be_right(void **state)
{
	struct trap_facts f = good(6, 12);

	(void)state;
	for (size_t i = 0; i < f.n_wanted; i++)
		f.found[i] += f.wanted[i].at_least;
	assert_traps(&f, "");
}

static void kernels_before_5_9_reuse_connections(void **state)
{
	const struct trap_facts f = good(5, 8), older = good(4, 0);

	(void)state;
	assert_traps(&f,
		"conn-reuse: Linux 5.8 is older than 5.9: a client that reuses a port is "
		"sent to its old endpoint, even a draining one\n");
	assert_traps(&older,
		"conn-reuse: Linux 4.0 is older than 5.9: a client that reuses a port is sent to "
		"its old endpoint, even a draining one\n");
}

static void many_estimators_on_an_old_kernel_delay_packets(void **state)
{
	struct trap_facts f = good(6, 1);

	(void)state;
	f.n_estimated = 4999;
	assert_traps(&f, "");
	f.n_estimated = 5000;
	assert_traps(&f,
		"estimators: Linux 6.1 estimates the rates of 5000 virtual and real servers "
		"at once every 2 s, which delays packets\n");
	f.run_estimation = 0;
	assert_traps(&f, "");
	f.run_estimation = TRAP_UNKNOWN;
	f.minor = 2;
	assert_traps(&f, "");
}

static void a_table_of_connections_is_full_at_nine_tenths(void **state)
{
	struct trap_facts f = good(6, 12);

	(void)state;
	f.conntrack_max = 1000;
	f.conntrack_count = 899;
	assert_traps(&f, "");
	f.conntrack_count = 900;
	assert_traps(&f,
		"conntrack-full: 900 of 1000 connections are tracked "
		"(net.netfilter.nf_conntrack_max): when the table is full, new connections are "
		"dropped\n");
}

static void pods_on_a_bridge_need_br_netfilter(void **state)
{
	struct trap_facts f = good(6, 12);

	(void)state;
	f.bridge_family = AF_INET;
	assert_traps(&f,
		"bridge: pods are connected to a bridge, and the module br_netfilter is not loaded: "
		"a pod that connects through a Service to a pod on the same bridge gets no "
		"answer\n");
	f.bridge_nf_call = 0;
	assert_traps(&f,
		"bridge: pods are connected to a bridge, and net.bridge.bridge-nf-call-iptables is "
		"0: a pod that connects through a Service to a pod on the same bridge gets no "
		"answer\n");
	f.bridge_family = AF_INET6;
	assert_traps(&f,
		"bridge: pods are connected to a bridge, and net.bridge.bridge-nf-call-ip6tables "
		"is 0: a pod that connects through a Service to a pod on the same bridge gets no "
		"answer\n");
	f.bridge_nf_call = 1;
	assert_traps(&f, "");
}

static void strict_reverse_path_filtering_is_named(void **state)
{
	struct trap_facts f = good(6, 12);

	(void)state;
	f.rp_filter = 1;
	assert_traps(&f,
		"rp-filter: net.ipv4.conf.all.rp_filter is 1 (strict): packets are dropped "
		"that do not arrive through the interface of the route back to their source\n");
}

static struct trap_facts with_rule(struct link_rule rule)
{
	struct trap_facts f = good(6, 12);

	f.external_mark = 0x1000;
	f.external_priority = 90;
	f.rules[f.n_rules++] = rule;
	return f;
}

static void a_policy_rule_of_others_with_our_mark_bit_is_named(void **state)
{
	static const struct link_rule others[] = {
		{ .family = AF_INET, .priority = 9, .mark = 0x200, .mask = 0xf00, .table = 2004 },
		{ .family = AF_INET,
			.priority = 5210,
			.mark = 0x80000,
			.mask = 0xff0000,
			.table = 254 },
		{ .family = AF_INET, .priority = 100, .mark = 0, .mask = 0x1000, .table = 100 },
	};
	struct trap_facts f = with_rule((struct link_rule){ .family = AF_INET,
		.priority = 32765,
		.mark = 0x1234,
		.mask = 0xffffffff,
		.table = 77 });

	(void)state;
	assert_traps(&f,
		"mark-bit: the IPv4 policy rule with priority 32765 is foreign and selects mark "
		"0x1234/0xffffffff, which has the bit 0x1000 of --external-mark-bit: packets to "
		"external addresses may be routed to the wrong place\n");
	f.rules[0].selectors = true;
	f.rules[0].priority = 5;
	f.rules[0].family = AF_INET6;
	assert_traps(&f,
		"mark-bit: the IPv6 policy rule with priority 5 is foreign and selects mark "
		"0x1234/0xffffffff, which has the bit 0x1000 of --external-mark-bit: packets to "
		"external addresses may be routed to the wrong place\n");
	f.external_mark = 0;
	assert_traps(&f, "");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		f = with_rule(others[i]);
		assert_traps(&f, "");
	}
}

static void a_policy_rule_of_others_that_shadows_ours_is_named(void **state)
{
	static const struct link_rule shadows[] = {
		{ .priority = 50, .table = 100 },
		{ .priority = 50, .table = 0 },
		{ .priority = 50, .table = 254 },
		/* wg-quick: not fwmark 51820 */
		{ .priority = 50,
			.mark = 51820,
			.mask = 0xffffffff,
			.table = 51820,
			.inverted = true },
		{ .priority = 50, .table = 100, .selectors = true, .inverted = true },
		/* Packets without marks of their own. */
		{ .priority = 50, .mark = 0, .mask = 0xff0000, .table = 100 },
	};
	static const struct link_rule harmless[] = {
		{ .priority = 0, .table = 255 },
		{ .priority = 91, .table = 100 },
		{ .priority = 50, .table = 100, .selectors = true },
		{ .priority = 50, .mark = 0x200, .mask = 0xf00, .table = 100 },
		{ .priority = 50, .mark = 0, .mask = 0xffff, .table = 100 },
		{ .priority = 50, .table = 100, .inverted = true },
	};
	struct trap_facts f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shadows); i++) {
		f = with_rule(shadows[i]);
		f.rules[0].family = AF_INET;
		assert_traps(&f,
			"policy-rule: the IPv4 policy rule with priority 50 is foreign, comes before "
			"ours (priority 90) and selects packets from and to every address: packets "
			"to external addresses may not reach Services\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		f = with_rule(harmless[i]);
		assert_traps(&f, "");
	}
	/* It may have been added earlier. */
	f = with_rule((struct link_rule){ .family = AF_INET6, .priority = 90, .table = 100 });
	assert_traps(&f,
		"policy-rule: the IPv6 policy rule with priority 90 is foreign, comes before ours "
		"(priority 90) and selects packets from and to every address: packets to external "
		"addresses may not reach Services\n");
}

static void a_firewall_before_the_endpoints_is_named(void **state)
{
	struct trap_facts f = good(6, 12);

	(void)state;
	f.gate_hook = HOOK_FORWARD;
	assert_traps(&f, "");
	f.gates[0] = GATE_POLICY;
	f.gates[1] = GATE_RULE;
	assert_traps(&f,
		"forward-drop: the policy of chain FORWARD in table filter (IPv4) drops new packets "
		"to pods, and no rule before it accepts them: connections to Services get no answer "
		"unless they are masqueraded\n"
		"forward-drop: a rule of chain FORWARD in table filter (IPv6) drops new packets to "
		"pods, and no rule before it accepts them: connections to Services get no answer "
		"unless they are masqueraded\n");
	f.gate_hook = HOOK_OUTPUT;
	f.gates[0] = GATE_OPEN;
	assert_traps(&f,
		"output-drop: a rule of chain OUTPUT in table filter (IPv6) drops new packets to "
		"pods, and no rule before it accepts them: connections to Services get no answer\n");
}

static void a_chain_of_others_that_ours_cannot_open_is_named_with_its_remedy(void **state)
{
#define TAIL                                                                                      \
	"; no rule there accepts them, and one of another table cannot: connections to Services " \
	"get no answer; remedy: "
	static const struct {
		struct foreign_gate gate;
		bool dnat; /* in place of IPVS */
		const char *line;
	} rows[] = {
		{ { GATE_POLICY, PLACE_NFTABLES, HOOK_INPUT, 0, "filter", "input" }, false,
			"input-drop: the policy of chain input in table filter of nftables (inet) "
			"drops packets to Services before IPVS takes them" TAIL
			"nft insert rule inet filter input ip daddr 10.96.0.0/12 accept and "
			"nft insert rule inet filter input ip6 daddr SERVICES accept\n" },
		{ { GATE_RULE, PLACE_NFTABLES, HOOK_INPUT, AF_INET6, "t", "c" }, false,
			"input-drop: a rule of chain c in table t of nftables (IPv6) "
			"drops packets to Services before IPVS takes them" TAIL
			"nft insert rule ip6 t c ip6 daddr SERVICES accept\n" },
		{ { GATE_RULE, PLACE_NFTABLES, HOOK_INPUT, AF_INET, "firewalld", "filter_INPUT" },
			false,
			"input-drop: a rule of chain filter_INPUT in table firewalld of nftables "
			"(IPv4) drops packets to Services before IPVS takes them" TAIL
			"firewall-cmd --add-rich-rule='rule family=\"ipv4\" destination "
			"address=\"10.96.0.0/12\" accept'\n" },
		{ { GATE_POLICY, PLACE_NFTABLES, HOOK_FORWARD, 0, "filter", "forward" }, false,
			"forward-drop: the policy of chain forward in table filter of nftables "
			"(inet) drops replies of pods" TAIL
			"nft insert rule inet filter forward ct state established,related "
			"accept\n" },
		{ { GATE_POLICY, PLACE_NFTABLES, HOOK_FORWARD, 0, "filter", "forward" }, true,
			"forward-drop: the policy of chain forward in table filter of nftables "
			"(inet) drops new packets to pods" TAIL
			"nft insert rule inet filter forward ct status dnat accept\n" },
		{ { GATE_POLICY, PLACE_IPTABLES_NFT, HOOK_INPUT, AF_INET, "mangle", "INPUT" },
			false,
			"input-drop: the policy of chain INPUT in table mangle of iptables-nft "
			"(IPv4) drops packets to Services before IPVS takes them" TAIL
			"iptables-nft -t mangle -I INPUT -d 10.96.0.0/12 -j ACCEPT\n" },
		{ { GATE_POLICY, PLACE_IPTABLES_LEGACY, HOOK_FORWARD, AF_INET6, "filter",
			  "FORWARD" },
			false,
			"forward-drop: the policy of chain FORWARD in table filter of "
			"iptables-legacy (IPv6) drops replies of pods" TAIL
			"ip6tables-legacy -I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED "
			"-j ACCEPT\n" },
		{ { GATE_POLICY, PLACE_IPTABLES_NFT, HOOK_OUTPUT, AF_INET, "filter", "OUTPUT" },
			false,
			"output-drop: the policy of chain OUTPUT in table filter of iptables-nft "
			"(IPv4) drops new packets to pods" TAIL
			"iptables-nft -I OUTPUT -d 10.244.0.0/16 -j ACCEPT\n" },
	};
#undef TAIL

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct trap_facts f = good(6, 12);

		f.ipvs = !rows[i].dnat;
		f.serves[0] = f.serves[1] = true;
		assert_int_equal(cidr_parse("10.96.0.0/12", &f.services[0]), 0);
		assert_int_equal(cidr_parse("10.244.0.0/16", &f.pods[0]), 0);
		f.foreign[f.n_foreign++] = rows[i].gate;
		assert_traps(&f, rows[i].line);
	}
}

static void every_name_has_its_paragraph_in_the_man_page(void **state)
{
	static const char *const names[] = { "bridge", "conn-reuse", "conntrack-full",
		"conntrack-off", "estimators", "expire", "forward-drop", "input-drop", "ip-forward",
		"mark-bit", "output-drop", "policy-rule", "route-localnet", "rp-filter",
		"source-ports", "tcp-timeout" };
	_cleanup_(buf_done) struct buf page = { 0 };
	FILE *f = fopen("man/ipvsctl-svc-status.1.scd", "re");
	const char *section;
	int c;

	(void)state;
	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		buf_addc(&page, (char)c);
	fclose(f);
	section = strstr(buf_str(&page), "\n## Traps\n");
	assert_non_null(section);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(buf_done) struct buf term = { 0 };

		buf_addf(&term, "\n*%s*\n\t", names[i]);
		if (!strstr(section, buf_str(&term)))
			fail_msg("no paragraph about %s", names[i]);
	}
}

static void this_node_can_be_read(void **state)
{
	struct trap_facts f;
	struct options options;
	struct node_view view;

	(void)state;
	options_init(&options);
	node_view_init(&view, &options);
	view.ipv4 = view.ipv6 = true;
	traps_read(NULL, NULL, &view, 7, false, &f);
	assert_int_equal(f.external_mark, 0);
	traps_read(NULL, NULL, &view, 7, true, &f);
	assert_int_equal(f.external_mark, 1u << options.external_mark_bit);
	assert_int_equal(f.external_priority, options.external_rule_priority);
	assert_in_range(f.n_rules, 0, TRAP_MAX_RULES);
	node_view_done(&view);
	traps_read(NULL, NULL, NULL, 7, false, &f);
	assert_int_not_equal(f.major, 0);
	assert_int_equal(f.ipvs_tcp_timeout, TRAP_UNKNOWN);
	assert_int_equal(f.n_estimated, 7);
	assert_int_equal(f.bridge_family, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_node_has_no_traps),
		cmocka_unit_test(unknown_values_are_no_trap),
		cmocka_unit_test(connections_that_ipvs_forgets_before_the_first_keepalive_break),
		cmocka_unit_test(settings_that_somebody_changed_are_named_with_the_consequence),
		cmocka_unit_test(a_greater_value_may_be_right),
		cmocka_unit_test(kernels_before_5_9_reuse_connections),
		cmocka_unit_test(many_estimators_on_an_old_kernel_delay_packets),
		cmocka_unit_test(a_table_of_connections_is_full_at_nine_tenths),
		cmocka_unit_test(pods_on_a_bridge_need_br_netfilter),
		cmocka_unit_test(strict_reverse_path_filtering_is_named),
		cmocka_unit_test(a_policy_rule_of_others_with_our_mark_bit_is_named),
		cmocka_unit_test(a_policy_rule_of_others_that_shadows_ours_is_named),
		cmocka_unit_test(a_firewall_before_the_endpoints_is_named),
		cmocka_unit_test(a_chain_of_others_that_ours_cannot_open_is_named_with_its_remedy),
		cmocka_unit_test(every_name_has_its_paragraph_in_the_man_page),
		cmocka_unit_test(this_node_can_be_read),
	};

	return cmocka_run_group_tests_name("traps", tests, NULL, NULL);
}
