// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http_client.h"
#include "server/server.h"

enum { PIECE = 100000 };

struct fixture {
	char dir[32];
	char path[64]; /* of the socket, in a directory that does not exist yet */
	struct event_base *base;
	struct server *server;
	struct err err;
	unsigned asked, ended;
	size_t padding; /* bytes that make the answer long */
};

/* A status in pieces, with so much padding that a client does not take it at once. */
struct telling {
	struct fixture *f;
	size_t left;
	bool begun, endpoints;
};

static void *status_begin(bool endpoints, void *arg)
{
	struct telling *t = new0(struct telling);

	t->f = arg;
	t->endpoints = endpoints;
	t->f->asked++;
	t->left = t->f->padding;
	return t;
}

static bool status_next(void *arg, struct buf *out)
{
	struct telling *t = arg;
	size_t n = t->left < PIECE ? t->left : PIECE;

	if (!t->begun)
		buf_addf(out, "{\"kind\":\"Status\",%s\"asked\":%u,\"padding\":\"",
			t->endpoints ? "" : "\"endpoints\":false,", t->f->asked);
	t->begun = true;
	for (size_t i = 0; i < n; i++)
		buf_addc(out, 'x');
	t->left -= n;
	if (!t->left)
		buf_adds(out, "\"}\n");
	return t->left;
}

static void status_end(void *arg)
{
	struct telling *t = arg;

	t->f->ended++;
	free(t);
}

static json_t *make_explanation(const char *what, const char *from, struct err *err, void *arg)
{
	(void)arg;
	if (!strcmp(what, "nonsense")) {
		err_set(err, -EINVAL, "no sense");
		return NULL;
	}
	if (!strncmp(what, "repeat:", 7)) {
		err_set(err, -EINVAL, "no sense: %s", what);
		return NULL;
	}
	return json_pack("{s:s, s:s}", "what", what, "from", from ? from : "-");
}

/* Tells what was asked, and knows the endpoint 10.0.0.1 alone. */
static json_t *take_override(const struct server_override *ask, struct err *err, void *arg)
{
	_cleanup_(buf_done) struct buf endpoint = { 0 };

	(void)arg;
	override_print_endpoint(&ask->wish, &endpoint);
	if (strncmp(buf_str(&endpoint), "10.0.0.1", 8) != 0) {
		err_set(err, -ENOENT, "no such endpoint");
		return NULL;
	}
	if (ask->wish.weight == 9) {
		err_set(err, -ENOSPC, "too many");
		return NULL;
	}
	return json_pack("{s:b, s:s, s:s, s:i, s:i, s:i}", "ends", ask->ends, "endpoint",
		buf_str(&endpoint), "service", ask->wish.service, "weight", (int)ask->wish.weight,
		"seconds", (int)ask->seconds, "by", (int)ask->wish.by);
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	signal(SIGPIPE, SIG_IGN);
	strcpy(f->dir, "/tmp/test_server.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/run/status.sock", f->dir);
	f->base = event_base_new();
	assert_non_null(f->base);
	*state = f;
	return 0;
}

static int start(struct fixture *f)
{
	const struct server_config config = {
		.socket_path = f->path,
		.status_begin = status_begin,
		.status_next = status_next,
		.status_end = status_end,
		.explain = make_explanation,
		.override = take_override,
		.arg = f,
	};

	return server_new(f->base, &config, &f->server, &f->err);
}

static int setup_started(void **state)
{
	setup(state);
	return start(*state);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char run[64];

	server_free(f->server);
	assert_int_equal(f->ended, f->asked); /* whoever went away */
	event_base_free(f->base);
	unlink(f->path);
	snprintf(run, sizeof(run), "%s/run", f->dir);
	rmdir(run);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int connect_client(const struct fixture *f)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(un.sun_path, f->path);
	assert_return_code(connect(fd, (struct sockaddr *)&un, sizeof(un)), errno);
	return fd;
}

static void send_text(struct fixture *f, int fd, const char *s)
{
	for (size_t len = strlen(s); len;) {
		ssize_t n;

		http_client_wait(f->base, fd, EV_WRITE);
		n = send(fd, s, len, MSG_NOSIGNAL);
		if (n < 0)
			return; /* the server has hung up: the caller reads its answer */
		s += n;
		len -= (size_t)n;
	}
}

