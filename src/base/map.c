// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/map.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { AHEAD = 8 /* buckets */ };

/* Eight bytes a step with a multiply and a fold (the mixing step of wyhash and friends). */
static uint64_t mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
#else /* 32 bits: the same product from its four parts */
	const uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
	const uint64_t middle = ah * bl + (al * bl >> 32);
	const uint64_t carry = al * bh + (uint32_t)middle;

	return a * b ^ (ah * bh + (middle >> 32) + (carry >> 32));
#endif
}

uint32_t map_hash(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = 0x9e3779b97f4a7c15u ^ len;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		h = mix(h ^ le64toh(w), 0xa0761d6478bd642fu);
	}
	if (len) {
		uint64_t w = 0;

		memcpy(&w, p, len);
		h = mix(h ^ le64toh(w), 0xe7037ed1a0b428dbu);
	}
	return (uint32_t)(h ^ h >> 32);
}

uint32_t map_hash_str(const char *s)
{
	return map_hash(s, strlen(s));
}

static void bucket_insert(struct map_node **bucket, struct map_node *node)
{
	node->next = *bucket;
	node->at = bucket;
	if (node->next)
		node->next->at = &node->next;
	*bucket = node;
}

void map_add(struct map *m, struct map_node *node, uint32_t hash)
{
	if (m->count >= m->nbucket) {
		size_t n = m->nbucket ? m->nbucket * 2 : 16;
		struct map_node **bucket = mem_zalloc(n, sizeof(struct map_node *));

		for (size_t i = 0; i < m->nbucket; i++)
			for (struct map_node *it = m->bucket[i], *next; it; it = next) {
				next = it->next;
				bucket_insert(&bucket[it->hash & (n - 1)], it);
			}
		free(m->bucket);
		m->bucket = bucket;
		m->nbucket = n;
	}
	node->hash = hash;
	bucket_insert(&m->bucket[hash & (m->nbucket - 1)], node);
	m->count++;
}

void map_del(struct map *m, struct map_node *node)
{
	*node->at = node->next;
	if (node->next)
		node->next->at = node->at;
	m->count--;
}

void map_done(struct map *m)
{
	free(m->bucket);
	*m = (struct map){ 0 };
}

struct map_node *map_match(const struct map *m, uint32_t hash, const struct map_node *n)
{
	struct map_node *it = NULL;

	if (n)
		it = n->next;
	else if (m->nbucket)
		it = m->bucket[hash & (m->nbucket - 1)];
	while (it && it->hash != hash)
		it = it->next;
	return it;
}

/* The nodes lie anywhere in memory, so that a walk through a large map would wait for each of them.
 * Those of the buckets ahead are on their way meanwhile. */
struct map_node *map_next(const struct map *m, const struct map_node *n)
{
	size_t i = n ? (n->hash & (m->nbucket - 1)) + 1 : 0;

	if (n && n->next)
		return n->next;
	for (; i < m->nbucket; i++) {
		if (i + AHEAD < m->nbucket)
			__builtin_prefetch(m->bucket[i + AHEAD]);
		if (m->bucket[i])
			return m->bucket[i];
	}
	return NULL;
}
