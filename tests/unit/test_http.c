// SPDX-License-Identifier: GPL-2.0-or-later
/* The HTTP client against the fake API server, which is started once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "gzip.h"
#include "http_fixture.h"

static int start(void **state)
{
	(void)state;
	fake_api_start(&api, false);
	return 0;
}

/* Each test has a client of its own and finds the server as it was at the beginning. */
static int make_caller(void **state)
{
	struct caller *c = new0(struct caller);

	caller_init(c, &api);
	*state = c;
	return 0;
}

static const char *text(const struct call *c)
{
	return buf_str(&c->body);
}

static void turn(struct caller *c)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(c->base, EVLOOP_NONBLOCK);
}

/* Answers */

static void an_answer_comes_as_head_body_and_end(void **state)
{
	struct call c = { 0 };

	call_get(&c, *state, "/version");
	assert_int_equal(c.heads, 1);
	assert_true(c.bodies >= 1);
	assert_int_equal(c.ends, 1);
	assert_int_equal(c.head.status, 200);
	assert_int_equal(c.head.version, 11);
	assert_string_equal(c.head.content_type, "application/json");
	assert_contains(text(&c), "\"gitVersion\"");
	assert_int_equal(c.result.end, HTTP_END_ANSWERED);
	assert_int_equal(c.result.status, 200);
	assert_int_equal(c.result.received, c.body.len);
	assert_string_equal(c.result.message, "");
	call_done(&c);
}

static void an_error_status_is_an_answer_with_a_body(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"status\": 429, \"retryAfter\": 7}}");
	call_get(&c, *state, "/api/v1/services");
	assert_int_equal(c.result.end, HTTP_END_ANSWERED);
	assert_int_equal(c.result.status, 429);
	assert_int_equal(c.head.retry_after_s, 7);
	assert_contains(text(&c), "TooManyRequests");
	call_done(&c);
}

static void a_server_cannot_ask_for_more_than_an_hour(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"status\": 503, \"retryAfter\": 10000000}}");
	call_get(&c, *state, "/api/v1/services");
	assert_int_equal(c.head.retry_after_s, HTTP_MAX_RETRY_AFTER_S);
	call_done(&c);
}

static void the_servers_warning_is_told(void **state)
{
	struct call c = { 0 };

	call_get(&c, *state, "/api/v1/endpoints");
	assert_contains(c.warning, "v1 Endpoints is deprecated");
	call_done(&c);
}

static void one_byte_at_a_time_is_the_same_body(void **state)
{
	struct call whole = { 0 }, bytes = { 0 };

	call_get(&whole, *state, "/version");
	fake_api_order(&api, "{\"fault\": {\"trickle\": true}}");
	call_get(&bytes, *state, "/version");
	assert_int_equal(bytes.result.end, HTTP_END_ANSWERED);
	assert_string_equal(text(&bytes), text(&whole));
	call_done(&whole);
	call_done(&bytes);
}

static void a_large_answer_is_compressed_on_the_wire(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"generate\": {\"services\": 300, \"endpoints\": 1}}");
	call_get(&c, *state, "/api/v1/services");
	assert_header("accept-encoding", "gzip");
	assert_true(c.body.len > 200000);
	assert_true(c.result.received < c.body.len / 2);
	assert_true(c.bodies > 1);
	call_done(&c);
}

/* Codings of bodies */

/* Answers with these bytes, as a body of that coding. */
static void order_coded(const char *encoding, const struct buf *bytes, const char *more)
{
	_cleanup_(buf_done) struct buf order = { 0 };

	buf_adds(&order, "{\"fault\": {\"body\": \"");
	for (size_t i = 0; i < bytes->len; i++)
		buf_addf(&order, "\\u%04x", (unsigned char)bytes->data[i]);
	buf_addf(&order, "\", \"encoding\": \"%s\"%s}}", encoding, more);
	fake_api_order(&api, buf_str(&order));
}

static void note_turn(struct call *c)
{
	*(size_t *)c->arg += 1;
}

