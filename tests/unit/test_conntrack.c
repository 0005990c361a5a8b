// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The messages of ctnetlink, and how the kernel's answers are taken: the kernel is played by the
 * other end of a socket pair, whose answers are queued before they are asked for. See
 * test_conntrack_kernel.c for the real one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "../../src/kernel/conntrack_msg.h"
#include "base/buf.h"
#include "base/mem.h"
#include "recorded.h"

enum {
	DUMP = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
	DELETE = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
};

enum { MAX_STALE = 2 }; /* of one call */

/* Recorded from Linux 6.18: answers to IPCTNL_MSG_CT_GET. */
static const char to_10_244_0_1[] =
	"c000000000010200010000000000000002000000340001801400018008000100c0000201"
	"080002000a60000a1c0002800500010011000000060002009c4000000600030000350000"
	"3400028014000180080001000af4000108000200c00002011c0002800500010011000000"
	"0600020014e90000060003009c4000000800030000000008080008000000000008000c00"
	"48d110b508000b00000000010800070000000bb71c001880080001000000000008000200"
	"000000000800030000000000";
static const char of_ipv6[] =
	"f00000000001020001000000000000000a0000004c0001802c0001801400030020010db8"
	"00000000000000000000000114000400fd00009600000000000000000000000a1c000280"
	"0500010011000000060002009c41000006000300003500004c0002802c00018014000300"
	"fd0000100000000000000000000000011400040020010db8000000000000000000000001"
	"1c00028005000100110000000600020014e90000060003009c4100000800030000000008"
	"080008000000000008000c0079c8cd4208000b00000000010800070000000bb71c001880"
	"080001000000000008000200000000000800030000000000";
static const char in_zone_7[] =
	"c800000000010200010000000000000002000000340001801400018008000100c0000201"
	"080002000a60000b1c0002800500010011000000060002009c4000000600030000350000"
	"3400028014000180080001000a60000b08000200c00002011c0002800500010011000000"
	"0600020000350000060003009c4000000600120000070000080003000000000808000800"
	"0000000008000c003470c5c908000b00000000010800070000000bb71c00188008000100"
	"0000000008000200000000000800030000000000";
static const char in_orig_zone_8[] =
	"c8000000000102000100000000000000020000003c0001801400018008000100c0000201"
	"080002000a60000c1c0002800500010011000000060002009c4000000600030000350000"
	"06000300000800003400028014000180080001000a60000c08000200c00002011c000280"
	"05000100110000000600020000350000060003009c400000080003000000000808000800"
	"0000000008000c00b24d653f08000b00000000010800070000000bb71c00188008000100"
	"0000000008000200000000000800030000000000";
static const char of_tcp[] =
	"f000000000010200010000000000000002000000340001801400018008000100c0000201"
	"080002000a60000a1c0002800500010006000000060002009c4000000600030000350000"
	"3400028014000180080001000a60000a08000200c00002011c0002800500010006000000"
	"0600020000350000060003009c4000000800030000000008080008000000000008000c00"
	"27f6ba9808000b00000000010800070000000bb7300004802c0001800500010003000000"
	"05000200000000000500030000000000060004000a000000060005000a0000001c001880"
	"080001000000000008000200000000000800030000000000";
static const char of_icmp[] =
	"d0000000000102000100000000000000020000003c0001801400018008000100c0000201"
	"080002000a60000c24000280050001000100000006000400000500000500050008000000"
	"05000600000000003c00028014000180080001000a60000c08000200c000020124000280"
	"050001000100000006000400000500000500050000000000050006000000000008000300"
	"00000008080008000000000008000c0073cdd8e708000b00000000010800070000000bb7"
	"1c001880080001000000000008000200000000000800030000000000";

static const char *const recorded[] = { to_10_244_0_1, of_ipv6, in_zone_7, in_orig_zone_8, of_tcp,
	of_icmp };

