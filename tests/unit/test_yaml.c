// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "decode/yaml.h"

/* Each document as "LINE:JSON\n", keys in their order in the text. */
static void collect(json_t *doc, unsigned line, void *arg)
{
	/* The last of 17 digits depends on the version of jansson. */
	char *dump = json_dumps(doc, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	buf_addf(arg, "%u:%s\n", line, dump);
	free(dump);
}

static void assert_loads(const char *text, const char *wanted)
{
	_cleanup_(buf_done) struct buf got = { 0 };
	struct yaml_error err = { 0 };
	int r = yaml_parse(text, strlen(text), collect, &got, &err);

	assert_string_equal(err.message, "");
	assert_int_equal(r, 0);
	assert_string_equal(buf_str(&got), wanted);
}

static void assert_refused(
	const char *text, size_t len, unsigned line, unsigned column, const char *message)
{
	_cleanup_(buf_done) struct buf got = { 0 };
	struct yaml_error err = { 0 };
	int r = yaml_parse(text, len, collect, &got, &err);

	assert_int_equal(r, -EINVAL);
	assert_string_equal(err.message, message);
	assert_int_equal(err.line, line);
	assert_int_equal(err.column, column);
}

static void plain_scalars_are_typed_as_kubernetes_does(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "80", "80" },
		{ "-5", "-5" },
		{ "+5", "5" },
		{ "0", "0" },
		{ "0x1F", "31" },
		{ "-0x10", "-16" },
		{ "0o17", "15" },
		{ "017", "15" },
		{ "08", "8" },
		{ "0b101", "5" },
		{ "1_000", "1000" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "9223372036854775808", "9.22337203685478e18" },
		{ "1.5", "1.5" },
		{ ".5", "0.5" },
		{ "80.0", "80" },
		{ "1e3", "1000" },
		{ "1e400", "\"1e400\"" },
		{ "0x", "\"0x\"" },
		{ "0xfg", "\"0xfg\"" },
		{ "0b12", "\"0b12\"" },
		{ "1.2.3", "\"1.2.3\"" },
		{ "10.0.0.1", "\"10.0.0.1\"" },
		{ "1h", "\"1h\"" },
		{ "2026-01-02", "\"2026-01-02\"" },
		{ "2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\"" },
		{ "true", "true" },
		{ "True", "true" },
		{ "TRUE", "true" },
		{ "tRUE", "\"tRUE\"" },
		{ "yes", "true" },
		{ "y", "true" },
		{ "on", "true" },
		{ "ON", "true" },
		{ "no", "false" },
		{ "N", "false" },
		{ "off", "false" },
		{ "False", "false" },
		{ "null", "null" },
		{ "~", "null" },
		{ "Null", "null" },
		{ "nULL", "\"nULL\"" },
		{ "", "null" },
		{ "\"80\"", "\"80\"" },
		{ "'yes'", "\"yes\"" },
		{ "\"\"", "\"\"" },
		{ "|\n  80\n", "\"80\\n\"" },
		{ ">-\n  a\n  b\n", "\"a b\"" },
		{ "\"\\u00e9\\x41\"",
			"\"\xc3\xa9"
			"A\"" },
		{ "!!str 80", "\"80\"" },
		{ "!!str", "\"\"" },
		{ "! 80", "\"80\"" },
		{ "!!int \"80\"", "80" },
		{ "!!float 3", "3" },
		{ "!!bool \"yes\"", "true" },
		{ "!!null \"\"", "null" },
		{ "!thing 80", "\"80\"" },
		{ "<<", "\"<<\"" },
		{ "web", "\"web\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf text = { 0 }, wanted = { 0 };

		buf_addf(&text, "v: %s\n", cases[i].text);
		buf_addf(&wanted, "1:{\"v\":%s}\n", cases[i].json);
		assert_loads(buf_str(&text), buf_str(&wanted));
	}
}

static void keys_become_strings(void **state)
{
	(void)state;
	assert_loads("80: a\n0x10: b\nyes: c\n1.5: d\n\"\": e\n<<x: f\n",
		"1:{\"80\":\"a\",\"16\":\"b\",\"true\":\"c\",\"1.5\":\"d\",\"\":\"e\",\"<<x\":\"f\"}"
		"\n");
}

static void documents_come_with_their_first_line(void **state)
{
	(void)state;
	assert_loads("# comment\na: 1\n---\n---\n# nothing\n---\n\n- 2\n...\n---\nnull\n--- x\n",
		"2:{\"a\":1}\n8:[2]\n12:\"x\"\n");
	assert_loads("", "");
	assert_loads("\n# only a comment\n", "");
	assert_loads("\xef\xbb\xbf"
		     "a: 1\n",
		"1:{\"a\":1}\n");
}

