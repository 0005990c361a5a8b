// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in network namespaces of its own, with rules that nft and iptables
 * write. */
#include <netinet/in.h>
#include <sched.h>

#include "kernel/foreign_gate.h"
#include "kernel_test.h"

/* Of IPVS. */
static const struct gate_packets of_ipvs[] = { { HOOK_INPUT }, { HOOK_FORWARD, .replies = true },
	{ HOOK_OUTPUT } };
/* Of backends that translate. */
static const struct gate_packets translated[] = { { HOOK_FORWARD, .translated = true } };

static int in_new_namespace(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET);
}

static void load_ruleset(const char *text)
{
	free(RUN(NULL, "nft", text));
}

/* The closed ones: "POLICY inet filter input", one a line. */
static void print_gates(const struct foreign_query *q, struct buf *b)
{
	static const char *const closed[] = { "open", "policy", "rule" };
	static const char *const places[] = { "nftables", "iptables-nft", "iptables-legacy" };
	struct foreign_gate gates[8];
	struct err err = { 0 };
	size_t n = 0;

	if (foreign_gates_read(q, gates, ARRAY_SIZE(gates), &n, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s %s %s %s %s %s\n", hook_name(gates[i].hook),
			closed[gates[i].closed], places[gates[i].place],
			!gates[i].family		      ? "inet"
				: gates[i].family == AF_INET6 ? "ip6"
							      : "ip",
			gates[i].table, gates[i].chain);
}

static void assert_gates(const struct foreign_query *q, const char *expected, const char *ruleset)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	print_gates(q, &b);
	if (strcmp(buf_str(&b), expected) != 0)
		fail_msg("%sinstead of\n%sfor\n%s", buf_str(&b), expected, ruleset);
}

#define BASE(hook, policy) "type filter hook " hook " priority 0; policy " policy ";\n"

static void assert_input(const char *rules, const char *policy, const char *expected)
{
	const struct foreign_query q = { of_ipvs, ARRAY_SIZE(of_ipvs), true, true };
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_addf(&text,
		"flush ruleset\n"
		"table inet t {\n"
		"set states { type ct_state; elements = { established, related }; }\n"
		"map by_interface { type ifname : verdict; elements = { \"lo\" : accept, \"virbr0\" "
		": jump ways }; }\n"
		"chain ways { tcp dport 22 accept; ip saddr 10.244.0.0/16 accept; }\n"
		"chain ports { tcp dport { 22, 80 } accept; udp dport 5000-6000 accept; }\n"
		"chain c { type filter hook input priority 0; policy %s;\n%s\n}\n}\n",
		policy, rules);
	load_ruleset(buf_str(&text));
	assert_gates(&q, expected, buf_str(&text));
}

static void a_policy_that_drops_closes_a_chain(void **state)
{
	static const char *const closed[] = {
		"",
		"ct state established,related accept; ct state invalid drop",
		"ct state { established, related } accept",
		"ct state @states accept",
		"ct state vmap { established : accept, related : accept, invalid : drop }",
		"iif lo accept; iifname \"lo\" accept; iifname { \"lo\", \"docker0\" } accept",
		"iifname \"virbr*\" accept",
		"iifname vmap @by_interface",
		"meta l4proto { icmp, ipv6-icmp } accept; ip protocol icmp accept",
		"meta l4proto 112 accept",
		"icmp type echo-request accept; icmpv6 type { nd-router-advert } accept",
		"tcp dport 22 accept; tcp dport { 80, 443 } ct state new accept",
		"udp dport 1-100 accept",
		"tcp dport vmap { 22 : accept, 80 : jump ways }",
		"tcp dport 22 goto ways",
		"jump ports",
		"ct status dnat accept",
		"counter; log prefix \"in \"; limit rate 3/minute log; meta mark set 1",
		"ct state != new accept; ct state & (established | related) != 0 accept",
		"ip daddr . tcp dport { 10.0.0.1 . 80 } accept",
		"ip saddr 10.0.0.0/8 tcp sport 53 accept",
	};
	static const char *const open[] = {
		"accept",
		"ct state new accept",
		"ct state { established, new } accept",
		"ct state vmap { established : accept, new : jump ways }",
		"ct state != invalid accept",
		"ip daddr 10.96.0.0/12 accept",
		"ip saddr { 10.244.0.0/16, 192.168.0.0/24 } accept",
		"iifname \"cni0\" accept",
		"iifname { \"lo\", \"cni0\" } accept",
		"iifname != \"docker0\" accept",
		"tcp dport != 22 accept",
		"meta l4proto { tcp, udp } accept",
		"meta mark & 0x10 == 0x10 accept",
		"ip saddr vmap { 10.244.0.0/16 : accept }",
		"jump ports; goto ways",
		"fib saddr type local accept",
		"ip protocol tcp accept",
		"limit rate 100/second accept",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
		assert_input(closed[i], "drop", "INPUT policy nftables inet t c\n");
		assert_input(closed[i], "accept", "");
	}
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_input(open[i], "drop", "");
}

