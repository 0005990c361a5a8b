// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every fact that somebody claims or that the kernel holds has one entry, found by its key. The
 * claims of an entry are its desired state; `present`, `known` and `have` are its observed state.
 * entry_next_op() compares the two and alone decides whether there is work. After any change to
 * either side, ledger_requeue() moves the entry to the queue of its next operation, or off all
 * queues, and counts it anew. There is one queue for each row of the table in op_order.c.
 *
 * An entry whose last attempt failed waits on the `delayed` list until its time has come. A child
 * waits on no queue while its parent is absent, and is not deleted by itself while its parent is
 * leaving, because the kernel drops the children with the parent. Members that lead packets
 * somewhere, which are those with a step of their own in op_order.c, are deleted all the same, as they
 * have to go before what they lead to.
 *
 * A cluster has ten or a hundred thousand facts, so that an entry keeps its key packed, and values
 * are kept once for all entries (packed_key.h, val_pool.h).
 *
 * Entries are freed only at the end of a public call, by ledger_collect(), so that walks inside may
 * touch any of them.
 */
#include "core/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "op_order.h"
#include "packed_key.h"
#include "val_pool.h"

enum {
	BACKOFF_FIRST = 100,   /* ms; doubles with each failure in a row ... */
	BACKOFF_MAX_SHIFT = 8, /* ... up to 25.6 s */
};

/* The passes over the table: operations for vital claimants first, then all others. */
enum pass { PASS_VITAL, PASS_USUAL, PASSES };

struct claim {
	const struct claimant *who;
	const struct fact_val *val; /* of ledger.vals */
};

struct failure {
	int error;
	unsigned tries;
	uint64_t since, retry_at;
};

/* For the few entries with several claims, or whose last attempt failed. */
struct entry_extra {
	struct claim *claims; /* the oldest claimant first */
	uint32_t n_claims;
	bool failed;
	struct failure failure; /* if `failed` */
};

struct ledger_entry {
	struct map_node by_key;
	struct list queue; /* on one of ledger.queue, `delayed`, `garbage`, or alone */
	union {
		struct {
			struct ledger_entry *parent; /* stays as long as it has children */
			struct list sibling;	     /* on parent->children */
		}; /* is_child: its kind has parents, which have none themselves */
		struct {
			struct list children;
			uint32_t n_children;
			uint32_t n_staying; /* of the device: how many have `stays` set */
		};
	};
	union {
		struct claim claim;	   /* without `who`, there is none */
		struct entry_extra *extra; /* has_extra: it has the claims */
	};
	const struct fact_val *have;   /* of ledger.vals; NULL: was never present */
	uint16_t key_used : KEY_WORDS; /* of the packed key, a child's relative to its parent's */
	uint16_t kind : 4;	       /* enum fact_kind */
	bool is_child : 1, has_extra : 1;
	bool seen : 1; /* by the running audit */
	bool present : 1, known : 1, foreign : 1, ours : 1, queued : 1, stays : 1;
	bool orphan : 1, kept : 1; /* see ledger_keep() */
	bool counted_wanted : 1, counted_present : 1, counted_foreign : 1, counted_kept : 1;
	uint8_t counted_failing : 2; /* 0: it does not; 1 + enum op_type */
	uint32_t key_words[];
};
static_assert(FACT_KINDS <= 16, "has room in ledger_entry.kind");

struct ledger {
	struct map entries;
	struct val_pool vals;
	struct list queue[PASSES][OP_STEPS]; /* as in op_order[] */
	uint8_t step_of[OP_TYPES][OP_CLASSES];
	struct list delayed;
	uint64_t next_due; /* no later than the first retry_at on `delayed` */
	struct list garbage;
	struct ledger_counts counts[FACT_KINDS];
	bool auditing;
	unsigned audited;		     /* kinds of the running audit */
	struct ledger_entry *audited_parent; /* it is of its children; NULL: of kinds */
	unsigned unsure;		     /* kinds of which an answer was lost */
	bool enters_last;		     /* see ledger_enter_last() */
	bool turns_early;		     /* see ledger_turn_last() */
	size_t drift;			     /* of the running audit */
};

const char *op_type_name(enum op_type type)
{
	static const char *const names[] = {
		[OP_ADD] = "add", [OP_SET] = "set", [OP_DEL] = "delete"
	};

	return names[type];
}

bool claimant_older(const struct claimant *a, const struct claimant *b)
{
	return a->born != b->born ? a->born < b->born : strcmp(a->name, b->name) < 0;
}

/* Entries */

struct ledger *ledger_new(void)
{
	struct ledger *l = new0(struct ledger);

	for (size_t i = 0; i < OP_STEPS; i++) {
		l->step_of[op_order[i].type][op_order[i].class] = (uint8_t)i;
		for (enum pass pass = 0; pass < PASSES; pass++)
			list_init(&l->queue[pass][i]);
	}
	list_init(&l->delayed);
	list_init(&l->garbage);
	l->next_due = UINT64_MAX;
	return l;
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	map_for_each_entry(struct ledger_entry, e, &l->entries, by_key) {
		if (e->has_extra) {
			free(e->extra->claims);
			free(e->extra);
		}
		free(e);
	}
	map_done(&l->entries);
	val_pool_done(&l->vals);
	free(l);
}

