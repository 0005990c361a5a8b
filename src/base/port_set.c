// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/port_set.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

enum { WORD_BITS = 64, DIGITS = 5 };

void port_set_add(struct port_set *s, uint16_t port)
{
	s->words[port / WORD_BITS] |= UINT64_C(1) << port % WORD_BITS;
}

bool port_set_has(const struct port_set *s, uint16_t port)
{
	return s->words[port / WORD_BITS] >> port % WORD_BITS & 1;
}

size_t port_set_count(const struct port_set *s)
{
	size_t n = 0;

	for (size_t i = 0; i < PORT_SET_WORDS; i++)
		n += (size_t)__builtin_popcountll(s->words[i]);
	return n;
}

bool port_set_eq(const struct port_set *a, const struct port_set *b)
{
	return !memcmp(a->words, b->words, sizeof(a->words));
}

void port_set_and(const struct port_set *a, const struct port_set *b, struct port_set *ret)
{
	for (size_t i = 0; i < PORT_SET_WORDS; i++)
		ret->words[i] = a->words[i] & b->words[i];
}

void port_set_or(const struct port_set *a, const struct port_set *b, struct port_set *ret)
{
	for (size_t i = 0; i < PORT_SET_WORDS; i++)
		ret->words[i] = a->words[i] | b->words[i];
}

void port_set_minus(const struct port_set *a, const struct port_set *b, struct port_set *ret)
{
	for (size_t i = 0; i < PORT_SET_WORDS; i++)
		ret->words[i] = a->words[i] & ~b->words[i];
}

void port_set_print(struct buf *b, const struct port_set *s)
{
	const char *separator = "";

	for (unsigned first = 0, last; first <= UINT16_MAX; first++) {
		if (!port_set_has(s, (uint16_t)first))
			continue;
		last = first;
		while (last < UINT16_MAX && port_set_has(s, (uint16_t)(last + 1)))
			last++;
		buf_addf(b, "%s%u", separator, first);
		if (last > first)
			buf_addf(b, "-%u", last);
		separator = ",";
		first = last;
	}
}

/* Reads a port that ends before one of the characters of `ends`, or at the end of the text. */
static const char *port_parse(const char *text, const char *ends, uint64_t *ret)
{
	const size_t len = strcspn(text, ends);
	char digits[DIGITS + 1];

	if (len > DIGITS)
		return NULL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return number_parse(digits, UINT16_MAX, ret) ? NULL : text + len;
}

int port_set_parse(const char *text, struct port_set *ret)
{
	struct port_set s = { 0 };

	for (const char *p = text; *p;) {
		uint64_t first, last;

		p = port_parse(p, "-,", &first);
		if (!p)
			return -EINVAL;
		last = first;
		if (*p == '-')
			p = port_parse(p + 1, ",", &last);
		if (!p || last < first || (*p == ',' && !*++p))
			return -EINVAL;
		for (; first <= last; first++)
			port_set_add(&s, (uint16_t)first);
	}
	*ret = s;
	return 0;
}
