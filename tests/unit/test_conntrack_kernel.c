// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Against the running kernel, in network namespaces of its own: UDP packets make entries, DNAT
 * rules stand for IPVS, and the conntrack program is the witness. Each flow has a source port of
 * its own.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "kernel/conntrack.h"
#include "kernel/exec.h"

enum { SKIPPED = 77, TIMEOUT_MS = 60000 };

static struct {
	struct conntrack *conntrack;
	struct stale_list stale;
} t;

#define RUN(input, ...) run(input, (const char *const[]){ __VA_ARGS__, NULL })

static char *run(const char *input, const char *const argv[])
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err = { 0 };
	int r = exec_run(argv, input, input ? strlen(input) : 0, TIMEOUT_MS, &out, &err);

	if (r)
		fail_msg("%s: %s", argv[0], err.msg);
	return buf_take(&out);
}

/* The service network is local, as VIPs are; everything unknown leaves by a device that swallows
 * it. */
static void set_up_network(void)
{
	free(RUN("link set lo up\n"
		 "link add d0 type dummy\n"
		 "link set d0 up\n"
		 "addr add 192.0.2.10/32 dev lo\n"
		 "addr add 10.244.0.1/32 dev lo\n"
		 "addr add 10.244.0.2/32 dev lo\n"
		 "route add local 10.96.0.0/16 dev lo\n"
		 "route add default dev d0\n"
		 "addr add 2001:db8::10/128 dev lo\n"
		 "addr add fd00:10::1/128 dev lo\n"
		 "addr add fd00:10::2/128 dev lo\n"
		 "-6 route add local fd00:96::/64 dev lo\n",
		"ip", "-batch", "-"));
}

static int new_namespace(void **state)
{
	struct err err;

	(void)state;
	if (unshare(CLONE_NEWNET) || conntrack_new(&t.conntrack, &err))
		return -1;
	set_up_network();
	return 0;
}

static int end_namespace(void **state)
{
	(void)state;
	conntrack_free(take(t.conntrack));
	stale_done(&t.stale);
	return 0;
}

static struct ip parse(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip), 0);
	return ip;
}

/* What is sent there goes to that endpoint: "10.244.0.1:5353". */
static void lead(const char *vip, const char *port, const char *endpoint)
{
	bool v6 = strchr(vip, ':');

	free(RUN(NULL, v6 ? "ip6tables" : "iptables", "-w", "-t", "nat", "-I", "OUTPUT", "-d", vip,
		"-p", "udp", "--dport", port, "-j", "DNAT", "--to-destination", endpoint));
}

static socklen_t socket_address(struct sockaddr_storage *ret, const char *address, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct ip ip = parse(address);

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = ip.family;
	if (ip.family == AF_INET) {
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, ip.bytes, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, ip.bytes, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

/* One packet of the flow. */
static void transmit(uint16_t from_port, const char *to, uint16_t to_port)
{
	bool v6 = strchr(to, ':');
	struct sockaddr_storage from, dest;
	socklen_t len = socket_address(&from, v6 ? "2001:db8::10" : "192.0.2.10", from_port);
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, len), 0);
	socket_address(&dest, to, to_port);
	assert_int_equal(sendto(fd, "", 1, 0, (struct sockaddr *)&dest, len), 1);
	close(fd);
}

static void by_conntrack(const char *commands)
{
	free(RUN(commands, "conntrack", "-R", "-"));
}

static char *list_entries(void)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	static const char *const families[] = { "ipv4", "ipv6" };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		_cleanup_free_ char *text = RUN(NULL, "conntrack", "-L", "-f", families[i]);

		buf_adds(&b, text);
	}
	return buf_take(&b);
}

/* Whether the first flow from that port is there, and where its replies come from: "src=10.244.0.1
 * "; "": from anywhere. */
static bool flow_is_there(unsigned from_port, const char *reply)
{
	_cleanup_free_ char *text = list_entries();
	char port[32];

	snprintf(port, sizeof(port), " sport=%u ", from_port);
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		*end = '\0';
		if (strstr(line, port))
			return strstr(strstr(line, port), reply);
	}
	return false;
}