static struct conntrack_entry read_entry(const char *hex)
{
	_cleanup_free_ struct nlmsghdr *msg = record_bytes(hex);
	struct conntrack_entry e;

	assert_true(conntrack_read(msg, &e));
	return e;
}

/* "17 192.0.2.1:40000 > 10.96.0.10:53 < 10.244.0.1:5353 zone 0/0" */
static void assert_entry(const struct conntrack_entry *e, const char *expected)
{
	char source[IP_PORT_STRLEN], to[IP_PORT_STRLEN], from[IP_PORT_STRLEN];
	_cleanup_(buf_done) struct buf b = { 0 };

	buf_addf(&b, "%d %s > %s < %s zone %d/%d", e->flow.proto,
		ip_print_port(&e->source, e->source_port, source),
		ip_print_port(&e->flow.to, e->flow.to_port, to),
		ip_print_port(&e->flow.from, e->flow.from_port, from), e->zone, e->orig_zone);
	assert_string_equal(buf_str(&b), expected);
}

static void entries_are_read_from_recorded_messages(void **state)
{
	static const struct {
		const char *hex, *expected;
	} cases[] = {
		{ to_10_244_0_1, "17 192.0.2.1:40000 > 10.96.0.10:53 < 10.244.0.1:5353 zone 0/0" },
		{ of_ipv6,
			"17 [2001:db8::1]:40001 > [fd00:96::a]:53 < [fd00:10::1]:5353 zone 0/0" },
		{ in_zone_7, "17 192.0.2.1:40000 > 10.96.0.11:53 < 10.96.0.11:53 zone 7/0" },
		{ in_orig_zone_8, "17 192.0.2.1:40000 > 10.96.0.12:53 < 10.96.0.12:53 zone 0/8" },
		{ of_tcp, "6 192.0.2.1:40000 > 10.96.0.10:53 < 10.96.0.10:53 zone 0/0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conntrack_entry e = read_entry(cases[i].hex);

		assert_entry(&e, cases[i].expected);
		assert_int_not_equal(e.id, 0);
	}
}

static void an_entry_without_ports_is_ignored(void **state)
{
	_cleanup_free_ struct nlmsghdr *msg = record_bytes(of_icmp);
	struct conntrack_entry e;

	(void)state;
	assert_false(conntrack_read(msg, &e));
}

static void translated_entries_are_marked(void **state)
{
	static const char confirmed[] = "0800030000000008"; /* CTA_STATUS, IPS_CONFIRMED */
	_cleanup_free_ char *hex = mem_strdup(to_10_244_0_1);
	char *status = strstr(hex, confirmed);

	(void)state;
	assert_false(read_entry(hex).flow.translated);
	assert_non_null(status);
	status[strlen(confirmed) - 2] = '2'; /* and IPS_DST_NAT */
	assert_true(read_entry(hex).flow.translated);
}

static struct connection read_connection(const char *hex)
{
	_cleanup_free_ struct nlmsghdr *msg = record_bytes(hex);
	struct connection c;

	assert_true(conntrack_read_connection(msg, &c));
	return c;
}

/* TCP has a state, UDP has seen a reply or not, and nothing else is a Service's. */
static void connections_are_read_from_recorded_messages(void **state)
{
	_cleanup_free_ struct nlmsghdr *icmp = record_bytes(of_icmp);
	struct connection c = read_connection(of_tcp);
	char text[IP_PORT_STRLEN];

	(void)state;
	assert_int_equal(c.proto, IPPROTO_TCP);
	assert_string_equal(ip_print_port(&c.client, c.client_port, text), "192.0.2.1:40000");
	assert_string_equal(ip_print_port(&c.vip, c.vip_port, text), "10.96.0.10:53");
	assert_string_equal(c.state, "ESTABLISHED");
	assert_int_equal(c.expires, 2999);
	assert_false(c.translated || c.template);
	c = read_connection(to_10_244_0_1);
	assert_string_equal(ip_print_port(&c.endpoint, c.endpoint_port, text), "10.244.0.1:5353");
	assert_string_equal(c.state, "UNREPLIED");
	assert_true(c.translated); /* as IPVS does it: by the reply, without IPS_DST_NAT */
	assert_false(conntrack_read_connection(icmp, &c));
}

static void read_damaged(struct nlmsghdr *msg)
{
	struct conntrack_entry e;
	struct connection c;

	conntrack_read(msg, &e);
	conntrack_read_connection(msg, &c);
}

static void damaged_messages_do_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		_cleanup_free_ struct nlmsghdr *msg = record_bytes(recorded[i]);

		record_damage(msg, msg->nlmsg_len, read_damaged);
	}
}

