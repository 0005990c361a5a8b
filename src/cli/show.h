/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Tables for people and for awk: titles in capitals, columns of text with two blanks between them,
 * nothing truncated. An empty cell is shown as "-", what is not printable as '?'.
 */

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED };

struct show_row {
	struct buf *cells;
	enum colour colour; /* of the last cell */
};

struct show {
	const char *const *titles;
	size_t n_columns;
	struct show_row *rows;
	size_t n, cap;
	size_t filled; /* cells of the last row */
};

void show_init(struct show *t, const char *const *titles, size_t n_columns);
void show_done(struct show *t);
/* Begins a row of empty cells. */
void show_row(struct show *t, enum colour colour);
/* The next cell of the last row, and its last cell: empty, for the caller to append to. */
struct buf *show_cell(struct show *t);
struct buf *show_last_cell(struct show *t);
/*
 * Sorts by the column with that title, in any case; numbers inside the texts are compared as
 * numbers. Equal rows keep their order. Returns 0, or -EINVAL with a text: no such column.
 */
int show_sort(struct show *t, const char *title, bool descending, struct err *err);
void show_print(const struct show *t, bool headers, bool colours, struct buf *out);

/* Erases the screen of a terminal. */
#define SHOW_CLEAR "\033[H\033[2J"
/* True if standard output is a terminal with colours and NO_COLOR does not forbid them. */
bool show_colours_wanted(void);

#endif
