// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_document.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "iptables_dispatch.h"
#include "kernel/iptables_text.h"

const enum table document_tables[3] = { TABLE_NAT, TABLE_FILTER, TABLE_MANGLE };

void document_reset(struct document *d)
{
	buf_reset(&d->text);
	memset(d->rules, 0, sizeof(d->rules));
}

void document_done(struct document *d)
{
	buf_done(&d->text);
	*d = (struct document){ 0 };
}

/* Appends the section, if there is anything in it, and releases it. */
static void finish_section(struct document *d, enum table table, struct document_section *s)
{
	if (s->headers.len || s->rules.len) {
		buf_addf(&d->text, "*%s\n", table_name(table));
		buf_add(&d->text, buf_str(&s->headers), s->headers.len);
		buf_add(&d->text, buf_str(&s->rules), s->rules.len);
		buf_add(&d->text, buf_str(&s->deletions), s->deletions.len);
		buf_adds(&d->text, "COMMIT\n");
		d->rules[table] += s->n_rules;
	}
	buf_done(&s->headers);
	buf_done(&s->rules);
	buf_done(&s->deletions);
}

void document_add_chains(struct document *d, const struct rule_pool *pool,
	struct dispatch *dispatch, struct op *const ops[], size_t n)
{
	for (size_t t = 0; t < ARRAY_SIZE(document_tables); t++) {
		struct document_section s = { 0 };

		for (size_t i = 0; i < n; i++) {
			const struct fact_key *key = &ops[i]->fact.key;
			const bool deletes = ops[i]->type == OP_DEL;
			const struct rule_list *rules = NULL;

			if (key->set != document_tables[t])
				continue;
			if (!deletes)
				rules = rule_pool_get(pool, ops[i]->fact.val.chain.rules);
			assert(rules || deletes);
			buf_addf(&s.headers, ":%s - [0:0]\n", key->name);
			if (rules) {
				iptables_print_rules(&s.rules, key->family, key->name, rules);
				s.n_rules += rules->n;
			} else {
				buf_addf(&s.deletions, "-X %s\n", key->name);
			}
			if (key->set == TABLE_NAT)
				dispatch_follow(dispatch, key->name, rules, &s);
		}
		finish_section(d, document_tables[t], &s);
	}
}

void document_add_jumps(struct document *d, const struct rule_pool *pool,
	const struct saved *snapshot, struct op *const ops[], size_t n)
{
	for (size_t t = 0; t < ARRAY_SIZE(document_tables); t++) {
		struct document_section s = { 0 };

		for (size_t i = 0; i < n; i++) {
			const struct fact_key *key = &ops[i]->fact.key;
			const struct saved_chain *old = saved_find(snapshot, key);
			const bool deletes = ops[i]->type == OP_DEL;
			const struct rule_list *rules = NULL;
			struct rule rule;

			if (key->set != document_tables[t])
				continue;
			if (!deletes)
				rules = rule_pool_get(pool, ops[i]->fact.val.chain.rules);
			assert(rules || deletes);
			for (const char *line = old ? buf_str(&old->literal) : "", *end; *line;
				line = end + 1) {
				end = strchrnul(line, '\n');
				buf_addf(&s.rules, "-D %s %.*s\n", hook_name(key->port),
					(int)(end - line), line);
			}
			for (size_t at = 0; rules && rule_list_next(rules, &at, &rule);) {
				buf_addf(&s.rules, "-I %s 1 ", hook_name(key->port));
				iptables_print_rule(&s.rules, key->family, NULL, &rule);
				buf_addc(&s.rules, '\n');
			}
		}
		finish_section(d, document_tables[t], &s);
	}
}

void document_add_dispatch(
	struct document *d, struct dispatch *dispatch, struct op *const ops[], size_t n)
{
	struct document_section s = { 0 };

	dispatch_change(dispatch, (const struct op *const *)ops, n, &s);
	finish_section(d, TABLE_NAT, &s);
}

void document_add_headers(struct document *d, struct op *const ops[], size_t n)
{
	const enum op_type type = ops[0]->type == OP_DEL ? OP_DEL : OP_ADD;

	for (size_t t = 0; t < ARRAY_SIZE(document_tables); t++) {
		struct document_section s = { 0 };

		for (size_t i = 0; i < n; i++)
			if (ops[i]->type == type && ops[i]->fact.key.set == document_tables[t])
				buf_addf(&s.headers, ":%s - [0:0]\n", ops[i]->fact.key.name);
		finish_section(d, document_tables[t], &s);
	}
}