static void assert_request(struct nl_msg *request, const char *expected)
{
	const struct nlmsghdr *h = nlmsg_hdr(request);
	_cleanup_(buf_done) struct buf b = { 0 };

	for (uint32_t i = 0; i < h->nlmsg_len; i++)
		buf_addf(&b, "%02x", ((const unsigned char *)h)[i]);
	assert_string_equal(buf_str(&b), expected);
	nlmsg_free(request);
}

static void assert_deletion(const char *of, const char *expected)
{
	struct conntrack_entry e = read_entry(of);

	assert_request(conntrack_msg_delete(&e), expected);
}

/* The client's direction, the zone and the number of the entry. */
static void a_deletion_identifies_one_entry(void **state)
{
	(void)state;
	assert_deletion(to_10_244_0_1,
		"5000000002010100000000000000000002000000340001801400018008000100c0000201"
		"080002000a60000a1c0002800500010011000000060002009c4000000600030000350000"
		"08000c0048d110b5");
	assert_deletion(of_ipv6,
		"680000000201010000000000000000000a0000004c0001802c0001801400030020010db8"
		"00000000000000000000000114000400fd00009600000000000000000000000a1c000280"
		"0500010011000000060002009c410000060003000035000008000c0079c8cd42");
	assert_deletion(in_zone_7,
		"5800000002010100000000000000000002000000340001801400018008000100c0000201"
		"080002000a60000b1c0002800500010011000000060002009c4000000600030000350000"
		"060012000007000008000c003470c5c9");
	assert_deletion(in_orig_zone_8,
		"58000000020101000000000000000000020000003c0001801400018008000100c0000201"
		"080002000a60000c1c0002800500010011000000060002009c4000000600030000350000"
		"060003000008000008000c00b24d653f");
}

static void a_dump_asks_for_one_family_and_protocol(void **state)
{
	(void)state;
	assert_request(conntrack_msg_dump(AF_INET6, IPPROTO_UDP, 0),
		"300000000101010300000000000000000a000000100001800c0002800500010011000000"
		"0c0019800800010008000000");
}

static void a_dump_can_ask_for_one_port(void **state)
{
	(void)state;
	assert_request(conntrack_msg_dump(AF_INET, IPPROTO_UDP, 53),
		"3800000001010103000000000000000002000000180001801400028005000100110000000600"
		"0300003500000c00198008000100"
		"28000000");
}

static struct {
	struct conntrack *conntrack;
	int kernel;
	struct stale_list stale;
	bool more; /* as the last call told */
} t;

