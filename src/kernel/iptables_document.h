/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_DOCUMENT_H
#define KERNEL_IPTABLES_DOCUMENT_H

#include "base/buf.h"
#include "core/ledger.h"
#include "core/rule_pool.h"
#include "iptables_save.h"

struct dispatch;

/*
 * The input of iptables-restore for operations on one family. It commits a table as a whole or not
 * at all, but each table by itself: nat, filter, mangle. A zeroed document is empty and ready.
 */
struct document {
	struct buf text;		/* empty where there is nothing to do */
	size_t rules[TABLE_MANGLE + 1]; /* appended to chains of ours, by table */
};

/* The lines of one table, in this order. */
struct document_section {
	struct buf headers; /* make a chain, or empty it, so that rules may refer to any */
	struct buf rules;
	struct buf deletions; /* of chains */
	size_t n_rules;	      /* of chains of ours */
};

/* All tables that have chains of ours, in the order of a document. */
extern const enum table document_tables[3];

/* Empties it and keeps the memory. */
void document_reset(struct document *d);
void document_done(struct document *d);

/* Of FACT_CHAIN. The dispatch tree's roots come and go with the rules that lead to them, until
 * dispatch_end(). */
void document_add_chains(struct document *d, const struct rule_pool *pool,
	struct dispatch *dispatch, struct op *const ops[], size_t n);
/*
 * Of FACT_JUMP. All rules of the snapshot that lead from the hook to the chain are deleted as
 * iptables-save printed them, because a rule that somebody else inserted may look different from
 * ours.
 */
void document_add_jumps(struct document *d, const struct rule_pool *pool,
	const struct saved *snapshot, struct op *const ops[], size_t n);
/* Of FACT_DISPATCH, all of one type; until dispatch_end(). */
void document_add_dispatch(
	struct document *d, struct dispatch *dispatch, struct op *const ops[], size_t n);
/* Of FACT_CHAIN: makes the new chains without rules; where all are deleted, empties them. */
void document_add_headers(struct document *d, struct op *const ops[], size_t n);

#endif
