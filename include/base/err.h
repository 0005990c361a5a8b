/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

/*
 * An error for a person to read, passed by value: nothing to free. A function that takes one as its
 * last parameter fills it exactly when it returns a negative errno; NULL is accepted by all calls
 * here.
 */
struct err {
	int code; /* negative errno */
	char msg[400];
};

/* Both return `code`, so that a caller can write `return err_set(err, -EINVAL, ...)`. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Appends ": " and the text of errno -code. */
int err_errno(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts words and ": " before the message; a message that grows too long is cut at its end. */
void err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "; " and words behind the message. */
void err_suffix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Whether this negative errno means that the process or the machine is short of something, such as
 * descriptors or memory: nothing is known then about what was asked for.
 */
bool err_is_shortage(int code);

#endif
