// SPDX-License-Identifier: GPL-2.0-or-later
#include "nftables_chains.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "nftables_msg.h"
#include "nftables_rule.h"

/* A chain as it is read. Its rules are compared one by one with those that it should have. */
struct read_chain {
	int family;
	char name[NFTABLES_CHAIN_LEN + 1];
	struct nftables_dialect dialect;
	bool base, right;
	enum hook hook;
	bool ours;   /* a chain of facts, or at a hook */
	bool hooked; /* a chain of facts that others have put at a hook */
	/* Of its rules, as far as they were read: */
	bool other; /* they differ from what their hash stands for */
	uint64_t hash;
	size_t at, n;		/* where in the list of rules the next one stands */
	struct fact_list jumps; /* of a base chain */
};

struct chain_reading {
	const struct rule_pool *pool;
	uint32_t mark_mask;
	struct read_chain *chains;
	size_t n, cap;
	size_t n_rules; /* 0 again where an interrupted dump begins anew */
};

/* Finds out what "nat-PREROUTING" or "nat-KUBE-SERVICES" is. */
static void name_chain(struct read_chain *c, const struct nftables_chain *told)
{
	char table[8];
	const char *dash = strchr(told->name, '-');
	const size_t len = dash ? (size_t)(dash - told->name) : sizeof(table);
	struct nftables_hook at;
	enum table id;

	if (len >= sizeof(table) || strlen(told->name) > NFTABLES_CHAIN_LEN)
		return;
	memcpy(table, told->name, len);
	table[len] = '\0';
	if (!table_parse(table, &id))
		return;
	memcpy(c->name, told->name, strlen(told->name) + 1);
	c->dialect.table = id;
	if (hook_parse(dash + 1, &c->hook)) {
		c->base = true;
		c->right = told->base && nftables_hook_of(id, c->hook, &at) &&
			at.hook == told->hook && at.priority == told->priority &&
			!strcmp(at.type, told->type);
		c->ours = true;
		return;
	}
	c->hooked = told->base;
	c->ours = strlen(dash + 1) <= CHAIN_NAME_LEN && chain_is_ours(id, dash + 1);
}

static int take_chain(struct nlmsghdr *msg, void *arg)
{
	struct chain_reading *reading = arg;
	struct nftables_chain told;
	struct read_chain c = { .hash = HASH_EMPTY };
	const int r = nftables_read_chain(msg, &told);

	if (r || !told.name)
		return r;
	c.family = told.family;
	c.dialect = (struct nftables_dialect){ told.family, TABLE_NAT, reading->mark_mask };
	name_chain(&c, &told);
	if (!c.ours)
		return 0;
	mem_grow(reading->chains, reading->n, reading->cap);
	reading->chains[reading->n++] = c;
	return 0;
}

static struct read_chain *find_chain(const struct chain_reading *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (!strcmp(r->chains[i].name, name))
			return &r->chains[i];
	return NULL;
}

/* Whether the kernel has this rule as we write it. */
static bool is_written_as(
	const struct nftables_dialect *d, const struct rule *rule, const struct nftables_rule *told)
{
	struct nl_msg *msg = nftables_msg_rule(d, "", rule, 0);
	struct nlattr *written = msg
		? nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct nfgenmsg), NFTA_RULE_EXPRESSIONS)
		: NULL;
	const bool same = written && told->expressions
		? nftables_rule_holds(written, told->expressions)
		: msg && !written && !told->expressions;

	nlmsg_free(msg);
	return same;
}

/* A rule at a hook is a jump: the only rule of its fact. */
static void compare_jump(
	struct read_chain *c, const struct nftables_rule *told, const struct rule_list *list)
{
	const char *to = told->expressions ? nftables_rule_leads_to(told->expressions) : NULL;
	const size_t prefix = strlen(table_name(c->dialect.table)) + 1;
	_cleanup_(rule_list_done) struct rule_list unwanted = { 0 };
	struct fact jump;
	struct rule rule;
	size_t at = 0;

