/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stdint.h>

#include "base/map.h"

/*
 * The texts that facts stand for: a fact carries the 64-bit hash of a chain's rules, this pool has
 * the rules. What the kernel holds is hashed the same way and need not be in any pool.
 */
struct text_pool {
	struct map map;
};

/* FNV-1a. */
uint64_t text_hash(const char *s);
/* text_hash() of two texts, one behind the other, from that of the first. */
uint64_t text_hash_more(uint64_t hash, const char *s);
/* Keeps a copy while somebody has a reference to it, takes one, and returns text_hash(s). */
uint64_t text_put(struct text_pool *p, const char *s);
/* One more reference to a text that is there. */
void text_ref(struct text_pool *p, uint64_t hash);
/* Drops a reference; the text goes with the last one. */
void text_unref(struct text_pool *p, uint64_t hash);
/* NULL where nobody has a reference to it. */
const char *text_get(const struct text_pool *p, uint64_t hash);
void text_done(struct text_pool *p);

#endif
