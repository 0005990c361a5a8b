// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client.h"

/* A daemon that gives one answer, whatever it is asked. */

struct fixture {
	char dir[32];
	char path[64];
	struct err err;
	json_t *reply;
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	strcpy(f->dir, "/tmp/test_client.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	json_decref(f->reply);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int listen_there(const struct fixture *f)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(un.sun_path, f->path);
	assert_return_code(bind(fd, (struct sockaddr *)&un, sizeof(un)), errno);
	assert_return_code(listen(fd, 1), errno);
	return fd;
}

static void __attribute__((noreturn)) answer(int listener, const char *text)
{
	char request[4096];
	int fd = accept(listener, NULL, NULL);
	ssize_t n = read(fd, request, sizeof(request) - 1);

	request[n > 0 ? n : 0] = '\0';
	if (!strncmp(request, "GET /v1/x HTTP/1.1\r\n", 20))
		n = write(fd, text, strlen(text));
	_exit(n < 0);
}

/* What client_get() makes of an answer that consists of this text. */
static int get(struct fixture *f, const char *text)
{
	int fd = listen_there(f), status, r;
	pid_t pid = fork();

	if (!pid)
		answer(fd, text);
	close(fd);
	r = client_get(f->path, "/v1/x", &f->reply, &f->err);
	waitpid(pid, &status, 0);
	return r;
}

static void a_json_object_is_the_reply(void **state)
{
	struct fixture *f = *state;

	assert_return_code(
		get(f, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"kind\": \"a\"}"), 0);
	assert_string_equal(json_string_value(json_object_get(f->reply, "kind")), "a");
}

static void a_proxy_in_the_environment_is_not_asked(void **state)
{
	struct fixture *f = *state;

	setenv("http_proxy", "http://192.0.2.1:1", 1);
	assert_return_code(get(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), 0);
	unsetenv("http_proxy");
}

static void an_answer_that_is_no_success_or_no_object_is_an_error(void **state)
{
	static const char *const answers[] = {
		"",
		"hello\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{} x",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		assert_int_equal(get(f, answers[i]), -EPROTO);
		assert_null(f->reply);
		assert_true(*f->err.msg);
		unlink(f->path);
	}
}

static void a_missing_socket_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(client_get(f->path, "/v1/x", &f->reply, &f->err), -ENOENT);
	assert_string_equal(f->err.msg, "No such file or directory");
}

static void a_socket_without_a_listener_is_told(void **state)
{
	struct fixture *f = *state;

	close(listen_there(f));
	assert_int_equal(client_get(f->path, "/v1/x", &f->reply, &f->err), -ECONNREFUSED);
	assert_string_equal(f->err.msg, "Connection refused");
}

static void a_path_that_is_too_long_is_told(void **state)
{
	struct fixture *f = *state;
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(client_get(path, "/v1/x", &f->reply, &f->err), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_json_object_is_the_reply),
		TEST(a_proxy_in_the_environment_is_not_asked),
		TEST(an_answer_that_is_no_success_or_no_object_is_an_error),
		TEST(a_missing_socket_is_told),
		TEST(a_socket_without_a_listener_is_told),
		TEST(a_path_that_is_too_long_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
