// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "kernel/iptables_text.h"
#include "rule_text.h"

static void assert_read(const char *text, int family, const char *expected)
{
	_cleanup_(iptables_rule_done) struct iptables_rule r = { 0 };
	_cleanup_(rule_list_done) struct rule_list list = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 }, packed = { 0 };
	struct rule rule;
	size_t at = 0;

	iptables_parse_rule(text, strlen(text), family, &r);
	if (!r.readable)
		fail_msg("cannot read %s", text);
	iptables_print_rule(&b, family, NULL, &r.rule);
	assert_string_equal(buf_str(&b), expected);
	rule_list_add(&list, &r.rule);
	assert_true(rule_list_next(&list, &at, &rule));
	iptables_print_rule(&packed, family, NULL, &rule);
	assert_string_equal(buf_str(&packed), expected);
	assert_false(rule_list_next(&list, &at, &rule));
}

#define COMMENT " -m comment --comment "
#define RECORD " --name KUBE-SEP-AAAAAAAAAAAAAAAA --mask 255.255.255.255 --rsource"
#define RECORD6                                                                             \
	" --name KUBE-SEP-AAAAAAAAAAAAAAAA --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " \
	"--rsource"

/* Other forms are those in which iptables 1.8.7 to 1.8.11 tell the same rule. */
static void every_form_of_a_rule_is_read_as_the_same(void **state)
{
	static const struct {
		const char *rule;
		int family;
		const char *expected; /* NULL: the same */
	} cases[] = {
		{ "  -j   RETURN ", AF_INET, "-j RETURN" },
		{ "-s 10.0.0.1 -j DROP", AF_INET, "-s 10.0.0.1/32 -j DROP" },
		{ "! -d fd00::1 -j DROP", AF_INET6, "! -d fd00::1/128 -j DROP" },
		{ "-s 10.0.0.0/8 -j DROP", AF_INET, NULL },
		{ "-s 10.0.0.0/255.0.0.0 -j DROP", AF_INET, "-s 10.0.0.0/8 -j DROP" },
		{ "-d 0.0.0.5/0.0.0.15 -j KUBE-DISPATCH-A", AF_INET, NULL },
		{ "-d ::5/::f -j KUBE-DISPATCH-A", AF_INET6, NULL },
		{ "! -s 127.0.0.0/8 -d 127.0.0.0/8" COMMENT "block -j DROP", AF_INET, NULL },
		{ "! -i cni0 -j DROP", AF_INET, NULL },
		{ "-i veth+" COMMENT "\"pod traffic\" -j DROP", AF_INET, NULL },
		{ "-p 6 -j DROP", AF_INET, "-p tcp -j DROP" },
		{ "! -p 17 -j DROP", AF_INET, "! -p udp -j DROP" },
		{ "-p 132 -j DROP", AF_INET, "-p sctp -j DROP" },
		{ "-p 1 -m icmp --icmp-type 8 -j RETURN", AF_INET,
			"-p icmp -m icmp --icmp-type 8 -j RETURN" },
		{ "-p icmpv6 -m icmp6 --icmpv6-type 128 -j DROP", AF_INET6,
			"-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j DROP" },
		{ "-p 58 -j DROP", AF_INET6, "-p ipv6-icmp -j DROP" },
		{ "-d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j DROP", AF_INET, NULL },
		{ "-p 17 -m udp --dport 4096:8191 -j DROP", AF_INET,
			"-p udp -m udp --dport 4096:8191 -j DROP" },
		{ "-m conntrack --ctstate NEW" COMMENT "\"two words\" -j DROP", AF_INET, NULL },
		{ COMMENT "\"simple\" -j DROP", AF_INET, "-m comment --comment simple -j DROP" },
		{ "-m comment --comment \"two words\" -j DROP", AF_INET, NULL },
		{ COMMENT "\"type 'hash'\" -j DROP", AF_INET,
			"-m comment --comment \"type \\'hash\\'\" -j DROP" },
		{ "-m comment --comment \"a \\\"b\\\" \\\\ \\'c\\'\" -j DROP", AF_INET, NULL },
		{ "-m comment --comment \"-s 10.0.0.1 -j RETURN\" -j DROP", AF_INET, NULL },
		{ "-m comment --comment -j -j DROP", AF_INET, NULL },
		{ "-m mark --mark 0x004000/0x004000 -j DROP", AF_INET,
			"-m mark --mark 0x4000/0x4000 -j DROP" },
		{ "-m mark ! --mark 0x1/0xffffffff -j DROP", AF_INET,
			"-m mark ! --mark 0x1 -j DROP" },
		{ "-m mark --mark 0/0xfff00000 -j DROP", AF_INET,
			"-m mark --mark 0x0/0xfff00000 -j DROP" },
		{ "-m mark --mark 0x0/0xffffffff -j DROP", AF_INET, "-m mark --mark 0x0 -j DROP" },
		{ "-m set --match-set KUBE-LOCAL-MARK dst,dst "
		  "-j SET --map-set KUBE-LOCAL-MARK dst,dst --map-mark",
			AF_INET, NULL },
		{ "-m set ! --match-set KUBE-6-LOOP-BACK dst,dst,src -j RETURN", AF_INET6, NULL },
		{ "-m set --match-set KUBE-CLUSTER-IP src,dst -j RETURN", AF_INET, NULL },
		{ "-m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j RETURN", AF_INET, NULL },
		{ "-m conntrack ! --ctstate ESTABLISHED,RELATED -j RETURN", AF_INET,
			"-m conntrack ! --ctstate RELATED,ESTABLISHED -j RETURN" },
		{ "-m addrtype --src-type LOCAL -j ACCEPT", AF_INET, NULL },
		{ "-m addrtype ! --dst-type LOCAL -j ACCEPT", AF_INET, NULL },
		{ "-m statistic --mode random --probability 0.33333333349 -j DROP", AF_INET, NULL },
		{ "-m statistic --mode random --probability 0.5 -j DROP", AF_INET,
			"-m statistic --mode random --probability 0.50000000000 -j DROP" },
		{ "-p tcp -m recent --set" RECORD " -j DNAT --to-destination 10.0.0.1:80", AF_INET,
			NULL },
		{ "-m recent --rcheck --seconds 10800 --reap" RECORD6 " -j RETURN", AF_INET6,
			NULL },
		{ "-j DNAT --to-destination [fd00::1]:8080", AF_INET6, NULL },
		{ "-j MARK --set-xmark 0x00004000/0x00000000", AF_INET,
			"-j MARK --set-xmark 0x4000/0x0" },
		{ "-j MARK --set-xmark 0x7", AF_INET, "-j MARK --set-xmark 0x7/0xffffffff" },
		{ "-j MARK --set-xmark 0x80000000/0x80000000", AF_INET, NULL },
		{ "-j REJECT", AF_INET, "-j REJECT --reject-with icmp-port-unreachable" },
		{ "-j REJECT", AF_INET6, "-j REJECT --reject-with icmp6-port-unreachable" },
		{ "-j MASQUERADE --random-fully", AF_INET, NULL },
		{ "-j MASQUERADE", AF_INET, NULL },
		{ "-j KUBE-MARK-MASQ", AF_INET, NULL },
		{ "-g KUBE-MARK-MASQ", AF_INET, NULL },
		{ "", AF_INET, NULL },
		{ "-s 10.0.0.0/8 ", AF_INET, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *expected = cases[i].expected ? cases[i].expected : cases[i].rule;

		assert_read(cases[i].rule, cases[i].family, expected);
		assert_read(expected, cases[i].family, expected);
	}
}

/* Its target is told nevertheless: a foreign rule may lead to a chain of ours. */
static void what_no_rule_of_ours_has_is_unreadable(void **state)
{
	static const struct {
		const char *rule;
		int family;
		const char *target;
	} cases[] = {
		{ "-p 99 -j DROP", AF_INET, "DROP" },
		{ "-o eth0 -g KUBE-SERVICES", AF_INET, "KUBE-SERVICES" },
		{ "! -o eth0 -m physdev ! --physdev-in x -j KUBE-SERVICES", AF_INET,
			"KUBE-SERVICES" },
		{ "-m set --match-set S dst,dst -j DROP", AF_INET, "DROP" },
		{ "-m set --match-set KUBE-6-CLUSTER-IP dst,dst -j DROP", AF_INET, "DROP" },
		{ "-m set --match-set KUBE-CLUSTER-IP dst,src -j DROP", AF_INET, "DROP" },
		{ "-m set -j DROP", AF_INET, "DROP" },
		{ "-s fd00::1/128 -j DROP", AF_INET, "DROP" },
		{ "-s 10.0.0.0/33 -j DROP", AF_INET, "DROP" },
		{ "-s 10.0.0.0/8x -j DROP", AF_INET, "DROP" },
		{ "-j MARK --set-xmark what", AF_INET, "MARK" },
		{ "-j MARK --set-xmark 0x1/0x1ffffffff", AF_INET, "MARK" },
		{ "-j MARK --set-xmark -1", AF_INET, "MARK" },
		{ "-j REJECT --reject-with tcp-reset", AF_INET, "REJECT" },
		{ "-j DNAT --to-destination 10.0.0.1", AF_INET, "DNAT" },
		{ "-j DNAT --to-destination 10.0.0.1:80-90", AF_INET, "DNAT" },
		{ "-j DNAT --to-destination fd00::1:80", AF_INET6, "DNAT" },
		{ "-j DNAT --to-destination []:80", AF_INET6, "DNAT" },
		{ "-j LOG --log-level 7", AF_INET, "LOG" },
		{ "-j DROP -m mark --mark 0x1", AF_INET, "DROP" },
		{ "-j KUBE-A-NAME-OF-MORE-CHARACTERS-THAN-THERE-ARE", AF_INET, "" },
		{ "-j", AF_INET, "" },
		{ "-m tcp --dport 80 -j DROP", AF_INET, "DROP" },
		{ "-p udp -m tcp --dport 80 -j DROP", AF_INET, "DROP" },
		{ "-p tcp -m tcp --dport 70000 -j DROP", AF_INET, "DROP" },
		{ "-p tcp -m tcp --dport 9:8 -j DROP", AF_INET, "DROP" },
		{ "-p tcp -m tcp --sport 80 -j DROP", AF_INET, "DROP" },
		{ "-m statistic --mode nth --every 3 --packet 0 -j DROP", AF_INET, "DROP" },
		{ "-m statistic --mode random --probability 1.5 -j DROP", AF_INET, "DROP" },
		{ "-m recent --rcheck --seconds 9 --reap --name X --mask 255.0.0.0 --rsource "
		  "-j DROP",
			AF_INET, "DROP" },
		{ "-m conntrack --ctstate NEW,OLD -j DROP", AF_INET, "DROP" },
		{ "-m addrtype --dst-type BROADCAST -j DROP", AF_INET, "DROP" },
		/* a comment between modules, before an address, twice or empty */
		{ "-m mark --mark 0x1" COMMENT "x -m addrtype --dst-type LOCAL -j DROP", AF_INET,
			"DROP" },
		{ "-m comment --comment x -s 10.0.0.0/8 -j DROP", AF_INET, "DROP" },
		{ "-m comment --comment x -m comment --comment y -j DROP", AF_INET, "DROP" },
		{ "-m comment --comment \"\" -j DROP", AF_INET, "DROP" },
		{ "-m comment --comment \"open -j DROP", AF_INET, "" },
		{ "-m comment --comment \"open \\", AF_INET, "" },
		{ "\"", AF_INET, "" },
		/* nine matches */
		{ "-s 1.1.1.1 -s 1.1.1.1 -s 1.1.1.1 -s 1.1.1.1 -s 1.1.1.1 -s 1.1.1.1 -s 1.1.1.1 "
		  "-s 1.1.1.1 -s 1.1.1.1 -j DROP",
			AF_INET, "DROP" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(iptables_rule_done) struct iptables_rule r = { 0 };

		iptables_parse_rule(cases[i].rule, strlen(cases[i].rule), cases[i].family, &r);
		if (r.readable)
			fail_msg("%s was read", cases[i].rule);
		assert_string_equal(r.target, cases[i].target);
	}
}

/* `interface`: that of pods; NULL: they are told by their addresses. */
static size_t check_wanted(enum backend backend, const char *interface)
{
	_cleanup_(fact_list_done) struct fact_list facts = { 0 };
	_cleanup_(rule_pool_done) struct rule_pool pool = { 0 };
	const struct node_needs needs = node_needs_all();
	struct options options;
	struct node_view view;
	size_t n = 0;

	options_init(&options);
	assert_int_equal(cidr_parse("10.244.0.0/16", &options.cluster_cidr[0]), 0);
	assert_int_equal(cidr_parse("fd00:10:244::/56", &options.cluster_cidr[1]), 0);
	if (interface) {
		options.detect_local = DETECT_BRIDGE_INTERFACE;
		strcpy(options.interface, interface);
	}
	node_view_init(&view, &options);
	view.backend = backend;
	resolve_node(&view, &needs, &pool, &facts);
	for (size_t i = 0; i < facts.n; i++) {
		_cleanup_(rule_list_done) struct rule_list rules = { 0 };
		_cleanup_(buf_done) struct buf text = { 0 };
		const struct fact *f = &facts.facts[i];

		if (f->key.kind != FACT_CHAIN && f->key.kind != FACT_JUMP)
			continue;
		rule_text_print(&text, &pool, f);
		rule_text_read(buf_str(&text), f->key.family, &rules);
		assert_int_equal(rule_list_hash(HASH_EMPTY, &rules), f->val.chain.rules);
		n++;
	}
	return n;
}

/* Their hashes are compared with those of what iptables tells. */
static void wanted_rules_are_read_as_they_were_printed(void **state)
{
	(void)state;
	assert_true(check_wanted(BACKEND_IPVS, NULL) >= 40);
	assert_true(check_wanted(BACKEND_IPTABLES, NULL) >= 30);
	check_wanted(BACKEND_IPVS, "cni0");
	check_wanted(BACKEND_IPVS, "br+"); /* iptables takes it for all that begin with br */
}

static void lines_are_told_apart(void **state)
{
	static const struct {
		enum iptables_line_type type;
		const char *name, *rule;
	} expected[] = {
		{ IPTABLES_LINE_OTHER, "", "" },
		{ IPTABLES_LINE_TABLE, "nat", "" },
		{ IPTABLES_LINE_CHAIN, "PREROUTING", "ACCEPT [0:0]" },
		{ IPTABLES_LINE_CHAIN, "", "- [0:0]" },
		{ IPTABLES_LINE_RULE, "KUBE-SERVICES", "-j RETURN" },
		{ IPTABLES_LINE_RULE, "KUBE-SERVICES", "" },
		{ IPTABLES_LINE_RULE, "", "" },
		{ IPTABLES_LINE_COMMIT, "", "" },
		{ IPTABLES_LINE_OTHER, "", "" },
		{ IPTABLES_LINE_OTHER, "", "" },
	};
	const char *text = "# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n"
			   ":A-NAME-OF-MORE-CHARACTERS-THAN-THERE-ARE - [0:0]\n"
			   "-A KUBE-SERVICES -j RETURN\n-A KUBE-SERVICES\n-A \nCOMMIT\n\nCOMMITTED";
	struct iptables_line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_true(iptables_next_line(&text, &line));
		assert_int_equal(line.type, expected[i].type);
		assert_string_equal(line.name, expected[i].name);
		if (line.type == IPTABLES_LINE_OTHER || line.type == IPTABLES_LINE_COMMIT)
			continue;
		assert_int_equal(line.len, strlen(expected[i].rule));
		assert_memory_equal(line.rule, expected[i].rule, line.len);
	}
	assert_false(iptables_next_line(&text, &line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_a_rule_is_read_as_the_same),
		cmocka_unit_test(what_no_rule_of_ours_has_is_unreadable),
		cmocka_unit_test(wanted_rules_are_read_as_they_were_printed),
		cmocka_unit_test(lines_are_told_apart),
	};

	return cmocka_run_group_tests_name("iptables_text", tests, NULL, NULL);
}
