/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * A hash map through the objects themselves: the memory and the speed of the tables under it are
 * the product. The map neither copies nor owns; equality is the caller's, who walks the nodes of
 * one hash. A zeroed map is empty and ready.
 */
struct map_node {
	struct map_node *next;
	uint32_t hash;
};

struct map {
	struct map_node **bucket;
	size_t nbucket; /* a power of two, or 0 */
	size_t count;
};

uint32_t map_hash(const void *data, size_t len);
uint32_t map_hash_str(const char *s);
void map_add(struct map *m, struct map_node *node, uint32_t hash);
/* The node must be in the map. */
void map_del(struct map *m, struct map_node *node);
/* Frees the table; the objects are the caller's. */
void map_done(struct map *m);

/* Used by the loops below: the first node with that hash from `n` on, and the first node of any
 * bucket from `i` on. */
struct map_node *map_first(const struct map *m, uint32_t hash);
struct map_node *map_same(struct map_node *n, uint32_t hash);
struct map_node *map_bucket(const struct map *m, size_t i, size_t *ret_i);

#define map_for_each_match(it, m, h) \
	for (struct map_node *it = map_first(m, h); it; it = map_same(it->next, h))

/* All nodes; the current one may be deleted, none may be added. */
#define map_for_each(it, m)                                                       \
	for (size_t it##_i = 0, it##_once = 1; it##_once; it##_once = 0)          \
		for (struct map_node *it = map_bucket(m, 0, &it##_i), *it##_next; \
			it && (it##_next = it->next, 1);                          \
			it = it##_next ? it##_next : map_bucket(m, it##_i + 1, &it##_i))

#endif
