// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/mem.h"

struct fixture {
	int read, write;
};

static int open_log(void **state, int fd[static 2])
{
	struct fixture *f = new0(struct fixture);

	signal(SIGPIPE, SIG_IGN);
	unsetenv("JOURNAL_STREAM");
	f->read = fd[0];
	f->write = fd[1];
	fcntl(f->read, F_SETFL, O_NONBLOCK);
	log_set_level(LOG_INFO);
	log_open(f->write);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	int fd[2];

	assert_return_code(pipe2(fd, O_CLOEXEC), errno);
	return open_log(state, fd);
}

static int setup_socket(void **state)
{
	int fd[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), errno);
	return open_log(state, fd);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_close();
	close(f->read);
	close(f->write);
	free(f);
	return 0;
}

/* Everything that was written so far. */
static void read_log(const struct fixture *f, struct buf *ret)
{
	ssize_t n;

	buf_reset(ret);
	while ((n = read(f->read, buf_reserve(ret, 65536), 65536)) > 0)
		ret->len += (size_t)n;
	buf_reserve(ret, 0);
}

/* One line without its time: what stands behind "level=". */
static void assert_logged(const struct fixture *f, const char *want)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	const char *level;

	read_log(f, &b);
	level = strstr(buf_str(&b), " level=");
	assert_non_null(level);
	assert_int_equal(strncmp(buf_str(&b), "time=", 5), 0);
	assert_int_equal(b.data[b.len - 1], '\n');
	b.data[b.len - 1] = '\0';
	assert_string_equal(level + strlen(" level="), want);
}

static void fields_are_written_as_they_stand(void **state)
{
	const struct fixture *f = *state;

	log_info("in sync", NULL);
	assert_logged(f, "info msg=\"in sync\"");
	log_warn("words", "service=%s/%s err=\"%s\" port=%u", "ns", "web", "no such file", 80u);
	assert_logged(f, "warning msg=\"words\" service=ns/web err=\"no such file\" port=80");
	log_error("numbers", "a=%d b=%zu c=%llu d=0x%x e=%ld f=%.2s g=%c", -1, (size_t)2, 3ULL,
		0xffu, -4L, "xyz", 'q');
	assert_logged(f, "error msg=\"numbers\" a=-1 b=2 c=3 d=0xff e=-4 f=xy g=q");
	errno = ENOENT;
	log_warn("errno", "err=\"%m\" empty=\"%s\"", "");
	assert_int_equal(errno, ENOENT);
	assert_logged(f, "warning msg=\"errno\" err=\"No such file or directory\" empty=\"\"");
}

/* One line without its time, which stands first. */
static void assert_logged_as_json(const struct fixture *f, const char *want)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	double ms;
	int n = 0;

	read_log(f, &b);
	assert_int_equal(sscanf(buf_str(&b), "{\"ts\":%lf,%n", &ms, &n), 1);
	assert_true(ms > 1.7e12 && n);
	assert_string_equal(buf_str(&b) + n, want);
}

static void lines_can_be_json(void **state)
{
	const struct fixture *f = *state;

	log_set_format(LOG_JSON);
	log_info("in \"sync\"", NULL);
	assert_logged_as_json(f, "\"level\":\"info\",\"msg\":\"in \\\"sync\\\"\"}\n");
	log_warn("words", "service=%s/%s port=%u id=\"%s\" hex=0x%x zero=%s less=%d none=\"%s\"",
		"ns", "web", 80u, "7", 0xffu, "007", -1, "");
	assert_logged_as_json(f,
		"\"level\":\"warning\",\"msg\":\"words\",\"service\":\"ns/web\",\"port\":80,"
		"\"id\":\"7\",\"hex\":\"0xff\",\"zero\":\"007\",\"less\":\"-1\",\"none\":\"\"}\n");
	log_error("bytes", "err=\"%s\"", "a\"b\\c\n\033\x80\xe2\x80\xae\xc3\xa4");
	assert_logged_as_json(f,
		"\"level\":\"error\",\"msg\":\"bytes\","
		"\"err\":\"a\\\"b\\\\c\\n\\u001b\\ufffd\\u202e\xc3\xa4\"}\n");
	log_set_format(LOG_TEXT);
}

