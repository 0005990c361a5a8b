// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A compressed body becomes the same bytes, whatever the pieces in which it arrives and is expanded.
 * The first byte of the input is the length of the pieces, the second one the room for the body.
 */
#include <errno.h>
#include <string.h>

#include "../../src/api/coding.h"
#include "base/buf.h"
#include "base/mem.h"
#include "fuzz.h"

enum { ENOUGH = 1 << 20 };

static int expand_all(const char *body, size_t size, size_t step, size_t room, struct buf *ret)
{
	struct coding *c = coding_new("gzip");
	struct err err = { 0 };
	int r = 0;

	for (size_t at = 0; !r && at < size; at += step) {
		const char *in = body + at;
		size_t len = size - at < step ? size - at : step;
		struct coding_piece piece = { .len = 1 };

		while (!r && piece.len && ret->len < ENOUGH) {
			r = coding_next(c, &in, &len, room, &piece, &err);
			if (r)
				break;
			must(piece.len <= room);
			buf_add(ret, piece.data, piece.len);
		}
		must(r || !len || ret->len >= ENOUGH);
	}
	if (!r && ret->len < ENOUGH)
		r = coding_end(c, &err);
	must(r == err.code && (!r || err.msg[0]));
	coding_free(c);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf whole = { 0 }, pieces = { 0 };
	const char *body = (const char *)data + 2;
	int r, r_pieces;

	if (size < 2)
		return 0;
	size -= 2;
	r = expand_all(body, size, size + 1, ENOUGH, &whole);
	r_pieces = expand_all(body, size, data[0] + 1u, data[1] + 1u, &pieces);
	must(!r || r == -EBADMSG);
	if (whole.len >= ENOUGH || pieces.len >= ENOUGH)
		return 0;
	must(r == r_pieces);
	if (!r)
		must(whole.len == pieces.len &&
			!memcmp(buf_str(&whole), buf_str(&pieces), whole.len));
	return 0;
}
