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

/*
 * A small arena of a few hundred bytes has one chunk; a large array gets a chunk of its own. Each
 * new chunk is a quarter of what there is, so that at most a fifth is unused and the number of
 * chunks grows with the logarithm of the size.
 */
enum { FIRST_CHUNK = 256, NEXT_CHUNK = 128, MAX_CHUNK = 65536 };

static void arena_add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c = mem_zalloc(1, sizeof(*c) + size);

	c->size = size;
	c->older = a->chunk;
	a->chunk = c;
	a->size += size;
	a->used = 0;
}

static size_t align_up(size_t used, size_t align)
{
	return (used + align - 1) & ~(align - 1);
}

static void *arena_take(struct arena *a, size_t need, size_t align)
{
	size_t start = align_up(a->used, align);
	size_t size = a->size / 4;
	const struct arena_chunk *c = a->chunk;

	if (!c || start > c->size || c->size - start < need) {
		if (!c)
			size = FIRST_CHUNK;
		else if (size < NEXT_CHUNK)
			size = NEXT_CHUNK;
		else if (size > MAX_CHUNK)
			size = MAX_CHUNK;
		if (size < need)
			size = need;
		arena_add_chunk(a, size);
		start = 0;
	}
	a->used = start + need;
	return a->chunk->data + start;
}

void arena_init(struct arena *a, size_t size)
{
	*a = (struct arena){ 0 };
	arena_add_chunk(a, size);
}

size_t arena_size(size_t used, size_t n, size_t size)
{
	return n && size ? align_up(used, alignof(max_align_t)) + n * size : used;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	assert(!size || n <= (SIZE_MAX / 2) / size);
	return arena_take(a, n * size, alignof(max_align_t));
}

/* Text needs no alignment. */
char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_take(a, len + 1, 1);

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
