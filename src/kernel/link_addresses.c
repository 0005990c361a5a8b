// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/link.h"
#include "link_find.h"
#include "nl.h"

static int cmp(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

/* Sorts, and drops all but one of equal ones. Returns how many are left. */
static size_t sort_unique(struct ip *ips, size_t n)
{
	size_t out = 0;

	qsort(ips, n, sizeof(*ips), cmp);
	for (size_t i = 0; i < n; i++)
		if (!out || !ip_eq(&ips[out - 1], &ips[i]))
			ips[out++] = ips[i];
	return out;
}

static size_t pick(const struct link_addresses *all, int without, struct ip *ips)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].index != without && link_is_node_address(&all->v[i].ip))
			ips[n++] = all->v[i].ip;
	return sort_unique(ips, n);
}

static void nl_port_freep(struct nl_port **p)
{
	nl_port_free(*p);
}

int link_addresses(struct ip **ret, size_t *ret_n, struct err *err)
{
	_cleanup_(nl_port_freep) struct nl_port *p = NULL;
	struct link_addresses all = { 0 };
	struct link_device ours;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	r = link_find_device(p, &ours);
	if (!r)
		r = link_find_addresses(p, 0, &all);
	if (r)
		return err_errno(err, r, "cannot read the addresses of this node");
	*ret = mem_zalloc(all.n, sizeof(**ret));
	*ret_n = pick(&all, ours.index, *ret);
	free(all.v);
	return 0;
}

static bool among(const struct ip *ip, const struct ip *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_eq(ip, &addresses[i]))
			return true;
	return false;
}

static socklen_t make_sockaddr(const struct ip *ip, struct sockaddr_storage *ret)
{
	static const uint16_t discard = 9;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(discard) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(discard) };

	if (ip->family == AF_INET) {
		memcpy(&in.sin_addr, ip->bytes, sizeof(in.sin_addr));
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, ip->bytes, sizeof(in6.sin6_addr));
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}

static struct ip read_sockaddr(const struct sockaddr_storage *s)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (s->ss_family == AF_INET) {
		memcpy(&in, s, sizeof(in));
		return ip_make(AF_INET, &in.sin_addr);
	}
	memcpy(&in6, s, sizeof(in6));
	return ip_make(AF_INET6, &in6.sin6_addr);
}

/* The address that the node would send from: connecting a UDP socket looks up the route and sends
 * nothing. */
static bool source_towards(const struct ip *target, struct ip *ret)
{
	int fd = socket(target->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage s = { 0 };
	socklen_t len = make_sockaddr(target, &s);
	bool ok;

	if (fd < 0)
		return false;
	ok = !connect(fd, (struct sockaddr *)&s, len);
	len = sizeof(s);
	ok = ok && !getsockname(fd, (struct sockaddr *)&s, &len);
	close(fd);
	if (ok)
		*ret = read_sockaddr(&s);
	return ok;
}

/*
 * Addresses of nobody, so that the default route is what leads there: RFC 5737, RFC 3849, RFC 9637.
 * Several, because a node may have a route that drops some of them, or a virtual IP among them.
 */
struct ip link_primary_address(int family, const struct ip *addresses, size_t n)
{
	static const char *const nobody[] = { "198.51.100.1", "192.0.2.1", "203.0.113.1", "3fff::1",
		"2001:db8::1" };
	struct ip target, source;

	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++)
		if (!ip_parse(nobody[i], &target) && target.family == family &&
			source_towards(&target, &source) && among(&source, addresses, n))
			return source;
	for (size_t i = 0; i < n; i++)
		if (addresses[i].family == family)
			return addresses[i];
	return (struct ip){ 0 };
}
