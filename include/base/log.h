/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * Log lines in logfmt: `time=... level=info msg="..." key=value ...`. Under systemd (standard error
 * is what the environment has in JOURNAL_STREAM) the time is left to the journal and the level is
 * its <N> prefix.
 *
 * No call waits: while nobody reads the log, lines are counted instead of written, and the count is
 * the first line afterwards. Of one message only so many lines are written as base/log_limit.h
 * says, but all of level debug.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum {
	LOG_MAX_LINE = 4096, /* bytes, with the newline: PIPE_BUF, so that a pipe takes it whole */
	LOG_MAX_VALUE = 1000 /* bytes of one value, before they are escaped; the rest is cut */
};

void log_set_level(enum log_level level);
/*
 * With LOG_JSON each line is an object as Kubernetes writes it: {"ts": MILLISECONDS, "level": "info",
 * "msg": "...", "KEY": VALUE, ...}. A value is a number where the field has no quotes and is a whole
 * one, else a string. The journal gets the same lines, behind its prefix.
 */
enum log_format { LOG_TEXT, LOG_JSON };
void log_set_format(enum log_format format);

/* Writes to this descriptor from now on, instead of standard error; it stays the caller's. */
void log_open(int fd);
/* Writes the counts of all lines that were left out, and lets go of the descriptor: standard error
 * is written to again. */
void log_close(void);

/*
 * One line. `msg` is a constant sentence: lines with the same one are limited together.
 *
 * `fields` is NULL, or a constant of `key=value` pairs with one blank between two of them. A value is
 * a word, or anything between double quotes, with conversions of printf(3) in it: %s, %d, %u, %x and
 * %c, with l, ll, z and a precision, and %m. Each value is escaped as a whole after it is formatted
 * (printable_add_quoted()), and put between quotes if it needs them, so that it cannot end itself,
 * begin another field or another line, or steer a terminal.
 */
void log_write(enum log_level level, const char *msg, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/* Writes the counts of lines that were left out and may be written by now. To be called now and
 * then. */
void log_flush(void);

#endif
