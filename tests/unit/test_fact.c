// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact.h"
#include "core/fact_text.h"
#include "fixture.h"

/* In the order of fact_key_cmp(): kind, family, set, address, port, protocol, second address and
 * port. */
static const char *const sorted[] = {
	"link kube-ipvs0",
	"link kube-ipvs1",
	"policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512",
	"policy-rule IPv6 90 mark=0x1000 mask=0x1000 table=2512",
	"set KUBE-LOOP-BACK hash:ip,port,ip maxelem=65536",
	"set KUBE-CLUSTER-IP hash:ip,port maxelem=65536",
	"set KUBE-NODE-PORT-TCP bitmap:port",
	"set KUBE-IPVS-IPS hash:ip maxelem=65536",
	"set KUBE-6-LOOP-BACK hash:ip,port,ip maxelem=65536",
	"set KUBE-6-LOAD-BALANCER-SOURCE-CID hash:ip,port,net maxelem=65536",
	"member KUBE-LOOP-BACK 10.244.0.5,tcp:8080,10.244.0.5",
	"member KUBE-LOOP-BACK 10.244.0.5,tcp:8080,10.244.0.6",
	"member KUBE-CLUSTER-IP 10.96.0.10,tcp:53",
	"member KUBE-CLUSTER-IP 10.96.0.10,udp:53",
	"member KUBE-CLUSTER-IP 10.96.0.10,sctp:53",
	"member KUBE-CLUSTER-IP 10.96.0.10,tcp:54",
	"member KUBE-LOAD-BALANCER-SOURCE-CIDR 1.2.3.4,tcp:80,10.0.0.0/8",
	"member KUBE-LOAD-BALANCER-SOURCE-CIDR 1.2.3.4,tcp:80,10.0.0.0/16",
	"member KUBE-LOAD-BALANCER-SOURCE-CIDR 1.2.3.4,tcp:80,10.0.0.1/32",
	"member KUBE-NODE-PORT-TCP 30001",
	"member KUBE-NODE-PORT-SCTP-HASH 100.101.102.103,sctp:30001",
	"member KUBE-IPVS-IPS 10.96.0.10",
	"member KUBE-ENDPOINTS 10.96.0.10,tcp:53,0 to=10.244.0.5:53",
	"member KUBE-ENDPOINTS 10.96.0.10,tcp:53,1 to=10.244.0.6:53",
	"member KUBE-AFFINITY-LOCAL 10.96.0.10,tcp:53,10.244.0.5 to=10.244.0.5:5353",
	"member KUBE-SPREADS KUBE-SPREAD-2-L",
	"member KUBE-DISPATCH-POD 10.96.0.10,tcp:53 to=KUBE-SPREAD-2-60",
	"member KUBE-6-CLUSTER-IP fd00::a,tcp:53",
	"member KUBE-6-LOAD-BALANCER-SOURCE-CID 2001:db8::1,tcp:80,2001:db8::/32",
	"member KUBE-6-NODE-PORT-LOCAL-SCTP-HAS 2001:db8::1,sctp:30001",
	"chain IPv4 nat KUBE-POSTROUTING text=0000000000000000",
	"chain IPv4 nat KUBE-SERVICES text=0123456789abcdef",
	"chain IPv4 filter KUBE-FORWARD text=ffffffffffffffff",
	"chain IPv4 mangle KUBE-MARKS text=0000000000000001",
	"chain IPv6 nat KUBE-SERVICES text=0123456789abcdef",
	"dispatch 0.0.0.0:30080/TCP KUBE-EXT-XPGD46QRK7WJZT7O",
	"dispatch 10.96.0.9:80/TCP KUBE-FW-XPGD46QRK7WJZT7O",
	"dispatch 10.96.0.10:53/UDP KUBE-SVL-TCOU7JCQXEZGVUNU",
	"dispatch 10.96.0.10:80/TCP KUBE-SVC-XPGD46QRK7WJZT7O",
	"dispatch 10.96.0.11:80/TCP KUBE-SPREAD-4095-LMP-86400",
	"dispatch [::]:30080/SCTP KUBE-EXT-XPGD46QRK7WJZT7O",
	"dispatch [fd00::a]:80/TCP KUBE-SEP-SXIVWICOYRO3J4NJ",
	"jump IPv4 nat PREROUTING KUBE-SERVICES text=0123456789abcdef",
	"jump IPv4 nat OUTPUT KUBE-SERVICES text=0123456789abcdef",
	"jump IPv4 filter INPUT KUBE-FORWARD text=0000000000000000",
	"jump IPv4 filter FORWARD KUBE-FORWARD text=0000000000000000",
	"jump IPv6 mangle POSTROUTING KUBE-MARKS text=0000000000000000",
	"vs fwmark:1048576/IPv4 rr",
	"vs 10.96.0.9:80/TCP none",
	"vs 10.96.0.10:80/TCP rr persistence=10800",
	"vs 10.96.0.10:80/UDP mh flags=0x10",
	"vs 10.96.0.10:443/SCTP mh persistence=1 flags=0x10",
	"vs [fd00::a]:80/TCP rr",
	"vs fwmark:4294967295/IPv6 wlc",
	"rs fwmark:1048576/IPv4 10.244.1.11:8080 weight=1",
	"rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=0",
	"rs 10.96.0.10:80/TCP 10.244.1.11:8081 weight=65535",
	"rs 10.96.0.10:80/TCP 10.244.1.12:8080 weight=1 forwarding=3",
	"rs [fd00::a]:80/TCP [fd00:1::b]:8080 weight=1",
	"held 203.0.113.1",
	"held 203.0.113.2 flaws=0x3",
	"route 10.96.0.10",
	"route 10.96.0.11 src=192.168.50.1",
	"route 203.0.113.1",
	"route 203.0.113.1 table=2512",
	"route fd00::a src=2001:db8::1",
	"addr 10.96.0.10",
	"addr fd00::a",
};

