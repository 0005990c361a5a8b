// SPDX-License-Identifier: GPL-2.0-or-later
#include "show.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/printable.h"

enum { COLUMN_GAP = 2 };

void show_init(struct show *t, const char *const *titles, size_t n_columns)
{
	*t = (struct show){ .titles = titles, .n_columns = n_columns };
}

void show_done(struct show *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (size_t j = 0; j < t->n_columns; j++)
			buf_done(&t->rows[i].cells[j]);
		free(t->rows[i].cells);
	}
	free(t->rows);
	*t = (struct show){ 0 };
}

void show_row(struct show *t, enum colour colour)
{
	mem_grow(t->rows, t->n, t->cap);
	t->rows[t->n++] = (struct show_row){
		.cells = mem_zalloc(t->n_columns, sizeof(struct buf)),
		.colour = colour,
	};
	t->filled = 0;
}

struct buf *show_cell(struct show *t)
{
	assert(t->n && t->filled < t->n_columns);
	return &t->rows[t->n - 1].cells[t->filled++];
}

struct buf *show_last_cell(struct show *t)
{
	t->filled = t->n_columns - 1;
	return show_cell(t);
}

static const char *cell_text(const struct buf *cell)
{
	return cell->len ? buf_str(cell) : "-";
}

struct sort_item {
	const char *key;
	size_t index;
	int sign;
	struct show_row row;
};

static int cmp_sort_item(const void *a, const void *b)
{
	const struct sort_item *x = a, *y = b;
	int c = x->sign * strverscmp(x->key, y->key);

	return c ? c : (x->index > y->index) - (x->index < y->index);
}

int show_sort(struct show *t, const char *title, bool descending, struct err *err)
{
	_cleanup_free_ struct sort_item *items = NULL;
	_cleanup_(buf_done) struct buf titles = { 0 };
	size_t column = 0;

	while (column < t->n_columns && strcasecmp(t->titles[column], title) != 0)
		buf_addf(&titles, " %s", t->titles[column++]);
	if (column == t->n_columns)
		return err_set(err, -EINVAL, "--sort-by: no column \"%s\"; the columns are%s",
			title, buf_str(&titles));

	items = mem_zalloc(t->n, sizeof(*items));
	for (size_t i = 0; i < t->n; i++)
		items[i] = (struct sort_item){ cell_text(&t->rows[i].cells[column]), i,
			descending ? -1 : 1, t->rows[i] };
	qsort(items, t->n, sizeof(*items), cmp_sort_item);
	for (size_t i = 0; i < t->n; i++)
		t->rows[i] = items[i].row;
	return 0;
}

static void print_padded(struct buf *out, const char *s, size_t width)
{
	printable_add(out, s);
	for (size_t i = printable_count(s); i < width + COLUMN_GAP; i++)
		buf_addc(out, ' ');
}

void show_print(const struct show *t, bool headers, bool colours, struct buf *out)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",
		[COLOUR_GREEN] = "\033[32m",
		[COLOUR_YELLOW] = "\033[33m",
		[COLOUR_RED] = "\033[31m",
	};
	_cleanup_free_ size_t *widths = mem_zalloc(t->n_columns, sizeof(*widths));
	const size_t last = t->n_columns - 1;

	for (size_t i = 0; i < last; i++) {
		widths[i] = headers ? printable_count(t->titles[i]) : 0;
		for (size_t r = 0; r < t->n; r++) {
			size_t width = printable_count(cell_text(&t->rows[r].cells[i]));

			if (width > widths[i])
				widths[i] = width;
		}
	}
	if (headers) {
		for (size_t i = 0; i < last; i++)
			print_padded(out, t->titles[i], widths[i]);
		buf_addf(out, "%s\n", t->titles[last]);
	}
	for (size_t r = 0; r < t->n; r++) {
		const struct show_row *row = &t->rows[r];
		enum colour colour = colours ? row->colour : COLOUR_NONE;

		for (size_t i = 0; i < last; i++)
			print_padded(out, cell_text(&row->cells[i]), widths[i]);
		buf_adds(out, codes[colour]);
		printable_add(out, cell_text(&row->cells[last]));
		buf_adds(out, colour == COLOUR_NONE ? "\n" : "\033[0m\n");
	}
}

bool show_colours_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
		!(term && !strcmp(term, "dumb"));
}
