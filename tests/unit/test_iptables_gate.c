// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "kernel/iptables_gate.h"

/* Our own rules, as the iptables backend has them. */
#define OURS                                                                       \
	"-A FORWARD -m comment --comment \"kubernetes service portals\" -j "       \
	"KUBE-SERVICES\n"                                                          \
	"-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j "      \
	"KUBE-FORWARD\n"                                                           \
	"-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n"                 \
	"-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m " \
	"mark --mark 0x4000/0x4000 -j ACCEPT\n"

#define DOCKER                                                                \
	"-A FORWARD -j DOCKER-USER\n"                                         \
	"-A FORWARD -j DOCKER-FORWARD\n"                                      \
	"-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp "   \
	"--dport 80 -j ACCEPT\n"                                              \
	"-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED " \
	"-j ACCEPT\n"                                                         \
	"-A DOCKER-FORWARD -j DOCKER-CT\n"                                    \
	"-A DOCKER-FORWARD -o docker0 -j DOCKER\n"                            \
	"-A DOCKER-FORWARD -i docker0 -j ACCEPT\n"                            \
	"-A DOCKER-USER -j RETURN\n"

#define UFW                                                                            \
	"-A INPUT -j ufw-before-input\n"                                               \
	"-A FORWARD -j ufw-before-forward\n"                                           \
	"-A FORWARD -j ufw-reject-forward\n"                                           \
	"-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n" \
	"-A ufw-before-forward -p icmp -m icmp --icmp-type 3 -j ACCEPT\n"              \
	"-A ufw-before-forward -j ufw-user-forward\n"                                  \
	"-A ufw-before-input -i lo -j ACCEPT\n"                                        \
	"-A ufw-before-input -s 192.168.0.0/16 -j ACCEPT\n"

static const struct gate_packets forwarded = { HOOK_FORWARD, .translated = true };
static const struct gate_packets sent = { HOOK_OUTPUT };

/* Adds the rules chain by chain, as iptables-save prints them. */
static void add_grouped(struct buf *b, const char *rules)
{
	for (const char *p = rules; *p; p = strchr(p, '\n') + 1) {
		const size_t len = strcspn(p + strlen("-A "), " ") + strlen("-A  ");
		bool first = true;

		for (const char *q = rules; q < p; q = strchr(q, '\n') + 1)
			first = first && strncmp(p, q, len) != 0;
		for (const char *q = p; first && *q; q = strchr(q, '\n') + 1)
			if (!strncmp(p, q, len))
				buf_add(b, q, strcspn(q, "\n") + 1);
	}
}

static void assert_gate(const char *policy, const char *rules, enum gate expected)
{
	_cleanup_(buf_done) struct buf b = { 0 }, all = { 0 };

	buf_addf(&b, "*filter\n:INPUT DROP [0:0]\n:FORWARD %s [0:0]\n:OUTPUT ACCEPT [0:0]\n",
		policy);
	buf_addf(&all, "%s%s", OURS, rules);
	add_grouped(&b, buf_str(&all));
	buf_adds(&b, "COMMIT\n");
	if (iptables_gate_read(buf_str(&b), AF_INET, &forwarded) != expected)
		fail_msg("%s\n%s", policy, rules);
	assert_int_equal(iptables_gate_read(buf_str(&b), AF_INET, &sent), GATE_OPEN);
}

