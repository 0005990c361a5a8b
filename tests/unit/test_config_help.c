// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/command_line.h"
#include "config_fixture.h"

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "re");
	struct buf b = { 0 };
	size_t n;

	assert_non_null(f);
	do {
		n = fread(buf_reserve(&b, 65536), 1, 65536, f);
		b.len += n;
	} while (n);
	fclose(f);
	buf_addc(&b, '\n');
	return buf_take(&b);
}

/* One section of a man page, up to the next one. */
static char *read_section(const char *path, const char *title)
{
	_cleanup_free_ char *page = read_all(path);
	const char *from = strstr(page, title), *to;

	assert_non_null(from);
	to = strstr(from + strlen(title), "\n# ");
	assert_non_null(to);
	return mem_strndup(from, (size_t)(to - from) + 1);
}

/* The word stands in the text, with a blank or the end of the line behind it. */
static bool has_word(const char *text, const char *word)
{
	for (const char *at = text; (at = strstr(at, word)); at++)
		if (strchr(" \n", at[strlen(word)]))
			return true;
	return false;
}

static void help_names_every_option_of_its_groups(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t len, n;
	const struct option_row *o = config_options(&n);
	FILE *f = open_memstream(&text, &len);

	(void)state;
	config_help(OF_DAEMON, f);
	fclose(f);
	assert_non_null(text);
	for (; n; n--, o++) {
		_cleanup_(buf_done) struct buf name = { 0 };

		if (!o->name)
			continue;
		buf_addf(&name, " --%s", o->name);
		assert_int_equal(has_word(text, buf_str(&name)), !!(o->groups & OF_DAEMON));
		assert_true(!o->preset || !o->arg || !(o->groups & OF_DAEMON) ||
			strstr(text, o->preset));
	}
}

static void no_line_of_help_is_too_long(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	config_help(~0u, f);
	fclose(f);
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > OPTION_HELP_WIDTH)
			fail_msg("longer than %d columns: %.150s", OPTION_HELP_WIDTH, line);
}

/* The line that begins the description of an option, as the man pages write it. */
static char *man_term(const struct option_row *o)
{
	struct buf b = { 0 };

	if (o->letter)
		buf_addf(&b, "*-%c*, ", o->letter);
	buf_addf(&b, "*--%s*", o->name);
	if (o->alias)
		buf_addf(&b, ", *--%s*", o->alias);
	if (o->arg)
		buf_addf(&b, " _%s_", o->arg);
	buf_addc(&b, '\n');
	return buf_take(&b);
}

static void check_described(const char *page, const struct option_row *o)
{
	_cleanup_free_ char *term = man_term(o);
	_cleanup_(buf_done) struct buf preset = { 0 };
	_cleanup_free_ char *about = NULL;
	const char *at = strstr(page, term);

	if (!at) {
		fail_msg("the man page does not describe: %s", term);
		return;
	}
	at += strlen(term);
	about = mem_strndup(at, (size_t)(strstr(at, "\n\n") - at));
	buf_addf(&preset, "Default: %s.", o->preset ? o->preset : "");
	if (o->preset && o->arg && !strstr(about, buf_str(&preset)))
		fail_msg("the man page does not say of %s: %s", term, buf_str(&preset));
}

static bool is_described_option(const char *line)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	for (; n; n--, o++) {
		_cleanup_free_ char *term = o->name ? man_term(o) : NULL;

		if (term && !strncmp(line, term, strlen(term)))
			return true;
	}
	return false;
}

static void the_daemons_man_page_and_the_table_name_the_same_options(void **state)
{
	_cleanup_free_ char *own = read_section("man/ipvsctl-svcd.8.scd", "\n# OPTIONS\n");
	_cleanup_free_ char *policy = read_section("man/ipvsctl-svc.conf.5.scd", "\n# POLICY\n");
	_cleanup_free_ char *without =
		read_section("man/ipvsctl-svc.conf.5.scd", "\n# OPTIONS WITHOUT EFFECT\n");
	_cleanup_(buf_done) struct buf pages = { 0 };
	const char *page;
	size_t n;
	const struct option_row *o = config_options(&n);

	(void)state;
	buf_addf(&pages, "%s%s%s", own, policy, without);
	page = buf_str(&pages);
	for (; n; n--, o++)
		if (o->name && o->groups & OF_DAEMON)
			check_described(page, o);
	for (const char *at = page; (at = strstr(at, "\n*-"));)
		if (!is_described_option(++at))
			fail_msg("the man page describes what is no option: %.60s", at);
}

