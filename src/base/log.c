// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level max_level = LOG_INFO;

void log_set_level(enum log_level level)
{
	max_level = level;
}

static size_t print_head(char *line, size_t size, enum log_level level)
{
	static const char *const name[] = { "error", "warning", "info", "debug" };
	static const int priority[] = { 3, 4, 6, 7 }; /* syslog(3) */
	struct timespec ts;
	struct tm tm;
	char when[32];

	if (getenv("JOURNAL_STREAM"))
		return (size_t)snprintf(line, size, "<%d>level=%s", priority[level], name[level]);
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	return (size_t)snprintf(
		line, size, "time=%s.%03ldZ level=%s", when, ts.tv_nsec / 1000000, name[level]);
}

/*
 * Escapes the quotes inside of a value, which must not end it:
 * err="is "x", must be a number" becomes err="is \"x\", must be a number".
 */
static size_t escape_fields(const char *fields, char *out, size_t size)
{
	bool quoted = false;
	size_t n = 0;

	for (const char *p = fields; *p && n + 2 < size; p++) {
		if (*p == '"' && !quoted) {
			quoted = p > fields && p[-1] == '=';
		} else if (*p == '"') {
			/* The quote that ends a value is followed by nothing or by " key=". */
			size_t key = p[1] == ' ' ? strspn(p + 2, "abcdefghijklmnopqrstuvwxyz_") : 0;

			quoted = p[1] && !(key && p[2 + key] == '=');
			if (quoted)
				out[n++] = '\\';
		}
		out[n++] = *p;
	}
	return n;
}

void log_write(enum log_level level, const char *msg, const char *fields, ...)
{
	char line[2048], raw[1800];
	const size_t room = sizeof(line) - 1; /* for the newline */
	size_t len;
	va_list ap;

	if (level > max_level)
		return;
	len = print_head(line, room, level);
	len += (size_t)snprintf(line + len, room - len, " msg=\"%s\"", msg);
	if (fields && len + 1 < room) {
		line[len++] = ' ';
		va_start(ap, fields);
		vsnprintf(raw, sizeof(raw), fields, ap);
		va_end(ap);
		len += escape_fields(raw, line + len, room - len);
	} else {
		len = strnlen(line, room);
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* there is no other place to report it */
}
