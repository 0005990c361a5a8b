// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../src/report/json_text.h"
#include "base/mem.h"

static void values_are_written_with_their_commas(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	(void)state;
	json_text_open(&b, NULL, '{');
	json_text_string(&b, "a", "x");
	json_text_open(&b, "list", '[');
	json_text_int(&b, NULL, 0);
	json_text_int(&b, NULL, INT64_MIN);
	json_text_int(&b, NULL, INT64_MAX);
	json_text_open(&b, NULL, '{');
	json_text_close(&b, '}');
	json_text_close(&b, ']');
	json_text_bool(&b, "yes", true);
	json_text_bool(&b, "no", false);
	json_text_null(&b, "nothing");
	json_text_open(&b, "empty", '[');
	json_text_close(&b, ']');
	json_text_close(&b, '}');
	assert_string_equal(buf_str(&b),
		"{\"a\":\"x\",\"list\":[0,-9223372036854775808,9223372036854775807,{}],"
		"\"yes\":true,\"no\":false,\"nothing\":null,\"empty\":[]}");
}

/* A piece may begin behind a comma, or in an empty buffer. */
static void a_member_continues_an_array(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	(void)state;
	json_text_int(&b, NULL, 1);
	json_text_int(&b, NULL, 2);
	buf_adds(&b, ",");
	json_text_int(&b, NULL, 3);
	assert_string_equal(buf_str(&b), "1,2,3");
}

static void strings_are_read_back_by_jansson(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" }, { "plain", "plain" },
		{ "a \"quoted\" \\ path", "a \"quoted\" \\ path" },
		{ "\n\t\x01\x1f\x7f", "\n\t\x01\x1f\x7f" },
		{ "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80" },
		{ "\xff lone", "? lone" }, { "cut \xc3", "cut ?" },
		{ "\xc0\xaf \xed\xa0\x80", "?? ???" }, /* overlong, surrogate */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf b = { 0 };
		json_t *read;

		json_text_open(&b, NULL, '[');
		json_text_string(&b, NULL, rows[i].in);
		json_text_close(&b, ']');
		read = json_loads(buf_str(&b), 0, NULL);
		assert_non_null(read);
		assert_string_equal(json_string_value(json_array_get(read, 0)), rows[i].out);
		json_decref(read);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_written_with_their_commas),
		cmocka_unit_test(a_member_continues_an_array),
		cmocka_unit_test(strings_are_read_back_by_jansson),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
