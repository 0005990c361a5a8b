// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/printable.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

/* Decodes one character; returns its length, or 0: this is not UTF-8. */
static size_t decode_utf8(const char *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 }; /* by length */
	const unsigned char *p = (const unsigned char *)s;
	size_t n = *p < 0x80 ? 1 : *p >= 0xf0 && *p < 0xf8 ? 4 : *p >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? *p : *p & (0x7fU >> n);

	if ((*p >= 0x80 && *p < 0xc0) || *p >= 0xf8 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

static bool is_printable(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} never[] = {
		{ 0, 0x1f },	    /* C0 */
		{ 0x7f, 0x9f },	    /* DEL, C1 */
		{ 0x61c, 0x61c },   /* Arabic letter mark */
		{ 0x200e, 0x200f }, /* left-to-right and right-to-left mark */
		{ 0x2028, 0x202e }, /* line and paragraph separator, embeddings, overrides */
		{ 0x2066, 0x2069 }, /* isolates */
		{ 0xfeff, 0xfeff }, /* byte order mark */
		{ 0xfff9, 0xfffb }, /* interlinear annotation */
	};

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (c >= never[i].first && c <= never[i].last)
			return false;
	return true;
}

size_t printable_next(const char *s, size_t len, bool *ret_printable)
{
	uint32_t c;
	size_t n = decode_utf8(s, len, &c);

	*ret_printable = n && is_printable(c);
	return n ? n : 1;
}

bool printable_all(const char *s)
{
	bool printable = true;

	for (size_t len = strlen(s), n; len && printable; s += n, len -= n)
		n = printable_next(s, len, &printable);
	return printable;
}

size_t printable_count(const char *s)
{
	size_t count = 0;
	bool printable;

	for (size_t len = strlen(s), n; len; s += n, len -= n, count++)
		n = printable_next(s, len, &printable);
	return count;
}

void printable_add(struct buf *b, const char *s)
{
	bool printable;

	for (size_t len = strlen(s), n; len; s += n, len -= n) {
		n = printable_next(s, len, &printable);
		if (printable)
			buf_add(b, s, n);
		else
			buf_addc(b, '?');
	}
}

static void add_quoted(struct buf *b, const char *s, size_t len, bool json)
{
	static const char named[] = "\nn\tt\rr";
	bool printable;
	uint32_t c = 0;

	for (size_t n; len; s += n, len -= n) {
		const char *name = memchr(named, *s, sizeof(named) - 1);

		n = printable_next(s, len, &printable);
		if (printable) {
			if (*s == '"' || *s == '\\')
				buf_addc(b, '\\');
			buf_add(b, s, n);
		} else if (name && (unsigned char)*s < ' ') {
			buf_addf(b, "\\%c", name[1]);
		} else if (n > 1 && decode_utf8(s, len, &c)) {
			buf_addf(b, "\\u%04x", c);
		} else if (json) {
			buf_addf(b, "\\u%04x",
				(unsigned char)*s < 0x80 ? (unsigned char)*s : 0xfffd);
		} else {
			buf_addf(b, "\\x%02x", (unsigned char)*s);
		}
	}
}

void printable_add_quoted(struct buf *b, const char *s, size_t len)
{
	add_quoted(b, s, len, false);
}

void printable_add_json_quoted(struct buf *b, const char *s, size_t len)
{
	add_quoted(b, s, len, true);
}

void printable_add_json(struct buf *b, const char *json)
{
	bool printable;
	uint32_t c = 0;

	for (size_t len = strlen(json), n; len; json += n, len -= n) {
		n = printable_next(json, len, &printable);
		/* Between strings there are line feeds; in them, they are escaped already. */
		if (printable || (unsigned char)*json < ' ' || !decode_utf8(json, len, &c))
			buf_add(b, json, n);
		else
			buf_addf(b, "\\u%04X", c);
	}
}
