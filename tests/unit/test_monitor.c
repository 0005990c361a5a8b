// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "http_client.h"
#include "server/monitor.h"

struct fixture {
	struct event_base *base;
	struct monitor *monitor;
	struct health health;
	const char *failed;
	unsigned failures;
};

static void metrics(struct buf *ret, void *arg)
{
	(void)arg;
	buf_adds(ret, "# HELP x y\n# TYPE x gauge\nx 1\n");
}

static json_t *configz(void *arg)
{
	(void)arg;
	return json_pack("{s:s}", "mode", "ipvs");
}

static json_t *no_configz(void *arg)
{
	(void)arg;
	return NULL;
}

static void on_failure(const char *server, const struct err *err, void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(err->code, -EADDRINUSE);
	f->failed = server;
	f->failures++;
}

static struct monitor_config config(struct fixture *f)
{
	struct monitor_config c = {
		.health = &f->health,
		.mode = "ipvs",
		.metrics = metrics,
		.configz = configz,
		.arg = f,
	};

	assert_int_equal(ip_parse("0.0.0.0", &c.address[MONITOR_HEALTHZ].ip), 0);
	assert_int_equal(ip_parse("127.0.0.1", &c.address[MONITOR_METRICS].ip), 0);
	return c;
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);
	struct monitor_config c = config(f);

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	f->base = event_base_new();
	health_init(&f->health, 1000, true);
	f->monitor = monitor_new(f->base, &c);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	monitor_free(f->monitor);
	event_base_free(f->base);
	free(f);
	return 0;
}

static char *ask(struct fixture *f, enum monitor_server server, const char *path)
{
	_cleanup_(buf_done) struct buf request = { 0 };

	buf_addf(&request, "GET %s", path);
	return http_client_ask(
		f->base, "127.0.0.1", monitor_port(f->monitor, server), buf_str(&request));
}

static void expect(struct fixture *f, enum monitor_server server, const char *path,
	const char *status, const char *type, const char *body)
{
	_cleanup_free_ char *answer = ask(f, server, path);
	_cleanup_(buf_done) struct buf line = { 0 };

	buf_addf(&line, "HTTP/1.1 %s ", status);
	assert_int_equal(strncmp(answer, buf_str(&line), line.len), 0);
	buf_reset(&line);
	buf_addf(&line, "\r\nContent-Type: %s\r\n", type);
	assert_non_null(strstr(answer, buf_str(&line)));
	assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
	assert_string_equal(http_client_body(answer), body);
}

#define NOT_FOUND "404", "text/plain; charset=utf-8", "404 page not found\n"

static void probes_are_answered(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *unknown = ask(f, MONITOR_HEALTHZ, "/healthz"), *known = NULL;
	_cleanup_free_ char *alive = ask(f, MONITOR_HEALTHZ, "/livez");

	assert_int_equal(strncmp(unknown, "HTTP/1.1 503 ", 13), 0);
	assert_non_null(strstr(unknown, "\"nodeEligible\":false,\"healthy\":true}"));
	assert_int_equal(strncmp(alive, "HTTP/1.1 200 ", 13), 0);
	assert_null(strstr(alive, "nodeEligible"));
	health_set_node(&f->health, &(struct node){ .deleting = false });
	known = ask(f, MONITOR_HEALTHZ, "/healthz");
	assert_int_equal(strncmp(known, "HTTP/1.1 200 ", 13), 0);
	assert_non_null(strstr(known, "\r\nContent-Type: application/json\r\n"));
	assert_int_equal(f->health.answers[HEALTH_HEALTHZ][0], 1);
	assert_int_equal(f->health.answers[HEALTH_HEALTHZ][1], 1);
	assert_int_equal(f->health.answers[HEALTH_LIVEZ][0], 1);
	expect(f, MONITOR_HEALTHZ, "/metrics", NOT_FOUND);
}

static void metrics_mode_and_configuration_are_served(void **state)
{
	static const char plain[] = "text/plain; charset=utf-8";
	struct fixture *f = *state;

	expect(f, MONITOR_METRICS, "/metrics", "200", "text/plain; version=0.0.4; charset=utf-8",
		"# HELP x y\n# TYPE x gauge\nx 1\n");
	expect(f, MONITOR_METRICS, "/proxyMode", "200", plain, "ipvs");
	expect(f, MONITOR_METRICS, "/configz", "200", "application/json",
		"{\"kubeproxy.config.k8s.io\":{\"mode\":\"ipvs\"}}");
	expect(f, MONITOR_METRICS, "/healthz", "200", plain, "ok");
	expect(f, MONITOR_METRICS, "/healthz/ping", "200", plain, "ok");
	expect(f, MONITOR_METRICS, "/healthz?exclude=ping", "200", plain, "ok");
	expect(f, MONITOR_METRICS, "/healthz?a=b&verbose", "200", plain,
		"[+]ping ok\nhealthz check passed\n");
	expect(f, MONITOR_METRICS, "/healthz?verbosely", "200", plain, "ok");
	expect(f, MONITOR_METRICS, "/livez", NOT_FOUND);
	expect(f, MONITOR_METRICS, "/metrics/", NOT_FOUND);
}

static void a_configuration_that_cannot_be_told_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct monitor_config c = config(f);

	monitor_free(f->monitor);
	c.configz = no_configz;
	f->monitor = monitor_new(f->base, &c);
	expect(f, MONITOR_METRICS, "/configz", "500", "application/json", "");
}

static void a_server_that_is_not_wanted_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct monitor_config c = config(f);

	monitor_free(f->monitor);
	c.address[MONITOR_HEALTHZ] = (struct http_address){ 0 };
	f->monitor = monitor_new(f->base, &c);
	assert_int_equal(monitor_port(f->monitor, MONITOR_HEALTHZ), 0);
	assert_int_not_equal(monitor_port(f->monitor, MONITOR_METRICS), 0);
}

static void a_hard_failure_names_the_server(void **state)
{
	struct fixture *f = *state;
	struct monitor_config c = config(f);
	struct monitor *second;

	c.address[MONITOR_METRICS].port = monitor_port(f->monitor, MONITOR_METRICS);
	c.on_failure = on_failure;
	second = monitor_new(f->base, &c);
	assert_int_equal(f->failures, 1);
	assert_string_equal(f->failed, "metrics");
	assert_int_not_equal(monitor_port(second, MONITOR_HEALTHZ), 0);
	monitor_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(probes_are_answered),
		TEST(metrics_mode_and_configuration_are_served),
		TEST(a_configuration_that_cannot_be_told_is_an_error),
		TEST(a_server_that_is_not_wanted_is_not_there),
		TEST(a_hard_failure_names_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
