// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/nftables.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "canary.h"
#include "core/fact_text.h"
#include "nftables_chains.h"
#include "nftables_msg.h"
#include "nftables_ranges.h"
#include "nftables_set.h"
#include "nftables_wire.h"

enum {
	FAMILIES = 2,
	HOOKS = HOOK_POSTROUTING + 1,
	TABLES = TABLE_MANGLE + 1,
	/* One transaction keeps all other writers of nf_tables waiting. */
	MEMBERS = 512,
};

/* A chain at a hook, as it was read or written. */
struct base_chain {
	bool present;
	bool right; /* at its hook, with its priority and type */
	struct fact_list jumps;
};

struct nftables {
	struct adapter adapter;
	struct nftables_wire wire;
	struct canary *canary; /* NULL: nobody asked for one */
	bool served[FAMILIES];
	uint32_t flags; /* of our tables */
	struct base_chain bases[FAMILIES][TABLES][HOOKS];
	uint32_t room[FAMILIES][SET_COUNT]; /* what was asked for last; 0: never */
};

static const int families[FAMILIES] = { AF_INET, AF_INET6 };

static size_t family_index(int family)
{
	return family == AF_INET6;
}

static void add_tables(const struct nftables *t, struct nftables_requests *r)
{
	for (size_t f = 0; f < FAMILIES; f++)
		if (t->served[f])
			nftables_requests_add(
				r, NFTABLES_OF_NOBODY, nftables_msg_table(families[f], t->flags));
}

/*
 * Owns the tables that outlived their owner. The kernel takes no new chain at a hook in the
 * transaction that does this.
 */
static void adopt_tables(struct nftables *t)
{
	const uint32_t orphaned = t->flags;
	struct nftables_requests r = { 0 };

	if ((orphaned & (NFTABLES_OWNER | NFTABLES_PERSIST)) != NFTABLES_PERSIST)
		return;
	t->flags |= NFTABLES_OWNER;
	add_tables(t, &r);
	if (!nftables_transact(&t->wire, &r, false, NULL, 0))
		t->flags = orphaned;
}

/* Deletes make no table. */
static void add_tables_for(
	struct nftables *t, struct nftables_requests *r, const struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].type != OP_DEL) {
			adopt_tables(t);
			add_tables(t, r);
			return;
		}
}

/* Sets */

static int take_sets(struct nlmsghdr *msg, void *arg)
{
	struct fact f;
	const int r = nftables_read_set(msg, &f);

	if (r <= 0)
		return r;
	fact_list_add(arg, f);
	return 0;
}

/* Asks for all sets of ours, or what else `message` asks for. -ENOENT: there is no table. */
static int ask(
	struct nftables *t, int message, int family, nl_reply_fn take, size_t *kept, void *arg)
{
	const int r = nl_port_ask(
		t->wire.port, nftables_msg_of_table(message, NLM_F_DUMP, family), take, kept, arg);

	return r == -ENOENT ? 0 : r;
}

/* Each family has a list of its own, which an interrupted dump begins anew. */
static int read_sets(struct nftables *t, struct fact_list *ret)
{
	int r = 0;

	for (size_t f = 0; !r && f < FAMILIES; f++) {
		_cleanup_(fact_list_done) struct fact_list sets = { 0 };

		if (t->served[f])
			r = ask(t, NFT_MSG_GETSET, families[f], take_sets, &sets.n, &sets);
		for (size_t i = 0; !r && i < sets.n; i++)
			fact_list_add(ret, sets.facts[i]);
	}
	return r;
}

static bool has_form(struct nftables *t, const struct fact *set)
{
	_cleanup_(fact_list_done) struct fact_list have = { 0 };

	if (read_sets(t, &have))
		return false;
	for (size_t i = 0; i < have.n; i++)
		if (fact_key_eq(&have.facts[i].key, &set->key))
			return have.facts[i].val.set.marks == set->val.set.marks;
	return false;
}

