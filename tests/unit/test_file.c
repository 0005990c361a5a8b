// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

struct fixture {
	char dir[32];
	char path[64], link[64]; /* in it */
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	strcpy(f->dir, "/tmp/test_file.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/path", f->dir);
	snprintf(f->link, sizeof(f->link), "%s/link", f->dir);
	assert_return_code(symlink("path", f->link), errno);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	remove(f->path);
	remove(f->link);
	remove(f->dir);
	free(f);
	return 0;
}

static void a_file_is_opened_through_links(void **state)
{
	const struct fixture *f = *state;
	char text[8] = "";
	int fd;

	assert_int_equal(file_open(f->link), -ENOENT);
	fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
	fd = file_open(f->link);
	assert_return_code(fd, -fd);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

/* Neither waited for nor opened. */
static void a_fifo_behind_a_link_is_not_touched(void **state)
{
	const struct fixture *f = *state;
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	assert_return_code(mkfifo(f->path, 0600), errno);
	assert_return_code(inotify_add_watch(watch, f->path, IN_OPEN), errno);
	assert_int_equal(file_open(f->link), -ENODEV);
	assert_int_equal(poll(&(struct pollfd){ .fd = watch, .events = POLLIN }, 1, 0), 0);
	close(watch);
}

static void a_device_is_not_opened(void **state)
{
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	(void)state;
	assert_return_code(inotify_add_watch(watch, "/dev/full", IN_OPEN), errno);
	assert_int_equal(file_open("/dev/full"), -ENODEV);
	assert_int_equal(poll(&(struct pollfd){ .fd = watch, .events = POLLIN }, 1, 0), 0);
	close(watch);
}

static void a_directory_is_no_file(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(file_open(f->dir), -EISDIR);
}

static void who_writes_a_file_is_noticed(void **state)
{
	struct fixture *f = *state;
	int writer = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int fd = file_open(f->path), reader = file_open(f->path);

	assert_true(fd >= 0 && reader >= 0);
	assert_true(file_is_being_written(fd));
	close(writer);
	assert_false(file_is_being_written(fd));
	/* The lease was given back: a writer need not wait. */
	writer = open(f->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(writer >= 0);
	close(writer);
	close(reader);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_file_is_opened_through_links),
		TEST(a_fifo_behind_a_link_is_not_touched),
		TEST(a_device_is_not_opened),
		TEST(a_directory_is_no_file),
		TEST(who_writes_a_file_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
