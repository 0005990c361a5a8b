// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The adapter on a kernel that is played: send() is defined here and answers into the other end of
 * a socket pair before it returns, as the kernel does. See test_ipvs_kernel.c for the real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/genl/genl.h>

#include "../../src/kernel/ipvs_msg.h"
#include "base/mem.h"

enum { FIRST = 32, MOVED = 33 };

static struct {
	struct adapter *adapter;
	int fd;		  /* the kernel's end */
	uint16_t family;  /* 0: the module is not loaded */
	int refuses;	  /* its answer to a change of a real server */
	bool loses;	  /* no answer finds room */
	bool interrupts;  /* the next dump is interrupted */
	unsigned lookups; /* of the family */
	unsigned changes; /* carried out */
} kernel;

static void answer(const void *message, size_t len)
{
	assert_int_equal(write(kernel.fd, message, len), len);
}

static void answer_int(uint16_t type, uint32_t seq, int value)
{
	struct {
		struct nlmsghdr h;
		int value;
	} m = { .h = { .nlmsg_len = sizeof(m), .nlmsg_type = type, .nlmsg_seq = seq },
		.value = value };

	answer(&m, sizeof(m));
}

/* A datagram that does not fit is lost just as one that found no room in the queue. */
static void answer_lost(void)
{
	_cleanup_free_ char *big = mem_zalloc(1, NL_RECEIVE_SIZE + 1);

	answer((struct nlmsghdr *)big, NL_RECEIVE_SIZE + 1);
}

static void answer_family(uint32_t seq)
{
	struct nl_msg *msg = nlmsg_alloc_size(NL_REQUEST_MAX);

	kernel.lookups++;
	genlmsg_put(msg, 0, seq, GENL_ID_CTRL, 0, 0, CTRL_CMD_NEWFAMILY, 1);
	nla_put_u16(msg, CTRL_ATTR_FAMILY_ID, kernel.family);
	if (kernel.family)
		answer(nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
	nlmsg_free(msg);
	answer_int(NLMSG_ERROR, seq, kernel.family ? 0 : -ENOENT);
}

static void answer_virtual_server(uint32_t seq)
{
	const struct ip_vs_flags flags = { 0 };
	struct nl_msg *msg = nlmsg_alloc_size(NL_REQUEST_MAX);
	struct nlattr *nest;

	genlmsg_put(msg, 0, seq, kernel.family, 0,
		NLM_F_MULTI | (kernel.interrupts ? NLM_F_DUMP_INTR : 0), IPVS_CMD_NEW_SERVICE, 1);
	kernel.interrupts = false;
	nest = nla_nest_start(msg, IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED);
	nla_put_u16(msg, IPVS_SVC_ATTR_AF, AF_INET);
	nla_put_u32(msg, IPVS_SVC_ATTR_FWMARK, 7);
	nla_put_string(msg, IPVS_SVC_ATTR_SCHED_NAME, "rr");
	nla_put(msg, IPVS_SVC_ATTR_FLAGS, sizeof(flags), &flags);
	nla_put_u32(msg, IPVS_SVC_ATTR_TIMEOUT, 0);
	nla_nest_end(msg, nest);
	answer(nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
	nlmsg_free(msg);
	answer_int(NLMSG_DONE, seq, 0);
}

static void handle(const struct nlmsghdr *h)
{
	const struct genlmsghdr *g = nlmsg_data(h);

	if (kernel.loses)
		answer_lost();
	else if (h->nlmsg_type == GENL_ID_CTRL)
		answer_family(h->nlmsg_seq);
	else if (h->nlmsg_type != kernel.family)
		answer_int(NLMSG_ERROR, h->nlmsg_seq, -ENOENT);
	else if (g->cmd == IPVS_CMD_GET_SERVICE)
		answer_virtual_server(h->nlmsg_seq);
	else if (kernel.refuses || h->nlmsg_flags & NLM_F_ACK)
		answer_int(NLMSG_ERROR, h->nlmsg_seq, kernel.refuses);
	else
		kernel.changes++;
}

/* In place of the C library's: nl sends with nothing else. */
ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	int left = (int)len;

	(void)fd;
	(void)flags;
	for (struct nlmsghdr *h = (struct nlmsghdr *)buf; nlmsg_ok(h, left);
		h = nlmsg_next(h, &left))
		handle(h);
	return (ssize_t)len;
}

static int setup(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	memset(&kernel, 0, sizeof(kernel));
	kernel.adapter = ipvs_from_port(nl_port_from_fd(fds[0]), FIRST);
	kernel.fd = fds[1];
	kernel.family = FIRST;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ipvs_free(kernel.adapter);
	close(kernel.fd);
	return 0;
}

/* Three real servers; the result of all of them. */
static int add_real_servers(void)
{
	struct fact vs = fact_vs_fwmark(AF_INET, 7);
	struct op ops[3];

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		const struct ip ip = { .family = AF_INET, .bytes = { 10, 244, 0, (uint8_t)i } };

		ops[i] = (struct op){ .type = OP_ADD, .fact = fact_rs(&vs.key, &ip, 80, 1) };
	}
	kernel.adapter->apply(kernel.adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[1].result, ops[0].result);
	assert_int_equal(ops[2].result, ops[0].result);
	return ops[0].result;
}

