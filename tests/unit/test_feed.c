// SPDX-License-Identifier: GPL-2.0-or-later
/* An API server that has no Node, or one without addresses: the daemon begins, and reports it. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <event2/event.h>

#include "../../src/daemon/daemon.h"
#include "api/http.h"
#include "base/mem.h"
#include "fake/settle.h"

struct bench {
	struct fake_api api;
	struct config config;
	struct daemon d;
	char url[64];
};

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);
	struct daemon *d = &b->d;

	signal(SIGPIPE, SIG_IGN);
	fake_api_start(&b->api, false);
	config_init(&b->config);
	b->config.master = fake_api_url(&b->api, b->url);
	strcpy(b->config.options.node_name, "node-a");
	*d = (struct daemon){ .config = &b->config };
	node_view_init(&d->view, &b->config.options);
	store_init(&d->store);
	d->base = event_base_new();
	d->step = evtimer_new(d->base, on_step, NULL);
	d->engine = engine_new(
		&(struct engine_config){ .store = &d->store, .view = &d->view, .dry_run = true });
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	daemon_done(&b->d);
	config_done(&b->config);
	fake_api_stop(&b->api);
	free(b);
	return 0;
}

static void put_node(struct bench *b, const char *spec, const char *status)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Node\", \"metadata\": {\"name\": \"node-a\"}, \"spec\": {%s}, "
		"\"status\": {%s}}}",
		spec, status);
}

/* Its note, which the caller owns; NULL: the server was not told of it. */
static char *note_of(struct bench *b, const char *reason)
{
	json_t *answer = fake_api_get(&b->api, "events"), *event;
	char *note = NULL;
	size_t i;

	json_array_foreach(json_object_get(answer, "events"), i, event) {
		json_t *o = json_object_get(event, "object");

		if (strcmp(json_string_value(json_object_get(o, "reason")), reason) != 0)
			continue;
		assert_string_equal(json_string_value(json_object_get(o, "type")), "Warning");
		free(note);
		note = mem_strdup(json_string_value(json_object_get(o, "note")));
	}
	json_decref(answer);
	return note;
}

/* Until both waits for the Node are over, and the Events that follow are sent. */
static void feed(struct bench *b)
{
	struct timers *timers;
	struct err err;

	if (daemon_feed(&b->d, &err) < 0)
		fail_msg("%s", err.msg);
	timers = http_client_timers(kube_client(b->d.inputs.kube));
	timers_freeze(timers);
	fake_api_elapse(
		&b->api, b->d.base, timers, KUBE_NODE_WAIT_MS + KUBE_POD_CIDRS_WAIT_MS + 1000);
	assert_true(engine_stats(b->d.engine)->fed);
	assert_int_equal(daemon_await_feed(&b->d, 0, &err), 0);
}

static void without_a_node_it_begins_and_the_cluster_hears_of_it(void **state)
{
	struct bench *b = *state;
	_cleanup_free_ char *note = NULL;

	feed(b);
	note = note_of(b, "NodeAddressesUnknown");
	assert_non_null(note);
	assert_string_equal(
		note, "there is no such Node object: the addresses of the interfaces are taken");
}

static void without_addresses_the_cluster_hears_of_that(void **state)
{
	struct bench *b = *state;
	_cleanup_free_ char *note = NULL;

	put_node(b, "", "");
	feed(b);
	note = note_of(b, "NodeAddressesUnknown");
	assert_non_null(note);
	assert_string_equal(note,
		"the Node object has no addresses: the addresses of the interfaces are taken");
}

static void of_pod_cidrs_that_nobody_needs_nothing_is_told(void **state)
{
	struct bench *b = *state;
	_cleanup_free_ char *note = NULL;

	feed(b);
	note = note_of(b, "NodeAddressesUnknown");
	assert_non_null(note);
	assert_null(note_of(b, "PodCIDRsUnknown"));
}

static void without_pod_cidrs_the_cluster_hears_of_that(void **state)
{
	struct bench *b = *state;
	_cleanup_free_ char *note = NULL;

	b->config.options.detect_local = DETECT_NODE_CIDR;
	put_node(b, "",
		"\"addresses\": [{\"type\": \"InternalIP\", \"address\": \"192.168.50.1\"}]");
	feed(b);
	note = note_of(b, "PodCIDRsUnknown");
	assert_non_null(note);
	assert_string_equal(note,
		"the Node object has no pod CIDRs: nothing from outside is masqueraded until they are "
		"known");
	assert_null(note_of(b, "NodeAddressesUnknown"));
}