static void every_kind_reads_what_it_prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		struct fact f = fixture_fact(sorted[i]);
		struct buf b = { 0 };

		fact_print(&b, &f);
		assert_string_equal(buf_str(&b), sorted[i]);
		buf_done(&b);
	}
}

static void keys_sort_as_people_would(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			struct fact a = fixture_fact(sorted[i]), b = fixture_fact(sorted[j]);
			int c = fact_key_cmp(&a.key, &b.key);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
			assert_int_equal(fact_key_eq(&a.key, &b.key), i == j);
		}
}

static void garbage_is_no_fact(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"vs",
		"nonsense 10.0.0.1",
		"link eth0",
		"link kube-ipvs0 up",
		"addr",
		"addr 10.0.0.256",
		"addr 10.0.0.1 ",
		" addr 10.0.0.1",
		"addr 10.0.0.1\n",
		"addr 10.0.0.1 10.0.0.2",
		"addr 010.0.0.1",
		"route 10.0.0.1 via=10.0.0.2",
		"route 10.0.0.1 src=fd00::1",
		"route 10.0.0.1 src=x",
		"set KUBE-CLUSTER-IP",
		"set KUBE-CLUSTER-IP hash:net maxelem=1",
		"set KUBE-CLUSTER-IP hash:ip,port maxelem=",
		"set KUBE-CLUSTER-IP hash:ip,port maxelem=x",
		"set KUBE-CLUSTER-IP hash:ip,port maxelem=1 maxelem=2",
		"set MINE hash:ip maxelem=1",
		"set KUBE-6-LOAD-BALANCER-SOURCE-CIDR hash:ip,port,net maxelem=1",
		"member KUBE-CLUSTER-IP",
		"member KUBE-CLUSTER-IP 10.0.0.1",
		"member KUBE-CLUSTER-IP 10.0.0.1,80",
		"member KUBE-CLUSTER-IP 10.0.0.1,tcp:",
		"member KUBE-CLUSTER-IP 10.0.0.1,tcp:65536",
		"member KUBE-CLUSTER-IP 10.0.0.1,icmp:8",
		"member KUBE-CLUSTER-IP 10.0.0.1,tcp:80,10.0.0.1",
		"member KUBE-CLUSTER-IP fd00::1,tcp:80",
		"member KUBE-6-CLUSTER-IP 10.0.0.1,tcp:80",
		"member KUBE-LOOP-BACK 10.0.0.1,tcp:80",
		"member KUBE-LOOP-BACK 10.0.0.1,tcp:80,fd00::1",
		"member KUBE-LOOP-BACK 10.0.0.1,tcp:80,10.0.0.0/8",
		"member KUBE-LOAD-BALANCER-SOURCE-CIDR 10.0.0.1,tcp:80,10.0.0.1/8",
		"member KUBE-LOAD-BALANCER-SOURCE-CIDR 10.0.0.1,tcp:80,10.0.0.0/33",
		"member KUBE-NODE-PORT-TCP 65536",
		"member KUBE-NODE-PORT-TCP 30001,tcp",
		"member KUBE-NODE-PORT-TCP -1",
		"chain IPv4 nat KUBE-SERVICES",
		"chain IPv4 nat KUBE-SERVICES text=0123",
		"chain IPv4 nat KUBE-SERVICES text=0123456789abcdeg",
		"chain IPv5 nat KUBE-SERVICES text=0123456789abcdef",
		"chain IPv4 raw KUBE-SERVICES text=0123456789abcdef",
		"chain IPv4 nat A-NAME-LONGER-THAN-ANY-OF-THIRTY-TWO text=0123456789abcdef",
		"dispatch 10.0.0.1:80/TCP",
		"dispatch 10.0.0.1:80 KUBE-SVC-XPGD46QRK7WJZT7O",
		"dispatch fwmark:1/IPv4 KUBE-SVC-XPGD46QRK7WJZT7O",
		"dispatch 10.0.0.1:80/TCP KUBE-SERVICES",
		"dispatch 10.0.0.1:80/TCP KUBE-SVC-",
		"dispatch 10.0.0.1:80/TCP KUBE-SVC-XPGD46QRK7WJZT7",
		"dispatch 10.0.0.1:80/TCP KUBE-SVC-XPGD46QRK7WJZT7OO",
		"dispatch 10.0.0.1:80/TCP KUBE-SVC-xpgd46qrk7wjzt7o",
		"dispatch 10.0.0.1:80/TCP KUBE-XLB-XPGD46QRK7WJZT7O",
		"dispatch 10.0.0.1:80/TCP KUBE-SVC-XPGD46QRK7WJZT7O x",
		"jump IPv4 nat KUBE-SERVICES text=0123456789abcdef",
		"jump IPv4 nat INGRESS KUBE-SERVICES text=0123456789abcdef",
		"vs 10.0.0.1:80/TCP",
		"vs 10.0.0.1:80 rr",
		"vs 10.0.0.1/TCP rr",
		"vs :80/TCP rr",
		"vs [:80/TCP rr",
		"vs []:80/TCP rr",
		"vs fd00::1:80/TCP rr",
		"vs [10.0.0.1]:80/TCP rr",
		"vs 10.0.0.1:080/TCP rr",
		"vs 10.0.0.1:0x50/TCP rr",
		"vs 10.0.0.1:80/tcp rr",
		"vs 10.0.0.1:80/ICMP rr",
		"vs 10.0.0.1:80/TCP a-scheduler-of-16",
		"vs 10.0.0.1:80/TCP rr persistence=x",
		"vs 10.0.0.1:80/TCP rr persistence=99999999999",
		"vs 10.0.0.1:80/TCP rr flags=0x1",
		"vs 10.0.0.1:80/TCP rr sticky",
		"vs fwmark:x/IPv4 rr",
		"vs fwmark:4294967296/IPv4 rr",
		"vs fwmark:1/TCP rr",
		"rs 10.0.0.1:80/TCP 10.0.0.2:80",
		"rs 10.0.0.1:80/TCP 10.0.0.2:80 weight=",
		"rs 10.0.0.1:80/TCP 10.0.0.2:80 weight=-1",
		"rs 10.0.0.1:80/TCP [fd00::1]:80 weight=1",
		"rs 10.0.0.1:80/TCP 10.0.0.2:80 weight=1 a b c d e f g h i j",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fact f = { .key.kind = 77 };
		struct err err = { 0 };

		if (!fact_parse(rows[i], &f, &err))
			fail_msg("\"%s\" was taken for a fact", rows[i]);
		assert_int_equal(f.key.kind, 77);
		assert_int_equal(err.code, -EINVAL);
		assert_non_null(strstr(err.msg, rows[i]));
	}
}

