/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_SKIM_H
#define DECODE_SKIM_H

#include <stdbool.h>
#include <stddef.h>

#include "decode/value.h"

/*
 * Finds values in JSON text without making a tree of it. In valid JSON the value that is found is
 * right. In other text a value may be found, too, so the caller parses it before using it.
 */

/* A walk through the members of the object that the text begins with. */
struct skim {
	const char *p; /* before the next member; NULL: there is none */
	const char *end;
};
struct skim skim_members(struct text object);
/* The next member's name, as it is escaped, and its value without blanks around it. False: there
 * are no more. */
bool skim_next(struct skim *s, struct text *ret_name, struct text *ret_value);
bool skim_text_is(struct text t, const char *s);

/* The value of the first member of that name in the object that the text begins with, without
 * blanks around it. */
bool skim_member(struct text object, const char *name, struct text *ret);
/* A string's contents with a NUL at the end. Returns their length, or -1: it is no string, or needs
 * `size` or more bytes. */
ssize_t skim_string(struct text value, char *ret, size_t size);

#endif
