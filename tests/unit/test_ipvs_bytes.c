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

#include "../../src/kernel/ipvs_msg.h"
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

static void write_request(struct nl_writer *w, const struct record *r)
{
	unsigned tcp, fin, udp;

	if (record_is(r, "find family")) {
		ipvs_write_find_family(w);
	} else if (record_is(r, "info")) {
		ipvs_write_info(w, FAMILY);
	} else if (record_is(r, "dump vs")) {
		ipvs_write_dump_vs(w, FAMILY);
	} else if (record_is(r, "dump rs ")) {
		struct fact vs = parse(r->title + strlen("dump rs "));

		ipvs_write_dump_rs(w, FAMILY, &vs.key);
	} else if (sscanf(r->title, "timeouts %u %u %u", &tcp, &fin, &udp) == 3) {
		ipvs_write_timeouts(w, FAMILY, tcp, fin, udp);
	} else {
		struct op op = parse_op(r->title);

		ipvs_write_op(w, FAMILY, &op);
	}
}

static void compare_request(const struct record *r)
{
	struct nlmsghdr *buf = mem_zalloc(1, NL_REQUEST_MAX);
	struct nl_writer w = { .msg = buf };

	assert_int_equal(r->n, 1);
	write_request(&w, r);
	buf->nlmsg_seq = r->messages[0]->nlmsg_seq;
	if (buf->nlmsg_len != r->lengths[0] || memcmp(buf, r->messages[0], buf->nlmsg_len) != 0)
		fail_msg("\"%s\" is written otherwise", r->title);
	free(buf);
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

static void write_counter(struct nl_writer *w, uint16_t type, size_t size, uint64_t value)
{
	nl_write_attr(w, type, &value, size); /* little endian, as all that we run on */
}

static void write_counters(struct nl_writer *w, uint16_t nest_type, size_t size, uint64_t base)
{
	struct nlattr *nest = nl_write_nest(w, nest_type);

	write_counter(w, IPVS_STATS_ATTR_CONNS, size, base + 1);
	write_counter(w, IPVS_STATS_ATTR_INPKTS, size, base + 2);
	write_counter(w, IPVS_STATS_ATTR_OUTPKTS, size, base + 3);
	write_counter(w, IPVS_STATS_ATTR_INBYTES, sizeof(uint64_t), base + 4);
	write_counter(w, IPVS_STATS_ATTR_OUTBYTES, sizeof(uint64_t), base + 5);
	nl_write_nest_end(w, nest);
}

/* What the kernel tells of a virtual server, with counters of 32 bits, and since 4.1 of 64. */
static struct nlmsghdr *reply_with_counters(bool old, bool new)
{
	const struct ip_vs_flags flags = { .flags = IP_VS_SVC_F_HASHED };
	struct nlmsghdr *buf = mem_zalloc(1, NL_REQUEST_MAX);
	struct nl_writer w = { .msg = buf };
	struct nlattr *nest;

	nl_write_begin(&w, FAMILY, 0, GENL_HDRLEN);
	nest = nl_write_nest(&w, IPVS_CMD_ATTR_SERVICE);
	nl_write_u16(&w, IPVS_SVC_ATTR_AF, AF_INET);
	nl_write_u32(&w, IPVS_SVC_ATTR_FWMARK, 7);
	nl_write_string(&w, IPVS_SVC_ATTR_SCHED_NAME, "rr");
	nl_write_attr(&w, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	nl_write_u32(&w, IPVS_SVC_ATTR_TIMEOUT, 0);
	if (old)
		write_counters(&w, IPVS_SVC_ATTR_STATS, sizeof(uint32_t), 0);
	if (new)
		write_counters(&w, IPVS_SVC_ATTR_STATS64, sizeof(uint64_t), UINT64_C(1) << 40);
	nl_write_nest_end(&w, nest);
	return buf;
}

static void assert_counters(bool old, bool new, int want, uint64_t base)
{
	_cleanup_free_ struct nlmsghdr *msg = reply_with_counters(old, new);
	struct vs_stats s = { 0 };

	assert_int_equal(ipvs_read_stats(msg, &s), want);
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

static void replies_tell_the_facts_that_are_in_the_kernel(void **state)
{
	(void)state;
	assert_int_not_equal(recorded_each("ipvs-replies", compare_reply), 0);
}

static void read_damaged(const struct nlmsghdr *msg)
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

/* A reply of our own making: the attributes in one nest. */
struct reply {
	struct nlmsghdr *msg;
	struct nl_writer w;
	struct nlattr *nest;
};

static struct reply reply_new(uint16_t attr)
{
	struct reply r = { .msg = mem_zalloc(1, NL_REQUEST_MAX) };

	r.w.msg = r.msg;
	nl_write_begin(&r.w, FAMILY, 0, GENL_HDRLEN);
	r.nest = nl_write_nest(&r.w, attr);
	return r;
}

static int read_vs(struct reply *r, struct fact *ret)
{
	int result;

	nl_write_nest_end(&r->w, r->nest);
	result = ipvs_read_vs(r->msg, ret);
	free(r->msg);
	return result;
}

static int read_rs(struct reply *r, const char *vs_line, struct fact *ret)
{
	struct fact vs = parse(vs_line);
	struct rs_conns conns;
	int result;

	nl_write_nest_end(&r->w, r->nest);
	result = ipvs_read_rs(r->msg, &vs.key, ret, &conns);
	free(r->msg);
	return result;
}

static void write_vs(struct reply *r, uint16_t family, uint16_t proto, const char *scheduler,
	size_t scheduler_size, uint32_t flags)
{
	struct ip_vs_flags f = { .flags = flags, .mask = ~0u };
	static const uint8_t addr[16] = { 10, 96, 0, 10, 0xde, 0xad };

	nl_write_u16(&r->w, IPVS_SVC_ATTR_AF, family);
	nl_write_u16(&r->w, IPVS_SVC_ATTR_PROTOCOL, proto);
	nl_write_attr(&r->w, IPVS_SVC_ATTR_ADDR, addr, sizeof(addr));
	nl_write_u16(&r->w, IPVS_SVC_ATTR_PORT, htons(80));
	nl_write_attr(&r->w, IPVS_SVC_ATTR_SCHED_NAME, scheduler, scheduler_size);
	nl_write_attr(&r->w, IPVS_SVC_ATTR_FLAGS, &f, sizeof(f));
	nl_write_u32(&r->w, IPVS_SVC_ATTR_TIMEOUT, 360);
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

static void attributes_of_later_kernels_are_passed_over(void **state)
{
	struct fact f, want = parse("vs 10.96.0.10:80/TCP rr");
	struct reply r = reply_new(IPVS_CMD_ATTR_SERVICE);

	(void)state;
	nl_write_u32(&r.w, IPVS_SVC_ATTR_MAX + 1, 4711);
	write_vs(&r, AF_INET, IPPROTO_TCP, "rr", 3, 0);
	nl_write_u32(&r.w, IPVS_SVC_ATTR_MAX + 9, 4711);
	assert_int_equal(read_vs(&r, &f), 1);
	assert_memory_equal(&f, &want, sizeof(f));
}

static void virtual_servers_that_no_fact_can_say_are_none(void **state)
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

static void a_reply_that_lacks_something_is_an_error(void **state)
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
	nl_write_u16(&r.w, IPVS_SVC_ATTR_AF, AF_INET);
	nl_write_u32(&r.w, IPVS_SVC_ATTR_FWMARK, 1);
	assert_int_equal(read_vs(&r, &f), -EBADMSG);
}

static void a_real_server_without_family_has_that_of_its_virtual_server(void **state)
{
	static const uint8_t addr[16] = { 10, 244, 1, 11, 0xde, 0xad };
	struct fact f, want = parse("rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=7 forwarding=3");
	struct reply r = reply_new(IPVS_CMD_ATTR_DEST);

	(void)state;
	nl_write_attr(&r.w, IPVS_DEST_ATTR_ADDR, addr, sizeof(addr));
	nl_write_u16(&r.w, IPVS_DEST_ATTR_PORT, htons(8080));
	nl_write_u32(&r.w, IPVS_DEST_ATTR_FWD_METHOD,
		IP_VS_CONN_F_DROUTE | IP_VS_CONN_F_NOOUTPUT | IP_VS_CONN_F_INACTIVE);
	nl_write_u32(&r.w, IPVS_DEST_ATTR_WEIGHT, 7);
	assert_int_equal(read_rs(&r, "vs 10.96.0.10:80/TCP rr", &f), 1);
	assert_memory_equal(&f, &want, sizeof(f));
}

static void answers_are_turned_into_the_words_of_the_ledger(void **state)
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
		cmocka_unit_test(replies_tell_the_facts_that_are_in_the_kernel),
		cmocka_unit_test(damaged_replies_do_no_harm),
		cmocka_unit_test(a_time_out_counts_only_with_persistence),
		cmocka_unit_test(attributes_of_later_kernels_are_passed_over),
		cmocka_unit_test(virtual_servers_that_no_fact_can_say_are_none),
		cmocka_unit_test(a_scheduler_name_must_end_within_its_sixteen_bytes),
		cmocka_unit_test(a_reply_that_lacks_something_is_an_error),
		cmocka_unit_test(a_real_server_without_family_has_that_of_its_virtual_server),
		cmocka_unit_test(answers_are_turned_into_the_words_of_the_ledger),
		cmocka_unit_test(failures_are_explained_where_the_errno_is_not_enough),
	};

	return record_skip_all() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
