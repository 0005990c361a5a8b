// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/command_line.h"

enum { MAX_WORDS = 16 };

struct target {
	bool all, force;
	const char *output, *long_only;
};

#define AT(field) .at = offsetof(struct target, field)

static const struct option_row rows[] = {
	{ "all", .letter = 'a', .type = &type_bool, AT(all), .help = "everything" },
	{ "force", .letter = 'f', .type = &type_bool, AT(force), .help = "even so" },
	{ "output", .letter = 'o', .arg = "FORMAT", .preset = "table", .type = &type_text,
		AT(output), .help = "how" },
	{ "long-only", .arg = "X", .type = &type_text, AT(long_only),
		.help = "an option that has no letter, has a long help, and so needs a second "
			"line to say it all" },
	{ "option-whose-name-is-long", .arg = "VALUE", .type = &type_text, AT(long_only),
		.help = "below its name" },
};

/* Words of a line; "command" is argv[0]. */
struct words {
	char text[200];
	char *argv[MAX_WORDS + 1];
	int argc;
};

static void words_init(struct words *w, const char *line)
{
	char *save = NULL;

	*w = (struct words){ 0 };
	snprintf(w->text, sizeof(w->text), "command %s", line);
	for (char *s = strtok_r(w->text, " ", &save); s; s = strtok_r(NULL, " ", &save))
		w->argv[w->argc++] = s;
}

static int read_line(
	struct words *w, const char *line, struct target *ret, size_t *ret_n, struct err *err)
{
	words_init(w, line);
	*ret = (struct target){ 0 };
	return command_line_read(rows, ARRAY_SIZE(rows), w->argc, w->argv, ret, ret_n, err);
}

static void options_are_read_in_any_form_and_place(void **state)
{
	struct words w;
	struct target t;
	struct err err;
	size_t n;

	(void)state;
	assert_int_equal(
		read_line(&w, "-a one -oyaml --output json --long=5 -- -f", &t, &n, &err), 0);
	assert_true(t.all);
	assert_false(t.force);
	assert_string_equal(t.output, "json");
	assert_string_equal(t.long_only, "5");
	assert_int_equal(n, 2);
	assert_string_equal(w.argv[1], "one");
	assert_string_equal(w.argv[2], "-f");
}

static void letters_may_share_a_word(void **state)
{
	struct words w;
	struct target t;
	struct err err;
	size_t n;

	(void)state;
	assert_int_equal(read_line(&w, "-afo yaml", &t, &n, &err), 0);
	assert_true(t.all && t.force);
	assert_string_equal(t.output, "yaml");
	assert_int_equal(read_line(&w, "-afoyaml", &t, &n, &err), 0);
	assert_string_equal(t.output, "yaml");
	assert_int_equal(read_line(&w, "-a=false -f --long_only=x", &t, &n, &err), 0);
	assert_true(!t.all && t.force);
	assert_string_equal(t.output, "table");
	assert_string_equal(t.long_only, "x");
}

static void options_may_end_at_the_first_word(void **state)
{
	struct words w;
	struct command_line l = {
		.rows = rows, .n_rows = ARRAY_SIZE(rows), .options_first = true, .next = 1
	};
	struct command_line_item item;
	struct err err;

	(void)state;
	words_init(&w, "-a command -a");
	l.argc = w.argc;
	l.argv = w.argv;
	assert_int_equal(command_line_next(&l, &item, &err), 1);
	assert_string_equal(item.option->name, "all");
	assert_int_equal(command_line_next(&l, &item, &err), 0);
	assert_int_equal(l.next, 2);
}

static void a_mistake_is_named(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "-z x", "-z: unknown option" },
		{ "-az x", "-z: unknown option" },
		{ "--zzz=1 x", "--zzz: unknown option" },
		{ "--al=x", "--al: \"x\" is neither true nor false" },
		{ "--o=x", "--o: unknown option" },
		{ "--outputs x", "--outputs: unknown option; did you mean --output?" },
		{ "--all=1x", "--all: \"1x\" is neither true nor false" },
		{ "-a --output", "--output: needs a value" },
		{ "-a -o", "-o: needs a value" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct words w;
		struct target t;
		struct err err;
		size_t n;

		assert_int_equal(read_line(&w, cases[i].line, &t, &n, &err), -EINVAL);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void help_has_two_columns(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		option_help(&rows[i], out);
	fclose(out);
	assert_string_equal(text,
		"  -a, --all                         everything\n"
		"  -f, --force                       even so\n"
		"  -o, --output FORMAT               how (default table)\n"
		"      --long-only X                 an option that has no letter, has a long help, and so "
		"needs a\n"
		"                                    second line to say it all\n"
		"      --option-whose-name-is-long VALUE\n"
		"                                    below its name\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read_in_any_form_and_place),
		cmocka_unit_test(letters_may_share_a_word),
		cmocka_unit_test(options_may_end_at_the_first_word),
		cmocka_unit_test(a_mistake_is_named),
		cmocka_unit_test(help_has_two_columns),
	};

	return cmocka_run_group_tests_name("command line", tests, NULL, NULL);
}
