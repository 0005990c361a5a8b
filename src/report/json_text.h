/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_JSON_TEXT_H
#define REPORT_JSON_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * JSON as text, written from its beginning to its end without a tree in between, for what has
 * hundreds of thousands of members: a tree of them takes ten times the memory and five times the
 * time. Each function appends one value, with a comma before it unless it is the first one in its
 * object or array or in the buffer, or follows a comma. `key`: its name in an object, which needs no escapes; NULL in
 * an array.
 */

/* Begins an object ('{') or an array ('['). */
void json_text_open(struct buf *b, const char *key, char bracket);
void json_text_close(struct buf *b, char bracket);
/* What is not UTF-8 becomes '?'. */
void json_text_string(struct buf *b, const char *key, const char *s);
void json_text_int(struct buf *b, const char *key, int64_t n);
void json_text_bool(struct buf *b, const char *key, bool value);
void json_text_null(struct buf *b, const char *key);

#endif
