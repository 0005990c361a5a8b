// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The roots stand, maybe empty, as long as rules of KUBE-SERVICES lead to them, and longer where
 * they have entries.
 */
#include "iptables_dispatch.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "iptables_tree.h"
#include "kernel/iptables_text.h"

struct dispatch_chain {
	struct map_node by_name;
	char name[CHAIN_NAME_LEN + 1];
	uint64_t hash; /* of its rules */
	bool needed;   /* by the tree that is looked at */
};

struct dispatch_change {
	char name[CHAIN_NAME_LEN + 1];
	uint64_t hash;
	bool gone;
};

static struct dispatch_chain *chain_of(struct map_node *n)
{
	return container_of(n, struct dispatch_chain, by_name);
}

static struct dispatch_chain *find(const struct dispatch *d, const char *name)
{
	map_for_each_match(n, &d->chains, map_hash_str(name))
		if (!strcmp(chain_of(n)->name, name))
			return chain_of(n);
	return NULL;
}

static void set_chain(struct dispatch *d, const char *name, uint64_t hash)
{
	struct dispatch_chain *c = find(d, name);

	if (!c) {
		c = new0(struct dispatch_chain);
		snprintf(c->name, sizeof(c->name), "%.*s", CHAIN_NAME_LEN, name);
		map_add(&d->chains, &c->by_name, map_hash_str(name));
	}
	c->hash = hash;
}

static void drop_chain(struct dispatch *d, const char *name)
{
	struct dispatch_chain *c = find(d, name);

	if (!c)
		return;
	map_del(&d->chains, &c->by_name);
	free(c);
}

static void forget(struct dispatch *d)
{
	map_for_each(n, &d->chains)
		free(chain_of(n));
	map_done(&d->chains);
	d->chains = (struct map){ 0 };
	fact_list_done(&d->entries);
}

void dispatch_done(struct dispatch *d)
{
	forget(d);
	fact_list_done(&d->next);
	free(d->changes);
	*d = (struct dispatch){ 0 };
}

static bool is_right(const char *name, const struct rule_list *rules, void *arg)
{
	struct dispatch *d = arg;
	struct dispatch_chain *c = find(d, name);
	bool empty_root = !rules->n && tree_is_root(name);

	if (c)
		c->needed = !empty_root || d->used;
	if (c ? c->hash == rule_list_hash(rules) && c->needed : empty_root && !d->used)
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
	struct tree_check check = { is_right, keep_entry, d };

	forget(d);
	map_for_each(n, &s->tree) {
		const struct saved_chain *c = container_of(n, struct saved_chain, by_key);

		set_chain(d, c->key.name, c->hash);
	}
	d->used = d->next_used = s->tree_used;
	d->sound = true;
	fact_list_finish(&s->dispatch);
	tree_sort(s->dispatch.facts, s->dispatch.n);
	tree_walk(s->dispatch.facts, s->dispatch.n, &check);
	map_for_each(n, &d->chains)
		d->sound &= chain_of(n)->needed;
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
	return d->entries.n + d->chains.count - (find(d, CHAIN_DISPATCH) != NULL) -
		(find(d, CHAIN_NODE_PORTS) != NULL);
}

/* What is written into a document. */
struct writing {
	struct dispatch *dispatch;
	struct buf *headers, *rules, *deletions;
};

static void note(struct dispatch *d, const char *name, uint64_t hash, bool gone)
{
	struct dispatch_change *c;

	mem_grow(d->changes, d->n_changes, d->cap_changes);
	c = &d->changes[d->n_changes++];
	*c = (struct dispatch_change){ .hash = hash, .gone = gone };
	snprintf(c->name, sizeof(c->name), "%s", name);
}

/* The header makes the chain, or empties it, so that it does not matter whether it is there. */
static void remove_chain(const char *name, void *arg)
{
	const struct writing *w = arg;

	buf_addf(w->headers, ":%s - [0:0]\n", name);
	buf_addf(w->deletions, "-X %s\n", name);
	note(w->dispatch, name, 0, true);
}

static void write_chain(const char *name, const struct rule_list *rules, void *arg)
{
	const struct writing *w = arg;
	struct dispatch_chain *c = find(w->dispatch, name);
	uint64_t hash = rule_list_hash(rules);

	if (!rules->n && !w->dispatch->used) { /* only a root may be empty */
		if (c)
			remove_chain(name, arg);
		return;
	}
	if (c)
		c->needed = true;
	if (c && c->hash == hash)
		return;
	buf_addf(w->headers, ":%s - [0:0]\n", name);
	iptables_print_rules(w->rules, w->dispatch->family, name, rules);
	note(w->dispatch, name, hash, false);
}

