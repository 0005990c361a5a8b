// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The API server as a source, against the fake one: whatever goes wrong on the way, the store
 * becomes what the server holds, and what did not change is not marked as changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fake/api.h"
#include "source/kube.h"

enum { PATIENCE_MS = 60000 };

struct bench {
	struct fake_api api;
	struct event_base *base;
	struct auth *auth;
	struct kube *kube;
	struct store store;
	unsigned fed, troubles, recovered, problems;
};

static void on_changed(void *arg)
{
	(void)arg;
}

static void on_fed(void *arg)
{
	((struct bench *)arg)->fed++;
}

static void on_trouble(const char *resource, const char *message, unsigned retry_ms, void *arg)
{
	struct bench *b = arg;

	(void)resource;
	(void)retry_ms;
	if (message)
		b->troubles++;
	else
		b->recovered++;
}

static void on_problem(const char *message, void *arg)
{
	(void)message;
	((struct bench *)arg)->problems++;
}

static void start_with(struct bench *b, bool json, enum endpoints_source endpoints)
{
	char url[64];
	struct err err;
	struct kube_config config = {
		.base = b->base,
		.store = &b->store,
		.node_name = "node-a",
		.endpoints = endpoints,
		.json = json,
		.timeout_s = 2,
		.backoff_ms = 20,
		.changed = on_changed,
		.fed = on_fed,
		.trouble = on_trouble,
		.problem = on_problem,
		.arg = b,
	};

	if (auth_load(
		    &(struct auth_config){ .master = fake_api_url(&b->api, url) }, &b->auth, &err))
		fail_msg("%s", err.msg);
	config.auth = b->auth;
	if (kube_new(&config, &b->kube, &err))
		fail_msg("%s", err.msg);
}

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);

	signal(SIGPIPE, SIG_IGN);
	fake_api_start(&b->api, false);
	b->base = event_base_new();
	store_init(&b->store);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	kube_free(b->kube);
	auth_free(b->auth);
	event_base_free(b->base);
	store_done(&b->store);
	fake_api_stop(&b->api);
	free(b);
	return 0;
}

/* Turns the loop until it is true; a test whose wait is over has failed. */
static void await(struct bench *b, bool (*what)(struct bench *b, const void *arg), const void *arg,
	const char *name)
{
	static const struct timeval tick = { .tv_usec = 10000 };
	uint64_t start = clock_ms();

	while (!what(b, arg)) {
		if (clock_ms() - start > PATIENCE_MS)
			fail_msg("waited for: %s", name);
		event_base_loopexit(b->base, &tick);
		event_base_dispatch(b->base);
	}
}

#define AWAIT(b, what, arg) await(b, what, arg, #what)

static bool is_fed(struct bench *b, const void *arg)
{
	(void)arg;
	return b->fed;
}

static void put_service(struct bench *b, const char *name, unsigned port)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Service\", \"metadata\": {\"name\": \"%s\", \"namespace\": "
		"\"d\"}, \"spec\": {\"clusterIP\": \"10.96.0.9\", \"ports\": [{\"port\": %u, "
		"\"protocol\": \"TCP\"}]}}}",
		name, port);
}

static void put_slice(struct bench *b, const char *service, const char *ip)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"EndpointSlice\", \"metadata\": {\"name\": \"%s-1\", "
		"\"namespace\": \"d\", \"labels\": {\"kubernetes.io/service-name\": \"%s\"}}, "
		"\"addressType\": \"IPv4\", \"ports\": [{\"name\": \"\", \"port\": 8080, \"protocol\": "
		"\"TCP\"}], \"endpoints\": [{\"addresses\": [\"%s\"]}]}}",
		service, service, ip);
}

static void delete_service(struct bench *b, const char *name)
{
	fake_api_order(&b->api,
		"{\"delete\": {\"kind\": \"Service\", \"metadata\": {\"name\": \"%s\", \"namespace\": "
		"\"d\"}}}",
		name);
}

struct port_of {
	const char *name;
	unsigned port; /* 0: the Service is gone */
};

static bool has_port(struct bench *b, const void *arg)
{
	const struct port_of *want = arg;
	const struct slot *slot = store_find(&b->store, "d", want->name);

	if (!want->port)
		return !slot || !slot->service;
	return slot && slot->service && slot->service->ports[0].port == want->port;
}

static void forget_dirty(struct bench *b)
{
	while (store_next_dirty(&b->store))
		;
}

static unsigned count_dirty(struct bench *b)
{
	unsigned n = 0;

	while (store_next_dirty(&b->store))
		n++;
	return n;
}

static void a_cluster(struct bench *b)
{
	put_service(b, "web", 80);
	put_service(b, "dns", 53);
	put_slice(b, "web", "10.244.1.1");
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Node\", \"metadata\": {\"name\": \"node-a\"}, \"status\": "
		"{\"addresses\": [{\"type\": \"InternalIP\", \"address\": \"192.168.50.1\"}]}}}");
}

