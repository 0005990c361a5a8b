// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A held address is one that the kernel knows and does not take.
 *
 * It must know the address, or it sends neither ICMP errors nor resets from it: a route for a packet
 * with that source is only found if __ip_dev_find() finds the address on some device, up or down.
 * And it must not take it: packets to the address, but for those with our mark, go to its owner.
 * But with every address the kernel adds a local route, even on a device that is down
 * (fib_add_ifaddr()). So that route is deleted, and for the moment before that it is hidden, or
 * connections to the owner would break. There are four steps:
 *
 *  1. A route of type throw for the address, in front of all others in table local: it says "look
 *     further", in the tables of the next rules. NLM_F_CREATE alone puts it in front
 *     (fib_table_insert()), and the metric 0 is that of the kernel's own routes.
 *  2. The address, which brings the local route with it. Its scope is host, so that the kernel never
 *     chooses it as a source by itself (inet_select_addr()).
 *  3. The local route is deleted.
 *  4. The throw is deleted. If it stayed, and the address came to an interface of this node later
 *     (VRRP), the local route of that one would stand behind it and have no effect.
 *
 * As long as no policy rule exists, the kernel looks up the tables local and main as one, and throw
 * means unreachable. So the rule comes first; see core/op_order.c.
 */
#include "link_held.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "kernel/link.h"
#include "link_msg.h"

enum held_step { ADD_THROW, ADD_ADDRESS, DEL_ADDRESS, DEL_LOCAL, DEL_THROW };

/* The same steps repair an address. Deletion takes every trace; without a device, and so without
 * addresses and local routes, that is the throw. */
static const enum held_step make_steps[] = { ADD_THROW, ADD_ADDRESS, DEL_LOCAL, DEL_THROW },
			    delete_steps[] = { DEL_ADDRESS, DEL_LOCAL, DEL_THROW },
			    orphan_steps[] = { DEL_THROW };
static_assert(ARRAY_SIZE(make_steps) == LINK_HELD_STEPS, "the longest");
/* A crash cannot come between them. */
static_assert(NL_BATCH_MAX % LINK_HELD_STEPS == 0, "steps of one address go in one message");

static const enum held_step *held_steps_of(enum op_type type, int index, size_t *ret_n)
{
	if (type != OP_DEL) {
		*ret_n = ARRAY_SIZE(make_steps);
		return make_steps;
	}
	*ret_n = index ? ARRAY_SIZE(delete_steps) : ARRAY_SIZE(orphan_steps);
	return index ? delete_steps : orphan_steps;
}

size_t link_held_steps(enum op_type type, int index)
{
	size_t n;

	held_steps_of(type, index, &n);
	return n;
}

static struct nl_msg *held_msg_address(const struct fact_key *key, enum held_step step, int index)
{
	const struct ifaddrmsg h = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = 32,
		.ifa_scope = RT_SCOPE_HOST,
		.ifa_index = (uint32_t)index,
	};
	struct nl_msg *msg = step == ADD_ADDRESS
		? nl_request_new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h))
		: nl_request_new(RTM_DELADDR, 0, &h, sizeof(h));

	NLA_PUT(msg, IFA_LOCAL, 4, key->addr);
	NLA_PUT(msg, IFA_ADDRESS, 4, key->addr);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

/* The local route is the kernel's, or of somebody who meant the same: only its device counts. Of
 * several, one deletion takes one, and the next audit finds the other. */
static struct nl_msg *held_msg_route(const struct fact_key *key, enum held_step step, int index)
{
	const bool local = step == DEL_LOCAL;
	const struct rtmsg h = {
		.rtm_family = AF_INET,
		.rtm_dst_len = 32,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = local ? RTPROT_UNSPEC : LINK_ROUTE_PROTOCOL,
		.rtm_scope = local ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE,
		.rtm_type = local ? RTN_LOCAL : RTN_THROW,
	};
	struct nl_msg *msg = step == ADD_THROW
		? nl_request_new(RTM_NEWROUTE, NLM_F_CREATE, &h, sizeof(h))
		: nl_request_new(RTM_DELROUTE, 0, &h, sizeof(h));

