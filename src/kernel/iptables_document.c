// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One document a batch: the tables in the order nat, filter, mangle; in each first the headers of
 * all chains, which make or empty them, so that rules may refer to any; then the rules; then what
 * is deleted. iptables-restore commits a table as a whole or not at all, but each table for itself.
 *
 * A jump's rules are deleted as iptables-save tells them at that moment, because what somebody else
 * inserted may look different from what we would.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "iptables_own.h"
#include "iptables_tree.h"
#include "kernel/iptables_text.h"

const enum table iptables_tables[3] = { TABLE_NAT, TABLE_FILTER, TABLE_MANGLE };

struct section {
	struct buf headers, rules, deletions;
};

static void section_done(struct section *s)
{
	buf_done(&s->headers);
	buf_done(&s->rules);
	buf_done(&s->deletions);
}

static const struct rule_list *rules_of(const struct iptables *t, const struct op *op)
{
	const struct rule_list *rules = rule_pool_get(t->pool, op->fact.val.chain.rules);

	assert(rules);
	return rules;
}

static void add_header(struct buf *b, const struct fact_key *key)
{
	buf_addf(b, ":%s - [0:0]\n", key->name);
}

static void add_chain(
	const struct iptables *t, struct family *f, const struct op *op, struct section *s)
{
	const struct fact_key *key = &op->fact.key;
	const struct rule_list *rules = op->type == OP_DEL ? NULL : rules_of(t, op);

	add_header(&s->headers, key);
	if (rules)
		iptables_print_rules(&s->rules, key->family, key->name, rules);
	else
		buf_addf(&s->deletions, "-X %s\n", key->name);
	if (key->set == TABLE_NAT && !strcmp(key->name, "KUBE-SERVICES"))
		dispatch_use(&f->dispatch, rules, &s->headers, &s->deletions);
	else if (key->set == TABLE_NAT && rules)
		dispatch_lead(&f->dispatch, rules, &s->headers);
}

/* All rules that lead from the hook to the chain. */
static void add_deletions(const struct family *f, const struct fact_key *key, struct buf *b)
{
	const struct saved_chain *c = saved_find(&f->snapshot, key);

	if (!c)
		return;
	for (const char *line = buf_str(&c->literal), *end; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		buf_addf(b, "-D %s %.*s\n", hook_name(key->port), (int)(end - line), line);
	}
}

static void add_insertion(const struct fact_key *key, const struct rule_list *rules, struct buf *b)
{
	struct rule rule;

	for (size_t at = 0; rule_list_next(rules, &at, &rule);) {
		buf_addf(b, "-I %s 1 ", hook_name(key->port));
		iptables_print_rule(b, key->family, &rule);
		buf_addc(b, '\n');
	}
}

static void add_jump(
	const struct iptables *t, const struct family *f, const struct op *op, struct section *s)
{
	add_deletions(f, &op->fact.key, &s->rules);
	if (op->type != OP_DEL)
		add_insertion(&op->fact.key, rules_of(t, op), &s->rules);
}

static void add_section(const struct section *s, enum table table, struct buf *ret)
{
	if (!s->headers.len && !s->rules.len)
		return;
	buf_addf(ret, "*%s\n", table_name(table));
	buf_add(ret, buf_str(&s->headers), s->headers.len);
	buf_add(ret, buf_str(&s->rules), s->rules.len);
	buf_add(ret, buf_str(&s->deletions), s->deletions.len);
	buf_adds(ret, "COMMIT\n");
}

static void document_of_dispatch(const struct batch *b, struct buf *ret)
{
	_cleanup_(section_done) struct section s = { 0 };

	dispatch_change(&b->family->dispatch, (const struct op *const *)b->ops, b->n, &s.headers,
		&s.rules, &s.deletions);
	add_section(&s, TABLE_NAT, ret);
}

static void document_of_table(
	const struct iptables *t, const struct batch *b, enum table table, struct buf *ret)
{
	_cleanup_(section_done) struct section s = { 0 };

	for (size_t i = 0; i < b->n; i++) {
		if (b->ops[i]->fact.key.set != table)
			continue;
		if (b->ops[i]->fact.key.kind == FACT_CHAIN)
			add_chain(t, b->family, b->ops[i], &s);
		else
			add_jump(t, b->family, b->ops[i], &s);
	}
	add_section(&s, table, ret);
}

void document_of_batch(const struct iptables *t, const struct batch *b, struct buf *ret)
{
	if (b->ops[0]->fact.key.kind == FACT_DISPATCH) {
		document_of_dispatch(b, ret);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(iptables_tables); i++)
		document_of_table(t, b, iptables_tables[i], ret);
}

void document_of_headers(const struct batch *b, struct buf *ret)
{
	enum op_type type = b->ops[0]->type == OP_DEL ? OP_DEL : OP_ADD;

	for (size_t i = 0; i < ARRAY_SIZE(iptables_tables); i++) {
		_cleanup_(section_done) struct section s = { 0 };

		for (size_t k = 0; k < b->n; k++)
			if (b->ops[k]->type == type &&
				b->ops[k]->fact.key.set == iptables_tables[i])
				add_header(&s.headers, &b->ops[k]->fact.key);
		add_section(&s, iptables_tables[i], ret);
	}
}

void document_count(const struct buf *document, struct iptables_counts *counts)
{
	enum table table = TABLE_NAT;

	for (const char *line = buf_str(document); *line; line = strchr(line, '\n') + 1) {
		counts->written[table] += !strncmp(line, "-A ", 3);
		for (enum table i = 0; *line == '*' && i <= TABLE_MANGLE; i++)
			if (!strncmp(line + 1, table_name(i), strlen(table_name(i))))
				table = i;
	}
}