static void count(const struct fact *f, void *arg)
{
	assert_int_equal(fact_fwmark(&f->key), 7);
	++*(size_t *)arg;
}

static void changes_follow_a_module_that_is_loaded_again(void **state)
{
	(void)state;
	kernel.family = MOVED;
	assert_int_equal(add_real_servers(), 0);
	assert_int_equal(kernel.changes, 3);
	assert_int_equal(kernel.lookups, 1);
	assert_int_equal(add_real_servers(), 0);
	assert_int_equal(kernel.lookups, 1);
}

static void dumps_follow_a_module_that_is_loaded_again(void **state)
{
	size_t n = 0;

	(void)state;
	kernel.family = MOVED;
	assert_int_equal(kernel.adapter->dump(kernel.adapter, FACT_VS, count, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(kernel.lookups, 1);
}

static void an_unloaded_module_has_an_error_of_its_own(void **state)
{
	struct err err = { 0 };
	size_t n = 0;

	(void)state;
	kernel.family = 0;
	assert_int_equal(add_real_servers(), -EPFNOSUPPORT);
	assert_int_equal(
		kernel.adapter->dump(kernel.adapter, FACT_VS, count, &n, &err), -EPFNOSUPPORT);
	assert_string_equal(
		err.msg, "cannot read the virtual servers: the module ip_vs was unloaded");
	assert_int_equal(n, 0);
}

static void a_missing_real_server_is_not_a_missing_module(void **state)
{
	(void)state;
	kernel.refuses = -ENOENT;
	assert_int_equal(add_real_servers(), -ENOENT);
	assert_int_equal(kernel.lookups, 1);
	kernel.refuses = -EEXIST;
	assert_int_equal(add_real_servers(), -EEXIST);
	assert_int_equal(kernel.lookups, 1);
}

static void a_lost_answer_is_reported_as_lost(void **state)
{
	(void)state;
	kernel.loses = true;
	assert_int_equal(add_real_servers(), -ENOBUFS);
}

static void an_interrupted_dump_reports_each_fact_once(void **state)
{
	size_t n = 0;

	(void)state;
	kernel.interrupts = true;
	assert_int_equal(kernel.adapter->dump(kernel.adapter, FACT_VS, count, &n, NULL), 0);
	assert_int_equal(n, 1);
}

static void time_outs_follow_a_module_that_is_loaded_again(void **state)
{
	(void)state;
	kernel.family = MOVED;
	assert_int_equal(ipvs_set_timeouts(kernel.adapter, 900, 0, 0, NULL), 0);
	assert_int_equal(kernel.lookups, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(changes_follow_a_module_that_is_loaded_again),
		TEST(dumps_follow_a_module_that_is_loaded_again),
		TEST(an_unloaded_module_has_an_error_of_its_own),
		TEST(a_missing_real_server_is_not_a_missing_module),
		TEST(a_lost_answer_is_reported_as_lost),
		TEST(an_interrupted_dump_reports_each_fact_once),
		TEST(time_outs_follow_a_module_that_is_loaded_again),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
