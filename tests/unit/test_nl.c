// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel is played by the other end of a socket pair, whose answers are queued before they are
 * asked for: the first request of a port has the sequence number 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/kernel/nl.h"
#include "base/mem.h"

enum { TYPE = 20, MAX_OPS = 300, UNTOLD = 99 };

struct fixture {
	struct nl_port *port;
	int kernel;
	int results[MAX_OPS];
	size_t replies;
	int reply_result; /* of the next replies */
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	f->port = nl_port_from_fd(fds[0]);
	f->kernel = fds[1];
	for (size_t i = 0; i < MAX_OPS; i++)
		f->results[i] = UNTOLD;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nl_port_free(f->port);
	close(f->kernel);
	free(f);
	return 0;
}

/* One message with an int behind its header, as errors and the ends of dumps have it. */
struct message {
	struct nlmsghdr h;
	int value;
};

static struct message message(uint16_t type, uint16_t flags, uint32_t seq, int value)
{
	return (struct message){
		.h = { .nlmsg_len = sizeof(struct message),
			.nlmsg_type = type,
			.nlmsg_flags = flags,
			.nlmsg_seq = seq },
		.value = value,
	};
}

static void queue(struct fixture *f, const struct message *m, size_t n)
{
	assert_int_equal(send(f->kernel, m, n * sizeof(*m), 0), n * sizeof(*m));
}

static void queue_one(struct fixture *f, uint16_t type, uint16_t flags, uint32_t seq, int value)
{
	struct message m = message(type, flags, seq, value);

	queue(f, &m, 1);
}

static const uint32_t no_header;

static struct nl_msg *build(size_t i, void *arg)
{
	struct nl_msg *msg = nl_request_new(TYPE, 0, &no_header, sizeof(no_header));

	(void)arg;
	nla_put_u32(msg, 1, (uint32_t)i);
	return msg;
}

static void answer(size_t i, int result, void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(f->results[i], UNTOLD);
	f->results[i] = result;
}

/* Reads one datagram of requests; returns how many they are, and the first and last of them. */
static size_t read_batch(struct fixture *f, struct nlmsghdr *ret_first, struct nlmsghdr *ret_last)
{
	static char buf[NL_BATCH_MAX * NL_REQUEST_MAX];
	ssize_t len = recv(f->kernel, buf, sizeof(buf), MSG_DONTWAIT);
	size_t n = 0;

	for (ssize_t at = 0; at < len; at += ret_last->nlmsg_len) {
		memcpy(ret_last, buf + at, sizeof(*ret_last));
		if (!n++)
			*ret_first = *ret_last;
	}
	return n;
}

static void a_batch_is_sent_in_pieces_with_rising_sequence_numbers(void **state)
{
	struct fixture *f = *state;
	struct nlmsghdr first, last;

	nl_port_batch(f->port, MAX_OPS, build, answer, f);
	assert_int_equal(read_batch(f, &first, &last), NL_BATCH_MAX);
	assert_int_equal(first.nlmsg_seq, 1);
	assert_int_equal(last.nlmsg_seq, NL_BATCH_MAX);
	assert_int_equal(first.nlmsg_type, TYPE);
	assert_int_equal(first.nlmsg_flags, NLM_F_REQUEST);
	assert_int_equal(read_batch(f, &first, &last), NL_BATCH_MAX);
	assert_int_equal(read_batch(f, &first, &last), MAX_OPS - 2 * NL_BATCH_MAX);
	assert_int_equal(last.nlmsg_seq, MAX_OPS);
	assert_int_equal(read_batch(f, &first, &last), 0);
}

static void a_request_without_an_answer_succeeded(void **state)
{
	struct fixture *f = *state;

	nl_port_batch(f->port, MAX_OPS, build, answer, f);
	for (size_t i = 0; i < MAX_OPS; i++)
		assert_int_equal(f->results[i], 0);
}

static void no_operation_sends_nothing(void **state)
{
	struct fixture *f = *state;
	struct nlmsghdr first, last;

	nl_port_batch(f->port, 0, build, answer, f);
	assert_int_equal(read_batch(f, &first, &last), 0);
}

static void a_failure_belongs_to_the_request_with_its_sequence_number(void **state)
{
	struct fixture *f = *state;

	queue_one(f, NLMSG_ERROR, NLM_F_CAPPED, 5, -EEXIST);
	queue_one(f, NLMSG_ERROR, NLM_F_CAPPED, 1, -ESRCH);
	queue_one(f, NLMSG_ERROR, NLM_F_CAPPED, 10, -ENOENT);
	queue_one(f, NLMSG_ERROR, NLM_F_CAPPED, 3, 0);
	nl_port_batch(f->port, 10, build, answer, f);
	assert_int_equal(f->results[0], -ESRCH);
	assert_int_equal(f->results[1], 0);
	assert_int_equal(f->results[2], 0);
	assert_int_equal(f->results[4], -EEXIST);
	assert_int_equal(f->results[9], -ENOENT);
	assert_int_equal(f->results[10], UNTOLD);
}

