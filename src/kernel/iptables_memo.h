/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_MEMO_H
#define KERNEL_IPTABLES_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "core/ledger.h"

/*
 * What is remembered of chains and jumps beyond what iptables tells.
 *
 * Whether a chain has the rules that we want is decided by the hash of its text, so it matters that
 * iptables tells the rules as we write them. As a guard against rewriting a chain for ever, what is
 * written a second time over a chain that looked different is read back at once; if it reads
 * differently, then that is how this iptables tells this text, and is taken for it from then on.
 * New chains, of which there may be a hundred thousand, need not be remembered for that.
 */
struct memo {
	struct map_node by_key;
	struct fact_key key;
	uint64_t written;   /* hash of the text that we wrote last; 0: none */
	uint64_t rendered;  /* hash of what iptables makes of it; 0: not known */
	uint64_t complaint; /* hash of the last words logged about it; 0 */
};

/* A zeroed map is empty and ready. */
struct memo *memo_find(const struct map *memos, const struct fact_key *key);
struct memo *memo_get(struct map *memos, const struct fact_key *key);
void memo_done(struct map *memos);

/*
 * The operation succeeded. Returns whether what it wrote should be read back: it is the very text
 * that we had written there already.
 */
bool memo_written(struct map *memos, const struct op *op);
/* What a text that iptables tells for this key counts as; both by their hashes. */
uint64_t memo_translate(const struct map *memos, const struct fact_key *key, uint64_t told);

#endif
