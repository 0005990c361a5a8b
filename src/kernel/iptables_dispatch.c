// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_dispatch.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "iptables_tree.h"
#include "kernel/iptables_text.h"

struct dispatch_chain {
	struct map_node by_name;
	char name[CHAIN_NAME_LEN + 1];
	uint64_t hash; /* of its rules */
	bool needed;   /* by the tree at hand */
};

struct dispatch_change {
	char name[CHAIN_NAME_LEN + 1];
	uint64_t hash;
	bool gone;
};

static struct dispatch_chain *find_dispatch_chain(const struct dispatch *d, const char *name)
{
	map_for_each_match_entry(struct dispatch_chain, c, &d->chains, map_hash_str(name), by_name)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void set_dispatch_chain(struct dispatch *d, const char *name, uint64_t hash)
{
	struct dispatch_chain *c = find_dispatch_chain(d, name);

	if (!c) {
		c = new0(struct dispatch_chain);
		snprintf(c->name, sizeof(c->name), "%.*s", CHAIN_NAME_LEN, name);
		map_add(&d->chains, &c->by_name, map_hash_str(name));
	}
	c->hash = hash;
}

void dispatch_done(struct dispatch *d)
{
	map_for_each_entry(struct dispatch_chain, c, &d->chains, by_name)
		free(c);
	map_done(&d->chains);
	fact_list_done(&d->entries);
	fact_list_done(&d->next);
	free(d->changes);
	*d = (struct dispatch){ 0 };
}

/* Reading */

/* Whether the chain has these rules; else the tree is not sound. */
static bool has_tree_rules(const char *name, const struct rule_list *rules, void *arg)
{
	struct dispatch *d = arg;
	struct dispatch_chain *c = find_dispatch_chain(d, name);
	bool empty_root = !rules->n && tree_is_root(name);

	if (c)
		c->needed = !empty_root || d->used;
	if (c ? c->hash == rule_list_hash(HASH_EMPTY, rules) && c->needed : empty_root && !d->used)
		return true;
	d->sound = false;
	return false;
}

static void keep_entry(const struct fact *entry, void *arg)
{
	struct dispatch *d = arg;

	fact_list_add(&d->entries, *entry);
}

void dispatch_learn(struct dispatch *d, struct saved *s)
{
	struct tree_check check = { has_tree_rules, keep_entry, d };
	const int family = d->family;

	dispatch_done(d);
	d->family = family;
	map_for_each_entry(struct saved_chain, c, &s->tree, by_key)
		set_dispatch_chain(d, c->key.name, c->hash);
	d->used = d->next_used = s->tree_used;
	d->sound = true;
	fact_list_finish(&s->dispatch);
	if (s->dispatch.n)
		qsort(s->dispatch.facts, s->dispatch.n, sizeof(struct fact), tree_cmp);
	tree_walk(s->dispatch.facts, s->dispatch.n, &check);
	map_for_each_entry(struct dispatch_chain, c, &d->chains, by_name)
		d->sound &= c->needed;
}

void dispatch_tell(const struct dispatch *d, dump_fn fn, void *arg)
{
	static const char no_hash[SERVICE_HASH_LEN + 1] = "AAAAAAAAAAAAAAAA";
	struct ip none = { .family = (uint8_t)d->family };
	struct fact disorder = fact_dispatch(&none, 0, IPPROTO_TCP, SERVICE_CHAIN_SVC, no_hash);

	for (size_t i = 0; i < d->entries.n; i++)
		fn(&d->entries.facts[i], arg);
	if (!d->sound)
		fn(&disorder, arg);
}

/* Each entry has one, and one leads to each chain that is no root. */
size_t dispatch_rules(const struct dispatch *d)
{
	size_t n = d->entries.n + d->chains.count;

	for (size_t i = 0; i < ARRAY_SIZE(tree_roots); i++)
		n -= find_dispatch_chain(d, tree_roots[i]) != NULL;
	return n;
}

/* Writing */

struct dispatch_writing {
	struct dispatch *dispatch;
	struct document_section *section;
};

static void note_change(struct dispatch *d, const char *name, uint64_t hash, bool gone)
{
	struct dispatch_change *c;

	mem_grow(d->changes, d->n_changes, d->cap_changes);
	c = &d->changes[d->n_changes++];
	*c = (struct dispatch_change){ .hash = hash, .gone = gone };
	snprintf(c->name, sizeof(c->name), "%s", name);
}

/* The header makes the chain, or empties it, so that it does not matter whether it is there. */
static void remove_tree_chain(const char *name, void *arg)
{
	const struct dispatch_writing *w = arg;

	buf_addf(&w->section->headers, ":%s - [0:0]\n", name);
	buf_addf(&w->section->deletions, "-X %s\n", name);
	note_change(w->dispatch, name, 0, true);
}

static void write_tree_chain(const char *name, const struct rule_list *rules, void *arg)
{
	const struct dispatch_writing *w = arg;
	struct dispatch_chain *c = find_dispatch_chain(w->dispatch, name);
	uint64_t hash = rule_list_hash(HASH_EMPTY, rules);

	if (!rules->n && !w->dispatch->used) { /* only a root may be empty */
		if (c)
			remove_tree_chain(name, arg);
		return;
	}
	if (c)
		c->needed = true;
	if (c && c->hash == hash)
		return;
	buf_addf(&w->section->headers, ":%s - [0:0]\n", name);
	iptables_print_rules(&w->section->rules, w->dispatch->family, name, rules);
	w->section->n_rules += rules->n;
	note_change(w->dispatch, name, hash, false);
}

/* The next entries are those of now with those of the operations, or without them. */
static void merge_entries(struct dispatch *d, const struct op *const ops[], size_t n)
{
	_cleanup_free_ struct fact *sorted = mem_zalloc(n, sizeof(*sorted));
	const bool delete = ops[0]->type == OP_DEL;
	size_t i = 0, j = 0;

	for (size_t k = 0; k < n; k++)
		sorted[k] = ops[k]->fact;
	qsort(sorted, n, sizeof(*sorted), tree_cmp);
	d->next.n = 0;
	while (i < d->entries.n || j < n) {
		int c = i == d->entries.n ? 1
			: j == n	  ? -1
					  : tree_cmp(&d->entries.facts[i], &sorted[j]);

		if (c < 0)
			fact_list_add(&d->next, d->entries.facts[i]);
		else if (!delete)
			fact_list_add(&d->next, sorted[j]);
		i += c <= 0;
		j += c >= 0;
	}
}

void dispatch_change(
	struct dispatch *d, const struct op *const ops[], size_t n, struct document_section *s)
{
	struct dispatch_writing w = { d, s };
	struct tree_changes changes = { write_tree_chain, remove_tree_chain, &w };
	const struct rule_list none = { 0 };
	size_t vips;

