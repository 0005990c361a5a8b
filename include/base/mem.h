/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/*
 * Allocation that does not fail: out of memory ends the process with abort(). A restart is the
 * recovery, so no state may live in memory alone.
 */

/* Zeroed memory for n objects of the given size; n * size must not overflow (checked). Free with
 * free(). */
void *mem_zalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
/* As realloc(), for n objects; new space is not zeroed. n = 0 is allowed and returns a pointer to
 * free. */
void *mem_realloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));

#define new0(type) ((type *)mem_zalloc(1, sizeof(type)))

/*
 * Makes room for one more element in a growing array: `arr`, its length and its capacity are
 * lvalues. The length is left alone.
 */
#define mem_grow(arr, len, cap)                                                    \
	do {                                                                       \
		if ((len) == (cap)) {                                              \
			(cap) = (cap) ? (cap)*2 : 8;                               \
			(arr) = mem_realloc((arr), (size_t)(cap), sizeof(*(arr))); \
		}                                                                  \
	} while (0)

/* Runs f(&variable) when the variable's scope ends. */
#define _cleanup_(f) __attribute__((cleanup(f)))

/* Hands the pointer over: yields its value and leaves NULL behind. */
#define take(p)                            \
	({                                 \
		__typeof__(p) take_ = (p); \
		(p) = NULL;                \
		take_;                     \
	})

/* For _cleanup_() on a variable that free() releases. */
void mem_freep(void *pointer_to_pointer);
#define _cleanup_free_ _cleanup_(mem_freep)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
