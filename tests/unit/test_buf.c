// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

enum { ROOM = 1000 };

static void what_is_added_stands_in_a_row(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "one");
	buf_addc(&b, ' ');
	buf_addf(&b, "%d", 2);
	buf_add(&b, " three", 4);
	assert_string_equal(buf_str(&b), "one 2 thr");
	assert_int_equal(b.len, 9);
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
}

static void taken_is_taken(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	_cleanup_free_ char *s = NULL, *nothing = buf_take(&b);

	(void)state;
	assert_string_equal(nothing, "");
	buf_adds(&b, "text");
	s = buf_take(&b);
	assert_string_equal(s, "text");
	assert_null(b.data);
}

/* Of what a program says that says nothing. */
static void room_that_stays_empty_is_an_empty_string(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	_cleanup_free_ char *s = NULL;

	(void)state;
	memset(buf_reserve(&b, ROOM), 'x', ROOM);
	buf_done(&b);
	buf_reserve(&b, ROOM);
	assert_string_equal(b.data, "");
	s = buf_take(&b);
	assert_string_equal(s, "");
}

static void room_that_is_filled_ends_where_it_is_said(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	_cleanup_free_ char *s = NULL;

	(void)state;
	memset(buf_reserve(&b, ROOM), 'x', ROOM);
	b.len = 3;
	s = buf_take(&b);
	assert_string_equal(s, "xxx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_stands_in_a_row),
		cmocka_unit_test(taken_is_taken),
		cmocka_unit_test(room_that_stays_empty_is_an_empty_string),
		cmocka_unit_test(room_that_is_filled_ends_where_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