/* Counts sets and chains; notes, and what others have added, keep the table as well. */
static int count_object(struct nlmsghdr *msg, void *arg)
{
	struct nftables_chain chain;

	if (NFNL_MSG_TYPE(msg->nlmsg_type) == NFT_MSG_NEWCHAIN) {
		const int r = nftables_read_chain(msg, &chain);

		*(size_t *)arg += !r && chain.name;
		return r;
	}
	*(size_t *)arg += (size_t)nftables_read_any_set(msg);
	return 0;
}

/* With the last of our objects their tables go. */
static void remove_empty_tables(struct nftables *t)
{
	for (size_t f = 0; f < FAMILIES; f++) {
		struct nftables_requests r = { 0 };
		size_t sets = 0, chains = 0;

		if (!t->served[f] ||
			ask(t, NFT_MSG_GETSET, families[f], count_object, &sets, &sets) ||
			ask(t, NFT_MSG_GETCHAIN, families[f], count_object, &chains, &chains) ||
			sets || chains)
			continue;
		nftables_requests_add(&r, NFTABLES_OF_NOBODY,
			nftables_msg_of_table(NFT_MSG_DELTABLE, 0, families[f]));
		nftables_transact(&t->wire, &r, false, NULL, 0);
	}
}

static void apply_sets(struct nftables *t, struct op *ops, size_t n)
{
	struct nftables_requests r = { 0 };

	for (size_t i = 0; i < n; i++)
		if (ops[i].type == OP_SET && has_form(t, &ops[i].fact))
			ops[i].result = 0;
	while (nftables_any_pending(ops, n)) {
		add_tables_for(t, &r, ops, n);
		for (size_t i = 0; i < n; i++) {
			if (ops[i].result != NFTABLES_PENDING)
				continue;
			if (ops[i].type != OP_ADD)
				nftables_requests_add(&r, (int)i,
					nftables_msg_set(NFT_MSG_DELSET, &ops[i].fact.key));
			if (ops[i].type != OP_DEL)
				nftables_requests_add(&r, (int)i,
					nftables_msg_set(NFT_MSG_NEWSET, &ops[i].fact.key));
		}
		nftables_transact(&t->wire, &r, false, ops, n);
	}
	for (size_t i = 0; i < n; i++)
		if (!ops[i].result && ops[i].type != OP_DEL)
			t->room[family_index(ops[i].fact.key.family)][ops[i].fact.key.set] =
				ops[i].fact.val.set.max_members;
	for (size_t i = 0; i < n; i++)
		if (!ops[i].result && ops[i].type == OP_DEL) {
			remove_empty_tables(t);
			break;
		}
}

/* Members */

/* The kernel has the same answer for a set that is missing and for a member. One that changes may be
 * missing itself: to add it tells whether its set is. */
static int member_result(const struct op *op, int result)
{
	if (op->type == OP_DEL && result == -ENOENT)
		return 0;
	return op->type == OP_ADD && result == -ENOENT ? -ESRCH : result;
}

static void apply_members(struct nftables *t, struct op *ops, size_t n)
{
	_cleanup_free_ bool *replaces = mem_zalloc(n, sizeof(*replaces));
	struct nftables_ranges ranges[FAMILIES] = { 0 };
	struct nftables_requests r = { 0 };
	bool read[FAMILIES] = { false, false };

	while (nftables_any_pending(ops, n)) {
		for (size_t i = 0; i < n; i++) {
			const struct fact *f = &ops[i].fact;
			const size_t family = family_index(f->key.family);

			if (ops[i].result != NFTABLES_PENDING)
				continue;
			if (ops[i].type == OP_DEL) {
				nftables_requests_add(
					&r, (int)i, nftables_msg_member(NFT_MSG_DELSETELEM, f));
				continue;
			}
			if (f->key.kind == FACT_MEMBER &&
				f->key.set == SET_LOAD_BALANCER_SOURCE_CIDR) {
				if (!read[family])
					nftables_ranges_read(
						&ranges[family], &t->wire, f->key.family);
				read[family] = true;
				nftables_ranges_remove_wider(&ranges[family], &r, (int)i, f);
			}
			if (ops[i].type == OP_SET || replaces[i])
				nftables_requests_add(
					&r, (int)i, nftables_msg_member(NFT_MSG_DELSETELEM, f));
			nftables_requests_add(
				&r, (int)i, nftables_msg_member(NFT_MSG_NEWSETELEM, f));
		}
		nftables_transact(&t->wire, &r, false, ops, n);
		for (size_t i = 0; i < n; i++) {
			/* It is there with another value. */
			if (ops[i].result != -EEXIST || replaces[i] ||
				!nftables_has_values(&ops[i].fact.key))
				continue;
			replaces[i] = true;
			ops[i].result = NFTABLES_PENDING;
		}
		for (size_t f = 0; f < FAMILIES; f++) {
			nftables_ranges_done(&ranges[f]);
			read[f] = false;
		}
	}
	for (size_t i = 0; i < n; i++)
		ops[i].result = member_result(&ops[i], ops[i].result);
}

