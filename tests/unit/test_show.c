// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "report/clean.h"
#include "show.h"
#include "status.h"
#include "tree.h"

/* Tables */

static const char *const titles[] = { "NAME", "COUNT", "STATE" };

static void add_coloured(
	struct show *t, const char *name, const char *count, const char *state, enum colour colour)
{
	show_row(t, colour);
	buf_adds(show_cell(t), name);
	buf_adds(show_cell(t), count);
	buf_adds(show_cell(t), state);
}

static void add(struct show *t, const char *name, const char *count, const char *state)
{
	add_coloured(t, name, count, state, COLOUR_GREEN);
}

static void assert_printed(const struct show *t, bool headers, bool colours, const char *want)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	show_print(t, headers, colours, &out);
	assert_string_equal(buf_str(&out), want);
}

static int setup(void **state)
{
	struct show *t = new0(struct show);

	show_init(t, titles, ARRAY_SIZE(titles));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	show_done(*state);
	free(*state);
	return 0;
}

static void columns_are_as_wide_as_their_widest_text(void **state)
{
	struct show *t = *state;

	add(t, "a-rather-long-name", "1", "OK");
	add(t, "b", "123456789", "Failing (for a long and winding reason)");
	assert_printed(t, true, false,
		"NAME                COUNT      STATE\n"
		"a-rather-long-name  1          OK\n"
		"b                   123456789  Failing (for a long and winding reason)\n");
}

static void without_headers_the_titles_take_no_room(void **state)
{
	struct show *t = *state;

	add(t, "a", "1", "OK");
	assert_printed(t, false, false, "a  1  OK\n");
}

static void an_empty_table_has_its_titles(void **state)
{
	struct show *t = *state;

	assert_printed(t, true, false, "NAME  COUNT  STATE\n");
	assert_printed(t, false, false, "");
	assert_return_code(show_sort(t, "NAME", false, NULL), 0);
}

static void an_empty_cell_is_a_dash(void **state)
{
	struct show *t = *state;

	add(t, "a", "", "");
	assert_printed(t, false, false, "a  -  -\n");
}

static void a_text_cannot_steer_the_terminal(void **state)
{
	struct show *t = *state;

	add(t, "a\033[31mb", "1\n2", "\x7f");
	add(t,
		"a\xc2\x9b"
		"31mb",
		"\x9b", "\xe2\x80\xae");
	assert_printed(t, false, false, "a?[31mb  1?2  ?\na?31mb   ?    ?\n");
}

static void widths_are_counted_in_characters(void **state)
{
	struct show *t = *state;

	add(t, "caf\xc3\xa9", "1", "OK");
	add(t, "abcd", "2", "OK");
	assert_printed(t, false, false, "caf\xc3\xa9  1  OK\nabcd  2  OK\n");
}

static void only_the_last_column_has_colours(void **state)
{
	struct show *t = *state;

	add(t, "a", "1", "OK");
	add_coloured(t, "b", "2", "Failing", COLOUR_RED);
	add_coloured(t, "c", "3", "NoEndpoints", COLOUR_YELLOW);
	add_coloured(t, "d", "4", "NotProxied", COLOUR_NONE);
	assert_printed(t, true, true,
		"NAME  COUNT  STATE\n"
		"a     1      \033[32mOK\033[0m\n"
		"b     2      \033[31mFailing\033[0m\n"
		"c     3      \033[33mNoEndpoints\033[0m\n"
		"d     4      NotProxied\n");
}

static void sorting_takes_numbers_as_numbers_and_is_stable(void **state)
{
	struct show *t = *state;

	add(t, "10.96.0.10", "2", "x");
	add(t, "10.96.0.9", "10", "x");
	add(t, "10.96.0.1", "2", "x");
	assert_return_code(show_sort(t, "count", false, NULL), 0);
	assert_printed(
		t, false, false, "10.96.0.10  2   x\n10.96.0.1   2   x\n10.96.0.9   10  x\n");
	assert_return_code(show_sort(t, "NAME", false, NULL), 0);
	assert_printed(
		t, false, false, "10.96.0.1   2   x\n10.96.0.9   10  x\n10.96.0.10  2   x\n");
	assert_int_equal(show_sort(t, "nosuch", false, NULL), -EINVAL);
}

/* Status */

static json_t *load(const char *text)
{
	json_error_t e;
	json_t *ret = json_loads(text, 0, &e);

	if (!ret)
		fail_msg("%d:%d: %s", e.line, e.column, e.text);
	return ret;
}