static void sets_have_the_names_and_types_of_kube_proxy(void **state)
{
	static const struct {
		enum set_id id;
		const char *v4, *v6, *type;
	} rows[] = {
		{ SET_LOOP_BACK, "KUBE-LOOP-BACK", "KUBE-6-LOOP-BACK", "hash:ip,port,ip" },
		{ SET_CLUSTER_IP, "KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP", "hash:ip,port" },
		{ SET_EXTERNAL_IP, "KUBE-EXTERNAL-IP", "KUBE-6-EXTERNAL-IP", "hash:ip,port" },
		{ SET_EXTERNAL_IP_LOCAL, "KUBE-EXTERNAL-IP-LOCAL", "KUBE-6-EXTERNAL-IP-LOCAL",
			"hash:ip,port" },
		{ SET_LOAD_BALANCER, "KUBE-LOAD-BALANCER", "KUBE-6-LOAD-BALANCER", "hash:ip,port" },
		{ SET_LOAD_BALANCER_FW, "KUBE-LOAD-BALANCER-FW", "KUBE-6-LOAD-BALANCER-FW",
			"hash:ip,port" },
		{ SET_LOAD_BALANCER_LOCAL, "KUBE-LOAD-BALANCER-LOCAL", "KUBE-6-LOAD-BALANCER-LOCAL",
			"hash:ip,port" },
		{ SET_LOAD_BALANCER_SOURCE_IP, "KUBE-LOAD-BALANCER-SOURCE-IP",
			"KUBE-6-LOAD-BALANCER-SOURCE-IP", "hash:ip,port,ip" },
		{ SET_LOAD_BALANCER_SOURCE_CIDR, "KUBE-LOAD-BALANCER-SOURCE-CIDR",
			"KUBE-6-LOAD-BALANCER-SOURCE-CID", "hash:ip,port,net" },
		{ SET_NODE_PORT_TCP, "KUBE-NODE-PORT-TCP", "KUBE-6-NODE-PORT-TCP", "bitmap:port" },
		{ SET_NODE_PORT_LOCAL_TCP, "KUBE-NODE-PORT-LOCAL-TCP", "KUBE-6-NODE-PORT-LOCAL-TCP",
			"bitmap:port" },
		{ SET_NODE_PORT_UDP, "KUBE-NODE-PORT-UDP", "KUBE-6-NODE-PORT-UDP", "bitmap:port" },
		{ SET_NODE_PORT_LOCAL_UDP, "KUBE-NODE-PORT-LOCAL-UDP", "KUBE-6-NODE-PORT-LOCAL-UDP",
			"bitmap:port" },
		{ SET_NODE_PORT_SCTP, "KUBE-NODE-PORT-SCTP-HASH", "KUBE-6-NODE-PORT-SCTP-HASH",
			"hash:ip,port" },
		{ SET_NODE_PORT_LOCAL_SCTP, "KUBE-NODE-PORT-LOCAL-SCTP-HASH",
			"KUBE-6-NODE-PORT-LOCAL-SCTP-HAS", "hash:ip,port" },
		{ SET_HEALTH_CHECK_NODE_PORT, "KUBE-HEALTH-CHECK-NODE-PORT",
			"KUBE-6-HEALTH-CHECK-NODE-PORT", "bitmap:port" },
		{ SET_IPVS_IPS, "KUBE-IPVS-IPS", "KUBE-6-IPVS-IPS", "hash:ip" },
	};
	static const int families[] = { AF_INET, AF_INET6 };
	char name[SET_NAME_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t f = 0; f < 2; f++) {
			const char *expected = f ? rows[i].v6 : rows[i].v4;
			enum set_id id = SET_COUNT;
			int family = 0;

			assert_string_equal(set_name(rows[i].id, families[f], name), expected);
			assert_true(set_by_name(expected, &id, &family));
			assert_int_equal(id, rows[i].id);
			assert_int_equal(family, families[f]);
			assert_string_equal(set_type_name(set_info(id)->type), rows[i].type);
		}
}