static struct ledger_entry *entry_parent(const struct ledger_entry *e)
{
	return e->is_child ? e->parent : NULL;
}

static struct fact_key entry_key(const struct ledger_entry *e)
{
	const struct ledger_entry *parent = entry_parent(e);
	struct fact_key base = { 0 };

	if (parent)
		base = packed_key_unpack(parent->key_used, parent->key_words, &base);
	return packed_key_unpack(e->key_used, e->key_words, &base);
}

static struct fact_val entry_have(const struct ledger_entry *e)
{
	return e->have ? *e->have : (struct fact_val){ 0 };
}

static void entry_set_have(struct ledger *l, struct ledger_entry *e, const struct fact_val *val)
{
	const struct fact_val *old = e->have;

	e->have = val_pool_get(&l->vals, val);
	val_pool_put(&l->vals, old);
}

static uint32_t hash_key(const struct fact_key *key)
{
	return map_hash(key, sizeof(*key));
}

static struct ledger_entry *ledger_find_hashed(
	const struct ledger *l, const struct fact_key *key, uint32_t hash)
{
	map_for_each_match_entry(struct ledger_entry, e, &l->entries, hash, by_key) {
		const struct fact_key found = entry_key(e);

		if (fact_key_eq(&found, key))
			return e;
	}
	return NULL;
}

static struct ledger_entry *ledger_find(const struct ledger *l, const struct fact_key *key)
{
	return ledger_find_hashed(l, key, hash_key(key));
}

/* Makes the entry, and the one of its parent, where there is none. */
static struct ledger_entry *ledger_get(struct ledger *l, const struct fact_key *key)
{
	const uint32_t hash = hash_key(key);
	struct ledger_entry *e = ledger_find_hashed(l, key, hash);
	struct fact_key parent = { 0 };
	struct packed_key packed;
	size_t size, all;
	bool is_child;

	if (e)
		return e;
	is_child = fact_parent(key, &parent);
	packed = packed_key(key, &parent);
	size = packed_key_words(packed.used) * sizeof(*packed.words);
	/* The words begin in what would be padding behind the structure. */
	all = offsetof(struct ledger_entry, key_words) + size;
	e = mem_zalloc(1, all > sizeof(*e) ? all : sizeof(*e));
	e->key_used = packed.used & ((1u << KEY_WORDS) - 1);
	memcpy(e->key_words, packed.words, size);
	e->kind = key->kind & 15u;
	e->known = true;
	e->is_child = is_child;
	list_init(&e->queue);
	l->counts[key->kind].facts++;
	if (is_child) {
		e->parent = ledger_get(l, &parent);
		list_insert(&e->parent->children, &e->sibling);
		e->parent->n_children++;
	} else {
		list_init(&e->children);
	}
	map_add(&l->entries, &e->by_key, hash);
	return e;
}

static struct entry_extra *entry_expand(struct ledger_entry *e)
{
	struct entry_extra *extra;

	if (e->has_extra)
		return e->extra;
	extra = new0(struct entry_extra);
	if (e->claim.who) {
		extra->claims = new0(struct claim);
		extra->claims[0] = e->claim;
		extra->n_claims = 1;
	}
	e->has_extra = true;
	return e->extra = extra;
}

/* The entry may be without need of it now. */
static void entry_shrink(struct ledger_entry *e)
{
	struct entry_extra *extra = e->extra;

	if (extra->failed || extra->n_claims > 1)
		return;
	assert(extra->claims || !extra->n_claims);
	e->claim = extra->n_claims ? extra->claims[0] : (struct claim){ 0 };
	e->has_extra = false;
	free(extra->claims);
	free(extra);
}

/* NULL: the last attempt did not fail. */
static struct failure *entry_failure(const struct ledger_entry *e)
{
	return e->has_extra && e->extra->failed ? &e->extra->failure : NULL;
}

static void entry_forget_failure(struct ledger_entry *e)
{
	if (!entry_failure(e))
		return;
	e->extra->failed = false;
	entry_shrink(e);
}

static const struct claim *entry_claims(const struct ledger_entry *e)
{
	return e->has_extra ? e->extra->claims : &e->claim;
}

static uint32_t entry_n_claims(const struct ledger_entry *e)
{
	return e->has_extra ? e->extra->n_claims : e->claim.who != NULL;
}

