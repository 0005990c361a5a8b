// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/duration.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	/* The longer names first: "ms" before "m" and "s". */
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* U+00B5, micro sign */
	{ "\xce\xbcs", 1000 }, /* U+03BC, Greek mu */
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60 * INT64_C(1000000000) },
	{ "h", 3600 * INT64_C(1000000000) },
};

/* One number with its unit, in nanoseconds. */
static int parse_term(const char **ps, int64_t *ret)
{
	/* Digits that are less than a nanosecond of any unit are passed over. */
	const int64_t max_scale = INT64_C(10000000000000);
	int64_t whole = 0, fraction = 0, scale = 1, unit = 0, part = 0;
	const char *s = *ps, *start = s;

	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, *s - '0', &whole))
			return -EINVAL;
	if (*s == '.') {
		start++;
		for (s++; isdigit((unsigned char)*s); s++)
			if (scale < max_scale) {
				fraction = fraction * 10 + (*s - '0');
				scale *= 10;
			}
	}
	if (s == start)
		return -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(units) && !unit; i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(s, units[i].name, len) != 0)
			continue;
		s += len;
		unit = units[i].ns;
	}
	if (!unit || __builtin_mul_overflow(whole, unit, &whole))
		return -EINVAL;
	*ps = s;
	/* fraction * unit / scale, digit by digit from the last: the product needs more than 64 bits. */
	for (; scale > 1; scale /= 10, fraction /= 10)
		part = (part + fraction % 10 * unit) / 10;
	return __builtin_add_overflow(part, whole, ret) ? -EINVAL : 0;
}

int duration_parse(const char *s, int64_t *ret_ms)
{
	const int64_t ms = 1000000;
	bool negative = *s == '-';
	int64_t sum = 0;

	s += *s == '-' || *s == '+';
	if (!*s)
		return -EINVAL;
	if (!strcmp(s, "0")) {
		*ret_ms = 0;
		return 0;
	}
	while (*s) {
		int64_t term;

		if (parse_term(&s, &term) || __builtin_add_overflow(sum, term, &sum))
			return -EINVAL;
	}
	sum = sum / ms + (sum % ms > 0);
	*ret_ms = negative ? -sum : sum;
	return 0;
}
