// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How it works. Every fact that somebody claims or that the kernel holds has one entry, found by
 * its key. The entry's claims say what we want, `present`, `known` and `have` what the kernel
 * holds; next_op() compares the two and is the only place that decides whether there is work. After
 * any change to either side ledger_requeue() puts the entry on the queue of its next operation, or
 * off all queues, and counts it anew.
 *
 * An entry whose last attempt failed waits on the `delayed` list until its time has come. A child
 * waits, on no queue, while its parent is absent, and is not deleted one by one when the parent is
 * on its way out: the kernel drops the children with it.
 *
 * Entries are freed only at the end of a public call (ledger_collect()), so that walks inside may
 * touch any of them.
 */
#include "ledger_own.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *op_type_name(enum op_type type)
{
	static const char *const names[] = {
		[OP_ADD] = "add", [OP_SET] = "set", [OP_DEL] = "delete"
	};

	return names[type];
}

struct ledger *ledger_new(void)
{
	struct ledger *l = new0(struct ledger);

	for (int turn = 0; turn < TURNS; turn++)
		for (int t = 0; t < OP_TYPES; t++)
			for (int q = 0; q < QUEUES; q++)
				list_init(&l->queue[turn][t][q]);
	list_init(&l->delayed);
	list_init(&l->garbage);
	l->next_due = UINT64_MAX;
	return l;
}