static void check_section(const char *file, const char *title, unsigned group)
{
	_cleanup_free_ char *page = read_section(file, title);
	size_t n;
	const struct option_row *o = config_options(&n);

	for (; n; n--, o++)
		if (o->groups & group)
			check_described(page, o);
}

static void the_man_page_of_the_commands_describes_their_options(void **state)
{
	(void)state;
	check_section("man/ipvsctl-svc.1.scd", "\n# EXPLAIN\n", OPTIONS_EXPLAIN);
	check_section("man/ipvsctl-svc.1.scd", "\n# PLAN\n", OPTIONS_PLAN);
	check_section("man/ipvsctl-svc-migrate.7.scd", "\n# PREFLIGHT\n", OPTIONS_PREFLIGHT);
}

/* The file in the man page, with or without what stands behind '#'. */
static char *read_block(bool comments)
{
	_cleanup_free_ char *page =
		read_section("man/ipvsctl-svc.conf.5.scd", "\n# CONFIGURATION FILE\n");
	const char *from = strstr(page, "```\n"), *to;
	struct buf b = { 0 };

	assert_non_null(from);
	from += strlen("```\n");
	to = strstr(from, "```\n");
	assert_non_null(to);
	while (from < to) {
		size_t all = strcspn(from, "\n"), len = comments ? all : strcspn(from, "#\n");

		while (len && from[len - 1] == ' ')
			len--;
		buf_add(&b, from, len);
		buf_addc(&b, '\n');
		from += all + 1;
	}
	return buf_take(&b);
}

static void the_file_in_the_man_page_has_all_keys_with_their_defaults(void **state)
{
	_cleanup_free_ char *block = read_block(false), *yaml = NULL;
	_cleanup_(line_done) struct line l;

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_int_equal(parse_whole(&l, block, ""), 0);
	assert_int_equal(l.c.warnings.n, 0);
	config_done(&l.c);
	config_init(&l.c);
	assert_int_equal(config_parse(&l.c, OF_DAEMON, 1, l.argv, &l.rest, &l.err), 0);
	yaml = yaml_of(&l.c);
	assert_string_equal(block, yaml);
}

/* "tcpTimeout: "0s"   # --ipvs-tcp-timeout" */
static bool block_names(const char *block, const struct option_row *o)
{
	const char *dot = strrchr(o->key, '.'), *name = dot ? dot + 1 : o->key;
	_cleanup_(buf_done) struct buf key = { 0 }, option = { 0 };
	bool found = false;

	buf_addf(&key, "%s: ", name);
	buf_addf(&option, "# --%s", o->name);
	if (o->alias && strlen(o->alias) > 1)
		buf_addf(&option, ", --%s", o->alias);
	for (const char *at = block; !found && (at = strstr(at, buf_str(&key))); at++) {
		_cleanup_free_ char *line = mem_strndup(at, strcspn(at, "\n"));
		const char *comment = strchr(line, '#');

		found = comment && !strcmp(comment, buf_str(&option));
	}
	return found;
}

static void the_file_in_the_man_page_names_the_options(void **state)
{
	_cleanup_free_ char *block = read_block(true);
	size_t n;
	const struct option_row *o = config_options(&n);

	(void)state;
	for (; n; n--, o++)
		if (o->key && o->name && !block_names(block, o))
			fail_msg("the man page does not say that %s is --%s", o->key, o->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_names_every_option_of_its_groups),
		cmocka_unit_test(no_line_of_help_is_too_long),
		cmocka_unit_test(the_daemons_man_page_and_the_table_name_the_same_options),
		cmocka_unit_test(the_file_in_the_man_page_has_all_keys_with_their_defaults),
		cmocka_unit_test(the_file_in_the_man_page_names_the_options),
		cmocka_unit_test(the_man_page_of_the_commands_describes_their_options),
	};

	return cmocka_run_group_tests_name("config help", tests, NULL, NULL);
}