static int cmp_op(const void *a, const void *b)
{
	const struct op *const *x = a, *const *y = b;

	return tree_cmp(&(*x)->fact.key, &(*y)->fact.key);
}

/* The entries with those of the operations, or without them. */
static void merge(struct dispatch *d, const struct op *const ops[], size_t n)
{
	_cleanup_free_ const struct op **sorted = mem_zalloc(n, sizeof(*sorted));
	size_t i = 0, j = 0;

	memcpy(sorted, ops, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), cmp_op);
	d->next.n = 0;
	while (i < d->entries.n || j < n) {
		int c = i == d->entries.n ? 1
			: j == n	  ? -1
				 : tree_cmp(&d->entries.facts[i].key, &sorted[j]->fact.key);

		if (c < 0)
			fact_list_add(&d->next, d->entries.facts[i]);
		else if (sorted[j]->type != OP_DEL)
			fact_list_add(&d->next, sorted[j]->fact);
		i += c <= 0;
		j += c >= 0;
	}
}

/* Nothing is known of the chains but their rules: all are compared. */
static void write_all(struct writing *w, const struct tree_changes *changes)
{
	struct dispatch *d = w->dispatch;
	const struct rule_list none = { 0 };
	size_t vips;

	map_for_each(n, &d->chains)
		chain_of(n)->needed = false;
	tree_diff(NULL, 0, d->next.facts, d->next.n, changes);
	/* Of a root without entries tree_diff() does not speak. */
	vips = tree_count_vips(d->next.facts, d->next.n);
	if (!vips)
		write_chain(CHAIN_DISPATCH, &none, w);
	if (vips == d->next.n)
		write_chain(CHAIN_NODE_PORTS, &none, w);
	map_for_each(n, &d->chains)
		if (!chain_of(n)->needed && !tree_is_root(chain_of(n)->name))
			remove_chain(chain_of(n)->name, w);
}

void dispatch_change(struct dispatch *d, const struct op *const ops[], size_t n,
	struct buf *headers, struct buf *rules, struct buf *deletions)
{
	struct writing w = { d, headers, rules, deletions };
	struct tree_changes changes = { write_chain, remove_chain, &w };

	merge(d, ops, n);
	d->changing = true;
	d->next_used = d->used;
	if (d->sound)
		tree_diff(d->entries.facts, d->entries.n, d->next.facts, d->next.n, &changes);
	else
		write_all(&w, &changes);
}

static bool is_noted(const struct dispatch *d, const char *name)
{
	for (size_t i = 0; i < d->n_changes; i++)
		if (!strcmp(d->changes[i].name, name))
			return true;
	return false;
}

static void make_root(struct dispatch *d, const char *name, struct buf *headers)
{
	if (find(d, name) || is_noted(d, name))
		return;
	buf_addf(headers, ":%s - [0:0]\n", name);
	note(d, name, HASH_EMPTY, false);
}

void dispatch_lead(struct dispatch *d, const struct rule_list *rules, struct buf *headers)
{
	if (rule_list_leads_to(rules, CHAIN_NODE_PORTS))
		make_root(d, CHAIN_NODE_PORTS, headers);
}

void dispatch_use(struct dispatch *d, const struct rule_list *rules, struct buf *headers,
	struct buf *deletions)
{
	static const char *const roots[] = { CHAIN_DISPATCH, CHAIN_NODE_PORTS };
	struct writing w = { d, headers, NULL, deletions };

	d->next_used = rules && rule_list_leads_to(rules, CHAIN_DISPATCH);
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		const struct dispatch_chain *c = find(d, roots[i]);

		if (d->next_used)
			make_root(d, roots[i], headers);
		else if (c && c->hash == HASH_EMPTY)
			remove_chain(roots[i], &w);
	}
}

static void believe(struct dispatch *d)
{
	for (size_t i = 0; i < d->n_changes; i++)
		if (d->changes[i].gone)
			drop_chain(d, d->changes[i].name);
		else
			set_chain(d, d->changes[i].name, d->changes[i].hash);
	d->used = d->next_used;
	if (!d->changing)
		return;
	fact_list_done(&d->entries);
	d->entries = d->next;
	d->next = (struct fact_list){ 0 };
	d->sound = true;
}

void dispatch_end(struct dispatch *d, bool written)
{
	if (written)
		believe(d);
	d->next_used = d->used;
	d->changing = false;
	d->n_changes = 0;
}
