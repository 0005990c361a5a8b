// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_save.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "core/text.h"
#include "iptables_tree.h"
#include "leftovers_rules.h"

/* One word of a rule without its quotes: a part of words.text. */
struct word {
	size_t begin;
	bool quoted; /* it has characters that need quotes */
};

struct words {
	struct buf text; /* all words, each with its NUL */
	struct word *word;
	size_t n, cap;
};

static void words_done(struct words *w)
{
	buf_done(&w->text);
	free(w->word);
}

static const char *word_at(const struct words *w, size_t i)
{
	return i < w->n ? w->text.data + w->word[i].begin : "";
}

/* libxtables' xtables_save_string() */
static bool needs_no_quotes(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '-';
}

/* Takes one word; inside quotes a backslash takes away the meaning of the next character. */
static const char *split_word(struct words *w, const char *p, const char *end)
{
	bool quoted = *p == '"', special = false;

	mem_grow(w->word, w->n, w->cap);
	w->word[w->n] = (struct word){ .begin = w->text.len };
	p += quoted;
	for (; p < end && *p != (quoted ? '"' : ' '); p++) {
		p += quoted && *p == '\\' && p + 1 < end;
		special |= !needs_no_quotes(*p);
		buf_addc(&w->text, *p);
	}
	special |= w->text.len == w->word[w->n].begin; /* empty */
	buf_addc(&w->text, '\0');
	w->word[w->n++].quoted = quoted && special;
	return p + (p < end);
}

static void split(struct words *w, const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end)
		if (*p == ' ')
			p++;
		else
			p = split_word(w, p, end);
}

static void add_quoted(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	for (; *s; s++) {
		if (strchr("\"\\'", *s))
			buf_addc(b, '\\');
		buf_addc(b, *s);
	}
	buf_addc(b, '"');
}

static void add_protocol(struct buf *b, const char *s)
{
	static const struct {
		const char *from, *to;
	} names[] = { { "1", "icmp" }, { "6", "tcp" }, { "17", "udp" }, { "58", "ipv6-icmp" },
		{ "icmpv6", "ipv6-icmp" }, { "132", "sctp" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(s, names[i].from))
			s = names[i].to;
	buf_adds(b, s);
}

static void add_prefix(struct buf *b, const char *s, int family)
{
	buf_adds(b, s);
	if (!strchr(s, '/'))
		buf_addf(b, "/%d", ip_bits(family));
}

/* VALUE or VALUE/MASK; a full mask is written only where `full`. */
static void add_mark(struct buf *b, const char *s, bool full)
{
	uint32_t value, mask = UINT32_MAX;
	char *rest;

	value = (uint32_t)strtoul(s, &rest, 0);
	if (*rest == '/')
		mask = (uint32_t)strtoul(rest + 1, &rest, 0);
	if (*rest) {
		buf_adds(b, s);
		return;
	}
	buf_addf(b, "0x%" PRIx32, value);
	if (full || mask != UINT32_MAX)
		buf_addf(b, "/0x%" PRIx32, mask);
}

static bool is_one_of(const char *s, const char *a, const char *b)
{
	return !strcmp(s, a) || !strcmp(s, b);
}

/* The i-th word, which is the value of the option before it, if that has one. */
static void add_word(struct buf *b, const struct words *w, size_t i, int family)
{
	const char *option = i && !w->word[i - 1].quoted ? word_at(w, i - 1) : "";
	const char *s = word_at(w, i);

	if (w->word[i].quoted)
		add_quoted(b, s);
	else if (is_one_of(option, "-p", "--protocol"))
		add_protocol(b, s);
	else if (is_one_of(option, "-s", "-d"))
		add_prefix(b, s, family);
	else if (is_one_of(option, "--mark", "--set-xmark"))
		add_mark(b, s, !strcmp(option, "--set-xmark"));
	else
		buf_adds(b, s);
}

static bool has_word(const struct words *w, const char *s)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(word_at(w, i), s))
			return true;
	return false;
}

