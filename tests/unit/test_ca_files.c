// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "../../src/api/ca_files.h"

static void assert_content(const char *path, const char *expected)
{
	char text[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, expected);
}

static void a_file_has_the_content(void **state)
{
	struct ca_files c = { 0 };

	(void)state;
	assert_content(ca_files_path(&c, "first", 5), "first");
	assert_content(ca_files_path(&c, "other", 5), "other");
	ca_files_done(&c);
}

static void a_path_stands_for_one_content(void **state)
{
	struct ca_files c = { 0 };
	char first[64], second[64];

	(void)state;
	snprintf(first, sizeof(first), "%s", ca_files_path(&c, "first", 5));
	snprintf(second, sizeof(second), "%s", ca_files_path(&c, "other", 5));
	assert_string_not_equal(first, second);
	assert_string_equal(ca_files_path(&c, "first", 5), first);
	assert_string_equal(ca_files_path(&c, "other", 5), second);
	assert_string_not_equal(ca_files_path(&c, "third", 5), first);
	ca_files_done(&c);
}

static void many_contents_take_turns(void **state)
{
	struct ca_files c = { 0 };
	char before[64] = "", text[16];

	(void)state;
	for (int i = 0; i < 3 * CA_FILES_MAX; i++) {
		const char *path;

		snprintf(text, sizeof(text), "%d", i);
		path = ca_files_path(&c, text, strlen(text));
		assert_string_not_equal(path, before);
		assert_content(path, text);
		snprintf(before, sizeof(before), "%s", path);
	}
	ca_files_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_has_the_content),
		cmocka_unit_test(a_path_stands_for_one_content),
		cmocka_unit_test(many_contents_take_turns),
	};

	return cmocka_run_group_tests_name("ca_files", tests, NULL, NULL);
}
