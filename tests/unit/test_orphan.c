// SPDX-License-Identifier: GPL-2.0-or-later
/* What an earlier run left in the kernel, while the input is incomplete and when it is no longer. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/publication.h"
#include "world.h"

#define WEB                                            \
	"service a/web ip=10.96.0.1 port=p80:80/TCP\n" \
	"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2\n"

#define SHOP                                                                            \
	"service a/shop ip=10.96.0.2 port=s:80/TCP:30080 type=LoadBalancer lb=5.5.5.5 " \
	"external=6.6.6.6 etp=Local ranges=10.0.0.0/8 healthcheck=32000\n"              \
	"slice a/shop-1 port=s:8080/TCP ep=10.244.2.1@test-node ep=10.244.2.2@other\n"  \
	"service a/dns ip=10.96.0.3 port=dns:53/UDP\n"                                  \
	"slice a/dns-1 port=dns:5353/UDP ep=10.244.3.1\n"

#define WEB_IPVS                                         \
	"member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"      \
	"member KUBE-IPVS-IPS 10.96.0.1\n"               \
	"vs 10.96.0.1:80/TCP rr\n"                       \
	"rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n" \
	"rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1\n" \
	"route 10.96.0.1 src=100.101.102.103\n"

/* The slices of Services named in the text may be in what could not be read. */
static const char *unread = "";

static bool misses_endpoints(const struct slot *slot, void *arg)
{
	(void)arg;
	return strstr(unread, slot->service->name);
}

static void restart_with(struct world *w, struct engine_config config)
{
	config.misses_endpoints = misses_endpoints;
	world_restart_with(w, config);
}

/* A daemon that could read only some of the objects starts on what an earlier one left. */
static void start_incomplete(struct world *w, const char *objects)
{
	restart_with(w, (struct engine_config){ 0 });
	engine_set_input_complete(w->engine, false);
	world_start(w, objects);
}

static void now_complete(struct world *w, const char *objects)
{
	fixture_load(&w->store, objects);
	engine_set_input_complete(w->engine, true);
	world_step(w);
}

static size_t n_kept(const struct world *w)
{
	return ledger_counts(engine_ledger(w->engine)).kept;
}

static void all_stays_until_all_could_be_read(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SHOP);
	start_incomplete(w, "");
	assert_string_equal(world_log(w), "");
	assert_true(engine_stats(w->engine)->synced);
	world_audit(w);
	world_sleep(w, 100000);
	assert_string_equal(world_log(w), "");
	assert_true(n_kept(w) > 20);

	/* Now it turns out that one of them is gone. */
	now_complete(w, SHOP);
	assert_string_equal(world_log(w),
		"delete route 10.96.0.1 src=100.101.102.103\n"
		"delete vs 10.96.0.1:80/TCP rr\n"
		"delete member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"
		"delete member KUBE-IPVS-IPS 10.96.0.1\n");
	assert_int_equal(n_kept(w), 0);
}

static void without_ipvs_all_stays_too(void **state)
{
	static const enum backend backends[] = { BACKEND_IPTABLES, BACKEND_NFTABLES };
	static const char sticky[] = "service a/sticky ip=10.96.0.5 affinity=60 port=p80:80/TCP\n"
				     "slice a/sticky-1 port=p80:8080/TCP ep=10.244.1.5\n";
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		world_restart(w);
		w->node.view.backend = backends[i];
		world_start(w, WEB SHOP);
		world_load(w, sticky);
		restart_with(w, (struct engine_config){ 0 });
		w->node.view.backend = backends[i];
		engine_set_input_complete(w->engine, false);
		world_start(w, WEB);
		assert_string_equal(world_log(w), "");
		fixture_load(&w->store, sticky);
		now_complete(w, SHOP);
		assert_string_equal(world_log(w), "");
	}
}

/* Its restart wrote nothing: whoever could be read is claimed, the rest is kept. */
static void what_could_be_read_is_served_as_always(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SHOP);
	start_incomplete(w, SHOP);
	assert_string_equal(world_log(w), "");

	/* An object that this run has programmed goes at once. */
	store_delete_service(&w->store, "a", "dns");
	world_step(w);
	assert_string_equal(world_log(w),
		"delete route 10.96.0.3 src=100.101.102.103\n"
		"delete vs 10.96.0.3:53/UDP rr\n"
		"delete member KUBE-IPVS-IPS 10.96.0.3\n"
		"delete member KUBE-CLUSTER-IP 10.96.0.3,udp:53\n");
	world_forget(w);
	world_audit(w);
	assert_string_equal(world_log(w), "");
	world_expect(w, WEB_IPVS);
	now_complete(w, WEB);
	assert_string_equal(world_log(w), "");
}

