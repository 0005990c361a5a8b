// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>

#include <netlink/genl/genl.h>

#include "../../src/kernel/ipvs_msg.h"
#include "core/fact_text.h"
#include "kernel/ipvs.h"
#include "recorded.h"

enum { FAMILY = 32 };

static struct fact parse(const char *line)
{
	struct fact f;
	struct err err;

	if (fact_parse(line, &f, &err))
		fail_msg("%s", err.msg);
	return f;
}

static struct op parse_op(const char *line)
{
	struct op op = { .type = OP_ADD };

	if (!strncmp(line, "set", 3))
		op.type = OP_SET;
	if (!strncmp(line, "del", 3))
		op.type = OP_DEL;
	op.fact = parse(line + 4);
	return op;
}

static struct nl_msg *build_request(const struct record *r)
{
	unsigned tcp, fin, udp;
	struct fact vs;
	struct op op;

	if (record_is(r, "find family"))
		return ipvs_msg_find_family();
	if (record_is(r, "info"))
		return ipvs_msg_new(FAMILY, NLM_F_ACK, IPVS_CMD_GET_INFO);
	if (record_is(r, "dump vs"))
		return ipvs_msg_dump(FAMILY, NULL);
	if (record_is(r, "dump rs ")) {
		vs = parse(r->title + strlen("dump rs "));
		return ipvs_msg_dump(FAMILY, &vs.key);
	}
	if (sscanf(r->title, "timeouts %u %u %u", &tcp, &fin, &udp) == 3)
		return ipvs_msg_set_timeouts(FAMILY, tcp, fin, udp);
	op = parse_op(r->title);
	return ipvs_msg_op(FAMILY, &op);
}

static void compare_request(const struct record *r)
{
	record_compare(r, build_request(r));
}

static void requests_are_those_that_the_kernel_accepted(void **state)
{
	(void)state;
	assert_int_not_equal(recorded_each("ipvs-requests", compare_request), 0);
}

static void compare_vs(const struct record *r)
{
	struct fact want = parse(r->title), f;

	assert_int_equal(ipvs_read_vs(r->messages[0], &f), 1);
	if (!fact_key_eq(&want.key, &f.key) || !fact_val_eq(&want.val, &f.val))
		fail_msg("\"%s\" is read otherwise", r->title);
}

static void put_counters(struct nl_msg *msg, int nest_type, int size, uint64_t base)
{
	static const int types[] = { IPVS_STATS_ATTR_CONNS, IPVS_STATS_ATTR_INPKTS,
		IPVS_STATS_ATTR_OUTPKTS };
	struct nlattr *nest = nla_nest_start(msg, nest_type | NLA_F_NESTED);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const uint64_t value = base + i + 1;

		nla_put(msg, types[i], size, &value); /* little endian, as the recorded messages */
	}
	nla_put_u64(msg, IPVS_STATS_ATTR_INBYTES, base + 4);
	nla_put_u64(msg, IPVS_STATS_ATTR_OUTBYTES, base + 5);
	nla_nest_end(msg, nest);
}

/* A reply of our own making, whose attributes are in one nest. */
struct reply {
	struct nl_msg *msg;
	struct nlattr *nest;
};

static struct reply reply_new(int attr)
{
	struct reply r = { .msg = nlmsg_alloc_size(NL_REQUEST_MAX) };

	genlmsg_put(r.msg, 0, 0, FAMILY, 0, 0, 0, IPVS_GENL_VERSION);
	r.nest = nla_nest_start(r.msg, attr | NLA_F_NESTED);
	return r;
}

static struct nlmsghdr *reply_end(struct reply *r)
{
	nla_nest_end(r->msg, r->nest);
	return nlmsg_hdr(r->msg);
}

/* A virtual server with counters of 32 bits, and since Linux 4.1 of 64. */
static void assert_counters(bool old, bool new, int want, uint64_t base)
{
	const struct ip_vs_flags flags = { .flags = IP_VS_SVC_F_HASHED };
	struct reply r = reply_new(IPVS_CMD_ATTR_SERVICE);
	struct vs_stats s = { 0 };

	nla_put_u16(r.msg, IPVS_SVC_ATTR_AF, AF_INET);
	nla_put_u32(r.msg, IPVS_SVC_ATTR_FWMARK, 7);
	nla_put_string(r.msg, IPVS_SVC_ATTR_SCHED_NAME, "rr");
	nla_put(r.msg, IPVS_SVC_ATTR_FLAGS, sizeof(flags), &flags);
	nla_put_u32(r.msg, IPVS_SVC_ATTR_TIMEOUT, 0);
	if (old)
		put_counters(r.msg, IPVS_SVC_ATTR_STATS, sizeof(uint32_t), 0);
	if (new)
		put_counters(r.msg, IPVS_SVC_ATTR_STATS64, sizeof(uint64_t), UINT64_C(1) << 40);

	assert_int_equal(ipvs_read_stats(reply_end(&r), &s), want);
	nlmsg_free(r.msg);
	if (!want)
		return;
	assert_int_equal(fact_fwmark(&s.key), 7);
	assert_int_equal(s.connections, base + 1);
	assert_int_equal(s.in_packets, base + 2);
	assert_int_equal(s.out_packets, base + 3);
	assert_int_equal(s.in_bytes, base + 4);
	assert_int_equal(s.out_bytes, base + 5);
}

