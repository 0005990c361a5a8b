// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/number.h"

static void digits_up_to_the_maximum_are_a_number(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, want;
	} cases[] = {
		{ "0", 0, 0 },
		{ "65535", 65535, 65535 },
		{ "0080", 65535, 80 },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 1;

		assert_int_equal(number_parse(cases[i].text, cases[i].max, &v), 0);
		assert_int_equal(v, cases[i].want);
	}
}

static void anything_else_is_refused_and_leaves_the_output_alone(void **state)
{
	static const char *const texts[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e1",
		"65536", "18446744073709551616", "99999999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		uint64_t v = 7;

		assert_int_not_equal(number_parse(texts[i], 65535, &v), 0);
		assert_int_equal(v, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_up_to_the_maximum_are_a_number),
		cmocka_unit_test(anything_else_is_refused_and_leaves_the_output_alone),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
