// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char *base64_skip_breaks(const char *s)
{
	return s + strspn(s, "\r\n");
}

/* What was appended since goes again. */
static int base64_give_up(struct buf *b, size_t len)
{
	if (b->len > len) {
		b->len = len;
		b->data[len] = '\0';
	}
	return -EINVAL;
}

int base64_decode(const char *text, struct buf *ret)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const size_t before = ret->len;
	unsigned digits = 0, padding;
	uint32_t bits = 0;
	const char *s;

	for (s = base64_skip_breaks(text); *s && *s != '='; s = base64_skip_breaks(s + 1)) {
		const char *digit = strchr(alphabet, *s);

		if (!digit)
			return base64_give_up(ret, before);
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		if (++digits % 4)
			continue;
		buf_addc(ret, (char)(bits >> 16));
		buf_addc(ret, (char)(bits >> 8));
		buf_addc(ret, (char)bits);
	}
	digits %= 4;
	for (padding = 0; *s == '='; s = base64_skip_breaks(s + 1))
		padding++;
	if (*s || digits == 1 || padding != (4 - digits) % 4)
		return base64_give_up(ret, before);
	/* Two digits have 12 bits, of which the first 8 count; three have 18, of which 16 count. */
	if (digits == 2)
		buf_addc(ret, (char)(bits >> 4));
	if (digits == 3) {
		buf_addc(ret, (char)(bits >> 10));
		buf_addc(ret, (char)(bits >> 2));
	}
	return 0;
}