static void counters_are_read_in_either_width(void **state)
{
	(void)state;
	assert_counters(true, false, 1, 0);
	assert_counters(true, true, 1, UINT64_C(1) << 40);
	assert_counters(false, false, 0, 0);
}

static void compare_rs(const struct record *r)
{
	struct fact want = parse(r->title), f;
	struct rs_conns conns;
	struct fact_key vs;

	assert_true(fact_parent(&want.key, &vs));
	assert_int_equal(ipvs_read_rs(r->messages[0], &vs, &f, &conns), 1);
	if (!fact_key_eq(&want.key, &f.key) || !fact_val_eq(&want.val, &f.val))
		fail_msg("\"%s\" is read otherwise", r->title);
	assert_true(fact_key_eq(&conns.key, &want.key));
	assert_int_equal(conns.weight, want.val.rs.weight);
	assert_int_equal(conns.active, record_number(r, "active", conns.active));
	assert_int_equal(conns.inactive, record_number(r, "inactive", conns.inactive));
	assert_int_equal(conns.persistent, record_number(r, "persistent", conns.persistent));
}

static void compare_no_rs(const struct record *r)
{
	struct rs_conns conns;
	struct fact vs, f;
	char line[RECORD_MAX_LINE + 8];

	snprintf(line, sizeof(line), "vs %s rr", r->title + strlen("no rs of "));
	vs = parse(line);
	assert_int_equal(ipvs_read_rs(r->messages[0], &vs.key, &f, &conns), 0);
}

static void compare_reply(const struct record *r)
{
	uint16_t family;

	assert_int_equal(r->n, 1);
	if (record_is(r, "vs ")) {
		compare_vs(r);
	} else if (record_is(r, "rs ")) {
		compare_rs(r);
	} else if (record_is(r, "no rs of ")) {
		compare_no_rs(r);
	} else {
		assert_true(record_is(r, "family 32"));
		assert_int_equal(ipvs_read_family(r->messages[0], &family), 0);
		assert_int_equal(family, FAMILY);
	}
}

static void replies_become_the_facts_that_are_in_the_kernel(void **state)
{
	(void)state;
	assert_int_not_equal(recorded_each("ipvs-replies", compare_reply), 0);
}

static void read_damaged(struct nlmsghdr *msg)
{
	struct fact vs = parse("vs 10.96.0.10:80/TCP rr"), f;
	struct rs_conns conns;
	uint16_t family;

	assert_true(ipvs_read_vs(msg, &f) >= -EBADMSG);
	assert_true(ipvs_read_rs(msg, &vs.key, &f, &conns) >= -EBADMSG);
	assert_true(ipvs_read_family(msg, &family) >= -EBADMSG);
}

static void damage_reply(const struct record *r)
{
	record_damage(r->messages[0], r->lengths[0], read_damaged);
}

static void damaged_replies_do_no_harm(void **state)
{
	(void)state;
	recorded_each("ipvs-replies", damage_reply);
}

static int read_vs(struct reply *r, struct fact *ret)
{
	int result = ipvs_read_vs(reply_end(r), ret);

	nlmsg_free(r->msg);
	return result;
}

static int read_rs(struct reply *r, const char *vs_line, struct fact *ret)
{
	struct fact vs = parse(vs_line);
	struct rs_conns conns;
	int result = ipvs_read_rs(reply_end(r), &vs.key, ret, &conns);

	nlmsg_free(r->msg);
	return result;
}

static void write_vs(struct reply *r, uint16_t family, uint16_t proto, const char *scheduler,
	int scheduler_size, uint32_t flags)
{
	struct ip_vs_flags f = { .flags = flags, .mask = ~0u };
	static const uint8_t addr[16] = { 10, 96, 0, 10, 0xde, 0xad };

	nla_put_u16(r->msg, IPVS_SVC_ATTR_AF, family);
	nla_put_u16(r->msg, IPVS_SVC_ATTR_PROTOCOL, proto);
	nla_put(r->msg, IPVS_SVC_ATTR_ADDR, sizeof(addr), addr);
	nla_put_u16(r->msg, IPVS_SVC_ATTR_PORT, htons(80));
	nla_put(r->msg, IPVS_SVC_ATTR_SCHED_NAME, scheduler_size, scheduler);
	nla_put(r->msg, IPVS_SVC_ATTR_FLAGS, sizeof(f), &f);
	nla_put_u32(r->msg, IPVS_SVC_ATTR_TIMEOUT, 360);
}

