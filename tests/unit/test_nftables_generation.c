// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel is played by the other end of a socket pair, whose answers are queued before they are
 * asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/kernel/nftables_generation.h"
#include "base/mem.h"

enum { NEWGEN = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN };

struct fixture {
	struct nl_port *port;
	int kernel;
	struct nftables_generation generation;
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	f->port = nl_port_from_fd(fds[0]);
	f->kernel = fds[1];
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

static struct nl_msg *telling(uint16_t type, int attribute, uint32_t number)
{
	struct nl_msg *msg = nl_request_netfilter(type, 0, AF_UNSPEC);

	nla_put_u32(msg, attribute, htonl(number));
	return msg;
}

static void queue(struct fixture *f, struct nl_msg *msg)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);

	h->nlmsg_seq = f->port->seq + 1;
	assert_int_equal(send(f->kernel, h, h->nlmsg_len, 0), h->nlmsg_len);
	nlmsg_free(msg);
}

static void queue_result(struct fixture *f, int error)
{
	queue(f, nl_request_new(NLMSG_ERROR, 0, &error, sizeof(error)));
}

static uint64_t epoch_at(struct fixture *f, uint32_t number)
{
	queue(f, telling(NEWGEN, NFTA_GEN_ID, number));
	queue_result(f, 0);
	return nftables_generation_epoch(&f->generation, f->port);
}

static void own_transactions_are_counted(void **state)
{
	struct fixture *f = *state;
	struct nftables_generation *g = &f->generation;
	const uint64_t first = epoch_at(f, 7);

	assert_true(first);
	assert_int_equal(epoch_at(f, 7), first);
	nftables_generation_written(g, 8);
	nftables_generation_written(g, 0); /* nothing had to be done */
	nftables_generation_written(g, 9);
	assert_int_equal(epoch_at(f, 9), first);
	/* Others before our own, behind it, and without it. */
	nftables_generation_written(g, 11);
	assert_int_equal(epoch_at(f, 11), first + 1);
	nftables_generation_written(g, 12);
	assert_int_equal(epoch_at(f, 13), first + 2);
	assert_int_equal(epoch_at(f, 14), first + 3);
	/* The kernel's answer was lost. */
	nftables_generation_written(g, 0);
	assert_int_equal(epoch_at(f, 15), first + 4);
	nftables_generation_forget(g);
	nftables_generation_written(g, 16);
	assert_int_equal(epoch_at(f, 16), first + 5);
}

static void the_number_leaves_out_0(void **state)
{
	struct fixture *f = *state;
	const uint64_t first = epoch_at(f, UINT32_MAX);

	nftables_generation_written(&f->generation, 1);
	assert_int_equal(epoch_at(f, 1), first);
	nftables_generation_written(&f->generation, 2);
	assert_int_equal(epoch_at(f, 2), first);
}

static void without_a_number_the_epoch_is_unknown(void **state)
{
	struct fixture *f = *state;
	const uint64_t first = epoch_at(f, 7);

	queue_result(f, -EPERM);
	assert_int_equal(nftables_generation_epoch(&f->generation, f->port), 0);
	assert_true(epoch_at(f, 7) > first);
	queue_result(f, 0);
	assert_int_equal(nftables_generation_epoch(&f->generation, f->port), 0);
	assert_int_equal(epoch_at(f, 0), 0);
}

static void other_messages_have_no_number(void **state)
{
	struct nl_msg *const messages[] = {
		telling(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NFTA_GEN_ID, 8),
		telling(NEWGEN, NFTA_GEN_PROC_PID, 8),
		nl_request_netfilter(NEWGEN, 0, AF_UNSPEC),
		nl_request_new(NEWGEN, 0, "", 1),
	};
	uint32_t number = 7;

	(void)state;
	nla_put(messages[2], NFTA_GEN_ID, 1, "");
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		nftables_take_generation(nlmsg_hdr(messages[i]), &number);
		assert_int_equal(number, 7);
		nlmsg_free(messages[i]);
	}
}

/* A request's own notification comes as well. */
static void a_transaction_hands_over_what_is_echoed(void **state)
{
	struct fixture *f = *state;
	struct nl_msg *requests[] = { telling(NEWGEN, NFTA_GEN_ID, 1) };
	uint32_t number = 0;
	int result;

	f->port->seq++; /* the beginning has the first */
	queue(f, telling(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NFTA_TABLE_NAME, 0));
	queue(f, telling(NEWGEN, NFTA_GEN_ID, 23));
	f->port->seq--;
	nl_port_transaction(f->port, NFNL_SUBSYS_NFTABLES, false, requests, ARRAY_SIZE(requests),
		&result, nftables_take_generation, &number);
	assert_int_equal(result, 0);
	assert_int_equal(number, 23);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(own_transactions_are_counted),
		TEST(the_number_leaves_out_0),
		TEST(without_a_number_the_epoch_is_unknown),
		TEST(other_messages_have_no_number),
		TEST(a_transaction_hands_over_what_is_echoed),
#undef TEST
	};

	return cmocka_run_group_tests_name("nftables_generation", tests, NULL, NULL);
}