/* Where the rule leads: the word behind -j or -g; "": nowhere. */
static const char *target_of(const struct words *w)
{
	for (size_t i = 0; i + 1 < w->n; i++)
		if (!w->word[i].quoted && is_one_of(word_at(w, i), "-j", "-g"))
			return word_at(w, i + 1);
	return "";
}

void saved_target(const char *rule, size_t len, char ret[static CHAIN_NAME_LEN + 1])
{
	_cleanup_(words_done) struct words w = { 0 };
	const char *target;

	split(&w, rule, len);
	target = target_of(&w);
	snprintf(ret, CHAIN_NAME_LEN + 1, "%s", strlen(target) > CHAIN_NAME_LEN ? "" : target);
}

static void add_rule(struct buf *b, const struct words *w, int family)
{
	for (size_t i = 0; i < w->n; i++) {
		if (i)
			buf_addc(b, ' ');
		add_word(b, w, i, family);
	}
	if (!strcmp(target_of(w), "REJECT") && !has_word(w, "--reject-with"))
		buf_addf(
			b, " --reject-with icmp%s-port-unreachable", family == AF_INET6 ? "6" : "");
	buf_addc(b, '\n');
}

void saved_normalise(const char *rule, size_t len, int family, struct buf *ret)
{
	_cleanup_(words_done) struct words w = { 0 };

	split(&w, rule, len);
	add_rule(ret, &w, family);
}

static struct saved_chain *chain_of(struct map_node *n)
{
	return container_of(n, struct saved_chain, by_key);
}

static uint32_t key_hash(const struct fact_key *key)
{
	return map_hash(key, sizeof(*key));
}

static struct saved_chain *find(const struct map *chains, const struct fact_key *key)
{
	map_for_each_match(n, chains, key_hash(key))
		if (fact_key_eq(&chain_of(n)->key, key))
			return chain_of(n);
	return NULL;
}

const struct saved_chain *saved_find(const struct saved *s, const struct fact_key *key)
{
	return find(&s->chains, key);
}

static struct saved_chain *get(struct map *chains, const struct fact_key *key)
{
	struct saved_chain *c = find(chains, key);

	if (c)
		return c;
	c = new0(struct saved_chain);
	c->key = *key;
	c->hash = text_hash("");
	map_add(chains, &c->by_key, key_hash(key));
	return c;
}

static void chains_done(struct map *chains)
{
	map_for_each(n, chains) {
		buf_done(&chain_of(n)->literal);
		free(chain_of(n));
	}
	map_done(chains);
}

void saved_done(struct saved *s)
{
	chains_done(&s->chains);
	chains_done(&s->tree);
	fact_list_done(&s->dispatch);
	leftovers_done(&s->left);
	*s = (struct saved){ 0 };
}

void saved_keep_jumps(struct saved *s)
{
	struct saved jumps = { .family = s->family };

	map_for_each(n, &s->chains) {
		struct saved_chain *c = container_of(n, struct saved_chain, by_key);

		if (c->key.kind != FACT_JUMP)
			continue;
		map_del(&s->chains, n);
		map_add(&jumps.chains, n, n->hash);
	}
	saved_done(s);
	*s = jumps;
}

static bool hook_by_name(const char *name, enum hook *ret)
{
	for (enum hook h = HOOK_PREROUTING; h <= HOOK_POSTROUTING; h++)
		if (!strcmp(name, hook_name(h))) {
			*ret = h;
			return true;
		}
	return false;
}

/* The chain that the line names from `begin` on; "" where it cannot be ours. */
static const char *read_name(const char *begin, char ret[static CHAIN_NAME_LEN + 1])
{
	size_t len = strcspn(begin, " \n");

	snprintf(ret, CHAIN_NAME_LEN + 1, "%.*s", len > CHAIN_NAME_LEN ? 0 : (int)len, begin);
	return ret;
}

/* Where a chain of that name is kept; NULL: it is none of ours. */
static struct map *map_for(struct saved *s, enum table table, const char *name)
{
	if (table == TABLE_NAT && tree_has_chain(name))
		return &s->tree;
	return chain_is_ours(table, name) ? &s->chains : NULL;
}

