// SPDX-License-Identifier: GPL-2.0-or-later
/* Watches of servers that are away, old, or forget versions fast; test_kube.c has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/watch.h"
#include "base/buf.h"
#include "base/mem.h"
#include "fake/call.h"

struct bench {
	struct fake_api api;
	struct caller caller;
	struct watch *watch;
	struct reach *reach;
	unsigned completed, troubles, at_once, relists;
	unsigned retry_ms; /* of the last trouble */
	struct buf told;   /* messages of troubles and relists, a line each */
};

static int setup(void **state)
{
	struct bench *b = new0(struct bench);

	fake_api_start(&b->api, false);
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Service\", \"metadata\": {\"name\": \"web\"}, "
		"\"spec\": {\"clusterIP\": \"10.96.0.9\"}}}");
	caller_init(&b->caller, &b->api);
	b->reach = reach_new(http_client_timers(b->caller.client));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	watch_free(b->watch);
	reach_free(b->reach);
	caller_done(&b->caller);
	fake_api_stop(&b->api);
	buf_done(&b->told);
	free(b);
	return 0;
}

static void on_begin(void *arg)
{
	(void)arg;
}

static int on_object(const struct watch_object *o, void *arg, struct err *err)
{
	(void)o;
	(void)arg;
	(void)err;
	return 0;
}

static void on_complete(void *arg)
{
	((struct bench *)arg)->completed++;
}

static void on_trouble(const char *message, unsigned status, unsigned retry_ms, void *arg)
{
	struct bench *b = arg;

	(void)status;
	if (!message)
		return;
	b->troubles++;
	b->at_once += !retry_ms;
	b->retry_ms = retry_ms;
	buf_addf(&b->told, "%s\n", message);
}

static void on_relist(const char *why, void *arg)
{
	struct bench *b = arg;

	b->relists++;
	buf_addf(&b->told, "again: %s\n", why);
}

static void start(struct bench *b)
{
	b->watch = watch_new(&(struct watch_config){
		.client = b->caller.client,
		.path = "/api/v1/services",
		.label_selector = "",
		.field_selector = "",
		.reach = b->reach,
		.begin = on_begin,
		.object = on_object,
		.complete = on_complete,
		.trouble = on_trouble,
		.relist = on_relist,
		.arg = b,
	});
}

static void await(struct bench *b, bool (*what)(void *arg), const char *name)
{
	if (!fake_api_await(&b->api, b->caller.base, http_client_timers(b->caller.client), what, b))
		fail_msg("waited for: %s\n%s", name, buf_str(&b->told));
}
#define AWAIT(b, what) await(b, what, #what)

static void elapse(struct bench *b, uint64_t ms)
{
	fake_api_elapse(&b->api, b->caller.base, http_client_timers(b->caller.client), ms);
}

static bool is_followed(void *arg)
{
	const struct bench *b = arg;
	struct watch_state s = watch_state(b->watch);

	return s.synced && s.healthy;
}

static bool is_in_trouble(void *arg)
{
	const struct bench *b = arg;

	return b->troubles >= 3;
}

static bool is_complete(void *arg)
{
	const struct bench *b = arg;

	return b->completed;
}

/* As where packets get lost: no answer comes, not even a refusal. */
static void a_server_that_says_nothing_any_more_is_told(void **state)
{
	struct bench *b = *state;

	start(b);
	AWAIT(b, is_followed);
	fake_api_order(
		&b->api, "{\"fault\": {\"verb\": \"watch\", \"silent\": true, \"times\": 0}}");
	AWAIT(b, is_in_trouble);
	assert_false(watch_state(b->watch).healthy);
	assert_non_null(strstr(buf_str(&b->told), "no data came for"));
	fake_api_order(&b->api, "{\"clearFaults\": true}");
	AWAIT(b, is_followed);
	assert_int_equal(b->completed, 1);
}

