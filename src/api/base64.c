// SPDX-License-Identifier: GPL-2.0-or-later
#include "base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static int digit_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = strchr(digits, c);

	return c && p ? (int)(p - digits) : -1;
}

static size_t remove_line_breaks(char *s)
{
	size_t n = 0;

	for (size_t i = 0; s[i]; i++)
		if (s[i] != '\n' && s[i] != '\r')
			s[n++] = s[i];
	s[n] = '\0';
	return n;
}

static size_t count_padding(const char *s, size_t n)
{
	size_t pad = 0;

	while (pad < 2 && pad < n && s[n - 1 - pad] == '=')
		pad++;
	return pad;
}

int base64_decode(char *s, size_t *ret_len)
{
	size_t n = remove_line_breaks(s), pad = count_padding(s, n), len = 0;
	uint32_t bits = 0;

	if (n % 4)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int v = i < n - pad ? digit_value(s[i]) : 0;

		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 != 3)
			continue;
		s[len++] = (char)(uint8_t)(bits >> 16);
		s[len++] = (char)(uint8_t)(bits >> 8);
		s[len++] = (char)(uint8_t)bits;
	}
	*ret_len = len - pad;
	return 0;
}
