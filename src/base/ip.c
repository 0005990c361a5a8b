// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/ip.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

/* ::ffff:0:0/96 */
enum { MAPPED_BITS = 96 };

struct ip ip_make(int family, const void *bytes)
{
	struct ip ip = { .family = (uint8_t)family };

	memcpy(ip.bytes, bytes, family == AF_INET ? 4 : 16);
	return ip;
}

static struct ip make_v6(const uint8_t bytes[static 16])
{
	static const uint8_t mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

	return memcmp(bytes, mapped, sizeof(mapped)) ? ip_make(AF_INET6, bytes)
						     : ip_make(AF_INET, bytes + sizeof(mapped));
}

int ip_of_sockaddr(const struct sockaddr *sa, struct ip *ret, uint16_t *ret_port)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&v4, sa, sizeof(v4));
		*ret = ip_make(AF_INET, &v4.sin_addr);
		*ret_port = ntohs(v4.sin_port);
		return 0;
	case AF_INET6:
		memcpy(&v6, sa, sizeof(v6));
		*ret = make_v6(v6.sin6_addr.s6_addr);
		*ret_port = ntohs(v6.sin6_port);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

int ip_parse(const char *s, struct ip *ret)
{
	struct ip v4 = { .family = AF_INET };
	uint8_t v6[16];

	if (strchr(s, ':')) {
		if (inet_pton(AF_INET6, s, v6) != 1)
			return -EINVAL;
		*ret = make_v6(v6);
		return 0;
	}

	/* inet_pton() takes no leading zeros. */
	for (int i = 0; i < 4; i++) {
		unsigned octet = 0;

		if (i && *s++ != '.')
			return -EINVAL;
		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++) {
			octet = octet * 10 + (unsigned)(*s - '0');
			if (octet > 255)
				return -EINVAL;
		}
		v4.bytes[i] = (uint8_t)octet;
	}
	if (*s)
		return -EINVAL;
	*ret = v4;
	return 0;
}

uint8_t ip_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static void mask_bytes(uint8_t bytes[16], unsigned len)
{
	for (unsigned i = 0; i < 16; i++)
		if (i * 8 >= len)
			bytes[i] = 0;
		else if (i * 8 + 8 > len)
			bytes[i] &= (uint8_t)(0xff00u >> (len - i * 8));
}

int cidr_parse(const char *s, struct cidr *ret)
{
	const char *slash = strchr(s, '/');
	char addr[IP_STRLEN];
	struct cidr c = { 0 };
	unsigned skip = 0;
	uint64_t len;

	if (!slash || (size_t)(slash - s) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, s, (size_t)(slash - s));
	addr[slash - s] = '\0';
	if (ip_parse(addr, &c.ip))
		return -EINVAL;
	/* An IPv4-mapped prefix counts from the head of the IPv6 address. */
	if (c.ip.family == AF_INET && strchr(addr, ':'))
		skip = MAPPED_BITS;
	if (number_parse(slash + 1, skip + ip_bits(c.ip.family), &len) || len < skip)
		return -EINVAL;
	c.len = (uint8_t)(len - skip);
	mask_bytes(c.ip.bytes, c.len);
	*ret = c;
	return 0;
}

/* inet_ntop() would spend most of its time in sprintf(). */
static void print_ip4(const uint8_t bytes[static 4], char *s)
{
	for (size_t i = 0; i < 4; i++) {
		const uint8_t n = bytes[i];

		if (n >= 100)
			*s++ = (char)('0' + n / 100);
		if (n >= 10)
			*s++ = (char)('0' + n / 10 % 10);
		*s++ = (char)('0' + n % 10);
		*s++ = i < 3 ? '.' : '\0';
	}
}

const char *ip_print(const struct ip *ip, char s[static IP_STRLEN])
{
	if (ip->family == AF_INET)
		print_ip4(ip->bytes, s);
	else if (!ip->family || !inet_ntop(ip->family, ip->bytes, s, IP_STRLEN))
		strcpy(s, "-");
	return s;
}

const char *cidr_print(const struct cidr *c, char s[static CIDR_STRLEN])
{
	size_t n;

	ip_print(&c->ip, s);
	n = strlen(s);
	snprintf(s + n, CIDR_STRLEN - n, "/%u", c->len);
	return s;
}