static void assert_view(const json_t *status, bool wide, bool head, const char *want)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(show_done) struct show t;

	if (head)
		status_head(status, &out);
	status_table(status, wide, &t);
	show_print(&t, true, false, &out);
	assert_string_equal(buf_str(&out), want);
}

static const char example[] =
	"{'node': 'worker-7', 'backend': 'ipvs', 'kernel': '6.12', 'source': 'daemon',"
	" 'input': {'kind': 'apiserver', 'synced': true},"
	" 'summary': {'ports': 1204, 'endpoints': 5310, 'draining': 3, 'drift': 0, 'foreign': 2,"
	"  'pending': 0, 'failing': 0, 'lastChangeMsAgo': 2100, 'lastSyncMicroseconds': 812},"
	" 'warnings': [], 'failures': [],"
	" 'services': ["
	"  {'namespace': 'default', 'name': 'kubernetes', 'type': 'ClusterIP', 'state': 'OK',"
	"   'ports': [{'port': 443, 'protocol': 'TCP', 'scheduler': 'rr', 'ready': 3, 'total': 3,"
	"    'activeConnections': 212, 'state': 'OK', 'reason': '',"
	"    'addresses': [{'address': '10.96.0.1', 'port': 443, 'kind': 'ClusterIP'}]}]},"
	"  {'namespace': 'shop', 'name': 'web', 'type': 'LoadBalancer', 'state': 'Draining',"
	"   'ports': [{'port': 443, 'protocol': 'TCP', 'scheduler': 'mh', 'ready': 8, 'total': 9,"
	"    'activeConnections': 10412, 'state': 'Draining', 'draining': 1, 'reason': '',"
	"    'persistenceSeconds': 10800,"
	"    'addresses': [{'address': '10.96.44.8', 'port': 443, 'kind': 'ClusterIP'},"
	"     {'address': '203.0.113.9', 'port': 443, 'kind': 'LoadBalancer'},"
	"     {'address': 'fd00::9', 'port': 30443, 'kind': 'NodePort'}],"
	"    'endpoints': [{'address': '10.244.1.1', 'port': 8443, 'weight': 1, 'used': true,"
	"      'reason': 'ready'},"
	"     {'address': 'fd01::1', 'port': 8443, 'weight': 5, 'used': true,"
	"      'reason': 'terminating, used because no endpoint is ready'},"
	"     {'address': '10.244.2.1', 'port': 8443, 'weight': 1, 'used': false,"
	"      'reason': 'not ready'}]}]},"
	"  {'namespace': 'shop', 'name': 'cart', 'type': 'ClusterIP', 'state': 'NoEndpoints',"
	"   'ports': [{'port': 8080, 'protocol': 'TCP', 'scheduler': 'wlc', 'ready': 0, 'total': 4,"
	"    'activeConnections': 0, 'state': 'NoEndpoints', 'reason': '',"
	"    'addresses': [{'address': '10.96.44.7', 'port': 8080, 'kind': 'ClusterIP'}]}]},"
	"  {'namespace': 'shop', 'name': 'alias', 'type': 'ExternalName', 'state': 'NotProxied',"
	"   'reason': 'ExternalName', 'ports': []}]}";

/* JSON with the quotes of the text above. */
static json_t *load_quoted(const char *text)
{
	_cleanup_free_ char *copy = mem_strdup(text);

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	return load(copy);
}

static void the_example_of_the_manual(void **state)
{
	json_t *status = load_quoted(example);

	(void)state;
	assert_view(status, false, true,
		"Node: worker-7   Backend: ipvs (kernel 6.12)   Input: apiserver, synced 2s ago\n"
		"Services: 1204 ports, 5310 endpoints   Draining: 3   Drift: 0   Foreign: 2   "
		"Last sync: 0.8ms\n"
		"NAMESPACE  NAME        PORT      TYPE          VIP             SCHEDULER  "
		"ENDPOINTS  ACTIVE  STATE\n"
		"default    kubernetes  443/TCP   ClusterIP     10.96.0.1       rr         "
		"3/3        212     OK\n"
		"shop       web         443/TCP   LoadBalancer  203.0.113.9 +2  mh         "
		"8/9        10412   Draining(1)\n"
		"shop       cart        8080/TCP  ClusterIP     10.96.44.7      wlc        "
		"0/4        0       NoEndpoints\n"
		"shop       alias       -         ExternalName  -               -          "
		"-          -       NotProxied (ExternalName)\n");
	json_decref(status);
}

