// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/skim.h"

#include <jansson.h>
#include <string.h>

/* All return where they stopped, or NULL: the text ended before. */

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p < end ? p : NULL;
}

/* Behind the string that begins here. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : NULL;
}

static const char *skip_brackets(const char *p, const char *end)
{
	size_t depth = 0;

	while (p && p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && !--depth)
			return p + 1;
		p++;
	}
	return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
	if (*p == '"')
		return skip_string(p, end);
	if (*p == '{' || *p == '[')
		return skip_brackets(p, end);
	while (p < end && !strchr(",]} \t\r\n", *p))
		p++;
	return p;
}

/* From a member's name to its value. */
static const char *skip_colon(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	return p && *p == ':' ? skip_blanks(p + 1, end) : NULL;
}

static bool is_name(const char *from, const char *to, const char *name)
{
	size_t len = strlen(name);

	return (size_t)(to - from) == len + 2 && !memcmp(from + 1, name, len);
}

bool skim_member(struct text object, const char *name, struct text *ret)
{
	const char *end = object.s + object.len, *p = skip_blanks(object.s, end);

	if (!p || *p != '{')
		return false;
	do {
		const char *key = skip_blanks(p + 1, end), *colon, *value;

		if (!key || *key != '"')
			return false;
		colon = skip_string(key, end);
		value = colon ? skip_colon(colon, end) : NULL;
		p = value ? skip_value(value, end) : NULL;
		if (!p)
			return false;
		if (is_name(key, colon, name)) {
			*ret = (struct text){ value, (size_t)(p - value) };
			return true;
		}
		p = skip_blanks(p, end);
	} while (p && *p == ',');
	return false;
}

static ssize_t copy(const char *s, size_t len, char *ret, size_t size)
{
	if (len >= size)
		return -1;
	memcpy(ret, s, len);
	ret[len] = '\0';
	return (ssize_t)len;
}

ssize_t skim_string(struct text value, char *ret, size_t size)
{
	json_t *string;
	ssize_t n = -1;

	if (value.len < 2 || *value.s != '"')
		return -1;
	if (!memchr(value.s, '\\', value.len))
		return copy(value.s + 1, value.len - 2, ret, size);
	string = json_loadb(value.s, value.len, JSON_DECODE_ANY, NULL);
	if (string)
		n = copy(json_string_value(string), json_string_length(string), ret, size);
	json_decref(string);
	return n;
}
