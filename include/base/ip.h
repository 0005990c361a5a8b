/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address. Unused bytes are zero, so two addresses are equal exactly when their memory is. */
struct ip {
	uint8_t family;	   /* AF_INET, AF_INET6, or 0: none */
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

struct cidr {
	struct ip ip; /* host bits are zero */
	uint8_t len;  /* 0..32 or 0..128 */
};

enum { IP_STRLEN = 46, CIDR_STRLEN = 50, IP_PORT_STRLEN = 56 };

/*
 * Reads an address as Kubernetes does (k8s.io/utils/net ParseIPSloppy): IPv4 octets may have
 * leading zeros and are decimal; an IPv4-mapped IPv6 address is that IPv4 address. The whole string
 * must be used; no zone. Returns 0, or -EINVAL.
 */
int ip_parse(const char *s, struct ip *ret);
/* "ADDRESS/LEN"; host bits are cleared. Returns 0, or -EINVAL. */
int cidr_parse(const char *s, struct cidr *ret);
struct ip ip_make(int family, const void *bytes);
/* Of a struct sockaddr_in or sockaddr_in6, with the same rule for IPv4-mapped addresses. Returns 0,
 * or -EAFNOSUPPORT. */
struct sockaddr;
int ip_of_sockaddr(const struct sockaddr *sa, struct ip *ret, uint16_t *ret_port);

/* Canonical text (RFC 5952 for IPv6) into `s`, which is returned. */
const char *ip_print(const struct ip *ip, char s[static IP_STRLEN]);
const char *cidr_print(const struct cidr *c, char s[static CIDR_STRLEN]);
/* "10.0.0.1:80" or "[fd00::1]:80". */
const char *ip_print_port(const struct ip *ip, uint16_t port, char s[static IP_PORT_STRLEN]);
/* The inverse; an address has brackets exactly if it has a colon. The port is decimal, 0 to 65535.
 * Returns 0, or -EINVAL. */
int ip_parse_port(const char *s, struct ip *ret_ip, uint16_t *ret_port);

bool ip_eq(const struct ip *a, const struct ip *b);
/* Of two struct ip, as qsort() and bsearch() call it: IPv4 before IPv6, then by address. */
int ip_compare(const void *a, const void *b);
/* Addresses that belong to no single host of the network, told from those that do. */
enum ip_kind {
	IP_HOST, /* also where there is no address */
	IP_UNSPECIFIED,
	IP_LOOPBACK,
	IP_LINK_LOCAL, /* unicast: 169.254/16, fe80::/10 */
	IP_MULTICAST,
	IP_BROADCAST, /* 255.255.255.255 */
};
enum ip_kind ip_kind(const struct ip *ip);
/* 127.0.0.0/8 or ::1/128 */
struct cidr ip_loopback(int family);
/* False if the families differ. */
bool cidr_contains(const struct cidr *c, const struct ip *ip);
/* One of the n CIDRs contains the address. */
bool cidrs_contain(const struct cidr *cidrs, size_t n, const struct ip *ip);
/* Leaves out ranges that lie within others, and keeps the order of the rest. Returns their number. */
size_t cidrs_reduce(struct cidr *cidrs, size_t n);
/* 32 or 128. */
uint8_t ip_bits(int family);

#endif