/* Chains */

/* All chains exist before rules lead from one to another, and none leads anywhere when they go. */
static void add_chains(
	const struct nftables *t, struct nftables_requests *r, const struct op *ops, size_t n)
{
	char name[NFTABLES_CHAIN_LEN + 1];

	for (size_t i = 0; i < n; i++) {
		const struct fact_key *key = &ops[i].fact.key;

		if (ops[i].result != NFTABLES_PENDING)
			continue;
		nftables_chain_name(key->set, key->name, name);
		if (ops[i].type != OP_DEL)
			nftables_requests_add(
				r, (int)i, nftables_msg_chain(NFT_MSG_NEWCHAIN, key->family, name));
		nftables_requests_add(r, (int)i, nftables_msg_flush(key->family, name));
	}
	for (size_t i = 0; i < n; i++) {
		const struct fact_key *key = &ops[i].fact.key;

		if (ops[i].result != NFTABLES_PENDING)
			continue;
		nftables_chain_name(key->set, key->name, name);
		if (ops[i].type == OP_DEL)
			nftables_requests_add(
				r, (int)i, nftables_msg_chain(NFT_MSG_DELCHAIN, key->family, name));
		else
			nftables_requests_add_rules(r, (int)i, &t->wire, name, &ops[i].fact);
	}
}

static void apply_chains(struct nftables *t, struct op *ops, size_t n)
{
	struct nftables_requests r = { 0 };

	while (nftables_any_pending(ops, n)) {
		add_tables_for(t, &r, ops, n);
		add_chains(t, &r, ops, n);
		nftables_transact(&t->wire, &r, false, ops, n);
	}
}

/* Jumps */

static struct base_chain *base_of(struct nftables *t, const struct fact_key *jump)
{
	return &t->bases[family_index(jump->family)][jump->set][jump->port];
}

static struct fact *find_jump(const struct base_chain *b, const struct fact_key *jump)
{
	for (size_t i = 0; i < b->jumps.n; i++)
		if (fact_key_eq(&b->jumps.facts[i].key, jump))
			return &b->jumps.facts[i];
	return NULL;
}

static void insert_jump(struct base_chain *b, const struct fact *jump)
{
	const size_t place = jump_place(&jump->key);
	size_t i;

	fact_list_add(&b->jumps, *jump);
	for (i = b->jumps.n - 1; i && jump_place(&b->jumps.facts[i - 1].key) > place; i--)
		b->jumps.facts[i] = b->jumps.facts[i - 1];
	b->jumps.facts[i] = *jump;
}

static void change_jump(struct base_chain *b, const struct op *op)
{
	struct fact *have = find_jump(b, &op->fact.key);

	if (op->type != OP_DEL && have)
		*have = op->fact;
	else if (op->type != OP_DEL)
		insert_jump(b, &op->fact);
	else if (have)
		memmove(have, have + 1,
			(size_t)(b->jumps.facts + --b->jumps.n - have) * sizeof(*have));
}