/* The whole answer to one request; the caller frees. */
static char *ask(struct fixture *f, const char *request)
{
	struct buf answer = { 0 };
	int fd = connect_client(f);

	send_text(f, fd, request);
	http_client_receive(f->base, fd, NULL, &answer);
	close(fd);
	return buf_take(&answer);
}

static json_t *body_of(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	json_t *ret;

	assert_non_null(body);
	ret = json_loads(body + 4, 0, NULL);
	assert_non_null(ret);
	return ret;
}

static void assert_begins(const char *s, const char *beginning)
{
	if (strncmp(s, beginning, strlen(beginning)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", s, beginning);
}

static void status_is_served_as_json(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *answer = NULL;
	json_t *body;

	answer = ask(f, "GET /v1/status HTTP/1.0\r\n\r\n");
	assert_begins(answer, "HTTP/1.0 200 OK\r\n");
	assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	assert_int_equal(answer[strlen(answer) - 1], '\n');
	body = body_of(answer);
	assert_string_equal(json_string_value(json_object_get(body, "kind")), "Status");
	json_decref(body);
}

static void status_comes_in_chunks_where_the_client_knows_them(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *answer = NULL;
	size_t len;

	answer = ask(f, "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_begins(answer, "HTTP/1.1 200 OK\r\n");
	assert_non_null(strstr(answer, "\r\nTransfer-Encoding: chunked\r\n"));
	len = strlen(answer);
	assert_string_equal(answer + len - 5, "0\r\n\r\n");
}

static void a_query_and_a_full_url_do_not_change_the_path(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *query = NULL, *full = NULL;

	query = ask(f, "GET /v1/status?x=1 HTTP/1.0\r\n\r\n");
	assert_begins(query, "HTTP/1.0 200 ");
	full = ask(f, "GET http://node/v1/status HTTP/1.0\r\n\r\n");
	assert_begins(full, "HTTP/1.0 200 ");
}

static void a_status_may_leave_out_endpoints(void **state)
{
	static const struct {
		const char *query;
		int status;
		bool without;
	} rows[] = {
		{ "endpoints=false", 200, true },
		{ "x=1&endpoints=false", 200, true },
		{ "endpoints=true", 200, false },
		{ "endpoints=", 400, false },
		{ "endpoints=no", 400, false },
		{ "endpoints=%2", 400, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *answer = NULL;
		char request[80], begin[32];

		snprintf(request, sizeof(request), "GET /v1/status?%s HTTP/1.0\r\n\r\n",
			rows[i].query);
		snprintf(begin, sizeof(begin), "HTTP/1.0 %d ", rows[i].status);
		answer = ask(f, request);
		assert_begins(answer, begin);
		assert_true(!strstr(answer, "\"endpoints\":false") == !rows[i].without);
	}
}

static void an_override_is_asked_for_by_the_query(void **state)
{
	static const struct {
		const char *method, *query;
		int status;
		const char *body; /* with the user's number at the end; NULL: an error */
	} rows[] = {
		{ "POST", "endpoint=10.0.0.1:80&weight=0", 200,
			"{\"ends\":false,\"endpoint\":\"10.0.0.1:80\",\"service\":\"\","
			"\"weight\":0,\"seconds\":0,\"by\":%u}\n" },
		{ "POST", "endpoint=10.0.0.1&service=a%2Fb&weight=7&seconds=60", 200,
			"{\"ends\":false,\"endpoint\":\"10.0.0.1\",\"service\":\"a/b\","
			"\"weight\":7,\"seconds\":60,\"by\":%u}\n" },
		{ "DELETE", "endpoint=10.0.0.1:80", 200,
			"{\"ends\":true,\"endpoint\":\"10.0.0.1:80\",\"service\":\"\","
			"\"weight\":0,\"seconds\":0,\"by\":%u}\n" },
		{ "DELETE", "endpoint=10.0.0.2:80", 404, NULL },
		{ "POST", "endpoint=10.0.0.1&weight=9", 409, NULL },
		{ "POST", "endpoint=10.0.0.1", 400, NULL },
		{ "POST", "weight=1", 400, NULL },
		{ "POST", "endpoint=x&weight=1", 400, NULL },
		{ "POST", "endpoint=10.0.0.1&weight=65536", 400, NULL },
		{ "POST", "endpoint=10.0.0.1&weight=1&seconds=99999999", 400, NULL },
		{ "POST", "endpoint=10.0.0.1&service=web&weight=1", 400, NULL },
		{ "GET", "endpoint=10.0.0.1", 405, NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf request = { 0 };
		_cleanup_free_ char *answer = NULL;
		char begin[32], body[160];

		buf_addf(&request, "%s /v1/overrides?%s HTTP/1.0\r\n\r\n", rows[i].method,
			rows[i].query);
		snprintf(begin, sizeof(begin), "HTTP/1.0 %d ", rows[i].status);
		answer = ask(f, buf_str(&request));
		assert_begins(answer, begin);
		if (!rows[i].body)
			continue;
		snprintf(body, sizeof(body), rows[i].body, (unsigned)getuid());
		assert_string_equal(strstr(answer, "\r\n\r\n") + 4, body);
	}
}

static void a_long_answer_arrives_whole(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *answer = NULL;
	json_t *body;

	f->padding = 5000000;
	answer = ask(f, "GET /v1/status HTTP/1.0\r\n\r\n");
	body = body_of(answer);
	assert_int_equal(json_string_length(json_object_get(body, "padding")), f->padding);
	json_decref(body);
}

static void assert_explanation(
	struct fixture *f, const char *query, const char *begin, const char *what, const char *from)
{
	_cleanup_(buf_done) struct buf request = { 0 };
	_cleanup_free_ char *answer = NULL;
	json_t *body;

	buf_addf(&request, "GET /v1/explain%s HTTP/1.0\r\n\r\n", query);
	answer = ask(f, buf_str(&request));
	assert_begins(answer, begin);
	body = body_of(answer);
	if (what) {
		assert_string_equal(json_string_value(json_object_get(body, "what")), what);
		assert_string_equal(json_string_value(json_object_get(body, "from")), from);
	} else {
		assert_true(json_is_string(json_object_get(body, "error")));
	}
	json_decref(body);
}

static void what_is_to_be_explained_is_in_the_query(void **state)
{
	struct fixture *f = *state;

	assert_explanation(f, "?what=a%2Fb", "HTTP/1.0 200 ", "a/b", "-");
	assert_explanation(
		f, "?from=pod&what=%5Bfd00::1%5D:80", "HTTP/1.0 200 ", "[fd00::1]:80", "pod");
	assert_explanation(f, "", "HTTP/1.0 400 ", NULL, NULL);
	assert_explanation(f, "?what=nonsense", "HTTP/1.0 400 ", NULL, NULL);
	assert_explanation(f, "?x=1", "HTTP/1.0 400 ", NULL, NULL);
}

static void wrong_bytes_get_an_error_in_json(void **state)
{
	static const char *const requests[] = {
		"GET /v1/explain?what=%ff HTTP/1.0\r\n\r\n",
		"GET /v1/explain?what=x&from=%00 HTTP/1.0\r\n\r\n",
		"GET /v1/explain?what=\xff\xfe HTTP/1.0\r\n\r\n",
		"GET /v1/explain?what=x y HTTP/1.0\r\n\r\n",
		"\x80\x81\r\n\r\n",
		"GET /v1/status HTTP/1.0\r\nContent-Length: x\r\n\r\n",
		"GET /v1/status HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_free_ char *answer = ask(f, requests[i]);
		json_t *body = body_of(answer);

		assert_null(strstr(answer, " 200 "));
		assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
		assert_string_not_equal(json_string_value(json_object_get(body, "error")), "");
		json_decref(body);
	}
	assert_int_equal(f->asked, 0);
}

/* The error repeats a question that is cut in the middle of a character. */
static void an_error_is_json_wherever_it_is_cut(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 1; n < 3; n++) {
		_cleanup_(buf_done) struct buf query = { 0 };

		buf_adds(&query, "?what=repeat:");
		for (size_t i = 0; i < n; i++)
			buf_addc(&query, 'x');
		for (int i = 0; i < 500; i++)
			buf_adds(&query, "%C3%A9");
		assert_explanation(f, buf_str(&query), "HTTP/1.0 400 ", NULL, NULL);
	}
}

static void a_client_that_has_ended_its_side_gets_the_status(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd = connect_client(f);
	json_t *body;

	f->padding = 5000000;
	send_text(f, fd, "GET /v1/status HTTP/1.0\r\n\r\n");
	shutdown(fd, SHUT_WR);
	http_client_receive(f->base, fd, NULL, &answer);
	close(fd);
	body = body_of(buf_str(&answer));
	assert_int_equal(json_string_length(json_object_get(body, "padding")), f->padding);
	json_decref(body);
}

static void another_path_is_not_found(void **state)
{
	static const char *const paths[] = { "/", "/v1", "/v1/status/", "/v1/Status", "//v1/status",
		"/v1/status/../x", "*" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *answer = NULL;
		char request[100];
		json_t *body;

		snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", paths[i]);
		answer = ask(f, request);
		assert_begins(answer, "HTTP/1.0 404 ");
		body = body_of(answer);
		assert_true(json_is_string(json_object_get(body, "error")));
		json_decref(body);
	}
	assert_int_equal(f->asked, 0);
}

static void another_method_is_not_allowed(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS",
		"TRACE" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		_cleanup_free_ char *answer = NULL;
		char request[100];

		snprintf(request, sizeof(request),
			"%s /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			"Content-Length: 0\r\n\r\n",
			methods[i]);
		answer = ask(f, request);
		assert_begins(answer, "HTTP/1.1 405 ");
		assert_non_null(strstr(answer, "\r\nAllow: GET\r\n"));
	}
	assert_int_equal(f->asked, 0);
}

static void a_connection_takes_one_request_after_the_other(void **state)
{
	static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture *f = *state;
	int fd;

	fd = connect_client(f);
	for (int i = 1; i <= 3; i++) {
		_cleanup_(buf_done) struct buf answer = { 0 };
		char want[16];

		snprintf(want, sizeof(want), "\"asked\":%d", i);
		send_text(f, fd, request);
		http_client_receive(f->base, fd, want, &answer);
		assert_non_null(strstr(buf_str(&answer), want));
	}
	close(fd);
	http_client_turn(f->base);
}

static void headers_and_bodies_are_limited(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf request = { 0 };
	_cleanup_free_ char *headers = NULL, *body = NULL;

	buf_adds(&request, "GET /v1/status HTTP/1.0\r\n");
	while (request.len <= 2 * (size_t)SERVER_MAX_HEADERS)
		buf_adds(&request, "X-Long: 0123456789012345678901234567890123456789\r\n");
	buf_adds(&request, "\r\n");
	headers = ask(f, buf_str(&request));
	assert_null(strstr(headers, " 200 "));

	buf_reset(&request);
	buf_addf(&request, "GET /v1/status HTTP/1.0\r\nContent-Length: %d\r\n\r\n",
		SERVER_MAX_BODY + 1);
	body = ask(f, buf_str(&request));
	assert_null(strstr(body, " 200 "));
	assert_int_equal(f->asked, 0);
}

static void what_is_no_http_is_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *answer = NULL;

	answer = ask(f, "\x16\x03\x01 not http\r\n\r\n");
	assert_null(strstr(answer, " 200 "));
	assert_int_equal(f->asked, 0);
}

static void a_client_that_goes_away_harms_nobody(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *answer = NULL;
	int fd;

	f->padding = 5000000;
	fd = connect_client(f);
	send_text(f, fd, "GET /v1/status HTTP/1.0\r\n\r\n");
	while (!f->asked)
		event_base_loop(f->base, EVLOOP_ONCE);
	close(fd);
	fd = connect_client(f);
	send_text(f, fd, "GET /v1/sta");
	close(fd);
	answer = ask(f, "GET /v1/status HTTP/1.0\r\n\r\n");
	assert_begins(answer, "HTTP/1.0 200 ");
}

static void the_server_ends_with_clients_connected(void **state)
{
	struct fixture *f = *state;
	int idle, half, busy;

	f->padding = 5000000;
	idle = connect_client(f);
	half = connect_client(f);
	send_text(f, half, "GET /v1/status HT");
	busy = connect_client(f);
	send_text(f, busy, "GET /v1/status HTTP/1.0\r\n\r\n");
	while (!f->asked)
		event_base_loop(f->base, EVLOOP_ONCE);
	server_free(take(f->server));
	close(idle);
	close(half);
	close(busy);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_return_code(lstat(path, &st), errno);
	return st.st_mode & 07777;
}

static void the_socket_has_its_mode_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(0077);
	int r = start(f);

	umask(old);
	assert_return_code(r, -f->err.code);
	assert_int_equal(mode_of(f->path), 0660);
}

static void the_directory_is_made_and_the_socket_removed(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(0022);
	char dir[64];
	int r = start(f);

	umask(old);
	assert_return_code(r, -f->err.code);
	snprintf(dir, sizeof(dir), "%s/run", f->dir);
	assert_int_equal(mode_of(dir), 0755);
	server_free(take(f->server));
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(access(dir, F_OK), 0);
}

static void make_run_directory(const struct fixture *f)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "%s/run", f->dir);
	assert_return_code(mkdir(dir, 0755), errno);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	_cleanup_free_ char *answer = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make_run_directory(f);
	strcpy(un.sun_path, f->path);
	assert_return_code(bind(fd, (struct sockaddr *)&un, sizeof(un)), errno);
	close(fd);
	assert_return_code(start(f), -f->err.code);
	answer = ask(f, "GET /v1/status HTTP/1.0\r\n\r\n");
	assert_begins(answer, "HTTP/1.0 200 ");
}

