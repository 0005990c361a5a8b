/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_RULE_POOL_H
#define CORE_RULE_POOL_H

#include "base/map.h"
#include "core/rule.h"

/*
 * The rules that facts stand for: the fact of a chain or a jump carries the hash of its rules, the
 * pool has the rules. Nobody counts references: a list stays until a sweep finds that nobody
 * marked it. What the kernel holds is hashed the same way and need not be in any pool. A zeroed
 * pool is empty and ready.
 */
struct rule_pool {
	struct map lists;
	size_t swept; /* how many lists the last sweep left */
};

/* Keeps a copy and returns rule_list_hash(). */
uint64_t rule_pool_put(struct rule_pool *p, const struct rule_list *l);
/* Valid until the next sweep; NULL: it is not there. */
const struct rule_list *rule_pool_get(const struct rule_pool *p, uint64_t hash);

/* Whether the pool has doubled since the last sweep, so that sweeping costs no more than filling.
 */
bool rule_pool_is_ripe(const struct rule_pool *p);
/* The list, which may be missing, survives the next sweep. */
void rule_pool_mark(struct rule_pool *p, uint64_t hash);
/* Forgets all lists that are not marked, and the marks. */
void rule_pool_sweep(struct rule_pool *p);
void rule_pool_done(struct rule_pool *p);

#endif