	if (!to || strlen(to) <= prefix || !chain_is_ours(c->dialect.table, to + prefix)) {
		c->other = true;
		return;
	}
	jump = fact_jump(c->family, c->dialect.table, c->hook, to + prefix, told->hash);
	if (!list && jump_rules(&jump, &unwanted))
		list = &unwanted;
	if (!list || !rule_list_next(list, &at, &rule) || !is_written_as(&c->dialect, &rule, told))
		c->other = true;
	fact_list_add(&c->jumps, jump);
}

static void compare_rule(
	struct read_chain *c, const struct nftables_rule *told, const struct rule_list *list)
{
	struct rule rule;

	if (!c->n)
		c->hash = told->hash;
	c->n++;
	if (!list || told->hash != c->hash || !rule_list_next(list, &c->at, &rule) ||
		!is_written_as(&c->dialect, &rule, told))
		c->other = true;
}

static void forget_rules(struct chain_reading *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct read_chain *c = &r->chains[i];

		c->other = false;
		c->hash = HASH_EMPTY;
		c->at = c->n = c->jumps.n = 0;
	}
}

static int take_rule(struct nlmsghdr *msg, void *arg)
{
	struct chain_reading *reading = arg;
	struct nftables_rule told;
	struct read_chain *c;
	const int r = nftables_read_rule(msg, &told);

	if (r || !told.chain)
		return r;
	if (!reading->n_rules++)
		forget_rules(reading);
	c = find_chain(reading, told.chain);
	if (!c)
		return 0;
	if (c->base)
		compare_jump(c, &told, rule_pool_get(reading->pool, told.hash));
	else
		compare_rule(c, &told, rule_pool_get(reading->pool, told.hash));
	return 0;
}

uint64_t nftables_other_hash(uint64_t hash)
{
	return ~hash;
}

static struct fact fact_of_chain(const struct rule_pool *pool, const struct read_chain *c)
{
	const struct rule_list *list = rule_pool_get(pool, c->hash);
	const bool whole = list ? c->n == list->n : !c->n;

	return fact_chain(c->family, c->dialect.table, strchr(c->name, '-') + 1,
		c->other || c->hooked || !whole ? nftables_other_hash(c->hash) : c->hash);
}

static void keep_chain(
	struct nftables_chains *ret, const struct rule_pool *pool, struct read_chain *c)
{
	if (!c->base) {
		fact_list_add(&ret->chains, fact_of_chain(pool, c));
		return;
	}
	mem_grow(ret->bases, ret->n_bases, ret->bases_cap);
	ret->bases[ret->n_bases++] = (struct nftables_base){ c->family, c->dialect.table, c->hook,
		c->right, c->other, c->jumps };
	c->jumps = (struct fact_list){ 0 };
}

int nftables_chains_read(struct nl_port *port, int family, const struct rule_pool *pool,
	uint32_t mark_mask, struct nftables_chains *ret)
{
	struct chain_reading r = { .pool = pool, .mark_mask = mark_mask };
	int error = nl_port_ask(port, nftables_msg_of_table(NFT_MSG_GETCHAIN, NLM_F_DUMP, family),
		take_chain, &r.n, &r);

	if (!error)
		error = nl_port_ask(port,
			nftables_msg_of_table(NFT_MSG_GETRULE, NLM_F_DUMP, family), take_rule,
			&r.n_rules, &r);
	if (!r.n_rules) /* an interrupted dump had some */
		forget_rules(&r);
	if (error == -ENOENT) /* there is no table */
		error = 0;
	for (size_t i = 0; i < r.n; i++) {
		if (!error)
			keep_chain(ret, pool, &r.chains[i]);
		fact_list_done(&r.chains[i].jumps);
	}
	free(r.chains);
	return error;
}

void nftables_chains_done(struct nftables_chains *c)
{
	fact_list_done(&c->chains);
	for (size_t i = 0; i < c->n_bases; i++)
		fact_list_done(&c->bases[i].jumps);
	free(take(c->bases));
	c->n_bases = c->bases_cap = 0;
}
