// SPDX-License-Identifier: GPL-2.0-or-later
#include "yaml_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Whether the text, if it is JSON, keeps the limits: jansson knows neither ours of depth nor of
 * values. (If it is YAML that looks like JSON, the answer only says who reads it first.)
 */
static bool keeps_limits(const char *text, size_t len)
{
	size_t depth = 0, nodes = 1;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\') {
			i++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && (c == '{' || c == '[')) {
			nodes++;
			if (++depth > YAML_MAX_DEPTH)
				return false;
		} else if (!in_string && (c == '}' || c == ']')) {
			depth -= depth > 0;
		} else if (!in_string && (c == ',' || c == ':')) {
			nodes++;
		}
		if (nodes > YAML_MAX_NODES)
			return false;
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(const char *text, size_t len, unsigned *ret_line)
{
	size_t i = 0;
	unsigned line = 1;

	for (; i < len && is_blank(text[i]); i++)
		line += text[i] == '\n';
	*ret_line = line;
	return i;
}

int yaml_parse_json(const char *text, size_t len, void (*fn)(json_t *doc, unsigned line, void *arg),
	void *arg, struct yaml_error *err)
{
	unsigned line;
	size_t start = skip_blanks(text, len, &line);
	json_error_t error;
	json_t *doc;

	if (start == len || (text[start] != '{' && text[start] != '['))
		return -ENOTSUP;
	if (!keeps_limits(text, len))
		return -ENOTSUP;
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!doc) {
		*err = (struct yaml_error){ .line = (unsigned)error.line,
			.column = error.column > 0 ? (unsigned)error.column : 1 };
		snprintf(err->message, sizeof(err->message), "%s", error.text);
		return -EINVAL;
	}
	fn(doc, line, arg);
	json_decref(doc);
	return 0;
}