/* All of it is there before the first portion is handed over. */
static void a_small_answer_that_becomes_large_ends_behind_its_body(void **state)
{
	enum { SIZE = 5 << 20 };
	static char zeros[SIZE];
	struct caller *caller = *state;
	static const char *const more[] = { "", ", \"trickle\": true" };

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		_cleanup_(buf_done) struct buf gzip = { 0 };
		struct call c = { 0 };
		size_t before = 0, calls = 0;

		gzip_add(&gzip, zeros, SIZE);
		order_coded("gzip", &gzip, more[i]);
		c.in_body = note_turn;
		c.arg = &calls;
		call_begin_get(&c, caller, "/version");
		while (!c.ends) {
			event_base_loop(caller->base, EVLOOP_ONCE);
			assert_in_range(c.body.len - before, 0, HTTP_TURN_BYTES);
			before = c.body.len;
		}
		assert_int_equal(c.result.end, HTTP_END_ANSWERED);
		assert_int_equal(c.body.len, SIZE);
		assert_memory_equal(c.body.data, zeros, SIZE);
		assert_int_equal(c.result.received, gzip.len);
		assert_true(calls >= SIZE / HTTP_TURN_BYTES);
		call_done(&c);
	}
}

static void a_request_ends_while_its_body_is_expanded(void **state)
{
	static char zeros[1 << 20];
	struct caller *caller = *state;
	_cleanup_(buf_done) struct buf gzip = { 0 };
	struct call c = { 0 };

	gzip_add(&gzip, zeros, sizeof(zeros));
	order_coded("gzip", &gzip, "");
	call_begin_get(&c, caller, "/version");
	call_await_body(&c, 1);
	http_request_cancel(c.request);
	turn(caller);
	assert_true(c.body.len < sizeof(zeros));
	assert_int_equal(c.ends, 0);
	call_done(&c);
}

static void a_body_comes_in_a_coding_that_is_known(void **state)
{
	static const struct {
		const char *encoding, *bytes; /* NULL: "hello", compressed */
		size_t cut;
		const char *body, *message; /* NULL: answered */
	} rows[] = {
		{ "gzip", NULL, 0, "hello", NULL },
		{ "X-GZIP", NULL, 0, "hello", NULL },
		{ "identity", "hello", 0, "hello", NULL },
		{ "gzip", "", 0, "", NULL },
		{ "br", "hello", 0, "",
			": the answer is encoded as \"br\"; only gzip is supported" },
		{ "gzip, gzip", "hello", 0, "",
			": the answer is encoded as \"gzip, gzip\"; only gzip is supported" },
		{ "gzip", "hello", 0, "",
			": the compressed answer is broken: incorrect header check" },
		{ "gzip", NULL, 1, "hello", ": the compressed answer ends early" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf bytes = { 0 };
		struct call c = { 0 };

		if (rows[i].bytes)
			buf_adds(&bytes, rows[i].bytes);
		else
			gzip_add(&bytes, "hello", 5);
		bytes.len -= rows[i].cut;
		order_coded(rows[i].encoding, &bytes, "");
		call_get(&c, *state, "/version");
		assert_int_equal(c.result.status, 200);
		assert_string_equal(text(&c), rows[i].body);
		assert_int_equal(
			c.result.end, rows[i].message ? HTTP_END_FAILED : HTTP_END_ANSWERED);
		assert_contains(c.message, rows[i].message ? rows[i].message : "");
		call_done(&c);
	}
}

/* What does not end */

struct endless {
	struct call call;
	size_t received; /* since the last turn of the loop */
};

static void forget_body(struct call *c)
{
	struct endless *e = container_of(c, struct endless, call);

	e->received += c->body.len;
	buf_reset(&c->body);
}

/* Two of them, and neither starves the other or an answer that ends. */
static void an_endless_answer_leaves_the_loop_its_turns(void **state)
{
	static const char *const faults[] = { "\"gzip\": false", "\"gzip\": true" };
	struct caller *caller = *state;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct endless endless[2] = { 0 };
		struct call other = { 0 };
		size_t all[2] = { 0 };

		fake_api_order(&api,
			"{\"fault\": {\"resource\": \"nodes\", \"body\": \"\", \"repeat\": \"  \", "
			"\"times\": 2, %s}}",
			faults[i]);
		for (size_t k = 0; k < 2; k++) {
			endless[k].call.in_body = forget_body;
			call_begin_get(&endless[k].call, caller, "/api/v1/nodes");
			call_await_head(&endless[k].call);
		}
		while (all[0] < 50 * HTTP_TURN_BYTES || all[1] < 50 * HTTP_TURN_BYTES) {
			for (size_t k = 0; k < 2; k++)
				endless[k].received = 0;
			event_base_loop(caller->base, EVLOOP_ONCE);
			for (size_t k = 0; k < 2; k++) {
				assert_in_range(endless[k].received, 0, HTTP_TURN_BYTES);
				all[k] += endless[k].received;
			}
		}
		call_get(&other, caller, "/api/v1/services");
		assert_int_equal(other.result.end, HTTP_END_ANSWERED);
		assert_true(other.body.len > HTTP_TURN_BYTES);
		for (size_t k = 0; k < 2; k++) {
			assert_int_equal(endless[k].call.ends, 0);
			http_request_cancel(endless[k].call.request);
		}
		turn(caller);
		for (size_t k = 0; k < 2; k++)
			call_done(&endless[k].call);
		call_done(&other);
	}
}