static void json_loads_through_the_same_door(void **state)
{
	(void)state;
	assert_loads("\n {\"a\":\t[1, true, null, \"\\ud83d\\ude00\"]}\n",
		"2:{\"a\":[1,true,null,\"\xf0\x9f\x98\x80\"]}\n");
	assert_loads("{\n\t\"a\": {\n\t\t\"b\": \"1\"\n\t}\n}\n", "1:{\"a\":{\"b\":\"1\"}}\n");
	assert_loads("[1, 2]", "1:[1,2]\n");
	/* YAML that only looks like it */
	assert_loads("{a: 1, b: [x, 'y']}\n---\n{\"c\": 2}\n",
		"1:{\"a\":1,\"b\":[\"x\",\"y\"]}\n"
		"3:{\"c\":2}\n");
}

static void aliases_stand_for_their_anchor(void **state)
{
	(void)state;
	assert_loads("a: &x {k: [1, 2]}\nb: *x\nc: &y hello\nd: *y\n*y : 5\n",
		"1:{\"a\":{\"k\":[1,2]},\"b\":{\"k\":[1,2]},\"c\":\"hello\",\"d\":\"hello\",\"hello\":"
		"5}\n");
	assert_loads("- &x 1\n- &x 2\n- *x\n", "1:[1,2,2]\n");
	assert_loads("- &k key\n- {*k : 1}\n", "1:[\"key\",{\"key\":1}]\n");
}

static void merge_keys_fill_in_what_is_not_said(void **state)
{
	(void)state;
	assert_loads("- &a {x: 1, w: 2}\n- &b {w: 3, z: 4}\n"
		     "- {<<: *a, w: 9}\n- {w: 9, <<: [*a, *b]}\n- {<<: {q: 1}, <<: {r: 2}}\n",
		"1:[{\"x\":1,\"w\":2},{\"w\":3,\"z\":4},{\"w\":9,\"x\":1},{\"w\":9,\"x\":1,\"z\":4},"
		"{\"q\":1,\"r\":2}]\n");
	assert_loads("\"<<\": 1\n", "1:{\"<<\":1}\n");
}

static void faults_are_told_with_line_and_column(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *message;
	} cases[] = {
		{ "a: 1\nb: [1, 2\nc: 3\n", 3, 2,
			"did not find expected ',' or ']', while parsing a flow sequence that "
			"begins in line 2" },
		{ "a: 1\n b: 2\n", 2, 3, "mapping values are not allowed in this context" },
		{ "a:\n\t- 1\n", 2, 1, "a tab cannot indent YAML, use blanks" },
		{ "a: \"x\n", 2, 1,
			"found unexpected end of stream, while scanning a quoted scalar that begins "
			"in line 1" },
		{ "a: 1\nb: 2\na: 3\n", 3, 1, "the key \"a\" occurs twice in one mapping" },
		{ "{\"a\": 1, \"a\": 2}", 1, 12, "duplicate object key near '\"a\"'" },
		{ "1: a\n0x1: b\n", 2, 1, "the key \"1\" occurs twice in one mapping" },
		{ "a: *x\n", 1, 4,
			"the alias *x has no anchor before it, or stands inside of its own anchor" },
		{ "a: &x [1, *x]\n", 1, 11,
			"the alias *x has no anchor before it, or stands inside of its own anchor" },
		{ "- &x 1\n---\n- *x\n", 3, 3,
			"the alias *x has no anchor before it, or stands inside of its own anchor" },
		{ "? [a]\n: 1\n", 1, 3, "a key must be a scalar" },
		{ "- &x [a]\n- {*x : 1}\n", 2, 4, "a key must be a scalar" },
		{ "~: 1\n", 1, 1, "a key must not be empty or null" },
		{ "a: 1\n<<: 5\n", 2, 5,
			"the value of << must be a mapping or a sequence of mappings" },
		{ "a: 1\n<<: [{}, 5]\n", 2, 5, "the value of << must hold mappings only" },
		{ "a: .inf\n", 1, 4, "the value .inf is not a finite number" },
		{ "a: !!int web\n", 1, 4, "the value does not fit its tag !!int" },
		{ "a: !!binary aGk=\n", 1, 4,
			"the value has the tag !!binary, which is not supported" },
		{ "a: \"x\\0y\"\n", 1, 4, "a value must not contain a NUL character" },
		{ "a: \"\\ud800\"\n", 1, 7, "found invalid Unicode character escape code" },
		{ "ok: 1\n\xc3\xa9\xc3\xa9: \xff\n", 2, 5, "invalid leading UTF-8 octet" },
		{ "a: \x01\n", 1, 4, "control characters are not allowed" },
		{ "{\"a\": 1,\n \"b\": ]}", 2, 7, "unexpected token near ']'" },
		{ "{\"a\": 1\n", 2, 1, "'}' expected near end of file" },
		{ "{\"a\": 1}\n---\n{b: [}\n", 3, 6, "did not find expected node content" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), cases[i].line, cases[i].column,
			cases[i].message);
	assert_refused("a: \0 1\n", 7, 1, 4, "control characters are not allowed");
}

