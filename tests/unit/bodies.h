/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_BODIES_H
#define TEST_BODIES_H

#include <stddef.h>

#include "api/stream.h"
#include "base/buf.h"
#include "base/err.h"

/* Bodies as an API server sends them, and what stream.h cuts them into. */

/* The recorded one under tests/fake/data. */
struct buf body_read(const char *name);

enum pieces { PIECES_WHOLE, PIECES_BYTES, PIECES_RANDOM };

struct cut {
	struct buf *objects;
	size_t n, cap;
	struct buf end;
	unsigned ended;	      /* calls of the handler's end() */
	size_t fail_at;	      /* the handler refuses the object of that index, if not 0 */
	const char *fail_why; /* in these words */
};

/* Feeds the body in that way and finishes. Random pieces differ from call to call, but not from run
 * to run. */
int cut_body(struct cut *cut, enum stream_format format, enum pieces pieces, const char *data,
	size_t len, struct err *err);
/* The same in a fresh `cut`, and it has to succeed. */
struct cut cut_whole(enum stream_format format, enum pieces pieces, const char *data, size_t len);
void cut_done(struct cut *cut);

#endif
