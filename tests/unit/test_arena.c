// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/mem.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	unsigned char *p[2000];
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = arena_alloc(&a, i % 97 + 1, 1);
		assert_int_equal((uintptr_t)p[i] % alignof(max_align_t), 0);
		for (size_t j = 0; j < i % 97 + 1; j++)
			assert_int_equal(p[i][j], 0);
		memset(p[i], (int)(i % 255 + 1), i % 97 + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		for (size_t j = 0; j < i % 97 + 1; j++)
			assert_int_equal(p[i][j], i % 255 + 1);
	arena_done(&a);
}

static void an_object_larger_than_any_chunk_fits(void **state)
{
	struct arena a = { 0 };
	char *before = arena_strdup(&a, "before"), *large = arena_alloc(&a, 1000, 1000), *after;

	(void)state;
	memset(large, 'x', 1000000);
	after = arena_strdup(&a, "after");
	assert_string_equal(before, "before");
	assert_string_equal(after, "after");
	assert_int_equal(large[999999], 'x');
	arena_done(&a);
}

static void nothing_is_a_valid_size(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_non_null(arena_alloc(&a, 0, 8));
	assert_non_null(arena_alloc(&a, 8, 0));
	arena_done(&a);
}

static void strings_are_copied_with_their_end(void **state)
{
	struct arena a = { 0 };
	char source[] = "abcdef", *copy = arena_strndup(&a, source, 3),
	     *empty = arena_strdup(&a, "");

	(void)state;
	memset(source, 'x', 6);
	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	arena_done(&a);
}

static void done_leaves_an_empty_arena_ready(void **state)
{
	struct arena a = { 0 };

	(void)state;
	arena_done(&a);
	arena_alloc(&a, 1, 100);
	arena_done(&a);
	assert_null(a.chunk);
	assert_string_equal(arena_strdup(&a, "again"), "again");
	arena_done(&a);
}

static void an_arena_takes_little_more_than_it_gives(void **state)
{
	struct arena a = { 0 };
	size_t given = 0;

	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		size_t len = i % 50;

		arena_strndup(&a, "", 0);
		arena_alloc(&a, 1, len);
		given += 1 +
			(len + alignof(max_align_t) - 1) / alignof(max_align_t) *
				alignof(max_align_t);
		if (given > 1000)
			assert_true(a.size < given * 8 / 5);
	}
	arena_done(&a);
	assert_int_equal(a.size, 0);
}

static void strings_lie_close_together(void **state)
{
	struct arena a = { 0 };
	const char *first = arena_strdup(&a, "abc"), *second = arena_strdup(&a, "de");

	(void)state;
	assert_ptr_equal(second, first + 4);
	assert_int_equal((uintptr_t)arena_alloc(&a, 1, 1) % alignof(max_align_t), 0);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(an_object_larger_than_any_chunk_fits),
		cmocka_unit_test(nothing_is_a_valid_size),
		cmocka_unit_test(strings_are_copied_with_their_end),
		cmocka_unit_test(done_leaves_an_empty_arena_ready),
		cmocka_unit_test(an_arena_takes_little_more_than_it_gives),
		cmocka_unit_test(strings_lie_close_together),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