static void documents_before_a_fault_are_delivered(void **state)
{
	static const char text[] = "a: 1\n---\nb: 2\n---\nc: [\n";
	_cleanup_(buf_done) struct buf got = { 0 };
	struct yaml_error err = { 0 };

	(void)state;
	assert_int_equal(yaml_parse(text, strlen(text), collect, &got, &err), -EINVAL);
	assert_string_equal(buf_str(&got), "1:{\"a\":1}\n3:{\"b\":2}\n");
	assert_int_equal(err.line, 6);
}

static char *nested(const char *open, const char *close, unsigned depth)
{
	struct buf b = { 0 };

	for (unsigned i = 0; i < depth; i++)
		buf_adds(&b, open);
	buf_adds(&b, "1");
	for (unsigned i = 0; i < depth; i++)
		buf_adds(&b, close);
	return buf_take(&b);
}

static void ignore(json_t *doc, unsigned line, void *arg)
{
	(void)doc;
	(void)line;
	(void)arg;
}

static void depth_has_a_limit(void **state)
{
	_cleanup_free_ char *deepest = nested("[", "]", YAML_MAX_DEPTH);
	_cleanup_free_ char *deeper = nested("[", "]", YAML_MAX_DEPTH + 1);
	_cleanup_free_ char *json = nested("{\"a\":", "}", 3000);
	_cleanup_free_ char *half = nested("[", "]", YAML_MAX_DEPTH / 2);
	_cleanup_(buf_done) struct buf alias = { 0 };
	struct yaml_error err;

	(void)state;
	assert_int_equal(yaml_parse(deepest, strlen(deepest), ignore, NULL, &err), 0);
	assert_refused(deeper, strlen(deeper), 1, YAML_MAX_DEPTH + 1, "nested more than 64 deep");
	assert_refused(json, strlen(json), 1, YAML_MAX_DEPTH * 5 + 1, "nested more than 64 deep");
	/* An alias is as deep as what it stands for. */
	buf_addf(&alias, "- &x %s\n- %.*s*x", half, YAML_MAX_DEPTH / 2, deeper);
	assert_refused(
		buf_str(&alias), alias.len, 2, 3 + YAML_MAX_DEPTH / 2, "nested more than 64 deep");
}

static void expansion_has_a_limit(void **state)
{
	_cleanup_(buf_done) struct buf laughs = { 0 };

	(void)state;
	buf_adds(&laughs, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		buf_addf(&laughs, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&laughs, "%s*a%d", k ? ", " : "", i - 1);
		buf_adds(&laughs, "]\n");
	}
	assert_refused(buf_str(&laughs), laughs.len, 7, 20,
		"more than 4000000 values, where an alias counts as its whole value");
}

static void the_encoding_is_utf8_with_or_without_a_mark(void **state)
{
	static const char text[] = "\xef\xbb\xbf"
				   "a: 1\nb: 2\n";
	unsigned line, column;

	(void)state;
	assert_loads(text, "1:{\"a\":1,\"b\":2}\n");
	assert_loads("\xef\xbb\xbf{\"a\": \"\\ud83d\\ude00\"}", "1:{\"a\":\"\xf0\x9f\x98\x80\"}\n");
	assert_int_equal(yaml_locate(text, sizeof(text) - 1, 1, "b", &line, &column), 0);
	assert_int_equal(line, 2);
	assert_refused("\xff\xfe"
		       "a\0:\0 \0001\0",
		10, 1, 1, "the text is UTF-16, must be UTF-8");
	assert_refused("\xfe\xff\0a\0:\0 \0001", 10, 1, 1, "the text is UTF-16, must be UTF-8");
	assert_refused("a\0:\0 \0001\0", 8, 1, 1, "the text is UTF-16, must be UTF-8");
	assert_refused("\0a\0:\0 \0001", 8, 1, 1, "the text is UTF-16, must be UTF-8");
}

