// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/health.h"

enum { TIMEOUT = 10000 };

/* 2026-01-02T03:04:05Z */
static const struct timespec start = { .tv_sec = 1767323045 };

static struct timespec after(long seconds, long nanoseconds)
{
	return (struct timespec){ .tv_sec = start.tv_sec + seconds, .tv_nsec = nanoseconds };
}

static int set_zone(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

/* Both families are served, at the time 0. */
static struct health started(void)
{
	struct health h;

	health_init(&h, TIMEOUT, false);
	health_updated(&h, AF_INET, &start);
	health_updated(&h, AF_INET6, &start);
	return h;
}

static void expect(struct health *h, enum health_probe probe, uint64_t now, struct timespec wall,
	int status, const char *json)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	assert_int_equal(health_answer(h, probe, now, &wall, &b), status);
	assert_string_equal(buf_str(&b), json);
}

static int answer(struct health *h, enum health_probe probe, uint64_t now)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	return health_answer(h, probe, now, &start, &b);
}

static void it_is_healthy_before_the_first_sync(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, TIMEOUT, false);
	health_queued(&h, AF_INET, 0);
	expect(&h, HEALTH_HEALTHZ, 1000000, after(1, 0), 200,
		"{\"lastUpdated\":\"2026-01-02T03:04:06Z\","
		"\"currentTime\":\"2026-01-02T03:04:06Z\",\"nodeEligible\":true,\"healthy\":true}");
}

static void load_balancers_wait_for_the_first_sync(void **state)
{
	struct health h = started();

	(void)state;
	health_fed(&h);
	expect(&h, HEALTH_HEALTHZ, 1, after(1, 0), 503,
		"{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"currentTime\":\"2026-01-02T03:04:06Z\","
		"\"nodeEligible\":true,\"healthy\":false,\"status\":{"
		"\"IPv4\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":true},"
		"\"IPv6\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":true}}}");
	assert_int_equal(answer(&h, HEALTH_LIVEZ, 1), 200);
	health_updated(&h, AF_INET, &start);
	assert_int_equal(answer(&h, HEALTH_HEALTHZ, 2), 200);
}

static void an_idle_node_stays_healthy(void **state)
{
	struct health h = started();

	(void)state;
	expect(&h, HEALTH_HEALTHZ, 25000, after(25, 500000000), 200,
		"{\"lastUpdated\":\"2026-01-02T03:04:30.5Z\","
		"\"currentTime\":\"2026-01-02T03:04:30.5Z\",\"nodeEligible\":true,\"healthy\":true,"
		"\"status\":{\"IPv4\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":true},"
		"\"IPv6\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":true}}}");
}

static void a_change_that_waits_too_long_is_unhealthy(void **state)
{
	struct health h = started();

	(void)state;
	health_queued(&h, AF_INET, 1000);
	health_queued(&h, AF_INET, 9000); /* the oldest one counts */
	assert_true(health_ok(&h, 1000 + TIMEOUT - 1));
	assert_false(health_ok(&h, 1000 + TIMEOUT));
	expect(&h, HEALTH_LIVEZ, 1000 + TIMEOUT, after(11, 0), 503,
		"{\"lastUpdated\":\"2026-01-02T03:04:05Z\","
		"\"currentTime\":\"2026-01-02T03:04:16Z\",\"healthy\":false,"
		"\"status\":{\"IPv4\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":false},"
		"\"IPv6\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":true}}}");
}

static void every_family_that_is_late_has_to_catch_up(void **state)
{
	struct health h = started();
	const struct timespec late = after(12, 123456789);

	(void)state;
	health_queued(&h, AF_INET, 1000);
	health_queued(&h, AF_INET6, 1000);
	assert_false(health_ok(&h, 12000));
	health_updated(&h, AF_INET, &late);
	assert_false(health_ok(&h, 12000));
	expect(&h, HEALTH_HEALTHZ, 12000, after(13, 0), 503,
		"{\"lastUpdated\":\"2026-01-02T03:04:17.123456789Z\","
		"\"currentTime\":\"2026-01-02T03:04:18Z\",\"nodeEligible\":true,\"healthy\":false,"
		"\"status\":{\"IPv4\":{\"lastUpdated\":\"2026-01-02T03:04:17.123456789Z\","
		"\"healthy\":true},"
		"\"IPv6\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":false}}}");
	health_updated(&h, AF_INET6, &late);
	assert_true(health_ok(&h, 12000));
	/* What was queued before is through. */
	assert_true(health_ok(&h, 12000 + 10 * TIMEOUT));
}