static void add_base(const struct nftables *t, struct nftables_requests *r,
	const struct base_chain *b, int family, enum table table, enum hook hook)
{
	char name[NFTABLES_CHAIN_LEN + 1];

	nftables_chain_name(table, hook_name(hook), name);
	if (b->present) {
		nftables_requests_add(r, NFTABLES_OF_NOBODY, nftables_msg_flush(family, name));
		if (!b->right || !b->jumps.n)
			nftables_requests_add(r, NFTABLES_OF_NOBODY,
				nftables_msg_chain(NFT_MSG_DELCHAIN, family, name));
	}
	if (b->jumps.n && !(b->present && b->right))
		nftables_requests_add(
			r, NFTABLES_OF_NOBODY, nftables_msg_base_chain(family, table, hook));
	for (size_t i = 0; i < b->jumps.n; i++)
		nftables_requests_add_rules(
			r, NFTABLES_OF_NOBODY, &t->wire, name, &b->jumps.facts[i]);
}

/* All of them take effect at once. */
static void apply_jumps(struct nftables *t, struct op *ops, size_t n)
{
	bool touched[FAMILIES][TABLES][HOOKS] = { 0 };
	struct nftables_requests r = { 0 };
	bool done;

	for (size_t i = 0; i < n; i++) {
		const struct fact_key *key = &ops[i].fact.key;

		change_jump(base_of(t, key), &ops[i]);
		touched[family_index(key->family)][key->set][key->port] = true;
	}
	add_tables_for(t, &r, ops, n);
	for (size_t f = 0; f < FAMILIES; f++)
		for (enum table table = TABLE_NAT; table <= TABLE_MANGLE; table++)
			for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_POSTROUTING; hook++)
				if (touched[f][table][hook])
					add_base(t, &r, &t->bases[f][table][hook], families[f],
						table, hook);
	done = nftables_transact(&t->wire, &r, false, ops, n);
	for (size_t i = 0; i < n; i++) {
		struct base_chain *b = base_of(t, &ops[i].fact.key);

		if (ops[i].result == NFTABLES_PENDING)
			ops[i].result = -ECANCELED;
		if (done)
			b->present = b->right = b->jumps.n != 0;
		else
			b->right = false; /* what stands there is unknown until it is read */
	}
}

static void nftables_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct nftables *t = container_of(a, struct nftables, adapter);

	for (size_t i = 0; i < n; i++)
		ops[i].result = NFTABLES_PENDING;
	for (size_t f = 0; f < FAMILIES; f++)
		nftables_ranges_rebuild(&t->wire, families[f], ops, n);
	switch (n ? (enum fact_kind)ops[0].fact.key.kind : FACT_KINDS) {
	case FACT_SET:
		apply_sets(t, ops, n);
		break;
	case FACT_MEMBER:
	case FACT_DISPATCH:
		for (size_t i = 0; i < n; i += MEMBERS)
			apply_members(t, ops + i, n - i < MEMBERS ? n - i : MEMBERS);
		break;
	case FACT_CHAIN:
		apply_chains(t, ops, n);
		break;
	case FACT_JUMP:
		apply_jumps(t, ops, n);
		break;
	default:
		break;
	}
}

/* Reading */

static int dump_sets(struct nftables *t, dump_fn fn, void *arg)
{
	_cleanup_(fact_list_done) struct fact_list sets = { 0 };
	const int r = read_sets(t, &sets);

	for (size_t i = 0; !r && i < sets.n; i++) {
		struct fact *f = &sets.facts[i];
		const uint32_t room = t->room[family_index(f->key.family)][f->key.set];

		if (room)
			f->val.set.max_members = room;
		fn(f, arg);
	}
	return r;
}

/* The set's elements are facts of that kind; those of SET_CLIENTS are of none. */
static bool set_has(enum set_id set, enum fact_kind kind)
{
	return set != SET_CLIENTS && kind == (set == SET_DISPATCH ? FACT_DISPATCH : FACT_MEMBER);
}