static void a_time_out_counts_only_with_persistence(void **state)
{
	struct fact f, want = parse("vs 10.96.0.10:80/TCP rr");
	struct reply r = reply_new(IPVS_CMD_ATTR_SERVICE);

	(void)state;
	write_vs(&r, AF_INET, IPPROTO_TCP, "rr", 3, IP_VS_SVC_F_HASHED);
	assert_int_equal(read_vs(&r, &f), 1);
	assert_memory_equal(&f, &want, sizeof(f));
	r = reply_new(IPVS_CMD_ATTR_SERVICE);
	write_vs(&r, AF_INET, IPPROTO_TCP, "rr", 3, IP_VS_SVC_F_HASHED | IP_VS_SVC_F_PERSISTENT);
	want = parse("vs 10.96.0.10:80/TCP rr persistence=360");
	assert_int_equal(read_vs(&r, &f), 1);
	assert_memory_equal(&f, &want, sizeof(f));
}

static void attributes_of_later_kernels_are_ignored(void **state)
{
	struct fact f, want = parse("vs 10.96.0.10:80/TCP rr");
	struct reply r = reply_new(IPVS_CMD_ATTR_SERVICE);

	(void)state;
	nla_put_u32(r.msg, IPVS_SVC_ATTR_MAX + 1, 4711);
	write_vs(&r, AF_INET, IPPROTO_TCP, "rr", 3, 0);
	nla_put_u32(r.msg, IPVS_SVC_ATTR_MAX + 9, 4711);
	assert_int_equal(read_vs(&r, &f), 1);
	assert_memory_equal(&f, &want, sizeof(f));
}

static void virtual_servers_that_no_fact_can_express_are_ignored(void **state)
{
	struct reply r = reply_new(IPVS_CMD_ATTR_SERVICE);
	struct fact f;

	(void)state;
	write_vs(&r, AF_UNIX, IPPROTO_TCP, "rr", 3, 0);
	assert_int_equal(read_vs(&r, &f), 0);
	r = reply_new(IPVS_CMD_ATTR_SERVICE);
	write_vs(&r, AF_INET, 0, "rr", 3, 0);
	assert_int_equal(read_vs(&r, &f), 0);
	r = reply_new(IPVS_CMD_ATTR_SERVICE);
	write_vs(&r, AF_INET, 256, "rr", 3, 0);
	assert_int_equal(read_vs(&r, &f), 0);
}

static void a_scheduler_name_must_end_within_its_sixteen_bytes(void **state)
{
	struct reply r = reply_new(IPVS_CMD_ATTR_SERVICE);
	struct fact f;

	(void)state;
	write_vs(&r, AF_INET, IPPROTO_TCP, "fifteen-letters", 16, 0);
	assert_int_equal(read_vs(&r, &f), 1);
	assert_string_equal(f.val.vs.scheduler, "fifteen-letters");
	r = reply_new(IPVS_CMD_ATTR_SERVICE);
	write_vs(&r, AF_INET, IPPROTO_TCP, "sixteen-letters!", 16, 0);
	assert_int_equal(read_vs(&r, &f), -EBADMSG);
	r = reply_new(IPVS_CMD_ATTR_SERVICE);
	write_vs(&r, AF_INET, IPPROTO_TCP, "sixteen-letters!", 17, 0);
	assert_int_equal(read_vs(&r, &f), -EBADMSG);
}

static void a_reply_without_a_required_attribute_is_an_error(void **state)
{
	struct reply r = reply_new(IPVS_CMD_ATTR_SERVICE);
	struct fact f;

	(void)state;
	assert_int_equal(read_vs(&r, &f), -EBADMSG);
	r = reply_new(IPVS_CMD_ATTR_DEST);
	assert_int_equal(read_vs(&r, &f), -EBADMSG);
	r = reply_new(IPVS_CMD_ATTR_DEST);
	assert_int_equal(read_rs(&r, "vs 10.96.0.10:80/TCP rr", &f), -EBADMSG);
	r = reply_new(IPVS_CMD_ATTR_SERVICE);
	nla_put_u16(r.msg, IPVS_SVC_ATTR_AF, AF_INET);
	nla_put_u32(r.msg, IPVS_SVC_ATTR_FWMARK, 1);
	assert_int_equal(read_vs(&r, &f), -EBADMSG);
}

