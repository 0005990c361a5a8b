// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/skim.h"

#include <jansson.h>
#include <string.h>

/* The functions return where they stopped, or NULL: the text ended before. */

static const char *skim_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p < end ? p : NULL;
}

/* To the byte after the string that begins here. */
static const char *skim_to_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : NULL;
}

static const char *skim_value(const char *p, const char *end)
{
	size_t depth = 0;

	if (*p == '"')
		return skim_to_end(p, end);
	if (*p != '{' && *p != '[') {
		while (p < end && !strchr(",]} \t\r\n", *p))
			p++;
		return p;
	}
	while (p && p < end) {
		if (*p == '"') {
			p = skim_to_end(p, end);
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

struct skim skim_members(struct text object)
{
	const char *end = object.s + object.len, *p = skim_blanks(object.s, end);

	return (struct skim){ p && *p == '{' ? p : NULL, end };
}

bool skim_next(struct skim *s, struct text *ret_name, struct text *ret_value)
{
	const char *key = s->p ? skim_blanks(s->p + 1, s->end) : NULL, *key_end, *value, *p;

	s->p = NULL;
	if (!key || *key != '"')
		return false;
	key_end = skim_to_end(key, s->end);
	p = key_end ? skim_blanks(key_end, s->end) : NULL;
	if (!p || *p != ':')
		return false;
	value = skim_blanks(p + 1, s->end);
	p = value ? skim_value(value, s->end) : NULL;
	if (!p)
		return false;
	*ret_name = (struct text){ key + 1, (size_t)(key_end - key) - 2 };
	*ret_value = (struct text){ value, (size_t)(p - value) };
	p = skim_blanks(p, s->end);
	if (p && *p == ',')
		s->p = p;
	return true;
}

bool skim_text_is(struct text t, const char *s)
{
	return t.len == strlen(s) && !memcmp(t.s, s, t.len);
}

bool skim_member(struct text object, const char *name, struct text *ret)
{
	struct skim s = skim_members(object);
	struct text key, value;

	while (skim_next(&s, &key, &value)) {
		if (skim_text_is(key, name)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

ssize_t skim_string(struct text value, char *ret, size_t size)
{
	json_t *string = NULL;
	const char *s;
	size_t len;

	if (value.len < 2 || *value.s != '"')
		return -1;
	s = value.s + 1;
	len = value.len - 2;
	if (memchr(value.s, '\\', value.len)) {
		string = json_loadb(value.s, value.len, JSON_DECODE_ANY, NULL);
		s = json_string_value(string);
		len = json_string_length(string);
	}
	if (s && len < size) {
		memcpy(ret, s, len);
		ret[len] = '\0';
	}
	json_decref(string);
	return s && len < size ? (ssize_t)len : -1;
}
