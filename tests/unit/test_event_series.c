// SPDX-License-Identifier: GPL-2.0-or-later
/* Which Events the API server is told of, how they look, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/api/event_series.h"
#include "base/mem.h"

/* 2026-01-02T03:04:05.000678Z */
static const int64_t wall = 1767323045000678;

static const struct kube_event taken_port = {
	.warning = true,
	.reason = "FailedToStartServiceHealthcheck",
	.action = "Listen",
	.ns = "shop",
	.name = "web",
	.uid = "3f1c",
	.note = "port 30080 is taken",
};
static const struct kube_event starting = {
	.reason = "Starting", .action = "StartKubeProxy", .note = ""
};

struct bench {
	struct event_book *book;
	struct event_request request;
};

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);

	b->book = event_book_new("node-a");
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	event_book_free(b->book);
	event_request_done(&b->request);
	free(b);
	return 0;
}

static void happens(struct bench *b, const struct kube_event *event, uint64_t now)
{
	assert_true(event_book_add(b->book, event, now, wall + (int64_t)now * 1000));
}

/* The body of what is asked then; the caller owns it. */
static json_t *ask(struct bench *b, uint64_t now)
{
	event_request_done(&b->request);
	assert_true(event_book_next(b->book, now, &b->request));
	return json_loads(b->request.body, 0, NULL);
}

static void expect(struct bench *b, uint64_t now, enum http_method method, const char *path)
{
	json_decref(ask(b, now));
	assert_int_equal(b->request.method, method);
	assert_string_equal(b->request.path, path);
}

static void expect_nothing(struct bench *b, uint64_t now)
{
	struct event_request none;

	event_book_due(b->book, now);
	assert_false(event_book_next(b->book, now, &none));
}

/* Sends the next request, which the server takes. */
static void told(struct bench *b, const struct kube_event *event, uint64_t now)
{
	happens(b, event, now);
	json_decref(ask(b, now));
	event_book_settle(b->book, EVENT_TAKEN, now);
}

static void an_event_looks_as_the_api_wants_it(void **state)
{
	struct bench *b = *state;
	json_t *got,
		*want = json_loads(
			"{\"apiVersion\": \"events.k8s.io/v1\", \"kind\": \"Event\","
			" \"metadata\": {\"name\": \"web.1886caf21ca08a70\", \"namespace\": \"shop\"},"
			" \"eventTime\": \"2026-01-02T03:04:05.000678Z\", \"type\": \"Warning\","
			" \"reportingController\": \"ipvsctl-svcd\","
			" \"reportingInstance\": \"ipvsctl-svcd-node-a\","
			" \"reason\": \"FailedToStartServiceHealthcheck\", \"action\": \"Listen\","
			" \"note\": \"port 30080 is taken\", \"regarding\": {\"apiVersion\": \"v1\","
			" \"kind\": \"Service\", \"namespace\": \"shop\", \"name\": \"web\","
			" \"uid\": \"3f1c\"}}",
			0, NULL);

	happens(b, &taken_port, 0);
	got = ask(b, 0);
	assert_int_equal(b->request.method, HTTP_METHOD_POST);
	assert_string_equal(b->request.path, "/apis/events.k8s.io/v1/namespaces/shop/events");
	if (!json_equal(got, want))
		fail_msg("%s", b->request.body);
	json_decref(got);
	json_decref(want);
}

static void the_node_is_regarded_from_the_default_namespace(void **state)
{
	struct bench *b = *state;
	const char *kind, *name, *uid, *type, *ns;
	json_t *got;

	happens(b, &starting, 0);
	got = ask(b, 0);
	assert_string_equal(b->request.path, "/apis/events.k8s.io/v1/namespaces/default/events");
	assert_int_equal(
		json_unpack(got, "{s:{s:s, s:s, s:s}, s:s, s:{s:s}}", "regarding", "kind", &kind,
			"name", &name, "uid", &uid, "type", &type, "metadata", "namespace", &ns),
		0);
	assert_string_equal(kind, "Node");
	assert_string_equal(name, "node-a");
	assert_string_equal(uid, "node-a");
	assert_string_equal(type, "Normal");
	assert_string_equal(ns, "default");
	json_decref(got);
}

