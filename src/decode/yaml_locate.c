// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "decode/yaml.h"

/*
 * Goes down the path through libyaml's events and passes over the values beside it. The result is
 * the place of the deepest part of the path that exists, because a missing field is missing there.
 */
struct locator {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	const char *path;   /* what is left of it */
	yaml_mark_t mark;
};

/* The next event becomes the current one. False at the end and where the text is broken. */
static bool locate_next(struct locator *l)
{
	yaml_event_delete(&l->event);
	return yaml_parser_parse(&l->parser, &l->event) && l->event.type != YAML_STREAM_END_EVENT;
}

static int nesting(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return 1;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return -1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_SCALAR_EVENT:
		return 0;
	}
	return 0;
}

/* From the first event of a value to its last one. */
static bool skip_value(struct locator *l)
{
	int depth = nesting(&l->event);

	while (depth > 0) {
		if (!locate_next(l))
			return false;
		depth += nesting(&l->event);
	}
	return true;
}

/* To the value of the key that the path begins with, which has that length. */
static bool locate_key(struct locator *l, size_t len)
{
	const char *key = l->path;

	if (*key == '[' && len >= 2) {
		key++;
		len -= 2;
	}
	while (locate_next(l) && l->event.type != YAML_MAPPING_END_EVENT) {
		bool match = l->event.type == YAML_SCALAR_EVENT &&
			l->event.data.scalar.length == len &&
			!memcmp(l->event.data.scalar.value, key, len);

		if (!skip_value(l) || !locate_next(l))
			return false;
		if (match)
			return true;
		if (!skip_value(l))
			return false;
	}
	return false;
}

/* The current event is the document's root. */
static void descend(struct locator *l)
{
	l->mark = l->event.start_mark;
	while (*l->path) {
		/* The first step: "spec" of "spec.ports[0]", "[0]" of "[0].port", "[a.b/c]" */
		size_t len = strcspn(l->path, *l->path == '[' ? "]" : ".[");
		unsigned long element = ULONG_MAX;

		if (*l->path == '[') {
			element = strtoul(l->path + 1, NULL, 10);
			len += l->path[len] != '\0';
		}
		if (l->event.type == YAML_MAPPING_START_EVENT) {
			if (!locate_key(l, len))
				return;
		} else if (l->event.type == YAML_SEQUENCE_START_EVENT) {
			for (unsigned long i = 0; i <= element; i++)
				if (!locate_next(l) || l->event.type == YAML_SEQUENCE_END_EVENT ||
					(i < element && !skip_value(l)))
					return;
		} else {
			return;
		}
		l->mark = l->event.start_mark;
		l->path += len;
		l->path += *l->path == '.';
	}
}

/* To the root of the document that begins in that line. */
static bool find_document(struct locator *l, unsigned line)
{
	while (locate_next(l)) {
		if (l->event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (!locate_next(l))
			return false;
		if (l->event.start_mark.line + 1 == line)
			return true;
		if (!skip_value(l))
			return false;
	}
	return false;
}

int yaml_locate(const char *text, size_t len, unsigned line, const char *path, unsigned *ret_line,
	unsigned *ret_column)
{
	const size_t mark = yaml_skip_mark(text, len);
	struct locator l = { .path = path };
	bool found;

	if (!yaml_parser_initialize(&l.parser))
		abort(); /* out of memory, as everywhere */
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text + mark, len - mark);
	found = find_document(&l, line);
	if (found)
		descend(&l);
	yaml_event_delete(&l.event);
	yaml_parser_delete(&l.parser);
	if (!found)
		return -ENOENT;
	*ret_line = (unsigned)l.mark.line + 1;
	*ret_column = (unsigned)l.mark.column + 1;
	return 0;
}
