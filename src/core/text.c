// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

struct text {
	struct map_node by_hash;
	uint64_t hash;
	size_t references;
	char s[];
};

uint64_t text_hash_more(uint64_t hash, const char *s)
{
	for (; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 0x100000001b3u;
	return hash;
}

uint64_t text_hash(const char *s)
{
	return text_hash_more(0xcbf29ce484222325u, s);
}

static struct text *text_of(struct map_node *n)
{
	return container_of(n, struct text, by_hash);
}

static struct text *find(const struct text_pool *p, uint64_t hash)
{
	map_for_each_match(n, &p->map, (uint32_t)hash)
		if (text_of(n)->hash == hash)
			return text_of(n);
	return NULL;
}

const char *text_get(const struct text_pool *p, uint64_t hash)
{
	const struct text *t = find(p, hash);

	return t ? t->s : NULL;
}

uint64_t text_put(struct text_pool *p, const char *s)
{
	uint64_t hash = text_hash(s);
	struct text *t = find(p, hash);
	size_t len = strlen(s);

	if (!t) {
		t = mem_zalloc(1, sizeof(*t) + len + 1);
		t->hash = hash;
		memcpy(t->s, s, len);
		map_add(&p->map, &t->by_hash, (uint32_t)hash);
	}
	t->references++;
	return hash;
}

void text_ref(struct text_pool *p, uint64_t hash)
{
	struct text *t = find(p, hash);

	assert(t);
	t->references++;
}

void text_unref(struct text_pool *p, uint64_t hash)
{
	struct text *t = find(p, hash);

	assert(t);
	if (--t->references)
		return;
	map_del(&p->map, &t->by_hash);
	free(t);
}

void text_done(struct text_pool *p)
{
	map_for_each(n, &p->map)
		free(text_of(n));
	map_done(&p->map);
}