/* Several ports on an address are several Services' at most where it is external. */
static void a_service_that_was_read_contradicts_its_old_frontends(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SHOP);
	/* No traffic policy, no source ranges, another node port. */
	start_incomplete(w,
		"service a/shop ip=10.96.0.2 port=s:80/TCP:30081 type=LoadBalancer lb=5.5.5.5 "
		"external=6.6.6.6\n"
		"slice a/shop-1 port=s:8080/TCP ep=10.244.2.1@test-node ep=10.244.2.2@other\n");
	world_expect_gone(w,
		"member KUBE-LOAD-BALANCER-LOCAL 5.5.5.5,tcp:80\n"
		"member KUBE-EXTERNAL-IP-LOCAL 6.6.6.6,tcp:80\n"
		"member KUBE-LOAD-BALANCER-FW 5.5.5.5,tcp:80\n"
		"member KUBE-LOAD-BALANCER-SOURCE-CIDR 5.5.5.5,tcp:80,10.0.0.0/8\n"
		"member KUBE-LOCAL-MARK 5.5.5.5,tcp:80\n");
	/* Another Service may have the old node port. */
	world_expect(w,
		"vs 100.101.102.103:30080/TCP rr\n"
		"member KUBE-NODE-PORT-TCP 30080\n"
		"member KUBE-NODE-PORT-LOCAL-TCP 30080\n"
		"member KUBE-HEALTH-CHECK-NODE-PORT 32000\n"
		"vs 100.101.102.103:30081/TCP rr\n");
	world_expect(w, WEB_IPVS);
	now_complete(w, "");
	world_expect_gone(w, "vs 100.101.102.103:30080/TCP rr\n" WEB_IPVS);
}

static void a_refused_frontend_is_a_known_one(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SHOP);
	restart_with(w, (struct engine_config){ 0 });
	w->node.options.external_ip_ranges[0] = fixture_cidr("7.0.0.0/8");
	w->node.options.n_external_ip_ranges = 1;
	engine_set_input_complete(w->engine, false);
	world_start(w, SHOP);
	world_expect_gone(w, "vs 6.6.6.6:80/TCP rr\nmember KUBE-EXTERNAL-IP-LOCAL 6.6.6.6,tcp:80");
	world_expect(w, WEB_IPVS);
}

/* The address that a Service has is made local as that Service says; see also --vip-mode. */
static void an_address_that_was_read_is_taken_as_it_says(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SHOP);
	restart_with(w, (struct engine_config){ 0 });
	w->node.options.external_addresses = EXTERNAL_PORTS;
	engine_set_input_complete(w->engine, false);
	world_start(w, SHOP);
	world_expect_gone(w, "route 6.6.6.6 src=100.101.102.103\nmember KUBE-IPVS-IPS 6.6.6.6\n");
	world_expect(w, WEB_IPVS);

	restart_with(w, (struct engine_config){ 0 });
	w->node.options.vip_mode = VIP_ADDRESS;
	engine_set_input_complete(w->engine, false);
	world_start(w, WEB);
	world_expect(w, "addr 10.96.0.1\nroute 10.96.0.2 src=100.101.102.103\n");
	world_expect_gone(w, "route 10.96.0.1 src=100.101.102.103");
}

/* The rules of the node that lead packets to ports of others' addresses stand for an orphan. */
static void ports_of_others_addresses_stay_ours(void **state)
{
	struct world *w = *state;

	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, WEB SHOP);
	for (int i = 0; i < 2; i++) {
		restart_with(w, (struct engine_config){ 0 });
		w->node.options.external_addresses = EXTERNAL_PORTS;
		engine_set_input_complete(w->engine, false);
		world_start(w, WEB);
		assert_string_equal(world_log(w), "");
	}
	now_complete(w, "");
	world_expect_gone(w,
		"member KUBE-EXTERNAL-PORT 6.6.6.6,tcp:80\nset KUBE-EXTERNAL-PORT hash:ip,port\n");
	assert_int_equal(ledger_counts_of(engine_ledger(w->engine), FACT_POLICY_RULE)->present, 0);
}