static int dump_members(struct nftables *t, enum fact_kind kind, dump_fn fn, void *arg)
{
	_cleanup_(fact_list_done) struct fact_list sets = { 0 }, members = { 0 };
	int r = read_sets(t, &sets);

	for (size_t i = 0; !r && i < sets.n; i++) {
		const struct fact_key *set = &sets.facts[i].key;
		const struct fact ours = fact_set(set->set, set->family);

		if (!set_has(set->set, kind) || sets.facts[i].val.set.marks != ours.val.set.marks)
			continue;
		members.n = 0;
		r = nftables_wire_members(&t->wire, set, &members);
		for (size_t k = 0; !r && k < members.n; k++)
			fn(&members.facts[k], arg);
		if (r == -ENOENT) /* deleted meanwhile */
			r = 0;
	}
	return r;
}

/* Remembers what stands at the hook. */
static void tell_jumps(struct nftables *t, const struct nftables_base *found, dump_fn fn, void *arg)
{
	struct base_chain *b = &t->bases[family_index(found->family)][found->table][found->hook];

	b->present = true;
	b->right = found->right;
	for (size_t i = 0; i < found->jumps.n; i++) {
		struct fact f = found->jumps.facts[i];

		if (find_jump(b, &f.key))
			continue; /* twice: all of them are written again */
		change_jump(b, &(struct op){ .type = OP_ADD, .fact = f });
		if (found->other || !found->right)
			f.val.chain.rules = nftables_other_hash(f.val.chain.rules);
		fn(&f, arg);
	}
}

static void forget_jumps(struct nftables *t)
{
	for (size_t f = 0; f < FAMILIES; f++)
		for (enum table table = TABLE_NAT; table <= TABLE_MANGLE; table++)
			for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_POSTROUTING; hook++) {
				struct base_chain *b = &t->bases[f][table][hook];

				b->present = b->right = false;
				b->jumps.n = 0;
			}
}

static int dump_chains(struct nftables *t, enum fact_kind kind, dump_fn fn, void *arg)
{
	struct nftables_chains found[FAMILIES] = { 0 };
	int error = 0;

	for (size_t f = 0; !error && f < FAMILIES; f++)
		if (t->served[f])
			error = nftables_chains_read(t->wire.port, families[f], t->wire.pool,
				t->wire.mark_mask, &found[f]);
	if (!error && kind == FACT_JUMP)
		forget_jumps(t);
	for (size_t f = 0; f < FAMILIES; f++) {
		for (size_t i = 0; !error && kind == FACT_CHAIN && i < found[f].chains.n; i++)
			fn(&found[f].chains.facts[i], arg);
		for (size_t i = 0; !error && kind == FACT_JUMP && i < found[f].n_bases; i++)
			tell_jumps(t, &found[f].bases[i], fn, arg);
		nftables_chains_done(&found[f]);
	}
	return error;
}

static int nftables_dump(
	struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	struct nftables *t = container_of(a, struct nftables, adapter);
	int r;

	switch (kind) {
	case FACT_SET:
		r = dump_sets(t, fn, arg);
		break;
	case FACT_MEMBER:
	case FACT_DISPATCH:
		r = dump_members(t, kind, fn, arg);
		break;
	default:
		r = dump_chains(t, kind, fn, arg);
		break;
	}
	return r ? err_errno(err, r, "cannot read the nftables table " NFTABLES_TABLE) : 0;
}

static uint64_t nftables_epoch(struct adapter *a)
{
	struct nftables *t = container_of(a, struct nftables, adapter);

	return nftables_generation_epoch(&t->wire.generation, t->wire.port);
}

/* Notes */

static int note_family(const struct nftables *t)
{
	return t->served[0] ? AF_INET : AF_INET6;
}

static int take_note(struct nlmsghdr *msg, void *arg)
{
	return nftables_read_note(msg, arg);
}

static int nftables_dump_note(
	struct adapter *a, const char *name, struct port_set *ret, struct err *err)
{
	struct nftables *t = container_of(a, struct nftables, adapter);
	struct port_set found = { 0 };
	const int r = nl_port_ask(t->wire.port,
		nftables_msg_note(NFT_MSG_GETSETELEM, NLM_F_DUMP, note_family(t), name), take_note,
		NULL, &found);

	if (r && r != -ENOENT)
		return err_errno(err, r, "cannot read the nftables set %s", name);
	*ret = found;
	return 0;
}

