// SPDX-License-Identifier: GPL-2.0-or-later
#include "nearest.h"

enum { NEAREST_MAX_LEN = 64 }; /* longer names are near to none */

/* Levenshtein distance, one row of the matrix at a time. */
static unsigned edit_distance(const char *a, const char *b, size_t b_len)
{
	unsigned row[NEAREST_MAX_LEN + 1];

	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			unsigned insert = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < insert ? change : insert;
		}
	}
	return row[b_len];
}

void nearest_init(struct nearest *n, const char *name, size_t len)
{
	*n = (struct nearest){ .name = name, .len = len, .best = (unsigned)len / 2 + 1 };
}

void nearest_try(struct nearest *n, const char *candidate)
{
	unsigned d;

	if (!candidate || n->len > NEAREST_MAX_LEN)
		return;
	d = edit_distance(candidate, n->name, n->len);
	if (d >= n->best)
		return;
	n->best = d;
	n->found = candidate;
}
