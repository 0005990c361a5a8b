/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GZIP_H
#define GZIP_H

/* Compressed bodies for tests */

#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"

/* Appends one gzip member. */
static inline void gzip_add(struct buf *b, const void *data, size_t len)
{
	z_stream z = { 0 };
	unsigned bound;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	bound = (unsigned)deflateBound(&z, len);
	z.next_in = (void *)data;
	z.avail_in = (unsigned)len;
	z.next_out = (void *)buf_reserve(b, bound);
	z.avail_out = bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len += z.total_out;
	deflateEnd(&z);
}

#endif
