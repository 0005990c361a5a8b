// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fact.h"
#include "report/explain.h"

enum { MAX_WHAT = 1024 };

/* 1..65535, digits only. */
static int parse_query_port(const char *s, uint16_t *ret)
{
	unsigned long n;

	if (!*s || s[strspn(s, "0123456789")] || strlen(s) > 5)
		return -EINVAL;
	n = strtoul(s, NULL, 10);
	if (!n || n > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)n;
	return 0;
}

/* "[fd00::1]:80" and "10.0.0.1:80"; an IPv6 address without brackets cannot have a port. */
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
		return err_set(err, -EINVAL, "address \"%s\" is not an IP address", s);
	if (parse_query_port(colon + 1, &q->port))
		return err_set(
			err, -EINVAL, "port \"%s\" is not a number from 1 to 65535", colon + 1);
	return 0;
}

static int parse_service(char *s, struct explain_query *q, struct err *err)
{
	char *slash = strchr(s, '/'), *colon = strchr(s, ':');
	size_t ns_len, name_len;

	if (colon)
		*colon++ = '\0';
	*slash++ = '\0';
	ns_len = strlen(s);
	name_len = strlen(slash);
	if (!ns_len || ns_len > NAME_MAX_LEN || !name_len || name_len > NAME_MAX_LEN ||
		strchr(slash, '/'))
		return err_set(err, -EINVAL, "\"%s/%s\" is not NAMESPACE/NAME", s, slash);
	strcpy(q->ns, s);
	strcpy(q->name, slash);
	if (!colon || !parse_query_port(colon, &q->port))
		return 0;
	if (!*colon || strlen(colon) > NAME_MAX_LEN)
		return err_set(err, -EINVAL, "port \"%s\" is not a number or a name", colon);
	strcpy(q->port_name, colon);
	return 0;
}

static int parse_from(const char *from, struct explain_query *q, struct err *err)
{
	if (!from)
		return 0;
	q->from = EXPLAIN_FROM_SOURCE;
	for (enum packet_source s = FROM_POD; s <= FROM_OUTSIDE; s++) {
		q->source = s;
		if (!strcmp(from, packet_source_name(s)))
			return 0;
	}
	q->from = EXPLAIN_FROM_ADDRESS;
	if (ip_parse(from, &q->from_ip))
		return err_set(err, -EINVAL,
			"from \"%s\": must be pod, node, outside or an address", from);
	if (q->ip.family && q->ip.family != q->from_ip.family)
		return err_set(err, -EINVAL, "from %s: must be an %s address, too", from,
			family_name(q->ip.family));
	return 0;
}

int explain_parse(const char *what, const char *from, struct explain_query *ret, struct err *err)
{
	struct explain_query q = { 0 };
	char s[MAX_WHAT], *slash, *colon;
	int r;

	if (strlen(what) >= sizeof(s))
		return err_set(err, -EINVAL, "the address or name is longer than %zu characters",
			sizeof(s) - 1);
	strcpy(s, what);

	/* "/tcp" after a port is the protocol; a slash before any colon ends a namespace. */
	slash = strrchr(s, '/');
	colon = strchr(s, ':');
	if (slash && colon && slash > colon) {
		q.proto = proto_parse(slash + 1);
		if (q.proto)
			*slash = '\0';
	}
	if (*s == '[' || s[strcspn(s, "/:")] != '/')
		r = parse_address(s, &q, err);
	else
		r = parse_service(s, &q, err);
	if (r >= 0)
		r = parse_from(from, &q, err);
	if (r >= 0)
		*ret = q;
	return r;
}