static void a_head_without_an_end_ends_the_request(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"headers\": 100000}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.heads, 0);
	assert_int_equal(c.result.end, HTTP_END_FAILED);
	assert_contains(c.message, "the head of the answer is larger than 256 KiB");
	call_done(&c);
}

static void the_request_says_who_it_is_from(void **state)
{
	const char *const headers[] = { "Accept: application/json", NULL };
	struct call c = { 0 };
	json_t *request;
	const char *agent;

	call_begin(&c, *state,
		&(struct http_request_config){ .path = "/version", .headers = headers });
	call_finish(&c);
	assert_header("accept", "application/json");
	assert_header("authorization", NULL);
	request = fake_api_last_request(&api);
	agent = json_string_value(
		json_object_get(json_object_get(request, "headers"), "user-agent"));
	assert_memory_equal(agent, "ipvsctl-svcd/", strlen("ipvsctl-svcd/"));
	assert_contains(agent, " (linux/");
	json_decref(request);
	call_done(&c);
}

static void a_body_is_posted_with_its_type(void **state)
{
	const char *const headers[] = { "Content-Type: application/json", NULL };
	const char body[] = "{\"reason\": \"Test\"}";
	struct call c = { 0 };
	json_t *answer, *event;

	call_begin(&c, *state,
		&(struct http_request_config){
			.method = HTTP_METHOD_POST,
			.path = "/api/v1/namespaces/default/events",
			.headers = headers,
			.body = body,
			.body_len = strlen(body),
		});
	call_finish(&c);
	assert_int_equal(c.result.status, 201);
	answer = fake_api_get(&api, "events");
	event = json_array_get(json_object_get(answer, "events"), 0);
	assert_string_equal(json_string_value(json_object_get(event, "method")), "POST");
	assert_string_equal(
		json_string_value(json_object_get(event, "contentType")), "application/json");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(event, "object"), "reason")),
		"Test");
	json_decref(answer);
	call_done(&c);
}

static void a_patch_is_a_patch(void **state)
{
	const char *const headers[] = { "Content-Type: application/merge-patch+json", NULL };
	struct call c = { 0 };

	call_begin(&c, *state,
		&(struct http_request_config){
			.method = HTTP_METHOD_PATCH,
			.path = "/api/v1/namespaces/default/events/x",
			.headers = headers,
			.body = "{}",
			.body_len = 2,
		});
	call_finish(&c);
	assert_int_equal(c.result.status, 201);
	assert_header("content-type", "application/merge-patch+json");
	call_done(&c);
}

/* Observers */

static void note_answered(const char *method, unsigned status, void *arg)
{
	buf_addf(arg, "%s %u, ", method, status);
}

