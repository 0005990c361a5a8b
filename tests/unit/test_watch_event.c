// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/api/watch_event.h"
#include "api/http.h"
#include "base/mem.h"
#include "bodies.h"
#include "message.h"

static struct event must_parse(enum watch_encoding e, const char *data, size_t len)
{
	struct err err = { 0 };
	struct event ev;
	int r = event_parse(e, data, len, &ev, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(r, 0);
	return ev;
}

/* Events */

struct wanted {
	const char *name;
	enum watch_encoding encoding;
	bool list; /* everything that there is, and a bookmark; else a change after the other */
	size_t n;
	const char *last_version;
};

static void assert_events(const struct wanted *w)
{
	static const enum event_type changes[] = { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED,
		EVENT_BOOKMARK, EVENT_BOOKMARK };
	_cleanup_(buf_done) struct buf body = body_read(w->name);
	struct cut cut =
		cut_whole(w->encoding == WATCH_JSON ? STREAM_JSON_WATCH : STREAM_PROTOBUF_WATCH,
			PIECES_RANDOM, body.data, body.len);

	assert_int_equal(cut.n, w->n);
	for (size_t i = 0; i < cut.n; i++) {
		struct event ev = must_parse(w->encoding, cut.objects[i].data, cut.objects[i].len);
		bool last = i + 1 == cut.n;

		assert_int_equal(ev.type,
			!w->list       ? changes[i]
				: last ? EVENT_BOOKMARK
				       : EVENT_ADDED);
		assert_true(*ev.version);
		if (last)
			assert_string_equal(ev.version, w->last_version);
		assert_int_equal(ev.initial_end, last && w->list);
		assert_true(ev.len);
	}
	cut_done(&cut);
}

static void recorded_events_say_type_and_version(void **state)
{
	static const struct wanted bodies[] = {
		{ "services-watch.jsonl", WATCH_JSON, false, 5, "145" },
		{ "endpointslices-watch.jsonl", WATCH_JSON, false, 4, "149" },
		{ "services-watchlist.jsonl", WATCH_JSON, true, 18, "149" },
		{ "endpointslices-watchlist.jsonl", WATCH_JSON, true, 19, "152" },
		{ "protobuf/services-watch.pbstream", WATCH_PROTOBUF, false, 4, "130" },
		{ "protobuf/endpointslices-watch.pbstream", WATCH_PROTOBUF, false, 4, "134" },
		{ "protobuf/services-watchlist.pbstream", WATCH_PROTOBUF, true, 18, "135" },
		{ "protobuf/endpointslices-watchlist.pbstream", WATCH_PROTOBUF, true, 19, "137" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_events(&bodies[i]);
}

static void the_object_of_an_event_is_its_text(void **state)
{
	static const struct {
		const char *event, *object, *version;
	} cases[] = {
		{ "{\"type\":\"ADDED\",\"object\":{\"a\":1}}", "{\"a\":1}", "" },
		{ "{\"object\":{\"a\":\"}\"},\"type\":\"ADDED\"}", "{\"a\":\"}\"}", "" },
		{ " {\n\"type\" : \"ADDED\" ,\r\n\t\"object\" : { \"a\" : [ 1 ] } , \"x\" : 5 } ",
			"{ \"a\" : [ 1 ] }", "" },
		{ "{\"x\":\"\\\"object\\\":{}\",\"type\":\"ADDED\",\"object\":{\"b\":\"\\\\\"}}",
			"{\"b\":\"\\\\\"}", "" },
		{ "{\"type\":\"\\u0041DDED\",\"object\":{}}", "{}", "" },
		{ "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"x\":{\"resourceVersion\":\"1\"},"
		  "\"resourceVersion\":\"2\"}}}",
			"{\"metadata\":{\"x\":{\"resourceVersion\":\"1\"},\"resourceVersion\":\"2\"}}",
			"2" },
		{ "{\"type\":\"ADDED\",\"object\":{\"spec\":{\"metadata\":{\"resourceVersion\":"
		  "\"1\"}},\"metadata\":{\"resourceVersion\":\"\\u0033\"}}}",
			"{\"spec\":{\"metadata\":{\"resourceVersion\":\"1\"}},\"metadata\":{"
			"\"resourceVersion\":\"\\u0033\"}}",
			"3" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event ev = must_parse(WATCH_JSON, cases[i].event, strlen(cases[i].event));

		assert_int_equal(ev.type, EVENT_ADDED);
		assert_int_equal(ev.len, strlen(cases[i].object));
		assert_memory_equal(ev.data, cases[i].object, ev.len);
		assert_string_equal(ev.version, cases[i].version);
	}
}

static void only_a_bookmark_ends_the_initial_events(void **state)
{
	static const struct {
		const char *type, *value;
		bool end;
	} cases[] = {
		{ "BOOKMARK", "true", true },
		{ "BOOKMARK", "false", false },
		{ "BOOKMARK", "", false },
		{ "BOOKMARK", "true and much more than that", false },
		{ "ADDED", "true", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf json = { 0 }, event = { 0 };
		struct buf object = { 0 }, meta = { 0 }, body = { 0 }, raw = { 0 };

		buf_addf(&json,
			"{\"type\":\"%s\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\","
			"\"annotations\":{\"a\":\"b\",\"k8s.io/initial-events-end\":\"%s\"}}}}",
			cases[i].type, cases[i].value);
		put_text(&meta, 6, "9");
		put_entry(&meta, 12, "a", "b");
		put_entry(&meta, 12, "k8s.io/initial-events-end", cases[i].value);
		put_message(&object, 1, &meta);
		put_enveloped(&body, &object);
		put_message(&raw, 1, &body);
		put_text(&event, 1, cases[i].type);
		put_message(&event, 2, &raw);
		assert_int_equal(
			must_parse(WATCH_JSON, json.data, json.len).initial_end, cases[i].end);
		assert_int_equal(must_parse(WATCH_PROTOBUF, event.data, event.len).initial_end,
			cases[i].end);
	}
}

static void assert_bad_event(enum watch_encoding e, const char *data, size_t len)
{
	_cleanup_free_ char *copy = mem_zalloc(len, 1);
	struct err err = { 0 };
	struct event ev;

	memcpy(copy, data, len);
	assert_int_equal(event_parse(e, copy, len, &ev, &err), -EBADMSG);
	assert_true(*err.msg);
}

static void what_is_no_event_in_json_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"[]",
		"{}",
		"{\"type\":\"ADDED\"}",
		"{\"object\":{}}",
		"{\"type\":\"ADDED\",\"object\":[]}",
		"{\"type\":\"ADDED\",\"object\":null}",
		"{\"type\":\"ADDED\",\"object\":\"x\"}",
		"{\"type\":\"ADDED\",\"object\":}",
		"{\"type\":\"ADDED\",\"object\":{",
		"{\"type\":\"ADDED\" \"object\":{}}",
		"{\"type\" \"ADDED\",\"object\":{}}",
		"{type:\"ADDED\",\"object\":{}}",
		"{\"type\":1,\"object\":{}}",
		"{\"type\":{\"type\":\"ADDED\"},\"object\":{}}",
		"{\"type\":\"added\",\"object\":{}}",
		"{\"type\":\"ADDED\\\",\"object\":{}}",
		"{\"type\":\"AN EVENT OF A TYPE WITH A VERY LONG NAME\",\"object\":{}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":7}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7&x=1\"}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7 8\"}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1234567890123456789012345678901234567890123456789012345678901234\"}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_bad_event(WATCH_JSON, cases[i], strlen(cases[i]));
}

static void what_is_no_event_in_protobuf_is_refused(void **state)
{
	_cleanup_(buf_done) struct buf body = body_read("protobuf/services-watch.pbstream");
	struct cut cut = cut_whole(STREAM_PROTOBUF_WATCH, PIECES_WHOLE, body.data, body.len);

	(void)state;
	for (size_t i = 0; i < cut.n; i++)
		for (size_t len = 0; len < cut.objects[i].len; len++)
			assert_bad_event(WATCH_PROTOBUF, cut.objects[i].data, len);
	cut_done(&cut);
}

static void an_event_in_protobuf_has_an_object(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct buf type = { 0 }, body = { 0 }, raw = { 0 }, nothing = { 0 };
		_cleanup_(buf_done) struct buf event = { 0 };

		put_text(&event, 1, "ADDED");
		put_text(&type, 2, "Service");
		buf_add(&body, "k8s", 4);
		put_message(&body, 1, &type);
		if (i == 1)
			put_message(&body, 2, &nothing);
		if (i == 2)
			put_number(&body, 2, 5);
		put_message(&raw, 1, &body);
		put_message(&event, 2, &raw);
		assert_bad_event(WATCH_PROTOBUF, event.data, event.len);
	}
}

/* Every bit of an event is turned over once: it stays an event or becomes an error in words. */
static void a_corrupted_event_is_an_event_or_an_error(void **state)
{
	static const char *const names[] = { "protobuf/services-watch.pbstream",
		"services-watch.jsonl" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(buf_done) struct buf body = body_read(names[i]);
		struct cut cut = cut_whole(i ? STREAM_JSON_WATCH : STREAM_PROTOBUF_WATCH,
			PIECES_WHOLE, body.data, body.len);
		struct buf *first = &cut.objects[0];

		for (size_t bit = 0; bit < first->len * 8; bit++) {
			struct err err = { 0 };
			struct event ev;
			int r;

			first->data[bit / 8] ^= (char)(1 << bit % 8);
			r = event_parse(i ? WATCH_JSON : WATCH_PROTOBUF, first->data, first->len,
				&ev, &err);
			assert_true(r ? r == -EBADMSG && *err.msg : ev.data != NULL);
			first->data[bit / 8] ^= (char)(1 << bit % 8);
		}
		cut_done(&cut);
	}
}

/* Status */

static struct status must_judge(enum watch_encoding e, const char *data, size_t len)
{
	struct err err = { 0 };
	struct status s;
	int r = status_parse(e, data, len, &s, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(r, 0);
	return s;
}

static void recorded_refusals_are_understood(void **state)
{
	static const struct {
		const char *name;
		enum watch_encoding encoding;
		struct status wanted;
	} cases[] = {
		{ "expired-continue.json", WATCH_JSON,
			{ .code = 410,
				.expired = true,
				.message =
					"The provided continue parameter is too old to display "
					"a consistent list result. You can start a new list "
					"without the continue parameter, or use the continue to" } },
		{ "too-large-resource-version.json", WATCH_JSON,
			{ .code = 504,
				.too_large = true,
				.retry_after_s = 1,
				.message = "Timeout: Too large resource version: 99999999, "
					   "current: 178" } },
		{ "unauthorized.json", WATCH_JSON, { .code = 401, .message = "Unauthorized" } },
		{ "not-found.json", WATCH_JSON,
			{ .code = 404,
				.message = "the server could not find the requested resource" } },
		{ "protobuf/not-found.pb", WATCH_PROTOBUF,
			{ .code = 404,
				.message = "the server could not find the requested resource" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf body = body_read(cases[i].name);
		struct status s = must_judge(cases[i].encoding, body.data, body.len);

		assert_int_equal(s.code, cases[i].wanted.code);
		assert_int_equal(s.expired, cases[i].wanted.expired);
		assert_int_equal(s.too_large, cases[i].wanted.too_large);
		assert_int_equal(s.retry_after_s, cases[i].wanted.retry_after_s);
		assert_string_equal(s.message, cases[i].wanted.message);
	}
}

static void a_recorded_error_event_says_that_the_version_is_gone(void **state)
{
	_cleanup_(buf_done) struct buf body = body_read("services-watch-gone.jsonl");
	struct event ev = must_parse(WATCH_JSON, body.data, body.len);
	struct status s;

	(void)state;
	assert_int_equal(ev.type, EVENT_ERROR);
	s = must_judge(WATCH_JSON, ev.data, ev.len);
	assert_true(s.expired);
	assert_int_equal(s.code, 410);
	assert_string_equal(s.message, "too old resource version: 1 (172)");
}

static struct buf make_status(
	const char *message, const char *reason, int code, int64_t retry_after, const char *cause)
{
	struct buf status = { 0 }, details = { 0 }, c = { 0 };

	put_text(&status, 1, "");
	put_text(&status, 2, "Failure");
	put_text(&status, 3, message);
	put_text(&status, 4, reason);
	put_text(&c, 1, cause);
	put_text(&c, 2, "why");
	put_text(&details, 1, "name");
	put_message(&details, 4, &c);
	put_number(&details, 5, retry_after);
	put_message(&status, 5, &details);
	put_number(&status, 6, code);
	return status;
}

static void refusals_are_the_same_in_both_encodings(void **state)
{
	static const struct {
		const char *reason, *cause;
		int64_t retry_after;
		int code, judged;
		unsigned wait;
		bool expired, too_large;
	} cases[] = {
		{ "Expired", "", 0, 410, 410, 0, true, false },
		{ "Gone", "", 0, 0, 0, 0, true, false },
		{ "", "", 0, 410, 410, 0, true, false },
		{ "Timeout", "ResourceVersionTooLarge", 1, 504, 504, 1, false, true },
		{ "TooManyRequests", "", 17, 429, 429, 17, false, false },
		{ "TooManyRequests", "", 99999999, 429, 429, HTTP_MAX_RETRY_AFTER_S, false, false },
		{ "TooManyRequests", "", -5, 429, 429, 0, false, false },
		{ "InternalError", "", 0, 70000, 999, 0, false, false },
		{ "A reason that is longer than any that Kubernetes gives", "", 0, -1, 0, 0, false,
			false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct buf status = make_status("m", cases[i / 2].reason, cases[i / 2].code,
			cases[i / 2].retry_after, cases[i / 2].cause);
		_cleanup_(buf_done) struct buf body = { 0 };
		bool json = i % 2;
		struct status s;

		if (json)
			buf_addf(&body,
				"{\"reason\":\"%s\",\"code\":%d,\"message\":\"m\",\"details\":{"
				"\"retryAfterSeconds\":%lld,\"causes\":[{\"reason\":\"%s\"}]}}",
				cases[i / 2].reason, cases[i / 2].code,
				(long long)cases[i / 2].retry_after, cases[i / 2].cause);
		else if (i % 4)
			put_enveloped(&body, &status);
		else
			buf_add(&body, status.data, status.len);
		buf_done(&status);
		s = must_judge(json ? WATCH_JSON : WATCH_PROTOBUF, body.data, body.len);
		assert_int_equal(s.expired, cases[i / 2].expired);
		assert_int_equal(s.too_large, cases[i / 2].too_large);
		assert_int_equal(s.retry_after_s, cases[i / 2].wait);
		assert_int_equal(s.code, cases[i / 2].judged);
		assert_string_equal(s.message, "m");
	}
}

static void messages_for_people_are_one_line_of_utf_8(void **state)
{
	static const struct {
		const char *is, *shown;
	} cases[] = {
		{ "two\nlines\t\x1b[31m", "two?lines??[31m" },
		{ "gr\xc3\xb6\xc3\x9f"
		  "er",
			"gr\xc3\xb6\xc3\x9f"
			"er" },
		{ "broken \xc3", "broken ?" },
		{ "", "" },
	};
	_cleanup_(buf_done) struct buf umlauts = { 0 }, status = { 0 };
	struct status s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf body = make_status(cases[i].is, "", 0, 0, "");

		s = must_judge(WATCH_PROTOBUF, body.data, body.len);
		assert_string_equal(s.message, cases[i].shown);
	}
	buf_adds(&umlauts, "x");
	for (size_t i = 0; i < 200; i++)
		buf_adds(&umlauts, "\xc3\xb6");
	status = make_status(umlauts.data, "", 0, 0, "");
	s = must_judge(WATCH_PROTOBUF, status.data, status.len);
	assert_int_equal(strlen(s.message), sizeof(s.message) - 1);
	assert_memory_equal(s.message, umlauts.data, strlen(s.message));
}

static void what_is_no_status_is_refused(void **state)
{
	static const char *const json[] = { "", "Unauthorized\n", "{", "{\"code\":}" };
	_cleanup_(buf_done) struct buf body = body_read("protobuf/not-found.pb");
	struct status s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(json); i++)
		assert_int_equal(
			status_parse(WATCH_JSON, json[i], strlen(json[i]), &s, NULL), -EBADMSG);
	assert_int_equal(status_parse(WATCH_JSON, "[]", 2, &s, NULL), 0);
	assert_int_equal(s.code, 0);
	for (size_t len = 5; len < body.len; len++)
		if (len < 112 && len != 18)
			assert_int_equal(
				status_parse(WATCH_PROTOBUF, body.data, len, &s, NULL), -EBADMSG);
}

/* The end of a list */

static void recorded_lists_say_version_and_continuation(void **state)
{
	static const struct {
		const char *name;
		enum stream_format format;
		const char *version, *more;
	} cases[] = {
		{ "services-list.json", STREAM_JSON_LIST, "141", "" },
		{ "services-list-page1.json", STREAM_JSON_LIST, "141",
			"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTQxLCJzdGFydCI6Ii9kZWZhdWx0L2V4dFx1MD"
			"AwMCJ9" },
		{ "protobuf/services-list.pb", STREAM_PROTOBUF_LIST, "126", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf body = body_read(cases[i].name);
		struct cut cut = cut_whole(cases[i].format, PIECES_RANDOM, body.data, body.len);
		char version[RESOURCE_VERSION_SIZE];
		struct err err = { 0 };
		char *more;

		assert_int_equal(
			list_end_parse(
				cases[i].format == STREAM_JSON_LIST ? WATCH_JSON : WATCH_PROTOBUF,
				cut.end.data, cut.end.len, version, &more, &err),
			0);
		assert_string_equal(version, cases[i].version);
		assert_string_equal(more, cases[i].more);
		free(more);
		cut_done(&cut);
	}
}

static void pages_go_on_in_both_encodings(void **state)
{
	static const char json[] = "{\"items\":null,\"metadata\":{\"resourceVersion\":\"7\","
				   "\"continue\":\"t\",\"remainingItemCount\":5}}";
	_cleanup_(buf_done) struct buf meta = { 0 };
	char version[RESOURCE_VERSION_SIZE];
	char *more;

	(void)state;
	put_text(&meta, 1, "");
	put_text(&meta, 2, "7");
	put_text(&meta, 3, "t");
	put_number(&meta, 4, 5);
	assert_int_equal(
		list_end_parse(WATCH_PROTOBUF, meta.data, meta.len, version, &more, NULL), 0);
	assert_string_equal(version, "7");
	assert_string_equal(more, "t");
	free(more);
	assert_int_equal(list_end_parse(WATCH_JSON, json, strlen(json), version, &more, NULL), 0);
	assert_string_equal(version, "7");
	assert_string_equal(more, "t");
	free(more);
}

static void what_has_no_version_is_no_list(void **state)
{
	static const char *const json[] = {
		"{}",
		"{\"items\":[]}",
		"{\"items\":[],\"metadata\":{}}",
		"{\"items\":[],\"metadata\":{\"resourceVersion\":\"\"}}",
		"{\"items\":[],\"metadata\":{\"resourceVersion\":5}}",
		"{\"items\":[],\"metadata\":{\"resourceVersion\":\"5&watch=1\"}}",
		"{\"metadata\":{\"resourceVersion\":\"5\"}}",
		"{\"items\":{},\"metadata\":{\"resourceVersion\":\"5\"}}",
		"{\"items\":[],\"metadata\":{\"resourceVersion\":\"5\"}",
	};
	_cleanup_(buf_done) struct buf meta = { 0 };
	char version[RESOURCE_VERSION_SIZE];
	char *more;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(json); i++)
		assert_int_equal(
			list_end_parse(WATCH_JSON, json[i], strlen(json[i]), version, &more, NULL),
			-EBADMSG);
	assert_int_equal(list_end_parse(WATCH_PROTOBUF, "", 0, version, &more, NULL), -EBADMSG);
	put_text(&meta, 2, "");
	assert_int_equal(list_end_parse(WATCH_PROTOBUF, meta.data, meta.len, version, &more, NULL),
		-EBADMSG);
	buf_reset(&meta);
	put_text(&meta, 2, "77");
	assert_int_equal(
		list_end_parse(WATCH_PROTOBUF, meta.data, meta.len - 1, version, &more, NULL),
		-EBADMSG);
	buf_reset(&meta);
	put_bytes(&meta, 2, "7\0", 2);
	assert_int_equal(list_end_parse(WATCH_PROTOBUF, meta.data, meta.len, version, &more, NULL),
		-EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_events_say_type_and_version),
		cmocka_unit_test(the_object_of_an_event_is_its_text),
		cmocka_unit_test(only_a_bookmark_ends_the_initial_events),
		cmocka_unit_test(what_is_no_event_in_json_is_refused),
		cmocka_unit_test(what_is_no_event_in_protobuf_is_refused),
		cmocka_unit_test(an_event_in_protobuf_has_an_object),
		cmocka_unit_test(a_corrupted_event_is_an_event_or_an_error),
		cmocka_unit_test(recorded_refusals_are_understood),
		cmocka_unit_test(a_recorded_error_event_says_that_the_version_is_gone),
		cmocka_unit_test(refusals_are_the_same_in_both_encodings),
		cmocka_unit_test(messages_for_people_are_one_line_of_utf_8),
		cmocka_unit_test(what_is_no_status_is_refused),
		cmocka_unit_test(recorded_lists_say_version_and_continuation),
		cmocka_unit_test(pages_go_on_in_both_encodings),
		cmocka_unit_test(what_has_no_version_is_no_list),
	};

	return cmocka_run_group_tests_name("watch_event", tests, NULL, NULL);
}
