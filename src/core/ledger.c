// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How it works. Every fact that somebody claims or that the kernel holds has one entry, found by
 * its key. The entry's claims say what we want, `present`, `known` and `have` what the kernel
 * holds; next_op() compares the two and is the only place that decides whether there is work. After
 * any change to either side requeue() puts the entry on the queue of its next operation, or off all
 * queues, and counts it anew.
 *
 * An entry whose last attempt failed waits on the `delayed` list until its time has come. A child
 * waits, on no queue, while its parent is absent, and is not deleted one by one when the parent is
 * on its way out: the kernel drops the children with it.
 *
 * Entries are freed only at the end of a public call (collect()), so that walks inside may touch
 * any of them.
 */
#include "core/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

enum { OP_TYPES = 3, BACKOFF_FIRST = 100, BACKOFF_MAX_SHIFT = 8 };

/* There is a queue for each kind, one for the members that divert packets from one virtual server
 * to another, and one for the chains that divert them from one backend to the other. */
enum { QUEUE_DIVERSION = FACT_KINDS, QUEUE_ENTRANCE, QUEUES };

/* What vital claimants lack, and everything else. */
enum turn { TURN_VITAL, TURN_USUAL, TURNS };

struct claim {
	struct claim *next;
	const struct claimant *who;
	struct fact_val val;
};

struct failure {
	int error;
	unsigned tries;
	uint64_t since, retry_at;
};

struct entry {
	struct map_node by_key;
	struct list queue;    /* of one operation, `delayed`, `garbage`, or alone */
	struct entry *parent; /* has an entry as long as it has children */
	struct list sibling;  /* on parent->children */
	struct list children;
	struct claim *claims;	 /* the oldest claimant first */
	struct failure *failure; /* NULL: the last attempt did not fail */
	struct fact_key key;
	struct fact_val have;
	uint32_t seen;	    /* the last audit that observed it */
	uint32_t n_foreign; /* of the children: only the device has such */
	bool present, known, foreign, queued;
	struct {
		bool wanted, present, failing, foreign;
	} counted;
};

struct ledger {
	struct map entries;
	struct list queue[TURNS][OP_TYPES][QUEUES];
	struct list delayed;
	uint64_t next_due; /* not after the first retry_at on `delayed` */
	struct list garbage;
	struct ledger_counts counts[FACT_KINDS];
	uint32_t audit;	   /* number of the running or last audit */
	unsigned auditing; /* kinds of the running audit; 0: none runs */
	unsigned unsure;   /* kinds of which an answer was lost */
	size_t drift;	   /* of the running audit */
};

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

static struct entry *entry_of(struct map_node *n)
{
	return container_of(n, struct entry, by_key);
}

static struct entry *queued_entry(struct list *n)
{
	return container_of(n, struct entry, queue);
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

static struct entry *find(const struct ledger *l, const struct fact_key *key)
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

static struct entry *entry_get(struct ledger *l, const struct fact_key *key)
{
	struct entry *e = find(l, key);
	struct fact_key parent;

