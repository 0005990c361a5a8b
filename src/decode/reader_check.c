// SPDX-License-Identifier: GPL-2.0-or-later
/* What a value must be like, whatever it was read from. */
#include <string.h>

#include "decode/reader.h"

enum { LABEL_MAX_LEN = 63 }; /* RFC 1123 */

static const char *special(const struct ip *ip)
{
	if (ip_is_unspecified(ip))
		return "the unspecified";
	if (ip_is_loopback(ip))
		return "a loopback";
	if (ip_is_link_local(ip))
		return "a link-local";
	if (ip_is_multicast(ip))
		return "a multicast";
	if (ip_is_broadcast(ip))
		return "the broadcast";
	return NULL;
}

bool reader_is_host(const struct ip *ip)
{
	return !special(ip);
}

int reader_check_host(struct reader *r, const struct ip *ip)
{
	const char *what = special(ip);
	char text[IP_STRLEN];

	if (!what)
		return 0;
	return reader_fail(
		r, "is %s, %s address, which cannot be used here", ip_print(ip, text), what);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Letters, digits and '-', the first and the last no '-'. */
static bool is_label(const char *s, size_t len)
{
	if (!len || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

/* Labels with points between; Kubernetes limits the whole only. */
static bool is_subdomain(const char *s)
{
	for (;;) {
		size_t len = strcspn(s, ".");

		if (!is_label(s, len))
			return false;
		if (!s[len])
			return true;
		s += len + 1;
	}
}

static int check_length(struct reader *r, const char *name, size_t max)
{
	size_t len = strlen(name);

	if (!len)
		return reader_fail(r, "is empty");
	if (len > max)
		return reader_fail(r, "is %zu characters long, must be at most %zu", len, max);
	return 0;
}

int reader_check_label(struct reader *r, const char *name)
{
	char quoted[QUOTE_SIZE];
	int e = check_length(r, name, LABEL_MAX_LEN);

	if (e || is_label(name, strlen(name)))
		return e;
	return reader_fail(r,
		"is %s, must be lower case letters, digits and '-', and begin and end with a letter or digit",
		reader_quote(name, quoted));
}

int reader_check_port_name(struct reader *r, const char *name)
{
	return *name ? reader_check_label(r, name) : 0;
}

int reader_check_name(struct reader *r, const char *name)
{
	char quoted[QUOTE_SIZE];
	int e = check_length(r, name, NAME_MAX_LEN);

	if (e || is_subdomain(name))
		return e;
	return reader_fail(r,
		"is %s, must be lower case letters, digits, '-' and '.', and begin and end with a letter or digit",
		reader_quote(name, quoted));
}