	assert(!local || index); /* without a device it would be the route of any device */
	NLA_PUT(msg, RTA_DST, 4, key->addr);
	if (local)
		NLA_PUT_U32(msg, RTA_OIF, (uint32_t)index);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *link_held_msg(const struct op *op, size_t step, int index)
{
	size_t n;
	const enum held_step *steps = held_steps_of(op->type, index, &n);

	assert(step < n && op->fact.key.family == AF_INET);
	switch (steps[step]) {
	case ADD_ADDRESS:
	case DEL_ADDRESS:
		return held_msg_address(&op->fact.key, steps[step], index);
	case ADD_THROW:
	case DEL_LOCAL:
	case DEL_THROW:
		return held_msg_route(&op->fact.key, steps[step], index);
	}
	return NULL;
}

/* The step found its work done: by us before, or by others. */
static bool held_was_done(enum held_step step, int answer)
{
	switch (step) {
	case ADD_THROW:
	case ADD_ADDRESS:
		return answer == -EEXIST;
	case DEL_ADDRESS:
		return answer == -EADDRNOTAVAIL || answer == -ENODEV;
	case DEL_LOCAL:
	case DEL_THROW:
		return answer == -ESRCH;
	}
	return false;
}

int link_held_result(
	enum op_type type, int index, const int answers[static LINK_HELD_STEPS], bool *ret_undo)
{
	const int *throw = &answers[0], *address = &answers[1], *local = &answers[2],
		  *throw_again = &answers[3];
	size_t n;
	const enum held_step *steps = held_steps_of(type, index, &n);
	bool changed = false;
	int error = 0;

	*ret_undo = false;
	for (size_t i = 0; i < n; i++) {
		if (answers[i] == -ENOBUFS)
			return -ENOBUFS; /* nobody knows what was done */
		changed |= !answers[i];
		if (!error && answers[i] && !held_was_done(steps[i], answers[i]))
			error = answers[i];
	}
	if (type == OP_DEL) {
		if (error || changed)
			return error;
		return index && answers[0] != -ENODEV ? -ENOENT : -ESRCH;
	}
	if (error) {
		*ret_undo = !*address || (*address != -EEXIST && !*throw &&*throw_again);
		return error == -ENODEV ? -ESRCH : error;
	}
	/* Only what was wrong before counts: a throw that was left behind, a local route. */
	return type == OP_ADD && *address == -EEXIST && !*throw &&*local ? -EEXIST : 0;
}

struct held_batch {
	const struct op *ops; /* whose requests are built */
	int index;
	size_t n_steps;
	struct op *results;	      /* the same as `ops`, or NULL: results are of no interest */
	int answers[LINK_HELD_STEPS]; /* to the steps of the operation at hand */
	struct op *undo;	      /* deletions */
	size_t n_undo, undo_cap;
};

static struct nl_msg *held_batch_build(size_t i, void *arg)
{
	const struct held_batch *b = arg;

	return link_held_msg(&b->ops[i / b->n_steps], i % b->n_steps, b->index);
}

static void held_batch_answer(size_t i, int answer, void *arg)
{
	struct held_batch *b = arg;
	struct op *op = b->results ? &b->results[i / b->n_steps] : NULL;
	bool undo;

	b->answers[i % b->n_steps] = answer;
	if (!op || i % b->n_steps != b->n_steps - 1)
		return;
	op->result = link_held_result(op->type, b->index, b->answers, &undo);
	if (!undo)
		return;
	mem_grow(b->undo, b->n_undo, b->undo_cap);
	b->undo[b->n_undo++] = (struct op){ .type = OP_DEL, .fact = op->fact };
}

void link_held_apply(struct nl_port *p, int index, struct op *ops, size_t n)
{
	struct held_batch b = { .ops = ops, .index = index, .results = ops };

	if (!n)
		return;
	b.n_steps = link_held_steps(ops->type, index);
	nl_port_batch(p, n * b.n_steps, held_batch_build, held_batch_answer, &b);
	if (b.n_undo) {
		struct held_batch back = { .ops = b.undo, .index = index };

		back.n_steps = link_held_steps(OP_DEL, index);
		nl_port_batch(
			p, b.n_undo * back.n_steps, held_batch_build, held_batch_answer, &back);
	}
	free(b.undo);
}

/* Reading */

struct nl_msg *link_held_msg_dump_local(int index)
{
	const struct rtmsg h = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_type = RTN_LOCAL,
	};
	struct nl_msg *msg = nl_request_new(RTM_GETROUTE, NLM_F_DUMP, &h, sizeof(h));

