// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stale entries of the running kernel's connection table, in network namespaces of their own. The
 * entries are created with libnl; the conntrack program is the witness.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "../../src/kernel/nl.h"
#include "base/clock.h"
#include "kernel/conntrack.h"
#include "kernel_test.h"

enum { LIFE_S = 600, MANY = 20000 };

static struct {
	struct conntrack *conntrack;
	struct nl_port *maker;
	struct stale_list list;
} t;

static int new_namespace(void **state)
{
	struct err err;

	(void)state;
	if (unshare(CLONE_NEWNET) || conntrack_new(&t.conntrack, &err))
		return -1;
	return nl_port_open(NETLINK_NETFILTER, &t.maker, &err);
}

static int end_namespace(void **state)
{
	(void)state;
	nl_port_free(take(t.maker));
	conntrack_free(take(t.conntrack));
	stale_done(&t.list);
	return 0;
}

/* One direction of an entry. */
struct way {
	const char *from;
	uint16_t from_port;
	const char *to;
	uint16_t to_port;
};

static struct ip parse(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip), 0);
	return ip;
}

static void put_way(struct nl_msg *msg, int attr, uint8_t proto, struct way w)
{
	const struct ip from = parse(w.from), to = parse(w.to);
	bool v6 = from.family == AF_INET6;
	int len = ip_bits(from.family) / 8;
	struct nlattr *tuple = nla_nest_start(msg, attr | NLA_F_NESTED), *nest;

	nest = nla_nest_start(msg, CTA_TUPLE_IP | NLA_F_NESTED);
	nla_put(msg, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len, from.bytes);
	nla_put(msg, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, len, to.bytes);
	nla_nest_end(msg, nest);
	nest = nla_nest_start(msg, CTA_TUPLE_PROTO | NLA_F_NESTED);
	nla_put_u8(msg, CTA_PROTO_NUM, proto);
	nla_put_u16(msg, CTA_PROTO_SRC_PORT, htons(w.from_port));
	nla_put_u16(msg, CTA_PROTO_DST_PORT, htons(w.to_port));
	nla_nest_end(msg, nest);
	nla_nest_end(msg, tuple);
}

static void make(uint8_t proto, struct way orig, struct way reply, uint16_t zone)
{
	struct nl_msg *msg = nl_request_netfilter(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
		NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, parse(orig.to).family);
	int r;

	put_way(msg, CTA_TUPLE_ORIG, proto, orig);
	put_way(msg, CTA_TUPLE_REPLY, proto, reply);
	nla_put_u32(msg, CTA_TIMEOUT, htonl(LIFE_S));
	if (zone)
		nla_put_u16(msg, CTA_ZONE, htons(zone));
	if (proto == IPPROTO_TCP) {
		struct nlattr *info = nla_nest_start(msg, CTA_PROTOINFO | NLA_F_NESTED),
			      *tcp = nla_nest_start(msg, CTA_PROTOINFO_TCP | NLA_F_NESTED);

		nla_put_u8(msg, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
		nla_nest_end(msg, tcp);
		nla_nest_end(msg, info);
	}
	r = nl_port_ask(t.maker, msg, NULL, NULL, NULL);
	if (r)
		fail_msg("cannot create an entry to %s: %s", orig.to, strerror(-r));
}

/* A client's UDP packets to a Service, which an endpoint answers. */
static void flow(uint16_t client_port, const char *to, uint16_t port, const char *endpoint,
	uint16_t endpoint_port)
{
	const char *client = parse(to).family == AF_INET6 ? "2001:db8::9" : "192.0.2.9";

	make(IPPROTO_UDP, (struct way){ client, client_port, to, port },
		(struct way){ endpoint, endpoint_port, client, client_port }, 0);
}

static void frontend(const char *to, uint16_t port)
{
	const struct ip ip = parse(to);

	stale_add(&t.list, (struct stale_frontend){ .ip = ip, .port = port, .proto = IPPROTO_UDP });
}

/* With one endpoint, which may answer. */
static void frontend_with(const char *to, uint16_t port, const char *endpoint, uint16_t ep_port)
{
	struct stale_endpoint ep = { .ip = parse(endpoint), .port = ep_port };
	struct stale_frontend fe = { .ip = parse(to), .port = port, .proto = IPPROTO_UDP, .n = 1 };
	struct stale_list one = { .frontends = &fe, .n = 1, .endpoints = &ep, .n_endpoints = 1 };

	stale_copy(&t.list, &one, 0);
}

static int clean(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct err err = { 0 };
	bool more;
	int n = 0;

	stale_finish(&t.list);
	for (size_t i = 0; i < 2; i++) {
		int r = conntrack_clean(t.conntrack, &t.list, families[i], &more, &err);

		if (r < 0)
			fail_msg("%s", err.msg);
		n += r;
	}
	return n;
}

/* How often the text occurs where the conntrack program lists the entries. */
static size_t count(const char *text)
{
	_cleanup_free_ char *v4 = RUN(NULL, "conntrack", "-L", "-f", "ipv4");
	_cleanup_free_ char *v6 = RUN(NULL, "conntrack", "-L", "-f", "ipv6");
	const char *const both[] = { v4, v6 };
	size_t n = 0;

	for (size_t i = 0; i < 2; i++)
		for (const char *p = both[i]; (p = strstr(p, text)); p++)
			n++;
	return n;
}

static void only_stale_entries_are_deleted(void **state)
{
	(void)state;
	flow(1001, "10.96.0.10", 53, "10.244.1.1", 5353); /* an endpoint that stays */
	flow(1002, "10.96.0.10", 53, "10.244.1.2", 5353); /* one that left */
	flow(1003, "10.96.0.10", 53, "10.96.0.10", 53);	  /* from before the Service */
	flow(1004, "10.96.0.10", 54, "10.244.1.2", 5353); /* another port */
	flow(1005, "8.8.8.8", 53, "8.8.8.8", 53);	  /* the same port elsewhere */
	flow(1006, "10.96.0.11", 53, "10.244.1.2", 5353); /* another Service */
	flow(1007, "fd00:96::a", 53, "fd00:10::1", 5353); /* the same in IPv6: stays, */
	flow(1008, "fd00:96::a", 53, "fd00:10::2", 5353); /* and goes */
	make(IPPROTO_TCP, (struct way){ "192.0.2.9", 1009, "10.96.0.10", 53 },
		(struct way){ "10.244.1.2", 5353, "192.0.2.9", 1009 }, 0);
	make(IPPROTO_UDP, (struct way){ "192.0.2.9", 1010, "10.96.0.10", 53 },
		(struct way){ "10.244.1.2", 5353, "192.0.2.9", 1010 }, 7);
	assert_int_equal(count("src="), 2 * 10);
	frontend_with("10.96.0.10", 53, "10.244.1.1", 5353);
	frontend_with("fd00:96::a", 53, "fd00:10::1", 5353);
	assert_int_equal(clean(), 4);
	assert_int_equal(count("sport=1001 "), 1);
	assert_int_equal(count("sport=1002 "), 0);
	assert_int_equal(count("sport=1003 "), 0);
	assert_int_equal(count("sport=1004 "), 1);
	assert_int_equal(count("sport=1005 "), 1);
	assert_int_equal(count("sport=1006 "), 1);
	assert_int_equal(count("sport=1007 "), 1);
	assert_int_equal(count("sport=1008 "), 0);
	assert_int_equal(count("sport=1009 "), 1);
	assert_int_equal(count("sport=1010 "), 0);
	assert_int_equal(clean(), 0);
}

static void an_empty_table_has_nothing_stale(void **state)
{
	(void)state;
	frontend("10.96.0.10", 53);
	frontend("fd00:96::a", 53);
	assert_int_equal(clean(), 0);
}

/* Client ports from 1000 on, to three Services in turns. */
static void make_many(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		static const char *const to[] = { "10.96.0.10", "10.96.0.11", "10.96.0.12" };

		flow((uint16_t)(1000 + i), to[i % 3], 53, i % 2 ? "10.244.1.1" : "10.244.1.2",
			5353);
	}
}