static void a_rule_for_everything_closes_a_chain(void **state)
{
	static const char *const closed[] = {
		"drop",
		"tcp dport 22 accept; counter log prefix \"no \" reject with icmpx type admin-prohibited",
		"ct state established accept; counter drop; ip daddr 10.96.0.0/12 accept",
		"jump ports; reject",
	};
	static const char *const open[] = {
		"ip daddr 10.96.0.0/12 accept; drop",
		"accept; drop",
		"ip saddr 192.0.2.1 drop",
		"ct state invalid drop",
		"jump ways; drop",
		"return; drop",
		"goto ports; drop",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++)
		assert_input(closed[i], "accept", "INPUT rule nftables inet t c\n");
	/* As firewalld has it. */
	assert_input(
		"ct state { established, related } accept; ct status dnat accept; iifname \"lo\" "
		"accept; ct state { invalid } drop; jump ports; reject with icmpx type admin-prohibited",
		"accept", "INPUT rule nftables inet t c\n");
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_input(open[i], "accept", "");
}

static void each_hook_has_its_packets(void **state)
{
	static const struct {
		const char *text, *of_ipvs, *translated;
	} rows[] = {
		{ "table ip a { chain f { " BASE("forward", "drop") "}; }\n",
			"FORWARD policy nftables ip a f\n", "FORWARD policy nftables ip a f\n" },
		{ "table ip a { chain f { " BASE(
			  "forward", "drop") "ct state established,related accept; }; }\n",
			"", "FORWARD policy nftables ip a f\n" },
		{ "table inet a { chain f { " BASE(
			  "forward", "drop") "ct status dnat accept; }; }\n",
			"FORWARD policy nftables inet a f\n", "" },
		{ "table ip6 a { chain o { " BASE("output", "drop") "oif lo accept; }; }\n",
			"OUTPUT policy nftables ip6 a o\n", "" },
		{ "table ip a { chain o { type route hook output priority -150; policy drop; }; }\n",
			"OUTPUT policy nftables ip a o\n", "" },
		/* Behind IPVS, at other hooks, or in no hook at all. */
		{ "table ip a { chain i { type filter hook input priority 100; policy drop; }; }\n",
			"", "" },
		{ "table ip a { chain p { " BASE("prerouting", "drop") "}; }\n", "", "" },
		{ "table ip a { chain p { " BASE("postrouting", "drop") "}; }\n", "", "" },
		{ "table ip a { chain x { drop; }; }\n", "", "" },
		{ "table bridge a { chain f { " BASE("forward", "drop") "}; }\n", "", "" },
		{ "table ip a { flags dormant; chain f { " BASE("forward", "drop") "}; }\n", "",
			"" },
		/* Ours. */
		{ "table ip ipvsctl-svc { chain i { " BASE("input", "accept") "drop; }; }\n", "",
			"" },
		{ "table ip a { chain i { " BASE("input", "drop") "}; chain f { " BASE("forward",
			  "accept") "reject; }; }\n"
				    "table ip6 b { chain f { " BASE("forward", "accept") "}; }\n",
			"INPUT policy nftables ip a i\nFORWARD rule nftables ip a f\n",
			"FORWARD rule nftables ip a f\n" },
	};
	const struct foreign_query ipvs = { of_ipvs, ARRAY_SIZE(of_ipvs), true, true };
	const struct foreign_query dnat = { translated, ARRAY_SIZE(translated), true, true };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		load_ruleset("flush ruleset\n");
		load_ruleset(rows[i].text);
		assert_gates(&ipvs, rows[i].of_ipvs, rows[i].text);
		assert_gates(&dnat, rows[i].translated, rows[i].text);
	}
}

static void a_family_that_is_not_served_does_not_count(void **state)
{
	const struct foreign_query q = { of_ipvs, ARRAY_SIZE(of_ipvs), true, false };
	static const char text[] = "table ip6 a { chain i { " BASE(
		"input", "drop") "}; }\n"
				 "table inet b { chain i { " BASE("input", "drop") "}; }\n";

	(void)state;
	load_ruleset(text);
	assert_gates(&q, "INPUT policy nftables inet b i\n", text);
}

/* With many rules and chains nothing is certain. */
static void in_doubt_a_chain_is_open(void **state)
{
	const struct foreign_query q = { of_ipvs, ARRAY_SIZE(of_ipvs), true, true };
	_cleanup_(buf_done) struct buf wide = { 0 };

	(void)state;
	buf_adds(&wide, "table inet t {\n");
	for (int i = 0; i < 40; i++)
		buf_addf(&wide, "chain c%d { }\n", i);
	buf_adds(&wide, "chain i { " BASE("input", "drop"));
	for (int i = 0; i < 40; i++)
		buf_addf(&wide, "jump c%d\n", i);
	buf_adds(&wide, "}\n}\n");
	load_ruleset(buf_str(&wide));
	assert_gates(&q, "", buf_str(&wide));
}