	NLA_PUT_U32(msg, RTA_OIF, (uint32_t)index);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *link_held_msg_dump_throw(void)
{
	const struct rtmsg h = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = LINK_ROUTE_PROTOCOL,
		.rtm_type = RTN_THROW,
	};

	return nl_request_new(RTM_GETROUTE, NLM_F_DUMP, &h, sizeof(h));
}

/* Kernels before 4.20 do not filter dumps. */
int link_held_read_route(struct nlmsghdr *msg, int index, struct fact *ret)
{
	static const struct nla_policy policy[RTA_MAX + 1] = {
		[RTA_OIF] = { .type = NLA_U32 },
	};
	struct nlattr *tb[RTA_MAX + 1];
	const struct rtmsg *h = nlmsg_data(msg);
	bool local, throw;
	struct ip vip;

	if (nlmsg_parse(msg, sizeof(*h), tb, RTA_MAX, policy))
		return -EBADMSG;
	if (h->rtm_family != AF_INET || h->rtm_table != RT_TABLE_LOCAL || h->rtm_dst_len != 32)
		return 0;
	local = h->rtm_type == RTN_LOCAL && tb[RTA_OIF] && index &&
		nla_get_u32(tb[RTA_OIF]) == (uint32_t)index;
	throw = h->rtm_type == RTN_THROW && h->rtm_protocol == LINK_ROUTE_PROTOCOL;
	if (!local && !throw)
		return 0;
	if (!tb[RTA_DST] || !link_read_ip(AF_INET, tb[RTA_DST], &vip))
		return -EBADMSG;
	*ret = fact_held(&vip);
	ret->val.held.flaws = HELD_ABSENT | (local ? HELD_LOCAL : HELD_THROW);
	return 1;
}

struct held_list {
	int index;
	struct fact_list facts;
};

static int take_held_address(struct nlmsghdr *msg, void *arg)
{
	struct held_list *l = arg;
	struct link_address a;
	int r = link_read_address(msg, &a);

	if (r > 0 && a.index == l->index && a.ip.family == AF_INET && a.prefix_len == 32)
		fact_list_add(&l->facts, fact_held(&a.ip));
	return r < 0 ? r : 0;
}

static int take_held_route(struct nlmsghdr *msg, void *arg)
{
	struct held_list *l = arg;
	struct fact f;
	int r = link_held_read_route(msg, l->index, &f);

	if (r > 0)
		fact_list_add(&l->facts, f);
	return r < 0 ? r : 0;
}

/* One list for each dump: a dump that is asked again begins with an empty one. */
static int held_ask(struct nl_port *p, struct nl_msg *request, nl_reply_fn reply, int index,
	struct fact_list *ret)
{
	struct held_list l = { .index = index };
	int r = nl_port_ask(p, request, reply, &l.facts.n, &l);

	/* Table local comes into being with the first address, be it 127.0.0.1. */
	if (r == -ENOENT)
		r = 0;
	for (size_t i = 0; !r && i < l.facts.n; i++)
		fact_list_add(ret, l.facts.facts[i]);
	fact_list_done(&l.facts);
	return r;
}

int link_held_dump(struct nl_port *p, int index, dump_fn fn, void *arg)
{
	_cleanup_(fact_list_done) struct fact_list all = { 0 };
	int r = held_ask(p, link_held_msg_dump_throw(), take_held_route, index, &all);

	if (!r && index)
		r = held_ask(p, link_held_msg_dump_local(index), take_held_route, index, &all);
	if (!r && index)
		r = held_ask(p, link_msg_dump_addresses(index), take_held_address, index, &all);
	if (r)
		return r;

	if (all.n)
		qsort(all.facts, all.n, sizeof(*all.facts), fact_compare);
	for (size_t i = 0; i < all.n;) {
		struct fact f = all.facts[i];
		uint32_t absent = HELD_ABSENT;

		for (; i < all.n && fact_key_eq(&all.facts[i].key, &f.key); i++) {
			f.val.held.flaws |= all.facts[i].val.held.flaws;
			absent &= all.facts[i].val.held.flaws;
		}
		f.val.held.flaws = (f.val.held.flaws & ~(uint32_t)HELD_ABSENT) | absent;
		fn(&f, arg);
	}
	return 0;
}