/* As on SIGHUP. */
static void a_reload_reads_every_resource_again(void **state)
{
	struct bench *b = *state;
	json_int_t before;

	feed(b);
	before = fake_api_count(&b->api, "requests");
	inputs_reload(&b->d.inputs);
	fake_api_settle(&b->api, b->d.base);
	assert_int_equal(fake_api_count(&b->api, "requests"), before + KUBE_WATCHES);
}

static void note_warning(const char *sentence, void *arg)
{
	buf_addf(arg, "%s\n", sentence);
}

static void a_weight_that_does_not_count_is_a_warning(void **state)
{
	struct bench *b = *state;
	_cleanup_(buf_done) struct buf told = { 0 };

	feed(b);
	inputs_warn(&b->d.inputs, note_warning, &told);
	assert_string_equal(buf_str(&told), "");
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Node\", \"metadata\": {\"name\": \"%s\", \"annotations\": "
		"{\"ipvsctl.io/weight\": \"0\"}}}}",
		b->config.options.node_name);
	fake_api_settle(&b->api, b->d.base);
	inputs_warn(&b->d.inputs, note_warning, &told);
	assert_memory_equal(buf_str(&told), "Node ", strlen("Node "));
	assert_non_null(strstr(buf_str(&told), "does not count with an API server"));
}

#define FEED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* A socket that cannot be had stands for all that can go wrong. */
static void addresses_that_cannot_be_read_leave_those_known_before(void **state)
{
	struct bench *b = *state;
	struct daemon *d = &b->d;
	struct rlimit limit, none;
	struct err err = { 0 };
	int r;

	d->view.node_ip[0] = (struct ip){ .family = AF_INET, .bytes = { 192, 168, 50, 1 } };
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = daemon_read_node(d, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(r < 0);
	assert_true(*err.msg);
	assert_int_equal(d->view.node_ip[0].bytes[3], 1);
}

static void the_servers_address_is_known_before_the_first_service(void **state)
{
	struct bench *b = *state;
	struct daemon *d = &b->d;
	char s[IP_PORT_STRLEN];
	struct err err;

	assert_int_equal(daemon_feed(d, &err), 0);
	while (!d->view.n_api_servers)
		event_base_loop(d->base, EVLOOP_ONCE);
	assert_false(engine_stats(d->engine)->fed);
	assert_int_equal(d->view.n_api_servers, 1);
	ip_print_port(&d->view.api_servers[0].ip, d->view.api_servers[0].port, s);
	assert_string_equal(s, b->url + strlen("http://"));
}

static void waiting_ends_when_the_input_is_complete(void **state)
{
	static const unsigned limit_ms = 3600000; /* never reached */
	struct bench *b = *state;
	struct err err;

	put_node(b, "", "\"addresses\": [{\"type\": \"InternalIP\", \"address\": \"10.0.0.1\"}]");
	assert_int_equal(daemon_feed(&b->d, &err), 0);
	assert_false(engine_stats(b->d.engine)->fed);
	assert_int_equal(daemon_await_feed(&b->d, limit_ms, &err), 0);
	assert_true(engine_stats(b->d.engine)->fed);
}

static void waiting_for_an_input_has_a_limit(void **state)
{
	struct bench *b = *state;
	struct err err;

	assert_int_equal(daemon_feed(&b->d, &err), 0);
	assert_int_equal(daemon_await_feed(&b->d, 0, &err), -ETIMEDOUT);
	assert_string_equal(err.msg, "the API server did not send all objects within 0 s");
	assert_false(engine_stats(b->d.engine)->fed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(without_a_node_it_begins_and_the_cluster_hears_of_it),
		FEED_TEST(without_addresses_the_cluster_hears_of_that),
		FEED_TEST(of_pod_cidrs_that_nobody_needs_nothing_is_told),
		FEED_TEST(without_pod_cidrs_the_cluster_hears_of_that),
		FEED_TEST(a_reload_reads_every_resource_again),
		FEED_TEST(a_weight_that_does_not_count_is_a_warning),
		FEED_TEST(the_servers_address_is_known_before_the_first_service),
		FEED_TEST(waiting_ends_when_the_input_is_complete),
		FEED_TEST(waiting_for_an_input_has_a_limit),
		cmocka_unit_test_setup_teardown(
			addresses_that_cannot_be_read_leave_those_known_before, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
