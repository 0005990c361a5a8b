// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "request.h"

static const char *const formats[] = { "table", "json", "yaml", NULL };

#define AT(field) .at = offsetof(struct request, field)

static const struct option_row options[] = {
	{ "namespace", .letter = 'n', .arg = "NAMESPACE", .type = &type_text, AT(ns) },
	{ "all-namespaces", .letter = 'A', .type = &type_bool, AT(all_namespaces) },
	{ "output", .letter = 'o', .arg = "FORMAT", .type = &type_choice, AT(format),
		.names = formats },
	{ "sort-by", .arg = "COLUMN", .type = &type_text, AT(sort_by) },
};

/* Of words that blanks separate; "command" is the first of argv. */
static int parse(const char *line, struct request *r, struct err *err)
{
	static char words[128];
	char *argv[16], *save = NULL;
	int argc = 0;

	snprintf(words, sizeof(words), "command %s", line);
	for (char *s = strtok_r(words, " ", &save); s; s = strtok_r(NULL, " ", &save))
		argv[argc++] = s;
	argv[argc] = NULL;
	return request_parse(r, options, ARRAY_SIZE(options), argc, argv, err);
}

static void a_namespace_is_chosen(void **state)
{
	struct request r;
	struct err err;

	(void)state;
	assert_int_equal(parse("", &r, &err), 0);
	assert_null(r.ns);
	assert_int_equal(parse("-n shop web", &r, &err), 0);
	assert_string_equal(r.ns, "shop");
	assert_int_equal(r.n_names, 1);
}

static void all_namespaces_win_over_one(void **state)
{
	static const char *const lines[] = { "-A", "-n shop -A", "-A -n shop",
		"--all-namespaces --namespace=shop" };
	struct request r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(parse(lines[i], &r, &err), 0);
		assert_null(r.ns);
	}
}

static void what_cannot_go_together_is_told(void **state)
{
	struct request r;
	struct err err;

	(void)state;
	assert_int_equal(parse("-o json --sort-by conns", &r, &err), -EINVAL);
	assert_string_equal(err.msg, "--sort-by: only a table can be sorted");
	assert_int_equal(parse("-o xml", &r, &err), -EINVAL);
	assert_string_equal(err.msg, "-o: \"xml\" is none of table, json, yaml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namespace_is_chosen),
		cmocka_unit_test(all_namespaces_win_over_one),
		cmocka_unit_test(what_cannot_go_together_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
