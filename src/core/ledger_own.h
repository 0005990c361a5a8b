/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_LEDGER_OWN_H
#define CORE_LEDGER_OWN_H

#include "base/list.h"
#include "base/map.h"
#include "core/ledger.h"

/* Between the parts of the ledger; ledger.c says how it works. */

enum { OP_TYPES = 3 };

/* There is a queue for each kind, one for the members that divert packets from one virtual server
 * to another, one for the chains that divert them from one backend to the other, and one for the
 * chains behind these. */
enum { QUEUE_DIVERSION = FACT_KINDS, QUEUE_ENTRANCE, QUEUE_SERVICE_CHAIN, QUEUES };

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
	uint32_t n_staying; /* of the device: how many of the children do */
	bool present : 1, known : 1, foreign : 1, queued : 1, stays : 1;
	struct {
		bool wanted, present, foreign;
		uint8_t failing; /* 0: it does not; 1 + enum op_type */
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

static inline struct entry *entry_of(struct map_node *n)
{
	return container_of(n, struct entry, by_key);
}

static inline struct entry *entry_queued(struct list *n)
{
	return container_of(n, struct entry, queue);
}

/* NULL where there is none. */
struct entry *entry_find(const struct ledger *l, const struct fact_key *key);
/* Makes it, and its parent, where there is none. */
struct entry *entry_get(struct ledger *l, const struct fact_key *key);
const struct claim *entry_decides(const struct entry *e);
void entry_forget_failure(struct entry *e);

/* After any change of the entry; ledger_collect() ends each public call that made one. */
void ledger_requeue(struct ledger *l, struct entry *e);
void ledger_requeue_children(struct ledger *l, struct entry *e);
void ledger_set_absent(struct ledger *l, struct entry *e);
void ledger_set_childless(struct ledger *l, struct entry *e);
void ledger_collect(struct ledger *l);

#endif