static void note_ended(const char *method, const struct http_traffic *t, void *arg)
{
	assert_true(t->ms < 1000000);
	buf_addf(arg, "%s ended, ", method);
	assert_int_equal(t->received > 0, t->status > 0);
	if (t->sent)
		buf_addf(arg, "%u %u, ", (unsigned)t->sent, (unsigned)t->received);
}

static void observe(struct caller *caller, struct buf *told, const struct http_request_config *r)
{
	struct call c = { 0 };

	buf_reset(told);
	http_client_observe(caller->client,
		&(struct http_observer){
			.answered = note_answered, .ended = note_ended, .arg = told });
	call_begin(&c, caller, r);
	call_finish(&c);
	call_done(&c);
}

static void requests_are_observed(void **state)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	const struct http_request_config get = { .path = "/version" },
					 post = { .method = HTTP_METHOD_POST,
						 .path = "/api/v1/namespaces/default/events",
						 .headers = headers,
						 .body = "{}",
						 .body_len = 2 },
					 watch = { .path = "/api/v1/services?watch=true",
						 .endless = true };
	_cleanup_(buf_done) struct buf told = { 0 };

	fake_api_order(&api, "{\"fault\": {\"drop\": true}}");
	observe(*state, &told, &get);
	assert_string_equal(buf_str(&told), "GET 0, GET ended, ");
	observe(*state, &told, &get);
	assert_string_equal(buf_str(&told), "GET 200, GET ended, ");
	fake_api_order(&api, "{\"fault\": {\"status\": 429}}");
	observe(*state, &told, &get);
	assert_string_equal(buf_str(&told), "GET 429, GET ended, ");
	observe(*state, &told, &post);
	assert_string_equal(buf_str(&told), "POST 201, POST ended, 2 3, ");
	fake_api_order(&api, "{\"fault\": {\"verb\": \"watch\", \"end\": true, \"after\": 2}}");
	observe(*state, &told, &watch);
	assert_string_equal(buf_str(&told), "GET 200, ");
}

static void note_peer(const struct ip *ip, uint16_t port, bool open, void *arg)
{
	char s[IP_PORT_STRLEN];

	buf_addf(arg, "%s %s, ", open ? "open" : "closed", ip_print_port(ip, port, s));
}

static void connections_are_told_with_their_peers(void **state)
{
	struct caller *caller = *state;
	_cleanup_(buf_done) struct buf told = { 0 }, want = { 0 };
	struct call c = { 0 };
	const char *host = http_client_host(caller->client);

	http_client_follow_peers(caller->client, note_peer, &told);
	buf_addf(&want, "open %s, ", host);
	for (int i = 0; i < 3; i++) {
		call_get(&c, caller, "/version");
		call_done(&c);
	}
	assert_string_equal(buf_str(&told), buf_str(&want));
	/* libcurl tries a request again that a connection lost which was used before. */
	fake_api_order(&api, "{\"fault\": {\"drop\": true}}");
	call_get(&c, caller, "/version");
	call_done(&c);
	buf_addf(&want, "closed %s, open %s, ", host, host);
	assert_string_equal(buf_str(&told), buf_str(&want));

	/* One that never comes about, after the old one. */
	fake_api_order(&api, "{\"down\": true, \"close\": true}");
	call_get(&c, caller, "/version");
	call_done(&c);
	fake_api_order(&api, "{\"down\": false}");
	buf_addf(&want, "closed %s, open %s, closed %s, ", host, host, host);
	assert_string_equal(buf_str(&told), buf_str(&want));

	/* An idle one ends with the client. */
	call_get(&c, caller, "/version");
	call_done(&c);
	buf_addf(&want, "open %s, closed %s, ", host, host);
	caller_done(caller);
	*caller = (struct caller){ 0 };
	assert_string_equal(buf_str(&told), buf_str(&want));
}

static void the_host_is_that_of_the_url(void **state)
{
	const struct caller *c = *state;
	char url[64];

	fake_api_url(&api, url);
	assert_string_equal(http_client_host(c->client), url + strlen("http://"));
}

/* Failures */

