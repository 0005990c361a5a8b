// SPDX-License-Identifier: GPL-2.0-or-later
/* Events on their way to the fake API server, which takes them, refuses them, or is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/events.h"
#include "base/mem.h"
#include "fake/call.h"

struct bench {
	struct fake_api api;
	struct caller caller;
	struct events *events;
	unsigned troubles, recovered;
};

static void on_trouble(const char *message, void *arg)
{
	struct bench *b = arg;

	if (message)
		b->troubles++;
	else
		b->recovered++;
}

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);

	fake_api_start(&b->api, false);
	caller_init(&b->caller, &b->api);
	b->events = events_new(&(struct events_config){
		.client = b->caller.client,
		.node_name = "node-a",
		.trouble = on_trouble,
		.arg = b,
	});
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	events_free(b->events);
	caller_done(&b->caller);
	fake_api_stop(&b->api);
	free(b);
	return 0;
}

static void tell(struct bench *b, const char *service)
{
	events_tell(b->events,
		&(struct kube_event){
			.warning = true,
			.reason = "FailedToStartServiceHealthcheck",
			.action = "Listen",
			.ns = service ? "shop" : NULL,
			.name = service,
			.note = "words",
		});
}

static size_t count(struct bench *b, const char *what)
{
	json_t *answer = fake_api_get(&b->api, what);
	size_t n = json_array_size(json_object_get(answer, what));

	json_decref(answer);
	return n;
}

static void elapse(struct bench *b, uint64_t ms)
{
	fake_api_elapse(&b->api, b->caller.base, http_client_timers(b->caller.client), ms);
}

static json_t *taken(struct bench *b, size_t i)
{
	json_t *answer = fake_api_get(&b->api, "events");
	json_t *event = json_incref(json_array_get(json_object_get(answer, "events"), i));

	json_decref(answer);
	return event;
}

static void an_event_arrives(void **state)
{
	struct bench *b = *state;
	const char *method, *path, *type, *reason;
	json_t *event;

	tell(b, "web");
	elapse(b, 0);
	event = taken(b, 0);
	assert_int_equal(json_unpack(event, "{s:s, s:s, s:s, s:{s:s}}", "method", &method, "path",
				 &path, "contentType", &type, "object", "reason", &reason),
		0);
	assert_string_equal(method, "POST");
	assert_string_equal(path, "/apis/events.k8s.io/v1/namespaces/shop/events");
	assert_string_equal(type, "application/json");
	assert_string_equal(reason, "FailedToStartServiceHealthcheck");
	json_decref(event);
	assert_int_equal(b->troubles, 0);
}

static void what_happens_again_is_a_patch(void **state)
{
	struct bench *b = *state;
	const char *method, *type;
	json_t *event;
	int n;

	tell(b, NULL);
	elapse(b, EVENTS_PACE_MS);
	for (int i = 0; i < 10; i++)
		tell(b, NULL);
	elapse(b, EVENTS_PACE_MS);
	event = taken(b, 1);
	assert_int_equal(json_unpack(event, "{s:s, s:s, s:{s:{s:i}}}", "method", &method,
				 "contentType", &type, "object", "series", "count", &n),
		0);
	assert_string_equal(method, "PATCH");
	assert_string_equal(type, "application/strategic-merge-patch+json");
	assert_int_equal(n, 11);
	json_decref(event);
}

static void a_server_that_refuses_is_asked_once_for_each(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api, "{\"set\": {\"events\": 403}}");
	tell(b, "web");
	tell(b, "cart");
	elapse(b, EVENTS_PACE_MS);
	assert_int_equal(count(b, "requests"), 2);
	for (int i = 0; i < 20; i++) {
		tell(b, "web");
		elapse(b, EVENTS_PACE_MS);
	}
	assert_int_equal(count(b, "requests"), 2);
	assert_int_equal(b->troubles, 1);
	fake_api_order(&b->api, "{\"set\": {\"events\": 201}}");
	tell(b, "dns");
	elapse(b, EVENTS_PACE_MS);
	assert_int_equal(count(b, "events"), 1);
	assert_int_equal(b->recovered, 1);
}

static void a_server_that_is_down_gets_them_later(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api, "{\"down\": true}");
	tell(b, "web");
	tell(b, "cart");
	elapse(b, 10 * EVENTS_RETRY_MS);
	assert_int_equal(b->troubles, 1);
	fake_api_order(&b->api, "{\"down\": false}");
	elapse(b, 2 * EVENTS_RETRY_MS);
	assert_int_equal(count(b, "events"), 2);
	assert_int_equal(b->recovered, 1);
}

static void an_error_of_the_server_is_not_the_end(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api, "{\"fault\": {\"verb\": \"post\", \"status\": 500, \"times\": 2}}");
	tell(b, "web");
	elapse(b, EVENTS_RETRY_MS - 1);
	assert_int_equal(count(b, "requests"), 1);
	elapse(b, 2 * EVENTS_RETRY_MS);
	assert_int_equal(count(b, "requests"), 3);
	assert_int_equal(count(b, "events"), 1);
	assert_int_equal(b->troubles, 1);
}

static void nobody_waits_for_a_silent_server(void **state)
{
	struct bench *b = *state;

	fake_api_order(&b->api, "{\"fault\": {\"verb\": \"post\", \"silent\": true}}");
	tell(b, "web");
	elapse(b, EVENTS_TIMEOUT_MS - 1);
	tell(b, "cart");
	assert_int_equal(count(b, "requests"), 1);
	/* tear_down() drops the request that is under way, and the rest. */
	assert_int_equal(count(b, "events"), 0);
}

/* The clock goes on with each turn of the loop, because the server is never idle. */
static void an_answer_without_an_end_ends(void **state)
{
	struct bench *b = *state;
	struct timers *timers = http_client_timers(b->caller.client);

	fake_api_order(
		&b->api, "{\"fault\": {\"verb\": \"post\", \"body\": \"{\", \"repeat\": \"x\"}}");
	tell(b, "web");
	for (unsigned ms = 0; !b->troubles; ms += 100) {
		assert_in_range(ms, 0, 10 * EVENTS_TIMEOUT_MS);
		event_base_loop(b->caller.base, EVLOOP_ONCE);
		timers_advance(timers, 100);
	}
	elapse(b, 2 * EVENTS_RETRY_MS);
	assert_int_equal(count(b, "events"), 1);
}

static void without_a_server_nobody_is_told(void **state)
{
	(void)state;
	events_tell(NULL, &(struct kube_event){ .reason = "Starting" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(an_event_arrives),
		TEST(what_happens_again_is_a_patch),
		TEST(a_server_that_refuses_is_asked_once_for_each),
		TEST(a_server_that_is_down_gets_them_later),
		TEST(an_error_of_the_server_is_not_the_end),
		TEST(nobody_waits_for_a_silent_server),
		TEST(an_answer_without_an_end_ends),
		cmocka_unit_test(without_a_server_nobody_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
