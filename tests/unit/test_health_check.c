// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http_client.h"
#include "server/health_check.h"

struct fixture {
	struct event_base *base;
	struct health_check_server *server;
	bool healthy;
	struct buf told;
};

static bool healthy(void *arg)
{
	return ((const struct fixture *)arg)->healthy;
}

static void on_failure(const struct health_check *check, const struct err *err, void *arg)
{
	struct fixture *f = arg;

	buf_addf(&f->told, "%s/%s %u %s\n", check->ns, check->name, check->port,
		strerror(-err->code));
}

static void start(struct fixture *f, unsigned retry)
{
	const struct health_check_config config = {
		.healthy = healthy, .on_failure = on_failure, .retry = retry, .arg = f
	};

	f->server = health_check_server_new(f->base, &config);
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	signal(SIGPIPE, SIG_IGN);
	f->base = event_base_new();
	f->healthy = true;
	start(f, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	health_check_server_free(f->server);
	event_base_free(f->base);
	buf_done(&f->told);
	free(f);
	return 0;
}

/* On these addresses, separated by blanks. */
static void reconcile_on(
	struct fixture *f, const char *addresses, const struct health_check *checks, size_t n)
{
	_cleanup_free_ char *copy = mem_strdup(addresses);
	struct ip ips[4];
	size_t n_ips = 0;
	char *save = NULL;

	for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
		assert_int_equal(ip_parse(s, &ips[n_ips++]), 0);
	health_check_server_reconcile(f->server, ips, n_ips, checks, n);
}

static void reconcile(struct fixture *f, const struct health_check *checks, size_t n)
{
	reconcile_on(f, "127.0.0.1", checks, n);
}

static struct health_check check(const char *name, uint16_t port, uint32_t local_ready)
{
	return (struct health_check){
		.ns = "ns", .name = name, .port = port, .local_ready = local_ready
	};
}

static bool answers(struct fixture *f, const char *ip, uint16_t port, const char *status)
{
	_cleanup_free_ char *answer = http_client_ask(f->base, ip, port, "GET /");
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
	return !strncmp(answer, line, strlen(line));
}

static bool refuses(struct fixture *f, const char *ip, uint16_t port)
{
	_cleanup_free_ char *answer = http_client_ask(f->base, ip, port, "GET /");

	return !*answer;
}

static void the_answer_is_kube_proxys(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_client_free_port("127.0.0.1");
	struct health_check c = check("svc", port, 2);
	_cleanup_free_ char *answer = NULL, *again = NULL;

	reconcile(f, &c, 1);
	answer = http_client_ask(f->base, "127.0.0.1", port, "GET /");
	assert_int_equal(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17), 0);
	assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
	assert_non_null(strstr(answer, "\r\nX-Load-Balancing-Endpoint-Weight: 2\r\n"));
	assert_string_equal(http_client_body(answer),
		"{\n"
		"\t\"service\": {\n"
		"\t\t\"namespace\": \"ns\",\n"
		"\t\t\"name\": \"svc\"\n"
		"\t},\n"
		"\t\"localEndpoints\": 2,\n"
		"\t\"serviceProxyHealthy\": true\n"
		"}");
	again = http_client_ask(f->base, "127.0.0.1", port, "PUT /any/path?at=all");
	assert_string_equal(http_client_body(again), http_client_body(answer));
}