static void a_value_cannot_end_itself(void **state)
{
	const struct fixture *f = *state;

	log_warn("forged", "err=\"%s\" n=%d", "x\" level=error msg=\"all is lost", 1);
	assert_logged(
		f, "warning msg=\"forged\" err=\"x\\\" level=error msg=\\\"all is lost\" n=1");
	log_warn("forged", "service=%s/%s n=%d", "a b=c", "d\"", 1);
	assert_logged(f, "warning msg=\"forged\" service=\"a b=c/d\\\"\" n=1");
	log_warn("forged", "word=%s n=%d", "", 1);
	assert_logged(f, "warning msg=\"forged\" word=\"\" n=1");
	log_warn("forged", "word=%s", "c:\\dir");
	assert_logged(f, "warning msg=\"forged\" word=\"c:\\\\dir\"");
}

static void a_value_cannot_steer_a_terminal(void **state)
{
	const struct fixture *f = *state;

	log_warn("steered", "err=\"%s\" word=%s",
		"\033[2J\x7f\xc2\x9b"
		"1m\x9b",
		"a\nlevel=error");
	assert_logged(f,
		"warning msg=\"steered\" err=\"\\x1b[2J\\x7f\\u009b1m\\x9b\" "
		"word=\"a\\nlevel=error\"");
}

static void a_long_value_is_cut_between_characters(void **state)
{
	const struct fixture *f = *state;
	_cleanup_(buf_done) struct buf text = { 0 }, want = { 0 }, got = { 0 };

	for (int i = 0; i < LOG_MAX_VALUE; i++)
		buf_adds(&text, "\xe2\x82\xac");
	buf_adds(&want, "warning msg=\"long\" a=\"");
	buf_add(&want, text.data, LOG_MAX_VALUE / 3 * 3);
	buf_adds(&want, "...\" b=1");
	log_warn("long", "a=\"%s\" b=%d", buf_str(&text), 1);
	assert_logged(f, buf_str(&want));

	/* One line, whatever is in it, and each field whole. */
	memset(text.data, '\033', text.len);
	log_warn("long", "a=\"%s\" b=\"%s\" c=\"%s\" d=%d", buf_str(&text), buf_str(&text), "c", 1);
	read_log(f, &got);
	assert_in_range(got.len, 1, LOG_MAX_LINE);
	assert_ptr_equal(strchr(buf_str(&got), '\n'), got.data + got.len - 1);
	assert_non_null(strstr(buf_str(&got), " a=... b=... c=\"c\" d=1\n"));
}

static void a_wrong_format_is_shown_and_harmless(void **state)
{
	const struct fixture *f = *state;
	static const char no_key[] = "%s", open[] = "a=\"%s", star[] = "a=%*d";

	log_write(LOG_WARN, "wrong", no_key, "x");
	assert_logged(f, "warning msg=\"wrong\" fields=invalid");
	log_write(LOG_WARN, "wrong", open, "x");
	assert_logged(f, "warning msg=\"wrong\" fields=invalid");
	log_write(LOG_WARN, "wrong", star, 3, 4);
	assert_logged(f, "warning msg=\"wrong\" fields=invalid");
}

static void only_the_journal_gets_levels_as_numbers(void **state)
{
	const struct fixture *f = *state;
	_cleanup_(buf_done) struct buf got = { 0 };
	char name[64];
	struct stat st;

	fstat(f->write, &st);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	log_warn("a", NULL);
	read_log(f, &got);
	assert_string_equal(buf_str(&got), "<4>level=warning msg=\"a\"\n");
	/* Our standard error was redirected. */
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_warn("a", NULL);
	assert_logged(f, "warning msg=\"a\"");
	unsetenv("JOURNAL_STREAM");
}

/* Fills the log until it takes nothing any more. Returns how many lines that were. */
static size_t fill(const struct fixture *f)
{
	enum { LINES = 1000 };
	_cleanup_(buf_done) struct buf text = { 0 };

	for (int i = 0; i < LOG_MAX_VALUE; i++)
		buf_addc(&text, 'x');
	log_set_level(LOG_DEBUG); /* which has no limit */
	for (int i = 0; i < LINES; i++)
		log_debug("filling", "a=%s b=%s", buf_str(&text), buf_str(&text));
	assert_int_equal(poll(&(struct pollfd){ .fd = f->write, .events = POLLOUT }, 1, 0), 0);
	return LINES;
}

