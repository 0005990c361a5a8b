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
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kube_bench.h"

static void everything_that_exists_is_told(void **state)
{
	struct kube_bench *b = *state;

	kube_bench_cluster(b);
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->fed, 1);
	assert_int_equal(b->store.n_services, 2);
	assert_true(has_endpoint(b, "10.244.1.1"));
	assert_non_null(store_node(&b->store, "node-a"));
	assert_int_equal(b->problems + b->troubles, 0);
	assert_true(is_healthy(b, NULL));
}

static void changes_follow_in_both_encodings(void **state)
{
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		kube_bench_cluster(b);
		kube_bench_start(b, json, ENDPOINTS_AUTO);
		AWAIT(b, is_fed, NULL);
		kube_bench_put_service(b, "web", 8081);
		AWAIT(b, has_port, (&(struct port_of){ "web", 8081 }));
		kube_bench_delete_service(b, "dns");
		AWAIT(b, has_port, (&(struct port_of){ "dns", 0 }));
		kube_bench_stop(b);
	}
}

/* The server may list everything again; only objects that changed cause work. */
static void converges(struct kube_bench *b, const char *orders, unsigned port)
{
	fake_api_order(&b->api, "%s", orders);
	fake_api_order(&b->api, "{\"close\": true}");
	kube_bench_changes(b);
	kube_bench_put_service(b, "web", port);
	AWAIT(b, has_port, (&(struct port_of){ "web", port }));
	fake_api_order(&b->api, "{\"clearFaults\": true}");
	AWAIT(b, is_healthy, NULL);
	if (kube_bench_changes(b) > 1)
		fail_msg("after %s more has changed than one Service", orders);
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
		"{\"verb\": \"watch\", \"error\": 500}",
		"{\"verb\": \"watch\", \"tooLarge\": true}",
		"{\"verb\": \"watch\", \"end\": true, \"times\": 4}",
		"{\"verb\": \"watch\", \"end\": true, \"after\": 1}",
		"{\"verb\": \"watch\", \"cut\": 40}",
		"{\"verb\": \"watch\", \"cut\": 3, \"reset\": true}",
		"{\"verb\": \"watch\", \"trickle\": true}",
		"{\"verb\": \"watch\", \"garbage\": \"{]\"}",
		"{\"verb\": \"watch\", \"drop\": true, \"times\": 3}",
		"{\"verb\": \"watch\", \"silent\": true}",
		"{\"verb\": \"watch\", \"stall\": true}",
		"{\"status\": 503, \"times\": 6}",
	};
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		kube_bench_cluster(b);
		kube_bench_start(b, json, ENDPOINTS_AUTO);
		AWAIT(b, is_fed, NULL);
		for (unsigned i = 0; i < ARRAY_SIZE(faults); i++) {
			_cleanup_(buf_done) struct buf order = { 0 };

			buf_addf(&order, "{\"fault\": %s}", faults[i]);
			converges(b, buf_str(&order), 1000 + i);
		}
		kube_bench_stop(b);
	}
}

/* As above, but the server does not have our version any more, so everything is listed again. */
static void after_every_fault_of_a_list_the_store_is_what_the_server_holds(void **state)
{
	static const char *const faults[] = {
		"{\"verb\": \"watchlist\", \"status\": 410}",
		"{\"verb\": \"watchlist\", \"error\": 410, \"after\": 1}",
		"{\"verb\": \"watchlist\", \"status\": 429, \"retryAfter\": 1}",
		"{\"verb\": \"watchlist\", \"error\": 429, \"after\": 1}",
		"{\"verb\": \"watchlist\", \"error\": 500, \"after\": 1}",
		"{\"verb\": \"watchlist\", \"tooLarge\": true}",
		"{\"verb\": \"watchlist\", \"end\": true, \"after\": 1}",
		"{\"verb\": \"watchlist\", \"cut\": 200}",
		"{\"verb\": \"watchlist\", \"after\": 1, \"cut\": 9, \"reset\": true}",
		"{\"verb\": \"watchlist\", \"trickle\": true}",
		"{\"verb\": \"watchlist\", \"stall\": true, \"after\": 1}",
		"{\"verb\": \"list\", \"status\": 410}",
		"{\"verb\": \"list\", \"tooLarge\": true}",
		"{\"verb\": \"list\", \"status\": 429, \"retryAfter\": 1}",
		"{\"verb\": \"list\", \"cut\": 300}",
		"{\"verb\": \"list\", \"trickle\": true}",
		"{\"verb\": \"list\", \"drop\": true}",
	};
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		kube_bench_cluster(b);
		kube_bench_start(b, json, ENDPOINTS_AUTO);
		AWAIT(b, is_fed, NULL);
		for (unsigned i = 0; i < ARRAY_SIZE(faults); i++) {
			_cleanup_(buf_done) struct buf order = { 0 };

			buf_addf(&order,
				"{\"set\": {\"watchList\": %s}, \"expire\": true, \"fault\": %s}",
				strstr(faults[i], "\"list\"") ? "false" : "true", faults[i]);
			converges(b, buf_str(&order), 1000 + i);
		}
		fake_api_order(&b->api, "{\"set\": {\"watchList\": true}}");
		kube_bench_stop(b);
	}
}