static void names_and_notes_are_cut_to_what_the_api_allows(void **state)
{
	struct kube_event event = taken_port;
	struct bench *b = *state;
	char name[254] = "", note[1200];
	const char *is_name, *is_note;
	json_t *got;

	memset(name, 'a', sizeof(name) - 1);
	memset(name + 200, '.', 50);
	memset(note, 'x', sizeof(note) - 1);
	memcpy(note + 1023, "\xc3\xa9", 2); /* a character astride the limit */
	note[sizeof(note) - 1] = '\0';
	event.name = name;
	event.note = note;
	happens(b, &event, 0);
	got = ask(b, 0);
	assert_int_equal(
		json_unpack(got, "{s:{s:s}, s:s}", "metadata", "name", &is_name, "note", &is_note),
		0);
	assert_int_equal(strspn(is_name, "a"), 200);
	assert_string_equal(is_name + 200, ".1886caf21ca08a70");
	assert_int_equal(strlen(is_note), 1023);
	json_decref(got);
}

static void what_is_no_utf8_is_left_out(void **state)
{
	struct kube_event event = taken_port;
	struct bench *b = *state;
	const char *note;
	json_t *got;

	event.note = "\xff";
	happens(b, &event, 0);
	got = ask(b, 0);
	assert_int_equal(json_unpack(got, "{s:s}", "note", &note), 0);
	assert_string_equal(note, "");
	json_decref(got);
}

static void what_happens_again_is_counted(void **state)
{
	struct bench *b = *state;
	const char *last;
	json_t *got;
	int count;

	told(b, &taken_port, 0);
	expect_nothing(b, 0);
	happens(b, &taken_port, 1000);
	got = ask(b, 1000);
	assert_int_equal(b->request.method, HTTP_METHOD_PATCH);
	assert_string_equal(b->request.path,
		"/apis/events.k8s.io/v1/namespaces/shop/events/web.1886caf21ca08a70");
	assert_int_equal(json_object_size(got), 1);
	assert_int_equal(json_unpack(got, "{s:{s:i, s:s}}", "series", "count", &count,
				 "lastObservedTime", &last),
		0);
	assert_int_equal(count, 2);
	assert_string_equal(last, "2026-01-02T03:04:06.000678Z");
	json_decref(got);
}

/* 1,000 in a quarter of an hour are three requests. */
static void a_storm_is_told_of_rarely(void **state)
{
	struct bench *b = *state;
	unsigned requests = 0;
	uint64_t now = 0;

	for (unsigned i = 0; i < 1000; i++, now += 900) {
		happens(b, &taken_port, now);
		event_book_due(b->book, now);
		if (event_book_next(b->book, now, &b->request)) {
			requests++;
			event_request_done(&b->request);
			event_book_settle(b->book, EVENT_TAKEN, now);
		}
	}
	assert_int_equal(requests, 2);
	now += EVENTS_KEPT_MS;
	expect(b, now, HTTP_METHOD_PATCH,
		"/apis/events.k8s.io/v1/namespaces/shop/events/web.1886caf21ca08a70");
	assert_non_null(strstr(b->request.body, "\"count\":1000"));
	event_book_settle(b->book, EVENT_TAKEN, now);
	assert_int_equal(event_book_due(b->book, now), UINT64_MAX);
}

static void what_goes_on_is_refreshed(void **state)
{
	struct bench *b = *state;
	uint64_t now = 0;

	told(b, &taken_port, now);
	told(b, &taken_port, now);
	for (; now < EVENTS_REFRESH_MS; now += 60000) {
		happens(b, &taken_port, now);
		expect_nothing(b, now);
	}
	expect(b, now, HTTP_METHOD_PATCH,
		"/apis/events.k8s.io/v1/namespaces/shop/events/web.1886caf21ca08a70");
}

static void other_objects_and_reasons_are_other_events(void **state)
{
	struct kube_event event = taken_port;
	struct bench *b = *state;

	told(b, &event, 0);
	event.name = "cart";
	told(b, &event, 0);
	event.reason = "SchedulerMissing";
	told(b, &event, 0);
	event.ns = "test";
	told(b, &event, 0);
	expect_nothing(b, 0);
	event.note = "another note is the same event";
	happens(b, &event, 0);
	json_decref(ask(b, 0));
	assert_int_equal(b->request.method, HTTP_METHOD_PATCH);
}

static void what_happened_again_before_it_was_told_is_one_request(void **state)
{
	struct bench *b = *state;

	happens(b, &taken_port, 0);
	happens(b, &taken_port, 1000);
	json_decref(ask(b, 1000));
	assert_non_null(strstr(b->request.body, "\"count\":2"));
	event_book_settle(b->book, EVENT_TAKEN, 1000);
	expect_nothing(b, 1000);
}