static void a_real_server_without_family_has_that_of_its_virtual_server(void **state)
{
	static const uint8_t addr[16] = { 10, 244, 1, 11, 0xde, 0xad };
	struct fact f, want = parse("rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=7 forwarding=3");
	struct reply r = reply_new(IPVS_CMD_ATTR_DEST);

	(void)state;
	nla_put(r.msg, IPVS_DEST_ATTR_ADDR, sizeof(addr), addr);
	nla_put_u16(r.msg, IPVS_DEST_ATTR_PORT, htons(8080));
	nla_put_u32(r.msg, IPVS_DEST_ATTR_FWD_METHOD,
		IP_VS_CONN_F_DROUTE | IP_VS_CONN_F_NOOUTPUT | IP_VS_CONN_F_INACTIVE);
	nla_put_u32(r.msg, IPVS_DEST_ATTR_WEIGHT, 7);
	assert_int_equal(read_rs(&r, "vs 10.96.0.10:80/TCP rr", &f), 1);
	assert_memory_equal(&f, &want, sizeof(f));
}

static void answers_become_the_errnos_of_the_ledger(void **state)
{
	static const struct {
		const char *op;
		int answer, result;
	} cases[] = {
		{ "add vs 10.96.0.10:80/TCP rr", 0, 0 },
		{ "add vs 10.96.0.10:80/TCP rr", -EEXIST, -EEXIST },
		{ "add vs 10.96.0.10:80/TCP xx", -ENOENT, -EPROTONOSUPPORT },
		{ "set vs 10.96.0.10:80/TCP xx", -ENOENT, -EPROTONOSUPPORT },
		{ "set vs 10.96.0.10:80/TCP rr", -ESRCH, -ENOENT },
		{ "del vs 10.96.0.10:80/TCP rr", -ESRCH, -ENOENT },
		{ "del vs 10.96.0.10:80/TCP rr", -ENOENT, -ENOENT },
		{ "add vs 10.96.0.10:80/TCP rr", -ENOBUFS, -ENOBUFS },
		{ "add rs 10.96.0.10:80/TCP 10.1.1.1:80 weight=1", -EEXIST, -EEXIST },
		{ "add rs 10.96.0.10:80/TCP 10.1.1.1:80 weight=1", -ESRCH, -ESRCH },
		{ "set rs 10.96.0.10:80/TCP 10.1.1.1:80 weight=1", -ENOENT, -ENOENT },
		{ "set rs 10.96.0.10:80/TCP 10.1.1.1:80 weight=1", -ESRCH, -ESRCH },
		{ "del rs 10.96.0.10:80/TCP 10.1.1.1:80 weight=1", -ENOENT, -ENOENT },
		{ "del rs 10.96.0.10:80/TCP 10.1.1.1:80 weight=1", -EPERM, -EPERM },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct op op = parse_op(cases[i].op);

		assert_int_equal(ipvs_result(&op, cases[i].answer), cases[i].result);
	}
}

static void failures_are_explained_where_the_errno_is_not_enough(void **state)
{
	struct op op = parse_op("add vs 10.96.0.10:80/TCP xx");

	(void)state;
	op.result = -EPERM;
	assert_non_null(strstr(ipvs_explain(&op), "CAP_NET_ADMIN"));
	op.result = -EPROTONOSUPPORT;
	assert_non_null(strstr(ipvs_explain(&op), "scheduler"));
	op.result = -EINVAL;
	assert_null(ipvs_explain(&op));
	op = parse_op("add rs 10.96.0.10:80/TCP 224.0.0.1:80 weight=1");
	op.result = -EINVAL;
	assert_non_null(strstr(ipvs_explain(&op), "multicast"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_those_that_the_kernel_accepted),
		cmocka_unit_test(counters_are_read_in_either_width),
		cmocka_unit_test(replies_become_the_facts_that_are_in_the_kernel),
		cmocka_unit_test(damaged_replies_do_no_harm),
		cmocka_unit_test(a_time_out_counts_only_with_persistence),
		cmocka_unit_test(attributes_of_later_kernels_are_ignored),
		cmocka_unit_test(virtual_servers_that_no_fact_can_express_are_ignored),
		cmocka_unit_test(a_scheduler_name_must_end_within_its_sixteen_bytes),
		cmocka_unit_test(a_reply_without_a_required_attribute_is_an_error),
		cmocka_unit_test(a_real_server_without_family_has_that_of_its_virtual_server),
		cmocka_unit_test(answers_become_the_errnos_of_the_ledger),
		cmocka_unit_test(failures_are_explained_where_the_errno_is_not_enough),
	};

	return record_skip_all() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
