// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip.h"
#include "base/mem.h"
#include "fixture.h"

static void addresses_are_read_and_printed_canonically(void **state)
{
	static const struct {
		const char *text, *canonical;
		int family;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", AF_INET },
		{ "0.0.0.0", "0.0.0.0", AF_INET },
		{ "255.255.255.255", "255.255.255.255", AF_INET },
		/* Leading zeros do not make an octet octal. */
		{ "010.000.08.001", "10.0.8.1", AF_INET },
		{ "0000000192.168.0.1", "192.168.0.1", AF_INET },
		{ "::", "::", AF_INET6 },
		{ "::1", "::1", AF_INET6 },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1", AF_INET6 },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", AF_INET6 },
		{ "fe80::1", "fe80::1", AF_INET6 },
		{ "::1.2.3.4", "::1.2.3.4", AF_INET6 },
		/* An IPv4-mapped address is the IPv4 address. */
		{ "::ffff:1.2.3.4", "1.2.3.4", AF_INET },
		{ "::ffff:0102:0304", "1.2.3.4", AF_INET },
		{ "0:0:0:0:0:FFFF:1.2.3.4", "1.2.3.4", AF_INET },
	};
	char s[IP_STRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip ip;

		assert_int_equal(ip_parse(rows[i].text, &ip), 0);
		assert_int_equal(ip.family, rows[i].family);
		assert_string_equal(ip_print(&ip, s), rows[i].canonical);
	}
}

static void addresses_of_sockets_are_read(void **state)
{
	const struct sockaddr_in v4 = {
		.sin_family = AF_INET, .sin_port = htons(6443), .sin_addr.s_addr = htonl(0x0a000001)
	};
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	const struct sockaddr unix_socket = { .sa_family = AF_UNIX };
	char s[IP_PORT_STRLEN];
	uint16_t port = 0;
	struct ip ip;

	(void)state;
	assert_int_equal(ip_of_sockaddr((const struct sockaddr *)&v4, &ip, &port), 0);
	assert_string_equal(ip_print_port(&ip, port, s), "10.0.0.1:6443");
	assert_int_equal(inet_pton(AF_INET6, "fd00::1", &v6.sin6_addr), 1);
	assert_int_equal(ip_of_sockaddr((const struct sockaddr *)&v6, &ip, &port), 0);
	assert_string_equal(ip_print_port(&ip, port, s), "[fd00::1]:443");
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.2", &v6.sin6_addr), 1);
	assert_int_equal(ip_of_sockaddr((const struct sockaddr *)&v6, &ip, &port), 0);
	assert_string_equal(ip_print_port(&ip, port, s), "10.0.0.2:443");
	assert_int_equal(ip_of_sockaddr(&unix_socket, &ip, &port), -EAFNOSUPPORT);
	assert_int_equal(port, 443);
}

static void garbage_is_no_address(void **state)
{
	static const char *const rows[] = { "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256",
		"1.2.3.-1", "1.2.3.+1", "1.2.3.4 ", " 1.2.3.4", "1..2.3", ".1.2.3.4", "1.2.3.4.",
		"0x1.2.3.4", "1.2.3.4/24", "1.2.3.4:80", "99999999999999999999.1.1.1", ":",
		":::", "1::2::3", "12345::", "::g", "fe80::1%eth0", "[::1]", "::1/128",
		"1:2:3:4:5:6:7:8:9", "localhost" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip ip = { .family = 77 };

		assert_int_equal(ip_parse(rows[i], &ip), -EINVAL);
		assert_int_equal(ip.family, 77); /* written only on success */
	}
}

