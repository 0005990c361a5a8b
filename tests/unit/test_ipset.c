// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of the ipset adapter that need no kernel; see test_ipset_kernel.c for the others. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/kernel/ipset_msg.h"
#include "base/mem.h"
#include "core/fact_text.h"
#include "core/resolve.h"
#include "recorded.h"

enum { RECORDED_MEMBERS = 1048576 /* the room of the hash sets below */ };

/* Recorded from Linux 6.18: answers to IPSET_CMD_LIST, with the members that the names tell. */
static const char header_of_cluster_ip[] =
	"90000000070602000100000000000000020000000500010006000000140002004b554245"
	"2d434c55535445522d49500011000300686173683a69702c706f72740000000005000500"
	"0200000005000400070000003c0007800800124000000400080013400010000005001500"
	"0c0000000800114078a62b53080019400000000008001a40000001380800184000000002";
static const char cluster_ip_udp_53_and_tcp_53[] =
	"d4000000070602000100000000000000020000000500010006000000140002004b554245"
	"2d434c55535445522d49500011000300686173683a69702c706f72740000000005000500"
	"0200000005000400070000003c0007800800124000000400080013400010000005001500"
	"0c0000000800114078a62b53080019400000000008001a40000001380800184000000002"
	"44000880200007800c000180080001000a60000a06000440003500000500070011000000"
	"200007800c000180080001000a60000a06000440003500000500070006000000";
static const char source_cidr_24_and_32[] =
	"10010000070602000100000000000000020000000500010006000000230002004b554245"
	"2d4c4f41442d42414c414e4345522d534f555243452d4349445200001500030068617368"
	"3a69702c706f72742c6e657400000000050005000200000005000400080000003c000780"
	"08001240000004000800134000100000050015000c00000008001140bd7681bf08001940"
	"0000000008001a400000024008001840000000026c000880340007800c00018008000100"
	"cb0071090c00148008000100c63364000600044001bb0000050015001800000005000700"
	"06000000340007800c00018008000100cb0071090c00148008000100c633640706000440"
	"01bb000005001500200000000500070006000000";
static const char node_port_tcp_30080[] =
	"90000000070602000100000000000000020000000500010006000000170002004b554245"
	"2d4e4f44452d504f52542d5443500000100003006269746d61703a706f72740005000500"
	"0000000005000400030000002c000780060004400000000006000540ffff000008001940"
	"0000000008001a40000020480800184000000001100008800c0007800600044075800000";
static const char loop_back_6_sctp_8080[] =
	"dc000000070602000100000000000000020000000500010006000000150002004b554245"
	"2d362d4c4f4f502d4241434b0000000014000300686173683a69702c706f72742c697000"
	"050005000a00000005000400060000003c00078008001240000004000800134000100000"
	"050015000c00000008001140cf394213080019400000000008001a400000015008001840"
	"0000000148000880440007801800018014000200fd000001000000000000000000000005"
	"1800148014000200fd000001000000000000000000000005060004401f90000005000700"
	"84000000";
static const char local_mark_tcp_80_marked_and_udp_53_not[] =
	"e8000000070602000000000000000000020000000500010006000000140002004b554245"
	"2d4c4f43414c2d4d41524b0011000300686173683a69702c706f72740000000005000500"
	"020000000500040007000000440007800800124000000400080013400010000005001500"
	"0c00000008001140c4c21323080019400000000008001a40000001780800184000000002"
	"0800084000000040500008802c0007800c00018008000100cb0071010600044000500000"
	"05000700060000000c001b4000100000fff00000200007800c00018008000100cb007101"
	"06000440003500000500070011000000";
static const char local_mark_6_tcp_443[] =
	"d8000000070602000000000000000000020000000500010006000000160002004b554245"
	"2d362d4c4f43414c2d4d41524b00000011000300686173683a69702c706f727400000000"
	"050005000a00000005000400070000004400078008001240000004000800134000100000"
	"050015000c000000080011401d5efe5f080019400000000008001a400000015008001840"
	"0000000108000840000000403c00088038000780180001801400020020010db800000000"
	"00000000000000090600044001bb000005000700060000000c001b4000200000fff00000";

static const struct {
	const char *hex;
	enum set_id id;
	int family;
} recorded[] = {
	{ header_of_cluster_ip, SET_CLUSTER_IP, AF_INET },
	{ cluster_ip_udp_53_and_tcp_53, SET_CLUSTER_IP, AF_INET },
	{ source_cidr_24_and_32, SET_LOAD_BALANCER_SOURCE_CIDR, AF_INET },
	{ node_port_tcp_30080, SET_NODE_PORT_TCP, AF_INET },
	{ loop_back_6_sctp_8080, SET_LOOP_BACK, AF_INET6 },
	{ local_mark_tcp_80_marked_and_udp_53_not, SET_LOCAL_MARK, AF_INET },
	{ local_mark_6_tcp_443, SET_LOCAL_MARK, AF_INET6 },
};

