/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_CREDENTIAL_H
#define API_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Something secret or something to trust, given once or in a file that others rotate. Messages name
 * where it is from and never what is in it.
 */

enum credential_kind { CREDENTIAL_TOKEN, CREDENTIAL_PEM };

struct credential {
	enum credential_kind kind;
	char *key;	  /* what names it, for messages: "FILE: users[0].user.client-key" */
	char *path;	  /* NULL: does not change */
	struct buf value; /* empty: none */
	bool failing;	  /* the file could not be read again, which was logged */
};

/* What is at `path`, at most `max` bytes of a regular file. `ret` is empty. Returns 0, or a
 * negative errno with words. */
int credential_read_file(const char *path, size_t max, struct buf *ret, struct err *err);

/* Strings are copied; `data` may be NULL, `path` too. */
void credential_init(struct credential *c, enum credential_kind kind, const char *key,
	const char *path, const void *data, size_t len);
void credential_done(struct credential *c);
/* Returns 0, or a negative errno with words where the file is of no use; the value stays. */
int credential_load(struct credential *c, struct err *err);
/* The same where the file was good once: logs what is new. */
void credential_refresh(struct credential *c);
bool credential_is_given(const struct credential *c);

#endif
