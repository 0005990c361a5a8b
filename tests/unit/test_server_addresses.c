// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the API server is: by its URL, by answers of a resolver of the test's, by connections. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "../../src/api/resolver.h"
#include "api/server_addresses.h"
#include "api/timer.h"
#include "base/buf.h"
#include "base/mem.h"

/* A resolver that answers when the test says so. */
struct resolver_query {
	char name[64];
	void (*answered)(const struct ip *ips, size_t n, const char *failure, void *arg);
	void *arg;
};

static struct resolver_query queries[4];
static unsigned n_asked, n_cancelled;

static struct resolver_query *ask(struct timers *timers, const char *name,
	void (*answered)(const struct ip *ips, size_t n, const char *failure, void *arg), void *arg)
{
	(void)timers;
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct resolver_query *q = &queries[i];

		if (q->answered)
			continue;
		snprintf(q->name, sizeof(q->name), "%s", name);
		q->answered = answered;
		q->arg = arg;
		n_asked++;
		return q;
	}
	fail_msg("too many queries");
	return NULL;
}

static void cancel(struct resolver_query *q)
{
	assert_non_null(q->answered);
	q->answered = NULL;
	n_cancelled++;
}

static const struct resolver resolver = { ask, cancel };

/* Addresses are separated by blanks; none: the query fails. */
static void answer(const char *name, const char *addresses)
{
	_cleanup_free_ char *copy = mem_strdup(addresses);
	struct ip ips[100];
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		assert_int_equal(ip_parse(w, &ips[n++]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct resolver_query *q = &queries[i];
		struct resolver_query was = *q;

		if (!q->answered || strcmp(q->name, name) != 0)
			continue;
		q->answered = NULL;
		was.answered(ips, n, n ? NULL : "no such name", was.arg);
		return;
	}
	fail_msg("%s was not asked for", name);
}

struct bench {
	struct event_base *base;
	struct timers *timers;
	struct server_addresses *addresses;
	unsigned changes;
};

static void on_changed(void *arg)
{
	((struct bench *)arg)->changes++;
}

static void turn(struct bench *b)
{
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static void pass(struct bench *b, uint64_t ms)
{
	turn(b);
	timers_advance(b->timers, ms);
	turn(b);
}

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);

	b->base = event_base_new();
	b->timers = timers_new(b->base);
	timers_freeze(b->timers);
	memset(queries, 0, sizeof(queries));
	n_asked = n_cancelled = 0;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	server_addresses_free(b->addresses);
	timers_free(b->timers);
	event_base_free(b->base);
	free(b);
	return 0;
}

static void start(struct bench *b, const char *server, const char *proxy)
{
	b->addresses = server_addresses_new(&(struct server_addresses_config){
		.timers = b->timers,
		.server = server,
		.proxy = proxy,
		.resolver = &resolver,
		.changed = on_changed,
		.arg = b,
	});
}

static void assert_addresses(const struct bench *b, const char *want)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char s[IP_PORT_STRLEN];
	size_t n;
	const struct node_socket *all = server_addresses_get(b->addresses, &n);

	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%s%s", i ? " " : "", ip_print_port(&all[i].ip, all[i].port, s));
	assert_string_equal(buf_str(&text), want);
}

/* A connection to "ADDRESS:PORT" begins or ends. */
static void peer(struct bench *b, const char *text, bool open)
{
	struct ip ip;
	uint16_t port;

	assert_int_equal(ip_parse_port(text, &ip, &port), 0);
	server_addresses_peer(&ip, port, open, b->addresses);
}