static void everything_that_exists_is_told(void **state)
{
	struct bench *b = *state;

	a_cluster(b);
	start_with(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->fed, 1);
	assert_int_equal(b->store.n_services, 2);
	assert_int_equal(store_find(&b->store, "d", "web")->n_slices, 1);
	assert_non_null(store_node(&b->store, "node-a"));
	assert_int_equal(b->problems, 0);
	assert_true(kube_healthy(b->kube));
}

static void changes_follow_in_both_encodings(void **state)
{
	struct bench *b = *state;

	a_cluster(b);
	start_with(b, true, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	put_service(b, "web", 8081);
	AWAIT(b, has_port, (&(struct port_of){ "web", 8081 }));
	delete_service(b, "dns");
	AWAIT(b, has_port, (&(struct port_of){ "dns", 0 }));
}

/* The view that follows tells of everything again; only what changed is work. */
static void converges(struct bench *b, const char *fault, unsigned port)
{
	fake_api_order(&b->api, "{\"fault\": %s}", fault);
	fake_api_order(&b->api, "{\"close\": true}");
	forget_dirty(b);
	put_service(b, "web", port);
	AWAIT(b, has_port, (&(struct port_of){ "web", port }));
	fake_api_order(&b->api, "{\"clearFaults\": true}");
	assert_true(count_dirty(b) <= 1);
	assert_int_equal(b->store.n_services, 2);
}

static void after_every_fault_the_store_is_what_the_server_holds(void **state)
{
	static const char *const faults[] = {
		"{\"verb\": \"watch\", \"status\": 410}",
		"{\"verb\": \"watch\", \"error\": 410}",
		"{\"verb\": \"watch\", \"status\": 429, \"retryAfter\": 1}",
		"{\"verb\": \"watch\", \"error\": 429}",
		"{\"verb\": \"watch\", \"status\": 500}",
		"{\"verb\": \"watch\", \"end\": true, \"times\": 4}",
		"{\"verb\": \"watch\", \"cut\": 40}",
		"{\"verb\": \"watch\", \"cut\": 3, \"reset\": true}",
		"{\"verb\": \"watch\", \"trickle\": true}",
		"{\"verb\": \"watch\", \"garbage\": \"{]\"}",
		"{\"verb\": \"watch\", \"drop\": true, \"times\": 3}",
		"{\"status\": 503, \"times\": 6}",
	};
	struct bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		a_cluster(b);
		start_with(b, json, ENDPOINTS_AUTO);
		b->fed = 0;
		AWAIT(b, is_fed, NULL);
		for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
			converges(b, faults[i], 1000 + i);
		kube_free(take(b->kube));
		auth_free(take(b->auth));
	}
}

static void a_server_that_cannot_stream_is_listed_in_pages(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 700; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", i);
		put_service(b, name, 80);
	}
	fake_api_order(
		&b->api, "{\"fault\": {\"verb\": \"watchlist\", \"status\": 422, \"times\": 0}}");
	start_with(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->store.n_services, 700);
}

static void what_vanished_while_we_were_away_is_deleted(void **state)
{
	struct bench *b = *state;

	a_cluster(b);
	start_with(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	forget_dirty(b);
	fake_api_order(&b->api, "{\"down\": true}");
	fake_api_order(&b->api, "{\"close\": true}");
	delete_service(b, "dns");
	fake_api_order(&b->api, "{\"expire\": true}");
	fake_api_order(&b->api, "{\"down\": false}");
	AWAIT(b, has_port, (&(struct port_of){ "dns", 0 }));
	assert_int_equal(count_dirty(b), 1);
}

static void a_server_that_is_down_is_waited_for(void **state)
{
	struct bench *b = *state;

	a_cluster(b);
	fake_api_order(&b->api, "{\"down\": true}");
	start_with(b, false, ENDPOINTS_AUTO);
	for (int i = 0; i < 20; i++) {
		static const struct timeval tick = { .tv_usec = 10000 };

		event_base_loopexit(b->base, &tick);
		event_base_dispatch(b->base);
	}
	assert_int_equal(b->fed, 0);
	assert_true(b->troubles > 0);
	assert_false(kube_healthy(b->kube));
	fake_api_order(&b->api, "{\"down\": false}");
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->store.n_services, 2);
}

static void without_slices_endpoints_are_followed(void **state)
{
	struct bench *b = *state;

	a_cluster(b);
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Endpoints\", \"metadata\": {\"name\": \"web\", \"namespace\": "
		"\"d\"}, \"subsets\": [{\"addresses\": [{\"ip\": \"10.244.1.7\"}], \"ports\": [{\"port\": "
		"8080}]}]}}");
	fake_api_order(&b->api,
		"{\"fault\": {\"resource\": \"endpointslices\", \"status\": 404, \"times\": 0}}");
	start_with(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(store_find(&b->store, "d", "web")->n_slices, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(everything_that_exists_is_told),
		TEST(changes_follow_in_both_encodings),
		TEST(after_every_fault_the_store_is_what_the_server_holds),
		TEST(a_server_that_cannot_stream_is_listed_in_pages),
		TEST(what_vanished_while_we_were_away_is_deleted),
		TEST(a_server_that_is_down_is_waited_for),
		TEST(without_slices_endpoints_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
