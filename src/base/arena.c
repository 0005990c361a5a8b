// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	alignas(max_align_t) unsigned char data[];
};

/* Most objects are a few hundred bytes; the chunk grows with what was needed so far. */
enum { FIRST_CHUNK = 256 - sizeof(struct arena_chunk), MAX_CHUNK = 65536 };

static struct arena_chunk *chunk_new(size_t need, const struct arena_chunk *older)
{
	size_t size = older ? older->size * 2 : FIRST_CHUNK;
	struct arena_chunk *c;

	if (size > MAX_CHUNK)
		size = MAX_CHUNK;
	if (size < need)
		size = need;
	c = mem_zalloc(1, sizeof(*c) + size);
	c->size = size;
	return c;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	const size_t align = alignof(max_align_t);
	size_t need;
	void *p;

	assert(!size || n <= (SIZE_MAX / 2) / size);
	need = (n * size + align - 1) & ~(align - 1);
	if (!a->chunk || a->chunk->size - a->used < need) {
		struct arena_chunk *c = chunk_new(need, a->chunk);

		c->older = a->chunk;
		a->chunk = c;
		a->used = 0;
	}
	p = a->chunk->data + a->used;
	a->used += need;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1, 1);

	memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

void arena_done(struct arena *a)
{
	for (struct arena_chunk *c = a->chunk, *older; c; c = older) {
		older = c->older;
		free(c);
	}
	*a = (struct arena){ 0 };
}
