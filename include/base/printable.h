/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Foreign text on its way to a terminal or into a log. These characters of UTF-8 are not printable:
 *
 * 1. control characters: C0, DEL and C1, with which a terminal can be steered;
 * 2. what ends or reorders a line, so that it reads as something else: U+2028, U+2029, the marks
 *    and overrides of bidirectional text;
 * 3. the byte order mark, and every byte that is not part of valid UTF-8 (RFC 3629): on an 8-bit
 *    terminal it may be a C1 character.
 */

/* The length in bytes of the character at `s`, which has `len` bytes, at least 1. Of a byte that
 * is not UTF-8: 1. */
size_t printable_next(const char *s, size_t len, bool *ret_printable);

/* Whether all of it is printable. */
bool printable_all(const char *s);
/* How many characters it has. */
size_t printable_count(const char *s);

/* Appends it with '?' for each character that is not printable. */
void printable_add(struct buf *b, const char *s);
/*
 * Appends it as it is written between double quotes: a quote or a backslash follows a backslash, and
 * what is not printable is \n, \t, \r, \xNN (a byte) or \uNNNN (a character).
 */
void printable_add_quoted(struct buf *b, const char *s, size_t len);
/* The same between the quotes of a JSON string, where each byte that is not UTF-8 becomes U+FFFD. */
void printable_add_json_quoted(struct buf *b, const char *s, size_t len);
/* Appends valid JSON, in the strings of which what is not printable is written as \uNNNN. */
void printable_add_json(struct buf *b, const char *json);

#endif
