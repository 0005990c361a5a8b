// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

static void text_becomes_bytes(void **state)
{
	static const struct {
		const char *text, *bytes;
	} cases[] = {
		{ "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" }, { "Zm9vYmE=", "fooba" }, { "Zm9vYmFy", "foobar" },
		{ "+/+/", "\xfb\xff\xbf" }, { "\nZm\r\n9v\n", "foo" }, { "Zg=\n=\n", "f" },
		{ "Zh==", "f" }, { "Zm9=", "fo" }, /* unused bits */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf b = { 0 };

		assert_int_equal(base64_decode(cases[i].text, &b), 0);
		assert_int_equal(b.len, strlen(cases[i].bytes));
		assert_string_equal(buf_str(&b), cases[i].bytes);
	}
}

static void anything_else_is_refused(void **state)
{
	static const char *const cases[] = { "Z", "Zg", "Zg=", "Zg===", "Zm8",
		"Zm8==", "Zm9v=", "=", "====", "Z===", "Zm 8=", "Zm8= ", "Zm8=Zm8=", "Zm-_",
		"Zm\t9v" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf b = { 0 };

		assert_int_equal(base64_decode(cases[i], &b), -EINVAL);
		assert_int_equal(b.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_becomes_bytes),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