static void causes_that_the_parser_cannot_know_are_named(void **state)
{
	static const char *const cases[][2] = {
		{ "a: 1\nname: {{ .Values.name }}\n",
			"; the {{ in line 2 is of a template, which has to be rendered first" },
		{ "a: 1\n{{- if .Values.x }}\nname: b\n{{- end }}\n",
			"; the {{ in line 2 is of a template, which has to be rendered first" },
		{ "a: 1\n---\n\xef\xbb\xbf"
		  "b: 1\nc: 2\n",
			"; the byte order mark in line 3 has to be removed" },
	};
	struct yaml_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf got = { 0 };

		assert_int_equal(
			yaml_parse(cases[i][0], strlen(cases[i][0]), collect, &got, &err), -EINVAL);
		assert_non_null(strstr(err.message, cases[i][1]));
	}
}

static void tag_directives_have_a_limit(void **state)
{
	static const char *const breaks[] = { "\n", "\r", "\r\n", "\xc2\x85", "\xe2\x80\xa8",
		"\xe2\x80\xa9" };
	struct yaml_error err;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(breaks); k++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		const bool lf = strchr(breaks[k], '\n');

		for (int i = 0; i < YAML_MAX_TAGS; i++)
			buf_addf(&text, "%%TAG !t%d! tag:x,%d:%s", i, i, breaks[k]);
		buf_adds(&text, "---\n50: '%TAG'\n...\n");
		assert_int_equal(yaml_parse(buf_str(&text), text.len, ignore, NULL, &err), 0);
		buf_addf(&text, "%%TAG !t! tag:x,1:%s---\na: 1\n", breaks[k]);
		assert_refused(buf_str(&text), text.len, (lf ? YAML_MAX_TAGS : 0) + 4, 1,
			"more than 100 %TAG directives");
	}
}

static void json_keeps_the_limit_of_values(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct yaml_error err;

	(void)state;
	buf_adds(&text, "[1");
	for (int i = 0; i < YAML_MAX_NODES; i++)
		buf_adds(&text, ",1");
	buf_adds(&text, "]");
	assert_int_equal(yaml_parse(buf_str(&text), text.len, ignore, NULL, &err), -EINVAL);
	assert_string_equal(
		err.message, "more than 4000000 values, where an alias counts as its whole value");
}

static void places_are_found_by_path(void **state)
{
	static const char text[] = "# a comment\n"	       /* 1 */
				   "null\n"		       /* 2 */
				   "---\n"		       /* 3 */
				   "kind: List\n"	       /* 4 */
				   "items:\n"		       /* 5 */
				   "- a.b/c: {x: [1, 2]}\n"    /* 6 */
				   "  ? [complex, {key: 1}]\n" /* 7 */
				   "  : 5\n"		       /* 8 */
				   "  alias: &a {k: v}\n"      /* 9 */
				   "- last: *a\n";	       /* 10 */
	static const struct {
		unsigned document;
		const char *path;
		unsigned line, column;
	} cases[] = {
		{ 4, "", 4, 1 },
		{ 4, "kind", 4, 7 },
		{ 4, "items", 6, 1 },
		{ 4, "items[0]", 6, 3 },
		{ 4, "items[0][a.b/c]", 6, 10 },
		{ 4, "items[0][a.b/c].x[1]", 6, 18 },
		{ 4, "items[0][a.b/c].x[2]", 6, 14 },
		{ 4, "items[0].alias.k", 9, 17 },
		{ 4, "items[0].missing.k", 6, 3 },
		{ 4, "items[1].last.k", 10, 9 },
		{ 4, "items[2]", 6, 1 },
		{ 4, "kind.x", 4, 7 },
		{ 4, "items.x", 6, 1 },
		{ 4, "[", 4, 1 },
		{ 2, "", 2, 1 },
	};
	unsigned line, column;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(yaml_locate(text, strlen(text), cases[i].document, cases[i].path,
					 &line, &column),
			0);
		assert_int_equal(line, cases[i].line);
		assert_int_equal(column, cases[i].column);
	}
	assert_int_equal(yaml_locate(text, strlen(text), 3, "", &line, &column), -ENOENT);
	assert_int_equal(yaml_locate("a: [", 4, 1, "a", &line, &column), 0);
	assert_int_equal(yaml_locate("\xff", 1, 1, "a", &line, &column), -ENOENT);
}

