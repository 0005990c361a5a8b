// SPDX-License-Identifier: GPL-2.0-or-later
#include "json_text.h"

#include <string.h>

#include "base/printable.h"

enum { INT_DIGITS = 20 };

static void json_text_begin(struct buf *b, const char *key)
{
	const char last = b->len ? b->data[b->len - 1] : '[';
	const size_t len = key ? strlen(key) : 0;
	char *p = buf_reserve(b, len + strlen(",\"\":"));

	if (last != '{' && last != '[' && last != ',')
		*p++ = ',';
	if (key) {
		*p++ = '"';
		p = mempcpy(p, key, len);
		*p++ = '"';
		*p++ = ':';
	}
	*p = '\0';
	b->len = (size_t)(p - b->data);
}

void json_text_open(struct buf *b, const char *key, char bracket)
{
	json_text_begin(b, key);
	buf_addc(b, bracket);
}

void json_text_close(struct buf *b, char bracket)
{
	buf_addc(b, bracket);
}

/* Appends one character. Returns its length. */
static size_t add_character(struct buf *b, const char *s)
{
	const unsigned char c = (unsigned char)*s;
	bool printable;
	size_t n;

	if (c == '"' || c == '\\') {
		buf_addc(b, '\\');
		buf_addc(b, *s);
		return 1;
	}
	if (c < ' ') {
		buf_addf(b, "\\u%04x", c);
		return 1;
	}
	n = c < 0x80 ? 1 : printable_next(s, strlen(s), &printable);
	buf_add(b, n == 1 && c >= 0x80 ? "?" : s, n);
	return n;
}

void json_text_string(struct buf *b, const char *key, const char *s)
{
	json_text_begin(b, key);
	buf_addc(b, '"');
	while (*s) {
		size_t plain = 0;

		while ((unsigned char)s[plain] >= ' ' && (unsigned char)s[plain] < 0x80 &&
			s[plain] != '"' && s[plain] != '\\')
			plain++;
		buf_add(b, s, plain);
		s += plain;
		if (*s)
			s += add_character(b, s);
	}
	buf_addc(b, '"');
}

void json_text_int(struct buf *b, const char *key, int64_t n)
{
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char text[INT_DIGITS];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	json_text_begin(b, key);
	if (n < 0)
		buf_addc(b, '-');
	buf_add(b, text + at, sizeof(text) - at);
}

void json_text_bool(struct buf *b, const char *key, bool value)
{
	json_text_begin(b, key);
	buf_adds(b, value ? "true" : "false");
}

void json_text_null(struct buf *b, const char *key)
{
	json_text_begin(b, key);
	buf_adds(b, "null");
}
