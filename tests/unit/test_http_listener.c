// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

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
	struct http_pool *pool; /* whose clock stands still */
};

static uint64_t now;

static uint64_t test_clock(void)
{
	return now;
}

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

enum { BIG = 8 << 20, MEDIUM = 16 << 10 };

static void get_much(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	struct fixture *f = arg;
	size_t len = strcmp(path, "/big") ? MEDIUM : BIG;

	(void)query;
	f->asked++;
	ret->type = "text/plain";
	memset(buf_reserve(&ret->body, len), 'x', len);
	ret->body.len = len;
	buf_adds(&ret->body, "end");
}

static const struct http_route routes[] = {
	{ "/hello", get_hello },
	{ "/big", get_much },
	{ "/medium", get_much },
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
	now = 1000000;
	f->pool = http_pool_new(&(struct http_pool_config){ .clock = test_clock });
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_listener_free(f->listener);
	http_pool_free(f->pool);
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
		.pool = f->pool,
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
	enum { MORE = 20, FLOOD = HTTP_POOL_OF_SERVER + MORE };
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	int fds[FLOOD], closed = 0;

	for (int i = 0; i < FLOOD; i++) {
		fds[i] = http_client_connect("127.0.0.1", port);
		assert_true(fds[i] >= 0);
		http_client_send(fds[i], "GET /hel");
		http_client_turn(f->base);
		now += HTTP_POOL_PARTIAL;
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

static void a_probe_in_the_middle_of_a_flood_is_answered(void **state)
{
	enum { FLOOD = HTTP_POOL_OF_SERVER + 20 };
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	_cleanup_(buf_done) struct buf answer = { 0 }, last = { 0 };
	int probe = http_client_connect("127.0.0.1", port), fds[FLOOD];

	http_client_send(probe, "GET /hello HT");
	http_client_turn(f->base);
	for (int i = 0; i < FLOOD; i++) {
		fds[i] = http_client_connect("127.0.0.1", port);
		http_client_turn(f->base);
	}
	http_client_send(probe, "TP/1.1\r\n\r\n");
	http_client_receive(f->base, probe, "hello", &answer);
	assert_non_null(strstr(buf_str(&answer), "HTTP/1.1 200 OK\r\n"));
	/* Those who came later are served when the others had their time. */
	http_client_send(fds[FLOOD - 1], "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
	now += HTTP_POOL_SILENT;
	http_client_receive(f->base, fds[FLOOD - 1], NULL, &last);
	assert_non_null(strstr(buf_str(&last), "hello"));
	close(probe);
	for (int i = 0; i < FLOOD; i++)
		close(fds[i]);
}

/* Its request came while the loop was busy with something else. */
static void a_probe_that_waits_in_the_kernel_is_answered(void **state)
{
	enum { MORE = 5 };
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fds[HTTP_POOL_OF_SERVER + MORE];

	for (int i = 0; i < HTTP_POOL_OF_SERVER; i++) {
		fds[i] = http_client_connect("127.0.0.1", port);
		http_client_turn(f->base);
		now++;
	}
	now += HTTP_POOL_SILENT;
	for (int i = HTTP_POOL_OF_SERVER; i < HTTP_POOL_OF_SERVER + MORE; i++)
		fds[i] = http_client_connect("127.0.0.1", port);
	http_client_send(fds[0], "GET /hello HTTP/1.1\r\n\r\n");
	http_client_receive(f->base, fds[0], "hello", &answer);
	assert_non_null(strstr(buf_str(&answer), "hello"));
	http_client_turn(f->base);
	assert_true(is_closed(fds[1]));
	for (int i = 0; i < HTTP_POOL_OF_SERVER + MORE; i++)
		close(fds[i]);
}

static void connections_that_end_make_room(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	int first = http_client_connect("127.0.0.1", port);

	http_client_turn(f->base);
	for (int i = 0; i < 3 * HTTP_POOL_OF_SERVER; i++)
		expect_answer(f, "127.0.0.1", port, "GET /hello", "HTTP/1.1 200 ", "hello");
	assert_false(is_closed(first));
	close(first);
}

/* Sends the request again and again until the kernel takes no more; returns how often as a whole. */
static unsigned send_pipelined(struct fixture *f, int fd, const char *request)
{
	enum { TURNS = 100 };
	const size_t len = strlen(request);
	size_t sent = 0;

	for (int idle = 0; idle < TURNS;) {
		ssize_t n = send(fd, request + sent % len, len - sent % len, MSG_NOSIGNAL);

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		http_client_turn(f->base);
	}
	return (unsigned)(sent / len);
}

/* Of a client that does not read, no more is read either. */
static void pipelined_requests_wait_behind_an_answer(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf request = { 0 }, answers = { 0 };
	int fd = http_client_connect("127.0.0.1", start(f, "127.0.0.1"));
	unsigned sent, answered, n = 0;

	buf_adds(&request, "GET /medium HTTP/1.1\r\nX: ");
	while (request.len < SERVER_MAX_HEADERS / 2)
		buf_addc(&request, 'x');
	buf_adds(&request, "\r\n\r\n");
	sent = send_pipelined(f, fd, buf_str(&request));
	answered = f->asked;
	assert_true(answered < sent);
	shutdown(fd, SHUT_WR);
	http_client_receive(f->base, fd, NULL, &answers);
	for (const char *p = buf_str(&answers); (p = strstr(p, "HTTP/1.1 200 OK\r\n")); p++)
		n++;
	assert_int_equal(n, sent);
	assert_int_equal(f->asked, sent);
	close(fd);
}

static void other_clients_come_between_pipelined_requests(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	_cleanup_(buf_done) struct buf many = { 0 };
	int first = http_client_connect("127.0.0.1", port), second;

	second = http_client_connect("127.0.0.1", port);
	http_client_turn(f->base);
	for (int i = 0; i < 100; i++)
		buf_adds(&many, "GET /hello?a HTTP/1.1\r\n\r\n");
	http_client_send(first, buf_str(&many));
	http_client_send(second, "GET /hello?b HTTP/1.1\r\n\r\n");
	while (strcmp(f->query, "b") != 0)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_in_range(f->asked, 1, 2);
	close(first);
	close(second);
}

static void a_client_that_has_ended_its_side_gets_everything(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd = http_client_connect("127.0.0.1", start(f, "127.0.0.1"));
	const char *second;

	http_client_send(fd, "GET /big HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\nGET /hel");
	shutdown(fd, SHUT_WR);
	http_client_receive(f->base, fd, NULL, &answer);
	second = strstr(buf_str(&answer), "xendHTTP/1.1 200 OK\r\n");
	assert_non_null(second);
	assert_string_equal(answer.data + answer.len - 5, "hello");
	assert_int_equal(f->asked, 2);
	close(fd);
}

/* Whether the whole answer to /big comes. */
static bool gets_all(struct fixture *f, int fd)
{
	static char data[1 << 16];
	size_t got = 0;
	ssize_t n = 1;

	while (got < BIG && n) {
		http_client_wait(f->base, fd, EV_READ);
		n = recv(fd, data, sizeof(data), 0);
		if (n > 0)
			got += (size_t)n;
		else if (n < 0 && errno != EAGAIN)
			n = 0;
	}
	return got >= BIG;
}

static void unread_answers_have_a_limit_together(void **state)
{
	enum { CLIENTS = 12, FIT = HTTP_POOL_PENDING / BIG };
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	int fds[CLIENTS], closed = 0;

	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = http_client_connect("127.0.0.1", port);
		http_client_send(fds[i], "GET /big HTTP/1.1\r\n\r\n");
		while (f->asked <= (unsigned)i)
			event_base_loop(f->base, EVLOOP_ONCE);
		now++;
	}
	/* Those that are left get all of it; the kernel has a part of each. */
	assert_true(gets_all(f, fds[CLIENTS - 1]));
	for (int i = 0; i < CLIENTS - 1; i++) {
		closed += !gets_all(f, fds[i]);
		close(fds[i]);
	}
	assert_in_range(closed, CLIENTS - 2 * FIT, CLIENTS - FIT);
	close(fds[CLIENTS - 1]);
}

static void the_descriptors_of_others_are_not_taken(void **state)
{
	enum { USABLE = 10, CLIENTS = 40 };
	struct fixture *f = *state;
	struct http_listener_config c = config(f, "127.0.0.1");
	int fds[CLIENTS], lowest, highest;

	for (int i = 0; i < CLIENTS; i++)
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	lowest = dup(0);
	close(lowest);
	http_pool_free(f->pool);
	f->pool = http_pool_new(
		&(struct http_pool_config){ .clock = test_clock, .max_fd = lowest + USABLE });
	c.pool = f->pool;
	f->listener = http_listener_new(f->base, &c);
	for (int i = 0; i < CLIENTS; i++) {
		struct sockaddr_storage sa;
		socklen_t len =
			http_client_address(&sa, "127.0.0.1", http_listener_port(f->listener));

		connect(fds[i], (struct sockaddr *)&sa, len);
		http_client_turn(f->base);
		now += HTTP_POOL_SILENT;
	}
	highest = dup(0);
	close(highest);
	assert_in_range(highest, lowest + USABLE - 1, lowest + USABLE);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
}

static void without_a_descriptor_connections_wait(void **state)
{
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");
	_cleanup_(buf_done) struct buf answer = { 0 };
	int first = http_client_connect("127.0.0.1", port), second;
	const char *preload = getenv("LD_PRELOAD");
	struct rlimit before, few;

	/* Its accept4() ends the connection when it returns EMFILE. */
	if (preload && strstr(preload, "vgpreload")) {
		close(first);
		skip();
	}
	http_client_turn(f->base); /* the first is accepted and may not go yet */
	second = http_client_connect("127.0.0.1", port);
	http_client_send(second, "GET /hello HTTP/1.1\r\n\r\n");
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &few);
	http_client_turn(f->base);
	/* Nothing is left to do: the loop does not spin. */
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ACTIVE), 0);
	http_client_turn(f->base);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(recv(second, &few, 1, MSG_DONTWAIT), -1);
	/* One that ends gives its descriptor. */
	close(first);
	http_client_receive(f->base, second, "hello", &answer);
	assert_non_null(strstr(buf_str(&answer), "hello"));
	close(second);
}

