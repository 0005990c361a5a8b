/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CODING_H
#define CODING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * The content coding of a body (RFC 9110 8.4): none, or gzip (RFC 1952), which is expanded by
 * pieces, so that a small input that becomes a large body is not expanded at once.
 */
struct coding;

/* `name` is the answer's Content-Encoding; "": it has none. One that is unknown fails later. */
struct coding *coding_new(const char *name);
void coding_free(struct coding *c);

struct coding_piece {
	const void *data; /* valid until the next call and as long as the input */
	size_t len;	  /* 0: more input is needed */
};

/*
 * The next piece of the body, of at most `room` bytes (> 0). Takes bytes from the input `*in` of
 * `*len` bytes and moves both on. There may be more pieces when all of the input is taken. Returns 0
 * or -EBADMSG.
 */
int coding_next(struct coding *c, const char **in, size_t *len, size_t room,
	struct coding_piece *ret, struct err *err);
/* The body has ended. Returns 0, or -EBADMSG if a part of it is missing. */
int coding_end(const struct coding *c, struct err *err);

#endif