static void wide_shows_every_address_and_endpoint(void **state)
{
	json_t *status = load_quoted(example), *services = json_object_get(status, "services");
	_cleanup_(show_done) struct show t;

	(void)state;
	json_array_remove(services, 3);
	json_array_remove(services, 2);
	json_array_remove(services, 0);
	status_table(status, true, &t);
	assert_string_equal(t.titles[10], "ENDPOINT-LIST");
	assert_printed(&t, false, false,
		"shop  web  443/TCP  LoadBalancer  203.0.113.9 +2  mh  8/9  10412  10800s  "
		"10.96.44.8:443, 203.0.113.9:443, [fd00::9]:30443  "
		"10.244.1.1:8443 (weight 1), [fd01::1]:8443 (weight 5: terminating, used because "
		"no endpoint is ready), 10.244.2.1:8443 (not ready)  Draining(1)\n");
	json_decref(status);
}

static void wide_shows_what_is_not_proxied_with_dashes(void **state)
{
	json_t *status = load_quoted(example), *services = json_object_get(status, "services");
	_cleanup_(show_done) struct show t;

	(void)state;
	for (int i = 0; i < 3; i++)
		json_array_remove(services, 0);
	status_table(status, true, &t);
	assert_printed(&t, false, false,
		"shop  alias  -  ExternalName  -  -  -  -  -  -  -  NotProxied (ExternalName)\n");
	json_decref(status);
}

static void warnings_failures_and_what_is_not_known_stand_in_the_head(void **state)
{
	json_t *status =
		load_quoted("{'node': 'n', 'backend': 'ipvs', 'kernel': '6.1',"
			    " 'input': {'kind': 'manifests', 'synced': false},"
			    " 'summary': {'failing': 2, 'pending': 1, 'lastChangeMsAgo': null},"
			    " 'warnings': ['bad \\u001b file'], 'failures': ['ipset X: no']}");
	_cleanup_(buf_done) struct buf out = { 0 };

	(void)state;
	status_head(status, &out);
	assert_string_equal(buf_str(&out),
		"Node: n   Backend: ipvs (kernel 6.1)   Input: manifests, not synced yet\n"
		"Services: 0 ports, 0 endpoints   Draining: 0   Drift: 0   Foreign: 0   "
		"Pending: 1   Failing: 2   Last sync: -\n"
		"Warning: bad ? file\n"
		"Failing: ipset X: no\n");
	json_decref(status);
}

/* Puts the text behind every string. */
static void infect(json_t *tree, const char *text)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach(tree, key, value)
		infect(value, text);
	json_array_foreach(tree, i, value)
		infect(value, text);
	if (!json_is_string(tree))
		return;
	buf_addf(&b, "%s%s", json_string_value(tree), text);
	assert_return_code(json_string_set(tree, buf_str(&b)), 0);
}

static void no_value_can_begin_a_line_or_steer_the_terminal(void **state)
{
	json_t *status = load_quoted(example);
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(show_done) struct show t;
	size_t lines = 0;

	(void)state;
	json_array_append_new(json_object_get(status, "warnings"), json_string("w"));
	infect(status, "\n\033[2J\x7f\xc2\x9b");
	report_clean(status);
	status_head(status, &out);
	status_table(status, true, &t);
	show_print(&t, true, false, &out);
	for (const char *p = buf_str(&out); *p; p++) {
		lines += *p == '\n';
		assert_true(*p == '\n' || (unsigned char)*p >= ' ');
		assert_int_not_equal(*p, '\x7f');
	}
	assert_int_equal(lines, 3 + 1 + 4);
	assert_null(strstr(buf_str(&out), "\xc2\x9b"));
	assert_non_null(strstr(buf_str(&out), "Node: worker-7??[2J??   "));
	json_decref(status);
}

static void json_has_escapes_for_what_is_not_printable(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *tree = json_pack("[s]", "\033\x7f\xc2\x9b\xe2\x80\xa8 caf\xc3\xa9 \"\\");
	json_t *again;

	(void)state;
	assert_int_equal(tree_print(tree, false, &out, NULL), 0);
	assert_string_equal(
		buf_str(&out), "[\n  \"\\u001B\\u007F\\u009B\\u2028 caf\xc3\xa9 \\\"\\\\\"\n]\n");
	again = load(buf_str(&out));
	assert_true(json_equal(again, tree));
	json_decref(again);
	buf_reset(&out);
	assert_int_equal(tree_print(tree, true, &out, NULL), 0);
	assert_null(strchr(buf_str(&out), '\033'));
	assert_null(strchr(buf_str(&out), '\x7f'));
	assert_null(strstr(buf_str(&out), "\xc2\x9b"));
	json_decref(tree);
}

