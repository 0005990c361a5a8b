// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/printable.h"

static void assert_shown(const char *text, const char *want)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	printable_add(&b, text);
	assert_string_equal(buf_str(&b), want);
	assert_int_equal(printable_all(text), !strcmp(text, want));
	assert_int_equal(printable_count(text), printable_count(want));
}

static void assert_quoted(const char *text, const char *want)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	printable_add_quoted(&b, text, strlen(text));
	assert_string_equal(buf_str(&b), want);
}

static void text_of_any_language_is_printable(void **state)
{
	static const char *const texts[] = { "", "plain ~ text", "caf\xc3\xa9", "\xe2\x82\xac",
		"\xe4\xb8\xad\xe6\x96\x87", "\xf0\x9f\x98\x80", "\xc2\xa0", "\xf4\x8f\xbf\xbf" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_shown(texts[i], texts[i]);
		assert_quoted(texts[i], texts[i]);
	}
	assert_int_equal(printable_count("caf\xc3\xa9"), 4);
}

static void control_characters_are_not(void **state)
{
	(void)state;
	assert_shown("a\033[31mb\x7f", "a?[31mb?");
	assert_shown("a\nb\tc\rd", "a?b?c?d");
	assert_shown("a\xc2\x9b"
		     "31m\xc2\x85"
		     "b",
		"a?31m?b"); /* C1 as UTF-8 */
	assert_shown("a\x9b"
		     "31mb",
		"a?31mb"); /* C1 as a byte */
	assert_shown("a\xe2\x80\xa8"
		     "b\xe2\x80\xae"
		     "c\xe2\x81\xa6"
		     "d\xef\xbb\xbf",
		"a?b?c?d?");
}

static void bytes_that_are_not_utf8_are_not(void **state)
{
	(void)state;
	assert_shown("\xff\xfe", "??");
	assert_shown("\xc3", "?");		       /* ends too early */
	assert_shown("\xc3(", "?(");		       /* continues wrongly */
	assert_shown("\xc0\xaf", "??");		       /* longer than needed */
	assert_shown("\xe0\x80\xaf", "???");	       /* longer than needed */
	assert_shown("\xed\xa0\x80", "???");	       /* a surrogate */
	assert_shown("\xf4\x90\x80\x80", "????");      /* beyond Unicode */
	assert_shown("\xf8\x88\x80\x80\x80", "?????"); /* five bytes */
}

static void between_quotes_nothing_is_lost(void **state)
{
	(void)state;
	assert_quoted("a \"b\" \\ c", "a \\\"b\\\" \\\\ c");
	assert_quoted("a\nb\tc\rd\033[m", "a\\nb\\tc\\rd\\x1b[m");
	assert_quoted("\x7f\xc2\x9b\x9b\xe2\x80\xae", "\\x7f\\u009b\\x9b\\u202e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_any_language_is_printable),
		cmocka_unit_test(control_characters_are_not),
		cmocka_unit_test(bytes_that_are_not_utf8_are_not),
		cmocka_unit_test(between_quotes_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