static size_t count_entries(void)
{
	_cleanup_free_ char *text = list_entries();
	size_t n = 0;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

/* With one serving endpoint, or NULL. */
static void add_frontend(
	const char *address, uint16_t port, uint8_t proto, const char *endpoint, uint16_t to_port)
{
	struct ip ip = parse(address);
	struct stale_list *l = &t.stale;

	stale_add(l, &ip, port, proto);
	if (!endpoint)
		return;
	l->frontends[l->n - 1].first = l->n_endpoints;
	l->frontends[l->n - 1].n = 1;
	mem_grow(l->endpoints, l->n_endpoints, l->cap_endpoints);
	l->endpoints[l->n_endpoints++] =
		(struct stale_endpoint){ .ip = parse(endpoint), .port = to_port };
}

static void clean(int expected)
{
	struct err err = { 0 };
	int r;

	stale_finish(&t.stale);
	r = conntrack_clean(t.conntrack, &t.stale, &err);
	if (r < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(r, expected);
}

static void only_stale_flows_are_deleted(void **state)
{
	enum { SERVED = 40001, LEFT, NODE_PORT_LEFT, ELSEWHERE, DNS, OTHER_PORT, NEVER, TCP };

	(void)state;
	transmit(NEVER, "10.96.0.10", 53);
	lead("10.96.0.10", "53", "10.244.0.2:5353");
	lead("192.0.2.10", "30053", "10.244.0.2:5353");
	transmit(LEFT, "10.96.0.10", 53);
	transmit(NODE_PORT_LEFT, "192.0.2.10", 30053);
	lead("10.96.0.10", "53", "10.244.0.1:5353");
	transmit(SERVED, "10.96.0.10", 53);
	transmit(ELSEWHERE, "203.0.113.7", 30053);
	transmit(DNS, "8.8.8.8", 53);
	transmit(OTHER_PORT, "10.96.0.10", 54);
	by_conntrack("-I -p tcp -s 192.0.2.1 -d 10.96.0.10 --sport 40008 --dport 53 "
		     "--state ESTABLISHED -t 3000\n");
	assert_true(flow_is_there(NEVER, "src=10.96.0.10 "));
	assert_true(flow_is_there(LEFT, "src=10.244.0.2 "));
	assert_true(flow_is_there(NODE_PORT_LEFT, "src=10.244.0.2 "));
	assert_true(flow_is_there(SERVED, "src=10.244.0.1 "));
	assert_int_equal(count_entries(), 8);

	add_frontend("10.96.0.10", 53, IPPROTO_UDP, "10.244.0.1", 5353);
	add_frontend("192.0.2.10", 30053, IPPROTO_UDP, "10.244.0.1", 5353);
	clean(3);
	assert_true(flow_is_there(SERVED, "src=10.244.0.1 "));
	assert_true(flow_is_there(ELSEWHERE, "src=203.0.113.7 "));
	assert_true(flow_is_there(DNS, "src=8.8.8.8 "));
	assert_true(flow_is_there(OTHER_PORT, "src=10.96.0.10 "));
	assert_true(flow_is_there(TCP, ""));
	assert_int_equal(count_entries(), 5);
	clean(0);
	assert_int_equal(count_entries(), 5);
}

static void a_client_that_goes_on_gets_another_endpoint(void **state)
{
	(void)state;
	lead("10.96.0.10", "53", "10.244.0.2:5353");
	transmit(40001, "10.96.0.10", 53);
	lead("10.96.0.10", "53", "10.244.0.1:5353");
	transmit(40001, "10.96.0.10", 53);
	assert_true(flow_is_there(40001, "src=10.244.0.2 "));
	add_frontend("10.96.0.10", 53, IPPROTO_UDP, "10.244.0.1", 5353);
	clean(1);
	transmit(40001, "10.96.0.10", 53);
	assert_true(flow_is_there(40001, "src=10.244.0.1 "));
	clean(0);
}

static void ipv6_flows_are_deleted(void **state)
{
	(void)state;
	lead("fd00:96::a", "53", "[fd00:10::2]:5353");
	transmit(40001, "fd00:96::a", 53);
	lead("fd00:96::a", "53", "[fd00:10::1]:5353");
	transmit(40002, "fd00:96::a", 53);
	transmit(40003, "fd00:96::b", 53);
	transmit(40004, "10.96.0.10", 53);
	add_frontend("fd00:96::a", 53, IPPROTO_UDP, "fd00:10::1", 5353);
	clean(1);
	assert_false(flow_is_there(40001, ""));
	assert_true(flow_is_there(40002, "src=fd00:10::1 "));
	assert_true(flow_is_there(40003, ""));
	assert_true(flow_is_there(40004, ""));
}

static void both_families_are_cleaned_at_once(void **state)
{
	(void)state;
	transmit(40001, "10.96.0.10", 53);
	transmit(40002, "fd00:96::a", 53);
	add_frontend("10.96.0.10", 53, IPPROTO_UDP, NULL, 0);
	add_frontend("fd00:96::a", 53, IPPROTO_UDP, NULL, 0);
	clean(2);
	assert_int_equal(count_entries(), 0);
}

static void other_protocols_can_be_asked_for(void **state)
{
	(void)state;
	by_conntrack("-I -p sctp -s 192.0.2.1 -d 10.96.0.10 --sport 40001 --dport 53 "
		     "--state ESTABLISHED --orig-vtag 1 --reply-vtag 2 -t 3000\n");
	transmit(40002, "10.96.0.10", 53);
	add_frontend("10.96.0.10", 53, IPPROTO_SCTP, NULL, 0);
	clean(1);
	assert_false(flow_is_there(40001, ""));
	assert_true(flow_is_there(40002, ""));
}

static void flows_in_zones_are_deleted(void **state)
{
	(void)state;
	by_conntrack(
		"-I -p udp -s 192.0.2.1 -d 10.96.0.10 --sport 40001 --dport 53 -t 3000\n"
		"-I -p udp -s 192.0.2.1 -d 10.96.0.10 --sport 40001 --dport 53 -t 3000 -w 7\n"
		"-I -p udp -s 192.0.2.1 -d 10.96.0.10 --sport 40002 --dport 53 -t 3000 "
		"--orig-zone 8\n"
		"-I -p udp -s 192.0.2.1 -d 10.96.0.10 --sport 40003 --dport 53 -t 3000 "
		"--reply-zone 9\n"
		"-I -p udp -s 192.0.2.1 -d 10.96.0.11 --sport 40001 --dport 53 -t 3000 -w 7\n");
	assert_int_equal(count_entries(), 5);
	add_frontend("10.96.0.10", 53, IPPROTO_UDP, NULL, 0);
	clean(4);
	assert_int_equal(count_entries(), 1);
}

static void many_flows_are_deleted(void **state)
{
	enum { N = 6000 };
	_cleanup_(buf_done) struct buf commands = { 0 };

	(void)state;
	for (unsigned i = 0; i < N; i++)
		buf_addf(&commands,
			"-I -p udp -s 192.0.2.%u -d 10.96.0.%u --sport %u --dport 53 -t 3000\n",
			i & 1, i % 3, 20000 + i);
	by_conntrack(buf_str(&commands));
	assert_int_equal(count_entries(), N);
	add_frontend("10.96.0.1", 53, IPPROTO_UDP, NULL, 0);
	add_frontend("10.96.0.2", 53, IPPROTO_UDP, NULL, 0);
	clean(2 * N / 3);
	assert_int_equal(count_entries(), N / 3);
}

static void nothing_is_deleted_for_nothing(void **state)
{
	(void)state;
	transmit(40001, "10.96.0.10", 53);
	clean(0);
	assert_int_equal(count_entries(), 1);
}

static void skip_all(const char *why)
{
	fprintf(stderr, "\nSKIPPED: test_conntrack_kernel did not test anything: %s\n\n", why);
	exit(SKIPPED);
}

/* Entries are only made where something asks for them: a rule of NAT. */
static void try_programs(void)
{
	static const char *const programs[][5] = { { "conntrack", "-L" },
		{ "iptables", "-t", "nat", "-L" }, { "ip6tables", "-t", "nat", "-L" },
		{ "ip", "link" } };
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (exec_run(programs[i], NULL, 0, TIMEOUT_MS, NULL, &err))
			skip_all(err.msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_namespace, end_namespace)
		TEST(only_stale_flows_are_deleted),
		TEST(a_client_that_goes_on_gets_another_endpoint),
		TEST(ipv6_flows_are_deleted),
		TEST(both_families_are_cleaned_at_once),
		TEST(other_protocols_can_be_asked_for),
		TEST(flows_in_zones_are_deleted),
		TEST(many_flows_are_deleted),
		TEST(nothing_is_deleted_for_nothing),
#undef TEST
	};
	struct err err;

	if (unshare(CLONE_NEWNET))
		skip_all("making a network namespace is not permitted: run it as root");
	if (conntrack_new(&t.conntrack, &err))
		skip_all(err.msg);
	conntrack_free(take(t.conntrack));
	try_programs();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