static void answers_to_other_requests_are_ignored(void **state)
{
	struct fixture *f = *state;

	queue_one(f, NLMSG_ERROR, 0, 0, -EPERM);
	queue_one(f, NLMSG_ERROR, 0, 4, -EPERM);
	queue_one(f, TYPE, 0, 2, -EPERM);
	nl_port_batch(f->port, 3, build, answer, f);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(f->results[i], 0);
}

/* A datagram that does not fit is lost just as one that found no room in the queue. */
static void queue_lost(struct fixture *f)
{
	_cleanup_free_ char *big = mem_zalloc(1, NL_RECEIVE_SIZE + 1);

	assert_int_equal(send(f->kernel, big, NL_RECEIVE_SIZE + 1, 0), NL_RECEIVE_SIZE + 1);
}

static void after_a_loss_only_answered_requests_have_a_known_result(void **state)
{
	struct fixture *f = *state;

	queue_one(f, NLMSG_ERROR, 0, 1, -EEXIST);
	queue_lost(f);
	queue_one(f, NLMSG_ERROR, 0, 3, -ENOENT);
	nl_port_batch(f->port, 4, build, answer, f);
	assert_int_equal(f->results[0], -EEXIST);
	assert_int_equal(f->results[1], -ENOBUFS);
	assert_int_equal(f->results[2], -ENOENT);
	assert_int_equal(f->results[3], -ENOBUFS);
}

static void requests_that_cannot_be_sent_fail(void **state)
{
	struct fixture *f = *state;

	close(f->kernel);
	f->kernel = -1;
	nl_port_batch(f->port, NL_BATCH_MAX, build, answer, f);
	for (size_t i = 0; i < NL_BATCH_MAX; i++)
		assert_int_equal(f->results[i], -ECONNREFUSED);
}

static int reply(struct nlmsghdr *msg, void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(msg->nlmsg_type, TYPE);
	f->replies++;
	return f->reply_result;
}

static int ask(struct fixture *f)
{
	return nl_port_ask(f->port, nl_request_new(TYPE, NLM_F_DUMP, &no_header, sizeof(no_header)),
		reply, &f->replies, f);
}

static void a_dump_ends_with_done(void **state)
{
	struct fixture *f = *state;
	const struct message m[] = { message(TYPE, NLM_F_MULTI, 1, 0),
		message(TYPE, NLM_F_MULTI, 1, 0) };

	queue(f, m, 2);
	queue(f, m, 2);
	queue_one(f, NLMSG_DONE, NLM_F_MULTI, 1, 0);
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->replies, 4);
}

static void a_single_answer_ends_with_its_acknowledgement(void **state)
{
	struct fixture *f = *state;

	queue_one(f, TYPE, 0, 1, 0);
	queue_one(f, NLMSG_ERROR, 0, 1, 0);
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->replies, 1);
}

static void an_error_ends_the_question(void **state)
{
	struct fixture *f = *state;

	queue_one(f, NLMSG_ERROR, 0, 1, -ENOENT);
	assert_int_equal(ask(f), -ENOENT);
	queue_one(f, TYPE, NLM_F_MULTI, 2, 0);
	queue_one(f, NLMSG_DONE, NLM_F_MULTI, 2, -ENOMEM);
	assert_int_equal(ask(f), -ENOMEM);
}

static void an_interrupted_dump_is_asked_again(void **state)
{
	struct fixture *f = *state;

	queue_one(f, TYPE, NLM_F_MULTI, 1, 0);
	queue_one(f, TYPE, NLM_F_MULTI | NLM_F_DUMP_INTR, 1, 0);
	queue_one(f, NLMSG_DONE, NLM_F_MULTI, 1, 0);
	queue_one(f, TYPE, NLM_F_MULTI, 2, 0);
	queue_one(f, NLMSG_DONE, NLM_F_MULTI, 2, 0);
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->replies, 1);
}

static void a_dump_of_a_table_that_keeps_changing_fails(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 1; i <= NL_DUMP_TRIES; i++)
		queue_one(f, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, i, 0);
	assert_int_equal(ask(f), -EAGAIN);
}

static void a_reply_that_cannot_be_read_ends_the_question(void **state)
{
	struct fixture *f = *state;

	queue_one(f, TYPE, NLM_F_MULTI, 1, 0);
	queue_one(f, TYPE, NLM_F_MULTI, 1, 0);
	queue_one(f, NLMSG_DONE, NLM_F_MULTI, 1, 0);
	f->reply_result = -EBADMSG;
	assert_int_equal(ask(f), -EBADMSG);
	assert_int_equal(f->replies, 1);
	/* What is left of it is dropped before the next question. */
	f->reply_result = 0;
	nl_port_batch(f->port, 1, build, answer, f);
	assert_int_equal(f->results[0], 0);
	queue_one(f, NLMSG_DONE, NLM_F_MULTI, 3, 0);
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->replies, 1);
}

