/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

/* A growing string, always NUL-terminated once something was added. A zeroed one is empty and
 * ready. */
struct buf {
	char *data;
	size_t len; /* without the NUL */
	size_t cap;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for `more` bytes behind the contents, to be filled by the caller, who then raises `len`. */
char *buf_reserve(struct buf *b, size_t more);
/* The contents; "" where nothing was ever added. Valid until the next change. */
const char *buf_str(const struct buf *b);
/* Empties it and keeps the memory. */
void buf_reset(struct buf *b);
/* Returns the string, never NULL, which the caller frees, and leaves the buffer empty. */
char *buf_take(struct buf *b);
void buf_done(struct buf *b);

#endif
