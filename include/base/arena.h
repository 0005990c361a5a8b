/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that is given back all at once: one decoded object, one arena. A zeroed arena is empty and
 * ready. Arena memory holds no pointers that need releasing of their own.
 */
struct arena_chunk;
struct arena {
	struct arena_chunk *chunk; /* the newest; the older ones hang on it */
	size_t used;		   /* of the newest */
	size_t size;		   /* of all */
};

/* Makes an empty arena whose first chunk has exactly that size. */
void arena_init(struct arena *a, size_t size);
/* How much of a chunk is used by such an array behind `used` bytes. */
size_t arena_size(size_t used, size_t n, size_t size);
/* Zeroed, aligned for any object. Never fails. Valid until arena_done(). */
void *arena_alloc(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));
void arena_done(struct arena *a);

#endif