static void what_iptables_cannot_do_is_named_for_some(void **state)
{
	json_t *status = json_pack("{s:[]}", "services");
	_cleanup_(buf_done) struct buf out = { 0 };

	(void)state;
	for (int i = 0; i < 13; i++)
		json_array_append_new(json_object_get(status, "services"),
			json_pack("{s:s, s:s, s:[s, s]}", "namespace", "shop", "name", "web",
				"limits", "weights: on average", "drain: no"));
	json_array_append_new(json_object_get(status, "services"), json_pack("{s:[]}", "limits"));
	status_head(status, &out);
	assert_non_null(strstr(buf_str(&out),
		"\nLimits: shop/web: weights: on average; drain: no\n"
		"Limits: 3 more Services, see -o json\n"));
	json_decref(status);
}

static void ages_have_one_unit(void **state)
{
	static const struct {
		json_int_t ms;
		const char *want;
	} cases[] = {
		{ 0, "synced 0ms ago\n" },
		{ 119999, "synced 119s ago\n" },
		{ 120000, "synced 2m ago\n" },
		{ 7200000, "synced 2h ago\n" },
		{ 172800000, "synced 2d ago\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *status = json_pack("{s:{s:s, s:b}, s:{s:I}}", "input", "kind", "x",
			"synced", 1, "summary", "lastChangeMsAgo", cases[i].ms);
		_cleanup_(buf_done) struct buf out = { 0 };

		status_head(status, &out);
		assert_non_null(strstr(buf_str(&out), cases[i].want));
		json_decref(status);
	}
}

static void the_kernel_alone_is_a_table_of_virtual_servers(void **state)
{
	json_t *status = load_quoted(
		"{'source': 'kernel', 'node': 'n', 'backend': 'ipvs', 'kernel': '6.1',"
		" 'input': null, 'services': [], 'virtualServers': ["
		"  {'address': '10.96.0.1', 'port': 443, 'protocol': 'TCP', 'scheduler': 'rr',"
		"   'persistenceSeconds': 10800, 'realServers': ["
		"    {'address': '10.0.0.1', 'port': 6443, 'weight': 1, 'active': 5},"
		"    {'address': '10.0.0.2', 'port': 6443, 'weight': 3, 'active': 7}]},"
		"  {'fwmark': 7, 'family': 'IPv4', 'scheduler': 'lc', 'realServers': []}]}");

	(void)state;
	assert_view(status, false, true,
		"Node: n   Backend: ipvs (kernel 6.1)\n"
		"Virtual servers: 2   Real servers: 2\n"
		"VIRTUAL-SERVER     SCHEDULER  REAL-SERVERS  WEIGHT  ACTIVE\n"
		"10.96.0.1:443/TCP  rr         2             4       12\n"
		"fwmark:7/IPv4      lc         0             0       0\n");
	json_array_remove(json_object_get(status, "virtualServers"), 1);
	assert_view(status, true, false,
		"VIRTUAL-SERVER     SCHEDULER  REAL-SERVERS  WEIGHT  ACTIVE  PERSISTENCE  LIST\n"
		"10.96.0.1:443/TCP  rr         2             4       12      10800s       "
		"10.0.0.1:6443 (weight 1), 10.0.0.2:6443 (weight 3)\n");
	assert_true(status_is_fine(status, true));
	json_decref(status);
}