static void a_socket_in_use_is_left_alone(void **state)
{
	struct fixture *f = *state;
	const struct server_config config = { .socket_path = f->path };
	_cleanup_free_ char *answer = NULL;
	struct server *second = NULL;

	assert_int_equal(server_new(f->base, &config, &second, &f->err), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(f->err.msg, f->path));
	answer = ask(f, "GET /v1/status HTTP/1.0\r\n\r\n");
	assert_begins(answer, "HTTP/1.0 200 ");
}

/* Somebody removed our socket, so that another daemon could make its own. */
static void the_socket_of_a_newer_server_survives_the_older_one(void **state)
{
	struct fixture *f = *state;
	struct server *older = take(f->server);
	_cleanup_free_ char *answer = NULL;

	assert_return_code(unlink(f->path), errno);
	assert_return_code(start(f), -f->err.code);
	server_free(older);
	answer = ask(f, "GET /v1/status HTTP/1.0\r\n\r\n");
	assert_begins(answer, "HTTP/1.0 200 ");
	server_free(take(f->server));
	assert_int_equal(access(f->path, F_OK), -1);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	int fd;

	make_run_directory(f);
	fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_return_code(fd, errno);
	close(fd);
	assert_int_equal(start(f), -EEXIST);
	assert_null(f->server);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
	struct fixture *f = *state;
	char path[200];
	const struct server_config config = { .socket_path = path };

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(server_new(f->base, &config, &f->server, &f->err), -ENAMETOOLONG);
	server_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)
