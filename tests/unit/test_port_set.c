// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/port_set.h"

static void assert_printed(const struct port_set *s, const char *expected)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	port_set_print(&b, s);
	assert_string_equal(buf_str(&b), expected);
}

static void lists_are_read_and_printed_as_ranges(void **state)
{
	static const struct {
		const char *text, *printed;
		size_t n;
	} cases[] = {
		{ "", "", 0 },
		{ "0", "0", 1 },
		{ "65535", "65535", 1 },
		{ "0-65535", "0-65535", 65536 },
		{ "8080,9148", "8080,9148", 2 },
		{ "3,1,2", "1-3", 3 },
		{ "1-10,5-12", "1-12", 12 },
		{ "63,64", "63-64", 2 },
		{ "00080-0081", "80-81", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_set s;

		assert_int_equal(port_set_parse(cases[i].text, &s), 0);
		assert_int_equal(port_set_count(&s), cases[i].n);
		assert_printed(&s, cases[i].printed);
	}
}

static void anything_else_is_refused(void **state)
{
	static const char *const texts[] = { ",", "1,", ",1", "1,,2", "1-", "-1", "2-1", "1-2-3",
		"65536", "1-65536", "000080", "1 2", "1\n", "a", "1-a" };
	struct port_set s = { { 7 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(port_set_parse(texts[i], &s), -EINVAL);
	assert_printed(&s, "0-2");
}

static void sets_are_combined(void **state)
{
	struct port_set a, b, both;

	(void)state;
	port_set_parse("10-20,100", &a);
	port_set_parse("15-25,65535", &b);
	port_set_and(&a, &b, &both);
	assert_printed(&both, "15-20");
	port_set_minus(&a, &b, &both);
	assert_printed(&both, "10-14,100");
	port_set_or(&a, &b, &a);
	assert_printed(&a, "10-25,100,65535");
	assert_true(port_set_has(&a, 65535));
	assert_false(port_set_has(&a, 65534));
	assert_false(port_set_eq(&a, &b));
	assert_true(port_set_eq(&b, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_and_printed_as_ranges),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(sets_are_combined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