static void put_many(struct kube_bench *b)
{
	for (unsigned i = 0; i < 700; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", i);
		kube_bench_put_service(b, name, 80);
	}
	kube_bench_put_node(b, "", NODE_IP);
	fake_api_order(&b->api, "{\"set\": {\"watchList\": false}}");
}

static void a_server_that_cannot_stream_is_listed_in_pages(void **state)
{
	struct kube_bench *b = *state;

	put_many(b);
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->store.n_services, 700);
	assert_int_equal(b->troubles, 0);
}

/* An object of the first page counts as changed once. */
static void a_page_whose_token_has_expired_is_followed_by_everything_at_once(void **state)
{
	struct kube_bench *b = *state;

	put_many(b);
	fake_api_order(&b->api, "{\"fault\": {\"verb\": \"continue\", \"status\": 410}}");
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->store.n_services, 700);
	assert_int_equal(kube_bench_changes(b), 700);
	kube_bench_put_service(b, "s7", 8080);
	AWAIT(b, has_port, (&(struct port_of){ "s7", 8080 }));
	assert_int_equal(kube_bench_changes(b), 1);
}

/* As from a gateway whose backend is away. */
static void a_page_that_is_no_list_is_not_the_end_of_it(void **state)
{
	struct kube_bench *b = *state;

	put_many(b);
	fake_api_order(&b->api, "{\"fault\": {\"verb\": \"continue\", \"body\": \"{}\"}}");
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(fake_api_count(&b->api, "hits"), 1);
	assert_int_equal(b->store.n_services, 700);
}

/* A bookmark of each resource, which are of about this size in JSON. */
static bool has_received_three(struct kube_bench *b, const void *arg)
{
	return kube_received(b->kube) > *(const uint64_t *)arg + 400;
}

static void a_bookmark_moves_the_version_from_which_a_watch_goes_on(void **state)
{
	struct kube_bench *b = *state;
	uint64_t received;

	kube_bench_cluster(b);
	kube_bench_start(b, true, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	AWAIT(b, is_healthy, NULL);
	received = kube_received(b->kube);
	fake_api_order(&b->api, "{\"advance\": 1000, \"bookmark\": true}");
	AWAIT(b, has_received_three, &received);
	/* A watch from a version before the bookmark would have to list again. */
	fake_api_order(&b->api, "{\"expire\": true, \"close\": true}");
	kube_bench_put_service(b, "web", 81);
	AWAIT(b, has_port, (&(struct port_of){ "web", 81 }));
	assert_null(strstr(buf_str(&b->told), "too old"));
}

static void what_vanished_while_we_were_away_is_deleted(void **state)
{
	struct kube_bench *b = *state;

	kube_bench_cluster(b);
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	kube_bench_changes(b);
	fake_api_order(&b->api, "{\"down\": true}");
	fake_api_order(&b->api, "{\"close\": true}");
	kube_bench_delete_service(b, "dns");
	fake_api_order(&b->api, "{\"expire\": true}");
	fake_api_order(&b->api, "{\"down\": false}");
	AWAIT(b, has_port, (&(struct port_of){ "dns", 0 }));
	assert_int_equal(kube_bench_changes(b), 1);
}

static void a_server_that_is_down_is_waited_for(void **state)
{
	struct kube_bench *b = *state;
	struct kube_watch watches[KUBE_WATCHES];

	kube_bench_cluster(b);
	fake_api_order(&b->api, "{\"down\": true}");
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	kube_bench_elapse(b, 60000);
	assert_int_equal(b->fed, 0);
	assert_true(b->troubles > 3);
	assert_false(is_healthy(b, NULL));
	kube_watches(b->kube, watches);
	for (size_t i = 0; i < KUBE_WATCHES; i++)
		assert_false(watches[i].healthy);
	fake_api_order(&b->api, "{\"down\": false}");
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->store.n_services, 2);
}

