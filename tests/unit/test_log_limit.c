// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log_limit.h"
#include "base/mem.h"

enum { LEVEL = 2 };

/* Writes so many lines at that time; returns how many passed. */
static size_t pour(struct log_limit *l, const char *text, size_t n, uint64_t now)
{
	size_t passed = 0;

	for (size_t i = 0; i < n; i++)
		passed += log_limit_pass(l, text, LEVEL, now);
	return passed;
}

static void a_flood_becomes_a_count(void **state)
{
	struct log_limit *l = *state;
	struct log_limit_message m;

	assert_int_equal(pour(l, "a", 100000, 5000), LOG_LIMIT_BURST);
	assert_false(log_limit_due(l, 5000 + LOG_LIMIT_REFILL - 1, &m));
	assert_true(log_limit_due(l, 5000 + LOG_LIMIT_REFILL, &m));
	assert_string_equal(m.text, "a");
	assert_int_equal(m.level, LEVEL);
	assert_int_equal(m.left_out, 100000 - LOG_LIMIT_BURST);
	assert_false(log_limit_due(l, 5000 + LOG_LIMIT_REFILL, &m));
	/* The count takes no line's place. */
	assert_int_equal(pour(l, "a", 10, 5000 + LOG_LIMIT_REFILL), 1);
	assert_true(log_limit_due(l, 5000 + 2 * LOG_LIMIT_REFILL, &m));
	assert_int_equal(m.left_out, 9);
}

static void other_messages_pass(void **state)
{
	struct log_limit *l = *state;
	char copy[] = "a";

	pour(l, "a", 1000, 1);
	assert_int_equal(pour(l, "b", 3, 1), 3);
	assert_int_equal(pour(l, copy, 1, 1), 0); /* the same text at another place */
}

static void after_a_while_there_may_be_as_many_again(void **state)
{
	const uint64_t later = 1 + (uint64_t)LOG_LIMIT_BURST * LOG_LIMIT_REFILL;
	struct log_limit *l = *state;

	assert_int_equal(pour(l, "a", 1000, 1), LOG_LIMIT_BURST);
	assert_int_equal(pour(l, "a", 1000, later), LOG_LIMIT_BURST);
	assert_int_equal(pour(l, "a", 1000, later * 100), LOG_LIMIT_BURST);
}

static void now_and_then_a_line_is_no_flood(void **state)
{
	struct log_limit *l = *state;

	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(pour(l, "a", 1, 1 + i * LOG_LIMIT_REFILL), 1);
	assert_int_equal(pour(l, "a", 1000, 1000 * LOG_LIMIT_REFILL), LOG_LIMIT_BURST - 1);
}

static void too_many_messages_share_the_last_limit(void **state)
{
	static char texts[LOG_LIMIT_MESSAGES + 50][8];
	struct log_limit *l = *state;
	struct log_limit_message m;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		snprintf(texts[i], sizeof(texts[i]), "m%zu", i);
		log_limit_pass(l, texts[i], LEVEL, 1);
	}
	assert_int_equal(pour(l, texts[0], 1000, 1), LOG_LIMIT_BURST - 1);
	assert_int_equal(pour(l, texts[ARRAY_SIZE(texts) - 1], 1000, 1), 0);
	assert_true(log_limit_due(l, 1 + LOG_LIMIT_REFILL, &m));
	assert_true(log_limit_due(l, 1 + LOG_LIMIT_REFILL, &m));
	assert_string_equal(m.text, texts[ARRAY_SIZE(texts) - 1]);
}

static int setup(void **state)
{
	*state = new0(struct log_limit);
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_flood_becomes_a_count),
		TEST(other_messages_pass),
		TEST(after_a_while_there_may_be_as_many_again),
		TEST(now_and_then_a_line_is_no_flood),
		TEST(too_many_messages_share_the_last_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