static int setup(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	t.conntrack = conntrack_from_port(nl_port_from_fd(fds[0]), MAX_STALE);
	t.kernel = fds[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	conntrack_free(t.conntrack);
	close(t.kernel);
	stale_done(&t.stale);
	return 0;
}

/* A Service without endpoints. */
static void add_frontend(const char *address, uint16_t port)
{
	struct ip ip;

	assert_int_equal(ip_parse(address, &ip), 0);
	stale_add(
		&t.stale, (struct stale_frontend){ .ip = ip, .port = port, .proto = IPPROTO_UDP });
	stale_finish(&t.stale);
}

static void queue(const struct nlmsghdr *msg)
{
	assert_int_equal(send(t.kernel, msg, msg->nlmsg_len, 0), msg->nlmsg_len);
}

static void queue_entry(uint32_t seq, uint16_t flags, const char *hex)
{
	_cleanup_free_ struct nlmsghdr *msg = record_bytes(hex);

	msg->nlmsg_seq = seq;
	msg->nlmsg_flags |= flags;
	queue(msg);
}

static void queue_result(uint32_t seq, uint16_t type, int result)
{
	struct {
		struct nlmsghdr h;
		int result;
	} msg = { .h = { .nlmsg_len = sizeof(msg), .nlmsg_type = type, .nlmsg_seq = seq },
		.result = result };

	queue(&msg.h);
}

static void queue_dump(uint32_t seq, uint16_t flags, const char *hex)
{
	queue_entry(seq, flags, hex);
	queue_result(seq, NLMSG_DONE, 0);
}

/* The types of the requests in the order in which they came: "dump dump delete ". */
static void assert_asked(const char *expected)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	char in[NL_BATCH_MAX * NL_REQUEST_MAX];
	struct nlmsghdr h;
	ssize_t n;

	while ((n = recv(t.kernel, in, sizeof(in), MSG_DONTWAIT)) > 0)
		for (ssize_t at = 0; at < n; at += h.nlmsg_len) {
			memcpy(&h, in + at, sizeof(h));
			buf_adds(&b,
				h.nlmsg_type == DUMP		 ? "dump "
					: h.nlmsg_type == DELETE ? "delete "
								 : "? ");
		}
	assert_string_equal(buf_str(&b), expected);
}

static int clean(int family)
{
	struct err err = { 0 };
	int r = conntrack_clean(t.conntrack, &t.stale, family, &t.more, &err);

	assert_int_equal(r < 0, *err.msg != '\0');
	return r;
}

static void nothing_is_asked_without_frontends(void **state)
{
	(void)state;
	assert_int_equal(clean(AF_INET), 0);
	assert_asked("");
}

static void stale_entries_are_deleted(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	queue_entry(1, 0, to_10_244_0_1);
	queue_entry(1, 0, in_zone_7);
	queue_dump(1, 0, of_tcp);
	assert_int_equal(clean(AF_INET), 1);
	assert_asked("dump delete ");
}

static void each_family_is_read_on_its_own(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	add_frontend("fd00:96::a", 53);
	queue_dump(1, 0, to_10_244_0_1);
	assert_int_equal(clean(AF_INET), 1);
	assert_asked("dump delete ");
	queue_dump(3, 0, of_ipv6);
	assert_int_equal(clean(AF_INET6), 1);
	assert_asked("dump delete ");
}

static void few_ports_are_asked_for_one_by_one(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	add_frontend("10.96.0.11", 53);
	add_frontend("10.96.0.12", 54);
	queue_entry(1, 0, to_10_244_0_1);
	queue_dump(1, 0, in_zone_7);
	queue_result(2, NLMSG_DONE, 0);
	assert_int_equal(clean(AF_INET), 2);
	assert_asked("dump dump delete delete ");
}

static void many_ports_are_asked_for_together(void **state)
{
	(void)state;
	for (int i = 0; i <= CONNTRACK_PARTS; i++)
		add_frontend("10.96.0.10", (uint16_t)(53 + i));
	queue_dump(1, 0, to_10_244_0_1);
	assert_int_equal(clean(AF_INET), 1);
	assert_asked("dump delete ");
}

/* Linux before 5.8 */
static void a_kernel_without_filters_is_asked_once(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	add_frontend("10.96.0.11", 53);
	add_frontend("10.96.0.11", 54);
	queue_entry(1, 0, to_10_244_0_1);
	queue_entry(1, 0, of_tcp);
	queue_dump(1, 0, in_zone_7);
	assert_int_equal(clean(AF_INET), 2);
	assert_asked("dump delete delete ");
}