static void each_of_many_is_deleted_once(void **state)
{
	uint64_t began;

	(void)state;
	make_many();
	frontend_with("10.96.0.10", 53, "10.244.1.1", 5353);
	began = clock_us();
	assert_int_equal(clean(), (MANY + 5) / 6);
	print_message(
		"# one frontend of three: %llu us\n", (unsigned long long)(clock_us() - began));
	assert_int_equal(count("dst=10.96.0.10 "), (MANY + 2) / 3 - (MANY + 5) / 6);
	assert_int_equal(count("dst=10.96.0.11 "), (MANY + 1) / 3);
	frontend("10.96.0.11", 53);
	frontend("10.96.0.12", 53);
	began = clock_us();
	assert_int_equal(clean(), (MANY + 1) / 3 + MANY / 3);
	print_message("# all: %llu us\n", (unsigned long long)(clock_us() - began));
	assert_int_equal(clean(), 0);
	assert_int_equal(count("src="), 2 * ((MANY + 2) / 3 - (MANY + 5) / 6));
}

static void entries_of_many_frontends_are_found_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char ip[IP_STRLEN];

		snprintf(ip, sizeof(ip), "10.96.1.%u", i);
		flow((uint16_t)(1000 + i), ip, 53, "10.244.1.1", 5353);
		if (i % 2)
			frontend(ip, 53);
	}
	assert_int_equal(clean(), 100);
	assert_int_equal(count("dst=10.96.1."), 100);
	assert_int_equal(count("dst=10.96.1.2 "), 1);
	assert_int_equal(count("dst=10.96.1.3 "), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, new_namespace, end_namespace)
		TEST(only_stale_entries_are_deleted),
		TEST(an_empty_table_has_nothing_stale),
		TEST(each_of_many_is_deleted_once),
		TEST(entries_of_many_frontends_are_found_at_once),
#undef TEST
	};
	struct err err;
	struct conntrack *c;

	if (unshare(CLONE_NEWNET))
		kernel_skip_all("test_conntrack_kernel", "no right to make network namespaces");
	if (conntrack_new(&c, &err))
		kernel_skip_all("test_conntrack_kernel", err.msg);
	conntrack_free(c);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
