// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "http_client.h"
#include "server/http_listener.h"
#include "server/server.h"

struct fixture {
	struct event_base *base;
	struct http_listener *listener;
	char query[100];
	unsigned asked, failures;
	struct err err;
};

static void get_hello(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	struct fixture *f = arg;

	assert_string_equal(path, "/hello");
	f->asked++;
	snprintf(f->query, sizeof(f->query), "%s", query);
	ret->type = "text/plain";
	buf_adds(&ret->body, "hello");
}

static void get_teapot(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	(void)path;
	(void)query;
	(void)arg;
	ret->code = 418;
	ret->type = "text/plain";
}

static const struct http_route routes[] = {
	{ "/hello", get_hello },
	{ "/teapot", get_teapot },
};

static void on_failure(const char *name, const struct err *err, void *arg)
{
	struct fixture *f = arg;

	assert_string_equal(name, "test");
	f->failures++;
	f->err = *err;
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	f->base = event_base_new();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_listener_free(f->listener);
	event_base_free(f->base);
	free(f);
	return 0;
}

static struct http_listener_config config(struct fixture *f, const char *ip)
{
	struct http_listener_config c = {
		.name = "test",
		.routes = routes,
		.n_routes = ARRAY_SIZE(routes),
		.arg = f,
	};

	assert_int_equal(ip_parse(ip, &c.address.ip), 0);
	return c;
}

/* Returns the port, which the kernel chooses. */
static uint16_t start(struct fixture *f, const char *ip)
{
	struct http_listener_config c = config(f, ip);

	f->listener = http_listener_new(f->base, &c);
	assert_int_not_equal(http_listener_port(f->listener), 0);
	return http_listener_port(f->listener);
}

static void expect_answer(struct fixture *f, const char *ip, uint16_t port, const char *request,
	const char *status, const char *body)
{
	_cleanup_free_ char *answer = http_client_ask(f->base, ip, port, request);

	if (strncmp(answer, status, strlen(status)) != 0)
		fail_msg("%s: %s", request, answer);
	assert_string_equal(http_client_body(answer), body);
}

static void paths_are_served_and_others_are_not_found(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");

	expect_answer(f, "127.0.0.1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
	assert_string_equal(f->query, "");
	expect_answer(f, "127.0.0.1", port, "GET /hello?a=b&c", "HTTP/1.1 200 ", "hello");
	assert_string_equal(f->query, "a=b&c");
	expect_answer(f, "127.0.0.1", port, "GET /teapot", "HTTP/1.1 418 ", "");
	expect_answer(f, "127.0.0.1", port, "GET /hell", "HTTP/1.1 404 ", "404 page not found\n");
	expect_answer(f, "127.0.0.1", port, "GET /hello/", "HTTP/1.1 404 ", "404 page not found\n");
	expect_answer(f, "127.0.0.1", port, "GET /", "HTTP/1.1 404 ", "404 page not found\n");
	assert_int_equal(f->asked, 2);
}

static void any_method_gets_the_same_answer(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH" };
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	_cleanup_free_ char *head = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		char request[100];

		snprintf(request, sizeof(request),
			"%s /hello HTTP/1.1\r\nContent-Length: 0\r\nX: y", methods[i]);
		/* What the client adds behind it ends a header. */
		expect_answer(f, "127.0.0.1", port, request, "HTTP/1.1 200 ", "hello");
	}
	head = http_client_ask(f->base, "127.0.0.1", port, "HEAD /hello");
	assert_string_equal(http_client_body(head), "");
	assert_int_equal(strncmp(head, "HTTP/1.1 200 ", 13), 0);
	assert_non_null(strstr(head, "Content-Length: 5\r\n"));
}