static void what_is_no_request_is_told_so(void **state)
{
	static const struct {
		const char *request, *status;
	} cases[] = {
		{ "nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "GET /hello HTTP/3.0\r\n\r\n", "HTTP/1.1 505 " },
		{ "GET /hello HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 413 " },
		{ "GET /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"HTTP/1.1 501 " },
	};
	struct fixture *f = *state;
	uint16_t port = start(f, "127.0.0.1");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf answer = { 0 };
		int fd = http_client_connect("127.0.0.1", port);

		http_client_send(fd, cases[i].request);
		http_client_receive(f->base, fd, NULL, &answer);
		close(fd);
		if (strncmp(buf_str(&answer), cases[i].status, strlen(cases[i].status)) != 0)
			fail_msg("%s: %s", cases[i].request, buf_str(&answer));
		assert_non_null(strstr(buf_str(&answer), "\r\nConnection: close\r\n"));
	}
	assert_int_equal(f->asked, 0);
}

/* The client sees the answer, although it was still sending. */
static void a_head_that_does_not_end_is_refused_in_words(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf request = { 0 }, answer = { 0 };
	int fd = http_client_connect("127.0.0.1", start(f, "127.0.0.1"));

	buf_adds(&request, "GET /hello HTTP/1.1\r\n");
	while (request.len < 20 * SERVER_MAX_HEADERS)
		buf_adds(&request, "X: y\r\n");
	http_client_send(fd, buf_str(&request));
	http_client_receive(f->base, fd, NULL, &answer);
	assert_int_equal(strncmp(buf_str(&answer), "HTTP/1.1 431 ", 13), 0);
	close(fd);
}

static void a_body_is_passed_over(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd = http_client_connect("127.0.0.1", start(f, "127.0.0.1"));

	http_client_send(fd, "PUT /hello HTTP/1.1\r\nContent-Length: 5\r\n\r\n12");
	http_client_turn(f->base);
	assert_int_equal(f->asked, 0);
	http_client_send(fd, "345GET /teapot HTTP/1.1\r\nConnection: close\r\n\r\n");
	http_client_receive(f->base, fd, NULL, &answer);
	assert_int_equal(f->asked, 1);
	assert_non_null(strstr(buf_str(&answer), "helloHTTP/1.1 418 "));
	close(fd);
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
		TEST(a_probe_in_the_middle_of_a_flood_is_answered),
		TEST(a_probe_that_waits_in_the_kernel_is_answered),
		TEST(connections_that_end_make_room),
		TEST(pipelined_requests_wait_behind_an_answer),
		TEST(other_clients_come_between_pipelined_requests),
		TEST(a_client_that_has_ended_its_side_gets_everything),
		TEST(unread_answers_have_a_limit_together),
		TEST(the_descriptors_of_others_are_not_taken),
		TEST(without_a_descriptor_connections_wait),
		TEST(what_is_no_request_is_told_so),
		TEST(a_head_that_does_not_end_is_refused_in_words),
		TEST(a_body_is_passed_over),
		TEST(it_ends_with_clients_connected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