static void a_server_that_is_down_is_unreached(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"down\": true}");
	call_get(&c, *state, "/api/v1/services?limit=500");
	fake_api_order(&api, "{\"down\": false}");
	assert_int_equal(c.heads, 0);
	assert_int_equal(c.result.end, HTTP_END_UNREACHED);
	assert_int_equal(c.result.status, 0);
	assert_memory_equal(c.message, "GET http://127.0.0.1:", strlen("GET http://127.0.0.1:"));
	assert_contains(c.message, "/api/v1/services: ");
	assert_null(strstr(c.message, "limit"));
	assert_contains(c.message, ": cannot connect: Connection refused");
	call_done(&c);
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void a_connection_that_ends_before_the_answer_is_lost(void **state)
{
	static const char *const faults[] = { "{\"fault\": {\"drop\": true}}",
		"{\"fault\": {\"drop\": true, \"reset\": true}}" };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct call c = { 0 };

		fake_api_order(&api, "%s", faults[i]);
		call_get(&c, *state, "/version");
		assert_int_equal(c.heads, 0);
		assert_int_equal(c.ends, 1);
		assert_int_equal(c.result.end, HTTP_END_LOST);
		call_done(&c);
	}
}

static void a_body_that_is_cut_is_lost_after_what_came(void **state)
{
	static const char *const faults[] = { "{\"fault\": {\"cut\": 20}}",
		"{\"fault\": {\"cut\": 20, \"reset\": true}}" };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct call c = { 0 };

		fake_api_order(&api, "%s", faults[i]);
		call_get(&c, *state, "/version");
		assert_int_equal(c.heads, 1);
		assert_int_equal(c.result.end, HTTP_END_LOST);
		assert_int_equal(c.result.status, 200);
		assert_true(c.body.len <= 20);
		call_done(&c);
	}
}

static void a_watch_that_is_cut_is_lost(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"verb\": \"watch\", \"after\": 1, \"cut\": 30}}");
	call_get(&c, *state, "/api/v1/services?watch=true");
	assert_int_equal(c.result.end, HTTP_END_LOST);
	assert_contains(text(&c), "}\n{\"type\":\"ADDED\"");
	call_done(&c);
}

static void a_watch_that_its_server_ends_is_answered(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"verb\": \"watch\", \"end\": true, \"after\": 2}}");
	call_get(&c, *state, "/api/v1/services?watch=true");
	assert_int_equal(c.result.end, HTTP_END_ANSWERED);
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void silence_ends_with_a_timeout(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"silent\": true}}");
	call_begin_get(&c, *state, "/version");
	elapse(*state, HTTP_IDLE_TIMEOUT_MS - 1);
	assert_int_equal(c.ends, 0);
	elapse(*state, 1);
	assert_int_equal(c.ends, 1);
	assert_int_equal(c.heads, 0);
	assert_int_equal(c.result.end, HTTP_END_TIMEOUT);
	assert_int_equal(c.result.took_ms, HTTP_IDLE_TIMEOUT_MS);
	assert_contains(c.message, "no data came for 60 s");
	call_done(&c);
}

static void silence_in_a_watch_ends_with_a_timeout(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"verb\": \"watch\", \"stall\": true, \"after\": 1}}");
	call_begin(&c, *state,
		&(struct http_request_config){
			.path = "/api/v1/services?watch=true", .idle_ms = 2500 });
	elapse(*state, 2499);
	assert_int_equal(c.ends, 0);
	assert_contains(text(&c), "ADDED");
	elapse(*state, 1);
	assert_int_equal(c.result.status, 200);
	assert_int_equal(c.result.end, HTTP_END_TIMEOUT);
	assert_contains(c.message, "no data came for 2.5 s");
	call_done(&c);
}

static void bytes_put_the_timeout_off(void **state)
{
	struct call c = { 0 };

	call_begin(&c, *state,
		&(struct http_request_config){
			.path = "/api/v1/services?watch=true&allowWatchBookmarks=true",
			.idle_ms = 40000 });
	elapse(*state, 30000);
	fake_api_order(&api, "{\"bookmark\": true}");
	elapse(*state, 39999);
	assert_int_equal(c.ends, 0);
	elapse(*state, 1);
	assert_int_equal(c.result.end, HTTP_END_TIMEOUT);
	call_done(&c);
}