	merge_entries(d, ops, n);
	d->changing = d->next_sound = true;
	d->next_used = d->used;
	if (d->sound) {
		tree_diff(d->entries.facts, d->entries.n, d->next.facts, d->next.n, &changes);
		return;
	}

	/* Nothing is known of the chains but their rules: all are compared. tree_diff() does not
	 * speak of a root without entries. */
	map_for_each_entry(struct dispatch_chain, c, &d->chains, by_name)
		c->needed = false;
	tree_diff(NULL, 0, d->next.facts, d->next.n, &changes);
	vips = tree_count_vips(d->next.facts, d->next.n);
	if (!vips)
		write_tree_chain(CHAIN_DISPATCH, &none, &w);
	if (vips == d->next.n)
		write_tree_chain(CHAIN_DISPATCH_PORTS, &none, &w);
	/* Until all is written, rules may lead to the rest: those of KUBE-NODEPORTS, which was the
	 * root of node ports once. */
	map_for_each_entry(struct dispatch_chain, c, &d->chains, by_name) {
		if (c->needed || tree_is_root(c->name))
			continue;
		if (ops[0]->type == OP_DEL)
			remove_tree_chain(c->name, &w);
		else
			d->next_sound = false;
	}
}

void dispatch_follow(struct dispatch *d, const char *chain, const struct rule_list *rules,
	struct document_section *s)
{
	const bool services = !strcmp(chain, "KUBE-SERVICES");
	struct dispatch_writing w = { d, s };

	if (services)
		d->next_used = rules && rule_list_leads_to(rules, CHAIN_DISPATCH);
	for (size_t i = 0; i < ARRAY_SIZE(tree_roots); i++) {
		const char *root = tree_roots[i];
		const struct dispatch_chain *c = find_dispatch_chain(d, root);
		/* KUBE-SERVICES uses both; it stands already and may get its rules later than
		 * another chain that leads to the node ports. */
		const bool needed = services ? d->next_used
					     : !strcmp(root, CHAIN_DISPATCH_PORTS) && rules &&
				rule_list_leads_to(rules, root);
		bool written = false;

		for (size_t k = 0; k < d->n_changes; k++)
			written |= !strcmp(d->changes[k].name, root);
		if (needed && !c && !written) {
			buf_addf(&s->headers, ":%s - [0:0]\n", root);
			note_change(d, root, HASH_EMPTY, false);
		}
		if (services && !needed && c && c->hash == HASH_EMPTY)
			remove_tree_chain(root, &w);
	}
}

void dispatch_end(struct dispatch *d, bool written)
{
	for (size_t i = 0; written && i < d->n_changes; i++) {
		const struct dispatch_change *change = &d->changes[i];
		struct dispatch_chain *c = find_dispatch_chain(d, change->name);

		if (!change->gone) {
			set_dispatch_chain(d, change->name, change->hash);
		} else if (c) {
			map_del(&d->chains, &c->by_name);
			free(c);
		}
	}
	if (written && d->changing) {
		fact_list_done(&d->entries);
		d->entries = d->next;
		d->next = (struct fact_list){ 0 };
		d->sound = d->next_sound;
	}
	if (written)
		d->used = d->next_used;
	d->next_used = d->used;
	d->changing = false;
	d->n_changes = 0;
}
