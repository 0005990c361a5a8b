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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/exec.h"

enum { TIMEOUT_MS = 20000 };

#define RUN(input, len, out, err, ...) \
	exec_run((const char *const[]){ __VA_ARGS__, NULL }, input, len, TIMEOUT_MS, out, err)

static void input_and_output_are_passed_on(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(RUN("hello\n", 6, &out, &err, "cat"), 0);
	assert_string_equal(buf_str(&out), "hello\n");
}

static void input_and_output_can_exceed_a_pipe(void **state)
{
	const size_t size = 8 << 20;
	_cleanup_free_ char *input = mem_zalloc(1, size);
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	(void)state;
	memset(input, 'x', size);
	assert_int_equal(RUN(input, size, &out, &err, "cat"), 0);
	assert_int_equal(out.len, size);
	assert_memory_equal(out.data, input, size);
}

static void no_input_is_an_empty_input(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(RUN(NULL, 0, &out, &err, "cat"), 0);
	assert_string_equal(buf_str(&out), "");
}

static void earlier_content_of_the_output_is_released(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	(void)state;
	buf_adds(&out, "old");
	assert_int_equal(RUN("new", 3, &out, &err, "cat"), 0);
	assert_string_equal(buf_str(&out), "new");
}

static void an_exit_status_comes_with_standard_error(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
		RUN(NULL, 0, NULL, &err, "sh", "-c", "echo one >&2; echo two >&2; exit 4"), 4);
	assert_string_equal(err.msg, "one two");
}

static void an_exit_status_without_standard_error_has_words(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(RUN(NULL, 0, NULL, &err, "false"), 1);
	assert_string_equal(err.msg, "false: exit status 1");
}

static void standard_error_is_cut_and_not_waited_for(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(RUN(NULL, 0, NULL, &err, "sh", "-c",
				 "head -c 1000000 /dev/zero | tr '\\0' e >&2; exit 3"),
		3);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void a_program_that_does_not_read_its_input_is_no_error(void **state)
{
	const size_t size = 8 << 20;
	_cleanup_free_ char *input = mem_zalloc(1, size);
	struct err err;

	(void)state;
	/* were it raised, SIGPIPE would end this program */
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(RUN(input, size, NULL, &err, "true"), 0);
}

static void a_missing_program_is_named(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(RUN(NULL, 0, NULL, &err, "no-such-program"), -ENOENT);
	assert_string_equal(err.msg, "no-such-program: no such program in PATH");
	assert_int_equal(RUN(NULL, 0, NULL, &err, "/no/such/program"), -ENOENT);
	assert_non_null(strstr(err.msg, "/no/such/program"));
}

static void a_directory_is_no_program(void **state)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *saved = path ? mem_strdup(path) : NULL;
	char dir[] = "/tmp/test_exec.XXXXXX", name[sizeof(dir) + 16];
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err = { 0 };
	int found, missing;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/cat", dir);
	assert_return_code(mkdir(name, 0755), errno);
	setenv("PATH", dir, 1);
	found = RUN("x", 1, &out, &err, "cat");
	snprintf(name, sizeof(name), "%s/no-such-program", dir);
	assert_return_code(mkdir(name, 0755), errno);
	missing = RUN(NULL, 0, NULL, &err, "no-such-program");
	if (saved)
		setenv("PATH", saved, 1);
	rmdir(name);
	snprintf(name, sizeof(name), "%s/cat", dir);
	rmdir(name);
	rmdir(dir);
	assert_int_equal(found, 0);
	assert_string_equal(buf_str(&out), "x");
	assert_int_equal(missing, -ENOENT);
	assert_string_equal(err.msg, "no-such-program: no such program in PATH");
}

static void too_few_descriptors_are_a_shortage(void **state)
{
	struct rlimit before, few;
	struct err err = { 0 };

	(void)state;
	assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
	for (few = before, few.rlim_cur = 3; few.rlim_cur < 20; few.rlim_cur++) {
		int r;

		assert_return_code(setrlimit(RLIMIT_NOFILE, &few), errno);
		r = RUN(NULL, 0, NULL, &err, "true");
		setrlimit(RLIMIT_NOFILE, &before);
		if (!r)
			break;
		assert_int_equal(r, -EMFILE);
		assert_true(err_is_shortage(r));
		assert_non_null(strstr(err.msg, "Too many open files"));
	}
	assert_in_range(few.rlim_cur, 4, 19);
}

static void programs_are_found_without_a_path(void **state)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *saved = path ? mem_strdup(path) : NULL;
	struct err err;
	int r;

	(void)state;
	unsetenv("PATH");
	r = RUN(NULL, 0, NULL, &err, "true");
	if (saved)
		setenv("PATH", saved, 1);
	assert_int_equal(r, 0);
}

static void a_slow_program_is_killed(void **state)
{
	const char *const argv[] = { "sleep", "600", NULL };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(exec_run(argv, NULL, 0, 1, NULL, &err), -ETIMEDOUT);
	assert_string_equal(err.msg, "sleep did not end within 1 ms and was killed");
}