static void every_set_has_a_name_of_its_own_in_each_family(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char name[SET_NAME_LEN + 1];

	(void)state;
	for (enum set_id id = 0; id < SET_COUNT; id++)
		for (size_t f = 0; f < 2; f++) {
			enum set_id found = SET_COUNT;
			int family = 0;

			assert_true(set_by_name(set_name(id, families[f], name), &found, &family));
			assert_int_equal(found, id);
			assert_int_equal(family, families[f]);
		}
}

static void other_peoples_sets_are_not_ours(void **state)
{
	static const char *const rows[] = { "", "KUBE-", "KUBE-SRC-IP", "kube-cluster-ip",
		"KUBE-CLUSTER-IP2", "KUBE-6-LOAD-BALANCER-SOURCE-CIDR" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum set_id id;
		int family;

		assert_false(set_by_name(rows[i], &id, &family));
	}
}

static void children_name_the_parent_that_the_kernel_drops_them_with(void **state)
{
	static const struct {
		const char *child, *parent;
	} rows[] = {
		{ "rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=1", "vs 10.96.0.10:80/TCP none" },
		{ "rs [fd00::a]:80/UDP [fd00:1::b]:8080 weight=1", "vs [fd00::a]:80/UDP none" },
		{ "rs fwmark:7/IPv4 10.244.1.11:8080 weight=1", "vs fwmark:7/IPv4 none" },
		{ "member KUBE-IPVS-IPS 10.96.0.10", "set KUBE-IPVS-IPS hash:ip maxelem=65536" },
		{ "member KUBE-6-NODE-PORT-TCP 30001", "set KUBE-6-NODE-PORT-TCP bitmap:port" },
		{ "addr 10.96.0.10", "link kube-ipvs0" },
		{ "addr fd00::a", "link kube-ipvs0" },
		{ "held 203.0.113.1", "link kube-ipvs1" },
		{ "link kube-ipvs0", NULL },
		{ "policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512", NULL },
		{ "set KUBE-IPVS-IPS hash:ip maxelem=65536", NULL },
		{ "chain IPv4 nat KUBE-SERVICES text=0123456789abcdef", NULL },
		{ "jump IPv4 nat OUTPUT KUBE-SERVICES text=0123456789abcdef", NULL },
		{ "dispatch 10.96.0.10:80/TCP KUBE-SVC-XPGD46QRK7WJZT7O", NULL },
		{ "vs 10.96.0.10:80/TCP rr", NULL },
		{ "route 10.96.0.10", NULL },
		{ "route 203.0.113.1 table=2512", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fact child = fixture_fact(rows[i].child), parent;
		struct fact_key key;

		assert_int_equal(fact_parent(&child.key, &key), rows[i].parent != NULL);
		if (!rows[i].parent)
			continue;
		parent = fixture_fact(rows[i].parent);
		assert_true(fact_key_eq(&key, &parent.key));
	}
}

static void made_facts_leave_no_byte_undefined(void **state)
{
	const struct ip vip = fixture_ip("10.96.0.10"), rs = fixture_ip("10.244.1.11"),
			none = { 0 };
	const struct cidr self = { .ip = rs, .len = 32 };
	const struct fact vs = fact_vs(&vip, 80, IPPROTO_TCP);
	const struct spread nowhere = { .flags = SPREAD_ENTRY },
			    spread = { 3, SPREAD_ENTRY | SPREAD_MASQUERADE, 0, 60 };
	const struct {
		struct fact made;
		const char *line;
	} rows[] = {
		{ fact_link(LINK_VIPS), "link kube-ipvs0" },
		{ fact_set(SET_CLUSTER_IP, AF_INET),
			"set KUBE-CLUSTER-IP hash:ip,port maxelem=65536" },
		{ fact_set(SET_NODE_PORT_UDP, AF_INET6), "set KUBE-6-NODE-PORT-UDP bitmap:port" },
		/* The type of the set decides what counts. */
		{ fact_member(SET_IPVS_IPS, AF_INET, &vip, IPPROTO_TCP, 80, &self),
			"member KUBE-IPVS-IPS 10.96.0.10" },
		{ fact_member(SET_NODE_PORT_TCP, AF_INET, &vip, IPPROTO_TCP, 30001, &self),
			"member KUBE-NODE-PORT-TCP 30001" },
		{ fact_member(SET_CLUSTER_IP, AF_INET, &vip, IPPROTO_TCP, 80, &self),
			"member KUBE-CLUSTER-IP 10.96.0.10,tcp:80" },
		{ fact_member(SET_LOOP_BACK, AF_INET, &rs, IPPROTO_TCP, 8080, &self),
			"member KUBE-LOOP-BACK 10.244.1.11,tcp:8080,10.244.1.11" },
		{ fact_member(SET_LOAD_BALANCER_SOURCE_CIDR, AF_INET, &vip, IPPROTO_UDP, 80, &self),
			"member KUBE-LOAD-BALANCER-SOURCE-CIDR 10.96.0.10,udp:80,10.244.1.11/32" },
		{ fact_chain(AF_INET, TABLE_NAT, "KUBE-SERVICES", 1),
			"chain IPv4 nat KUBE-SERVICES text=0000000000000001" },
		{ fact_jump(AF_INET6, TABLE_FILTER, HOOK_INPUT, "KUBE-NODE-PORT", 2),
			"jump IPv6 filter INPUT KUBE-NODE-PORT text=0000000000000002" },
		{ fact_dispatch(&vip, 80, IPPROTO_TCP, SERVICE_CHAIN_SVC, "XPGD46QRK7WJZT7O"),
			"dispatch 10.96.0.10:80/TCP KUBE-SVC-XPGD46QRK7WJZT7O" },
		{ fact_dispatch_spread(&vip, 80, IPPROTO_TCP, &spread),
			"dispatch 10.96.0.10:80/TCP KUBE-SPREAD-3-M-60" },
		{ fact_dispatch_spread(&vip, 80, IPPROTO_TCP, &nowhere),
			"dispatch 10.96.0.10:80/TCP nowhere" },
		{ fact_slot(SET_ENDPOINTS, &vip, 80, IPPROTO_TCP, 2, &rs, 8080),
			"member KUBE-ENDPOINTS 10.96.0.10,tcp:80,2 to=10.244.1.11:8080" },
		{ fact_member_spread(AF_INET, &spread), "member KUBE-SPREADS KUBE-SPREAD-3-M-60" },
		{ vs, "vs 10.96.0.10:80/TCP none" },
		{ fact_vs_fwmark(AF_INET, 1048576), "vs fwmark:1048576/IPv4 none" },
		{ fact_rs(&vs.key, &rs, 8080, 7),
			"rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=7" },
		{ fact_route(&vip, &none), "route 10.96.0.10" },
		{ fact_route(&vip, &rs), "route 10.96.0.10 src=10.244.1.11" },
		{ fact_addr(&vip), "addr 10.96.0.10" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fact read = fixture_fact(rows[i].line);

		assert_memory_equal(&rows[i].made, &read, sizeof(read));
	}
}

static void a_key_gives_back_what_it_was_made_of(void **state)
{
	const struct ip vip = fixture_ip("fd00::a"), rs = fixture_ip("fd00:1::b");
	struct fact vs = fact_vs(&vip, 80, IPPROTO_TCP), f = fact_rs(&vs.key, &rs, 8080, 1),
		    mark = fact_vs_fwmark(AF_INET6, 0x12345678);
	struct ip got = fact_ip(&f.key), second = fact_ip2(&f.key);

	(void)state;
	assert_true(ip_eq(&got, &vip));
	assert_true(ip_eq(&second, &rs));
	assert_int_equal(fact_fwmark(&mark.key), 0x12345678);
}

static void values_do_not_make_another_fact(void **state)
{
	struct fact a = fixture_fact("vs 10.96.0.10:80/TCP rr"),
		    b = fixture_fact("vs 10.96.0.10:80/TCP mh persistence=5 flags=0x10");

	(void)state;
	assert_true(fact_key_eq(&a.key, &b.key));
	assert_int_equal(fact_key_cmp(&a.key, &b.key), 0);
	assert_false(fact_val_eq(&a.val, &b.val));
	assert_true(fact_val_eq(&a.val, &a.val));
}

static void protocols_are_known_in_any_case(void **state)
{
	(void)state;
	assert_int_equal(proto_parse("tcp"), IPPROTO_TCP);
	assert_int_equal(proto_parse("Udp"), IPPROTO_UDP);
	assert_int_equal(proto_parse("SCTP"), IPPROTO_SCTP);
	assert_int_equal(proto_parse(""), 0);
	assert_int_equal(proto_parse("icmp"), 0);
	assert_string_equal(proto_name(IPPROTO_SCTP), "SCTP");
	assert_string_equal(proto_name(IPPROTO_ICMP), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_reads_what_it_prints),
		cmocka_unit_test(keys_sort_as_people_would),
		cmocka_unit_test(garbage_is_no_fact),
		cmocka_unit_test(sets_have_the_names_and_types_of_kube_proxy),
		cmocka_unit_test(every_set_has_a_name_of_its_own_in_each_family),
		cmocka_unit_test(other_peoples_sets_are_not_ours),
		cmocka_unit_test(children_name_the_parent_that_the_kernel_drops_them_with),
		cmocka_unit_test(made_facts_leave_no_byte_undefined),
		cmocka_unit_test(a_key_gives_back_what_it_was_made_of),
		cmocka_unit_test(values_do_not_make_another_fact),
		cmocka_unit_test(protocols_are_known_in_any_case),
	};

	return cmocka_run_group_tests_name("fact", tests, NULL, NULL);
}