static void collect(const struct fact *f, void *arg)
{
	fact_list_add(arg, *f);
}

static int read_members(struct nlmsghdr *msg, enum set_id id, int family, struct buf *ret)
{
	_cleanup_(fact_list_done) struct fact_list l = { 0 };
	struct ipset_reading r = { .id = id, .family = family, .fn = collect, .arg = &l };
	int e = ipset_read_members(msg, &r);

	fact_list_finish(&l);
	for (size_t i = 0; i < l.n; i++) {
		fact_print_member(ret, &l.facts[i].key);
		if (l.facts[i].val.member.mask)
			buf_addf(ret, "=0x%x/0x%x", l.facts[i].val.member.mark,
				l.facts[i].val.member.mask);
		buf_addc(ret, ' ');
	}
	return e;
}

static void assert_members(const char *hex, enum set_id id, int family, const char *expected)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	_cleanup_free_ struct nlmsghdr *msg = record_bytes(hex);

	assert_int_equal(read_members(msg, id, family, &b), 0);
	assert_string_equal(buf_str(&b), expected);
}

static void members_are_read_from_recorded_messages(void **state)
{
	(void)state;
	assert_members(cluster_ip_udp_53_and_tcp_53, SET_CLUSTER_IP, AF_INET,
		"10.96.0.10,tcp:53 10.96.0.10,udp:53 ");
	assert_members(source_cidr_24_and_32, SET_LOAD_BALANCER_SOURCE_CIDR, AF_INET,
		"203.0.113.9,tcp:443,198.51.100.0/24 203.0.113.9,tcp:443,198.51.100.7/32 ");
	assert_members(node_port_tcp_30080, SET_NODE_PORT_TCP, AF_INET, "30080 ");
	assert_members(
		loop_back_6_sctp_8080, SET_LOOP_BACK, AF_INET6, "fd00:1::5,sctp:8080,fd00:1::5 ");
	assert_members(header_of_cluster_ip, SET_CLUSTER_IP, AF_INET, "");
}

static struct fact read_set(const char *hex, enum set_id id, int family)
{
	_cleanup_free_ struct nlmsghdr *msg = record_bytes(hex);
	_cleanup_(fact_list_done) struct fact_list l = { 0 };
	struct ipset_reading r = { .id = id, .family = family, .fn = collect, .arg = &l };

	assert_int_equal(ipset_read_set(msg, &r), 0);
	assert_int_equal(l.n, 1);
	return l.facts[0];
}

static void marks_of_members_are_read(void **state)
{
	(void)state;
	assert_members(local_mark_tcp_80_marked_and_udp_53_not, SET_LOCAL_MARK, AF_INET,
		"203.0.113.1,udp:53 203.0.113.1,tcp:80=0x100000/0xfff00000 ");
	assert_members(local_mark_6_tcp_443, SET_LOCAL_MARK, AF_INET6,
		"2001:db8::9,tcp:443=0x200000/0xfff00000 ");
	/* those of a set that should have none are not looked at */
	assert_members(local_mark_6_tcp_443, SET_CLUSTER_IP, AF_INET6, "2001:db8::9,tcp:443 ");
}

static void a_set_differs_by_whether_it_has_marks(void **state)
{
	struct fact cluster_ip = fact_set(SET_CLUSTER_IP, AF_INET6),
		    local_mark = fact_set(SET_LOCAL_MARK, AF_INET);
	struct fact with = read_set(local_mark_6_tcp_443, SET_CLUSTER_IP, AF_INET6),
		    without = read_set(cluster_ip_udp_53_and_tcp_53, SET_LOCAL_MARK, AF_INET);

	(void)state;
	assert_int_equal(with.val.set.marks, 1);
	assert_int_equal(without.val.set.marks, 0);
	with.val.set.marks = 0;
	without.val.set.marks = 1;
	cluster_ip.val.set.max_members = local_mark.val.set.max_members = RECORDED_MEMBERS;
	assert_true(fact_val_eq(&with.val, &cluster_ip.val));
	assert_true(fact_val_eq(&without.val, &local_mark.val));
}

