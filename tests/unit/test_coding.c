// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "../../src/api/coding.h"
#include "base/buf.h"
#include "base/mem.h"
#include "gzip.h"

/* A body that comes in portions of `step` bytes, of which at most `room` are expanded at once. */
static int decode_body(const char *name, const struct buf *in, size_t step, size_t room,
	struct buf *out, struct err *err)
{
	struct coding *c = coding_new(name);
	int r = 0;

	buf_reset(out);
	for (size_t at = 0; !r && at < in->len; at += step) {
		const char *data = in->data + at;
		size_t len = at + step < in->len ? step : in->len - at;
		struct coding_piece piece = { .len = 1 };

		while (!r && piece.len) {
			r = coding_next(c, &data, &len, room, &piece, err);
			if (r < 0)
				break;
			assert_in_range(piece.len, 0, room);
			buf_add(out, piece.data, piece.len);
		}
		if (!r)
			assert_int_equal(len, 0);
	}
	if (!r)
		r = coding_end(c, err);
	coding_free(c);
	return r;
}

static const struct {
	size_t step, room;
} paces[] = { { 1 << 20, 1 << 20 }, { 1, 1 << 20 }, { 1 << 20, 1 }, { 1, 1 }, { 7, 100 } };

static void assert_decodes(const char *name, const struct buf *in, const struct buf *want)
{
	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		_cleanup_(buf_done) struct buf out = { 0 };
		struct err err = { 0 };

		assert_int_equal(
			decode_body(name, in, paces[i].step, paces[i].room, &out, &err), 0);
		assert_int_equal(out.len, want->len);
		assert_memory_equal(buf_str(&out), buf_str(want), want->len);
	}
}

static void assert_refused(const char *name, const struct buf *in, const char *message)
{
	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		_cleanup_(buf_done) struct buf out = { 0 };
		struct err err = { 0 };

		assert_int_equal(
			decode_body(name, in, paces[i].step, paces[i].room, &out, &err), -EBADMSG);
		assert_string_equal(err.msg, message);
	}
}

static void fill(struct buf *b)
{
	unsigned x = 1;

	for (int i = 0; i < 3000; i++) { /* random letters, and runs of them */
		x = x * 1103515245 + 12345;
		for (unsigned k = 0; k <= (x >> 8) % 9; k++)
			buf_addc(b, (char)('a' + (x >> 16) % 26));
	}
}

static void a_body_without_a_coding_is_as_it_is(void **state)
{
	static const char *const names[] = { "", "identity", "Identity" };
	_cleanup_(buf_done) struct buf text = { 0 }, empty = { 0 };

	(void)state;
	fill(&text);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_decodes(names[i], &text, &text);
		assert_decodes(names[i], &empty, &empty);
	}
}

static void gzip_is_expanded(void **state)
{
	static const char *const names[] = { "gzip", "GZip", "x-gzip" };
	_cleanup_(buf_done) struct buf text = { 0 }, gzip = { 0 }, empty = { 0 };

	(void)state;
	fill(&text);
	gzip_add(&gzip, text.data, text.len);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_decodes(names[i], &gzip, &text);
		assert_decodes(names[i], &empty, &empty);
	}
}

static void members_follow_one_another(void **state)
{
	_cleanup_(buf_done) struct buf gzip = { 0 }, want = { 0 };

	(void)state;
	gzip_add(&gzip, "one, ", 5);
	gzip_add(&gzip, "", 0);
	gzip_add(&gzip, "two", 3);
	buf_adds(&want, "one, two");
	assert_decodes("gzip", &gzip, &want);
}

/* 1 MiB comes out of 1 KiB, and most of it when all of the input was taken. */
static void a_bomb_is_expanded_by_pieces(void **state)
{
	enum { SIZE = 1 << 20 };
	_cleanup_(buf_done) struct buf zeros = { 0 }, gzip = { 0 };

	(void)state;
	memset(buf_reserve(&zeros, SIZE), 0, SIZE);
	zeros.len = SIZE;
	gzip_add(&gzip, zeros.data, SIZE);
	assert_true(gzip.len < 1100);
	assert_decodes("gzip", &gzip, &zeros);
}

static void any_part_that_is_missing_is_missed(void **state)
{
	_cleanup_(buf_done) struct buf gzip = { 0 };

	(void)state;
	gzip_add(&gzip, "hello", 5);
	while (--gzip.len)
		assert_refused("gzip", &gzip, "the compressed answer ends early");
	gzip_add(&gzip, "hello", 5);
	buf_addc(&gzip, '\x1f'); /* the begin of another member */
	assert_refused("gzip", &gzip, "the compressed answer ends early");
}

static void what_is_no_gzip_is_refused(void **state)
{
	static const char head[] = "the compressed answer is broken: incorrect header check";
	_cleanup_(buf_done) struct buf in = { 0 };

	(void)state;
	buf_adds(&in, "{\"kind\": \"Status\"}");
	assert_refused("gzip", &in, head);
	buf_reset(&in);
	gzip_add(&in, "hello", 5);
	buf_adds(&in, "and more");
	assert_refused("gzip", &in, head);
	buf_reset(&in);
	gzip_add(&in, "hello", 5);
	in.data[in.len - 8] ^= 1;
	assert_refused("gzip", &in, "the compressed answer is broken: incorrect data check");
	in.data[in.len - 8] ^= 1;
	in.data[in.len - 1] ^= 1;
	assert_refused("gzip", &in, "the compressed answer is broken: incorrect length check");
	in.data[10] = 7; /* the type of the first block */
	assert_refused("gzip", &in, "the compressed answer is broken: invalid block type");
}

static void other_codings_are_named(void **state)
{
	static const char *const names[] = { "br", "deflate", "zstd", "gzip, gzip" };
	_cleanup_(buf_done) struct buf in = { 0 }, empty = { 0 };

	(void)state;
	gzip_add(&in, "hello", 5);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char message[100];

		snprintf(message, sizeof(message),
			"the answer is encoded as \"%s\"; only gzip is supported", names[i]);
		assert_refused(names[i], &in, message);
		assert_decodes(names[i], &empty, &empty);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_without_a_coding_is_as_it_is),
		cmocka_unit_test(gzip_is_expanded),
		cmocka_unit_test(members_follow_one_another),
		cmocka_unit_test(a_bomb_is_expanded_by_pieces),
		cmocka_unit_test(any_part_that_is_missing_is_missed),
		cmocka_unit_test(what_is_no_gzip_is_refused),
		cmocka_unit_test(other_codings_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