static int nftables_write_note(
	struct adapter *a, const char *name, const struct port_set *ports, struct err *err)
{
	struct nftables *t = container_of(a, struct nftables, adapter);
	const int family = note_family(t);
	struct op op = { .result = NFTABLES_PENDING };
	struct nftables_requests r = { 0 };

	adopt_tables(t);
	add_tables(t, &r);
	nftables_requests_add(&r, 0, nftables_msg_note(NFT_MSG_NEWSET, 0, family, name));
	nftables_requests_add(&r, 0, nftables_msg_note(NFT_MSG_DELSETELEM, 0, family, name));
	for (unsigned port = 0; port <= UINT16_MAX; port++)
		if (port_set_has(ports, (uint16_t)port))
			nftables_requests_add(
				&r, 0, nftables_msg_noted(family, name, (uint16_t)port));
	if (!port_set_count(ports))
		nftables_requests_add(&r, 0, nftables_msg_note(NFT_MSG_DELSET, 0, family, name));
	nftables_transact(&t->wire, &r, false, &op, 1);
	if (op.result)
		return err_errno(err, op.result, "cannot write the nftables set %s", name);
	if (!port_set_count(ports))
		remove_empty_tables(t);
	return 0;
}

/* Opening */

static void try_fact(
	const struct nftables *t, struct nftables_requests *r, int owner, const struct fact *f)
{
	const struct fact_key *key = &f->key;
	char name[NFTABLES_CHAIN_LEN + 1];

	switch ((enum fact_kind)key->kind) {
	case FACT_SET:
		nftables_requests_add(r, owner, nftables_msg_set(NFT_MSG_NEWSET, key));
		return;
	case FACT_MEMBER:
	case FACT_DISPATCH:
		nftables_requests_add(r, owner, nftables_msg_member(NFT_MSG_NEWSETELEM, f));
		return;
	case FACT_CHAIN:
		nftables_chain_name(key->set, key->name, name);
		nftables_requests_add_rules(r, owner, &t->wire, name, f);
		return;
	case FACT_JUMP:
		nftables_chain_name(key->set, hook_name(key->port), name);
		nftables_requests_add(
			r, owner, nftables_msg_base_chain(key->family, key->set, key->port));
		nftables_requests_add_rules(r, owner, &t->wire, name, f);
		return;
	default:
		return;
	}
}

int nftables_try(struct adapter *a, const struct fact *facts, size_t n, struct err *err)
{
	struct nftables *t = container_of(a, struct nftables, adapter);
	_cleanup_free_ struct op *ops = mem_zalloc(n, sizeof(*ops));
	char name[NFTABLES_CHAIN_LEN + 1];
	struct nftables_requests r = { 0 };

	add_tables(t, &r);
	for (size_t i = 0; i < n; i++) {
		ops[i] =
			(struct op){ .type = OP_ADD, .fact = facts[i], .result = NFTABLES_PENDING };
		if (facts[i].key.kind != FACT_CHAIN)
			continue;
		nftables_chain_name(facts[i].key.set, facts[i].key.name, name);
		nftables_requests_add(&r, (int)i,
			nftables_msg_chain(NFT_MSG_NEWCHAIN, facts[i].key.family, name));
	}
	for (size_t i = 0; i < n; i++)
		try_fact(t, &r, (int)i, &facts[i]);
	nftables_transact(&t->wire, &r, true, ops, n);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(buf_done) struct buf what = { 0 };

		/* A set may be there already. */
		if (ops[i].result >= 0 || ops[i].result == -EEXIST)
			continue;
		fact_print(&what, &facts[i]);
		return err_errno(err, ops[i].result, "nftables refuses %s", buf_str(&what));
	}
	return 0;
}

int nftables_watch_others(struct adapter *a, struct err *err)
{
	struct nftables *t = container_of(a, struct nftables, adapter);
	struct nftables_requests r = { 0 };
	int e = canary_new(&t->canary, err);

	if (!e)
		e = canary_add_table(t->canary, NFTABLES_TABLE, err);
	if (e) {
		canary_free(take(t->canary));
		return e;
	}
	canary_written_by(t->canary, t->wire.port->id);
	adopt_tables(t);
	add_tables(t, &r);
	nftables_transact(&t->wire, &r, false, NULL, 0);
	return canary_fd(t->canary);
}

