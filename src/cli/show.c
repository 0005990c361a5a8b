// SPDX-License-Identifier: GPL-2.0-or-later
#include "show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"

enum { COLUMN_GAP = 2 };

void show_init(struct show *t, const char *const *titles, size_t n_columns)
{
	*t = (struct show){ .titles = titles, .n_columns = n_columns };
}

void show_done(struct show *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (size_t j = 0; j < t->n_columns; j++)
			free(t->rows[i].cells[j]);
		free(t->rows[i].cells);
	}
	free(t->rows);
	t->rows = NULL;
	t->n = t->cap = 0;
}

void show_text(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_addc(out, (unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
}

static char *clean_cell(const char *s)
{
	struct buf b = { 0 };

	show_text(&b, *s ? s : "-");
	return buf_take(&b);
}

void show_add(struct show *t, const char *const *cells, enum colour colour)
{
	struct show_row *row;

	mem_grow(t->rows, t->n, t->cap);
	row = &t->rows[t->n++];
	row->cells = mem_zalloc(t->n_columns, sizeof(*row->cells));
	row->colour = colour;
	for (size_t i = 0; i < t->n_columns; i++)
		row->cells[i] = clean_cell(cells[i]);
}

/* In characters: the bytes of UTF-8 that begin one. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static size_t column_width(const struct show *t, size_t column, bool headers)
{
	size_t max = headers ? width(t->titles[column]) : 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t w = width(t->rows[i].cells[column]);

		if (w > max)
			max = w;
	}
	return max;
}

struct sort_item {
	const char *key;
	size_t index;
	int sign;
	struct show_row row;
};

static int cmp_item(const void *a, const void *b)
{
	const struct sort_item *x = a, *y = b;
	int c = x->sign * strverscmp(x->key, y->key);

	return c ? c : (x->index > y->index) - (x->index < y->index);
}

static int no_column(const struct show *t, const char *title, struct err *err)
{
	_cleanup_(buf_done) struct buf titles = { 0 };

	for (size_t i = 0; i < t->n_columns; i++)
		buf_addf(&titles, " %s", t->titles[i]);
	return err_set(
		err, -EINVAL, "--sort-by: no column \"%s\"; there are%s", title, buf_str(&titles));
}

int show_sort(struct show *t, const char *title, bool descending, struct err *err)
{
	_cleanup_free_ struct sort_item *items = NULL;
	size_t column = 0;

	while (column < t->n_columns && strcasecmp(t->titles[column], title) != 0)
		column++;
	if (column == t->n_columns)
		return no_column(t, title, err);
	items = mem_zalloc(t->n, sizeof(*items));
	for (size_t i = 0; i < t->n; i++)
		items[i] = (struct sort_item){ t->rows[i].cells[column], i, descending ? -1 : 1,
			t->rows[i] };
	qsort(items, t->n, sizeof(*items), cmp_item);
	for (size_t i = 0; i < t->n; i++)
		t->rows[i] = items[i].row;
	return 0;
}

static void print_cell(struct buf *out, const char *s, size_t column, bool last)
{
	buf_adds(out, s);
	if (last)
		return;
	for (size_t i = width(s); i < column + COLUMN_GAP; i++)
		buf_addc(out, ' ');
}

static void print_last(struct buf *out, const char *s, enum colour colour)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",
		[COLOUR_GREEN] = "\033[32m",
		[COLOUR_YELLOW] = "\033[33m",
		[COLOUR_RED] = "\033[31m",
	};

	buf_addf(out, "%s%s%s\n", codes[colour], s, colour == COLOUR_NONE ? "" : "\033[0m");
}

void show_print(const struct show *t, bool headers, bool colours, struct buf *out)
{
	_cleanup_free_ size_t *widths = mem_zalloc(t->n_columns, sizeof(*widths));
	const size_t last = t->n_columns - 1;

	for (size_t i = 0; i < last; i++)
		widths[i] = column_width(t, i, headers);
	for (size_t i = 0; headers && i < last; i++)
		print_cell(out, t->titles[i], widths[i], false);
	if (headers)
		print_last(out, t->titles[last], COLOUR_NONE);
	for (size_t r = 0; r < t->n; r++) {
		const struct show_row *row = &t->rows[r];

		for (size_t i = 0; i < last; i++)
			print_cell(out, row->cells[i], widths[i], false);
		print_last(out, row->cells[last], colours ? row->colour : COLOUR_NONE);
	}
}

bool show_colours_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
		!(term && !strcmp(term, "dumb"));
}