/* What is needed for one table; the buffers are used line by line. */
struct reading {
	struct saved *saved;
	enum table table;
	struct words words;
	struct buf rule;
};

static void reading_done(struct reading *r)
{
	words_done(&r->words);
	buf_done(&r->rule);
}

/* ":KUBE-SERVICES - [0:0]" */
static void add_declaration(const struct reading *r, const char *line)
{
	char name[CHAIN_NAME_LEN + 1];
	struct map *map = map_for(r->saved, r->table, read_name(line + 1, name));
	struct fact f;

	leftovers_note(&r->saved->left, r->saved->family, r->table, name, true);
	if (!map)
		return;
	f = fact_chain(r->saved->family, r->table, name, 0);
	get(map, &f.key);
}

static void normalise(struct reading *r, const char *line, size_t len)
{
	r->words.text.len = r->words.n = 0;
	buf_reset(&r->rule);
	split(&r->words, line, len);
	add_rule(&r->rule, &r->words, r->saved->family);
}

static void add_chain_rule(
	struct reading *r, struct map *map, const char *chain, const char *line, size_t len)
{
	struct saved *s = r->saved;
	struct fact f = fact_chain(s->family, r->table, chain, 0);
	struct saved_chain *c = get(map, &f.key);

	normalise(r, line, len);
	c->hash = text_hash_more(c->hash, buf_str(&r->rule));
	if (map == &s->tree && tree_parse(buf_str(&r->rule), s->family, &f))
		fact_list_add(&s->dispatch, f);
	if (map == &s->chains && r->table == TABLE_NAT && tree_is_root(target_of(&r->words)))
		s->tree_used = true;
}

static void add_hook_rule(struct reading *r, enum hook hook, const char *line, size_t len)
{
	size_t head = strlen("-A ") + strlen(hook_name(hook)) + 1;
	struct saved_chain *c;
	struct fact f;

	normalise(r, line, len);
	if (!chain_is_ours(r->table, target_of(&r->words)))
		return;
	f = fact_jump(r->saved->family, r->table, hook, target_of(&r->words), 0);
	c = get(&r->saved->chains, &f.key);
	c->hash = text_hash_more(c->hash, buf_str(&r->rule));
	buf_add(&c->literal, line + head, len - head);
	buf_addc(&c->literal, '\n');
}

/* "-A CHAIN ..."; only the rules of ours and of built-in chains are looked at more closely. */
static void add_appended(struct reading *r, const char *line, size_t len)
{
	char chain[CHAIN_NAME_LEN + 1];
	struct map *map;
	enum hook hook;

	read_name(line + strlen("-A "), chain);
	map = map_for(r->saved, r->table, chain);
	if (map)
		add_chain_rule(r, map, chain, line, len);
	else if (hook_by_name(chain, &hook))
		add_hook_rule(r, hook, line, len);
}

/* The first thing is "*TABLE" and the last "COMMIT". */
int saved_add(struct saved *s, enum table table, const char *text, struct err *err)
{
	_cleanup_(reading_done) struct reading r = { .saved = s, .table = table };
	bool begun = false, ended = false;

	for (const char *line = text, *next; *line; line = next) {
		size_t len = strcspn(line, "\n");

		next = line + len + (line[len] == '\n');
		if (*line == '*')
			begun = len == strlen(table_name(table)) + 1 &&
				!strncmp(line + 1, table_name(table), len - 1);
		else if (begun && *line == ':')
			add_declaration(&r, line);
		else if (begun && !strncmp(line, "-A ", 3))
			add_appended(&r, line, len);
		else if (begun && len == 6 && !strncmp(line, "COMMIT", len))
			ended = true;
	}
	if (!ended)
		return err_set(err, -EPROTO, "iptables-save did not print the whole table %s%s",
			table_name(table),
			strstr(text, "is incompatible")
				? ": it has rules of nft that iptables cannot express"
				: "");
	return 0;
}
