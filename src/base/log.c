// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "base/printable.h"

enum {
	ROOM = 256, /* at the end of a line, for names of fields whose values are too long */
	NUMBER_DIGITS = 15, /* that a double of JavaScript holds exactly */
};

static struct {
	enum log_level level;
	enum log_format format;
	struct log_limit limit;
	int fd;		 /* what log_open() was given; 0: standard error */
	int own;	 /* the same file, but non-blocking for us alone; 0: there is none */
	struct buf rest; /* of a line that was written in part */
	size_t lost;	 /* lines that nobody read */
} logger = { .level = LOG_INFO };

void log_set_level(enum log_level level)
{
	logger.level = level;
}

void log_set_format(enum log_format format)
{
	logger.format = format;
}

/* Output */

static int log_fd(void)
{
	return logger.fd ? logger.fd : STDERR_FILENO;
}

/* Returns how many bytes were written without waiting, or -1. */
static ssize_t log_put(const char *data, size_t len)
{
	ssize_t n = send(log_fd(), data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0 || errno != ENOTSOCK)
		return n;
	if (logger.own)
		return write(logger.own, data, len);
	/* A pipe that can be written to takes PIPE_BUF bytes without waiting. */
	if (poll(&(struct pollfd){ .fd = log_fd(), .events = POLLOUT }, 1, 0) != 1)
		return -1;
	return write(log_fd(), data, len);
}

/* Writes a line, or keeps what is left of it; false: nothing of it was written. */
static bool log_put_line(const struct buf *line)
{
	ssize_t n;

	if (logger.rest.len) {
		n = log_put(logger.rest.data, logger.rest.len);
		if (n < 0)
			return false;
		memmove(logger.rest.data, logger.rest.data + n, logger.rest.len -= (size_t)n);
		if (logger.rest.len)
			return false;
	}
	n = log_put(line->data, line->len);
	if (n < 0)
		return false;
	buf_add(&logger.rest, line->data + n, line->len - (size_t)n);
	return true;
}

/* Lines */

static bool is_journal(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return journal && sscanf(journal, "%llu:%llu", &dev, &ino) == 2 && !fstat(log_fd(), &st) &&
		st.st_dev == dev && st.st_ino == ino;
}