static void an_address_in_the_url_counts_at_once_and_for_ever(void **state)
{
	static const char *const cases[][2] = {
		{ "https://192.0.2.7:6443", "192.0.2.7:6443" },
		{ "https://192.0.2.7/path", "192.0.2.7:443" },
		{ "http://192.0.2.7", "192.0.2.7:80" },
		{ "https://[fd00::7]:6443", "[fd00::7]:6443" },
		{ "https://[::ffff:192.0.2.7]", "192.0.2.7:443" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		b->changes = 0;
		start(b, cases[i][0], NULL);
		assert_addresses(b, cases[i][1]);
		turn(b);
		assert_int_equal(b->changes, 1);
		peer(b, cases[i][1], true);
		peer(b, cases[i][1], false);
		pass(b, 2 * SERVER_ADDRESSES_KEPT_MS);
		assert_addresses(b, cases[i][1]);
		assert_int_equal(b->changes, 1);
		assert_int_equal(timers_next(b->timers), UINT64_MAX); /* nothing to do */
		server_addresses_free(take(b->addresses));
	}
	assert_int_equal(n_asked, 0);
}

static void a_name_counts_with_all_its_addresses(void **state)
{
	struct bench *b = *state;

	start(b, "https://api.example:6443", NULL);
	assert_addresses(b, "");
	turn(b);
	assert_int_equal(n_asked, 1);
	assert_int_equal(b->changes, 0);
	answer("api.example", "192.0.2.9 fd00::1 192.0.2.8 192.0.2.9");
	turn(b);
	assert_addresses(b, "192.0.2.8:6443 192.0.2.9:6443 [fd00::1]:6443");
	assert_int_equal(b->changes, 1);
}

static void a_name_is_resolved_every_minute(void **state)
{
	struct bench *b = *state;

	start(b, "https://api.example", NULL);
	turn(b);
	answer("api.example", "192.0.2.8");
	pass(b, SERVER_ADDRESSES_REFRESH_MS - 1);
	assert_int_equal(n_asked, 1);
	pass(b, 1);
	assert_int_equal(n_asked, 2);
	answer("api.example", "192.0.2.8");
	turn(b);
	assert_int_equal(b->changes, 1);
}

static void a_slow_query_is_not_asked_twice(void **state)
{
	struct bench *b = *state;

	start(b, "https://api.example", NULL);
	for (int i = 0; i < 5; i++)
		pass(b, SERVER_ADDRESSES_REFRESH_MS);
	assert_int_equal(n_asked, 1);
	answer("api.example", "192.0.2.8");
	pass(b, SERVER_ADDRESSES_REFRESH_MS);
	assert_int_equal(n_asked, 2);
	server_addresses_free(take(b->addresses));
	assert_int_equal(n_cancelled, 1);
}

static void an_address_that_the_name_loses_stays_for_a_while(void **state)
{
	struct bench *b = *state;

	start(b, "https://api.example:6443", NULL);
	turn(b);
	answer("api.example", "192.0.2.8 192.0.2.9");
	pass(b, SERVER_ADDRESSES_REFRESH_MS);
	answer("api.example", "192.0.2.9");
	for (int ms = 0; ms < SERVER_ADDRESSES_KEPT_MS - SERVER_ADDRESSES_REFRESH_MS;
		ms += SERVER_ADDRESSES_REFRESH_MS) {
		pass(b, SERVER_ADDRESSES_REFRESH_MS);
		answer("api.example", "192.0.2.9");
		assert_addresses(b, "192.0.2.8:6443 192.0.2.9:6443");
	}
	pass(b, SERVER_ADDRESSES_REFRESH_MS);
	assert_addresses(b, "192.0.2.9:6443");
	assert_int_equal(b->changes, 2);
}

static void a_failure_keeps_the_last_answer(void **state)
{
	struct bench *b = *state;

	start(b, "https://api.example:6443", NULL);
	turn(b);
	answer("api.example", "192.0.2.8");
	for (int i = 0; i < 30; i++) {
		pass(b, SERVER_ADDRESSES_REFRESH_MS);
		answer("api.example", "");
	}
	assert_addresses(b, "192.0.2.8:6443");
	pass(b, SERVER_ADDRESSES_REFRESH_MS);
	answer("api.example", "192.0.2.9");
	assert_addresses(b, "192.0.2.8:6443 192.0.2.9:6443");
}

static void an_address_counts_while_a_connection_uses_it(void **state)
{
	struct bench *b = *state;

	start(b, "https://192.0.2.1:6443", NULL);
	peer(b, "192.0.2.50:3128", true);
	peer(b, "192.0.2.50:3128", true);
	assert_addresses(b, "192.0.2.1:6443 192.0.2.50:3128");
	peer(b, "192.0.2.50:3128", false);
	pass(b, 2 * SERVER_ADDRESSES_KEPT_MS);
	assert_addresses(b, "192.0.2.1:6443 192.0.2.50:3128");
	peer(b, "192.0.2.50:3128", false);
	turn(b);
	for (int i = 0; i < SERVER_ADDRESSES_KEPT_MS / SERVER_ADDRESSES_REFRESH_MS - 1; i++)
		pass(b, SERVER_ADDRESSES_REFRESH_MS);
	assert_addresses(b, "192.0.2.1:6443 192.0.2.50:3128");
	pass(b, SERVER_ADDRESSES_REFRESH_MS);
	assert_addresses(b, "192.0.2.1:6443");
	assert_int_equal(timers_next(b->timers), UINT64_MAX);
	peer(b, "192.0.2.51:1", false); /* was never begun */
	assert_addresses(b, "192.0.2.1:6443");
}

static void a_lost_connection_has_the_name_resolved_soon(void **state)
{
	struct bench *b = *state;

	start(b, "https://api.example:6443", NULL);
	turn(b);
	answer("api.example", "192.0.2.8");
	peer(b, "192.0.2.8:6443", true);
	pass(b, SERVER_ADDRESSES_REFRESH_MS / 2);
	peer(b, "192.0.2.8:6443", false);
	turn(b);
	assert_int_equal(n_asked, 2);
	answer("api.example", "192.0.2.8");
	/* But not again and again. */
	for (int i = 0; i < 10; i++) {
		peer(b, "192.0.2.8:6443", true);
		peer(b, "192.0.2.8:6443", false);
		turn(b);
	}
	assert_int_equal(n_asked, 2);
	pass(b, SERVER_ADDRESSES_PACE_MS - 1);
	assert_int_equal(n_asked, 2);
	pass(b, 1);
	assert_int_equal(n_asked, 3);
	pass(b, SERVER_ADDRESSES_REFRESH_MS - 1);
	answer("api.example", "192.0.2.8");
	pass(b, 1);
	assert_int_equal(n_asked, 4);
}

static void a_proxys_addresses_count_too(void **state)
{
	static const char *const cases[][2] = {
		{ "http://proxy.example:3128", "192.0.2.8:6443 192.0.2.60:3128" },
		{ "https://user:secret@proxy.example", "192.0.2.8:6443 192.0.2.60:443" },
		{ "http://proxy.example", "192.0.2.8:6443 192.0.2.60:1080" },
		{ "socks5h://proxy.example", "192.0.2.8:6443 192.0.2.60:1080" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(b, "https://api.example:6443", cases[i][0]);
		turn(b);
		answer("proxy.example", "192.0.2.60");
		answer("api.example", "192.0.2.8");
		assert_addresses(b, cases[i][1]);
		server_addresses_free(take(b->addresses));
		memset(queries, 0, sizeof(queries));
	}
	start(b, "https://api.example:6443", "http://192.0.2.61:8080");
	assert_addresses(b, "192.0.2.61:8080");
}

static void there_is_a_limit(void **state)
{
	struct bench *b = *state;
	_cleanup_(buf_done) struct buf first = { 0 }, second = { 0 };
	size_t n;
	const struct node_socket *all;
	char s[IP_STRLEN];

	for (int i = 0; i < 60; i++) {
		buf_addf(&first, "10.0.1.%d ", i);
		buf_addf(&second, "10.0.2.%d ", i);
	}
	start(b, "https://api.example:6443", NULL);
	turn(b);
	answer("api.example", buf_str(&first));
	peer(b, "10.0.9.1:6443", true);
	pass(b, SERVER_ADDRESSES_REFRESH_MS);
	answer("api.example", buf_str(&second));
	/* The new answer is complete, and so are connections; of the old answer 3 have room. */
	all = server_addresses_get(b->addresses, &n);
	assert_int_equal(n, SERVER_ADDRESSES_MAX);
	assert_string_equal(ip_print(&all[2].ip, s), "10.0.1.59");
	assert_string_equal(ip_print(&all[3].ip, s), "10.0.2.0");
	assert_string_equal(ip_print(&all[62].ip, s), "10.0.2.59");
	assert_string_equal(ip_print(&all[63].ip, s), "10.0.9.1");

	/* An answer has the room that connections leave. */
	for (int i = 60; i < 80; i++)
		buf_addf(&second, "10.0.2.%d ", i);
	pass(b, SERVER_ADDRESSES_REFRESH_MS);
	answer("api.example", buf_str(&second));
	all = server_addresses_get(b->addresses, &n);
	assert_int_equal(n, SERVER_ADDRESSES_MAX);
	assert_string_equal(ip_print(&all[62].ip, s), "10.0.2.62");
	assert_string_equal(ip_print(&all[63].ip, s), "10.0.9.1");
	peer(b, "10.0.9.2:6443", true);
	all = server_addresses_get(b->addresses, &n);
	assert_int_equal(n, SERVER_ADDRESSES_MAX);
	assert_string_equal(ip_print(&all[63].ip, s), "10.0.9.2");
}

struct system_answer {
	bool there;
	size_t n;
	struct ip first;
	bool failed;
};

static void on_system_answer(const struct ip *ips, size_t n, const char *failure, void *arg)
{
	struct system_answer *a = arg;

	a->there = true;
	a->n = n;
	if (n)
		a->first = ips[0];
	a->failed = failure;
}

/* An address, because names may be looked up in the network. */
static void the_system_is_asked_beside_the_loop(void **state)
{
	struct event_base *base = event_base_new();
	struct timers *timers = timers_new(base);
	struct system_answer a = { 0 }, never = { 0 };
	char s[IP_STRLEN];

	(void)state;
	system_resolver.ask(timers, "192.0.2.1", on_system_answer, &a);
	assert_false(a.there);
	while (!a.there)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(a.n, 1);
	assert_false(a.failed);
	assert_string_equal(ip_print(&a.first, s), "192.0.2.1");
	system_resolver.cancel(system_resolver.ask(timers, "192.0.2.1", on_system_answer, &never));
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_false(never.there);
	timers_free(timers);
	event_base_free(base);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_in_the_url_counts_at_once_and_for_ever),
		TEST(a_name_counts_with_all_its_addresses),
		TEST(a_name_is_resolved_every_minute),
		TEST(a_slow_query_is_not_asked_twice),
		TEST(an_address_that_the_name_loses_stays_for_a_while),
		TEST(a_failure_keeps_the_last_answer),
		TEST(an_address_counts_while_a_connection_uses_it),
		TEST(a_lost_connection_has_the_name_resolved_soon),
		TEST(a_proxys_addresses_count_too),
		TEST(there_is_a_limit),
		cmocka_unit_test(the_system_is_asked_beside_the_loop),
	};

	return cmocka_run_group_tests_name("server addresses", tests, NULL, NULL);
}