static void back_offs_double_up_to_their_last(void **state)
{
	static const unsigned first[] = { WATCH_BACKOFF_FIRST_MS, 1600, 3200, 6400, 12800, 25600,
		WATCH_BACKOFF_LAST_MS, WATCH_BACKOFF_LAST_MS };
	struct bench *b = *state;

	fake_api_order(&b->api, "{\"fault\": {\"status\": 500, \"times\": 0}}");
	start(b);
	elapse(b, 0);
	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		assert_int_equal(b->troubles, i + 1);
		assert_in_range(b->retry_ms, first[i], 2 * first[i] - 1);
		elapse(b, b->retry_ms - 1);
		assert_int_equal(b->troubles, i + 1);
		elapse(b, 1);
	}
	/* After a watch that was open for a while they begin anew. */
	fake_api_order(&b->api, "{\"clearFaults\": true}");
	AWAIT(b, is_followed);
	elapse(b, WATCH_STEADY_MS);
	fake_api_order(
		&b->api, "{\"fault\": {\"verb\": \"watch\", \"status\": 500}, \"close\": true}");
	b->troubles = 0;
	elapse(b, WATCH_SPREAD_MS);
	assert_int_equal(b->troubles, 1);
	assert_in_range(b->retry_ms, WATCH_BACKOFF_FIRST_MS, 2 * WATCH_BACKOFF_FIRST_MS - 1);
}

static void a_server_that_asks_for_an_hour_is_asked_sooner(void **state)
{
	struct bench *b = *state;

	fake_api_order(
		&b->api, "{\"fault\": {\"status\": 429, \"retryAfter\": 3600, \"times\": 0}}");
	start(b);
	elapse(b, 0);
	assert_int_equal(b->troubles, 1);
	assert_in_range(
		b->retry_ms, WATCH_BACKOFF_LAST_MS, WATCH_BACKOFF_LAST_MS + WATCH_SPREAD_MS - 1);
}

static void a_server_that_is_away_is_asked_at_least_every_ten_seconds(void **state)
{
	struct bench *b = *state;

	start(b);
	AWAIT(b, is_followed);
	fake_api_order(&b->api, "{\"down\": true}");
	elapse(b, WATCH_SPREAD_MS);
	assert_int_equal(b->troubles, 1);
	assert_in_range(b->retry_ms, REACH_FIRST_MS, 2 * REACH_FIRST_MS - 1);
	for (unsigned ms = 0; ms < 600000; ms += b->retry_ms) {
		b->troubles = 0;
		elapse(b, b->retry_ms);
		assert_int_equal(b->troubles, 1);
		assert_in_range(b->retry_ms, REACH_FIRST_MS, 10000);
	}
	/* A message that changes would be logged each time. */
	assert_null(strstr(buf_str(&b->told), " ms"));
	fake_api_order(&b->api, "{\"down\": false}");
	elapse(b, 10000 + WATCH_SHORT_MS);
	assert_true(is_followed(b));
}

/* What stands before an API server answers for it. */
static void a_gateway_without_a_server_is_no_answer(void **state)
{
	struct bench *b = *state;

	fake_api_order(
		&b->api, "{\"fault\": {\"status\": 503, \"body\": \"<html>\", \"times\": 0}}");
	start(b);
	elapse(b, 0);
	for (unsigned i = 1; i < 20; i++) {
		assert_int_equal(b->troubles, i);
		assert_in_range(b->retry_ms, REACH_FIRST_MS, 2 * REACH_FIRST_MS - 1);
		elapse(b, b->retry_ms);
	}
	assert_non_null(strstr(buf_str(&b->told), "HTTP status 503"));
}

/* As after the restart of an API server: it begins with an empty history. */
static void an_outdated_version_is_no_trouble(void **state)
{
	struct bench *b = *state;
	uint64_t before;

	start(b);
	AWAIT(b, is_followed);
	elapse(b, WATCH_STEADY_MS);
	fake_api_order(
		&b->api, "{\"fault\": {\"verb\": \"watch\", \"error\": 410}, \"close\": true}");
	before = timers_now(http_client_timers(b->caller.client));
	b->completed = 0;
	AWAIT(b, is_complete);
	assert_true(is_followed(b));
	assert_in_range(
		timers_now(http_client_timers(b->caller.client)) - before, 0, 2 * WATCH_SPREAD_MS);
	assert_int_equal(b->troubles, 0);
	assert_int_equal(b->relists, 1);
	assert_non_null(strstr(buf_str(&b->told), "too old resource version"));
}

/* WATCH 410, STREAM 422, LIST, WATCH 410, ... */
static void rounds_on_a_server_that_forgets_at_once_are_parted(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api,
		"{\"set\": {\"watchList\": false}, "
		"\"fault\": {\"verb\": \"watch\", \"error\": 410, \"times\": 0}}");
	start(b);
	AWAIT(b, is_in_trouble);
	assert_true(b->completed >= 3);
	assert_int_equal(b->at_once, 0);
}