static void begin_line(struct buf *line, enum log_level level, const char *msg)
{
	static const char *const name[] = { "error", "warning", "info", "debug" };
	static const int priority[] = { 3, 4, 6, 7 }; /* syslog(3) */
	struct timespec ts;
	struct tm tm;
	char when[32];

	if (is_journal())
		buf_addf(line, "<%d>", priority[level]);
	clock_gettime(CLOCK_REALTIME, &ts);
	if (logger.format == LOG_JSON) {
		buf_addf(line, "{\"ts\":%lld.%03ld,\"level\":\"%s\",\"msg\":\"",
			(long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000,
			ts.tv_nsec / 1000 % 1000, name[level]);
		printable_add_json_quoted(line, msg, strlen(msg));
		buf_addc(line, '"');
		return;
	}
	if (is_journal()) {
		buf_addf(line, "level=%s", name[level]);
	} else {
		gmtime_r(&ts.tv_sec, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
		buf_addf(line, "time=%s.%03ldZ level=%s", when, ts.tv_nsec / 1000000, name[level]);
	}
	buf_addf(line, " msg=\"%s\"", msg);
}

/* A whole number, as JSON has it. */
static bool is_number(const char *text)
{
	const size_t digits = strspn(text, "0123456789");

	return digits && digits <= NUMBER_DIGITS && !text[digits] && (*text != '0' || digits == 1);
}

static void add_value(struct buf *line, const char *text, size_t len, bool cut, bool quoted)
{
	buf_adds(line, quoted ? "\"" : "");
	if (logger.format == LOG_JSON)
		printable_add_json_quoted(line, text, len);
	else
		printable_add_quoted(line, text, len);
	buf_addf(line, "%s%s", cut ? "..." : "", quoted ? "\"" : "");
}

static void add_key(struct buf *line, const char *key, size_t key_len)
{
	if (logger.format == LOG_JSON)
		buf_addf(line, ",\"%.*s\":", (int)key_len, key);
	else
		buf_addf(line, " %.*s=", (int)key_len, key);
}

static void add_field(
	struct buf *line, const char *key, size_t key_len, const struct buf *value, bool quoted)
{
	const size_t before = line->len;
	const char *text = buf_str(value);
	size_t len = value->len;
	bool printable;

	if (logger.format == LOG_JSON)
		quoted = quoted || !is_number(text);
	else if (!*text || !printable_all(text) || text[strcspn(text, " \"=\\")])
		quoted = true;
	if (len > LOG_MAX_VALUE)
		for (size_t n = len = 0; len + n <= LOG_MAX_VALUE; len += n)
			n = printable_next(text + len, value->len - len, &printable);
	add_key(line, key, key_len);
	add_value(line, text, len, len < value->len, quoted);
	if (line->len > LOG_MAX_LINE - ROOM) { /* which takes several long ones */
		line->len = before;
		add_key(line, key, key_len);
		add_value(line, "", 0, true, logger.format == LOG_JSON);
	}
}

struct log_args {
	va_list list;
	int error; /* errno at the call */
};

/* Appends one conversion and returns its length; 0: log.h does not have it. */
static size_t add_conversion(struct buf *b, const char *at, struct log_args *args)
{
	size_t len = 1 + strspn(at + 1, ".0123456789"), longs = 0;
	bool size = at[len] == 'z';
	char spec[16];

	for (len += size; !size && at[len] == 'l'; len++)
		longs++;
	if (!at[len] || len + 2 > sizeof(spec) || longs > 2)
		return 0;
	memcpy(spec, at, len + 1);
	spec[len + 1] = '\0';
	switch (at[len]) {
	case 's':
		buf_addf(b, spec, va_arg(args->list, const char *));
		break;
	case 'm':
		buf_adds(b, strerror(args->error));
		break;
	case 'c':
		buf_addf(b, spec, va_arg(args->list, int));
		break;
	case 'd':
	case 'u':
	case 'x':
		if (longs == 2) {
			buf_addf(b, spec, va_arg(args->list, unsigned long long));
			break;
		}
		if (longs || size) { /* which are the same in every ABI of Linux */
			buf_addf(b, spec, va_arg(args->list, unsigned long));
			break;
		}
		buf_addf(b, spec, va_arg(args->list, unsigned));
		break;
	default:
		return 0;
	}
	return len + 1;
}

/* Returns false if the format is none of log.h: what comes behind that place is not added. */
static bool add_fields(struct buf *line, const char *at, struct log_args *args)
{
	_cleanup_(buf_done) struct buf value = { 0 };

	while (*at) {
		const char *key = at;
		size_t key_len = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789"), n;
		bool quoted;

		at += key_len;
		if (!key_len || *at++ != '=')
			return false;
		quoted = *at == '"';
		at += quoted;
		buf_reset(&value);
		while (*at && *at != (quoted ? '"' : ' ')) {
			n = *at == '%' ? add_conversion(&value, at, args) : 1;
			if (!n)
				return false;
			if (*at != '%')
				buf_addc(&value, *at);
			at += n;
		}
		if (quoted && *at++ != '"')
			return false;
		add_field(line, key, key_len, &value, quoted);
		if (*at && *at++ != ' ')
			return false;
	}
	return true;
}

static void log_line(enum log_level level, const char *msg, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));

static void log_vline(
	enum log_level level, const char *msg, const char *fields, struct log_args *args)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	begin_line(&line, level, msg);
	if (fields && !add_fields(&line, fields, args)) {
		add_key(&line, "fields", strlen("fields"));
		add_value(&line, "invalid", strlen("invalid"), false, logger.format == LOG_JSON);
	}
	buf_adds(&line, logger.format == LOG_JSON ? "}\n" : "\n");
	if (!log_put_line(&line))
		logger.lost++;
}

static void log_line(enum log_level level, const char *msg, const char *fields, ...)
{
	struct log_args args = { .error = errno };

	va_start(args.list, fields);
	log_vline(level, msg, fields, &args);
	va_end(args.list);
}

/* What happened before comes first. */
static void flush_counts(uint64_t now)
{
	struct log_limit_message m;
	size_t lost = logger.lost;

	if (lost) {
		logger.lost = 0;
		log_line(LOG_WARN, "lost lines of the log, which nobody read", "lines=%zu", lost);
		if (logger.lost) {
			logger.lost = lost;
			return;
		}
	}
	while (log_limit_due(&logger.limit, now, &m))
		log_line((enum log_level)m.level, "left out lines with the same message",
			"of=\"%s\" lines=%zu", m.text, m.left_out);
}

void log_flush(void)
{
	flush_counts(clock_ms());
}

void log_write(enum log_level level, const char *msg, const char *fields, ...)
{
	struct log_args args = { .error = errno };

	if (level > logger.level)
		return;
	log_flush();
	if (level == LOG_DEBUG || log_limit_pass(&logger.limit, msg, (int)level, clock_ms())) {
		va_start(args.list, fields);
		log_vline(level, msg, fields, &args);
		va_end(args.list);
	}
	errno = args.error;
}

/* The file */

/*
 * O_NONBLOCK belongs to the open file, which other processes share: setting it on ours would break
 * the shell that started us. A pipe or a terminal can be opened a second time.
 */
void log_open(int fd)
{
	char path[32];
	struct stat st;

	log_close();
	logger.fd = fd;
	if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd > 0)
		logger.own = fd;
}

void log_close(void)
{
	flush_counts(UINT64_MAX);
	if (logger.own)
		close(logger.own);
	logger.fd = logger.own = 0;
	buf_done(&logger.rest);
}