/* Nobody reads; the test hangs where a call waits. */
static void who_does_not_read_does_not_stop_us(void **state)
{
	const struct fixture *f = *state;
	_cleanup_(buf_done) struct buf got = { 0 };
	const size_t written = fill(f);
	size_t lines = 0, lost;
	const char *line;

	read_log(f, &got);
	for (const char *p = buf_str(&got); *p; p++)
		lines += *p == '\n';
	/* A socket takes the last one in part. */
	log_info("now somebody reads", NULL);
	buf_reset(&got);
	read_log(f, &got);
	line = strstr(buf_str(&got), "time=");
	assert_non_null(line);
	lines += line != got.data;
	line = strstr(line, "msg=\"lost lines of the log, which nobody read\" lines=");
	assert_non_null(line);
	lost = strtoul(strstr(line, " lines=") + strlen(" lines="), NULL, 10);
	assert_int_equal(lines + lost, written);
	line = strchr(line, '\n');
	assert_non_null(strstr(line, " level=info msg=\"now somebody reads\"\n"));
	/* It is told once. */
	log_info("and again", NULL);
	assert_logged(f, "info msg=\"and again\"");
}

static void other_users_of_the_file_are_not_made_non_blocking(void **state)
{
	const struct fixture *f = *state;

	fill(f);
	assert_false(fcntl(f->write, F_GETFL) & O_NONBLOCK);
}

/* As where the program may not open /proc/self/fd. */
static void it_does_not_wait_where_the_file_cannot_be_opened_again(void **state)
{
	const struct fixture *f = *state;
	int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	log_close();
	assert_int_equal(dup2(f->write, STDERR_FILENO), STDERR_FILENO);
	fill(f);
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	close(before);
}

static void without_a_reader_it_goes_on(void **state)
{
	struct fixture *f = *state;

	close(f->read);
	for (int i = 0; i < 10; i++)
		log_info("nobody is there", "i=%d", i);
	f->read = -1;
}

static void a_flood_of_one_message_is_counted(void **state)
{
	const struct fixture *f = *state;
	_cleanup_(buf_done) struct buf got = { 0 };
	size_t lines = 0;

	for (int i = 0; i < 10000; i++)
		log_info("a flood", "i=%d", i);
	read_log(f, &got);
	for (const char *p = buf_str(&got); *p; p++)
		lines += *p == '\n';
	assert_in_range(lines, LOG_LIMIT_BURST, 2 * LOG_LIMIT_BURST);
	log_info("another", NULL);
	buf_reset(&got);
	read_log(f, &got);
	assert_non_null(strstr(buf_str(&got), "msg=\"another\""));
}

static void a_flood_of_debugging_is_not(void **state)
{
	const struct fixture *f = *state;
	_cleanup_(buf_done) struct buf got = { 0 };
	size_t lines = 0;

	log_debug("not asked for", NULL);
	log_set_level(LOG_DEBUG);
	for (int i = 0; i < 4 * LOG_LIMIT_BURST; i++)
		log_debug("asked for", NULL);
	read_log(f, &got);
	for (const char *p = buf_str(&got); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 4 * LOG_LIMIT_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(fields_are_written_as_they_stand),
		TEST(lines_can_be_json),
		TEST(a_value_cannot_end_itself),
		TEST(a_value_cannot_steer_a_terminal),
		TEST(a_long_value_is_cut_between_characters),
		TEST(a_wrong_format_is_shown_and_harmless),
		TEST(only_the_journal_gets_levels_as_numbers),
		TEST(who_does_not_read_does_not_stop_us),
		cmocka_unit_test_setup_teardown(
			who_does_not_read_does_not_stop_us, setup_socket, teardown),
		TEST(other_users_of_the_file_are_not_made_non_blocking),
		TEST(it_does_not_wait_where_the_file_cannot_be_opened_again),
		TEST(without_a_reader_it_goes_on),
		TEST(a_flood_of_one_message_is_counted),
		TEST(a_flood_of_debugging_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