static void what_happens_while_it_is_told_is_told_next(void **state)
{
	struct bench *b = *state;

	happens(b, &taken_port, 0);
	json_decref(ask(b, 0));
	happens(b, &taken_port, 10);
	event_book_settle(b->book, EVENT_TAKEN, 20);
	json_decref(ask(b, 20));
	assert_int_equal(b->request.method, HTTP_METHOD_PATCH);
}

static void a_failure_is_tried_again_after_the_others(void **state)
{
	struct bench *b = *state;

	happens(b, &taken_port, 0);
	happens(b, &starting, 0);
	expect(b, 0, HTTP_METHOD_POST, "/apis/events.k8s.io/v1/namespaces/shop/events");
	event_book_settle(b->book, EVENT_FAILED, 0);
	expect(b, 0, HTTP_METHOD_POST, "/apis/events.k8s.io/v1/namespaces/default/events");
	event_book_settle(b->book, EVENT_TAKEN, 0);
	expect(b, 0, HTTP_METHOD_POST, "/apis/events.k8s.io/v1/namespaces/shop/events");
}

static void what_was_refused_is_not_asked_again_for_a_while(void **state)
{
	struct bench *b = *state;
	uint64_t now = 0;

	happens(b, &taken_port, 0);
	json_decref(ask(b, 0));
	event_book_settle(b->book, EVENT_REFUSED, 0);
	for (; now < EVENTS_KEPT_MS; now += 60000) {
		happens(b, &taken_port, now);
		expect_nothing(b, now);
	}
	event_book_due(b->book, now);
	happens(b, &taken_port, now);
	expect(b, now, HTTP_METHOD_POST, "/apis/events.k8s.io/v1/namespaces/shop/events");
}

/* The server keeps Events for an hour only. */
static void a_series_that_the_server_forgot_begins_anew(void **state)
{
	struct bench *b = *state;

	told(b, &taken_port, 0);
	happens(b, &taken_port, 1000);
	json_decref(ask(b, 1000));
	event_book_settle(b->book, EVENT_GONE, 1000);
	expect(b, 1000, HTTP_METHOD_POST, "/apis/events.k8s.io/v1/namespaces/shop/events");
}

static void what_cannot_be_told_is_forgotten(void **state)
{
	struct bench *b = *state;
	uint64_t now = 0;

	happens(b, &taken_port, 0);
	for (; now < EVENTS_KEPT_MS; now += EVENTS_RETRY_MS) {
		json_decref(ask(b, now));
		event_book_settle(b->book, EVENT_FAILED, now);
	}
	assert_int_equal(event_book_due(b->book, now), UINT64_MAX);
	expect_nothing(b, now);

	/* The end of a series as well. */
	told(b, &taken_port, now);
	happens(b, &taken_port, now);
	now += EVENTS_KEPT_MS;
	json_decref(ask(b, now));
	event_book_settle(b->book, EVENT_FAILED, now);
	assert_int_equal(event_book_due(b->book, now), UINT64_MAX);
}

static void there_is_a_limit(void **state)
{
	struct kube_event event = taken_port;
	struct bench *b = *state;
	char name[16];

	event.name = name;
	for (unsigned i = 0; i < EVENTS_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		happens(b, &event, 0);
	}
	assert_false(event_book_add(b->book, &starting, 0, wall));
	happens(b, &event, 0); /* what is there already is counted nevertheless */
	event_book_due(b->book, EVENTS_KEPT_MS);
	happens(b, &starting, EVENTS_KEPT_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(an_event_looks_as_the_api_wants_it),
		TEST(the_node_is_regarded_from_the_default_namespace),
		TEST(names_and_notes_are_cut_to_what_the_api_allows),
		TEST(what_is_no_utf8_is_left_out),
		TEST(what_happens_again_is_counted),
		TEST(a_storm_is_told_of_rarely),
		TEST(what_goes_on_is_refreshed),
		TEST(other_objects_and_reasons_are_other_events),
		TEST(what_happened_again_before_it_was_told_is_one_request),
		TEST(what_happens_while_it_is_told_is_told_next),
		TEST(a_failure_is_tried_again_after_the_others),
		TEST(what_was_refused_is_not_asked_again_for_a_while),
		TEST(a_series_that_the_server_forgot_begins_anew),
		TEST(what_cannot_be_told_is_forgotten),
		TEST(there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