static void without_endpoints_or_health_it_is_unavailable(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_client_free_port("127.0.0.1");
	struct health_check c = check("svc", port, 0);
	_cleanup_free_ char *none = NULL, *sick = NULL;

	reconcile(f, &c, 1);
	none = http_client_ask(f->base, "127.0.0.1", port, "GET /");
	assert_int_equal(strncmp(none, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
	assert_non_null(strstr(none, "\r\nX-Load-Balancing-Endpoint-Weight: 0\r\n"));
	assert_non_null(strstr(none, "\"localEndpoints\": 0,\n\t\"serviceProxyHealthy\": true\n"));
	c.local_ready = 1;
	f->healthy = false;
	reconcile(f, &c, 1);
	sick = http_client_ask(f->base, "127.0.0.1", port, "GET /");
	assert_int_equal(strncmp(sick, "HTTP/1.1 503 ", 13), 0);
	assert_non_null(strstr(sick, "\r\nX-Load-Balancing-Endpoint-Weight: 1\r\n"));
	assert_non_null(strstr(sick, "\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": false\n"));
	f->healthy = true;
	assert_true(answers(f, "127.0.0.1", port, "200"));
}

static void services_come_and_go(void **state)
{
	struct fixture *f = *state;
	uint16_t a = http_client_free_port("127.0.0.1"), b = http_client_free_port("127.0.0.1");
	const struct health_check both[] = { check("a", a, 1), check("b", b, 0) };

	reconcile(f, both, 2);
	assert_true(answers(f, "127.0.0.1", a, "200"));
	assert_true(answers(f, "127.0.0.1", b, "503"));
	reconcile(f, &both[1], 1);
	assert_true(refuses(f, "127.0.0.1", a));
	assert_true(answers(f, "127.0.0.1", b, "503"));
	reconcile(f, NULL, 0);
	assert_true(refuses(f, "127.0.0.1", b));
	assert_int_equal(f->told.len, 0);
}

static void names_are_copied_and_namespaces_keep_them_apart(void **state)
{
	struct fixture *f = *state;
	uint16_t a = http_client_free_port("127.0.0.1"), b = http_client_free_port("127.0.0.1");
	char ns[] = "first", name[] = "web";
	const struct health_check checks[] = {
		{ .ns = ns, .name = name, .port = a, .local_ready = 1 },
		{ .ns = "second", .name = "web", .port = b, .local_ready = 2 },
	};
	_cleanup_free_ char *first = NULL, *second = NULL;

	reconcile(f, checks, 2);
	memset(ns, 'x', strlen(ns));
	memset(name, 'x', strlen(name));
	first = http_client_ask(f->base, "127.0.0.1", a, "GET /");
	second = http_client_ask(f->base, "127.0.0.1", b, "GET /");
	assert_non_null(strstr(first, "\"namespace\": \"first\",\n\t\t\"name\": \"web\""));
	assert_non_null(strstr(second, "\"namespace\": \"second\",\n\t\t\"name\": \"web\""));
}

static void a_port_moves(void **state)
{
	struct fixture *f = *state;
	uint16_t a = http_client_free_port("127.0.0.1"), b = http_client_free_port("127.0.0.1");
	struct health_check one = check("one", a, 1), two = check("two", a, 0);

	reconcile(f, &one, 1);
	one.port = b;
	reconcile(f, &one, 1);
	assert_true(refuses(f, "127.0.0.1", a));
	assert_true(answers(f, "127.0.0.1", b, "200"));
	/* From one Service to another, in one step. */
	one.port = a;
	two.port = b;
	reconcile(f, (struct health_check[]){ two, one }, 2);
	assert_true(answers(f, "127.0.0.1", a, "200"));
	assert_true(answers(f, "127.0.0.1", b, "503"));
	reconcile(f, (struct health_check[]){ check("three", a, 0) }, 1);
	assert_true(answers(f, "127.0.0.1", a, "503"));
	assert_int_equal(f->told.len, 0);
}

static void what_does_not_change_keeps_its_connections(void **state)
{
	struct fixture *f = *state;
	uint16_t a = http_client_free_port("127.0.0.1"), b = http_client_free_port("127.0.0.1");
	struct health_check checks[] = { check("a", a, 1), check("b", b, 1) };
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd;

	reconcile(f, checks, 1);
	fd = http_client_connect("127.0.0.1", a);
	for (uint32_t i = 1; i < 4; i++) {
		char weight[64];

		checks[0].local_ready = i;
		reconcile_on(
			f, i == 3 ? "127.0.0.2 127.0.0.1" : "127.0.0.1", checks, i == 2 ? 2 : 1);
		http_client_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
		snprintf(weight, sizeof(weight), "\"localEndpoints\": %u,", i);
		http_client_receive(f->base, fd, weight, &answer);
		assert_non_null(strstr(buf_str(&answer), weight));
	}
	close(fd);
}

static void the_connections_of_a_service_end_with_it(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_client_free_port("127.0.0.1");
	struct health_check c = check("svc", port, 1);
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd;

	reconcile(f, &c, 1);
	fd = http_client_connect("127.0.0.1", port);
	http_client_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	http_client_receive(f->base, fd, "serviceProxyHealthy", &answer);
	reconcile(f, NULL, 0);
	http_client_receive(f->base, fd, NULL, &answer);
	close(fd);
}

static void it_listens_on_the_addresses_that_are_wanted(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_client_free_port("127.0.0.1");
	struct health_check c = check("svc", port, 1);

	reconcile_on(f, "127.0.0.1 127.0.0.2", &c, 1);
	assert_true(answers(f, "127.0.0.1", port, "200"));
	assert_true(answers(f, "127.0.0.2", port, "200"));
	assert_true(refuses(f, "127.0.0.3", port));
	reconcile_on(f, "127.0.0.2 127.0.0.3", &c, 1);
	assert_true(refuses(f, "127.0.0.1", port));
	assert_true(answers(f, "127.0.0.2", port, "200"));
	assert_true(answers(f, "127.0.0.3", port, "200"));
	reconcile_on(f, "", &c, 1);
	assert_true(refuses(f, "127.0.0.2", port));
	assert_int_equal(f->told.len, 0);
	reconcile_on(f, "0.0.0.0", &c, 1);
	assert_true(answers(f, "127.0.0.1", port, "200"));
	assert_true(answers(f, "127.0.0.9", port, "200"));
}

static void each_family_has_its_own_answer_on_one_port(void **state)
{
	struct fixture *f = *state, other = { .base = f->base, .healthy = true };
	uint16_t port = http_client_free_port("::");
	struct health_check four = check("svc", port, 0), six = check("svc", port, 3);

	start(&other, 0);
	reconcile_on(&other, "::", &six, 1);
	reconcile_on(f, "0.0.0.0", &four, 1);
	assert_int_equal(f->told.len, 0);
	assert_int_equal(other.told.len, 0);
	assert_true(answers(f, "127.0.0.1", port, "503"));
	assert_true(answers(f, "::1", port, "200"));
	health_check_server_free(other.server);
}

static int occupy(uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = http_client_address(&sa, "127.0.0.2", port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_return_code(bind(fd, (struct sockaddr *)&sa, len), errno);
	assert_return_code(listen(fd, 1), errno);
	return fd;
}

static void a_failure_is_told_once_and_tried_again(void **state)
{
	struct fixture *f = *state;
	uint16_t a = http_client_free_port("127.0.0.1"), b = http_client_free_port("127.0.0.1");
	const struct health_check checks[] = { check("a", a, 1), check("b", b, 1) };
	_cleanup_(buf_done) struct buf told = { 0 };
	int fd = occupy(a);

	buf_addf(&told, "ns/a %u Address already in use\n", a);
	reconcile_on(f, "127.0.0.1 127.0.0.2", checks, 2);
	reconcile_on(f, "127.0.0.1 127.0.0.2", checks, 2);
	assert_string_equal(buf_str(&f->told), buf_str(&told));
	/* On all addresses or on none; others are not concerned. */
	assert_true(refuses(f, "127.0.0.1", a));
	assert_true(answers(f, "127.0.0.1", b, "200"));
	close(fd);
	reconcile_on(f, "127.0.0.1 127.0.0.2", checks, 2);
	assert_true(answers(f, "127.0.0.1", a, "200"));
	assert_true(answers(f, "127.0.0.2", a, "200"));
	assert_string_equal(buf_str(&f->told), buf_str(&told));
	/* The next failure is told again. */
	reconcile(f, NULL, 0);
	fd = occupy(a);
	reconcile_on(f, "127.0.0.1 127.0.0.2", checks, 1);
	assert_int_equal(f->told.len, 2 * told.len);
	close(fd);
}

static void what_failed_is_tried_again_by_itself(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_client_free_port("127.0.0.1");
	const struct health_check c = check("svc", port, 1);
	int fd = occupy(port);

	health_check_server_free(f->server);
	start(f, 1);
	reconcile_on(f, "127.0.0.2", &c, 1);
	for (int i = 0; i < 3; i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_true(f->told.len > 0);
	close(fd);
	for (int i = 0; i < 100 && refuses(f, "127.0.0.2", port); i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_true(answers(f, "127.0.0.2", port, "200"));
}

static void of_two_services_on_one_port_the_first_has_it(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_client_free_port("127.0.0.1");
	const struct health_check checks[] = { check("old", port, 1), check("new", port, 0) };
	_cleanup_(buf_done) struct buf told = { 0 };

	buf_addf(&told, "ns/new %u Address already in use\n", port);
	reconcile(f, checks, 2);
	assert_true(answers(f, "127.0.0.1", port, "200"));
	assert_string_equal(buf_str(&f->told), buf_str(&told));
	reconcile(f, &checks[1], 1);
	assert_true(answers(f, "127.0.0.1", port, "503"));
}

static void an_address_that_the_node_does_not_have_is_a_failure(void **state)
{
	struct fixture *f = *state;
	const struct health_check c = check("svc", http_client_free_port("127.0.0.1"), 1);

	reconcile_on(f, "192.0.2.1", &c, 1);
	assert_non_null(strstr(buf_str(&f->told), "Cannot assign requested address"));
}

/* As an IPv6 address that the kernel still looks for on the network. */
static void the_others_answer_while_one_address_cannot_be_had(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_client_free_port("127.0.0.1");
	struct health_check c = check("svc", port, 1);
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd;

	reconcile_on(f, "127.0.0.1 192.0.2.1 127.0.0.2", &c, 1);
	assert_non_null(strstr(buf_str(&f->told), "Cannot assign requested address"));
	assert_true(answers(f, "127.0.0.1", port, "200"));
	assert_true(answers(f, "127.0.0.2", port, "200"));
	buf_reset(&f->told);
	fd = http_client_connect("127.0.0.1", port);
	c.local_ready = 7;
	reconcile_on(f, "127.0.0.1 192.0.2.1 127.0.0.2", &c, 1);
	http_client_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	http_client_receive(f->base, fd, "\"localEndpoints\": 7,", &answer);
	assert_int_equal(f->told.len, 0);
	close(fd);
}

static void hundreds_of_services_are_served(void **state)
{
	enum { N = 300 };
	struct fixture *f = *state;
	struct health_check checks[N];
	const unsigned pid = (unsigned)getpid();
	char names[N][8], ip[20];

	/* Other processes that run this test at the same time have another address. */
	snprintf(ip, sizeof(ip), "127.%u.%u.77", 1 + pid / 256 % 250, pid % 256);
	for (unsigned i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", i);
		checks[i] = check(names[i], (uint16_t)(20000 + i), i);
	}
	reconcile_on(f, ip, checks, N);
	assert_int_equal(f->told.len, 0);
	for (unsigned i = 0; i < 100; i++)
		reconcile_on(f, ip, checks, N);
	assert_true(answers(f, ip, 20000, "503"));
	assert_true(answers(f, ip, 20000 + N - 1, "200"));
	assert_true(refuses(f, ip, 20000 + N));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_answer_is_kube_proxys),
		TEST(without_endpoints_or_health_it_is_unavailable),
		TEST(services_come_and_go),
		TEST(names_are_copied_and_namespaces_keep_them_apart),
		TEST(a_port_moves),
		TEST(what_does_not_change_keeps_its_connections),
		TEST(the_connections_of_a_service_end_with_it),
		TEST(it_listens_on_the_addresses_that_are_wanted),
		TEST(each_family_has_its_own_answer_on_one_port),
		TEST(a_failure_is_told_once_and_tried_again),
		TEST(what_failed_is_tried_again_by_itself),
		TEST(of_two_services_on_one_port_the_first_has_it),
		TEST(an_address_that_the_node_does_not_have_is_a_failure),
		TEST(the_others_answer_while_one_address_cannot_be_had),
		TEST(hundreds_of_services_are_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
