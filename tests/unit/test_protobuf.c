// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decode/protobuf.h"
#include "message.h"

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static int read_varint(const uint8_t *p, size_t len, uint64_t *ret)
{
	return pb_varint(p, p + len, ret);
}

static void numbers_of_every_length_are_read(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 127, 128, 300, 16383, 16384, UINT32_MAX,
		UINT64_C(1) << 32, INT64_MAX, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		_cleanup_(buf_done) struct buf b = { 0 };
		uint64_t v = 1;

		put_varint(&b, numbers[i]);
		assert_int_equal(read_varint((const uint8_t *)b.data, b.len, &v), b.len);
		assert_true(v == numbers[i]);
		for (size_t len = 0; len < b.len; len++)
			assert_int_equal(read_varint((const uint8_t *)b.data, len, &v), 0);
	}
}

static void a_number_longer_than_ten_bytes_is_none(void **state)
{
	static const uint8_t long_zero[11] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
		0x80, 0 };
	uint64_t v;

	(void)state;
	assert_int_equal(read_varint(long_zero, sizeof(long_zero), &v), -1);
	assert_int_equal(read_varint(BYTES(0x80, 0), &v), 2);
	assert_int_equal(v, 0);
}

static void fields_of_every_type_are_read(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct pb_field f;
	struct pb pb;

	(void)state;
	put_number(&b, 1, -1);
	put_text(&b, 15, "abc");
	buf_add(&b, BYTES(2 << 3 | PB_FIXED64, 1, 2, 3, 4, 5, 6, 7, 8));
	buf_add(&b, BYTES(3 << 3 | PB_FIXED32, 1, 2, 3, 4));
	put_number(&b, 536870911, 5);
	put_text(&b, 16, "");
	pb = pb_make(b.data, b.len);
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.number, 1);
	assert_int_equal(f.type, PB_VARINT);
	assert_true(f.value == UINT64_MAX);
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.number, 15);
	assert_int_equal(f.len, 3);
	assert_memory_equal(f.bytes, "abc", 3);
	assert_true(pb_next(&pb, &f));
	assert_true(f.value == UINT64_C(0x0807060504030201));
	assert_true(pb_next(&pb, &f));
	assert_true(f.value == 0x04030201);
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.number, 536870911);
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.number, 16);
	assert_int_equal(f.len, 0);
	assert_false(pb_next(&pb, &f));
	assert_false(pb.bad);
	assert_true(pb_is_valid(pb_make(b.data, b.len)));
}

static void a_field_is_found_by_its_number(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct pb_field f;
	struct pb pb;

	(void)state;
	put_text(&b, 2, "first");
	put_number(&b, 1, 7);
	put_text(&b, 2, "second");
	pb = pb_make(b.data, b.len);
	assert_true(pb_find(&pb, 2, &f));
	assert_memory_equal(f.bytes, "first", 5);
	assert_true(pb_find(&pb, 2, &f));
	assert_memory_equal(f.bytes, "second", 6);
	assert_false(pb_find(&pb, 2, &f));
	assert_false(pb.bad);
	pb = pb_make(b.data, b.len);
	assert_true(pb_find(&pb, 1, &f));
	assert_int_equal(f.value, 7);
	assert_null(f.bytes);
	pb = pb_make(b.data, b.len);
	assert_false(pb_find(&pb, 3, &f));
}

static void only_bytes_hold_a_message(void **state)
{
	const struct pb_field text = { .type = PB_BYTES, .bytes = BYTES(1 << 3, 5) };
	const struct pb_field number = { .type = PB_VARINT, .value = 5 };
	struct pb pb = pb_sub(&text);
	struct pb_field f;

	(void)state;
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.value, 5);
	pb = pb_sub(&number);
	assert_false(pb_next(&pb, &f));
	assert_false(pb.bad);
}

static void what_is_no_message_is_bad_from_there_on(void **state)
{
	const struct {
		const uint8_t *bytes;
		size_t len;
	} cases[] = {
		{ BYTES(0x80) },				     /* half a tag */
		{ BYTES(1 << 3) },				     /* no number */
		{ BYTES(1 << 3, 0x80) },			     /* half a number */
		{ BYTES(1 << 3 | 2) },				     /* no length */
		{ BYTES(1 << 3 | 2, 1) },			     /* nothing of that length */
		{ BYTES(1 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0x0f) }, /* 4 GiB of it */
		{ BYTES(1 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1) },
		{ BYTES(1 << 3 | 1, 1, 2, 3, 4, 5, 6, 7) }, { BYTES(1 << 3 | 5, 1, 2, 3) },
		{ BYTES(1 << 3 | 3) }, /* groups, and types that there are not */
		{ BYTES(1 << 3 | 4) }, { BYTES(1 << 3 | 6) }, { BYTES(1 << 3 | 7) },
		{ BYTES(0, 1) },			       /* the field 0 */
		{ BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 1, 1) }, /* a number beyond 32 bits */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf b = { 0 };
		struct pb_field f;
		struct pb pb;

		put_number(&b, 1, 5);
		buf_add(&b, cases[i].bytes, cases[i].len);
		pb = pb_make(b.data, b.len);
		assert_true(pb_next(&pb, &f));
		assert_false(pb_next(&pb, &f));
		assert_true(pb.bad);
		assert_false(pb_next(&pb, &f));
		assert_false(pb_find(&pb, 1, &f));
		assert_int_equal(f.value, 5);
		assert_false(pb_is_valid(pb_make(b.data, b.len)));
	}
}

static void a_message_cut_short_is_bad_or_a_shorter_message(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	(void)state;
	put_text(&b, 1, "some text");
	put_number(&b, 200, INT64_MAX);
	for (size_t len = 0; len <= b.len; len++) {
		_cleanup_free_ char *part = mem_zalloc(len, 1);

		memcpy(part, b.data, len);
		assert_int_equal(
			pb_is_valid(pb_make(part, len)), len == 0 || len == 11 || len == b.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_every_length_are_read),
		cmocka_unit_test(a_number_longer_than_ten_bytes_is_none),
		cmocka_unit_test(fields_of_every_type_are_read),
		cmocka_unit_test(a_field_is_found_by_its_number),
		cmocka_unit_test(only_bytes_hold_a_message),
		cmocka_unit_test(what_is_no_message_is_bad_from_there_on),
		cmocka_unit_test(a_message_cut_short_is_bad_or_a_shorter_message),
	};

	return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}