	if (e)
		return e;
	e = entry_new(l, key);
	if (fact_parent(key, &parent)) {
		e->parent = find(l, &parent);
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
static const struct claim *decides(const struct entry *e)
{
	const struct claim *owner = e->parent ? e->parent->claims : NULL;
	const struct claim *c = e->claims;

	if (e->key.kind != FACT_RS)
		return c;
	while (c && owner && c->who != owner->who && c->who->born != CLAIMANT_LAST)
		c = c->next;
	return owner ? c : NULL;
}

/* The device is the one parent that others put things on: it stays for them, and only what is ours
 * goes. */
static bool leaving(const struct entry *e)
{
	return e->present && !e->foreign && !decides(e) && !e->n_foreign;
}

static bool next_op(const struct entry *e, enum op_type *ret)
{
	const struct claim *c = decides(e);

	if (!c) {
		*ret = OP_DEL;
		return leaving(e) && !(e->parent && leaving(e->parent));
	}
	*ret = e->present ? OP_SET : OP_ADD;
	if (!e->present)
		return !e->parent || e->parent->present;
	return !e->known || !fact_val_eq(&c->val, &e->have);
}

static void set_foreign(struct entry *e, bool foreign)
{
	if (e->parent && e->foreign && !foreign)
		e->parent->n_foreign--;
	if (e->parent && !e->foreign && foreign)
		e->parent->n_foreign++;
	e->foreign = foreign;
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

static void forget_failure(struct entry *e)
{
	free(e->failure);
	e->failure = NULL;
}

/* With nothing to do a failure is over, unless it waits for its parent to be tried again. */
static void rest(struct ledger *l, struct entry *e)
{
	if (e->present || !decides(e))
		forget_failure(e);
	if (!e->claims && !e->present && list_empty(&e->children))
		list_insert(&l->garbage, &e->queue);
}

static int queue_of(const struct fact_key *key)
{
	if (fact_diverts(key))
		return QUEUE_DIVERSION;
	return fact_is_entrance(key) ? QUEUE_ENTRANCE : key->kind;
}

/* Other changes keep their place among what they may depend on. */
static enum turn turn_of(const struct entry *e, enum op_type t)
{
	const struct claim *c = decides(e);
	bool first = t == OP_ADD || (t == OP_SET && queue_of(&e->key) < FACT_VS);

	return first && c && c->who->vital ? TURN_VITAL : TURN_USUAL;
}

static void count(size_t *total, bool *counted, bool now)
{
	*total += (size_t)now - (size_t)*counted;
	*counted = now;
}

static void recount(struct ledger *l, struct entry *e)
{
	struct ledger_counts *c = &l->counts[e->key.kind];

	count(&c->wanted, &e->counted.wanted, decides(e));
	count(&c->present, &e->counted.present, e->present);
	count(&c->failing, &e->counted.failing, e->failure && e->failure->error);
	count(&c->foreign, &e->counted.foreign, e->foreign);
}

static void requeue(struct ledger *l, struct entry *e)
{
	enum op_type t;

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

static void requeue_children(struct ledger *l, struct entry *e)
{
	list_for_each(n, &e->children)
		requeue(l, container_of(n, struct entry, sibling));
}

/* Frees what nobody wants and the kernel does not have; a parent may follow its last child. */
static void collect(struct ledger *l)
{
	while (!list_empty(&l->garbage)) {
		struct entry *e = queued_entry(l->garbage.next), *parent = e->parent;

		list_remove(&e->queue);
		list_remove(&e->sibling);
		map_del(&l->entries, &e->by_key);
		l->counts[e->key.kind].facts--;
		entry_free(e);
		if (parent)
			requeue(l, parent);
	}
}

/* What we want of it changed: try at once, and let the children follow their parent's new owner. */
static void want_changed(struct ledger *l, struct entry *e)
{
	forget_failure(e);
	requeue(l, e);
	requeue_children(l, e);
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
	set_foreign(e, false);
	want_changed(l, e);
	collect(l);
}

void ledger_release(struct ledger *l, const struct fact_key *key, const struct claimant *who)
{
	struct entry *e = find(l, key);

	if (!e)
		return;
	free(claim_detach(e, who));
	want_changed(l, e);
	collect(l);
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

/* Those whose time has come go back to their queues. */
static void wake_delayed(struct ledger *l, uint64_t now)
{
	if (now < l->next_due)
		return;
	l->next_due = UINT64_MAX;
	list_for_each_safe(n, &l->delayed) {
		struct entry *e = queued_entry(n);

		if (e->failure->retry_at <= now) {
			e->failure->retry_at = 0;
			requeue(l, e);
		} else if (e->failure->retry_at < l->next_due) {
			l->next_due = e->failure->retry_at;
		}
	}
}

/* What was queued first is added first and deleted last. */
static size_t fill_ops(struct list *queue, enum op_type type, struct op *ops, size_t max)
{
	size_t n = 0;

	for (struct list *it = queue; n < max;) {
		const struct entry *e;

		it = type == OP_DEL ? it->prev : it->next;
		if (it == queue)
			break;
		e = queued_entry(it);
		ops[n++] = (struct op){
			.type = type,
			.fact = { .key = e->key,
				.val = type == OP_DEL ? e->have : decides(e)->val },
		};
	}
	return n;
}

/*
 * Guards first, and complete: where chains and sets of kube-proxy's stand in our place, what makes
 * them ours changes them and does not add them. Then what answers, then what leads packets there,
 * or away from what is about to lose its weight; the rest of the changes; and what goes, backwards.
 * What leads from one backend to the other waits until both sides answer.
 * Changes of virtual servers take the kernel long, so that nothing waits for them.
 */
static const struct step {
	enum op_type type;
	int queue;
} steps[] = {
	{ OP_ADD, FACT_LINK },
	{ OP_SET, FACT_LINK },
	{ OP_ADD, FACT_SET },
	{ OP_SET, FACT_SET },
	{ OP_ADD, FACT_MEMBER },
	{ OP_SET, FACT_MEMBER },
	{ OP_ADD, FACT_CHAIN },
	{ OP_SET, FACT_CHAIN },
	{ OP_ADD, QUEUE_ENTRANCE },
	{ OP_ADD, FACT_DISPATCH },
	{ OP_SET, FACT_DISPATCH },
	{ OP_ADD, FACT_JUMP },
	{ OP_SET, FACT_JUMP },
	{ OP_ADD, FACT_VS },
	{ OP_ADD, FACT_RS },
	{ OP_ADD, QUEUE_DIVERSION },
	{ OP_SET, QUEUE_DIVERSION },
	{ OP_SET, QUEUE_ENTRANCE },
	{ OP_DEL, QUEUE_DIVERSION },
	{ OP_ADD, FACT_ROUTE },
	{ OP_ADD, FACT_ADDR },
	{ OP_SET, FACT_RS },
	{ OP_SET, FACT_ROUTE },
	{ OP_SET, FACT_ADDR },
	{ OP_DEL, FACT_ADDR },
	{ OP_DEL, FACT_ROUTE },
	{ OP_DEL, FACT_RS },
	{ OP_DEL, FACT_VS },
	{ OP_DEL, FACT_JUMP },
	{ OP_DEL, FACT_DISPATCH },
	{ OP_DEL, QUEUE_ENTRANCE },
	{ OP_DEL, FACT_CHAIN },
	{ OP_DEL, FACT_MEMBER },
	{ OP_DEL, FACT_SET },
	{ OP_DEL, FACT_LINK },
	{ OP_SET, FACT_VS },
};
static_assert(ARRAY_SIZE(steps) == OP_TYPES * QUEUES, "every queue has its turn");

size_t ledger_take(struct ledger *l, uint64_t now, struct op *ops, size_t max, uint64_t *ret_next)
{
	wake_delayed(l, now);
	for (enum turn turn = TURN_VITAL; turn < TURNS; turn++)
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			enum op_type t = steps[i].type;
			size_t n = fill_ops(&l->queue[turn][t][steps[i].queue], t, ops, max);

			if (n)
				return n;
		}
	*ret_next = l->next_due;
	return 0;
}

/* The kernel drops the children with their parent, and a new parent has none. */
static void set_childless(struct ledger *l, struct entry *e)
{
	list_for_each(n, &e->children) {
		struct entry *child = container_of(n, struct entry, sibling);

		child->present = false;
		set_foreign(child, false);
		requeue(l, child);
	}
}

static void set_absent(struct ledger *l, struct entry *e)
{
	e->present = false;
	set_foreign(e, false);
	requeue(l, e);
	set_childless(l, e);
}

static void set_done(struct ledger *l, struct entry *e, const struct op *op)
{
	forget_failure(e);
	if (op->type == OP_DEL) {
		set_absent(l, e);
		return;
	}
	e->present = e->known = true;
	e->have = op->fact.val;
	requeue(l, e);
	if (op->type == OP_ADD)
		set_childless(l, e);
}

static void failed(struct entry *e, int error, uint64_t now)
{
	unsigned shift;

	if (!e->failure) {
		e->failure = new0(struct failure);
		e->failure->since = now;
	}
	e->failure->error = error;
	e->failure->tries++;
	shift = e->failure->tries < BACKOFF_MAX_SHIFT ? e->failure->tries : BACKOFF_MAX_SHIFT;
	e->failure->retry_at = now + ((uint64_t)BACKOFF_FIRST << shift);
}

/* Somebody was faster; neither its value nor what hangs on it is known. */
static void found_present(struct ledger *l, struct entry *e, const struct op *op)
{
	e->present = true;
	e->known = false;
	e->have = op->fact.val; /* most likely */
	l->unsure |= 1u << e->key.kind;
	requeue(l, e);
	requeue_children(l, e);
}

/*
 * It may be there or not, with the old value or the new one. Taken for present, whatever is wanted
 * next finds out; taken for absent, one that we made would not be known as ours any more when it
 * is released before the next audit.
 */
static void lost_answer(struct ledger *l, struct entry *e, const struct op *op, uint64_t now)
{
	bool was_present = e->present;

	e->present = true;
	e->known = false;
	e->have = op->fact.val; /* most likely */
	l->unsure |= 1u << e->key.kind;
	failed(e, op->result, now);
	requeue(l, e);
	if (!was_present)
		requeue_children(l, e);
}

/*
 * What the kernel said is not there. The first time that is news and acted on at once; a kernel
 * that keeps saying so is retried with back-off.
 */
static void found_absent(
	struct ledger *l, struct entry *e, struct entry *gone, const struct op *op, uint64_t now)
{
	if (op->type != OP_DEL) {
		failed(e, op->result, now);
		if (e->failure->tries == 1) {
			e->failure->error = 0;
			e->failure->retry_at = 0;
		}
	}
	set_absent(l, gone);
	requeue(l, e);
}

void ledger_settle(struct ledger *l, const struct op *op, uint64_t now)
{
	struct entry *e = find(l, &op->fact.key);

	/* Nobody wants it any more, but now it is there, or may be. */
	if (!e && op->type == OP_ADD && (!op->result || op->result == -ENOBUFS))
		e = entry_get(l, &op->fact.key);
	/* An answer before it in the same batch told that it went with its parent. */
	if (!e)
		return;
	if (!op->result) {
		set_done(l, e, op);
	} else if (op->result == -EEXIST && op->type == OP_ADD) {
		found_present(l, e, op);
	} else if (op->result == -ESRCH && e->parent) {
		found_absent(l, e, e->parent, op, now);
	} else if (op->result == -ENOENT && op->type != OP_ADD) {
		found_absent(l, e, e, op, now);
	} else if (op->result == -ENOBUFS) {
		lost_answer(l, e, op, now);
	} else {
		failed(e, op->result, now);
		requeue(l, e);
	}
	collect(l);
}

void ledger_audit_begin(struct ledger *l, unsigned kinds)
{
	assert(!l->auditing);
	l->audit++;
	l->auditing = kinds;
	l->drift = 0;
}

static bool answer_lost(const struct entry *e)
{
	return e->failure && e->failure->error == -ENOBUFS;
}

/* Where nothing is believed nothing can differ: what we did ourselves is no drift. */
static bool doubted(const struct entry *e)
{
	return answer_lost(e) || (e->parent && answer_lost(e->parent));
}

void ledger_observe(struct ledger *l, const struct fact *f, bool ours)
{
	struct entry *e = entry_get(l, &f->key);
	bool differs = !e->present || (e->known && !fact_val_eq(&e->have, &f->val));

	if (!e->present)
		set_foreign(e, !e->claims && !ours);
	if (differs) {
		l->drift += !e->foreign && !doubted(e);
		forget_failure(e);
	}
	e->present = e->known = true;
	e->have = f->val;
	e->seen = l->audit;
	requeue(l, e);
	if (differs)
		requeue_children(l, e);
	if (differs && e->foreign && e->parent) {
		requeue(l, e->parent);
		requeue_children(l, e->parent);
	}
	collect(l);
}

static bool vanished(const struct ledger *l, const struct entry *e)
{
	return l->auditing & 1u << e->key.kind && e->present && e->seen != l->audit;
}

/* Counted before any is acted on, as the end of one is the end of its children. */
size_t ledger_audit_end(struct ledger *l)
{
	map_for_each(n, &l->entries) {
		const struct entry *e = entry_of(n);

		l->drift += vanished(l, e) && !e->foreign && !doubted(e);
	}
	map_for_each(n, &l->entries) {
		struct entry *e = entry_of(n);

		if (!vanished(l, e))
			continue;
		forget_failure(e);
		set_absent(l, e);
	}
	collect(l);
	l->unsure &= ~l->auditing;
	l->auditing = 0;
	return l->drift;
}

void ledger_audit_abort(struct ledger *l)
{
	l->auditing = 0;
}

bool ledger_unsure(const struct ledger *l)
{
	return l->unsure;
}

static void fill_state(const struct entry *e, struct fact_state *ret)
{
	const struct claim *c = decides(e);

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
	const struct entry *e = find(l, key);

	if (!e)
		return false;
	fill_state(e, ret);
	return true;
}

struct op fact_state_op(const struct fact_key *key, const struct fact_state *state)
{
	return (struct op){
		.type = !state->wanted	 ? OP_DEL
			: state->present ? OP_SET
					 : OP_ADD,
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

static void each_queued(
	const struct list *queue, void (*f)(const struct fact *fact, void *arg), void *arg)
{
	list_for_each(n, queue) {
		const struct entry *e = queued_entry(n);

		f(&(struct fact){ .key = e->key, .val = e->have }, arg);
	}
}

void ledger_each_leaving(const struct ledger *l, enum fact_kind kind,
	void (*f)(const struct fact *fact, void *arg), void *arg)
{
	each_queued(&l->queue[TURN_USUAL][OP_DEL][kind], f, arg);
	if (kind == FACT_MEMBER)
		each_queued(&l->queue[TURN_USUAL][OP_DEL][QUEUE_DIVERSION], f, arg);
	if (kind == FACT_CHAIN)
		each_queued(&l->queue[TURN_USUAL][OP_DEL][QUEUE_ENTRANCE], f, arg);
}

bool ledger_has_children(const struct ledger *l, const struct fact_key *key)
{
	const struct entry *e = find(l, key);

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
	}
	return sum;
}
