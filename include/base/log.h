/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * Log lines on standard error in logfmt: `time=... level=info msg="..." key=value ...`. Under
 * systemd (the environment has JOURNAL_STREAM) the time is left to the journal and the level is its
 * <N> prefix.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);

/*
 * One line. `msg` is a constant sentence. `fields` is a printf format for the `key=value` pairs, or
 * NULL; quote what may hold a blank: `err=\"%s\"`. Control characters are printed as '?'.
 */
void log_write(enum log_level level, const char *msg, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