static void equal_addresses_are_equal_memory(void **state)
{
	struct ip a = fixture_ip("1.2.3.4"), b = fixture_ip("::ffff:1.2.3.4"), c;
	uint8_t bytes[16];

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	memcpy(bytes, (uint8_t[]){ 1, 2, 3, 4 }, 4);
	c = ip_make(AF_INET, bytes);
	assert_true(ip_eq(&a, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_equal(&a, &c, sizeof(a));
}

static void prefixes_lose_their_host_bits(void **state)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {
		{ "10.1.2.3/8", "10.0.0.0/8" },
		{ "10.1.2.3/32", "10.1.2.3/32" },
		{ "10.1.2.3/0", "0.0.0.0/0" },
		{ "10.255.255.255/9", "10.128.0.0/9" },
		{ "10.255.255.255/23", "10.255.254.0/23" },
		{ "10.255.255.255/31", "10.255.255.254/31" },
		{ "010.001.0.0/016", "10.1.0.0/16" },
		{ "2001:db8:ffff::1/33", "2001:db8:8000::/33" },
		{ "2001:db8::1/128", "2001:db8::1/128" },
		{ "2001:db8::1/127", "2001:db8::/127" },
		{ "ffff::/0", "::/0" },
		/* The length of a mapped prefix counts from the head of the IPv6 address. */
		{ "::ffff:10.1.2.3/104", "10.0.0.0/8" },
		{ "::ffff:10.1.2.3/128", "10.1.2.3/32" },
		{ "::ffff:10.1.2.3/96", "0.0.0.0/0" },
	};
	char s[CIDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cidr c;

		assert_int_equal(cidr_parse(rows[i].text, &c), 0);
		assert_string_equal(cidr_print(&c, s), rows[i].canonical);
	}
}

static void garbage_is_no_prefix(void **state)
{
	static const char *const rows[] = { "", "/", "/8", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0",
		"10.0.0/8", "::/129", "::1%lo/128", "10.0.0.0/99999999999999999999",
		"11111111111111111111111111111111111111111111111111/8",
		/* Not a range of IPv4 addresses only. */
		"::ffff:10.0.0.0/8", "::ffff:10.0.0.0/95" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cidr c = { .len = 77 };

		assert_int_equal(cidr_parse(rows[i], &c), -EINVAL);
		assert_int_equal(c.len, 77);
	}
}

static void a_prefix_contains_its_own_family_only(void **state)
{
	static const struct {
		const char *range, *ip;
		bool contains;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "::ffff:10.1.1.1", true },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::", false },
		{ "::/0", "0.0.0.0", false },
		{ "::/0", "ffff::", true },
		{ "10.1.2.3/32", "10.1.2.3", true },
		{ "10.1.2.3/32", "10.1.2.2", false },
		{ "10.1.2.4/30", "10.1.2.7", true },
		{ "10.1.2.4/30", "10.1.2.8", false },
		{ "fd00::/9", "fd7f::", true },
		{ "fd00::/9", "fd80::", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cidr c = fixture_cidr(rows[i].range);
		struct ip ip = fixture_ip(rows[i].ip);

		assert_int_equal(cidr_contains(&c, &ip), rows[i].contains);
	}
}

static void no_address_is_contained_nowhere(void **state)
{
	struct cidr c = fixture_cidr("0.0.0.0/0");
	struct ip none = { 0 };
	char s[IP_STRLEN];

	(void)state;
	assert_false(cidr_contains(&c, &none));
	assert_false(ip_kind(&none) == IP_UNSPECIFIED);
	assert_string_equal(ip_print(&none, s), "-");
}

static void ports_are_printed_as_urls_do(void **state)
{
	struct ip v4 = fixture_ip("10.0.0.1"), v6 = fixture_ip("fd00::1"),
		  longest = fixture_ip("1111:2222:3333:4444:5555:6666:7777:8888");
	char s[IP_PORT_STRLEN];

	(void)state;
	assert_string_equal(ip_print_port(&v4, 80, s), "10.0.0.1:80");
	assert_string_equal(ip_print_port(&v6, 65535, s), "[fd00::1]:65535");
	assert_string_equal(ip_print_port(&longest, 65535, s),
		"[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void addresses_with_ports_are_read_back(void **state)
{
	static const char *const rows[] = { "10.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535",
		"[::]:1", "[fd00::1]:65535" };
	char s[IP_PORT_STRLEN];
	uint16_t port;
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ip_parse_port(rows[i], &ip, &port), 0);
		assert_string_equal(ip_print_port(&ip, port, s), rows[i]);
	}
	assert_int_equal(ip_parse_port("[::ffff:10.0.0.1]:80", &ip, &port), 0);
	assert_string_equal(ip_print_port(&ip, port, s), "10.0.0.1:80");
}

static void garbage_is_no_address_with_port(void **state)
{
	static const char *const rows[] = { "", ":", ":80", "80", "10.0.0.1",
		"10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:http", "10.0.0.1:80 ",
		"10.0.0.1 :80", "[10.0.0.1]:80", "fd00::1:80", "fd00::1", "[fd00::1]",
		"[fd00::1]80", "[fd00::1]:", "[fd00::1:80", "fd00::1]:80", "[", "[:80", "[]:80",
		"]:80", "[[fd00::1]]:80",
		"[fd00:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip ip = { .family = 77 };
		uint16_t port = 77;

		assert_int_equal(ip_parse_port(rows[i], &ip, &port), -EINVAL);
		assert_int_equal(ip.family, 77);
		assert_int_equal(port, 77);
	}
}

static void addresses_have_kinds(void **state)
{
	static const struct {
		const char *ip;
		enum ip_kind kind;
	} rows[] = {
		{ "0.0.0.0", IP_UNSPECIFIED },
		{ "::", IP_UNSPECIFIED },
		{ "127.0.0.1", IP_LOOPBACK },
		{ "127.255.0.9", IP_LOOPBACK },
		{ "128.0.0.1", IP_HOST },
		{ "::1", IP_LOOPBACK },
		{ "::2", IP_HOST },
		{ "169.254.0.1", IP_LINK_LOCAL },
		{ "169.255.0.1", IP_HOST },
		{ "fe80::1", IP_LINK_LOCAL },
		{ "febf::1", IP_LINK_LOCAL },
		{ "fec0::1", IP_HOST },
		{ "224.0.0.1", IP_MULTICAST },
		{ "239.255.255.255", IP_MULTICAST },
		{ "240.0.0.0", IP_HOST },
		{ "ff02::1", IP_MULTICAST },
		{ "255.255.255.255", IP_BROADCAST },
		{ "255.255.255.254", IP_HOST },
		{ "7f00::1", IP_HOST },
		{ "e000::", IP_HOST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip ip = fixture_ip(rows[i].ip);

		assert_int_equal(ip_kind(&ip), rows[i].kind);
	}
}

static void ipv4_sorts_before_ipv6(void **state)
{
	static const char *const sorted[] = { "0.0.0.0", "9.255.0.0", "10.0.0.2", "10.0.0.10",
		"255.255.255.255", "::", "::1", "fd00::" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			struct ip a = fixture_ip(sorted[i]), b = fixture_ip(sorted[j]);
			int c = ip_compare(&a, &b);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
}

static void ranges_within_others_are_left_out(void **state)
{
	static const char *const texts[] = { "10.1.0.0/16", "fd00:1::/32", "10.0.0.0/8",
		"11.0.0.0/8", "10.255.255.255/32", "fd00::/16", "11.0.0.0/8", "0:0:0:0::/128",
		"12.0.0.0/9", "12.128.0.0/9" };
	static const char *const kept[] = { "10.0.0.0/8", "11.0.0.0/8", "fd00::/16", "::/128",
		"12.0.0.0/9", "12.128.0.0/9" };
	struct cidr ranges[ARRAY_SIZE(texts)];
	char s[CIDR_STRLEN];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(cidr_parse(texts[i], &ranges[i]), 0);
	n = cidrs_reduce(ranges, ARRAY_SIZE(ranges));
	assert_int_equal(n, ARRAY_SIZE(kept));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(cidr_print(&ranges[i], s), kept[i]);
	assert_int_equal(cidrs_reduce(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_printed_canonically),
		cmocka_unit_test(addresses_of_sockets_are_read),
		cmocka_unit_test(garbage_is_no_address),
		cmocka_unit_test(equal_addresses_are_equal_memory),
		cmocka_unit_test(prefixes_lose_their_host_bits),
		cmocka_unit_test(garbage_is_no_prefix),
		cmocka_unit_test(a_prefix_contains_its_own_family_only),
		cmocka_unit_test(no_address_is_contained_nowhere),
		cmocka_unit_test(ports_are_printed_as_urls_do),
		cmocka_unit_test(addresses_with_ports_are_read_back),
		cmocka_unit_test(garbage_is_no_address_with_port),
		cmocka_unit_test(addresses_have_kinds),
		cmocka_unit_test(ipv4_sorts_before_ipv6),
		cmocka_unit_test(ranges_within_others_are_left_out),
	};

	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
