// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in network namespaces of its own, with the ip program as the others.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include "../../src/kernel/nl.h"
#include "kernel/link.h"
#include "kernel/link_monitor.h"
#include "kernel_test.h"

enum { BOTH = LINK_CHANGED_ADDRESSES | LINK_CHANGED_OURS };

static struct adapter *adapter;
static struct link_monitor *monitor;

static void ip(const char *commands)
{
	free(RUN(commands, "ip", "-batch", "-"));
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

static const char *const routes6[] = { "ip", "-6", "route", "show", "table", "local", NULL };

static void ignore_notification(struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	(void)arg;
}

/* Waits until `ip` prints that so often, looking again at each notification of links and routes. */
static void await_output(const char *const argv[], const char *part, unsigned times)
{
	struct nl_port *port;
	struct err err;

	if (nl_port_open(NETLINK_ROUTE, &port, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(nl_port_join(port, RTNLGRP_LINK), 0);
	assert_int_equal(nl_port_join(port, RTNLGRP_IPV6_ROUTE), 0);
	for (;;) {
		_cleanup_free_ char *text = run(NULL, argv);
		struct pollfd p = { .fd = port->fd, .events = POLLIN };

		if (count(text, part) == times)
			break;
		if (poll(&p, 1, TIMEOUT_MS) <= 0)
			fail_msg("waited for %u times \"%s\"", times, part);
		nl_port_drain(port, ignore_notification, NULL);
	}
	nl_port_free(port);
}

static int new_namespace(void **state)
{
	static const char *const links[] = { "ip", "-o", "link", "show", "up", NULL };
	struct err err;

	(void)state;
	if (unshare(CLONE_NEWNET))
		return -1;
	ip("link set lo up\n"
	   "link add eth0 type veth peer eth1\n"
	   "link set eth0 addrgenmode none\n"
	   "link set eth1 addrgenmode none\n"
	   "link set eth0 up\n"
	   "link set eth1 up\n");
	/*
	 * The kernel tells of a device that comes up, and adds the routes of IPv6 addresses, some
	 * time later. Without link-local addresses there is nothing else that comes by itself.
	 */
	await_output(links, "state UP", 2);
	ip("addr add 192.168.50.1/24 dev eth0\n"
	   "addr add fd00:50::1/64 dev eth0 nodad\n");
	await_output(routes6, "local fd00:50::1 dev eth0", 1);
	return link_new(2512, &adapter, &err) || link_monitor_new(adapter, &monitor, &err) ? -1 : 0;
}

static int end_namespace(void **state)
{
	(void)state;
	link_monitor_free(take(monitor));
	link_free(take(adapter));
	return 0;
}

static void apply(enum op_type type, const char *line, int expected)
{
	kernel_apply(adapter, type, kernel_fact(line), expected);
}

static unsigned changed(void)
{
	return link_monitor_read(monitor);
}

static void routes_are_added_and_deleted(void **state)
{
	(void)state;
	apply(OP_ADD, "route 10.96.0.1", 0);
	apply(OP_ADD, "route 10.96.0.2 src=192.168.50.1", 0);
	apply(OP_ADD, "route fd00:96::1", 0);
	apply(OP_ADD, "route fd00:96::2 src=fd00:50::1", 0);
	kernel_assert_facts(adapter, FACT_ROUTE,
		"route 10.96.0.1\n"
		"route 10.96.0.2 src=192.168.50.1\n"
		"route fd00:96::1\n"
		"route fd00:96::2 src=fd00:50::1\n");
	apply(OP_DEL, "route 10.96.0.2 src=192.168.50.1", 0);
	apply(OP_DEL, "route fd00:96::1", 0);
	kernel_assert_facts(
		adapter, FACT_ROUTE, "route 10.96.0.1\nroute fd00:96::2 src=fd00:50::1\n");
}

static void a_table_of_its_own_can_have_the_route(void **state)
{
	static const char *const show[] = { "ip", "route", "show", "table", "2512", NULL };
	_cleanup_free_ char *text = NULL;

	(void)state;
	kernel_assert_facts(adapter, FACT_ROUTE, "");
	apply(OP_DEL, "route 192.0.2.1 table=2512", -ENOENT);
	apply(OP_DEL, "route 2001:db8::1 table=2512", -ENOENT);
	apply(OP_SET, "route 192.0.2.1 table=2512", -ENOENT);
	apply(OP_SET, "route 2001:db8::1 table=2512", -ENOENT);
	apply(OP_ADD, "route 192.0.2.1 table=2512", 0);
	apply(OP_ADD, "route 192.0.2.1", 0);
	apply(OP_ADD, "route 192.0.2.1 table=2512", -EEXIST);
	apply(OP_ADD, "route 2001:db8::1 table=2512", 0);
	apply(OP_ADD, "route 2001:db8::1 table=77", 0);
	apply(OP_SET, "route 192.0.2.1 table=2512", 0);
	/* Nothing leads to table 77 yet. */
	kernel_assert_facts(adapter, FACT_ROUTE,
		"route 192.0.2.1\nroute 192.0.2.1 table=2512\nroute 2001:db8::1 table=2512\n");
	text = run(NULL, show);
	assert_string_equal(text, "local 192.0.2.1 dev lo proto 200 scope host metric 1024 \n");

	apply(OP_ADD, "policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512", 0);
	apply(OP_ADD, "policy-rule IPv4 91 mark=0x1000 mask=0x1000 table=78", 0);
	apply(OP_ADD, "policy-rule IPv6 91 mark=0x1000 mask=0x1000 table=77", 0);
	apply(OP_DEL, "route 192.0.2.1", 0);
	apply(OP_DEL, "route 192.0.2.1 table=2512", 0);
	apply(OP_ADD, "route 192.0.2.1 table=78", 0);
	ip("route add local 192.0.2.2 dev lo proto 200 metric 1024 table 66000\n");
	kernel_assert_facts(adapter, FACT_ROUTE,
		"route 192.0.2.1 table=78\nroute 2001:db8::1 table=77\n"
		"route 2001:db8::1 table=2512\n");
	assert_int_equal(changed(), 0);
}

static void the_source_of_a_route_changes_in_place(void **state)
{
	(void)state;
	apply(OP_ADD, "route 10.96.0.1", 0);
	apply(OP_ADD, "route fd00:96::1", 0);
	apply(OP_SET, "route 10.96.0.1 src=192.168.50.1", 0);
	apply(OP_SET, "route fd00:96::1 src=fd00:50::1", 0);
	kernel_assert_facts(adapter, FACT_ROUTE,
		"route 10.96.0.1 src=192.168.50.1\nroute fd00:96::1 src=fd00:50::1\n");
	apply(OP_SET, "route 10.96.0.1", 0);
	apply(OP_SET, "route fd00:96::1", 0);
	kernel_assert_facts(adapter, FACT_ROUTE, "route 10.96.0.1\nroute fd00:96::1\n");
}

static void existing_and_missing_routes_have_results_of_their_own(void **state)
{
	(void)state;
	apply(OP_ADD, "route 10.96.0.1", 0);
	apply(OP_ADD, "route 10.96.0.1", -EEXIST);
	apply(OP_ADD, "route fd00:96::1", 0);
	apply(OP_ADD, "route fd00:96::1", -EEXIST);
	apply(OP_SET, "route 10.96.0.9", -ENOENT);
	apply(OP_SET, "route fd00:96::9", -ENOENT);
	apply(OP_DEL, "route 10.96.0.9", -ENOENT);
	apply(OP_DEL, "route fd00:96::9", -ENOENT);
	apply(OP_ADD, "route 10.96.0.2 src=192.168.50.99", -EINVAL);
	apply(OP_ADD, "route fd00:96::2 src=fd00:50::99", -EINVAL);
	kernel_assert_facts(adapter, FACT_ROUTE, "route 10.96.0.1\nroute fd00:96::1\n");
}

static void foreign_routes_are_ignored(void **state)
{
	(void)state;
	ip("route add local 10.96.0.1 dev lo proto 200\n"
	   "route add local 10.96.0.2 dev lo proto 201 metric 1024\n"
	   "route add local 10.96.0.3 dev eth0 proto 200 metric 1024\n"
	   "route add local 10.97.0.0/16 dev lo proto 200 metric 1024\n"
	   "route add 10.96.0.4 dev lo proto 200 metric 1024\n"
	   "route add local fd00:96::1 dev lo proto 200 metric 7\n");
	kernel_assert_facts(adapter, FACT_ROUTE, "");
	ip("route add local 10.96.0.5 dev lo proto 200 metric 1024\n"
	   "route add local fd00:96::5 dev lo proto 200 metric 1024\n");
	kernel_assert_facts(adapter, FACT_ROUTE, "route 10.96.0.5\nroute fd00:96::5\n");
}

static void the_node_keeps_the_routes_of_its_own_addresses(void **state)
{
	(void)state;
	apply(OP_ADD, "route 192.168.50.1", 0);
	apply(OP_SET, "route 192.168.50.1", 0);
	apply(OP_DEL, "route 192.168.50.1", 0);
	apply(OP_ADD, "route fd00:50::1", 0);
	apply(OP_DEL, "route fd00:50::1", 0);
	/* They can only be deleted where they still are. */
	ip("route del local 192.168.50.1 dev eth0 proto kernel table local\n"
	   "route del local fd00:50::1 dev eth0 proto kernel table local\n");
}

#define RULE "90 mark=0x1000 mask=0x1000 table=2512"

static void policy_rules_are_added_and_deleted(void **state)
{
	(void)state;
	apply(OP_DEL, "policy-rule IPv4 " RULE, -ENOENT);
	apply(OP_ADD, "policy-rule IPv4 " RULE, 0);
	apply(OP_ADD, "policy-rule IPv6 " RULE, 0);
	apply(OP_ADD, "policy-rule IPv4 " RULE, -EEXIST);
	apply(OP_SET, "policy-rule IPv6 " RULE, 0);
	kernel_assert_facts(adapter, FACT_POLICY_RULE,
		"policy-rule IPv4 " RULE "\npolicy-rule IPv6 " RULE "\n");
	assert_int_equal(changed(), 0);
	apply(OP_DEL, "policy-rule IPv4 " RULE, 0);
	apply(OP_DEL, "policy-rule IPv6 " RULE, 0);
	apply(OP_DEL, "policy-rule IPv6 " RULE, -ENOENT);
	kernel_assert_facts(adapter, FACT_POLICY_RULE, "");
	apply(OP_SET, "policy-rule IPv6 " RULE, 0);
	kernel_assert_facts(adapter, FACT_POLICY_RULE, "policy-rule IPv6 " RULE "\n");
}

static void a_rule_of_others_like_ours_stays(void **state)
{
	static const char *const show[] = { "ip", "rule", "show", "pref", "90", NULL };
	_cleanup_free_ char *text = NULL;

	(void)state;
	ip("rule add pref 90 fwmark 0x1000/0x1000 lookup 2512 protocol static\n");
	apply(OP_ADD, "policy-rule IPv4 " RULE, 0);
	apply(OP_DEL, "policy-rule IPv4 " RULE, 0);
	apply(OP_DEL, "policy-rule IPv4 " RULE, -ENOENT);
	text = run(NULL, show);
	assert_int_equal(count(text, "fwmark 0x1000/0x1000 lookup 2512 proto static"), 1);
}

/* Each differs in one thing from a rule of ours. */
static void foreign_policy_rules_are_ignored(void **state)
{
	static const char *const likes[] = { "fwmark 0x1000/0x1000 lookup 2512",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 201", "lookup 2512 protocol 200",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 iif lo",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 oif lo",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 ipproto tcp",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 dport 80",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 uidrange 0-1",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 tos 0x10",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 suppress_prefixlength 0",
		"fwmark 0x1000/0x1000 lookup 2512 protocol 200 suppress_ifgroup 7",
		"fwmark 0x1000/0x1000 unreachable protocol 200",
		"fwmark 0x1000/0x1000 nop protocol 200",
		"not fwmark 0x1000/0x1000 lookup 2512 protocol 200" };
	_cleanup_(buf_done) struct buf commands = { 0 };
	_cleanup_free_ struct link_rule *rules = NULL;
	struct err err;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(likes); i++)
		buf_addf(&commands, "rule add pref %zu %s\n", 100 + i, likes[i]);
	free(RUN(buf_str(&commands), "ip", "-6", "-batch", "-"));
	ip(buf_str(&commands));
	ip("rule add pref 120 fwmark 0x1000/0x1000 to 10.0.0.0/8 lookup 2512 protocol 200\n"
	   "rule add pref 121 fwmark 0x1000/0x1000 from 10.0.0.0/8 lookup 2512 protocol 200\n");
	kernel_assert_facts(adapter, FACT_POLICY_RULE, "");
	apply(OP_ADD, "policy-rule IPv4 " RULE, 0);
	kernel_assert_facts(adapter, FACT_POLICY_RULE, "policy-rule IPv4 " RULE "\n");

	/* With the kernel's: local, main, default; without: nop, ours. */
	assert_int_equal(link_foreign_rules(AF_INET, &rules, &n, &err), 0);
	assert_int_equal(n, ARRAY_SIZE(likes) + 2 + 3 - 1);
	assert_int_equal(rules[0].table, RT_TABLE_LOCAL);
	assert_int_equal(rules[1].priority, 100);
	assert_int_equal(rules[1].mark, 0x1000);
	assert_int_equal(rules[1].mask, 0x1000);
	assert_int_equal(rules[1].table, 2512);
	assert_false(rules[1].selectors);
	assert_int_equal(link_has_policy_routing(AF_INET, &err), 1);
	assert_int_equal(link_has_policy_routing(AF_INET6, &err), 1);
}

static void one_bad_operation_does_not_stop_the_others(void **state)
{
	struct op ops[400];
	char line[40];

	(void)state;
	apply(OP_ADD, "route 10.1.0.7", 0);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		snprintf(line, sizeof(line), "route 10.1.%u.%u", i / 200, i % 200);
		ops[i] = (struct op){ .type = OP_ADD, .fact = kernel_fact(line) };
	}
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		assert_int_equal(ops[i].result, i == 7 ? -EEXIST : 0);
}

static void the_kernel_tells_where_packets_go(void **state)
{
	static const struct {
		const char *dst, *words;
	} cases[] = {
		{ "192.0.2.1", "via 192.168.50.2 dev eth0" },
		{ "192.168.50.9", "dev eth0" },
		{ "192.168.50.1", "local" },
		{ "192.168.50.255", "broadcast" },
		{ "224.0.0.9", "multicast" },
		{ "10.1.1.1", "unreachable" },
		{ "10.2.1.1", "prohibited" },
		{ "10.3.1.1", "blackhole" },
		{ "10.4.1.1", "via fd00:50::2 dev eth0" },
		{ "2001:db8::1", "unreachable" },
		{ "2001:db8:1::1", "via fd00:50::2 dev eth0" },
		{ "2001:db8:2::1", "prohibited" },
		{ "2001:db8:3::1", "blackhole" },
		{ "fd00:50::9", "dev eth0" },
		{ "fd00:50::1", "local" },
		{ "fd00:96::1", "local" },
		{ "10.96.0.1", "local" },
	};
	struct err err;

	(void)state;
	ip("route add default via 192.168.50.2\n"
	   "route add unreachable 10.1.0.0/16\n"
	   "route add prohibit 10.2.0.0/16\n"
	   "route add blackhole 10.3.0.0/16\n"
	   "route add 10.4.0.0/16 via inet6 fd00:50::2\n"
	   "route add 2001:db8:1::/48 via fd00:50::2\n"
	   "route add prohibit 2001:db8:2::/48\n"
	   "route add blackhole 2001:db8:3::/48\n");
	apply(OP_ADD, "route 10.96.0.1", 0);
	apply(OP_ADD, "route fd00:96::1", 0);
	/* Local for marked packets only. */
	apply(OP_ADD, "policy-rule IPv4 " RULE, 0);
	apply(OP_ADD, "route 192.0.2.1 table=2512", 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf words = { 0 };
		struct ip dst;

		assert_int_equal(ip_parse(cases[i].dst, &dst), 0);
		assert_int_equal(link_route_get(&dst, &words, &err), 0);
		if (strcmp(buf_str(&words), cases[i].words) != 0)
			fail_msg("%s: %s", cases[i].dst, buf_str(&words));
	}
}

static void the_node_has_the_addresses_of_its_interfaces(void **state)
{
	static const char *const expected[] = { "192.168.50.1", "192.168.51.1", "fd00:50::1" };
	_cleanup_free_ struct ip *ips = NULL;
	struct ip primary;
	struct err err;
	char s[IP_STRLEN];
	size_t n;

	(void)state;
	ip("addr add 192.168.51.1/24 dev eth1\n"
	   "addr add 192.168.51.1/32 dev eth0\n"
	   "route add default via 192.168.51.2 dev eth1\n");
	assert_int_equal(link_addresses(&ips, &n, &err), 0);
	assert_int_equal(n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(ip_print(&ips[i], s), expected[i]);
	primary = link_primary_address(AF_INET, ips, n);
	assert_string_equal(ip_print(&primary, s), "192.168.51.1");
	primary = link_primary_address(AF_INET6, ips, n);
	assert_string_equal(ip_print(&primary, s), "fd00:50::1");
	assert_int_equal(link_primary_address(AF_INET6, ips, 2).family, 0);
}

static void routes_that_others_delete_are_noticed(void **state)
{
	(void)state;
	apply(OP_ADD, "route 10.96.0.1", 0);
	apply(OP_ADD, "route fd00:96::1", 0);
	assert_int_equal(changed(), 0);
	ip("route del local 10.96.0.1 dev lo proto 200\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	ip("route del local fd00:96::1 dev lo proto 200\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	apply(OP_ADD, "route 10.96.0.1", 0);
	apply(OP_ADD, "route 192.0.2.1 table=2512", 0);
	apply(OP_ADD, "route 2001:db8::1 table=2512", 0);
	ip("route add local 192.0.2.2 dev lo table 2512\n"
	   "route del local 192.0.2.2 table 2512\n");
	assert_int_equal(changed(), 0);
	ip("route del local 192.0.2.1 table 2512\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	ip("route del local 2001:db8::1 table 2512\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	ip("route replace local 10.96.0.1 dev eth0 proto 200 metric 1024\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
}

static void rules_that_others_delete_are_noticed(void **state)
{
	(void)state;
	apply(OP_ADD, "policy-rule IPv4 " RULE, 0);
	apply(OP_ADD, "policy-rule IPv6 " RULE, 0);
	ip("rule add pref 91 fwmark 0x1000/0x1000 lookup 2512\n"
	   "rule del pref 91\n");
	assert_int_equal(changed(), 0);
	ip("rule del pref 90\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	free(RUN(NULL, "ip", "-6", "rule", "flush"));
	assert_int_equal(changed(), LINK_CHANGED_OURS);
}

static void our_own_changes_are_not_reported(void **state)
{
	(void)state;
	apply(OP_ADD, "route 10.96.0.1", 0);
	apply(OP_ADD, "route fd00:96::1", 0);
	apply(OP_SET, "route 10.96.0.1 src=192.168.50.1", 0);
	apply(OP_SET, "route fd00:96::1 src=fd00:50::1", 0);
	apply(OP_DEL, "route 10.96.0.1", 0);
	apply(OP_DEL, "route fd00:96::1", 0);
	assert_int_equal(changed(), 0);
}

static void changes_of_the_nodes_addresses_are_noticed(void **state)
{
	(void)state;
	changed();
	ip("addr add 192.168.51.1/24 dev eth1\n");
	assert_int_equal(changed(), LINK_CHANGED_ADDRESSES);
	ip("addr del 192.168.51.1/24 dev eth1\n");
	assert_int_equal(changed(), BOTH);
	ip("addr add fd00:51::1/64 dev eth1 nodad\n");
	await_output(routes6, "local fd00:51::1 dev eth1", 1); /* told just before */
	assert_int_equal(changed(), LINK_CHANGED_ADDRESSES);
	ip("route add default via 192.168.50.2\n");
	assert_int_equal(changed(), LINK_CHANGED_ADDRESSES);
	ip("route add 10.99.0.0/16 via 192.168.50.2\naddr add 127.0.0.9/8 dev lo\n");
	assert_int_equal(changed(), 0);
}

enum { MANY_ROUTES = 4000 }; /* more than fit in one datagram, or in the queue of the monitor */

static void many_routes(const char *command)
{
	_cleanup_(buf_done) struct buf commands = { 0 };

	for (int i = 0; i < MANY_ROUTES; i++)
		buf_addf(&commands, "route %s 10.%d.%d.0/24 dev eth0\n", command, 100 + i / 250,
			i % 250);
	ip(buf_str(&commands));
}

static void lost_notifications_count_as_all_changes(void **state)
{
	(void)state;
	many_routes("add");
	assert_int_equal(changed(), 0);
	many_routes("del");
	assert_int_equal(changed(), BOTH);
	assert_int_equal(changed(), 0);
}

static int give_up(struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return -ECANCELED;
}

static int count_reply(struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	++*(size_t *)arg;
	return 0;
}

/* The kernel answers EBUSY to a dump while another one on the same socket goes on. */
static void an_abandoned_dump_does_not_block_the_next(void **state)
{
	const struct rtmsg h = { .rtm_family = AF_INET };
	struct nl_port *port;
	struct err err;
	size_t n = 0;

	(void)state;
	many_routes("add");
	assert_int_equal(nl_port_open(NETLINK_ROUTE, &port, &err), 0);
	assert_int_equal(nl_port_ask(port, nl_request_new(RTM_GETROUTE, NLM_F_DUMP, &h, sizeof(h)),
				 give_up, NULL, NULL),
		-ECANCELED);
	assert_int_equal(nl_port_ask(port, nl_request_new(RTM_GETROUTE, NLM_F_DUMP, &h, sizeof(h)),
				 count_reply, &n, &n),
		0);
	assert_true(n > MANY_ROUTES);
	nl_port_free(port);
}

static void the_device_is_created_and_deleted(void **state)
{
	(void)state;
	apply(OP_SET, "link kube-ipvs0", -ENOENT);
	apply(OP_DEL, "link kube-ipvs0", -ENOENT);
	apply(OP_ADD, "link kube-ipvs0", 0);
	apply(OP_ADD, "link kube-ipvs0", -EEXIST);
	apply(OP_SET, "link kube-ipvs0", 0);
	kernel_assert_facts(adapter, FACT_LINK, "link kube-ipvs0\n");
	apply(OP_DEL, "link kube-ipvs0", 0);
	kernel_assert_facts(adapter, FACT_LINK, "");
	assert_int_equal(changed(), 0);
}

static void a_device_of_another_kind_is_foreign(void **state)
{
	(void)state;
	ip("link add kube-ipvs0 type veth peer other0\n");
	apply(OP_ADD, "link kube-ipvs0", -ENOTUNIQ);
	apply(OP_SET, "link kube-ipvs0", -ENOTUNIQ);
	apply(OP_ADD, "addr 10.96.0.1", -ENOTUNIQ);
	apply(OP_DEL, "link kube-ipvs0", -ENOENT);
	kernel_assert_facts(adapter, FACT_LINK, "");
	kernel_assert_facts(adapter, FACT_ADDR, "");
	assert_int_not_equal(if_nametoindex(LINK_VIPS), 0);
}

static void a_second_device_carries_held_addresses(void **state)
{
	(void)state;
	apply(OP_SET, "link kube-ipvs1", -ENOENT);
	apply(OP_ADD, "link kube-ipvs1", 0);
	apply(OP_ADD, "link kube-ipvs0", 0);
	apply(OP_ADD, "link kube-ipvs1", -EEXIST);
	ip("link set kube-ipvs0 up\n");
	kernel_assert_facts(adapter, FACT_LINK, "link kube-ipvs0\nlink kube-ipvs1\n");
	apply(OP_DEL, "link kube-ipvs1", 0);
	kernel_assert_facts(adapter, FACT_LINK, "link kube-ipvs0\n");
	assert_int_equal(changed(), 0);
	ip("link add kube-ipvs1 type veth peer other0\n");
	apply(OP_ADD, "link kube-ipvs1", -ENOTUNIQ);
	kernel_assert_facts(adapter, FACT_LINK, "link kube-ipvs0\n");
}

static void the_held_device_is_set_down(void **state)
{
	(void)state;
	apply(OP_ADD, "link kube-ipvs1", 0);
	assert_int_equal(changed(), 0);
	ip("link set kube-ipvs1 up\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	kernel_assert_facts(adapter, FACT_LINK, "link kube-ipvs1 up=1\n");
	apply(OP_SET, "link kube-ipvs1", 0);
	kernel_assert_facts(adapter, FACT_LINK, "link kube-ipvs1\n");
	apply(OP_SET, "link kube-ipvs1", 0);
	changed(); /* the kernel may tell late that it was up */
	ip("link set kube-ipvs1 name other0\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	kernel_assert_facts(adapter, FACT_LINK, "");
}

static void addresses_are_added_and_deleted(void **state)
{
	(void)state;
	apply(OP_ADD, "addr 10.96.0.1", -ESRCH);
	apply(OP_DEL, "addr 10.96.0.1", -ESRCH);
	apply(OP_ADD, "link kube-ipvs0", 0);
	apply(OP_ADD, "addr 10.96.0.1", 0);
	apply(OP_ADD, "addr fd00:96::1", 0);
	apply(OP_ADD, "addr 10.96.0.1", -EEXIST);
	apply(OP_ADD, "addr fd00:96::1", -EEXIST);
	apply(OP_SET, "addr 10.96.0.1", 0);
	apply(OP_SET, "addr fd00:96::1", 0);
	ip("addr add 10.98.0.1/24 dev kube-ipvs0\n");
	kernel_assert_facts(adapter, FACT_ADDR, "addr 10.96.0.1\naddr fd00:96::1\n");
	apply(OP_DEL, "addr 10.96.0.9", -ENOENT);
	apply(OP_DEL, "addr fd00:96::9", -ENOENT);
	apply(OP_DEL, "addr 10.96.0.1", 0);
	apply(OP_DEL, "addr fd00:96::1", 0);
	kernel_assert_facts(adapter, FACT_ADDR, "");
	assert_int_equal(changed(), 0);
}

#define LOCAL_TABLE "ip", "-4", "route", "show", "table", "local"

/* The routes for the address in table local are these. */
static void assert_local_routes(const char *address, const char *expected)
{
	_cleanup_free_ char *text = RUN(NULL, LOCAL_TABLE, "to", "exact", address);

	assert_string_equal(text, expected);
}

/* Where packets to the address go, as the kernel says: "local", "via", "dev". */
static void assert_routed(const char *address, const char *expected)
{
	_cleanup_free_ char *text = RUN(NULL, "ip", "route", "get", address);
	const char *local = strstr(text, "local ") == text ? "local" : "";

	if (strcmp(local, expected) != 0)
		fail_msg("%s is routed: %s", address, text);
}

/* A node that can hold addresses: it has a rule, a default route, and the device. */
static void prepare_holding(void)
{
	apply(OP_ADD, "policy-rule IPv4 " RULE, 0);
	apply(OP_ADD, "link kube-ipvs1", 0);
	ip("route add default via 192.168.50.2\n");
	changed();
}

static void held_addresses_are_known_and_not_taken(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	apply(OP_ADD, "held 192.0.2.1", -ESRCH);
	apply(OP_SET, "held 192.0.2.1", -ESRCH);
	apply(OP_DEL, "held 192.0.2.1", -ESRCH);
	prepare_holding();
	apply(OP_ADD, "held 192.0.2.1", 0);
	apply(OP_ADD, "held 192.0.2.2", 0);
	apply(OP_ADD, "held 192.0.2.1", -EEXIST);
	apply(OP_SET, "held 192.0.2.1", 0);
	apply(OP_SET, "held 192.0.2.3", 0);
	kernel_assert_facts(adapter, FACT_HELD, "held 192.0.2.1\nheld 192.0.2.2\nheld 192.0.2.3\n");
	text = RUN(NULL, "ip", "-o", "-4", "addr", "show", "dev", LINK_HELD);
	assert_int_equal(count(text, "/32 scope host"), 3);
	assert_routed("192.0.2.1", "");
	assert_local_routes("192.0.2.1", "");
	apply(OP_DEL, "held 192.0.2.1", 0);
	apply(OP_DEL, "held 192.0.2.1", -ENOENT);
	kernel_assert_facts(adapter, FACT_HELD, "held 192.0.2.2\nheld 192.0.2.3\n");
	assert_int_equal(changed(), 0);
	apply(OP_DEL, "link kube-ipvs1", 0);
	kernel_assert_facts(adapter, FACT_HELD, "");
	assert_int_equal(changed(), 0);
}

static void flaws_of_held_addresses_are_told_and_repaired(void **state)
{
	/* With the last address the kernel deletes all routes of a device. */
	static const char *const flawed[] = { "192.0.2.4", "192.0.2.3", "192.0.2.2", "192.0.2.1" };
	char line[40];

	(void)state;
	prepare_holding();
	for (int round = OP_ADD; round <= OP_DEL; round++) {
		ip("addr add 192.0.2.1/32 dev kube-ipvs1\n"
		   "route add throw 192.0.2.2 table local proto 200\n"
		   "addr add 192.0.2.3/32 dev kube-ipvs1\n"
		   "route prepend throw 192.0.2.3 table local proto 200\n"
		   "route add local 192.0.2.4 dev kube-ipvs1 table local\n"
		   "route add throw 192.0.2.9 table local proto 201\n");
		assert_routed("192.0.2.1", "local");
		kernel_assert_facts(adapter, FACT_HELD,
			"held 192.0.2.1 flaws=0x1\n"
			"held 192.0.2.2 flaws=0x6\n"
			"held 192.0.2.3 flaws=0x3\n"
			"held 192.0.2.4 flaws=0x5\n");
		for (size_t i = 0; i < ARRAY_SIZE(flawed); i++) {
			snprintf(line, sizeof(line), "held %s", flawed[i]);
			apply(round, line, 0);
			/* The kernel added its own route to that of somebody else. */
			if (i == 0 && round != OP_DEL)
				apply(OP_SET, line, 0);
			assert_routed(flawed[i], "");
			assert_local_routes(flawed[i], "");
		}
		kernel_assert_facts(adapter, FACT_HELD,
			round == OP_DEL ? ""
					: "held 192.0.2.1\nheld 192.0.2.2\nheld 192.0.2.3\n"
					  "held 192.0.2.4\n");
		ip("addr flush dev kube-ipvs1\n"
		   "route del throw 192.0.2.9 table local\n");
	}
	ip("route add throw 192.0.2.2 table local proto 200\n");
	apply(OP_DEL, "link kube-ipvs1", 0);
	kernel_assert_facts(adapter, FACT_HELD, "held 192.0.2.2 flaws=0x6\n");
	apply(OP_DEL, "held 192.0.2.2", 0);
	kernel_assert_facts(adapter, FACT_HELD, "");
}

static void a_device_that_is_set_up_takes_held_addresses_until_repaired(void **state)
{
	(void)state;
	prepare_holding();
	apply(OP_ADD, "held 192.0.2.1", 0);
	apply(OP_ADD, "held 192.0.2.2", 0);
	changed();
	ip("link set kube-ipvs1 up\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	assert_routed("192.0.2.1", "local");
	apply(OP_SET, "link kube-ipvs1", 0);
	assert_routed("192.0.2.1", "local");
	kernel_assert_facts(
		adapter, FACT_HELD, "held 192.0.2.1 flaws=0x1\nheld 192.0.2.2 flaws=0x1\n");
	apply(OP_SET, "held 192.0.2.1", 0);
	apply(OP_SET, "held 192.0.2.2", 0);
	kernel_assert_facts(adapter, FACT_HELD, "held 192.0.2.1\nheld 192.0.2.2\n");
	assert_routed("192.0.2.1", "");
}

/* As when a node is taken over from kube-proxy. */
static void a_vip_can_be_held_while_it_is_an_address(void **state)
{
	(void)state;
	prepare_holding();
	apply(OP_ADD, "link kube-ipvs0", 0);
	apply(OP_ADD, "addr 192.0.2.1", 0);
	apply(OP_ADD, "held 192.0.2.1", 0);
	kernel_assert_facts(adapter, FACT_HELD, "held 192.0.2.1\n");
	kernel_assert_facts(adapter, FACT_ADDR, "addr 192.0.2.1\n");
	assert_routed("192.0.2.1", "local");
	apply(OP_DEL, "addr 192.0.2.1", 0);
	kernel_assert_facts(adapter, FACT_HELD, "held 192.0.2.1\n");
	assert_routed("192.0.2.1", "");

	/* And back: kube-proxy adds its address. */
	apply(OP_ADD, "addr 192.0.2.1", 0);
	apply(OP_DEL, "held 192.0.2.1", 0);
	assert_routed("192.0.2.1", "local");
	assert_local_routes("192.0.2.1",
		"local 192.0.2.1 dev kube-ipvs0 proto kernel scope host src 192.0.2.1 \n");
}

/* As with --external-addresses=local, or when the address comes to this node. */
static void other_local_routes_of_a_held_address_stay(void **state)
{
	(void)state;
	prepare_holding();
	apply(OP_ADD, "held 192.0.2.1", 0);
	apply(OP_ADD, "held 192.0.2.2", 0);
	apply(OP_ADD, "held 192.0.2.3", 0);
	apply(OP_ADD, "route 192.0.2.1", 0);
	apply(OP_ADD, "route 192.0.2.2 src=192.168.50.1", 0);
	apply(OP_ADD, "route 192.0.2.3 table=2512", 0);
	ip("addr add 192.0.2.3/32 dev eth1\n");
	kernel_assert_facts(adapter, FACT_HELD, "held 192.0.2.1\nheld 192.0.2.2\nheld 192.0.2.3\n");
	apply(OP_SET, "held 192.0.2.3", 0);
	apply(OP_DEL, "held 192.0.2.1", 0);
	apply(OP_DEL, "held 192.0.2.2", 0);
	apply(OP_DEL, "held 192.0.2.3", 0);
	kernel_assert_facts(adapter, FACT_ROUTE,
		"route 192.0.2.1\nroute 192.0.2.2 src=192.168.50.1\n"
		"route 192.0.2.3 table=2512\n");
	assert_routed("192.0.2.1", "local");
	assert_routed("192.0.2.2", "local");
	assert_routed("192.0.2.3", "local");
}

/* As when a node is taken over from kube-proxy: no moment without one of the two. */
static void a_vip_can_be_an_address_and_a_route_at_once(void **state)
{
	(void)state;
	apply(OP_ADD, "link kube-ipvs0", 0);
	apply(OP_ADD, "addr 10.96.0.1", 0);
	apply(OP_ADD, "addr fd00:96::1", 0);
	apply(OP_ADD, "route 10.96.0.1 src=192.168.50.1", 0);
	apply(OP_ADD, "route fd00:96::1", 0);
	apply(OP_DEL, "addr 10.96.0.1", 0);
	apply(OP_DEL, "addr fd00:96::1", 0);
	kernel_assert_facts(
		adapter, FACT_ROUTE, "route 10.96.0.1 src=192.168.50.1\nroute fd00:96::1\n");
}

/* The kernel makes the route of an IPv6 address after its answer. */
static void an_address_is_local_when_it_is_added(void **state)
{
	(void)state;
	apply(OP_ADD, "link kube-ipvs0", 0);
	for (unsigned i = 1; i <= 200; i++) {
		char line[IP_STRLEN + 8];

		snprintf(line, sizeof(line), "addr fd00:96::%x", i);
		apply(OP_ADD, line, 0);
		assert_routed(line + strlen("addr "), "local");
	}
}

static void vips_are_no_addresses_of_the_node(void **state)
{
	_cleanup_free_ struct ip *ips = NULL;
	struct err err;
	size_t n;

	(void)state;
	apply(OP_ADD, "link kube-ipvs0", 0);
	apply(OP_ADD, "addr 10.96.0.1", 0);
	ip("link add kube-ipvs1 type dummy\n"
	   "addr add 10.96.0.2/32 dev kube-ipvs1\n");
	assert_int_equal(link_addresses(&ips, &n, &err), 0);
	assert_int_equal(n, 2);
}

static void changes_to_the_device_by_others_are_noticed(void **state)
{
	(void)state;
	apply(OP_ADD, "link kube-ipvs0", 0);
	apply(OP_ADD, "addr 10.96.0.1", 0);
	apply(OP_ADD, "addr fd00:96::1", 0);
	apply(OP_ADD, "addr fd00:96::2", 0);
	apply(OP_ADD, "addr fd00:96::3", 0);
	assert_int_equal(changed(), 0);
	ip("link add kube-ipvs1 type dummy\n"
	   "addr add 10.96.0.9/32 dev kube-ipvs1\n");
	assert_int_equal(changed(), 0);
	ip("addr del 10.96.0.9/32 dev kube-ipvs1\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	ip("addr del 10.96.0.1/32 dev kube-ipvs0\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	apply(OP_DEL, "addr fd00:96::1", 0);
	ip("addr del fd00:96::2/128 dev kube-ipvs0\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
	apply(OP_DEL, "link kube-ipvs0", 0);
	assert_int_equal(changed(), 0);
	apply(OP_ADD, "link kube-ipvs0", 0);
	ip("link del kube-ipvs0\n");
	assert_int_equal(changed(), LINK_CHANGED_OURS);
}

static bool has_dummy_devices(void)
{
	struct op op = { .type = OP_ADD, .fact = fact_link(LINK_VIPS) };
	bool has = !new_namespace(NULL);

	if (has) {
		adapter->apply(adapter, &op, 1);
		has = !op.result;
	}
	end_namespace(NULL);
	return has;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_namespace, end_namespace)

static int run_device_tests(void)
{
	const struct CMUnitTest devices[] = {
		TEST(the_device_is_created_and_deleted),
		TEST(a_device_of_another_kind_is_foreign),
		TEST(a_second_device_carries_held_addresses),
		TEST(the_held_device_is_set_down),
		TEST(addresses_are_added_and_deleted),
		TEST(a_vip_can_be_an_address_and_a_route_at_once),
		TEST(an_address_is_local_when_it_is_added),
		TEST(held_addresses_are_known_and_not_taken),
		TEST(flaws_of_held_addresses_are_told_and_repaired),
		TEST(a_device_that_is_set_up_takes_held_addresses_until_repaired),
		TEST(a_vip_can_be_held_while_it_is_an_address),
		TEST(other_local_routes_of_a_held_address_stay),
		TEST(vips_are_no_addresses_of_the_node),
		TEST(changes_to_the_device_by_others_are_noticed),
	};

	if (has_dummy_devices())
		return cmocka_run_group_tests(devices, NULL, NULL);
	fputs("\nSKIPPED: the tests of the device " LINK_VIPS
	      ": this kernel has no dummy devices\n\n",
		stderr);
	return 0;
}

/* As early after the start of the machine. */
static void a_node_without_addresses_can_be_read(void **state)
{
	static const enum fact_kind kinds[] = { FACT_LINK, FACT_POLICY_RULE, FACT_HELD, FACT_ROUTE,
		FACT_ADDR };
	struct err err;

	(void)state;
	link_monitor_free(take(monitor));
	link_free(take(adapter));
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(link_new(2512, &adapter, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		kernel_assert_facts(adapter, kinds[i], "");
}

int main(void)
{
	const struct CMUnitTest routes[] = {
		TEST(routes_are_added_and_deleted),
		TEST(a_table_of_its_own_can_have_the_route),
		TEST(the_source_of_a_route_changes_in_place),
		TEST(existing_and_missing_routes_have_results_of_their_own),
		TEST(foreign_routes_are_ignored),
		TEST(the_node_keeps_the_routes_of_its_own_addresses),
		TEST(policy_rules_are_added_and_deleted),
		TEST(a_rule_of_others_like_ours_stays),
		TEST(foreign_policy_rules_are_ignored),
		TEST(one_bad_operation_does_not_stop_the_others),
		TEST(the_kernel_tells_where_packets_go),
		TEST(the_node_has_the_addresses_of_its_interfaces),
		TEST(routes_that_others_delete_are_noticed),
		TEST(rules_that_others_delete_are_noticed),
		TEST(our_own_changes_are_not_reported),
		TEST(changes_of_the_nodes_addresses_are_noticed),
		TEST(lost_notifications_count_as_all_changes),
		TEST(an_abandoned_dump_does_not_block_the_next),
		TEST(a_node_without_addresses_can_be_read),
	};
	int failed;

	if (unshare(CLONE_NEWNET))
		kernel_skip_all("test_link_kernel",
			"making a network namespace is not permitted: run it as root");
	failed = cmocka_run_group_tests(routes, NULL, NULL);
	return failed + run_device_tests();
}
