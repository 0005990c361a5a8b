// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/endpoints.h"
#include "core/override.h"
#include "fixture.h"

static void parse(struct overrides *o, const char *text)
{
	struct err err;

	if (overrides_parse(o, text, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
}

/* The weight that counts for 10.0.0.1 and the port; -1: its own. */
static int weight_of(const struct overrides *o, const char *ns, const char *name, uint16_t port)
{
	struct ip ip;
	const struct override *found;

	assert_int_equal(ip_parse("10.0.0.1", &ip), 0);
	found = overrides_find(o, ns, name, &ip, port);
	return found ? (int)found->weight : -1;
}

static void the_narrowest_override_counts(void **state)
{
	_cleanup_(overrides_done) struct overrides o = { 0 };

	(void)state;
	parse(&o,
		"10.0.0.1 * weight=1 by=0\n"
		"10.0.0.1:80 * weight=2 by=0\n"
		"10.0.0.1 shop/web weight=3 by=0\n"
		"10.0.0.1:80 shop/web weight=4 by=0\n"
		"10.0.0.2:81 shop/web weight=5 by=0\n");
	assert_int_equal(weight_of(&o, "shop", "web", 80), 4);
	assert_int_equal(weight_of(&o, "shop", "web", 81), 3);
	assert_int_equal(weight_of(&o, "shop", "other", 80), 2);
	assert_int_equal(weight_of(&o, "sho", "p/web", 81), 1);
	assert_int_equal(weight_of(&o, "shop", "we", 81), 1);
}

static void others_keep_their_weight(void **state)
{
	_cleanup_(overrides_done) struct overrides o = { 0 };

	(void)state;
	parse(&o, "10.0.0.1:80 shop/web weight=0 by=0\n");
	assert_int_equal(weight_of(&o, "shop", "web", 81), -1);
	assert_int_equal(weight_of(&o, "shop", "other", 80), -1);
	assert_int_equal(weight_of(&o, "shop", "web", 80), 0);
}

static void the_text_comes_back_as_it_was(void **state)
{
	static const char text[] = "10.0.0.1:80 * weight=0 by=0\n"
				   "[fd00::1]:8080 shop/web weight=65535 until=123456789 by=1000\n"
				   "fd00::1 shop/web weight=3 by=4294967295\n";
	_cleanup_(overrides_done) struct overrides o = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };

	(void)state;
	parse(&o, text);
	assert_int_equal(o.n, 3);
	assert_int_equal(o.v[1].until, 123456789);
	assert_true(o.v[0].until == OVERRIDE_FOREVER);
	overrides_print(&o, &b);
	assert_string_equal(buf_str(&b), text);
}

static void what_is_no_override_is_refused(void **state)
{
	static const char *const rows[] = {
		"\n",
		"10.0.0.1",
		"10.0.0.1 *",
		"10.0.0.1 * weight=1",
		"10.0.0.1 web weight=1 by=0",
		"10.0.0.1 * weight=65536 by=0",
		"10.0.0.1 * weight=-1 by=0",
		"10.0.0.1 * weight=1 until=x by=0",
		"10.0.0.1 * weight=1 by=4294967296",
		"10.0.0.1 * weight=1 by=0 more",
		"10.0.0.1:0 * weight=1 by=0",
		"10.0.0.1:65536 * weight=1 by=0",
		"fd00::1:x * weight=1 by=0",
		"[10.0.0.1 * weight=1 by=0",
		"[] * weight=1 by=0",
		"web * weight=1 by=0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(overrides_done) struct overrides o = { 0 };
		struct err err;

		if (overrides_parse(&o, rows[i], &err) != -EINVAL)
			fail_msg("\"%s\" was taken", rows[i]);
		assert_string_equal(err.msg, "line 1 is no override");
	}
}

static void one_endpoint_and_service_have_one_override(void **state)
{
	_cleanup_(overrides_done) struct overrides o = { 0 };

	(void)state;
	parse(&o, "10.0.0.1:80 shop/web weight=0 by=0\n");
	parse(&o, "10.0.0.1:80 shop/web weight=7 until=5 by=1\n");
	assert_int_equal(o.n, 1);
	assert_int_equal(o.v[0].weight, 7);
	assert_int_equal(o.v[0].until, 5);
	assert_int_equal(o.v[0].by, 1);
}

static void there_is_an_end_to_their_number(void **state)
{
	_cleanup_(overrides_done) struct overrides o = { 0 };
	struct override it = { .service = "", .until = OVERRIDE_FOREVER };

	(void)state;
	assert_int_equal(ip_parse("10.0.0.1", &it.ip), 0);
	for (uint16_t port = 1; port <= OVERRIDES_MAX; port++) {
		it.port = port;
		assert_int_equal(overrides_put(&o, &it), 0);
	}
	assert_int_equal(overrides_put(&o, &it), 0);
	it.port++;
	assert_int_equal(overrides_put(&o, &it), -ENOSPC);
}

static void an_endpoint_that_is_gone_for_a_minute_is_lost(void **state)
{
	struct override it = { 0 };

	(void)state;
	assert_false(override_is_lost(&it, false, 1000));
	assert_false(override_is_lost(&it, false, 1000 + OVERRIDE_LOST_MS - 1));
	assert_false(override_is_lost(&it, true, 1000 + OVERRIDE_LOST_MS));
	assert_false(override_is_lost(&it, false, 1000 + OVERRIDE_LOST_MS + 1));
	assert_true(override_is_lost(&it, false, 1000 + 2 * OVERRIDE_LOST_MS + 1));
}

static void a_wish_without_port_or_service_means_all_of_the_address(void **state)
{
	static const struct {
		const char *wish;
		unsigned meant; /* a bit for each override below */
	} rows[] = {
		{ "10.0.0.1 * weight=0 by=0", 7 },
		{ "10.0.0.1:80 * weight=0 by=0", 6 },
		{ "10.0.0.1 shop/web weight=0 by=0", 4 },
		{ "10.0.0.1:80 shop/web weight=0 by=0", 4 },
		{ "10.0.0.1:81 * weight=0 by=0", 0 },
		{ "10.0.0.2 * weight=0 by=0", 0 },
	};
	_cleanup_(overrides_done) struct overrides o = { 0 };

	(void)state;
	parse(&o,
		"10.0.0.1 * weight=1 by=0\n"
		"10.0.0.1:80 * weight=2 by=0\n"
		"10.0.0.1:80 shop/web weight=3 by=0\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(overrides_done) struct overrides wish = { 0 };
		unsigned meant = 0;

		parse(&wish, rows[i].wish);
		for (size_t k = 0; k < o.n; k++)
			meant |= (unsigned)override_is_meant(&o.v[k], &wish.v[0]) << k;
		assert_int_equal(meant, rows[i].meant);
	}
}

static void it_concerns_the_services_that_have_the_endpoint(void **state)
{
	static const struct {
		const char *override;
		bool web, api;
	} rows[] = {
		{ "10.0.0.1 * weight=0 by=0", true, true },
		{ "10.0.0.1:8080 * weight=0 by=0", true, false },
		{ "10.0.0.1 shop/api weight=0 by=0", false, true },
		{ "10.0.0.1:8080 shop/api weight=0 by=0", false, false },
		{ "10.0.0.9 * weight=0 by=0", false, false },
		{ "10.0.0.3 * weight=0 by=0", false, false }, /* slices without a Service */
	};
	struct store store;

	(void)state;
	store_init(&store);
	fixture_load(&store,
		"service shop/web ip=10.96.0.1 port=a:80/TCP\n"
		"slice shop/web ep=10.0.0.1 ep=10.0.0.2 port=a:8080/TCP\n"
		"service shop/api ip=10.96.0.2 port=a:80/TCP\n"
		"slice shop/api ep=10.0.0.1 port=a:9090/TCP\n"
		"slice shop/none ep=10.0.0.3 port=a:9090/TCP\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(overrides_done) struct overrides o = { 0 };

		parse(&o, rows[i].override);
		assert_int_equal(
			override_concerns(&o.v[0], store_find(&store, "shop", "web")), rows[i].web);
		assert_int_equal(
			override_concerns(&o.v[0], store_find(&store, "shop", "api")), rows[i].api);
		assert_false(override_concerns(&o.v[0], store_find(&store, "shop", "none")));
	}
	store_done(&store);
}

/* Before the annotation of its slice and of its node. */
static void it_counts_before_the_inputs(void **state)
{
	const struct service_port port = { .name = "a", .proto = IPPROTO_TCP, .port = 80 };
	struct endpoint_list list = { 0 };
	struct slice_ports ports = { 0 };
	struct fixture_node node;
	struct store store;

	(void)state;
	fixture_node_init(&node);
	store_init(&store);
	node.view.store = &store;
	fixture_load(&store,
		"service shop/web ip=10.96.0.1 port=a:80/TCP\n"
		"slice shop/web ep=10.0.0.1 ep=10.0.0.2 port=a:8080/TCP weight=5\n");
	parse(&node.view.overrides, "10.0.0.2:8080 shop/web weight=0 by=0\n");
	slice_ports_list(store_find(&store, "shop", "web"), &ports);
	endpoints_select(&ports, &port, AF_INET, &node.view, &list);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.eps[0].weight, 5);
	assert_null(list.eps[0].override);
	assert_int_equal(list.eps[1].weight, 0);
	assert_non_null(list.eps[1].override);
	assert_true(list.eps[1].in_cluster);
	slice_ports_done(&ports);
	endpoints_done(&list);
	overrides_done(&node.view.overrides);
	store_done(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_narrowest_override_counts),
		cmocka_unit_test(others_keep_their_weight),
		cmocka_unit_test(the_text_comes_back_as_it_was),
		cmocka_unit_test(what_is_no_override_is_refused),
		cmocka_unit_test(one_endpoint_and_service_have_one_override),
		cmocka_unit_test(there_is_an_end_to_their_number),
		cmocka_unit_test(an_endpoint_that_is_gone_for_a_minute_is_lost),
		cmocka_unit_test(a_wish_without_port_or_service_means_all_of_the_address),
		cmocka_unit_test(it_concerns_the_services_that_have_the_endpoint),
		cmocka_unit_test(it_counts_before_the_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