bool nftables_disturbed(struct adapter *a, uint64_t now, uint64_t repairs)
{
	struct nftables *t = container_of(a, struct nftables, adapter);

	return canary_disturbed(t->canary, now, 0, repairs);
}

const char *nftables_explain(const struct op *op)
{
	switch (op->result) {
	case -EPERM:
		return "CAP_NET_ADMIN is missing, or another process owns the table";
	case -EBUSY:
		return "rules still refer to it";
	case -EOPNOTSUPP:
		return "the kernel lacks an expression or a type of set";
	case -ESRCH:
		return "there is no such set";
	case -ECANCELED:
		return "another part of the transaction failed";
	default:
		return NULL;
	}
}

static int take_flags(struct nlmsghdr *msg, void *arg)
{
	const char *name;
	uint32_t flags;
	uint32_t *ret = arg;

	if (nftables_read_table(msg, &name, &flags))
		return -EBADMSG;
	if (!strcmp(name, NFTABLES_TABLE))
		*ret = flags;
	return 0;
}

/*
 * Whether tables can have an owner: the flags of those that are there, as they cannot be changed,
 * else what the kernel takes. Those that outlived their owner are without one: see adopt_tables().
 */
static int find_flags(struct nftables *t)
{
	const uint32_t unknown = UINT32_MAX;
	struct nftables_requests r = { 0 };
	int error = 0;

	t->flags = unknown;
	for (size_t f = 0; !error && f < FAMILIES; f++)
		if (t->served[f])
			error = nl_port_ask(t->wire.port,
				nl_request_netfilter(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
					NLM_F_DUMP, families[f]),
				take_flags, NULL, &t->flags);
	if (error || t->flags != unknown)
		return error;
	t->flags = NFTABLES_OWNER | NFTABLES_PERSIST;
	add_tables(t, &r);
	if (!nftables_transact(&t->wire, &r, true, NULL, 0))
		t->flags = 0;
	return 0;
}

int nftables_new(const struct rule_pool *pool, bool ipv4, bool ipv6, uint32_t mark_mask,
	struct adapter **ret, struct err *err)
{
	struct nftables *t;
	struct nl_port *port;
	int e = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (e)
		return e;
	t = new0(struct nftables);
	t->adapter = (struct adapter){
		.name = "nftables",
		.kinds = 1u << FACT_SET | 1u << FACT_MEMBER | 1u << FACT_CHAIN |
			1u << FACT_DISPATCH | 1u << FACT_JUMP,
		.apply = nftables_apply,
		.whole_queue = true,
		.dump = nftables_dump,
		.epoch = nftables_epoch,
		.explain = nftables_explain,
		.read_note = nftables_dump_note,
		.write_note = nftables_write_note,
	};
	t->wire.pool = pool;
	t->wire.port = port;
	t->wire.mark_mask = mark_mask;
	t->served[0] = ipv4;
	t->served[1] = ipv6;
	e = find_flags(t);
	if (!e) {
		*ret = &t->adapter;
		return 0;
	}
	nftables_free(&t->adapter);
	/* nfnetlink has no handler for the subsystem. */
	if (e == -EINVAL || e == -EOPNOTSUPP)
		return err_set(err, -ENOENT, "this kernel has no nf_tables (CONFIG_NF_TABLES)");
	return err_errno(err, e, "nftables does not work");
}

void nftables_free(struct adapter *a)
{
	struct nftables *t;

	if (!a)
		return;
	t = container_of(a, struct nftables, adapter);
	for (size_t f = 0; f < FAMILIES; f++)
		for (enum table table = TABLE_NAT; table <= TABLE_MANGLE; table++)
			for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_POSTROUTING; hook++)
				fact_list_done(&t->bases[f][table][hook].jumps);
	canary_free(t->canary);
	nl_port_free(t->wire.port);
	free(t);
}
