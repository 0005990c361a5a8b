/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many lines of one message are written: LOG_LIMIT_BURST at once, and then one each
 * LOG_LIMIT_REFILL milliseconds. The others are counted. `now` is milliseconds on a monotonic clock.
 */

enum {
	LOG_LIMIT_BURST = 50,
	LOG_LIMIT_REFILL = 1000,
	LOG_LIMIT_MESSAGES = 128, /* further messages have one limit together */
};

struct log_limit_message {
	const char *text;
	int level;	   /* of its last line, for the caller */
	unsigned used;	   /* of the burst */
	uint64_t refilled; /* when `used` was right */
	size_t left_out;
};

/* A zeroed one is ready. */
struct log_limit {
	struct log_limit_message messages[LOG_LIMIT_MESSAGES];
	size_t n;
};

/* Whether a line of this message, which is a constant, is to be written; it is counted if not. */
bool log_limit_pass(struct log_limit *l, const char *text, int level, uint64_t now);
/*
 * A message of which lines were left out and another may be written now, `ret` with its count; what
 * was counted is forgotten. Returns false if there is none.
 */
bool log_limit_due(struct log_limit *l, uint64_t now, struct log_limit_message *ret);

#endif
