/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fact.h"

/*
 * For every fact what we want and what we have, and the queue of operations that make the two
 * equal.
 *
 * A fact is wanted while somebody claims it. Claims have an order: the oldest claimant decides the
 * value, the others wait behind it. A real server is wanted only by the claimant that decides its
 * virtual server, so that two Services on one address and port never mix.
 *
 * What we have is believed only after the kernel's answer; after a lost answer nothing is, until an
 * audit. All times are milliseconds on one monotonic clock of the caller's.
 */

struct claimant {
	uint64_t born;	  /* the older one wins; Unix seconds for Services */
	const char *name; /* decides between equals; valid as long as the claims */
	bool vital;	  /* what it lacks is added before what others want */
};

bool claimant_older(const struct claimant *a, const struct claimant *b);
/* `born` of the claimant behind all others, which may want single real servers of another's virtual
 * server. */
#define CLAIMANT_LAST UINT64_MAX

enum op_type { OP_ADD, OP_SET, OP_DEL };
const char *op_type_name(enum op_type type);

struct op {
	enum op_type type;
	/*
	 * The adapter's answer: 0, or a negative errno. News about the kernel for the ledger are
	 * -EEXIST on an add, -ENOENT on a set or delete (the fact is not there) and -ESRCH (its
	 * parent is not there); -ENOBUFS says that the answer was lost. Everything else is a
	 * failure that is tried again later; of those, -EPROTONOSUPPORT on a virtual server means
	 * that the kernel has no such scheduler.
	 */
	int result;
	struct fact fact; /* of a delete: the value that we believe to be there */
};

struct fact_state {
	bool wanted, present, known; /* known: the kernel's value is */
	bool foreign;		     /* present, not wanted and not made by us: never touched */
	struct fact_val want, have;
	const struct claimant *claimant; /* that decides the value; NULL: not wanted */
	int error;			 /* of the last attempt; 0 */
	unsigned tries;			 /* failed ones in a row */
	uint64_t failing_since, retry_at;
};

struct ledger;
struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);

/* Adds the claim, or changes the value of the one that this claimant has. */
void ledger_claim(struct ledger *l, const struct fact *f, const struct claimant *who);
void ledger_release(struct ledger *l, const struct fact_key *key, const struct claimant *who);
/* Turns one claimant's claims from `old` to `new`, both sorted by key without duplicates. */
void ledger_publish(struct ledger *l, const struct fact *old, size_t n_old, const struct fact *new,
	size_t n_new, const struct claimant *who);

/*
 * Up to `max` operations to do now, all of one kind, so that an adapter sees one batch of like
 * things; and of one type, but for chains, of which what follows each other goes into one. Guard
 * before make, make before break: adds in the order of the kinds, of kinds before virtual servers
 * with their changes, the other changes behind, then deletes backwards. All that vital claimants
 * lack, with the changes before virtual servers, comes first. Returns how many; with 0, `ret_next`
 * is when to ask again (UINT64_MAX: after a change). Each must be settled before the next call.
 */
size_t ledger_take(struct ledger *l, uint64_t now, struct op *ops, size_t max, uint64_t *ret_next);
void ledger_settle(struct ledger *l, const struct op *op, uint64_t now);
/* What failed is tried with the next operations, whenever its turn was. */
void ledger_retry_now(struct ledger *l);

/*
 * An audit tells what the kernel holds of the kinds in the mask (bit: 1 << kind): every fact is
 * observed once, and what is not observed until the end is not there. `ours` says whether an
 * unwanted one was made by us, and so is to be deleted. Returns how many facts differed from what
 * was believed (drift) at the end.
 */
void ledger_audit_begin(struct ledger *l, unsigned kinds);
void ledger_observe(struct ledger *l, const struct fact *f, bool ours);
size_t ledger_audit_end(struct ledger *l);
/* Stops an audit whose dump failed; what was observed stays, nothing is concluded from the rest. */
void ledger_audit_abort(struct ledger *l);
/* An answer was lost: audit before believing anything. Cleared by a full audit. */
bool ledger_unsure(const struct ledger *l);

/* False where the ledger does not know the fact. */
bool ledger_state(const struct ledger *l, const struct fact_key *key, struct fact_state *ret);
/* The operation that failed last, of a fact with an error. */
struct op fact_state_op(const struct fact_key *key, const struct fact_state *state);
/* Calls f for every fact of that kind. */
void ledger_each(const struct ledger *l, enum fact_kind kind,
	void (*f)(const struct fact_key *key, const struct fact_state *state, void *arg),
	void *arg);

/* Calls f for every fact of that kind for which such an operation is queued, with its value in the
 * kernel; f changes nothing. */
void ledger_each_queued(const struct ledger *l, enum op_type type, enum fact_kind kind,
	void (*f)(const struct fact *fact, void *arg), void *arg);
/* A fact that hangs on this one is in the kernel. */
bool ledger_has_children(const struct ledger *l, const struct fact_key *key);

struct ledger_counts {
	size_t facts, wanted, present, pending, failing, foreign;
	size_t failing_ops[3]; /* the failing ones by enum op_type */
};
struct ledger_counts ledger_counts(const struct ledger *l);
/* The same of the facts of one kind. Both cost nothing: the ledger keeps them up to date. */
const struct ledger_counts *ledger_counts_of(const struct ledger *l, enum fact_kind kind);

#endif
