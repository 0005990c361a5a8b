// SPDX-License-Identifier: GPL-2.0-or-later
#include "nftables_wire.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "nftables_msg.h"
#include "nftables_set.h"

/* Requests */

void nftables_requests_add(struct nftables_requests *r, int owner, struct nl_msg *msg)
{
	mem_grow(r->msgs, r->n, r->cap);
	r->msgs[r->n++] = msg;
	mem_grow(r->owners, r->n_owners, r->owners_cap);
	r->owners[r->n_owners++] = owner;
}

/* A list that is missing is a mistake of the caller, which the kernel is not asked about. */
void nftables_requests_add_rules(struct nftables_requests *r, int owner,
	const struct nftables_wire *w, const char *chain, const struct fact *f)
{
	const struct nftables_dialect dialect = { f->key.family, f->key.set, w->mark_mask };
	const struct rule_list *list = rule_pool_get(w->pool, f->val.chain.rules);
	_cleanup_(rule_list_done) struct rule_list unwanted = { 0 };
	struct rule rule;
	size_t at = 0;

	if (!list && f->key.kind == FACT_JUMP && jump_rules(f, &unwanted))
		list = &unwanted;
	if (!list && f->val.chain.rules != HASH_EMPTY)
		nftables_requests_add(r, owner, NULL);
	while (list && rule_list_next(list, &at, &rule))
		nftables_requests_add(
			r, owner, nftables_msg_rule(&dialect, chain, &rule, f->val.chain.rules));
}

bool nftables_transact(
	struct nftables_wire *w, struct nftables_requests *r, bool dry, struct op *ops, size_t n)
{
	_cleanup_free_ int *results = mem_zalloc(r->n, sizeof(*results));
	int whole = 0;
	bool done = true;
	uint32_t generation = 0;

	if (!dry && r->n && r->msgs[0])
		nlmsg_hdr(r->msgs[0])->nlmsg_flags |= NLM_F_ECHO;
	nl_port_transaction(w->port, NFNL_SUBSYS_NFTABLES, dry, r->msgs, r->n, results,
		nftables_take_generation, &generation);
	for (size_t i = 0; i < r->n; i++) {
		const int result = results[i];

		done &= !result;
		if (!result || result == -ECANCELED)
			continue;
		if (r->owners[i] == NFTABLES_OF_NOBODY)
			whole = result;
		else if (ops[r->owners[i]].result == NFTABLES_PENDING)
			ops[r->owners[i]].result = result;
	}
	for (size_t i = 0; i < n; i++)
		if (ops[i].result == NFTABLES_PENDING && (done || whole))
			ops[i].result = whole;
	if (!dry && done)
		nftables_generation_written(&w->generation, generation);
	else if (!dry)
		nftables_generation_forget(&w->generation);
	free(take(r->msgs));
	free(take(r->owners));
	*r = (struct nftables_requests){ 0 };
	return done;
}

bool nftables_any_pending(const struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].result == NFTABLES_PENDING)
			return true;
	return false;
}

/* Members */

struct member_reading {
	const struct fact_key *set;
	uint32_t mark_mask;
	struct fact_list *members;
};

static void keep_member(const struct fact *f, void *arg)
{
	fact_list_add(arg, *f);
}

static int take_members(struct nlmsghdr *msg, void *arg)
{
	const struct member_reading *r = arg;

	return nftables_read_members(msg, r->set, r->mark_mask, keep_member, r->members);
}

int nftables_wire_members(
	const struct nftables_wire *w, const struct fact_key *set, struct fact_list *ret)
{
	struct member_reading reading = { set, w->mark_mask, ret };

	return nl_port_ask(w->port, nftables_msg_members(set), take_members, &ret->n, &reading);
}