/* Its slices may be in the file that could not be read. */
static void a_service_whose_endpoints_are_missing_is_left_as_it_is(void **state)
{
	struct world *w = *state;
	const struct slot *slot;

	for (enum backend backend = BACKEND_IPVS; backend <= BACKEND_NFTABLES; backend++) {
		world_restart(w);
		w->node.view.backend = backend;
		world_start(w, WEB);
		restart_with(w, (struct engine_config){ 0 });
		w->node.view.backend = backend;
		unread = "web";
		engine_set_input_complete(w->engine, false);
		world_start(w,
			"service a/web ip=10.96.0.1 port=p80:80/TCP\n"
			"service a/bare ip=10.96.0.9 port=p80:80/TCP\n");
		slot = store_find(&w->store, "a", "web");
		assert_true(slot->published->withheld);
		assert_null(strstr(world_log(w), "10.96.0.1"));
		assert_null(strstr(world_log(w), "delete"));
		/* One that nothing unread names has none. */
		assert_false(store_find(&w->store, "a", "bare")->published->withheld);
		assert_non_null(strstr(world_log(w), "10.96.0.9"));

		world_forget(w);
		fixture_load(
			&w->store, "slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2\n");
		world_step(w);
		assert_string_equal(world_log(w), "");
		assert_false(slot->published->withheld);
		/* Now that it had endpoints, it has none. */
		store_delete_slice(&w->store, SLICE_ENDPOINT_SLICE, "a", "web-1");
		world_step(w);
		assert_non_null(strstr(world_log(w),
			backend == BACKEND_IPVS
				? "delete rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1"
				: "add member KUBE-NO-ENDPOINTS 10.96.0.1,tcp:80"));
	}
}

static void a_service_without_endpoints_is_one_once_all_could_be_read(void **state)
{
	struct world *w = *state;

	unread = "web";
	start_incomplete(w, "service a/web ip=10.96.0.1 port=p80:80/TCP\n");
	assert_null(strstr(world_log(w), "10.96.0.1"));
	now_complete(w, "");
	assert_non_null(strstr(world_log(w), "add vs 10.96.0.1:80/TCP rr"));
}

static void real_servers_stay_where_more_endpoints_may_come(void **state)
{
	static const char *const some = "service a/web ip=10.96.0.1 port=p80:80/TCP\n"
					"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1\n";
	static const char *const rest = "slice a/web-2 port=p80:8080/TCP ep=10.244.1.2\n";
	struct world *w = *state;

	world_start(w, WEB SHOP);
	unread = "web";
	start_incomplete(w, some);
	assert_string_equal(world_log(w), "");
	now_complete(w, rest);
	world_expect(w, WEB_IPVS);
	world_restart(w);
	world_start(w, WEB);

	/* What could be read has all its endpoints. */
	unread = "shop";
	start_incomplete(w, some);
	assert_string_equal(world_log(w), "delete rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1\n");
}

/* With connections that drain, one that the node's view changes, and a flood of new Services. */
static void the_last_objects_claim_before_the_orphans_go(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SHOP);
	start_incomplete(w, "");
	w->kernel.slow = true;
	world_load(w, "service a/new ip=10.96.0.8 port=p80:80/TCP\n");
	fixture_load(&w->store, WEB SHOP);
	engine_set_input_complete(w->engine, true);
	for (int i = 0; i < 20; i++) {
		fake_kernel_answer(&w->kernel);
		world_step(w);
	}
	assert_null(strstr(world_log(w), "delete"));
	world_expect(w, WEB_IPVS);
	w->kernel.slow = false;
}

static void cleaning_up_asks_for_no_input(void **state)
{
	struct world *w = *state;
	struct buf left = { 0 };

	world_start(w, WEB SHOP);
	restart_with(w, (struct engine_config){ 0 });
	engine_set_input_complete(w->engine, false);
	engine_fed(w->engine);
	engine_release_all(w->engine);
	world_step(w);
	fake_kernel_print(&w->kernel, &left);
	assert_string_equal(buf_str(&left), "");
	buf_done(&left);
}

/* What others delete or change of an orphan is no business of ours. */
static void an_orphan_that_others_delete_is_gone(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	start_incomplete(w, "");
	assert_int_equal(ledger_counts_of(engine_ledger(w->engine), FACT_RS)->kept, 2);
	fake_kernel_remove(&w->kernel, "vs 10.96.0.1:80/TCP rr");
	world_audit(w);
	assert_string_equal(world_log(w), "");
	assert_int_equal(ledger_counts_of(engine_ledger(w->engine), FACT_VS)->kept, 0);
	assert_int_equal(ledger_counts_of(engine_ledger(w->engine), FACT_RS)->kept, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(all_stays_until_all_could_be_read),
		WORLD_TEST(without_ipvs_all_stays_too),
		WORLD_TEST(what_could_be_read_is_served_as_always),
		WORLD_TEST(a_service_that_was_read_contradicts_its_old_frontends),
		WORLD_TEST(a_refused_frontend_is_a_known_one),
		WORLD_TEST(an_address_that_was_read_is_taken_as_it_says),
		WORLD_TEST(ports_of_others_addresses_stay_ours),
		WORLD_TEST(a_service_whose_endpoints_are_missing_is_left_as_it_is),
		WORLD_TEST(a_service_without_endpoints_is_one_once_all_could_be_read),
		WORLD_TEST(real_servers_stay_where_more_endpoints_may_come),
		WORLD_TEST(the_last_objects_claim_before_the_orphans_go),
		WORLD_TEST(cleaning_up_asks_for_no_input),
		WORLD_TEST(an_orphan_that_others_delete_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