static void some_states_are_not_fine(void **state)
{
	static const struct {
		const char *name;
		bool fine;
	} cases[] = {
		{ "OK", true },
		{ "NotProxied", true },
		{ "Draining", true },
		{ "NoEndpoints", true },
		{ "Degraded", false },
		{ "Unknown", false },
		{ "Pending", false },
		{ "Conflict", false },
		{ "Failing", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *status = json_pack("{s:{s:b}, s:[{s:s}, {s:s}]}", "input", "synced", 1,
			"services", "state", "OK", "state", cases[i].name);

		assert_int_equal(status_is_fine(status, true), cases[i].fine);
		json_decref(status);
	}
}

static void what_an_earlier_run_left_is_a_row_without_a_name(void **state)
{
	json_t *status = load_quoted(
		"{'input': {'synced': true}, 'services': [], 'unknown': ["
		"{'address': '10.96.0.1', 'port': 80, 'protocol': 'TCP', 'scheduler': 'rr',"
		" 'state': 'Unknown', 'reason': 'input incomplete'}]}");
	struct show t, wide;

	(void)state;
	assert_false(status_is_fine(status, true));
	status_table(status, false, &t);
	assert_printed(&t, false, false,
		"-  -  80/TCP  -  10.96.0.1  rr  -  -  Unknown (input incomplete)\n");
	status_table(status, true, &wide);
	assert_printed(&wide, false, false,
		"-  -  80/TCP  -  10.96.0.1  rr  -  -  -  -  -  Unknown (input incomplete)\n");
	show_done(&t);
	show_done(&wide);
	json_decref(status);
}

static void failures_of_the_node_count_where_everything_is_shown(void **state)
{
	json_t *status = load_quoted(
		"{'input': {'synced': true}, 'services': [], 'failures': ['ipset X: no']}");

	(void)state;
	assert_false(status_is_fine(status, true));
	assert_true(status_is_fine(status, false));
	json_decref(status);
}

static void an_input_that_is_not_complete_is_not_fine(void **state)
{
	json_t *status = load_quoted("{'input': {'synced': false}, 'services': []}");

	(void)state;
	assert_false(status_is_fine(status, false));
	json_decref(status);
}

static void a_tree_of_another_shape_is_shown_as_empty(void **state)
{
	static const char *const trees[] = { "{}", "{'services': 1, 'summary': [], 'input': 'x'}",
		"{'warnings': [1, null], 'failures': {}}",
		"{'services': [1, [], {'ports': 5}, {'ports': [7, {'addresses': 1}]}]}",
		"{'source': 'kernel', 'virtualServers': [1, {'realServers': [3, {}]}]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		json_t *status = load_quoted(trees[i]);
		_cleanup_(buf_done) struct buf out = { 0 };
		_cleanup_(show_done) struct show t;

		status_head(status, &out);
		status_table(status, true, &t);
		show_print(&t, true, false, &out);
		json_decref(status);
	}
}

/* Output formats */

static void json_is_indented(void **state)
{
	json_t *tree = load("{\"b\": [1, true], \"a\": null}");
	_cleanup_(buf_done) struct buf out = { 0 };

	(void)state;
	assert_int_equal(tree_print(tree, false, &out, NULL), 0);
	assert_string_equal(
		buf_str(&out), "{\n  \"b\": [\n    1,\n    true\n  ],\n  \"a\": null\n}\n");
	json_decref(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TABLE_TEST(columns_are_as_wide_as_their_widest_text),
		TABLE_TEST(without_headers_the_titles_take_no_room),
		TABLE_TEST(an_empty_table_has_its_titles),
		TABLE_TEST(an_empty_cell_is_a_dash),
		TABLE_TEST(a_text_cannot_steer_the_terminal),
		TABLE_TEST(widths_are_counted_in_characters),
		TABLE_TEST(only_the_last_column_has_colours),
		TABLE_TEST(sorting_takes_numbers_as_numbers_and_is_stable),
		cmocka_unit_test(the_example_of_the_manual),
		cmocka_unit_test(wide_shows_every_address_and_endpoint),
		cmocka_unit_test(wide_shows_what_is_not_proxied_with_dashes),
		cmocka_unit_test(warnings_failures_and_what_is_not_known_stand_in_the_head),
		cmocka_unit_test(no_value_can_begin_a_line_or_steer_the_terminal),
		cmocka_unit_test(json_has_escapes_for_what_is_not_printable),
		cmocka_unit_test(what_iptables_cannot_do_is_named_for_some),
		cmocka_unit_test(ages_have_one_unit),
		cmocka_unit_test(the_kernel_alone_is_a_table_of_virtual_servers),
		cmocka_unit_test(some_states_are_not_fine),
		cmocka_unit_test(what_an_earlier_run_left_is_a_row_without_a_name),
		cmocka_unit_test(failures_of_the_node_count_where_everything_is_shown),
		cmocka_unit_test(an_input_that_is_not_complete_is_not_fine),
		cmocka_unit_test(a_tree_of_another_shape_is_shown_as_empty),
		cmocka_unit_test(json_is_indented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