static bool is_troubled(struct kube_bench *b, const void *arg)
{
	(void)arg;
	return !is_healthy(b, NULL) && b->troubles >= 3;
}

/* The watches go on from their versions: nothing is listed, and all troubles end. */
static void a_server_that_comes_back_is_followed_again(void **state)
{
	struct kube_bench *b = *state;

	kube_bench_cluster(b);
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	AWAIT(b, is_healthy, NULL);
	fake_api_order(&b->api, "{\"down\": true}");
	AWAIT(b, is_troubled, NULL);
	fake_api_order(
		&b->api, "{\"fault\": {\"verb\": \"watchlist\", \"status\": 500, \"times\": 0}}");
	fake_api_order(&b->api, "{\"fault\": {\"verb\": \"list\", \"status\": 500, \"times\": 0}}");
	fake_api_order(&b->api, "{\"down\": false}");
	AWAIT(b, is_healthy, NULL);
	kube_bench_put_service(b, "web", 81);
	AWAIT(b, has_port, (&(struct port_of){ "web", 81 }));
	assert_null(strstr(buf_str(&b->told), "500"));
	assert_int_equal(b->recovered, 3);
}

/* After a restart the server has no history: a watch is accepted, and refused in the same moment. */
static void a_restart_is_one_trouble_and_one_recovery(void **state)
{
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		kube_bench_cluster(b);
		fake_api_order(&b->api, "{\"set\": {\"watchList\": %s}}", json ? "false" : "true");
		kube_bench_start(b, json, ENDPOINTS_AUTO);
		AWAIT(b, is_fed, NULL);
		kube_bench_elapse(b, 20000);
		b->troubles = b->recovered = 0;
		fake_api_order(&b->api, "{\"down\": true}");
		AWAIT(b, is_troubled, NULL);
		kube_bench_elapse(b, 20000);
		kube_bench_put_service(b, "web", 81);
		fake_api_order(&b->api, "{\"advance\": 1, \"expire\": true}");
		buf_reset(&b->told);
		fake_api_order(&b->api, "{\"down\": false}");
		AWAIT(b, has_port, (&(struct port_of){ "web", 81 }));
		AWAIT(b, is_healthy, NULL);
		kube_bench_elapse(b, 20000);
		assert_int_equal(b->recovered, 3);
		assert_null(strstr(strstr(buf_str(&b->told), "well"), "refused"));
		assert_int_equal(b->relists, 3 * (json + 1));
		kube_bench_stop(b);
	}
}

/* Restores of etcd */

/* No watch tells of it, because the server's version is lower than ours. */
static void a_server_whose_version_is_older_than_ours_is_noticed_at_once(void **state)
{
	struct kube_bench *b = *state;
	uint64_t before;

	for (unsigned json = 0; json < 2; json++) {
		kube_bench_cluster(b);
		kube_bench_start(b, json, ENDPOINTS_AUTO);
		AWAIT(b, is_fed, NULL);
		AWAIT(b, is_healthy, NULL);
		fake_api_order(&b->api, "{\"backUp\": true}");
		for (unsigned port = 81; port < 90; port++)
			kube_bench_put_service(b, "web", port);
		kube_bench_delete_service(b, "dns");
		AWAIT(b, has_port, (&(struct port_of){ "dns", 0 }));
		before = timers_now(b->timers);
		fake_api_order(&b->api, "{\"restore\": true}");
		AWAIT(b, has_port, (&(struct port_of){ "web", 80 }));
		AWAIT(b, has_port, (&(struct port_of){ "dns", 53 }));
		assert_in_range(timers_now(b->timers) - before, 0, 10000);
		assert_non_null(strstr(buf_str(&b->told), "is older than"));
		kube_bench_put_service(b, "web", 91);
		AWAIT(b, has_port, (&(struct port_of){ "web", 91 }));
		kube_bench_stop(b);
	}
}