static void a_family_that_was_never_served_is_not_looked_at(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, TIMEOUT, false);
	health_updated(&h, AF_INET6, &start);
	health_queued(&h, AF_INET, 0);
	expect(&h, HEALTH_LIVEZ, 20000, after(20, 0), 200,
		"{\"lastUpdated\":\"2026-01-02T03:04:25Z\","
		"\"currentTime\":\"2026-01-02T03:04:25Z\",\"healthy\":true,"
		"\"status\":{\"IPv6\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\",\"healthy\":true}}}");
}

static int probe(struct health *h, enum health_probe probe)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	return health_answer(h, probe, 0, &start, &b);
}

static void a_node_that_was_never_seen_is_not_eligible(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, TIMEOUT, true);
	expect(&h, HEALTH_HEALTHZ, 0, after(0, 0), 503,
		"{\"lastUpdated\":\"0001-01-01T00:00:00Z\","
		"\"currentTime\":\"2026-01-02T03:04:05Z\",\"nodeEligible\":false,\"healthy\":true}");
	assert_int_equal(probe(&h, HEALTH_LIVEZ), 200);
}

static void a_node_on_its_way_out_is_not_eligible_but_alive(void **state)
{
	static const struct {
		struct node node;
		int healthz;
	} rows[] = {
		{ { .deleting = false }, 200 },
		{ { .deleting = true }, 503 },
		{ { .to_be_deleted_taint = true }, 503 },
		{ { .deleting = true, .to_be_deleted_taint = true }, 503 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct health h;

		health_init(&h, TIMEOUT, true);
		health_set_node(&h, &rows[i].node);
		assert_int_equal(probe(&h, HEALTH_HEALTHZ), rows[i].healthz);
		assert_int_equal(probe(&h, HEALTH_LIVEZ), 200);
		/* A node object that is gone says nothing new. */
		health_set_node(&h, NULL);
		assert_int_equal(probe(&h, HEALTH_HEALTHZ), rows[i].healthz);
		health_set_node(&h, &rows[0].node);
		assert_int_equal(probe(&h, HEALTH_HEALTHZ), 200);
	}
}

static void answers_are_counted(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, TIMEOUT, true);
	probe(&h, HEALTH_LIVEZ);
	probe(&h, HEALTH_HEALTHZ);
	probe(&h, HEALTH_HEALTHZ);
	health_set_node(&h, &(struct node){ 0 });
	probe(&h, HEALTH_HEALTHZ);
	assert_int_equal(h.answers[HEALTH_HEALTHZ][0], 1);
	assert_int_equal(h.answers[HEALTH_HEALTHZ][1], 2);
	assert_int_equal(h.answers[HEALTH_LIVEZ][0], 1);
	assert_int_equal(h.answers[HEALTH_LIVEZ][1], 0);
}

static void times_are_in_the_local_zone(void **state)
{
	static const struct {
		const char *zone;
		long nanoseconds;
		const char *text;
	} rows[] = {
		{ "UTC", 0, "\"2026-01-02T03:04:05Z\"" },
		{ "UTC", 120000000, "\"2026-01-02T03:04:05.12Z\"" },
		{ "UTC", 1, "\"2026-01-02T03:04:05.000000001Z\"" },
		{ "UTC", 1000, "\"2026-01-02T03:04:05.000001Z\"" },
		{ "XXX-5:30", 0, "\"2026-01-02T08:34:05+05:30\"" },
		{ "XXX3:30", 999999999, "\"2026-01-01T23:34:05.999999999-03:30\"" },
		{ "XXX0:15", 0, "\"2026-01-02T02:49:05-00:15\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct timespec wall = after(0, rows[i].nanoseconds);
		_cleanup_(buf_done) struct buf b = { 0 };
		struct health h;

		setenv("TZ", rows[i].zone, 1);
		tzset();
		health_init(&h, TIMEOUT, false);
		health_answer(&h, HEALTH_LIVEZ, 0, &wall, &b);
		if (!strstr(buf_str(&b), rows[i].text))
			fail_msg("%s is not in %s", rows[i].text, buf_str(&b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_zone)
		TEST(it_is_healthy_before_the_first_sync),
		TEST(load_balancers_wait_for_the_first_sync),
		TEST(an_idle_node_stays_healthy),
		TEST(a_change_that_waits_too_long_is_unhealthy),
		TEST(every_family_that_is_late_has_to_catch_up),
		TEST(a_family_that_was_never_served_is_not_looked_at),
		TEST(a_node_that_was_never_seen_is_not_eligible),
		TEST(a_node_on_its_way_out_is_not_eligible_but_alive),
		TEST(answers_are_counted),
		TEST(times_are_in_the_local_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