static void more_entries_than_one_call_deletes_are_reported(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	add_frontend("10.96.0.11", 53);
	queue_entry(1, 0, to_10_244_0_1);
	queue_dump(1, 0, in_zone_7);
	assert_int_equal(clean(AF_INET), MAX_STALE);
	assert_false(t.more);
	queue_entry(4, 0, to_10_244_0_1);
	queue_entry(4, 0, in_zone_7);
	queue_dump(4, 0, in_zone_7);
	assert_int_equal(clean(AF_INET), MAX_STALE);
	assert_true(t.more);
	assert_asked("dump delete delete dump delete delete ");
}

static void a_table_that_changes_is_read_again(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	add_frontend("10.96.0.11", 53);
	queue_entry(1, NLM_F_DUMP_INTR, to_10_244_0_1);
	queue_dump(1, 0, in_zone_7);
	queue_dump(2, 0, to_10_244_0_1);
	assert_int_equal(clean(AF_INET), 1);
	assert_asked("dump dump delete ");
}

static void a_table_that_keeps_changing_is_cleaned_as_last_read(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	for (uint32_t i = 1; i <= CONNTRACK_TRIES; i++)
		queue_dump(i, NLM_F_DUMP_INTR, to_10_244_0_1);
	assert_int_equal(clean(AF_INET), 1);
	assert_asked("dump dump dump dump dump delete ");
}

static void an_entry_that_ended_meanwhile_is_no_failure(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	queue_dump(1, 0, to_10_244_0_1);
	queue_result(2, NLMSG_ERROR, -ENOENT);
	assert_int_equal(clean(AF_INET), 0);
}

/* A dump that goes on where entries ended meanwhile tells their neighbours again. */
static void an_entry_that_is_listed_twice_counts_once(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	queue_entry(1, 0, to_10_244_0_1);
	queue_dump(1, 0, to_10_244_0_1);
	queue_result(3, NLMSG_ERROR, -ENOENT);
	assert_int_equal(clean(AF_INET), 1);
	assert_asked("dump delete delete ");
}

static void a_refused_deletion_is_an_error(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	add_frontend("10.96.0.11", 53);
	queue_entry(1, 0, to_10_244_0_1);
	queue_dump(1, 0, in_zone_7);
	queue_result(2, NLMSG_ERROR, -EPERM);
	assert_int_equal(clean(AF_INET), -EPERM);
	assert_asked("dump delete delete ");
}

static void a_table_that_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	add_frontend("10.96.0.10", 53);
	queue_entry(1, 0, to_10_244_0_1);
	queue_result(1, NLMSG_ERROR, -EBUSY);
	assert_int_equal(clean(AF_INET), -EBUSY);
	assert_asked("dump ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		cmocka_unit_test(entries_are_read_from_recorded_messages),
		cmocka_unit_test(an_entry_without_ports_is_ignored),
		cmocka_unit_test(translated_entries_are_marked),
		cmocka_unit_test(connections_are_read_from_recorded_messages),
		cmocka_unit_test(damaged_messages_do_no_harm),
		cmocka_unit_test(a_deletion_identifies_one_entry),
		cmocka_unit_test(a_dump_asks_for_one_family_and_protocol),
		cmocka_unit_test(a_dump_can_ask_for_one_port),
		TEST(nothing_is_asked_without_frontends),
		TEST(stale_entries_are_deleted),
		TEST(each_family_is_read_on_its_own),
		TEST(few_ports_are_asked_for_one_by_one),
		TEST(many_ports_are_asked_for_together),
		TEST(a_kernel_without_filters_is_asked_once),
		TEST(more_entries_than_one_call_deletes_are_reported),
		TEST(a_table_that_changes_is_read_again),
		TEST(a_table_that_keeps_changing_is_cleaned_as_last_read),
		TEST(an_entry_that_ended_meanwhile_is_no_failure),
		TEST(an_entry_that_is_listed_twice_counts_once),
		TEST(a_refused_deletion_is_an_error),
		TEST(a_table_that_cannot_be_read_is_an_error),
#undef TEST
	};

	if (record_skip_all())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