/* Where the claim of `who` is, or belongs. Thousands of Services may share an address or endpoint. */
static uint32_t claim_position(const struct ledger_entry *e, const struct claimant *who)
{
	const struct claim *claims = entry_claims(e);
	uint32_t from = 0, to = entry_n_claims(e);

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (claimant_older(claims[middle].who, who))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static const struct claim *claim_find(const struct ledger_entry *e, const struct claimant *who)
{
	const uint32_t i = claim_position(e, who);
	const struct claim *claims = entry_claims(e);

	return i < entry_n_claims(e) && claims[i].who == who ? &claims[i] : NULL;
}

/*
 * The claim that decides the value; NULL: the fact is not wanted. A real server is wanted only by
 * the claimant that decides its virtual server: the endpoints of a Service that lost a conflict
 * must not receive the winner's packets. The last claimant, which drains, comes after it.
 */
static const struct claim *entry_deciding_claim(const struct ledger_entry *e)
{
	const struct claim *claims = entry_claims(e), *last, *c;

	if (!entry_n_claims(e))
		return NULL;
	if (e->kind != FACT_RS)
		return claims;
	if (!entry_n_claims(e->parent))
		return NULL;
	c = claim_find(e, entry_claims(e->parent)->who);
	last = &claims[entry_n_claims(e) - 1];
	return c || last->who->born != CLAIMANT_LAST ? c : last;
}

/* The device stays as long as an address stays on it, and an orphan as long as it is kept. */
static bool entry_is_leaving(const struct ledger_entry *e)
{
	const bool holds_others = !e->is_child && e->n_staying;

	return e->present && !e->foreign && !entry_deciding_claim(e) && !holds_others && !e->kept;
}

/* Its parent goes, and takes it along early enough. */
static bool entry_goes_with_parent(const struct ledger_entry *e)
{
	struct fact_key key;

	if (!e->is_child || !entry_is_leaving(e->parent))
		return false;
	key = entry_key(e);
	return op_class_of(&key) == (enum op_class)key.kind;
}

/* Whether there is an operation that makes the entry equal to its desired state. */
static bool entry_next_op(const struct ledger_entry *e, enum op_type *ret)
{
	const struct ledger_entry *parent = entry_parent(e);
	const struct claim *c = entry_deciding_claim(e);

	*ret = !c ? OP_DEL : e->present ? OP_SET : OP_ADD;
	if (e->foreign || (parent && parent->foreign))
		return false;
	switch (*ret) {
	case OP_ADD:
		return !parent || parent->present;
	case OP_SET:
		return !e->known || c->val != e->have;
	case OP_DEL:
		return entry_is_leaving(e) && !entry_goes_with_parent(e);
	}
	return false;
}

/* Only members and chains may have another place than the rest of their kind. */
static enum op_class entry_class(const struct ledger_entry *e)
{
	struct fact_key key;

	if (e->kind != FACT_MEMBER && e->kind != FACT_CHAIN)
		return (enum op_class)e->kind;
	key = entry_key(e);
	return op_class_of(&key);
}

static enum op_class class_of_op(const struct ledger *l, const struct ledger_entry *e,
	enum op_type type, const struct claim *c)
{
	if (type == OP_SET && e->kind == FACT_RS && e->known && !e->have->rs.weight &&
		c->val->rs.weight)
		return OP_CLASS_REVIVAL;
	if (type == OP_ADD && l->enters_last && e->kind == FACT_JUMP) {
		const struct fact_key key = entry_key(e);

		if (fact_enters_nat(&key))
			return OP_CLASS_ENTRY;
	}
	if (type == OP_SET && l->turns_early && entry_class(e) == OP_CLASS_ENTRANCE)
		return (enum op_class)FACT_CHAIN;
	return entry_class(e);
}

/* Queues and counts */

static void ledger_requeue(struct ledger *l, struct ledger_entry *e);

static void ledger_requeue_children(struct ledger *l, struct ledger_entry *e)
{
	if (e->is_child)
		return;
	list_for_each_entry(struct ledger_entry, child, &e->children, sibling)
		ledger_requeue(l, child);
}

/*
 * The device is the only parent on which others put things, and the only one that may be unwanted
 * while the drain still wants a child. The recursion through ledger_requeue() ends at the device,
 * which has no parent.
 */
static void ledger_keep_device(struct ledger *l, struct ledger_entry *e)
{
	struct ledger_entry *device = entry_parent(e);
	bool stays = device && device->kind == FACT_LINK && e->present &&
		(e->foreign || e->kept || entry_deciding_claim(e));
	bool was_leaving;

	if (stays == e->stays)
		return;
	assert(device); /* an entry without one neither stays nor stayed */
	was_leaving = entry_is_leaving(device);
	if (stays)
		device->n_staying++;
	else
		device->n_staying--;
	e->stays = stays;
	if (entry_is_leaving(device) == was_leaving)
		return;
	ledger_requeue(l, device);
	ledger_requeue_children(l, device);
}

/* To be called after any change of the entry: puts it on the queue of its next operation and counts
 * it anew. */
static void ledger_requeue(struct ledger *l, struct ledger_entry *e)
{
	struct ledger_counts *counts = &l->counts[e->kind];
	struct list *queue = NULL;
	const struct failure *failure;
	const struct claim *c;
	enum op_type type;
	bool wanted;

	if (!e->present)
		e->orphan = e->kept = false;
	ledger_keep_device(l, e);
	c = entry_deciding_claim(e);
	wanted = c;
	list_remove(&e->queue);
	if (!entry_next_op(e, &type)) {
		/* A failed add whose parent has vanished is not over: the parent is tried again. */
		if (e->present || !wanted)
			entry_forget_failure(e);
		if (!entry_n_claims(e) && !e->present && (e->is_child || !e->n_children))
			list_insert(&l->garbage, &e->queue);
	} else if (entry_failure(e) && entry_failure(e)->retry_at) {
		queue = &l->delayed;
		if (entry_failure(e)->retry_at < l->next_due)
			l->next_due = entry_failure(e)->retry_at;
	} else {
		size_t step = l->step_of[type][class_of_op(l, e, type, c)];
		bool vital = op_order[step].vital && c && c->who->vital;

		queue = &l->queue[vital ? PASS_VITAL : PASS_USUAL][step];
	}
	if (queue)
		list_insert(queue, &e->queue);

	if (e->queued != (queue != NULL)) {
		queue ? counts->pending++ : counts->pending--;
		e->queued = queue;
	}
	if (e->counted_wanted != wanted) {
		wanted ? counts->wanted++ : counts->wanted--;
		e->counted_wanted = wanted;
	}
	if (e->counted_present != e->present) {
		e->present ? counts->present++ : counts->present--;
		e->counted_present = e->present;
	}
	if (e->counted_foreign != e->foreign) {
		e->foreign ? counts->foreign++ : counts->foreign--;
		e->counted_foreign = e->foreign;
	}
	if (e->counted_kept != e->kept) {
		e->kept ? counts->kept++ : counts->kept--;
		e->counted_kept = e->kept;
	}
	if (e->counted_failing) {
		counts->failing--;
		counts->failing_ops[e->counted_failing - 1]--;
		e->counted_failing = 0;
	}
	failure = entry_failure(e);
	if (failure && failure->error) {
		e->counted_failing = (1 + type) & 3;
		counts->failing++;
		counts->failing_ops[type]++;
	}
}

/* Frees entries that nobody wants and the kernel does not hold; a parent may follow its last child.
 * Ends each public call that requeues. */
static void ledger_collect(struct ledger *l)
{
	while (!list_empty(&l->garbage)) {
		struct ledger_entry *e = container_of(l->garbage.next, struct ledger_entry, queue);
		struct ledger_entry *parent = entry_parent(e);

		list_remove(&e->queue);
		map_del(&l->entries, &e->by_key);
		l->counts[e->kind].facts--;
		val_pool_put(&l->vals, e->have);
		if (parent)
			list_remove(&e->sibling);
		free(e);
		if (!parent)
			continue;
		parent->n_children--;
		ledger_requeue(l, parent);
	}
}

/* The entry changed, and has no children now: the kernel drops the children with their parent, and
 * a new parent has none. */
static void ledger_requeue_childless(struct ledger *l, struct ledger_entry *e)
{
	ledger_requeue(l, e);
	if (e->is_child)
		return;
	list_for_each_entry(struct ledger_entry, child, &e->children, sibling) {
		child->present = false;
		child->foreign = false;
		ledger_requeue(l, child);
	}
}

/* Claims */

/* The claim is new, or has another value. */
static void claim_put(struct ledger *l, struct ledger_entry *e, const struct claimant *who,
	const struct fact_val *val)
{
	const uint32_t i = claim_position(e, who), n = entry_n_claims(e);
	const struct claim new = { .who = who, .val = val_pool_get(&l->vals, val) };
	struct claim *claims = e->has_extra ? e->extra->claims : &e->claim;
	struct entry_extra *extra;

	if (i < n && claims[i].who == who) {
		val_pool_put(&l->vals, claims[i].val);
		claims[i] = new;
	} else if (!e->has_extra && !n) {
		e->claim = new;
	} else {
		extra = entry_expand(e);
		/* There is room for a power of two. */
		if (!(n & (n - 1)))
			extra->claims =
				mem_realloc(extra->claims, n ? (size_t)2 * n : 1, sizeof(new));
		memmove(&extra->claims[i + 1], &extra->claims[i], (n - i) * sizeof(new));
		extra->claims[i] = new;
		extra->n_claims++;
	}
}

static void claim_remove(struct ledger *l, struct ledger_entry *e, const struct claimant *who)
{
	const uint32_t i = claim_position(e, who), n = entry_n_claims(e);
	struct claim *claims = e->has_extra ? e->extra->claims : &e->claim;

	if (i == n || claims[i].who != who)
		return;
	val_pool_put(&l->vals, claims[i].val);
	if (!e->has_extra) {
		e->claim = (struct claim){ 0 };
		return;
	}
	memmove(&claims[i], &claims[i + 1], (n - i - 1) * sizeof(*claims));
	e->extra->n_claims--;
	entry_shrink(e);
}

static struct ledger_entry *ledger_claim_entry(
	struct ledger *l, const struct fact *f, const struct claimant *who)
{
	struct ledger_entry *e = ledger_get(l, &f->key);

	claim_put(l, e, who, &f->val);
	/* Children of a foreign fact were never read. */
	if (e->foreign)
		l->unsure |= 1u << e->kind;
	e->foreign = false;
	e->orphan = e->kept = false;

	/* A new desired state is tried at once, and the children follow their parent's owner. */
	entry_forget_failure(e);
	ledger_requeue(l, e);
	ledger_requeue_children(l, e);
	ledger_collect(l);
	return e;
}

void ledger_claim(struct ledger *l, const struct fact *f, const struct claimant *who)
{
	ledger_claim_entry(l, f, who);
}

void ledger_release(struct ledger *l, const struct fact_key *key, const struct claimant *who)
{
	struct ledger_entry *e = ledger_find(l, key);

	if (!e)
		return;
	claim_remove(l, e, who);
	entry_forget_failure(e);
	ledger_requeue(l, e);
	ledger_requeue_children(l, e);
	ledger_collect(l);
}

struct fact_key claims_key(const struct claims *c, size_t i)
{
	return entry_key(c->entries[i]);
}

struct fact claims_fact(const struct claims *c, size_t i, const struct claimant *who)
{
	const struct claim *claim = claim_find(c->entries[i], who);

	assert(claim);
	return (struct fact){ .key = claims_key(c, i), .val = *claim->val };
}

static int compare_key_to_entry(const void *key, const void *entry)
{
	const struct fact_key of_entry = entry_key(*(struct ledger_entry *const *)entry);

	return fact_key_cmp(key, &of_entry);
}

bool claims_have(const struct claims *c, const struct fact_key *key)
{
	return c->n && bsearch(key, c->entries, c->n, sizeof(*c->entries), compare_key_to_entry);
}

void claims_done(struct claims *c)
{
	free(c->entries);
	*c = (struct claims){ 0 };
}

void ledger_publish(struct ledger *l, struct claims *claims, const struct fact *new, size_t n_new,
	const struct claimant *who)
{
	_cleanup_(claims_done) struct claims old = *claims;
	size_t i = 0, j = 0;

	claims->entries = mem_zalloc(n_new, sizeof(*claims->entries));
	claims->n = n_new;
	while (i < old.n || j < n_new) {
		const struct fact was = i < old.n ? claims_fact(&old, i, who) : (struct fact){ 0 };
		int c = i == old.n ? 1 : j == n_new ? -1 : fact_key_cmp(&was.key, &new[j].key);

		if (c < 0)
			ledger_release(l, &was.key, who);
		else if (c > 0 || !fact_val_eq(&was.val, &new[j].val))
			claims->entries[j] = ledger_claim_entry(l, &new[j], who);
		else
			claims->entries[j] = old.entries[i];
		i += c <= 0;
		j += c >= 0;
	}
}

/* Where the entry is or would be. */
static size_t claims_position(const struct claims *c, const struct fact_key *key)
{
	size_t from = 0, to = c->n;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		if (compare_key_to_entry(key, &c->entries[middle]) > 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Closes the gaps at these positions, which rise. */
static void claims_remove(struct claims *c, const size_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const size_t from = at[i] + 1, to = i + 1 < n ? at[i + 1] : c->n;

		memmove(c->entries + at[i] - i, c->entries + from,
			(to - from) * sizeof(*c->entries));
	}
	c->n -= n;
}

/* The entries are sorted by key, and none of them is among the claims. */
static void claims_insert(struct claims *c, struct ledger_entry *const *entries, size_t n)
{
	struct claims behind = *c; /* what has to make room */

	if (!n)
		return;
	c->entries = behind.entries = mem_realloc(c->entries, c->n + n, sizeof(*c->entries));
	for (size_t i = n; i--;) {
		const struct fact_key key = entry_key(entries[i]);
		const size_t at = claims_position(&behind, &key);

		memmove(c->entries + at + i + 1, c->entries + at,
			(behind.n - at) * sizeof(*c->entries));
		c->entries[at + i] = entries[i];
		behind.n = at;
	}
	c->n += n;
}

void ledger_publish_part(struct ledger *l, struct claims *claims, const struct fact *old,
	size_t n_old, const struct fact *new, size_t n_new, const struct claimant *who)
{
	_cleanup_free_ struct ledger_entry **added = mem_zalloc(n_new, sizeof(*added));
	_cleanup_free_ size_t *gone = mem_zalloc(n_old, sizeof(*gone));
	size_t i = 0, j = 0, n_gone = 0, n_added = 0;

	/* A released entry may be freed, so that all are looked up before. */
	while (i < n_old || j < n_new) {
		int c = i == n_old ? 1 : j == n_new ? -1 : fact_key_cmp(&old[i].key, &new[j].key);

		if (c < 0) {
			gone[n_gone] = claims_position(claims, &old[i].key);
			assert(claims_have(claims, &old[i].key));
			n_gone++;
		} else if (c > 0) {
			assert(!claims_have(claims, &new[j].key));
			added[n_added++] = ledger_claim_entry(l, &new[j], who);
		} else if (!fact_val_eq(&old[i].val, &new[j].val)) {
			ledger_claim_entry(l, &new[j], who);
		}
		i += c <= 0;
		j += c >= 0;
	}
	for (size_t k = 0; k < n_gone; k++) {
		const struct fact_key key = claims_key(claims, gone[k]);

		ledger_release(l, &key, who);
	}
	claims_remove(claims, gone, n_gone);
	claims_insert(claims, added, n_added);
}

/* Operations */

void ledger_retry(struct ledger *l, uint64_t now)
{
	if (now < l->next_due)
		return;
	l->next_due = UINT64_MAX;
	list_for_each_entry_safe(struct ledger_entry, e, &l->delayed, queue) {
		struct failure *failure = entry_failure(e);

		if (failure->retry_at <= now) {
			failure->retry_at = 0;
			ledger_requeue(l, e);
		} else if (failure->retry_at < l->next_due) {
			l->next_due = failure->retry_at;
		}
	}
}

/* Entries queued first are added first and deleted last. */
static size_t queue_fill_ops(
	const struct list *queue, enum op_type type, struct op *ops, size_t max)
{
	const struct list *it = queue;
	size_t n = 0;

	while (n < max) {
		const struct ledger_entry *e;

		it = type == OP_DEL ? it->prev : it->next;
		if (it == queue)
			break;
		e = container_of(it, struct ledger_entry, queue);
		ops[n++] = (struct op){
			.type = type,
			.fact.key = entry_key(e),
			.fact.val = type == OP_DEL ? *e->have : *entry_deciding_claim(e)->val,
		};
	}
	return n;
}

void ledger_enter_last(struct ledger *l, bool last)
{
	l->enters_last = last;
}

void ledger_turn_last(struct ledger *l, bool last)
{
	if (l->turns_early == !last)
		return;
	l->turns_early = !last;
	map_for_each_entry(struct ledger_entry, e, &l->entries, by_key)
		if (entry_class(e) == OP_CLASS_ENTRANCE)
			ledger_requeue(l, e);
	ledger_collect(l);
}

static bool step_is_of_kinds(const struct op_step *step, unsigned kinds)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		if (kinds & 1u << kind && op_step_is_of_kind(step, kind))
			return true;
	return false;
}

size_t ledger_take(struct ledger *l, uint64_t now, unsigned mixed, struct op *ops, size_t max,
	uint64_t *ret_next)
{
	bool joins = true, mixes = true, breaks = false; /* all rows so far */
	size_t n = 0;

	ledger_retry(l, now);
	for (enum pass pass = 0; pass < PASSES; pass++)
		for (size_t i = 0; i < OP_STEPS; i++) {
			const struct op_step *step = &op_order[i];
			const struct list *queue = &l->queue[pass][i];

			if (list_empty(queue))
				continue;
			joins = joins && step->joins;
			breaks = n ? breaks : step->breaks;
			mixes = mixes && step->mixes && step->breaks == breaks &&
				step_is_of_kinds(step, mixed);
			if (n && !joins && !mixes)
				return n;
			n += queue_fill_ops(queue, step->type, ops + n, max - n);
			if ((!joins && !mixes) || n == max)
				return n;
		}
	*ret_next = l->next_due;
	return n;
}

static struct failure *entry_failed(struct ledger_entry *e, int error, uint64_t now)
{
	struct entry_extra *extra = entry_expand(e);
	struct failure *failure = &extra->failure;
	unsigned shift;

	if (!extra->failed)
		*failure = (struct failure){ .since = now };
	extra->failed = true;
	failure->error = error;
	failure->tries++;
	shift = failure->tries < BACKOFF_MAX_SHIFT ? failure->tries : BACKOFF_MAX_SHIFT;
	failure->retry_at = now + ((uint64_t)BACKOFF_FIRST << shift);
	return failure;
}

void ledger_settle(struct ledger *l, const struct op *op, uint64_t now)
{
	struct ledger_entry *e = ledger_find(l, &op->fact.key);
	const bool lost = op->result == -ENOBUFS;

	/* Released while the operation was under way, but now it is in the kernel, or may be. */
	if (!e && op->type == OP_ADD && (!op->result || lost))
		e = ledger_get(l, &op->fact.key);
	/* An earlier answer of the same batch told that it vanished with its parent. */
	if (!e)
		return;

	if (!op->result) {
		entry_forget_failure(e);
		e->present = e->ours = op->type != OP_DEL;
		if (e->present) {
			e->known = true;
			entry_set_have(l, e, &op->fact.val);
		} else {
			e->foreign = false;
		}
		if (op->type == OP_SET)
			ledger_requeue(l, e);
		else
			ledger_requeue_childless(l, e);
	} else if (lost || (op->result == -EEXIST && op->type == OP_ADD)) {
		/*
		 * It may be in the kernel, with any value. If the ledger takes it for present, the
		 * next operation finds out. If it took it for absent, a fact that we made would
		 * become foreign when it is released before the next audit.
		 */
		bool was_present = e->present;

		e->present = true;
		e->known = false;
		e->ours |= lost;
		entry_set_have(l, e, &op->fact.val); /* most likely */
		l->unsure |= 1u << e->kind;
		if (lost)
			entry_failed(e, op->result, now);
		ledger_requeue(l, e);
		if (!lost || !was_present)
			ledger_requeue_children(l, e);
	} else if ((op->result == -ESRCH && e->is_child) ||
		(op->result == -ENOENT && op->type != OP_ADD)) {
		struct ledger_entry *gone = op->result == -ESRCH ? e->parent : e;

		/* The first such answer is news and acted on at once; a kernel that repeats it is
		 * retried with back-off. */
		if (op->type != OP_DEL) {
			struct failure *failure = entry_failed(e, op->result, now);

			if (failure->tries == 1) {
				failure->error = 0;
				failure->retry_at = 0;
			}
		}
		gone->present = false;
		gone->foreign = false;
		ledger_requeue_childless(l, gone);
		ledger_requeue(l, e);
	} else {
		entry_failed(e, op->result, now);
		ledger_requeue(l, e);
	}
	ledger_collect(l);
}

/* Audits */

void ledger_audit_begin(struct ledger *l, unsigned kinds)
{
	assert(!l->auditing);
	l->auditing = true;
	l->audited = kinds;
	l->drift = 0;
}

void ledger_audit_begin_children(struct ledger *l, const struct fact_key *parent)
{
	ledger_audit_begin(l, 0);
	l->audited_parent = ledger_find(l, parent);
	assert(l->audited_parent);
}

void ledger_trust(struct ledger *l, enum fact_kind kind)
{
	l->unsure &= ~(1u << kind);
}

/* After a lost answer nothing is believed, so a difference is no drift: we may have made it. */
static bool entry_is_doubted(const struct ledger_entry *e)
{
	for (; e; e = entry_parent(e))
		if (entry_failure(e) && entry_failure(e)->error == -ENOBUFS)
			return true;
	return false;
}

void ledger_observe(struct ledger *l, const struct fact *f, bool ours)
{
	struct ledger_entry *e = ledger_get(l, &f->key);
	bool differs = !e->present || (e->known && !fact_val_eq(e->have, &f->val));

	if (!e->present) {
		e->foreign = !entry_n_claims(e) && !ours;
		e->ours = !e->foreign;
		e->orphan = !entry_n_claims(e) && ours;
	}
	if (differs) {
		l->drift += !e->foreign && !entry_is_doubted(e);
		entry_forget_failure(e);
	}
	if (!e->have || !fact_val_eq(e->have, &f->val))
		entry_set_have(l, e, &f->val);
	e->present = e->known = true;
	e->seen = l->auditing;
	ledger_requeue(l, e);
	if (differs)
		ledger_requeue_children(l, e);
	ledger_collect(l);
}

void ledger_disown(struct ledger *l, const struct fact_key *key)
{
	struct ledger_entry *e = ledger_find(l, key);

	if (!e || !e->present || e->foreign)
		return;
	e->foreign = true;
	e->ours = false;
	entry_forget_failure(e);
	ledger_requeue(l, e);
	ledger_requeue_children(l, e);
	ledger_collect(l);
}

static void entry_keep(struct ledger *l, struct ledger_entry *e, bool keep)
{
	if (e->kept == keep)
		return;
	e->kept = keep;
	ledger_requeue(l, e);
	ledger_requeue_children(l, e);
}

void ledger_keep(struct ledger *l, const struct fact_key *key, bool keep)
{
	struct ledger_entry *e = ledger_find(l, key);

	if (e && e->orphan)
		entry_keep(l, e, keep);
}

void ledger_keep_none(struct ledger *l)
{
	map_for_each_entry(struct ledger_entry, e, &l->entries, by_key)
		entry_keep(l, e, false);
}

static bool entry_vanished(const struct ledger *l, const struct ledger_entry *e)
{
	return l->audited & 1u << e->kind && e->present && !e->seen;
}

static void entry_absent(struct ledger *l, struct ledger_entry *e)
{
	entry_forget_failure(e);
	e->present = false;
	e->foreign = false;
	ledger_requeue_childless(l, e);
}

static void ledger_count_vanished(struct ledger *l, const struct ledger_entry *e)
{
	l->drift += !e->foreign && !entry_is_doubted(e);
}

static void ledger_end_children(struct ledger *l)
{
	list_for_each_entry(struct ledger_entry, e, &l->audited_parent->children, sibling) {
		const bool vanished = e->present && !e->seen;

		e->seen = false;
		if (!vanished)
			continue;
		ledger_count_vanished(l, e);
		entry_absent(l, e);
	}
}

/* All are counted before any is acted on: an absent parent makes its children absent. */
static void ledger_end_kinds(struct ledger *l)
{
	map_for_each_entry(struct ledger_entry, e, &l->entries, by_key) {
		const struct ledger_entry *parent = entry_parent(e);

		if (entry_vanished(l, e) || (e->present && parent && entry_vanished(l, parent)))
			ledger_count_vanished(l, e);
	}
	map_for_each_entry(struct ledger_entry, e, &l->entries, by_key) {
		const bool vanished = entry_vanished(l, e);

		e->seen = false;
		if (vanished)
			entry_absent(l, e);
	}
	l->unsure &= ~l->audited;
}

static void ledger_audit_done(struct ledger *l)
{
	l->auditing = false;
	l->audited = 0;
	l->audited_parent = NULL;
}

size_t ledger_audit_end(struct ledger *l)
{
	if (l->audited_parent)
		ledger_end_children(l);
	else
		ledger_end_kinds(l);
	ledger_audit_done(l);
	ledger_collect(l);
	return l->drift;
}

void ledger_audit_abort(struct ledger *l)
{
	map_for_each_entry(struct ledger_entry, e, &l->entries, by_key)
		e->seen = false;
	ledger_audit_done(l);
}

bool ledger_unsure(const struct ledger *l)
{
	return l->unsure;
}

/* Questions */

static struct fact_state entry_state(const struct ledger_entry *e)
{
	const struct failure *failure = entry_failure(e);
	const struct claim *c = entry_deciding_claim(e);
	struct fact_state s = {
		.wanted = c,
		.present = e->present,
		.known = e->known,
		.foreign = e->foreign,
		.ours = e->ours,
		.kept = e->kept,
		.have = entry_have(e),
	};

	if (c) {
		s.want = *c->val;
		s.claimant = c->who;
	}
	if (failure) {
		s.error = failure->error;
		s.tries = failure->tries;
		s.failing_since = failure->since;
		s.retry_at = failure->retry_at;
	}
	return s;
}

bool ledger_state(const struct ledger *l, const struct fact_key *key, struct fact_state *ret)
{
	const struct ledger_entry *e = ledger_find(l, key);

	if (!e)
		return false;
	*ret = entry_state(e);
	return true;
}

struct op fact_state_op(const struct fact_key *key, const struct fact_state *state)
{
	enum op_type program = state->present ? OP_SET : OP_ADD;

	return (struct op){
		.type = state->wanted ? program : OP_DEL,
		.result = state->error,
		.fact = { .key = *key, .val = state->wanted ? state->want : state->have },
	};
}

void ledger_each(const struct ledger *l, enum fact_kind kind,
	void (*f)(const struct fact_key *key, const struct fact_state *state, void *arg), void *arg)
{
	map_for_each_entry(struct ledger_entry, e, &l->entries, by_key) {
		struct fact_state state;
		struct fact_key key;

		if (kind != FACT_KINDS && e->kind != kind)
			continue;
		key = entry_key(e);
		state = entry_state(e);
		f(&key, &state, arg);
	}
}

void ledger_each_claimant(const struct ledger *l, const struct fact_key *key,
	void (*f)(const struct claimant *claimant, void *arg), void *arg)
{
	const struct ledger_entry *e = ledger_find(l, key);

	for (uint32_t i = 0; e && i < entry_n_claims(e); i++)
		f(entry_claims(e)[i].who, arg);
}

void ledger_each_queued(const struct ledger *l, enum op_type type, enum fact_kind kind,
	void (*f)(const struct fact *fact, void *arg), void *arg)
{
	for (enum pass pass = 0; pass < PASSES; pass++)
		for (size_t i = 0; i < OP_STEPS; i++) {
			if (op_order[i].type != type || !op_step_is_of_kind(&op_order[i], kind))
				continue;
			list_for_each_entry(const struct ledger_entry, e, &l->queue[pass][i], queue)
				f(&(struct fact){ .key = entry_key(e), .val = entry_have(e) }, arg);
		}
}

static bool queue_has_change(const struct ledger *l, const struct list *queue,
	bool (*f)(const struct ledger *l, const struct op *set))
{
	list_for_each_entry(const struct ledger_entry, e, queue, queue) {
		const struct op set = { .type = OP_SET,
			.fact = { .key = entry_key(e), .val = *entry_deciding_claim(e)->val } };

		if (f(l, &set))
			return true;
	}
	return false;
}

bool ledger_any_change(const struct ledger *l, enum fact_kind kind,
	bool (*f)(const struct ledger *l, const struct op *set))
{
	for (size_t i = 0; i < OP_STEPS; i++)
		if (op_order[i].type == OP_SET && op_step_is_of_kind(&op_order[i], kind) &&
			(queue_has_change(l, &l->queue[PASS_VITAL][i], f) ||
				queue_has_change(l, &l->queue[PASS_USUAL][i], f)))
			return true;
	return false;
}

size_t ledger_count_children(const struct ledger *l, const struct fact_key *key)
{
	const struct ledger_entry *e = ledger_find(l, key);

	return e && !e->is_child ? e->n_children : 0;
}

bool ledger_has_children(const struct ledger *l, const struct fact_key *key)
{
	const struct ledger_entry *e = ledger_find(l, key);

	if (e && !e->is_child)
		list_for_each_entry(struct ledger_entry, child, &e->children, sibling)
			if (child->present)
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
		sum.kept += c->kept;
		for (int t = 0; t < OP_TYPES; t++)
			sum.failing_ops[t] += c->failing_ops[t];
	}
	return sum;
}