static void a_request_after_a_timeout_finds_another_connection(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"fault\": {\"silent\": true}}");
	call_begin_get(&c, *state, "/version");
	elapse(*state, HTTP_IDLE_TIMEOUT_MS);
	assert_int_equal(c.ends, 1);
	call_done(&c);
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

/* Connections */

static void assert_connections(const struct caller *c, json_int_t wanted)
{
	fake_api_settle(&api, c->base);
	assert_int_equal(fake_api_count(&api, "connections"), wanted);
}

static void a_connection_is_used_again(void **state)
{
	struct call c = { 0 };

	assert_connections(*state, 0);
	for (int i = 0; i < 5; i++) {
		call_get(&c, *state, "/version");
		call_done(&c);
	}
	assert_connections(*state, 1);
}

enum { MANY = 40 };

static void many_requests_run_side_by_side(void **state)
{
	struct call *calls = mem_zalloc(MANY, sizeof(*calls));
	size_t len;

	for (int i = 0; i < MANY; i++)
		call_begin_get(&calls[i], *state, "/api/v1/services");
	call_finish(&calls[0]);
	len = calls[0].body.len;
	for (int i = 0; i < MANY; i++) {
		call_finish(&calls[i]);
		assert_int_equal(calls[i].result.status, 200);
		assert_int_equal(calls[i].body.len, len);
		call_done(&calls[i]);
	}
	free(calls);
}

static void the_servers_path_comes_before_the_requests(void **state)
{
	struct caller *caller = *state;
	struct call c = { 0 };
	char url[64], prefixed[80];
	json_t *request;

	caller_done(caller);
	snprintf(prefixed, sizeof(prefixed), "%s/clusters/a/", fake_api_url(&api, url));
	caller_init_with(caller, &(struct auth_config){ .master = prefixed });
	call_get(&c, caller, "/version");
	assert_int_equal(c.result.status, 404);
	request = fake_api_last_request(&api);
	assert_string_equal(
		json_string_value(json_object_get(request, "path")), "/clusters/a/version");
	json_decref(request);
	call_done(&c);
}

/* Cancelling */

static void cancel(struct call *c)
{
	http_request_cancel(c->request);
}

static void a_cancelled_request_calls_nothing_back(void **state)
{
	struct caller *caller = *state;
	struct call c = { 0 }, other = { 0 };

	call_begin_get(&c, caller, "/version");
	http_request_cancel(c.request);
	http_request_cancel(c.request);
	call_get(&other, caller, "/version");
	assert_int_equal(c.heads + c.bodies + c.ends, 0);
	call_done(&other);
	call_done(&c);
}

static void a_request_can_be_cancelled_in_its_head(void **state)
{
	struct caller *caller = *state;
	struct call c = { .in_head = cancel };

	call_begin_get(&c, caller, "/api/v1/services");
	call_await_head(&c);
	turn(caller);
	assert_int_equal(c.heads, 1);
	assert_int_equal(c.bodies + c.ends, 0);
	call_done(&c);
}

static void a_request_can_be_cancelled_in_its_body(void **state)
{
	struct call c = { .in_body = cancel };

	fake_api_order(&api, "{\"fault\": {\"trickle\": true}}");
	call_begin_get(&c, *state, "/version");
	call_await_body(&c, 1);
	turn(*state);
	assert_int_equal(c.bodies, 1);
	assert_int_equal(c.ends, 0);
	call_done(&c);
}

static void a_request_can_be_cancelled_in_its_end(void **state)
{
	struct call c = { .in_end = cancel };

	call_get(&c, *state, "/version");
	turn(*state);
	assert_int_equal(c.ends, 1);
	call_done(&c);
}

static void cancel_other(struct call *c)
{
	http_request_cancel(((struct call *)c->arg)->request);
}

