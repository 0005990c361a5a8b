/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fact.h"

/*
 * The desired and the observed state of every fact, and the operations that make the two equal.
 *
 * A fact is wanted while somebody claims it. The oldest claimant decides the value, the others wait
 * behind it. A real server is wanted only by the claimant that decides its virtual server, so that
 * the endpoints of two Services on one address and port never mix.
 *
 * The observed state changes only with the kernel's answers and with audits; after a lost answer it
 * is doubted until the next audit. All times are milliseconds on one monotonic clock of the
 * caller's.
 */

struct claimant {
	uint64_t born;	  /* the older one wins; Unix seconds for Services */
	const char *name; /* decides between equals; valid as long as the claims */
	bool vital;	  /* its facts are added before the facts of others */
};

bool claimant_older(const struct claimant *a, const struct claimant *b);
/* `born` of the claimant behind all others, the only one that may want single real servers of
 * another claimant's virtual server; and of the node, which is before all others. */
#define CLAIMANT_LAST UINT64_MAX
#define CLAIMANT_NODE 0

enum op_type { OP_ADD, OP_SET, OP_DEL };
const char *op_type_name(enum op_type type);

struct op {
	enum op_type type;
	/*
	 * The adapter's answer: 0, or a negative errno. The ledger learns from
	 *   -EEXIST on an add: the kernel holds the fact already;
	 *   -ENOENT on a set or delete: the kernel does not hold the fact;
	 *   -ESRCH: the kernel does not hold the fact's parent;
	 *   -ENOBUFS: the answer was lost.
	 * Any other error is a failure that is retried later; -EPROTONOSUPPORT on a virtual server
	 * means that the kernel does not have the scheduler.
	 */
	int result;
	struct fact fact; /* of a delete: the value that the kernel is believed to hold */
};

struct fact_state {
	bool wanted, present;
	bool known;   /* `have` is the kernel's value, and not only the most likely one */
	bool foreign; /* present and not made by us: never touched */
	bool ours;    /* we made it, or may have; what an audit misses it may find again */
	bool kept;    /* not wanted, but not deleted either: see ledger_keep() */
	struct fact_val want, have;
	const struct claimant *claimant; /* decides the value; NULL: not wanted */
	int error;			 /* negative errno of the last attempt; 0: none */
	unsigned tries;			 /* failures in a row */
	uint64_t failing_since, retry_at;
};

struct ledger;
struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);

/* Adds the claim, or changes the value of this claimant's claim. */
void ledger_claim(struct ledger *l, const struct fact *f, const struct claimant *who);
void ledger_release(struct ledger *l, const struct fact_key *key, const struct claimant *who);

/* The entries that one claimant claims by ledger_publish(), sorted by key. Zeroed, there are none. */
struct claims {
	struct ledger_entry **entries; /* each stays as long as it is claimed */
	size_t n;
};
/* Changes the claims to `new`, which is sorted by key without duplicates. */
void ledger_publish(struct ledger *l, struct claims *claims, const struct fact *new, size_t n_new,
	const struct claimant *who);
/* Changes a few of many claims: `old` are those of which only `new` may remain, both sorted by key
 * without duplicates. */
void ledger_publish_part(struct ledger *l, struct claims *claims, const struct fact *old,
	size_t n_old, const struct fact *new, size_t n_new, const struct claimant *who);
/* Number i of them, with the value that `who` claims. */
struct fact claims_fact(const struct claims *c, size_t i, const struct claimant *who);
struct fact_key claims_key(const struct claims *c, size_t i);
bool claims_have(const struct claims *c, const struct fact_key *key);
/* Frees the memory, and leaves the ledger alone. */
void claims_done(struct claims *c);

/* Whether jumps into table nat are added behind everything that answers; see src/core/op_order.c. */
void ledger_enter_last(struct ledger *l, bool last);
/* Whether existing entrances change behind everything that answers, which is the default, or with
 * all other chains; see there, too. */
void ledger_turn_last(struct ledger *l, bool last);

/*
 * The next operations, at most `max`, in the order that src/core/op_order.c explains. They are of
 * one kind, and except for chains of one type, so that an adapter gets them as one batch; but those
 * of the kinds in the mask `mixed` (bit: 1 << kind) may come together. Returns their number; with
 * 0, `ret_next` is when to ask again (UINT64_MAX: after a change). Each must be settled before the
 * next call.
 */