static void a_view_without_an_end_is_listed(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api, "{\"set\": {\"watchList\": \"ignored\"}}");
	start(b);
	AWAIT(b, is_complete);
	AWAIT(b, is_followed);
	assert_string_equal(strstr(buf_str(&b->told), ": no data"), ": no data came for 10 s\n");
	assert_int_equal(b->completed, 1);
}

/* A server with constant traffic never falls silent. */
static void a_bookmark_before_the_end_of_a_view_tells_an_old_server(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api, "{\"set\": {\"watchList\": \"ignored\", \"bookmarkInterval\": 5}}");
	start(b);
	AWAIT(b, is_complete);
	assert_string_equal(buf_str(&b->told), "the server does not stream lists\n");
}

/* Answers without an end */

/* Turns the loop, not the clock: the server is never idle. */
static void await_trouble(struct bench *b, uint64_t step_ms)
{
	struct timers *timers = http_client_timers(b->caller.client);

	while (!b->troubles) {
		event_base_loop(b->caller.base, EVLOOP_ONCE);
		timers_advance(timers, step_ms);
	}
}

static void every_answer_has_an_end(void **state)
{
	static const struct {
		const char *fault, *message;
		uint64_t step_ms;
	} rows[] = {
		{ "\"body\": \"{\\\"items\\\":[\", \"repeat\": \"{},\"",
			"there are more than 1000000 objects", 0 },
		{ "\"body\": \"{\\\"items\\\":[\", \"repeat\": \" \", \"gzip\": true",
			"more than 16 MiB belong to no object", 0 },
		{ "\"body\": \"{\\\"items\\\":[\", \"repeat\": \"{                                                                }, \"",
			"the answer did not end within 600 s", 5000 },
		{ "\"body\": \"{\\\"kind\\\":\\\"\", \"repeat\": \"x\"",
			"more than 16 MiB belong to no object", 0 },
		{ "\"body\": \"{\\\"items\\\":[{\\\"\", \"repeat\": \"x\"",
			"an object is larger than 16 MiB", 0 },
		{ "\"status\": 500, \"body\": \"{\", \"repeat\": \"x\"", "HTTP status 500", 0 },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_api_order(&b->api,
			"{\"set\": {\"watchList\": false}, \"clearFaults\": true, "
			"\"fault\": {\"verb\": \"list\", %s}}",
			rows[i].fault);
		b->troubles = 0;
		buf_reset(&b->told);
		start(b);
		await_trouble(b, rows[i].step_ms);
		if (!strstr(buf_str(&b->told), rows[i].message))
			fail_msg("%s: %s", rows[i].fault, buf_str(&b->told));
		AWAIT(b, is_followed);
		watch_free(take(b->watch));
	}
}

static void empty_pages_without_an_end_are_told(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api,
		"{\"set\": {\"watchList\": false}, \"fault\": {\"times\": 0, \"verb\": \"continue\", \"body\": "
		"\"{\\\"metadata\\\":{\\\"resourceVersion\\\":\\\"5\\\",\\\"continue\\\":\\\"x\\\"},\\\"items\\\":[]}\"}}");
	fake_api_order(&b->api,
		"{\"fault\": {\"verb\": \"list\", \"body\": "
		"\"{\\\"metadata\\\":{\\\"resourceVersion\\\":\\\"5\\\",\\\"continue\\\":\\\"x\\\"},\\\"items\\\":[]}\"}}");
	start(b);
	elapse(b, 0);
	assert_string_equal(buf_str(&b->told), "100 pages in a row are empty\n");
	fake_api_order(&b->api, "{\"clearFaults\": true}");
	AWAIT(b, is_followed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_server_that_says_nothing_any_more_is_told),
		TEST(back_offs_double_up_to_their_last),
		TEST(a_server_that_asks_for_an_hour_is_asked_sooner),
		TEST(a_server_that_is_away_is_asked_at_least_every_ten_seconds),
		TEST(a_gateway_without_a_server_is_no_answer),
		TEST(an_outdated_version_is_no_trouble),
		TEST(rounds_on_a_server_that_forgets_at_once_are_parted),
		TEST(a_view_without_an_end_is_listed),
		TEST(a_bookmark_before_the_end_of_a_view_tells_an_old_server),
		TEST(every_answer_has_an_end),
		TEST(empty_pages_without_an_end_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
