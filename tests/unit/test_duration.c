// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"

static void durations_are_read_as_go_does(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "0s", 0 },
		{ "60s", 60000 },
		{ "1m30s", 90000 },
		{ "1h2m3.5s", 3723500 },
		{ "300ms", 300 },
		{ ".5s", 500 },
		{ "1.s", 1000 },
		{ "0.29s", 290 },
		{ "0.9999999999999h", 3600000 },
		{ "0.0000000000001h", 0 }, /* less than a nanosecond */
		{ "+2m", 120000 },
		{ "-1s", -1000 },
		{ "1000us", 1 },
		{ "1000\xc2\xb5s", 1 },
		{ "1000\xce\xbcs", 1 },
		{ "2562047h47m16.854775807s", INT64_C(9223372036855) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ms = -1;

		assert_int_equal(duration_parse(cases[i].text, &ms), 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void what_is_below_a_millisecond_does_not_become_nothing(void **state)
{
	int64_t ms = -1;

	(void)state;
	assert_int_equal(duration_parse("1ns", &ms), 0);
	assert_int_equal(ms, 1);
	assert_int_equal(duration_parse("-1us", &ms), 0);
	assert_int_equal(ms, -1);
}

static void anything_else_is_refused(void **state)
{
	static const char *const cases[] = { "", "-", "+", "1", "1.5", "s", ".s", "1h0", "1x",
		"1 s", " 1s", "1s ", "--1s", "1S", "1e3s", "0x1s", "1s-1s", "2562048h",
		"99999999999999999999s", "9223372036854775807ns1ns" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ms = 42;

		assert_int_not_equal(duration_parse(cases[i], &ms), 0);
		assert_int_equal(ms, 42);
	}
}

static void milliseconds_become_a_timeval(void **state)
{
	static const struct {
		uint64_t ms;
		struct timeval tv;
	} cases[] = {
		{ 0, { 0, 0 } },
		{ 1, { 0, 1000 } },
		{ 999, { 0, 999000 } },
		{ 1000, { 1, 0 } },
		{ 61001, { 61, 1000 } },
		{ UINT64_C(2147483647123), { 2147483647, 123000 } },
	};
	const uint64_t longer = UINT64_C(5000000000123);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct timeval tv = clock_timeval(cases[i].ms);

		assert_int_equal(tv.tv_sec, cases[i].tv.tv_sec);
		assert_int_equal(tv.tv_usec, cases[i].tv.tv_usec);
	}
	assert_true(clock_timeval(longer).tv_sec ==
		(sizeof(time_t) > sizeof(int32_t) ? INT64_C(5000000000) : INT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_as_go_does),
		cmocka_unit_test(what_is_below_a_millisecond_does_not_become_nothing),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(milliseconds_become_a_timeval),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