const char *ip_print_port(const struct ip *ip, uint16_t port, char s[static IP_PORT_STRLEN])
{
	char addr[IP_STRLEN];

	snprintf(s, IP_PORT_STRLEN, ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		ip_print(ip, addr), (unsigned)port);
	return s;
}

int ip_parse_port(const char *s, struct ip *ret_ip, uint16_t *ret_port)
{
	const char *colon = strrchr(s, ':'), *start = s, *end = colon;
	const bool brackets = *s == '[';
	char addr[IP_STRLEN];
	uint64_t port;
	struct ip ip;

	if (!colon || (brackets && colon[-1] != ']'))
		return -EINVAL;
	if (brackets) {
		start++;
		end--;
	}
	if ((size_t)(end - start) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, start, (size_t)(end - start));
	addr[end - start] = '\0';
	if (ip_parse(addr, &ip) || brackets != (strchr(addr, ':') != NULL) ||
		number_parse(colon + 1, UINT16_MAX, &port))
		return -EINVAL;
	*ret_ip = ip;
	*ret_port = (uint16_t)port;
	return 0;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
	return !memcmp(a, b, sizeof(*a));
}

int ip_compare(const void *a, const void *b)
{
	const struct ip *p = a, *q = b;

	if (p->family != q->family)
		return p->family < q->family ? -1 : 1;
	return memcmp(p->bytes, q->bytes, sizeof(p->bytes));
}

enum ip_kind ip_kind(const struct ip *ip)
{
	static const uint8_t zero[16], one[16] = { [15] = 1 }, ones[4] = { 255, 255, 255, 255 };
	const uint8_t *b = ip->bytes;

	if (!ip->family)
		return IP_HOST;
	if (!memcmp(b, zero, sizeof(zero)))
		return IP_UNSPECIFIED;
	if (ip->family == AF_INET ? b[0] == 127 : !memcmp(b, one, sizeof(one)))
		return IP_LOOPBACK;
	if (ip->family == AF_INET ? b[0] == 169 && b[1] == 254
				  : b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return IP_LINK_LOCAL;
	if (ip->family == AF_INET ? (b[0] & 0xf0) == 0xe0 : b[0] == 0xff)
		return IP_MULTICAST;
	if (ip->family == AF_INET && !memcmp(b, ones, sizeof(ones)))
		return IP_BROADCAST;
	return IP_HOST;
}

struct cidr ip_loopback(int family)
{
	if (family == AF_INET6)
		return (struct cidr){ { .family = AF_INET6, .bytes = { [15] = 1 } }, 128 };
	return (struct cidr){ { .family = AF_INET, .bytes = { 127 } }, 8 };
}

bool cidr_contains(const struct cidr *c, const struct ip *ip)
{
	struct ip masked = *ip;

	if (c->ip.family != ip->family)
		return false;
	mask_bytes(masked.bytes, c->len);
	return ip_eq(&masked, &c->ip);
}

bool cidrs_contain(const struct cidr *cidrs, size_t n, const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (cidr_contains(&cidrs[i], ip))
			return true;
	return false;
}

/* By address, a range before those within it, and equal ones in their order. */
static int compare_ranges(const void *a, const void *b)
{
	const struct cidr *const *x = a, *const *y = b;
	const int c = ip_compare(&(*x)->ip, &(*y)->ip);

	if (c)
		return c;
	return (*x)->len != (*y)->len ? (int)(*x)->len - (int)(*y)->len : (*x > *y) - (*x < *y);
}

size_t cidrs_reduce(struct cidr *cidrs, size_t n)
{
	_cleanup_free_ const struct cidr **sorted = mem_zalloc(n, sizeof(*sorted));
	_cleanup_free_ bool *within = mem_zalloc(n, sizeof(*within));
	const struct cidr *last = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		sorted[i] = &cidrs[i];
	if (n)
		qsort(sorted, n, sizeof(*sorted), compare_ranges);
	for (size_t i = 0; i < n; i++) {
		if (last && cidr_contains(last, &sorted[i]->ip))
			within[sorted[i] - cidrs] = true;
		else
			last = sorted[i];
	}
	for (size_t i = 0; i < n; i++)
		if (!within[i])
			cidrs[kept++] = cidrs[i];
	return kept;
}