static void entry_free(struct entry *e)
{
	for (struct claim *c = e->claims, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(e->failure);
	free(e);
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	map_for_each(n, &l->entries)
		entry_free(entry_of(n));
	map_done(&l->entries);
	free(l);
}

struct entry *entry_find(const struct ledger *l, const struct fact_key *key)
{
	map_for_each_match(n, &l->entries, map_hash(key, sizeof(*key)))
		if (fact_key_eq(&entry_of(n)->key, key))
			return entry_of(n);
	return NULL;
}

static struct entry *entry_new(struct ledger *l, const struct fact_key *key)
{
	struct entry *e = new0(struct entry);

	e->key = *key;
	e->known = true;
	list_init(&e->queue);
	list_init(&e->sibling);
	list_init(&e->children);
	map_add(&l->entries, &e->by_key, map_hash(key, sizeof(*key)));
	l->counts[key->kind].facts++;
	return e;
}

struct entry *entry_get(struct ledger *l, const struct fact_key *key)
{
	struct entry *e = entry_find(l, key);
	struct fact_key parent;

	if (e)
		return e;
	e = entry_new(l, key);
	if (fact_parent(key, &parent)) {
		e->parent = entry_find(l, &parent);
		if (!e->parent)
			e->parent = entry_new(l, &parent);
		list_insert(&e->parent->children, &e->sibling);
	}
	return e;
}

/*
 * The claim that decides, or NULL: not wanted. A real server is wanted only by the claimant whose
 * virtual server it is: the endpoints of the Service that lost a conflict must not show up behind
 * the winner's address. The last claimant, which drains, may want it behind that.
 */
const struct claim *entry_decides(const struct entry *e)
{
	const struct claim *owner = e->parent ? e->parent->claims : NULL;
	const struct claim *c = e->claims;

	if (e->key.kind != FACT_RS)
		return c;
	while (c && owner && c->who != owner->who && c->who->born != CLAIMANT_LAST)
		c = c->next;
	return owner ? c : NULL;
}

/* The device stays for what stays on it, and only the rest goes. */
static bool leaving(const struct entry *e)
{
	return e->present && !e->foreign && !entry_decides(e) && !e->n_staying;
}

static bool next_op(const struct entry *e, enum op_type *ret)
{
	const struct claim *c = entry_decides(e);

	if (!c) {
		*ret = OP_DEL;
		return leaving(e) && !(e->parent && leaving(e->parent));
	}
	*ret = e->present ? OP_SET : OP_ADD;
	if (!e->present)
		return !e->parent || e->parent->present;
	return !e->known || !fact_val_eq(&c->val, &e->have);
}

static void unqueue(struct ledger *l, struct entry *e)
{
	list_remove(&e->queue);
	if (e->queued)
		l->counts[e->key.kind].pending--;
	e->queued = false;
}

static void enqueue(struct ledger *l, struct entry *e, struct list *queue)
{
	list_insert(queue, &e->queue);
	e->queued = true;
	l->counts[e->key.kind].pending++;
}

void entry_forget_failure(struct entry *e)
{
	free(e->failure);
	e->failure = NULL;
}

/* With nothing to do a failure is over, unless it waits for its parent to be tried again. */
static void rest(struct ledger *l, struct entry *e)
{
	if (e->present || !entry_decides(e))
		entry_forget_failure(e);
	if (!e->claims && !e->present && list_empty(&e->children))
		list_insert(&l->garbage, &e->queue);
}

static int queue_of(const struct fact_key *key)
{
	if (fact_diverts(key))
		return QUEUE_DIVERSION;
	if (fact_is_service_chain(key))
		return QUEUE_SERVICE_CHAIN;
	return fact_is_entrance(key) ? QUEUE_ENTRANCE : key->kind;
}

/* Other changes keep their place among what they may depend on. */
static enum turn turn_of(const struct entry *e, enum op_type t)
{
	const struct claim *c = entry_decides(e);
	bool first = t == OP_ADD || (t == OP_SET && queue_of(&e->key) < FACT_VS);

	return first && c && c->who->vital ? TURN_VITAL : TURN_USUAL;
}

static void count(size_t *total, bool *counted, bool now)
{
	*total += (size_t)now - (size_t)*counted;
	*counted = now;
}

static enum op_type op_type_of(bool wanted, bool present)
{
	return !wanted ? OP_DEL : present ? OP_SET : OP_ADD;
}

static void recount_failing(struct ledger_counts *c, struct entry *e)
{
	if (e->counted.failing) {
		c->failing--;
		c->failing_ops[e->counted.failing - 1]--;
	}
	e->counted.failing = 0;
	if (e->failure && e->failure->error) {
		enum op_type t = op_type_of(entry_decides(e), e->present);

		c->failing++;
		c->failing_ops[t]++;
		e->counted.failing = (uint8_t)(1 + t);
	}
}

static void recount(struct ledger *l, struct entry *e)
{
	struct ledger_counts *c = &l->counts[e->key.kind];

	count(&c->wanted, &e->counted.wanted, entry_decides(e));
	count(&c->present, &e->counted.present, e->present);
	count(&c->foreign, &e->counted.foreign, e->foreign);
	recount_failing(c, e);
}

/*
 * The device is the one parent that others put things on, and that may be wanted no more while what
 * is on it still is: by the drain.
 */
static bool stays_on_device(const struct entry *e)
{
	return e->parent && e->parent->key.kind == FACT_LINK && e->present &&
		(e->foreign || entry_decides(e));
}

/* Goes no deeper than that: the device has no parent. */
static void keep_device(struct ledger *l, struct entry *e)
{
	struct entry *device = e->parent;
	bool stays = stays_on_device(e), was_leaving;

	if (stays == e->stays)
		return;
	was_leaving = leaving(device);
	if (stays)
		device->n_staying++;
	else
		device->n_staying--;
	e->stays = stays;
	if (leaving(device) == was_leaving)
		return;
	ledger_requeue(l, device);
	ledger_requeue_children(l, device);
}

void ledger_requeue(struct ledger *l, struct entry *e)
{
	enum op_type t;

	keep_device(l, e);
	unqueue(l, e);
	if (!next_op(e, &t)) {
		rest(l, e);
	} else if (!e->failure || !e->failure->retry_at) {
		enqueue(l, e, &l->queue[turn_of(e, t)][t][queue_of(&e->key)]);
	} else {
		enqueue(l, e, &l->delayed);
		if (e->failure->retry_at < l->next_due)
			l->next_due = e->failure->retry_at;
	}
	recount(l, e);
}

void ledger_requeue_children(struct ledger *l, struct entry *e)
{
	list_for_each(n, &e->children)
		ledger_requeue(l, container_of(n, struct entry, sibling));
}

/* Frees what nobody wants and the kernel does not have; a parent may follow its last child. */
void ledger_collect(struct ledger *l)
{
	while (!list_empty(&l->garbage)) {
		struct entry *e = entry_queued(l->garbage.next), *parent = e->parent;

		list_remove(&e->queue);
		list_remove(&e->sibling);
		map_del(&l->entries, &e->by_key);
		l->counts[e->key.kind].facts--;
		entry_free(e);
		if (parent)
			ledger_requeue(l, parent);
	}
}

/* The kernel drops the children with their parent, and a new parent has none. */
void ledger_set_childless(struct ledger *l, struct entry *e)
{
	list_for_each(n, &e->children) {
		struct entry *child = container_of(n, struct entry, sibling);

		child->present = false;
		child->foreign = false;
		ledger_requeue(l, child);
	}
}

void ledger_set_absent(struct ledger *l, struct entry *e)
{
	e->present = false;
	e->foreign = false;
	ledger_requeue(l, e);
	ledger_set_childless(l, e);
}

/* What we want of it changed: try at once, and let the children follow their parent's new owner. */
static void want_changed(struct ledger *l, struct entry *e)
{
	entry_forget_failure(e);
	ledger_requeue(l, e);
	ledger_requeue_children(l, e);
}

bool claimant_older(const struct claimant *a, const struct claimant *b)
{
	return a->born != b->born ? a->born < b->born : strcmp(a->name, b->name) < 0;
}

static struct claim *claim_detach(struct entry *e, const struct claimant *who)
{
	for (struct claim **p = &e->claims; *p; p = &(*p)->next)
		if ((*p)->who == who) {
			struct claim *c = *p;

			*p = c->next;
			return c;
		}
	return NULL;
}

void ledger_claim(struct ledger *l, const struct fact *f, const struct claimant *who)
{
	struct entry *e = entry_get(l, &f->key);
	struct claim *c = claim_detach(e, who), **p = &e->claims;

	if (!c)
		c = new0(struct claim);
	c->who = who;
	c->val = f->val;
	while (*p && claimant_older((*p)->who, who))
		p = &(*p)->next;
	c->next = *p;
	*p = c;
	/* What hangs on a foreign one was never read. */
	if (e->foreign)
		l->unsure |= 1u << e->key.kind;
	e->foreign = false;
	want_changed(l, e);
	ledger_collect(l);
}

void ledger_release(struct ledger *l, const struct fact_key *key, const struct claimant *who)
{
	struct entry *e = entry_find(l, key);

	if (!e)
		return;
	free(claim_detach(e, who));
	want_changed(l, e);
	ledger_collect(l);
}

void ledger_publish(struct ledger *l, const struct fact *old, size_t n_old, const struct fact *new,
	size_t n_new, const struct claimant *who)
{
	size_t i = 0, j = 0;

	while (i < n_old || j < n_new) {
		int c = i == n_old ? 1 : j == n_new ? -1 : fact_key_cmp(&old[i].key, &new[j].key);

		if (c < 0) {
			ledger_release(l, &old[i++].key, who);
		} else if (c > 0) {
			ledger_claim(l, &new[j++], who);
		} else {
			if (!fact_val_eq(&old[i].val, &new[j].val))
				ledger_claim(l, &new[j], who);
			i++;
			j++;
		}
	}
}

static void fill_state(const struct entry *e, struct fact_state *ret)
{
	const struct claim *c = entry_decides(e);

	*ret = (struct fact_state){
		.wanted = c,
		.present = e->present,
		.known = e->known,
		.foreign = e->foreign,
		.have = e->have,
	};
	if (c) {
		ret->want = c->val;
		ret->claimant = c->who;
	}
	if (e->failure) {
		ret->error = e->failure->error;
		ret->tries = e->failure->tries;
		ret->failing_since = e->failure->since;
		ret->retry_at = e->failure->retry_at;
	}
}

bool ledger_state(const struct ledger *l, const struct fact_key *key, struct fact_state *ret)
{
	const struct entry *e = entry_find(l, key);

	if (!e)
		return false;
	fill_state(e, ret);
	return true;
}

struct op fact_state_op(const struct fact_key *key, const struct fact_state *state)
{
	return (struct op){
		.type = op_type_of(state->wanted, state->present),
		.result = state->error,
		.fact = { .key = *key, .val = state->wanted ? state->want : state->have },
	};
}

void ledger_each(const struct ledger *l, enum fact_kind kind,
	void (*f)(const struct fact_key *key, const struct fact_state *state, void *arg), void *arg)
{
	struct fact_state state;

	map_for_each(n, &l->entries) {
		const struct entry *e = entry_of(n);

		if (e->key.kind != kind)
			continue;
		fill_state(e, &state);
		f(&e->key, &state, arg);
	}
}

static void each_in(
	const struct list *queue, void (*f)(const struct fact *fact, void *arg), void *arg)
{
	list_for_each(n, queue) {
		const struct entry *e = entry_queued(n);

		f(&(struct fact){ .key = e->key, .val = e->have }, arg);
	}
}

void ledger_each_queued(const struct ledger *l, enum op_type type, enum fact_kind kind,
	void (*f)(const struct fact *fact, void *arg), void *arg)
{
	for (enum turn turn = TURN_VITAL; turn < TURNS; turn++) {
		const struct list *queue = l->queue[turn][type];

		each_in(&queue[kind], f, arg);
		if (kind == FACT_MEMBER)
			each_in(&queue[QUEUE_DIVERSION], f, arg);
		if (kind == FACT_CHAIN) {
			each_in(&queue[QUEUE_ENTRANCE], f, arg);
			each_in(&queue[QUEUE_SERVICE_CHAIN], f, arg);
		}
	}
}

bool ledger_has_children(const struct ledger *l, const struct fact_key *key)
{
	const struct entry *e = entry_find(l, key);

	if (!e)
		return false;
	list_for_each(n, &e->children)
		if (container_of(n, struct entry, sibling)->present)
			return true;
	return false;
}

const struct ledger_counts *ledger_counts_of(const struct ledger *l, enum fact_kind kind)
{
	return &l->counts[kind];
}

struct ledger_counts ledger_counts(const struct ledger *l)
{
	struct ledger_counts sum = { 0 };

	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		const struct ledger_counts *c = &l->counts[kind];

		sum.facts += c->facts;
		sum.wanted += c->wanted;
		sum.present += c->present;
		sum.pending += c->pending;
		sum.failing += c->failing;
		sum.foreign += c->foreign;
		for (int t = 0; t < OP_TYPES; t++)
			sum.failing_ops[t] += c->failing_ops[t];
	}
	return sum;
}