#define COLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(status_is_served_as_json),
		TEST(status_comes_in_chunks_where_the_client_knows_them),
		TEST(a_query_and_a_full_url_do_not_change_the_path),
		TEST(a_status_may_leave_out_endpoints),
		TEST(an_override_is_asked_for_by_the_query),
		TEST(a_long_answer_arrives_whole),
		TEST(what_is_to_be_explained_is_in_the_query),
		TEST(wrong_bytes_get_an_error_in_json),
		TEST(an_error_is_json_wherever_it_is_cut),
		TEST(a_client_that_has_ended_its_side_gets_the_status),
		TEST(another_path_is_not_found),
		TEST(another_method_is_not_allowed),
		TEST(a_connection_takes_one_request_after_the_other),
		TEST(headers_and_bodies_are_limited),
		TEST(what_is_no_http_is_refused),
		TEST(a_client_that_goes_away_harms_nobody),
		TEST(the_server_ends_with_clients_connected),
		COLD_TEST(the_socket_has_its_mode_whatever_the_umask),
		COLD_TEST(the_directory_is_made_and_the_socket_removed),
		COLD_TEST(a_stale_socket_is_replaced),
		TEST(a_socket_in_use_is_left_alone),
		TEST(the_socket_of_a_newer_server_survives_the_older_one),
		COLD_TEST(a_file_that_is_no_socket_is_left_alone),
		COLD_TEST(a_path_that_is_too_long_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
