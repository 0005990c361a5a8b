// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_save.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "iptables_tree.h"
#include "kernel/iptables_text.h"

const struct saved_chain *saved_find(const struct saved *s, const struct fact_key *key)
{
	const uint32_t hash = map_hash(key, sizeof(*key));

	map_for_each_match_entry(struct saved_chain, c, &s->chains, hash, by_key)
		if (fact_key_eq(&c->key, key))
			return c;
	return NULL;
}

void saved_done(struct saved *s)
{
	struct map *const maps[] = { &s->chains, &s->tree };

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		map_for_each_entry(struct saved_chain, c, maps[i], by_key) {
			buf_done(&c->literal);
			free(c);
		}
		map_done(maps[i]);
	}
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
		map_add(&jumps.chains, &c->by_key, map_hash(&c->key, sizeof(c->key)));
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

static struct saved_chain *get_saved_chain(struct map *chains, const struct fact_key *key)
{
	const uint32_t hash = map_hash(key, sizeof(*key));
	struct saved_chain *new;

	map_for_each_match_entry(struct saved_chain, c, chains, hash, by_key)
		if (fact_key_eq(&c->key, key))
			return c;
	new = new0(struct saved_chain);
	new->key = *key;
	new->hash = HASH_EMPTY;
	map_add(chains, &new->by_key, hash);
	return new;
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

	c->n_rules++;
	if (t->rule.readable) {
		rule_for_each_match(m, &t->rule.rule)
			s->matches |= 1u << m->type;
		s->targets |= 1u << t->rule.rule.target.type;
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

const char *saved_section(const char *text, enum table table, size_t *ret_len)
{
	static const char commit[] = "\nCOMMIT\n";
	char head[32];
	size_t len = (size_t)snprintf(head, sizeof(head), "*%s\n", table_name(table));

	for (const char *at = text, *end; (at = strstr(at, head)); at += len) {
		if (at > text && at[-1] != '\n')
			continue;
		end = strstr(at, commit);
		if (!end)
			return NULL;
		*ret_len = (size_t)(end - at) + sizeof(commit) - 1;
		return at;
	}
	return NULL;
}

/* A table begins with "*TABLE" and ends with "COMMIT". */
int saved_add(struct saved *s, enum table table, const char *text, struct err *err)
{
	struct saved_table t = { .saved = s, .table = table };
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
	iptables_rule_done(&t.rule);
	rule_list_done(&t.packed);
	if (!ended)
		return err_set(err, -EPROTO, "iptables-save did not print the whole table %s%s",
			table_name(table),
			strstr(text, "is incompatible")
				? ": it has rules of nft that iptables cannot express"
				: "");
	s->tables |= 1u << table;
	return 0;
}
