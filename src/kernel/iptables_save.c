// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "iptables_tree.h"
#include "kernel/iptables_text.h"

static uint32_t saved_hash(const struct fact_key *key)
{
	return map_hash(key, sizeof(*key));
}

static struct saved_chain *find_saved_chain(const struct map *chains, const struct fact_key *key)
{
	map_for_each_match_entry(struct saved_chain, c, chains, saved_hash(key), by_key)
		if (fact_key_eq(&c->key, key))
			return c;
	return NULL;
}

const struct saved_chain *saved_find(const struct saved *s, const struct fact_key *key)
{
	return find_saved_chain(&s->chains, key);
}

static struct saved_chain *get_saved_chain(struct map *chains, const struct fact_key *key)
{
	struct saved_chain *c = find_saved_chain(chains, key);

	if (c)
		return c;
	c = new0(struct saved_chain);
	c->key = *key;
	c->hash = HASH_EMPTY;
	map_add(chains, &c->by_key, saved_hash(key));
	return c;
}

static void saved_chains_done(struct map *chains)
{
	map_for_each_entry(struct saved_chain, c, chains, by_key) {
		buf_done(&c->literal);
		free(c);
	}
	map_done(chains);
}

void saved_done(struct saved *s)
{
	saved_chains_done(&s->chains);
	saved_chains_done(&s->tree);
	fact_list_done(&s->dispatch);
	leftovers_done(&s->left);
	*s = (struct saved){ 0 };
}

void saved_keep_jumps(struct saved *s)
{
	struct saved jumps = { .family = s->family };

	map_for_each_entry(struct saved_chain, c, &s->chains, by_key) {
		if (c->key.kind != FACT_JUMP)
			continue;
		map_del(&s->chains, &c->by_key);
		map_add(&jumps.chains, &c->by_key, saved_hash(&c->key));
	}
	saved_done(s);
	*s = jumps;
}

/* One table while it is read; the buffers serve one rule after the other. */
struct saved_table {
	struct saved *saved;
	enum table table;
	struct iptables_rule rule;
	struct rule_list packed;
};

static void saved_table_done(struct saved_table *t)
{
	iptables_rule_done(&t->rule);
	rule_list_done(&t->packed);
}

/* Of our chains; those of the tree are kept apart. */
static struct saved_chain *get_own_chain(const struct saved_table *t, const char *name)
{
	struct saved *s = t->saved;
	const struct fact f = fact_chain(s->family, t->table, name, 0);
	const bool in_tree = t->table == TABLE_NAT && tree_has_chain(name);

	return get_saved_chain(in_tree ? &s->tree : &s->chains, &f.key);
}

/* Only rules of our chains and of built-in chains are read: others may have very many. */
static void add_saved_rule(struct saved_table *t, const struct iptables_line *line)
{
	const bool ours = iptables_chain_is_ours(t->table, line->name);
	struct saved *s = t->saved;
	struct saved_chain *c;
	enum hook hook;
	struct fact f;

	if (!ours && !hook_parse(line->name, &hook))
		return;
	iptables_parse_rule(line->rule, line->len, s->family, &t->rule);
	if (ours) {
		c = get_own_chain(t, line->name);
	} else if (chain_is_ours(t->table, t->rule.target)) {
		f = fact_jump(s->family, t->table, hook, t->rule.target, 0);
		c = get_saved_chain(&s->chains, &f.key);
		buf_add(&c->literal, line->rule, line->len);
		buf_addc(&c->literal, '\n');
	} else {
		return;
	}

	if (t->rule.readable) {
		rule_list_reset(&t->packed);
		rule_list_add(&t->packed, &t->rule.rule);
		c->hash = rule_list_hash(c->hash, &t->packed);
	} else {
		c->hash = hash_more(c->hash, line->rule, line->len);
	}

	if (!ours || t->table != TABLE_NAT)
		return;
	if (!tree_has_chain(line->name))
		s->tree_used |= tree_is_root(t->rule.target);
	else if (t->rule.readable && tree_read_entry(&t->rule.rule, s->family, &f))
		fact_list_add(&s->dispatch, f);
}

/* A table begins with "*TABLE" and ends with "COMMIT". */
int saved_add(struct saved *s, enum table table, const char *text, struct err *err)
{
	_cleanup_(saved_table_done) struct saved_table t = { .saved = s, .table = table };
	bool begun = false, ended = false;
	struct iptables_line line;

	for (const char *at = text; iptables_next_line(&at, &line);) {
		switch (line.type) {
		case IPTABLES_LINE_TABLE:
			begun = !strcmp(line.name, table_name(table));
			break;
		case IPTABLES_LINE_CHAIN:
			if (!begun)
				break;
			leftovers_note(&s->left, s->family, table, line.name, true);
			if (iptables_chain_is_ours(table, line.name))
				get_own_chain(&t, line.name);
			break;
		case IPTABLES_LINE_RULE:
			if (begun)
				add_saved_rule(&t, &line);
			break;
		case IPTABLES_LINE_COMMIT:
			ended = ended || begun;
			break;
		case IPTABLES_LINE_OTHER:
			break;
		}
	}
	if (!ended)
		return err_set(err, -EPROTO, "iptables-save did not print the whole table %s%s",
			table_name(table),
			strstr(text, "is incompatible")
				? ": it has rules of nft that iptables cannot express"
				: "");
	return 0;
}
