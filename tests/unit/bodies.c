// SPDX-License-Identifier: GPL-2.0-or-later
#include "bodies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct buf body_read(const char *name)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	struct buf body = { 0 };
	size_t n = 1;
	FILE *file;

	buf_addf(&path, "tests/fake/data/%s", name);
	file = fopen(buf_str(&path), "re");
	assert_non_null(file);
	while (n) {
		n = fread(buf_reserve(&body, 4096), 1, 4096, file);
		body.len += n;
	}
	fclose(file);
	assert_true(body.len);
	return body;
}

static int on_object(const char *data, size_t len, void *arg, struct err *err)
{
	struct cut *cut = arg;

	assert_int_equal(cut->ended, 0);
	if (cut->fail_why && cut->n == cut->fail_at)
		return err_set(err, -ECANCELED, "%s", cut->fail_why);
	mem_grow(cut->objects, cut->n, cut->cap);
	cut->objects[cut->n] = (struct buf){ 0 };
	buf_add(&cut->objects[cut->n++], data, len);
	return 0;
}

static int on_end(const char *data, size_t len, void *arg, struct err *err)
{
	struct cut *cut = arg;

	(void)err;
	cut->ended++;
	buf_add(&cut->end, data, len);
	return 0;
}

static size_t piece(enum pieces pieces)
{
	static uint32_t seed = 1;

	if (pieces != PIECES_RANDOM)
		return pieces == PIECES_BYTES ? 1 : SIZE_MAX;
	seed = seed * 1664525 + 1013904223;
	return seed >> 24 & 1 ? seed >> 28 : seed >> 22;
}

/* Every piece is memory of its own, so that a sanitizer sees what is read behind its end. */
static int feed_piece(struct stream *s, const char *data, size_t len, struct err *err)
{
	_cleanup_free_ char *copy = mem_zalloc(len, 1);

	memcpy(copy, data, len);
	return stream_feed(s, copy, len, err);
}

int cut_body(struct cut *cut, enum stream_format format, enum pieces pieces, const char *data,
	size_t len, struct err *err)
{
	const struct stream_handler handler = { .object = on_object, .end = on_end, .arg = cut };
	struct stream *s = stream_new(format, &handler);
	int r = 0;

	while (!r && len) {
		size_t n = piece(pieces);

		n = n < len ? n : len;
		r = feed_piece(s, data, n, err);
		data += n;
		len -= n;
	}
	r = r ? r : stream_finish(s, err);
	stream_free(s);
	return r;
}

struct cut cut_whole(enum stream_format format, enum pieces pieces, const char *data, size_t len)
{
	struct cut cut = { 0 };
	struct err err = { 0 };
	int r = cut_body(&cut, format, pieces, data, len, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(r, 0);
	return cut;
}

void cut_done(struct cut *cut)
{
	for (size_t i = 0; i < cut->n; i++)
		buf_done(&cut->objects[i]);
	free(cut->objects);
	buf_done(&cut->end);
	*cut = (struct cut){ 0 };
}