/* Printing */

static json_t *load(const char *text)
{
	json_t *tree = json_loads(text, 0, NULL);

	assert_non_null(tree);
	return tree;
}

static void printing_keeps_the_order_and_quotes_what_needs_it(void **state)
{
	json_t *tree = load(
		"{\"name\": \"web\", \"port\": 80, \"empty\": \"\", \"yes\": \"no\", \"n\": null,"
		" \"list\": [{\"a\": true, \"b\": \"10\"}, [], {}], \"r\": 0.5}");
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	(void)state;
	assert_return_code(yaml_print(tree, &out, &err), 0);
	assert_string_equal(buf_str(&out),
		"name: web\n"
		"port: 80\n"
		"empty: \"\"\n"
		"\"yes\": \"no\"\n"
		"\"n\": null\n"
		"list:\n"
		"- a: true\n"
		"  b: \"10\"\n"
		"- []\n"
		"- {}\n"
		"r: 0.5\n");
	json_decref(tree);
}

static void keep(json_t *doc, unsigned line, void *arg)
{
	json_t **ret = arg;

	(void)line;
	json_decref(*ret);
	*ret = json_incref(doc);
}

static void what_is_printed_reads_back_as_the_same_tree(void **state)
{
	static const char *const strings[] = { "", " ", "a b", "1", "1e3", "0x10", "0o7", ".5",
		"-1", "null", "~", "Null", "TRUE", "on", "y", "N", "a: b", "a #b", "- a", "#", "[",
		"{", "&a", "*a", "!t", "%x", "@x", "`x", "\"q\"", "'q'", "a\nb", "a\n", "\n", "\t",
		"\\", "caf\xc3\xa9", "\xf0\x9f\x98\x80", "\x01", "\x7f", "fd00::1", "10.0.0.1",
		"2001-01-01", "=", "<<", ".inf", ".nan", "---", "...", "a---", "shop/web",
		"the kernel has no scheduler \"mh\"; \"rr\" is used instead" };
	json_t *tree = json_object(), *array = json_array(), *back = NULL;
	_cleanup_(buf_done) struct buf out = { 0 };
	struct yaml_error bad;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		json_array_append_new(array, json_string(strings[i]));
		json_object_set_new(tree, strings[i], json_integer((json_int_t)i));
	}
	json_object_set_new(tree, "strings", array);
	json_object_set_new(tree, "numbers", json_pack("[iIf]", -1, INT64_MAX, 1e300));
	assert_return_code(yaml_print(tree, &out, &err), 0);
	if (yaml_parse(buf_str(&out), out.len, keep, &back, &bad))
		fail_msg("%u:%u: %s\n%s", bad.line, bad.column, bad.message, buf_str(&out));
	if (!json_equal(tree, back))
		fail_msg("not the same:\n%s", buf_str(&out));
	json_decref(tree);
	json_decref(back);
}

static void printing_has_a_limit_of_depth(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *tree = json_integer(1);
	struct err err;

	(void)state;
	for (int i = 0; i < YAML_MAX_DEPTH; i++)
		tree = json_pack("[o]", tree);
	assert_return_code(yaml_print(tree, &out, &err), 0);
	tree = json_pack("[o]", tree);
	assert_int_equal(yaml_print(tree, &out, &err), -E2BIG);
	json_decref(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_are_typed_as_kubernetes_does),
		cmocka_unit_test(keys_become_strings),
		cmocka_unit_test(documents_come_with_their_first_line),
		cmocka_unit_test(json_loads_through_the_same_door),
		cmocka_unit_test(aliases_stand_for_their_anchor),
		cmocka_unit_test(merge_keys_fill_in_what_is_not_said),
		cmocka_unit_test(faults_are_told_with_line_and_column),
		cmocka_unit_test(documents_before_a_fault_are_delivered),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(expansion_has_a_limit),
		cmocka_unit_test(the_encoding_is_utf8_with_or_without_a_mark),
		cmocka_unit_test(causes_that_the_parser_cannot_know_are_named),
		cmocka_unit_test(tag_directives_have_a_limit),
		cmocka_unit_test(json_keeps_the_limit_of_values),
		cmocka_unit_test(places_are_found_by_path),
		cmocka_unit_test(printing_keeps_the_order_and_quotes_what_needs_it),
		cmocka_unit_test(what_is_printed_reads_back_as_the_same_tree),
		cmocka_unit_test(printing_has_a_limit_of_depth),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