static void members_of_a_set_of_another_type_are_ignored(void **state)
{
	(void)state;
	assert_members(cluster_ip_udp_53_and_tcp_53, SET_LOOP_BACK, AF_INET, "");
	assert_members(cluster_ip_udp_53_and_tcp_53, SET_CLUSTER_IP, AF_INET6, "");
	assert_members(node_port_tcp_30080, SET_CLUSTER_IP, AF_INET, "");
}

static void sets_that_we_create_equal_the_desired_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		struct fact f = read_set(recorded[i].hex, recorded[i].id, recorded[i].family);
		struct fact want = fact_set(recorded[i].id, recorded[i].family);

		if (want.val.set.max_members)
			want.val.set.max_members = RECORDED_MEMBERS;
		assert_memory_equal(&f, &want, sizeof(f));
	}
}

static void a_set_of_another_known_type_is_read_with_that_type(void **state)
{
	struct fact f = read_set(header_of_cluster_ip, SET_LOOP_BACK, AF_INET);

	(void)state;
	assert_int_equal(f.val.set.type, SET_TYPE_HASH_IP_PORT);
	assert_int_equal(f.val.set.max_members, RECORDED_MEMBERS);
}

static void a_set_of_the_other_family_differs(void **state)
{
	struct fact f = read_set(header_of_cluster_ip, SET_CLUSTER_IP, AF_INET6);
	struct fact want = fact_set(SET_CLUSTER_IP, AF_INET6);

	(void)state;
	assert_false(fact_val_eq(&f.val, &want.val));
}

/* As each of the sets: whatever comes, it is read within its bounds. */
static void read_damaged(struct nlmsghdr *msg)
{
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		_cleanup_(buf_done) struct buf b = { 0 };
		_cleanup_(fact_list_done) struct fact_list l = { 0 };
		struct ipset_reading r = {
			.id = recorded[i].id, .family = recorded[i].family, .fn = collect, .arg = &l
		};
		int e = read_members(msg, recorded[i].id, recorded[i].family, &b);

		assert_true(e == 0 || e == -EBADMSG);
		e = ipset_read_set(msg, &r);
		assert_true(e == 0 || e == -EBADMSG);
	}
}

static void damaged_messages_do_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		_cleanup_free_ struct nlmsghdr *msg = record_bytes(recorded[i].hex);

		record_damage(msg, msg->nlmsg_len, read_damaged);
	}
}

static void error_reports_become_errnos(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint32_t line;
	} cases[] = {
		{ "The set with the given name does not exist", -ENOENT, 0 },
		{ "Error in line 17: The set with the given name does not exist\n", -ENOENT, 17 },
		{ "Set cannot be created: set with the same name already exists", -EEXIST, 0 },
		{ "Set cannot be destroyed: it is in use by a kernel component", -EBUSY, 0 },
		{ "The sets cannot be swapped: their type does not match", -EPROTOTYPE, 0 },
		{ "Error in line 101: Hash is full, cannot add more elements\n", -ENOSPC, 101 },
		{ "Error in line 4294967295: Hash is full", -ENOSPC, UINT32_MAX },
		{ "Kernel error received: maximal number of sets reached, cannot create more.",
			-ENOSPC, 0 },
		{ "Kernel error received: set type not supported", -EOPNOTSUPP, 0 },
		{ "Error in line 3: Kernel error received: ipset protocol error", -EPROTO, 3 },
		{ "Kernel error received: Operation not permitted\n", -EPERM, 0 },
		{ "Kernel error received: Cannot allocate memory", -ENOMEM, 0 },
		{ "Kernel error received: No such device", -ENODEV, 0 },
		{ "Kernel error received: No such device or address", -ENXIO, 0 },
		{ "Kernel error received: something new", -EINVAL, 0 },
		{ "Internal protocol error", -ENOBUFS, 0 },
		{ "Null-valued element, cannot be stored in a hash type of set", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t line = 1;

		assert_int_equal(ipset_report_errno(cases[i].text, &line), cases[i].error);
		assert_int_equal(line, cases[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_read_from_recorded_messages),
		cmocka_unit_test(marks_of_members_are_read),
		cmocka_unit_test(a_set_differs_by_whether_it_has_marks),
		cmocka_unit_test(members_of_a_set_of_another_type_are_ignored),
		cmocka_unit_test(sets_that_we_create_equal_the_desired_sets),
		cmocka_unit_test(a_set_of_another_known_type_is_read_with_that_type),
		cmocka_unit_test(a_set_of_the_other_family_differs),
		cmocka_unit_test(damaged_messages_do_no_harm),
		cmocka_unit_test(error_reports_become_errnos),
	};

	if (record_skip_all())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