static void the_unspecified_ipv4_address_answers_ipv6_too(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "0.0.0.0");

	expect_answer(f, "127.0.0.1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
	expect_answer(f, "::1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
}

static void the_unspecified_ipv6_address_answers_ipv4_too(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "::");

	expect_answer(f, "127.0.0.1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
	expect_answer(f, "::1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
}

static void a_single_address_answers_its_family_only(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "::1");
	_cleanup_free_ char *nothing = http_client_ask(f->base, "127.0.0.1", port, "GET /hello");

	assert_string_equal(nothing, "");
	expect_answer(f, "::1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
}

/* Takes the address of `c` away; returns who has it. */
static struct http_listener *occupy(struct fixture *f, struct http_listener_config *c)
{
	struct http_listener *first = http_listener_new(f->base, c);

	c->address.port = http_listener_port(first);
	assert_int_not_equal(c->address.port, 0);
	return first;
}

static void an_address_in_use_is_taken_when_it_is_free(void **state)
{
	struct fixture *f = *state;
	struct http_listener_config c = config(f, "127.0.0.1");
	struct http_listener *first = occupy(f, &c);

	c.name = "a test of retrying";
	c.retry = 1;
	f->listener = http_listener_new(f->base, &c);
	assert_int_equal(http_listener_port(f->listener), 0);
	for (int i = 0; i < 3; i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(http_listener_port(f->listener), 0);
	http_listener_free(first);
	for (int i = 0; i < 100 && !http_listener_port(f->listener); i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	expect_answer(f, "127.0.0.1", c.address.port, "GET /hello", "HTTP/1.1 200 ", "hello");
}

static void a_hard_failure_is_told_once_and_not_retried(void **state)
{
	struct fixture *f = *state;
	struct http_listener_config c = config(f, "127.0.0.1");
	struct http_listener *first = occupy(f, &c);

	c.retry = 1;
	c.on_failure = on_failure;
	f->listener = http_listener_new(f->base, &c);
	http_listener_free(first);
	assert_int_equal(f->failures, 1);
	assert_non_null(strstr(f->err.msg, "cannot listen on 127.0.0.1:"));
	assert_int_equal(f->err.code, -EADDRINUSE);
	/* Nothing is left to wait for. */
	assert_int_equal(event_base_loop(f->base, 0), 1);
	assert_int_equal(http_listener_port(f->listener), 0);
}

static void a_connection_is_kept_for_more_requests(void **state)
{
	struct fixture *f = *state;
	int fd = http_client_connect("127.0.0.1", start(f, "127.0.0.1"));

	for (unsigned i = 0; i < 3; i++) {
		_cleanup_(buf_done) struct buf answer = { 0 };

		http_client_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		http_client_receive(f->base, fd, "hello", &answer);
		assert_int_equal(f->asked, i + 1);
	}
	close(fd);
}

/* The server hung up. */
static bool is_closed(int fd)
{
	char c;

	return recv(fd, &c, 1, 0) == 0;
}

static void who_keeps_connections_open_shuts_nobody_out(void **state)
{
	enum { MORE = 20, FLOOD = SERVER_MAX_CONNECTIONS + MORE };
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	int fds[FLOOD], closed = 0;

	for (int i = 0; i < FLOOD; i++) {
		fds[i] = http_client_connect("127.0.0.1", port);
		assert_true(fds[i] >= 0);
		http_client_send(fds[i], "GET /hel");
		http_client_turn(f->base);
	}
	expect_answer(f, "127.0.0.1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
	for (int i = 0; i < FLOOD; i++)
		closed += is_closed(fds[i]);
	assert_int_equal(closed, MORE + 1);
	/* The oldest went. */
	for (int i = 0; i < closed; i++)
		assert_true(is_closed(fds[i]));
	for (int i = 0; i < FLOOD; i++)
		close(fds[i]);
}

static void connections_that_end_make_room(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	int first = http_client_connect("127.0.0.1", port);

	http_client_turn(f->base);
	for (int i = 0; i < 3 * SERVER_MAX_CONNECTIONS; i++)
		expect_answer(f, "127.0.0.1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
	assert_false(is_closed(first));
	close(first);
}

static void a_flood_in_one_turn_is_borne(void **state)
{
	enum { FLOOD = SERVER_MAX_CONNECTIONS + 20 };
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	int fds[FLOOD];

	for (int i = 0; i < FLOOD; i++)
		fds[i] = http_client_connect("127.0.0.1", port);
	expect_answer(f, "127.0.0.1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
	for (int i = 0; i < FLOOD; i++)
		close(fds[i]);
}

static void it_ends_with_clients_connected(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	int known = http_client_connect("127.0.0.1", port), new;

	http_client_turn(f->base);
	new = http_client_connect("127.0.0.1", port);
	http_listener_free(take(f->listener));
	http_client_turn(f->base);
	assert_true(is_closed(known));
	close(known);
	close(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(paths_are_served_and_others_are_not_found),
		TEST(any_method_gets_the_same_answer),
		TEST(the_unspecified_ipv4_address_answers_ipv6_too),
		TEST(the_unspecified_ipv6_address_answers_ipv4_too),
		TEST(a_single_address_answers_its_family_only),
		TEST(an_address_in_use_is_taken_when_it_is_free),
		TEST(a_hard_failure_is_told_once_and_not_retried),
		TEST(a_connection_is_kept_for_more_requests),
		TEST(who_keeps_connections_open_shuts_nobody_out),
		TEST(connections_that_end_make_room),
		TEST(a_flood_in_one_turn_is_borne),
		TEST(it_ends_with_clients_connected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
