/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A gzipped tar of texts. It is written here, and not by tar(1), because an image may lack that program
 * and because nothing is to lie in a directory for a while that has not been scrubbed.
 */

struct bundle;

/* `path`: must not exist; "-": standard output. `time`: seconds since the epoch, of all members. Returns
 * 0, or a negative errno with words. */
int bundle_open(const char *path, uint64_t time, struct bundle **ret, struct err *err);
/* Adds a file, whose name is cut at 99 bytes, with its text scrubbed. */
void bundle_add(struct bundle *b, const char *name, const char *text);
/* Frees it. Returns 0, or a negative errno with words: the file is incomplete. */
int bundle_close(struct bundle *b, struct err *err);

/*
 * Appends the text without secrets, in place of which it says so: PEM blocks; JSON web tokens; what
 * follows "Bearer"; users and passwords of URLs; and the values of keys and options like "token",
 * "password" and "client-key-data", as YAML, JSON and command lines write them.
 */
void bundle_scrub(const char *text, struct buf *ret);

#endif
