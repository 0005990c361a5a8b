// SPDX-License-Identifier: GPL-2.0-or-later
/* API servers that are not who they should be, want other credentials, or are old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/pace.h"
#include "base/mem.h"
#include "kube_bench.h"

/* Credentials and certificates */

static bool has_told(struct kube_bench *b, const void *arg)
{
	return strstr(buf_str(&b->told), arg);
}

/* After new connections the watches go on, and only "web" has changed. */
static void goes_on(struct kube_bench *b, unsigned port)
{
	kube_bench_changes(b);
	fake_api_order(&b->api, "{\"close\": true}");
	kube_bench_put_service(b, "web", port);
	AWAIT(b, has_port, (&(struct port_of){ "web", port }));
	AWAIT(b, is_healthy, NULL);
	assert_int_equal(kube_bench_changes(b), 1);
}

static void start_with(struct kube_bench *b, const char *user)
{
	fake_api_write_kubeconfig(&b->api, "", user);
	kube_bench_cluster(b);
	kube_bench_start(b, false, ENDPOINTS_AUTO);
}

static void a_server_with_a_wrong_name_is_told_nothing_and_waited_for(void **state)
{
	struct kube_bench *b = *state;

	fake_api_order(&b->api, "{\"set\": {\"tls\": \"wrong-name\"}}");
	start_with(b, "");
	AWAIT(b, has_told, "127.0.0.1");
	assert_int_equal(fake_api_count(&b->api, "requests"), 0);
	assert_false(b->fed);
	fake_api_order(&b->api, "{\"set\": {\"tls\": \"good\"}}");
	AWAIT(b, is_fed, NULL);
	fake_api_order(&b->api, "{\"set\": {\"tls\": \"wrong-name\"}, \"close\": true}");
	buf_reset(&b->told);
	AWAIT(b, has_told, "services: GET");
	assert_int_equal(b->store.n_services, 2);
	fake_api_order(&b->api, "{\"set\": {\"tls\": \"good\"}}");
	goes_on(b, 81);
}

static void a_new_client_certificate_is_used_when_the_old_one_is_refused(void **state)
{
	struct kube_bench *b = *state;

	fake_api_copy(&b->api, "client.crt", "mine.crt");
	fake_api_copy(&b->api, "client.key", "mine.key");
	fake_api_order(&b->api, "{\"set\": {\"clientCert\": \"client\"}}");
	start_with(b, "client-certificate: mine.crt, client-key: mine.key");
	AWAIT(b, is_fed, NULL);
	fake_api_order(&b->api, "{\"set\": {\"clientCert\": \"client2\"}, \"close\": true}");
	AWAIT(b, has_told, "401");
	fake_api_copy(&b->api, "client2.crt", "mine.crt");
	fake_api_copy(&b->api, "client2.key", "mine.key");
	goes_on(b, 81);
}

static void a_new_token_is_used_when_the_old_one_is_refused(void **state)
{
	struct kube_bench *b = *state;

	fake_api_write(&b->api, "token", "one\n");
	fake_api_order(&b->api, "{\"set\": {\"token\": \"one\"}}");
	start_with(b, "tokenFile: token");
	AWAIT(b, is_fed, NULL);
	fake_api_order(&b->api, "{\"set\": {\"token\": \"two\"}, \"close\": true}");
	AWAIT(b, has_told, "401");
	fake_api_write(&b->api, "token", "two\n");
	goes_on(b, 81);
}

/* Old servers */

static void put_unselected(
	struct kube_bench *b, const char *name, const char *label, const char *ip)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Service\", \"metadata\": {\"name\": \"%s\", \"namespace\": "
		"\"d\", \"labels\": {%s}}, \"spec\": {\"clusterIP\": \"%s\", \"ports\": [{\"port\": "
		"80}]}}}",
		name, label, ip);
}

/* Services that the server does not leave out are left out here, also after an edit. */
static void a_server_that_refuses_the_field_selector_is_asked_without(void **state)
{
	struct kube_bench *b = *state;

	fake_api_order(&b->api, "{\"set\": {\"fieldLabels\": false}}");
	kube_bench_cluster(b);
	put_unselected(b, "headless", "", "None");
	put_unselected(
		b, "other", "\"service.kubernetes.io/service-proxy-name\": \"\"", "10.96.0.7");
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_int_equal(b->store.n_services, 2);
	assert_non_null(store_node(&b->store, "node-a"));
	AWAIT(b, is_healthy, NULL);
	put_unselected(b, "dns", "", "None");
	AWAIT(b, has_port, (&(struct port_of){ "dns", 0 }));
	put_unselected(b, "dns", "", "10.96.0.9");
	AWAIT(b, has_port, (&(struct port_of){ "dns", 80 }));
}