static void a_policy_closes_it_unless_others_accept_pods(void **state)
{
	static const char *const closed[] = { "", DOCKER, UFW, DOCKER UFW,
		"-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n",
		"-A FORWARD -d 192.168.122.0/24 -o virbr0 -j ACCEPT\n",
		"-A FORWARD -p tcp -m multiport --dports 22,80 -j ACCEPT\n",
		"-A FORWARD -i lo -j other\n-A other -j ACCEPT\n", "-A other -j ACCEPT\n" };
	static const char *const open[] = {
		"-A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD\n"
		"-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j "
		"ACCEPT\n",
		DOCKER "-A FORWARD -m comment --comment \"cali:S93hcgKJrXEqnTfs\" -m mark --mark "
		       "0x10000/0x10000 -j ACCEPT\n",
		"-A FORWARD -i cni0 -j ACCEPT\n",
		UFW "-A ufw-user-forward -d 10.244.0.0/16 -j ACCEPT\n",
		"-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\n",
		"-A FORWARD ! -i docker0 -j ACCEPT\n",
		/* a chain before the one that leads to it */
		"-A a -j ACCEPT\n-A b -j a\n-A FORWARD -j c\n-A c -j b\n",
		"-A FORWARD -m comment --comment \"not --dport here\" -j ACCEPT\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
		assert_gate("DROP", closed[i], GATE_POLICY);
		assert_gate("ACCEPT", closed[i], GATE_OPEN);
	}
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_gate("DROP", open[i], GATE_OPEN);
}

static void a_rule_for_everything_closes_it(void **state)
{
	static const char *const closed[] = {
		"-A FORWARD -j DROP\n",
		"-A FORWARD -m comment --comment \"and no more\" -j REJECT --reject-with "
		"icmp-port-unreachable\n",
		"-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		"-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n",
	};
	static const char *const open[] = {
		"-A FORWARD -s 192.0.2.0/24 -j DROP\n",
		"-A FORWARD -m conntrack --ctstate INVALID -j DROP\n",
		"-A FORWARD -s 10.244.0.0/16 -j ACCEPT\n-A FORWARD -j DROP\n",
		"-A other -j DROP\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++)
		assert_gate("ACCEPT", closed[i], GATE_RULE);
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_gate("ACCEPT", open[i], GATE_OPEN);
}

/* IPVS: packets to Services in INPUT, and only replies in FORWARD. */
static void other_packets_need_other_rules(void **state)
{
	static const struct gate_packets to_services = { HOOK_INPUT },
					 replies = { HOOK_FORWARD, .replies = true };
	static const char
		closed[] = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n"
			   "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
			   "-A INPUT -m conntrack --ctstate DNAT -j ACCEPT\n"
			   "-A FORWARD -m conntrack --ctstate NEW -j ACCEPT\n",
		open[] = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n"
			 "-A INPUT -d 10.96.0.0/12 -j ACCEPT\n"
			 "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n";

	(void)state;
	assert_int_equal(iptables_gate_read(closed, AF_INET, &to_services), GATE_POLICY);
	assert_int_equal(iptables_gate_read(closed, AF_INET, &replies), GATE_POLICY);
	assert_int_equal(iptables_gate_read(open, AF_INET, &to_services), GATE_OPEN);
	assert_int_equal(iptables_gate_read(open, AF_INET, &replies), GATE_OPEN);
}

static void in_doubt_it_is_open(void **state)
{
	_cleanup_(buf_done) struct buf deep = { 0 }, wide = { 0 };

	(void)state;
	for (int i = 100; i > 0; i--)
		buf_addf(&deep, "-A c%d -j c%d\n", i, i + 1);
	buf_adds(&deep, "-A FORWARD -j c1\n");
	assert_gate("DROP", buf_str(&deep), GATE_OPEN);
	for (int i = 0; i < 100; i++)
		buf_addf(&wide, "-A FORWARD -j c%d\n", i);
	assert_gate("DROP", buf_str(&wide), GATE_OPEN);
	assert_int_equal(iptables_gate_read("", AF_INET, &forwarded), GATE_OPEN);
	assert_int_equal(iptables_gate_read(":FORWARD DROP", AF_INET, &forwarded), GATE_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_closes_it_unless_others_accept_pods),
		cmocka_unit_test(a_rule_for_everything_closes_it),
		cmocka_unit_test(other_packets_need_other_rules),
		cmocka_unit_test(in_doubt_it_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
