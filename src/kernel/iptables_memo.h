/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_MEMO_H
#define KERNEL_IPTABLES_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "core/ledger.h"

/*
 * Our memory of chains and jumps beyond what iptables tells.
 *
 * Whether a chain has the rules that we want is decided by their hash, so it matters that iptables
 * tells rules as we write them. As a guard against rewriting a chain for ever, rules that are
 * written a second time over a chain that looked different are read back at once. If they are as
 * many and read differently, this is how this iptables tells these rules, and counts as them from
 * then on. New chains, of which there may be a hundred thousand, need no memory for that.
 */
struct memo {
	struct map_node by_key;
	struct fact_key key;
	uint64_t written;   /* hash of the rules that we wrote last; 0: none */
	uint64_t rendered;  /* hash of what iptables makes of it; 0: not known */
	uint64_t complaint; /* hash of the last words logged about it; 0 */
};

/* A zeroed map is empty and ready. */
struct memo *memo_find(const struct map *memos, const struct fact_key *key);
struct memo *memo_get(struct map *memos, const struct fact_key *key);
void memo_done(struct map *memos);

/* The operation succeeded. Returns whether its rules should be read back: we had written the same
 * rules there already. */
bool memo_written(struct map *memos, const struct op *op);

#endif
