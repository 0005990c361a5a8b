// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/certificate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

enum {
	DER_INTEGER = 0x02,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_VERSION = 0xa0, /* [0] EXPLICIT */
	UTC_TIME_FROM = 1950,
};

struct der {
	const uint8_t *at, *end;
};

/* Takes the next value, which must have that tag. */
static bool der_take(struct der *d, uint8_t tag, struct der *ret)
{
	size_t len, n;

	if (d->end - d->at < 2 || *d->at != tag)
		return false;
	len = d->at[1];
	d->at += 2;
	if (len & 0x80) {
		n = len & 0x7f;
		if (!n || n > sizeof(uint32_t) || (size_t)(d->end - d->at) < n)
			return false;
		for (len = 0; n; n--)
			len = len << 8 | *d->at++;
	}
	if (len > (size_t)(d->end - d->at))
		return false;
	*ret = (struct der){ d->at, d->at + len };
	d->at += len;
	return true;
}

/* Since the epoch, in the Gregorian calendar; time_t may have 32 bits. March is the first month. */
static int64_t days_until(int year, int month, int day)
{
	const int y = year - (month < 3), of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return 365 * (int64_t)y + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

/* "YYMMDDHHMMSSZ" (1950 to 2049) or "YYYYMMDDHHMMSSZ" */
static bool take_time(struct der *d, int64_t *ret)
{
	const bool utc = d->at < d->end && *d->at == DER_UTC_TIME;
	const size_t digits = utc ? 12 : 14;
	int part[7] = { 0 }, year;
	struct der text;

	if (!der_take(d, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, &text) ||
		(size_t)(text.end - text.at) != digits + 1 || text.at[digits] != 'Z')
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		part[i / 2] = part[i / 2] * 10 + (text.at[i] - '0');
	}
	if (utc)
		memmove(part + 1, part, 6 * sizeof(*part));
	year = utc ? part[1] + (part[1] < UTC_TIME_FROM % 100 ? 2000 : 1900)
		   : part[0] * 100 + part[1];
	*ret = ((days_until(year, part[2], part[3]) * 24 + part[4]) * 60 + part[5]) * 60 + part[6];
	return true;
}

/* Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { version [0], serialNumber, signature, issuer,
 * validity, ... */
static bool read_validity(const struct buf *der, struct validity *ret)
{
	struct der all = { (const uint8_t *)der->data, (const uint8_t *)der->data + der->len };
	struct der certificate, tbs, unused, times;

	if (!der_take(&all, DER_SEQUENCE, &certificate) ||
		!der_take(&certificate, DER_SEQUENCE, &tbs))
		return false;
	if (tbs.at < tbs.end && *tbs.at == DER_VERSION && !der_take(&tbs, DER_VERSION, &unused))
		return false;
	return der_take(&tbs, DER_INTEGER, &unused) && der_take(&tbs, DER_SEQUENCE, &unused) &&
		der_take(&tbs, DER_SEQUENCE, &unused) && der_take(&tbs, DER_SEQUENCE, &times) &&
		take_time(&times, &ret->from) && take_time(&times, &ret->until);
}

int certificate_next(const char **pem, struct validity *ret)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----",
			  end[] = "-----END CERTIFICATE-----";
	_cleanup_(buf_done) struct buf der = { 0 };
	_cleanup_free_ char *text = NULL;
	const char *from = strstr(*pem, begin), *to;
	struct validity v = { 0 };

	to = from ? strstr(from, end) : NULL;
	if (!to) {
		*pem += strlen(*pem);
		return 0;
	}
	from += strlen(begin);
	*pem = to + strlen(end);
	text = mem_strndup(from, (size_t)(to - from));
	if (base64_decode(text, &der) < 0 || !der.len || !read_validity(&der, &v))
		return -EBADMSG;
	*ret = v;
	return 1;
}
