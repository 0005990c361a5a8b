// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/rule_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
	RIPE_LISTS = 256, /* fewer are not worth a sweep */
};

struct pooled_list {
	struct map_node by_hash;
	uint64_t hash;
	struct rule_list list; /* its packed rules are `bytes` */
	bool marked;
	char bytes[];
};

const struct rule_list *rule_pool_get(const struct rule_pool *p, uint64_t hash)
{
	map_for_each_match_entry(struct pooled_list, l, &p->lists, (uint32_t)hash, by_hash)
		if (l->hash == hash)
			return &l->list;
	return NULL;
}

uint64_t rule_pool_put(struct rule_pool *p, const struct rule_list *l)
{
	const uint64_t hash = rule_list_hash(HASH_EMPTY, l);
	struct pooled_list *kept;

	if (rule_pool_get(p, hash))
		return hash;
	kept = mem_zalloc(1, sizeof(*kept) + l->packed.len);
	kept->hash = hash;
	memcpy(kept->bytes, buf_str(&l->packed), l->packed.len);
	kept->list = (struct rule_list){
		.packed = { .data = kept->bytes, .len = l->packed.len },
		.n = l->n,
	};
	map_add(&p->lists, &kept->by_hash, (uint32_t)hash);
	return hash;
}

bool rule_pool_is_ripe(const struct rule_pool *p)
{
	return p->lists.count >= RIPE_LISTS && p->lists.count >= 2 * p->swept;
}

void rule_pool_mark(struct rule_pool *p, uint64_t hash)
{
	map_for_each_match_entry(struct pooled_list, l, &p->lists, (uint32_t)hash, by_hash)
		l->marked |= l->hash == hash;
}

void rule_pool_sweep(struct rule_pool *p)
{
	map_for_each_entry(struct pooled_list, l, &p->lists, by_hash) {
		if (!l->marked) {
			map_del(&p->lists, &l->by_hash);
			free(l);
			continue;
		}
		l->marked = false;
	}
	p->swept = p->lists.count;
}

void rule_pool_done(struct rule_pool *p)
{
	map_for_each_entry(struct pooled_list, l, &p->lists, by_hash)
		free(l);
	map_done(&p->lists);
	*p = (struct rule_pool){ 0 };
}