static bool iptables_works(const char *program)
{
	return !exec_run((const char *const[]){ program, "-t", "filter", "-S", "INPUT", NULL },
		NULL, 0, TIMEOUT_MS, NULL, NULL);
}

static void of_iptables(const char *program, const char *place)
{
	const struct foreign_query q = { of_ipvs, ARRAY_SIZE(of_ipvs), true, true };
	_cleanup_(buf_done) struct buf in = { 0 }, out = { 0 };

	if (!iptables_works(program)) {
		print_message("%s does not work here\n", program);
		skip();
	}
	buf_addf(&in, "INPUT policy %s ip filter INPUT\n", place);
	buf_addf(&out, "FORWARD policy %s ip filter FORWARD\n", place);
	free(RUN(NULL, program, "-P", "INPUT", "DROP"));
	assert_gates(&q, buf_str(&in), program);
	free(RUN(NULL, program, "-A", "INPUT", "-m", "conntrack", "--ctstate",
		"RELATED,ESTABLISHED", "-j", "ACCEPT"));
	free(RUN(NULL, program, "-A", "INPUT", "-p", "tcp", "-m", "multiport", "--dports", "22,80",
		"-j", "ACCEPT"));
	free(RUN(NULL, program, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT"));
	free(RUN(NULL, program, "-A", "INPUT", "-i", "lo", "-j", "ACCEPT"));
	free(RUN(NULL, program, "-A", "INPUT", "-p", "icmp", "-j", "ACCEPT"));
	assert_gates(&q, buf_str(&in), program);
	/* The remedy that status tells. */
	free(RUN(NULL, program, "-I", "INPUT", "-d", "10.96.0.0/12", "-j", "ACCEPT"));
	assert_gates(&q, "", program);

	free(RUN(NULL, program, "-P", "FORWARD", "DROP"));
	free(RUN(NULL, program, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j",
		"ACCEPT"));
	assert_gates(&q, buf_str(&out), program);
	free(RUN(NULL, program, "-I", "FORWARD", "-m", "conntrack", "--ctstate",
		"RELATED,ESTABLISHED", "-j", "ACCEPT"));
	assert_gates(&q, "", program);

	buf_reset(&out);
	buf_addf(&out, "OUTPUT rule %s ip filter OUTPUT\n", place);
	free(RUN(NULL, program, "-A", "OUTPUT", "-m", "comment", "--comment", "no more", "-j",
		"REJECT"));
	assert_gates(&q, buf_str(&out), program);
	free(RUN(NULL, program, "-I", "OUTPUT", "-d", "10.244.0.0/16", "-j", "ACCEPT"));
	assert_gates(&q, "", program);
}

static void chains_of_iptables_nft_count(void **state)
{
	const struct foreign_query known = { of_ipvs, ARRAY_SIZE(of_ipvs), true, true,
		.skip_nft_filter = true };

	(void)state;
	of_iptables("iptables-nft", "iptables-nft");
	free(RUN(NULL, "iptables-nft", "-F"));
	free(RUN(NULL, "iptables-nft", "-t", "mangle", "-P", "INPUT", "DROP"));
	assert_gates(&known, "INPUT policy iptables-nft ip mangle INPUT\n", "mangle");
}

static void chains_of_legacy_iptables_count(void **state)
{
	const struct foreign_query known = { of_ipvs, ARRAY_SIZE(of_ipvs), true, true,
		.skip_legacy = true };

	(void)state;
	of_iptables("iptables-legacy", "iptables-legacy");
	free(RUN(NULL, "iptables-legacy", "-F"));
	assert_gates(&known, "", "legacy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, in_new_namespace)
		TEST(a_policy_that_drops_closes_a_chain),
		TEST(a_rule_for_everything_closes_a_chain),
		TEST(each_hook_has_its_packets),
		TEST(a_family_that_is_not_served_does_not_count),
		TEST(in_doubt_a_chain_is_open),
		TEST(chains_of_iptables_nft_count),
		TEST(chains_of_legacy_iptables_count),
#undef TEST
	};

	if (unshare(CLONE_NEWNET))
		kernel_skip_all(
			"test_foreign_gate_kernel", "it may not create a network namespace");
	if (exec_run((const char *const[]){ "nft", "list", "ruleset", NULL }, NULL, 0, TIMEOUT_MS,
		    NULL, NULL))
		kernel_skip_all("test_foreign_gate_kernel", "nft does not work");
	return cmocka_run_group_tests_name("foreign_gate_kernel", tests, NULL, NULL);
}
