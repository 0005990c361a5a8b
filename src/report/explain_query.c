// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fact.h"
#include "report/explain.h"

enum { MAX_WHAT = 1024 };

/* 1..65535, digits only. */
static int parse_port(const char *s, uint16_t *ret)
{
	unsigned long n;
	char *end;

	if (!*s || s[strspn(s, "0123456789")] || strlen(s) > 5)
		return -EINVAL;
	n = strtoul(s, &end, 10);
	if (!n || n > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)n;
	return 0;
}

/* "[fd00::1]:80" and "10.0.0.1:80"; an IPv6 address without brackets has no port that could be
 * told. */
static int parse_address(char *s, struct explain_query *q, struct err *err)
{
	char *colon = strrchr(s, ':'), *address = s;
	size_t len;

	if (!ip_parse(s, &q->ip) || !colon || colon[strlen(colon) - 1] == ']')
		return err_set(err, -EINVAL, "\"%s\" has no port; give %s:PORT", s,
			colon ? "[ADDRESS]" : "ADDRESS");
	*colon = '\0';
	len = strlen(s);
	if (*s == '[' && len > 2 && s[len - 1] == ']') {
		s[len - 1] = '\0';
		address++;
	}
	if (ip_parse(address, &q->ip) || (*s == '[') != (strchr(address, ':') != NULL))
		return err_set(err, -EINVAL, "\"%s\" is no address", s);
	if (parse_port(colon + 1, &q->port))
		return err_set(err, -EINVAL, "\"%s\" is no port, must be 1 to 65535", colon + 1);
	return 0;
}

static int copy_name(char ret[static NAME_MAX_LEN + 1], const char *s)
{
	if (!*s || strlen(s) > NAME_MAX_LEN)
		return -EINVAL;
	strcpy(ret, s);
	return 0;
}

static int parse_service(char *s, struct explain_query *q, struct err *err)
{
	char *slash = strchr(s, '/'), *colon = strchr(s, ':');

	if (colon)
		*colon++ = '\0';
	*slash++ = '\0';
	if (copy_name(q->ns, s) || copy_name(q->name, slash) || strchr(slash, '/'))
		return err_set(err, -EINVAL, "\"%s/%s\" is no NAMESPACE/NAME", s, slash);
	if (colon && parse_port(colon, &q->port) && copy_name(q->port_name, colon))
		return err_set(err, -EINVAL, "\"%s\" is no port", colon);
	return 0;
}

/* A port, a name and an address are never a protocol's name, so "/tcp" at the end is one; but the
 * one slash of NAMESPACE/NAME comes first. */
static void cut_protocol(char *s, struct explain_query *q)
{
	char *slash = strrchr(s, '/');

	if (!slash || !strchr(s, ':') || slash < strchr(s, ':'))
		return;
	q->proto = proto_parse(slash + 1);
	if (q->proto)
		*slash = '\0';
}

static int parse_from(const char *from, struct explain_query *q, struct err *err)
{
	if (!from)
		return 0;
	q->from = FROM_SOURCE;
	for (enum walk_source s = WALK_POD; s <= WALK_OUTSIDE; s++) {
		q->source = s;
		if (!strcmp(from, walk_source_name(s)))
			return 0;
	}
	q->from = FROM_ADDRESS;
	if (ip_parse(from, &q->from_ip))
		return err_set(err, -EINVAL,
			"from \"%s\": must be pod, node, outside or an address", from);
	if (q->ip.family && q->ip.family != q->from_ip.family)
		return err_set(err, -EINVAL, "from %s: is of the other address family", from);
	return 0;
}

/* A slash before any colon stands behind a namespace. */
static bool is_address(const char *s)
{
	return *s == '[' || s[strcspn(s, "/:")] != '/';
}

int explain_parse(const char *what, const char *from, struct explain_query *ret, struct err *err)
{
	struct explain_query q = { 0 };
	char s[MAX_WHAT];
	int r;

	if (strlen(what) >= sizeof(s))
		return err_set(err, -EINVAL, "what is to be explained is too long");
	strcpy(s, what);
	cut_protocol(s, &q);
	r = is_address(s) ? parse_address(s, &q, err) : parse_service(s, &q, err);
	if (r >= 0)
		r = parse_from(from, &q, err);
	if (r >= 0)
		*ret = q;
	return r;
}
