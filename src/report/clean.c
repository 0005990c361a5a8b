// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/clean.h"

#include "base/mem.h"
#include "base/printable.h"

enum { MAX_DEPTH = 32 /* of reports; what is deeper is none and becomes empty */ };

static void clean_string(json_t *string)
{
	_cleanup_(buf_done) struct buf clean = { 0 };

	if (printable_all(json_string_value(string)))
		return;
	printable_add(&clean, json_string_value(string));
	json_string_set(string, buf_str(&clean));
}

static void clean_tree(json_t *tree, unsigned depth)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(tree))
		clean_string(tree);
	if (depth == MAX_DEPTH) {
		json_object_clear(tree);
		json_array_clear(tree);
	}
	json_object_foreach(tree, key, value)
		clean_tree(value, depth + 1);
	json_array_foreach(tree, i, value)
		clean_tree(value, depth + 1);
}

void report_clean(json_t *tree)
{
	clean_tree(tree, 0);
}
