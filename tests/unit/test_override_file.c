// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/override_file.h"

static struct {
	char dir[40];
	struct buf path;
	struct err err;
} t;

static int setup(void **state)
{
	char socket[64];

	(void)state;
	strcpy(t.dir, "/tmp/test_override_file.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(socket, sizeof(socket), "%s/status.sock", t.dir);
	buf_reset(&t.path);
	override_file_path(socket, &t.path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(buf_str(&t.path));
	assert_int_equal(rmdir(t.dir), 0); /* nothing else is left */
	buf_done(&t.path);
	return 0;
}

static void write_lines(const char *lines)
{
	_cleanup_(overrides_done) struct overrides o = { 0 };

	assert_int_equal(overrides_parse(&o, lines, &t.err), 0);
	assert_int_equal(override_file_write(buf_str(&t.path), &o, &t.err), 0);
}

/* Replaces the n-th byte of the file. */
static void write_byte(size_t n, char c)
{
	FILE *file = fopen(buf_str(&t.path), "r+");

	assert_non_null(file);
	assert_int_equal(fseek(file, (long)n, SEEK_SET), 0);
	fputc(c, file);
	fclose(file);
}

static void the_file_is_beside_the_socket(void **state)
{
	_cleanup_(buf_done) struct buf here = { 0 }, none = { 0 };

	(void)state;
	assert_string_equal(buf_str(&t.path) + strlen(t.dir), "/overrides");
	override_file_path("status.sock", &here);
	assert_string_equal(buf_str(&here), "overrides");
	override_file_path("", &none);
	assert_string_equal(buf_str(&none), "");
}

static void what_is_written_is_read(void **state)
{
	static const char lines[] = "10.0.0.1:80 shop/web weight=0 until=99 by=0\n"
				    "10.0.0.2 * weight=3 by=7\n";
	_cleanup_(overrides_done) struct overrides o = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };
	struct stat st;

	(void)state;
	write_lines("10.0.0.9 * weight=1 by=0\n");
	write_lines(lines);
	assert_int_equal(override_file_read(buf_str(&t.path), &o, &t.err), 0);
	overrides_print(&o, &b);
	assert_string_equal(buf_str(&b), lines);
	assert_int_equal(stat(buf_str(&t.path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void without_overrides_there_is_no_file(void **state)
{
	const struct overrides none = { 0 };
	_cleanup_(overrides_done) struct overrides o = { 0 };

	(void)state;
	assert_int_equal(override_file_write(buf_str(&t.path), &none, &t.err), 0);
	write_lines("10.0.0.9 * weight=1 by=0\n");
	assert_int_equal(override_file_write(buf_str(&t.path), &none, &t.err), 0);
	assert_int_equal(access(buf_str(&t.path), F_OK), -1);
	assert_int_equal(override_file_read(buf_str(&t.path), &o, &t.err), 0);
	assert_int_equal(o.n, 0);
}

static void another_boot_begins_without_them(void **state)
{
	_cleanup_(overrides_done) struct overrides o = { 0 };

	(void)state;
	write_lines("10.0.0.9 * weight=1 by=0\n");
	write_byte(strlen("boot="), 'x');
	assert_int_equal(override_file_read(buf_str(&t.path), &o, &t.err), 0);
	assert_int_equal(o.n, 0);
}

static void a_broken_line_is_told(void **state)
{
	_cleanup_(overrides_done) struct overrides o = { 0 };

	(void)state;
	write_lines("10.0.0.9 * weight=1 by=0\n");
	write_byte(strlen("boot=01234567-89ab-cdef-0123-456789abcdef\n"), 'x');
	assert_int_equal(override_file_read(buf_str(&t.path), &o, &t.err), -EINVAL);
	assert_non_null(strstr(t.err.msg, "line 1 is no override"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_file_is_beside_the_socket),
		TEST(what_is_written_is_read),
		TEST(without_overrides_there_is_no_file),
		TEST(another_boot_begins_without_them),
		TEST(a_broken_line_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
