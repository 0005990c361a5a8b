// SPDX-License-Identifier: GPL-2.0-or-later
#include "timestamp.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <time.h>

/* strptime() takes blanks, signs and short numbers as well, so the form is checked before. */
static bool has_form(const char *s, const char *form)
{
	for (; *form; s++, form++)
		if (*form == '0' ? !isdigit((unsigned char)*s)
				 : toupper((unsigned char)*s) != *form)
			return false;
	return true;
}

int timestamp_parse(const char *s, int64_t *ret_us)
{
	struct tm tm = { 0 }, day, zone = { 0 };
	int64_t us = 0, unit = 100000;
	int east = 0;

	/* Second 60 is a leap second. */
	if (!has_form(s, "0000-00-00T00:00:00") || strptime(s, "%Y-%m-%d", &tm) != s + 10 ||
		strptime(s + 11, "%H:%M:%S", &tm) != s + 19 || tm.tm_sec > 60)
		return -EINVAL;
	s += 19;

	/* timegm() turns the 31st of April into the 1st of May. */
	day = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday };
	timegm(&day);
	if (day.tm_mday != tm.tm_mday)
		return -EINVAL;

	if (has_form(s, ".0"))
		for (s++; isdigit((unsigned char)*s); s++, unit /= 10)
			us += unit * (*s - '0');

	if (has_form(s, "Z")) {
		s++;
	} else {
		if (!(has_form(s, "+00:00") || has_form(s, "-00:00")) ||
			strptime(s + 1, "%H:%M", &zone) != s + 6)
			return -EINVAL;
		east = (zone.tm_hour * 60 + zone.tm_min) * (*s == '-' ? -60 : 60);
		s += 6;
	}
	if (*s)
		return -EINVAL;
	*ret_us = ((int64_t)timegm(&tm) - east) * 1000000 + us;
	return 0;
}