/* "web" is in the store as it was before a restore, in a version that the server has, too. */
static void restore_other_content(struct kube_bench *b, bool json)
{
	kube_bench_cluster(b);
	kube_bench_put_slice(b, "web", "10.244.1.1");
	kube_bench_start(b, json, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	fake_api_order(&b->api, "{\"backUp\": true}");
	kube_bench_put_service(b, "web", 81);
	kube_bench_put_slice(b, "web", "10.244.1.2");
	AWAIT(b, has_endpoint, "10.244.1.2");
	AWAIT(b, has_port, (&(struct port_of){ "web", 81 }));
	fake_api_order(&b->api, "{\"down\": true}");
	fake_api_order(&b->api, "{\"restore\": true}");
	kube_bench_put_service(b, "web", 82);
	kube_bench_put_slice(b, "web", "10.244.1.3");
	kube_bench_changes(b);
}

static void after_a_relist_other_content_in_the_same_version_is_in_the_store(void **state)
{
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		restore_other_content(b, json);
		kube_bench_put_service(b, "dns", 54);
		fake_api_order(&b->api, "{\"expire\": true}");
		fake_api_order(&b->api, "{\"down\": false}");
		AWAIT(b, has_port, (&(struct port_of){ "dns", 54 }));
		AWAIT(b, has_port, (&(struct port_of){ "web", 82 }));
		AWAIT(b, has_endpoint, "10.244.1.3");
		kube_bench_stop(b);
	}
}

static void after_a_resync_other_content_in_the_same_version_is_in_the_store(void **state)
{
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		restore_other_content(b, json);
		fake_api_order(&b->api, "{\"down\": false}");
		AWAIT(b, is_healthy, NULL);
		assert_true(has_port(b, &(struct port_of){ "web", 81 }));
		kube_resync(b->kube);
		kube_bench_settle(b);
		assert_true(has_port(b, &(struct port_of){ "web", 82 }));
		assert_true(has_endpoint(b, "10.244.1.3"));
		assert_true(is_healthy(b, NULL));
		kube_bench_stop(b);
	}
}

/* In JSON an event's object has more members than the element of a list. */
static void a_resync_of_what_has_not_changed_is_no_change(void **state)
{
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		kube_bench_cluster(b);
		fake_api_order(&b->api, "{\"set\": {\"watchList\": true}}");
		kube_bench_start(b, json, ENDPOINTS_AUTO);
		AWAIT(b, is_fed, NULL);
		kube_bench_changes(b);
		fake_api_order(&b->api, "{\"set\": {\"watchList\": false}}");
		kube_resync(b->kube);
		AWAIT(b, is_healthy, NULL);
		assert_int_equal(kube_bench_changes(b), 0);
		kube_resync(b->kube);
		kube_resync(b->kube);
		kube_bench_settle(b);
		assert_int_equal(kube_bench_changes(b), 0);
		kube_bench_put_service(b, "web", 81);
		AWAIT(b, has_port, (&(struct port_of){ "web", 81 }));
		kube_bench_stop(b);
	}
}

/* The weight of a Node */

/* This node would be the only one that knows it. */
static void the_weight_of_a_node_does_not_count_and_is_told_once(void **state)
{
	struct kube_bench *b = *state;

	for (unsigned json = 0; json < 2; json++) {
		kube_bench_cluster(b);
		kube_bench_start(b, json, ENDPOINTS_AUTO);
		AWAIT(b, is_fed, NULL);
		assert_false(kube_ignores_weight(b->kube));
		for (unsigned heartbeat = 0; heartbeat < 3; heartbeat++) {
			fake_api_order(&b->api,
				"{\"put\": {\"kind\": \"Node\", \"metadata\": {\"name\": \"node-a\", "
				"\"annotations\": {\"ipvsctl.io/weight\": \"5\"}}, \"status\": "
				"{\"addresses\": [" NODE_IP "]}}}");
			kube_bench_settle(b);
			assert_true(kube_ignores_weight(b->kube));
			assert_int_equal(store_node(&b->store, "node-a")->weight, -1);
			assert_int_equal(b->problems, 1);
		}
		kube_bench_put_node(b, "", NODE_IP);
		kube_bench_settle(b);
		assert_false(kube_ignores_weight(b->kube));
		b->problems = 0;
		kube_bench_stop(b);
	}
}

/* The Node object at start */

#define POD_CIDRS "\"podCIDRs\": [\"10.244.3.0/24\"]"

static bool has_node(struct kube_bench *b, const void *arg)
{
	(void)arg;
	return store_node(&b->store, "node-a");
}

