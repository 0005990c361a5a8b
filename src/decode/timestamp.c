// SPDX-License-Identifier: GPL-2.0-or-later
#include "timestamp.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <time.h>

/* `n` digits of a value from min to max. */
static bool digits(const char **ps, int n, int min, int max, int *ret)
{
	int v = 0;

	for (; n; n--, (*ps)++) {
		if (!isdigit((unsigned char)**ps))
			return false;
		v = v * 10 + (**ps - '0');
	}
	*ret = v;
	return v >= min && v <= max;
}

static bool character(const char **ps, char upper)
{
	if (toupper((unsigned char)**ps) != upper)
		return false;
	(*ps)++;
	return true;
}

static bool fraction(const char **ps, int64_t *ret_us)
{
	int64_t unit = 100000;

	*ret_us = 0;
	if (**ps != '.')
		return true;
	(*ps)++;
	if (!isdigit((unsigned char)**ps))
		return false;
	for (; isdigit((unsigned char)**ps); (*ps)++, unit /= 10)
		*ret_us += unit * (**ps - '0');
	return true;
}

/* Seconds east of Greenwich. */
static bool zone(const char **ps, int *ret)
{
	bool west = **ps == '-';
	int hours, minutes;

	*ret = 0;
	if (character(ps, 'Z'))
		return true;
	if (**ps != '+' && **ps != '-')
		return false;
	(*ps)++;
	if (!digits(ps, 2, 0, 23, &hours) || !character(ps, ':') || !digits(ps, 2, 0, 59, &minutes))
		return false;
	*ret = (hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

static bool date(const char **ps, struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap;

	if (!digits(ps, 4, 0, 9999, &tm->tm_year) || !character(ps, '-') ||
		!digits(ps, 2, 1, 12, &tm->tm_mon) || !character(ps, '-') ||
		!digits(ps, 2, 1, 31, &tm->tm_mday))
		return false;
	leap = tm->tm_year % 4 == 0 && (tm->tm_year % 100 != 0 || tm->tm_year % 400 == 0);
	tm->tm_mon--;
	if (tm->tm_mday > days[tm->tm_mon] + (leap && tm->tm_mon == 1))
		return false;
	tm->tm_year -= 1900;
	return true;
}

int timestamp_parse(const char *s, int64_t *ret_us)
{
	struct tm tm = { 0 };
	int64_t us;
	int east;

	/* Second 60 is a leap second. */
	if (!date(&s, &tm) || !character(&s, 'T') || !digits(&s, 2, 0, 23, &tm.tm_hour) ||
		!character(&s, ':') || !digits(&s, 2, 0, 59, &tm.tm_min) || !character(&s, ':') ||
		!digits(&s, 2, 0, 60, &tm.tm_sec) || !fraction(&s, &us) || !zone(&s, &east) || *s)
		return -EINVAL;
	*ret_us = ((int64_t)timegm(&tm) - east) * 1000000 + us;
	return 0;
}