static void absent(struct kube_bench *b, const char *resources)
{
	fake_api_order(&b->api, "{\"set\": {\"absent\": [%s]}, \"close\": true}", resources);
}

static bool follows_endpoints_as(struct kube_bench *b, const void *resource)
{
	struct kube_watch watches[KUBE_WATCHES];

	kube_watches(b->kube, watches);
	assert_string_equal(watches[0].resource, "services");
	assert_string_equal(watches[2].resource, "nodes");
	return watches[1].healthy && !strcmp(watches[1].resource, resource);
}

static void without_slices_endpoints_are_followed_until_there_are_some(void **state)
{
	struct kube_bench *b = *state;

	kube_bench_cluster(b);
	kube_bench_put_endpoints(b, "web", "10.244.1.7");
	absent(b, "\"endpointslices\"");
	kube_bench_start(b, false, ENDPOINTS_AUTO);
	AWAIT(b, is_fed, NULL);
	assert_true(has_endpoint(b, "10.244.1.7"));
	assert_int_equal(b->troubles, 0);
	assert_true(is_healthy(b, NULL));
	assert_true(follows_endpoints_as(b, "endpoints"));
	kube_bench_put_endpoints(b, "web", "10.244.1.8");
	AWAIT(b, has_endpoint, "10.244.1.8");
	absent(b, ""); /* it was upgraded */
	AWAIT(b, has_endpoint, "10.244.1.1");
	AWAIT(b, follows_endpoints_as, "endpointslices");
	kube_bench_put_endpoints(b, "web", "10.244.1.9");
	kube_bench_put_slice(b, "web", "10.244.1.2");
	AWAIT(b, has_endpoint, "10.244.1.2");
	absent(b, "\"endpointslices\""); /* and downgraded */
	AWAIT(b, has_endpoint, "10.244.1.9");
	assert_int_equal(b->fed, 1);
}

static void the_source_of_endpoints_can_be_chosen(void **state)
{
	struct kube_bench *b = *state;

	kube_bench_cluster(b);
	kube_bench_put_endpoints(b, "web", "10.244.1.7");
	kube_bench_start(b, false, ENDPOINTS_LEGACY);
	AWAIT(b, is_fed, NULL);
	assert_true(has_endpoint(b, "10.244.1.7"));
	kube_bench_stop(b);
	absent(b, "\"endpointslices\"");
	kube_bench_start(b, false, ENDPOINTS_SLICES);
	AWAIT(b, has_told, "endpointslices: HTTP status 404");
	assert_false(b->fed);
	assert_false(is_healthy(b, NULL));
}

/* How fast */

static void requests_are_held_back_after_a_burst(void **state)
{
	struct pace p = { .qps = 5, .burst = 2 }, unlimited = { .qps = -1 };

	(void)state;
	assert_int_equal(pace_take(&p, 1000), 0);
	assert_int_equal(pace_take(&p, 1000), 0);
	assert_in_range(pace_take(&p, 1000), 200, 201);
	assert_in_range(pace_take(&p, 1100), 300, 301);
	assert_int_equal(pace_take(&p, 100000), 0);
	assert_int_equal(pace_take(&p, 100000), 0);
	assert_true(pace_take(&p, 100000) > 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(pace_take(&unlimited, 1000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KUBE_TEST_TLS(a_server_with_a_wrong_name_is_told_nothing_and_waited_for),
		KUBE_TEST_TLS(a_new_client_certificate_is_used_when_the_old_one_is_refused),
		KUBE_TEST_TLS(a_new_token_is_used_when_the_old_one_is_refused),
		KUBE_TEST(a_server_that_refuses_the_field_selector_is_asked_without),
		KUBE_TEST(without_slices_endpoints_are_followed_until_there_are_some),
		KUBE_TEST(the_source_of_endpoints_can_be_chosen),
		cmocka_unit_test(requests_are_held_back_after_a_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