static void a_missing_answer_is_a_time_out(void **state)
{
	static const struct timeval soon = { .tv_usec = 1000 };
	struct fixture *f = *state;

	assert_int_equal(setsockopt(f->port->fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	assert_int_equal(ask(f), -ETIMEDOUT);
}

static void count(struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	++*(size_t *)arg;
}

static void draining_takes_all_queued_messages(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	assert_int_equal(nl_port_drain(f->port, count, &n), 0);
	assert_int_equal(n, 0);
	queue_one(f, TYPE, 0, 0, 0);
	queue_one(f, TYPE, 0, 7, 0);
	assert_int_equal(nl_port_drain(f->port, count, &n), 0);
	assert_int_equal(n, 2);
	queue_one(f, TYPE, 0, 0, 0);
	queue_lost(f);
	queue_one(f, TYPE, 0, 0, 0);
	assert_int_equal(nl_port_drain(f->port, count, &n), -ENOBUFS);
	assert_int_equal(n, 4);
}

/* Any process may send to a netlink socket. The kernel's address has the port id 0; in a UNIX
 * address, which must not be longer, a name takes that place. */
static void datagrams_of_other_processes_are_ignored(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un other = { .sun_family = AF_UNIX };
	size_t n = 0;

	snprintf(other.sun_path + 1, sizeof(other.sun_path) - 1, "n%08x", (unsigned)getpid());
	assert_int_equal(bind(f->kernel, (struct sockaddr *)&other, sizeof(struct sockaddr_nl)), 0);
	queue_one(f, NLMSG_ERROR, 0, 1, -EPERM);
	nl_port_batch(f->port, 1, build, answer, f);
	assert_int_equal(f->results[0], 0);
	queue_one(f, TYPE, 0, 0, 0);
	assert_int_equal(nl_port_drain(f->port, count, &n), 0);
	assert_int_equal(n, 0);
}

/* The second of three requests is too long. */
static struct nl_msg *build_or_not(size_t i, void *arg)
{
	return i == 1 ? NULL : build(i, arg);
}

static void a_request_that_cannot_be_built_does_not_stop_the_others(void **state)
{
	struct fixture *f = *state;
	struct nlmsghdr first, last;

	queue_one(f, NLMSG_ERROR, 0, 3, -EEXIST);
	nl_port_batch(f->port, 3, build_or_not, answer, f);
	assert_int_equal(f->results[0], 0);
	assert_int_equal(f->results[1], -EMSGSIZE);
	assert_int_equal(f->results[2], -EEXIST);
	assert_int_equal(read_batch(f, &first, &last), 2);
	assert_int_equal(last.nlmsg_seq, 3);
	assert_int_equal(nl_port_ask(f->port, NULL, reply, NULL, f), -EMSGSIZE);
}

static void an_interrupted_dump_without_a_count_is_complete(void **state)
{
	struct fixture *f = *state;

	queue_one(f, TYPE, NLM_F_MULTI | NLM_F_DUMP_INTR, 1, 0);
	queue_one(f, NLMSG_DONE, NLM_F_MULTI, 1, 0);
	assert_int_equal(nl_port_ask(f->port, build(0, f), reply, NULL, f), 0);
	assert_int_equal(f->replies, 1);
}

static void a_request_has_a_limit(void **state)
{
	static const uint8_t data[NL_REQUEST_MAX];
	struct nl_msg *msg = build(0, NULL);

	(void)state;
	assert_int_equal(nlmsg_hdr(msg)->nlmsg_flags, NLM_F_REQUEST);
	assert_true(nla_put(msg, 1, NL_REQUEST_MAX - 28 - 4 + 1, data) < 0);
	assert_int_equal(nla_put(msg, 1, NL_REQUEST_MAX - 28 - 4, data), 0);
	assert_int_equal(nlmsg_hdr(msg)->nlmsg_len, NL_REQUEST_MAX);
	nlmsg_free(msg);
}

static void a_missing_nest_is_a_bad_message(void **state)
{
	struct nlattr *tb[2];

	(void)state;
	assert_int_equal(nl_parse_nested(NULL, tb, 1, NULL), -EBADMSG);
}

#define nl_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		nl_test(a_batch_is_sent_in_pieces_with_rising_sequence_numbers),
		nl_test(a_request_without_an_answer_succeeded),
		nl_test(no_operation_sends_nothing),
		nl_test(a_failure_belongs_to_the_request_with_its_sequence_number),
		nl_test(answers_to_other_requests_are_ignored),
		nl_test(after_a_loss_only_answered_requests_have_a_known_result),
		nl_test(requests_that_cannot_be_sent_fail),
		nl_test(a_dump_ends_with_done),
		nl_test(a_single_answer_ends_with_its_acknowledgement),
		nl_test(an_error_ends_the_question),
		nl_test(an_interrupted_dump_is_asked_again),
		nl_test(a_dump_of_a_table_that_keeps_changing_fails),
		nl_test(a_reply_that_cannot_be_read_ends_the_question),
		nl_test(a_missing_answer_is_a_time_out),
		nl_test(draining_takes_all_queued_messages),
		nl_test(datagrams_of_other_processes_are_ignored),
		nl_test(a_request_that_cannot_be_built_does_not_stop_the_others),
		nl_test(an_interrupted_dump_without_a_count_is_complete),
		cmocka_unit_test(a_request_has_a_limit),
		cmocka_unit_test(a_missing_nest_is_a_bad_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