size_t ledger_take(struct ledger *l, uint64_t now, unsigned mixed, struct op *ops, size_t max,
	uint64_t *ret_next);
void ledger_settle(struct ledger *l, const struct op *op, uint64_t now);
/*
 * Failed operations whose back-off ends at `now` or before are retried with the next ledger_take(),
 * which calls this itself; UINT64_MAX: all of them.
 */
void ledger_retry(struct ledger *l, uint64_t now);

/*
 * An audit tells what the kernel holds of the kinds in the mask (bit: 1 << kind). Each fact in the
 * kernel is observed once; at the end, the facts that were not observed are absent. An unwanted
 * fact is deleted if `ours` says that we made it, and foreign otherwise. ledger_audit_end() returns
 * the drift: how many facts differed from the observed state before.
 */
void ledger_audit_begin(struct ledger *l, unsigned kinds);
/* An audit of the facts whose parent is this one, which the ledger knows. */
void ledger_audit_begin_children(struct ledger *l, const struct fact_key *parent);
/* A series of audits of that kind begins, one for each parent: what was lost before is settled. */
void ledger_trust(struct ledger *l, enum fact_kind kind);
void ledger_observe(struct ledger *l, const struct fact *f, bool ours);
size_t ledger_audit_end(struct ledger *l);
/* The fact is wanted, but others made what the kernel holds: it is left alone until it is gone, or
 * until somebody claims it anew. */
void ledger_disown(struct ledger *l, const struct fact_key *key);
/*
 * An orphan is a fact of ours that an audit found and that nobody has claimed since. It is deleted,
 * unless it is kept; ledger_keep() decides that anew, and does nothing where the fact is no orphan.
 */
void ledger_keep(struct ledger *l, const struct fact_key *key, bool keep);
/* No orphan is kept from now on. */
void ledger_keep_none(struct ledger *l);
/* Ends an audit whose dump failed: facts that were not observed keep their state. */
void ledger_audit_abort(struct ledger *l);
/* An answer was lost, and no audit of that kind has ended since. */
bool ledger_unsure(const struct ledger *l);

/* False: the ledger does not know the fact. */
bool ledger_state(const struct ledger *l, const struct fact_key *key, struct fact_state *ret);
/* The operation that brings a fact in this state in sync; with an error, the one that failed. */
struct op fact_state_op(const struct fact_key *key, const struct fact_state *state);
/* Calls f for every fact of that kind, FACT_KINDS: of all kinds. It walks all of them either way. */
void ledger_each(const struct ledger *l, enum fact_kind kind,
	void (*f)(const struct fact_key *key, const struct fact_state *state, void *arg),
	void *arg);

/* Calls f for every claimant of the fact, the deciding one first. */
void ledger_each_claimant(const struct ledger *l, const struct fact_key *key,
	void (*f)(const struct claimant *claimant, void *arg), void *arg);
/* Calls f for every fact of that kind with a queued operation of that type, with the kernel's
 * value; f must not change the ledger. */
void ledger_each_queued(const struct ledger *l, enum op_type type, enum fact_kind kind,
	void (*f)(const struct fact *fact, void *arg), void *arg);
/* Whether f holds for a queued change of a fact of that kind. */
bool ledger_any_change(const struct ledger *l, enum fact_kind kind,
	bool (*f)(const struct ledger *l, const struct op *set));
/* How many facts whose parent is this one are wanted or present. */
size_t ledger_count_children(const struct ledger *l, const struct fact_key *key);
/* Whether a fact whose parent is this one is present. */
bool ledger_has_children(const struct ledger *l, const struct fact_key *key);

struct ledger_counts {
	size_t facts, wanted, present, pending, failing, foreign, kept;
	size_t failing_ops[3]; /* `failing` by enum op_type */
};
struct ledger_counts ledger_counts(const struct ledger *l);
/* Of the facts of one kind. Neither walks the facts. */
const struct ledger_counts *ledger_counts_of(const struct ledger *l, enum fact_kind kind);

#endif