static bool has_services(struct kube_bench *b, const void *arg)
{
	(void)arg;
	return b->store.n_services == 2;
}

static void without_node(struct kube_bench *b)
{
	kube_bench_cluster(b);
	fake_api_order(&b->api, "{\"delete\": {\"kind\": \"Node\", \"name\": \"node-a\"}}");
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	kube_bench_settle(b);
	assert_true(has_services(b, NULL));
	assert_true(is_healthy(b, NULL));
}

static void a_node_that_has_no_addresses_yet_is_waited_for(void **state)
{
	struct kube_bench *b = *state;

	without_node(b);
	assert_int_equal(b->fed, 0);
	kube_bench_put_node(b, "", "");
	kube_bench_elapse(b, KUBE_NODE_WAIT_MS - 1);
	assert_true(has_node(b, NULL));
	assert_int_equal(b->fed, 0);
	kube_bench_put_node(b, "", NODE_IP);
	kube_bench_settle(b);
	assert_int_equal(b->fed, 1);
	kube_bench_elapse(b, KUBE_NODE_WAIT_MS);
	assert_int_equal(b->fed, 1);
}

static void without_a_node_the_rest_begins_after_a_while(void **state)
{
	struct kube_bench *b = *state;

	without_node(b);
	kube_bench_elapse(b, KUBE_NODE_WAIT_MS - 1);
	assert_int_equal(b->fed, 0);
	kube_bench_elapse(b, 1);
	assert_int_equal(b->fed, 1);
	assert_null(store_node(&b->store, "node-a"));
}

static void pod_cidrs_are_waited_for_where_they_are_needed(void **state)
{
	struct kube_bench *b = *state;

	b->needs_pod_cidrs = true;
	kube_bench_cluster(b);
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	kube_bench_elapse(b, KUBE_NODE_WAIT_MS + KUBE_POD_CIDRS_WAIT_MS / 2);
	assert_true(has_services(b, NULL));
	assert_int_equal(b->fed, 0);
	kube_bench_put_node(b, POD_CIDRS, "");
	kube_bench_settle(b);
	assert_int_equal(b->fed, 1);
}

static void without_pod_cidrs_the_rest_begins_after_a_longer_while(void **state)
{
	struct kube_bench *b = *state;

	b->needs_pod_cidrs = true;
	without_node(b);
	kube_bench_elapse(b, KUBE_NODE_WAIT_MS + KUBE_POD_CIDRS_WAIT_MS - 1);
	assert_int_equal(b->fed, 0);
	kube_bench_elapse(b, 1);
	assert_int_equal(b->fed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KUBE_TEST(everything_that_exists_is_told),
		KUBE_TEST(changes_follow_in_both_encodings),
		KUBE_TEST(after_every_fault_the_store_is_what_the_server_holds),
		KUBE_TEST(after_every_fault_of_a_list_the_store_is_what_the_server_holds),
		KUBE_TEST(a_server_that_cannot_stream_is_listed_in_pages),
		KUBE_TEST(a_page_whose_token_has_expired_is_followed_by_everything_at_once),
		KUBE_TEST(a_page_that_is_no_list_is_not_the_end_of_it),
		KUBE_TEST(a_bookmark_moves_the_version_from_which_a_watch_goes_on),
		KUBE_TEST(what_vanished_while_we_were_away_is_deleted),
		KUBE_TEST(a_server_that_is_down_is_waited_for),
		KUBE_TEST(a_server_that_comes_back_is_followed_again),
		KUBE_TEST(a_restart_is_one_trouble_and_one_recovery),
		KUBE_TEST(a_server_whose_version_is_older_than_ours_is_noticed_at_once),
		KUBE_TEST(after_a_relist_other_content_in_the_same_version_is_in_the_store),
		KUBE_TEST(after_a_resync_other_content_in_the_same_version_is_in_the_store),
		KUBE_TEST(a_resync_of_what_has_not_changed_is_no_change),
		KUBE_TEST(the_weight_of_a_node_does_not_count_and_is_told_once),
		KUBE_TEST(a_node_that_has_no_addresses_yet_is_waited_for),
		KUBE_TEST(without_a_node_the_rest_begins_after_a_while),
		KUBE_TEST(pod_cidrs_are_waited_for_where_they_are_needed),
		KUBE_TEST(without_pod_cidrs_the_rest_begins_after_a_longer_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
