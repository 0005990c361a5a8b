/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_CREDENTIAL_H
#define API_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A token, key or certificate, given in place or in a file that is rotated. Messages name its
 * origin and never its content.
 */

enum credential_kind { CREDENTIAL_TOKEN, CREDENTIAL_PEM };

struct credential {
	enum credential_kind kind;
	const char *key;  /* for messages: "FILE: users[0].user.client-key"; the owner's */
	const char *path; /* NULL: does not change; the owner's */
	struct buf value; /* no data: none */
	bool failing;	  /* the file could not be read again, which was logged */
};

/* The content of a regular file of at most `max` bytes. `ret` is empty before. Returns 0, or a
 * negative errno with words. */
int credential_read_file(const char *path, size_t max, struct buf *ret, struct err *err);

/* Overwrites and frees the value. */
void credential_done(struct credential *c);
/* Returns 0, or a negative errno with words if the file is unusable; the value stays. */
int credential_load(struct credential *c, struct err *err);
/* Reads the file again, if there is one, and logs a change or, once, a failure. */
void credential_refresh(struct credential *c);
bool credential_is_given(const struct credential *c);

#endif
