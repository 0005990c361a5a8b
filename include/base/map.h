/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/*
 * A hash map through the objects themselves, so that an entry costs no allocation of its own. The
 * map neither copies nor owns objects. It compares hashes only: the caller walks the nodes with one
 * hash and compares the keys. A zeroed map is empty and ready.
 */
struct map_node {
	struct map_node *next;
	struct map_node **at; /* what leads here: many nodes may have one hash */
	uint32_t hash;
};

struct map {
	struct map_node **bucket;
	size_t nbucket; /* a power of two, or 0 */
	size_t count;
};

/* Equal bytes have equal hashes on every machine, because firewall marks are chosen by them. */
uint32_t map_hash(const void *data, size_t len);
uint32_t map_hash_str(const char *s);
void map_add(struct map *m, struct map_node *node, uint32_t hash);
/* The node must be in the map. */
void map_del(struct map *m, struct map_node *node);
/* Frees the table; the objects are the caller's. */
void map_done(struct map *m);

/*
 * For the loops below. map_match() returns the next node after `n` with this hash, which `n` has,
 * too; map_next() returns the next node of the whole map. If `n` is NULL, they return the first
 * node; at the end they return NULL.
 */
struct map_node *map_match(const struct map *m, uint32_t hash, const struct map_node *n);
struct map_node *map_next(const struct map *m, const struct map_node *n);

/* The object of `type` whose `member` the node is; NULL for NULL. */
#define map_entry(node, type, member)                             \
	({                                                        \
		struct map_node *node_ = (node);                  \
		node_ ? container_of(node_, type, member) : NULL; \
	})

/*
 * The objects of `type` that are in the map by their `member`:
 *
 *	map_for_each_match_entry(struct slot, s, &store->slots, hash_name(name), by_name)
 *	map_for_each_entry(struct slot, s, &store->slots, by_name)
 *
 * In the second, the current object may be deleted and none may be added.
 */
#define map_for_each_match_entry(type, it, m, h, member)                    \
	for (type *it = map_entry(map_match(m, h, NULL), type, member); it; \
		it = map_entry(map_match(m, it->member.hash, &it->member), type, member))

#define map_for_each_entry(type, it, m, member)                                           \
	for (type *it = map_entry(map_next(m, NULL), type, member), *it##_next;           \
		it && (it##_next = map_entry(map_next(m, &it->member), type, member), 1); \
		it = it##_next)

#endif