static void a_request_can_cancel_another(void **state)
{
	struct call victim = { 0 }, c = { .in_body = cancel_other, .arg = &victim };

	call_begin_get(&victim, *state, "/api/v1/services?watch=true");
	call_await_body(&victim, 1);
	call_get(&c, *state, "/version");
	turn(*state);
	assert_int_equal(victim.ends, 0);
	call_done(&victim);
	call_done(&c);
}

static void begin_next(struct call *c)
{
	call_begin_get(c->arg, c->caller, "/version");
}

static void a_request_can_begin_another(void **state)
{
	struct call third = { 0 }, second = { .in_end = begin_next, .arg = &third };
	struct call first = { .in_head = begin_next, .arg = &second };

	call_get(&first, *state, "/version");
	call_finish(&second);
	call_finish(&third);
	assert_int_equal(third.result.status, 200);
	call_done(&first);
	call_done(&second);
	call_done(&third);
}

static void a_cancelled_watch_leaves_its_server(void **state)
{
	struct caller *caller = *state;
	struct call c = { 0 };

	assert_connections(caller, 0);
	call_begin_get(&c, caller, "/api/v1/nodes?watch=true&resourceVersion=0");
	call_await_head(&c);
	http_request_cancel(c.request);
	turn(caller);
	assert_connections(caller, 0);
	call_done(&c);
}

static void a_client_can_go_with_requests_on_their_way(void **state)
{
	struct caller *caller = *state;
	struct call running = { 0 }, fresh = { 0 };

	call_begin_get(&running, caller, "/api/v1/services?watch=true");
	call_await_body(&running, 1);
	call_begin_get(&fresh, caller, "/version");
	caller_done(caller);
	*caller = (struct caller){ 0 };
	assert_int_equal(running.ends + fresh.ends, 0);
	call_done(&running);
	call_done(&fresh);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_caller, drop_caller)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_as_head_body_and_end),
		TEST(an_error_status_is_an_answer_with_a_body),
		TEST(a_server_cannot_ask_for_more_than_an_hour),
		TEST(the_servers_warning_is_told),
		TEST(one_byte_at_a_time_is_the_same_body),
		TEST(a_large_answer_is_compressed_on_the_wire),
		TEST(a_small_answer_that_becomes_large_ends_behind_its_body),
		TEST(a_request_ends_while_its_body_is_expanded),
		TEST(a_body_comes_in_a_coding_that_is_known),
		TEST(an_endless_answer_leaves_the_loop_its_turns),
		TEST(a_head_without_an_end_ends_the_request),
		TEST(the_request_says_who_it_is_from),
		TEST(a_body_is_posted_with_its_type),
		TEST(a_patch_is_a_patch),
		TEST(requests_are_observed),
		TEST(connections_are_told_with_their_peers),
		TEST(the_host_is_that_of_the_url),
		TEST(a_server_that_is_down_is_unreached),
		TEST(a_connection_that_ends_before_the_answer_is_lost),
		TEST(a_body_that_is_cut_is_lost_after_what_came),
		TEST(a_watch_that_is_cut_is_lost),
		TEST(a_watch_that_its_server_ends_is_answered),
		TEST(silence_ends_with_a_timeout),
		TEST(silence_in_a_watch_ends_with_a_timeout),
		TEST(bytes_put_the_timeout_off),
		TEST(a_request_after_a_timeout_finds_another_connection),
		TEST(a_connection_is_used_again),
		TEST(many_requests_run_side_by_side),
		TEST(the_servers_path_comes_before_the_requests),
		TEST(a_cancelled_request_calls_nothing_back),
		TEST(a_request_can_be_cancelled_in_its_head),
		TEST(a_request_can_be_cancelled_in_its_body),
		TEST(a_request_can_be_cancelled_in_its_end),
		TEST(a_request_can_cancel_another),
		TEST(a_request_can_begin_another),
		TEST(a_cancelled_watch_leaves_its_server),
		TEST(a_client_can_go_with_requests_on_their_way),
	};

	return cmocka_run_group_tests(tests, start, stop_server);
}
