/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Tables for people and for awk: capital titles, columns of text, two blanks between them, nothing
 * cut. */

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED };

struct show_row {
	char **cells;
	enum colour colour; /* of the last cell */
};

struct show {
	const char *const *titles;
	size_t n_columns;
	struct show_row *rows;
	size_t n, cap;
};

void show_init(struct show *t, const char *const *titles, size_t n_columns);
void show_done(struct show *t);
/*
 * Adds a row of n_columns texts, which are copied; an empty one becomes "-", control characters
 * become '?'.
 */
void show_add(struct show *t, const char *const *cells, enum colour colour);
/*
 * Sorts by the column of that title, in any case; numbers inside the texts count as numbers. Rows
 * that are equal there keep their order. Returns 0, or -EINVAL with words: no such column.
 */
int show_sort(struct show *t, const char *title, bool descending, struct err *err);
void show_print(const struct show *t, bool headers, bool colours, struct buf *out);

/* Standard output is a terminal that shows colours, and nobody asked for none (NO_COLOR). */
bool show_colours_wanted(void);

/* Appends a text with control characters replaced by '?', so that it cannot steer a terminal. */
void show_text(struct buf *out, const char *s);

#endif
