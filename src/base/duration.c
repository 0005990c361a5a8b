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

static int parse_unit(const char **ps, int64_t *ret_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (!strncmp(*ps, units[i].name, len)) {
			*ps += len;
			*ret_ns = units[i].ns;
			return 0;
		}
	}
	return -EINVAL;
}

/* The digits behind the point; `*ret_scale` is 10 to their number. Digits that are less than a
 * nanosecond of any unit are passed over. */
static void parse_fraction(const char **ps, int64_t *ret, int64_t *ret_scale)
{
	const int64_t max_scale = INT64_C(10000000000000);

	*ret = 0;
	*ret_scale = 1;
	for (; isdigit((unsigned char)**ps); (*ps)++) {
		if (*ret_scale == max_scale)
			continue;
		*ret = *ret * 10 + (**ps - '0');
		*ret_scale *= 10;
	}
}

/* One number with its unit, in nanoseconds. */
static int parse_term(const char **ps, int64_t *ret)
{
	int64_t whole = 0, fraction = 0, scale = 1, unit, ns;
	const char *start = *ps;

	for (; isdigit((unsigned char)**ps); (*ps)++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, **ps - '0', &whole))
			return -EINVAL;
	if (**ps == '.') {
		start++;
		(*ps)++;
		parse_fraction(ps, &fraction, &scale);
	}
	if (*ps == start || parse_unit(ps, &unit))
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &ns))
		return -EINVAL;
	*ret = (int64_t)((__int128)fraction * unit / scale);
	return __builtin_add_overflow(*ret, ns, ret) ? -EINVAL : 0;
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