static void a_slow_program_that_closed_its_outputs_is_killed(void **state)
{
	const char *const argv[] = { "sh", "-c", "exec sleep 600 >&- 2>&-", NULL };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(exec_run(argv, NULL, 0, 1, NULL, &err), -ETIMEDOUT);
}

static void death_by_a_signal_is_reported(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(RUN(NULL, 0, NULL, &err, "sh", "-c", "kill -KILL $$"), -ECHILD);
	assert_string_equal(err.msg, "sh died of signal 9 (Killed)");
}

static void messages_are_english(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	(void)state;
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	setenv("TEST_EXEC", "kept", 1);
	assert_int_equal(RUN(NULL, 0, &out, &err, "printenv", "LC_ALL", "TEST_EXEC"), 0);
	assert_string_equal(buf_str(&out), "C\nkept\n");
	unsetenv("LC_ALL");
	unsetenv("TEST_EXEC");
}

static void the_program_inherits_no_descriptor(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	int fd = open("/dev/null", O_RDONLY); /* as a library would: without O_CLOEXEC */
	struct err err;

	(void)state;
	assert_true(fd > 2);
	/* the fourth is the directory that ls itself reads */
	assert_int_equal(RUN(NULL, 0, &out, &err, "ls", "/proc/self/fd"), 0);
	assert_string_equal(buf_str(&out), "0\n1\n2\n3\n");
	close(fd);
}

static void ignored_signals_are_not_ignored_by_the_program(void **state)
{
	struct err err = { 0 };

	(void)state;
	signal(SIGTERM, SIG_IGN);
	assert_int_equal(RUN(NULL, 0, NULL, &err, "sh", "-c", "kill -TERM $$"), -ECHILD);
	signal(SIGTERM, SIG_DFL);
}

/* Turns until the program has ended; returns what exec_advance() did. */
static int finish(struct exec *x, struct buf *out, struct err *err)
{
	int r;

	while ((r = exec_advance(x, out, err)) == -EINPROGRESS)
		exec_wait(x);
	assert_false(exec_running(x));
	return r;
}

static void the_caller_continues_while_a_program_runs(void **state)
{
	const char *const argv[] = { "sh", "-c", "cat; sleep 600", NULL };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err = { 0 };
	struct exec *x;

	(void)state;
	assert_int_equal(exec_new(&x, &err), 0);
	assert_int_equal(exec_start(x, argv, "hello", 5, TIMEOUT_MS, &err), 0);
	assert_true(exec_running(x));
	assert_int_equal(exec_advance(x, &out, &err), -EINPROGRESS);
	assert_int_equal(kill(-exec_running(x), SIGTERM), 0);
	assert_int_equal(finish(x, &out, &err), -ECHILD);
	assert_string_equal(err.msg, "sh died of signal 15 (Terminated)");
	exec_free(x);
}

static void programs_can_run_one_after_the_other(void **state)
{
	const char *const cat[] = { "cat", NULL }, *const no[] = { "no-such-program", NULL };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err = { 0 };
	struct exec *x;

	(void)state;
	assert_int_equal(exec_new(&x, &err), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(exec_start(x, cat, "hello", 5, TIMEOUT_MS, &err), 0);
		assert_int_equal(finish(x, &out, &err), 0);
		assert_string_equal(buf_str(&out), "hello");
		assert_int_equal(exec_start(x, no, NULL, 0, TIMEOUT_MS, &err), -ENOENT);
		assert_false(exec_running(x));
	}
	assert_int_equal(exec_start(x, (const char *const[]){ "sleep", "600", NULL }, NULL, 0,
				 TIMEOUT_MS, &err),
		0);
	exec_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_and_output_are_passed_on),
		cmocka_unit_test(input_and_output_can_exceed_a_pipe),
		cmocka_unit_test(no_input_is_an_empty_input),
		cmocka_unit_test(earlier_content_of_the_output_is_released),
		cmocka_unit_test(an_exit_status_comes_with_standard_error),
		cmocka_unit_test(an_exit_status_without_standard_error_has_words),
		cmocka_unit_test(standard_error_is_cut_and_not_waited_for),
		cmocka_unit_test(a_program_that_does_not_read_its_input_is_no_error),
		cmocka_unit_test(a_missing_program_is_named),
		cmocka_unit_test(a_directory_is_no_program),
		cmocka_unit_test(too_few_descriptors_are_a_shortage),
		cmocka_unit_test(programs_are_found_without_a_path),
		cmocka_unit_test(a_slow_program_is_killed),
		cmocka_unit_test(a_slow_program_that_closed_its_outputs_is_killed),
		cmocka_unit_test(death_by_a_signal_is_reported),
		cmocka_unit_test(messages_are_english),
		cmocka_unit_test(the_program_inherits_no_descriptor),
		cmocka_unit_test(ignored_signals_are_not_ignored_by_the_program),
		cmocka_unit_test(the_caller_continues_while_a_program_runs),
		cmocka_unit_test(programs_can_run_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
