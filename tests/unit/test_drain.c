// SPDX-License-Identifier: GPL-2.0-or-later
/* Real servers that leave, in an engine that lets them keep their connections. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

#define SERVICE "service a/web ip=10.96.0.1 port=p80:80/TCP\n"
#define BOTH "slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2\n"
#define ONE "slice a/web-1 port=p80:8080/TCP ep=10.244.1.1\n"
#define NONE "slice a/web-1 port=p80:8080/TCP\n"

#define VS "vs 10.96.0.1:80/TCP rr\n"
#define RS1 "rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n"
#define RS1_DRAINS "rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=0\n"
#define RS2 "rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1\n"
#define RS2_DRAINS "rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=0\n"
#define CIP "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"
#define IPS "member KUBE-IPVS-IPS 10.96.0.1\n"
#define ROUTE "route 10.96.0.1 src=100.101.102.103\n"

enum { TIMEOUT = 60000 };

static uint32_t active(const struct fact_key *rs, void *arg)
{
	const uint32_t *n = arg;

	(void)rs;
	return *n;
}

/* All real servers have that many connections. */
static void begin(struct world *w, uint32_t *n_active, const char *objects)
{
	world_restart_with(w, (struct engine_config){ .drain = true });
	w->kernel.active = active;
	w->kernel.arg = n_active;
	world_start(w, objects);
	world_forget(w);
}

static size_t draining(struct world *w)
{
	return engine_stats(w->engine)->draining;
}

static void a_busy_endpoint_keeps_its_connections(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	world_load(w, ONE);
	assert_string_equal(world_log(w), "set " RS2_DRAINS);
	assert_int_equal(draining(w), 1);
	for (int i = 0; i < 10; i++)
		world_sleep(w, 1000);
	assert_string_equal(world_log(w), "set " RS2_DRAINS);
	n = 0;
	world_sleep(w, 5000);
	assert_string_equal(world_log(w), "set " RS2_DRAINS "delete " RS2_DRAINS);
	world_sleep(w, 1);
	assert_int_equal(draining(w), 0);
	world_expect(w, CIP IPS VS RS1 ROUTE);
}

static void an_idle_endpoint_goes_after_the_first_look(void **state)
{
	struct world *w = *state;
	uint32_t n = 0;

	begin(w, &n, SERVICE BOTH);
	fixture_load(&w->store, ONE);
	assert_int_equal(world_step(w), 200);
	world_expect(w, RS2_DRAINS);
	world_sleep(w, 200);
	world_expect_gone(w, RS2);
	assert_int_equal(world_sleep(w, 1), UINT64_MAX);
}

static void the_deadline_ends_it_at_last(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	world_load(w, ONE);
	for (uint64_t left = TIMEOUT, wait = world_step(w); left > wait;) {
		left -= wait;
		world_expect(w, RS2_DRAINS);
		wait = world_sleep(w, wait);
		assert_true(wait <= 5000);
	}
	world_sleep(w, 5000);
	world_expect_gone(w, RS2);
}

/* It may still answer what it has begun; a restart of the daemon changes nothing of that. */
static void the_deadline_counts_from_the_deletion(void **state)
{
	static const char *const listed[] = {
		"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2,-\n",
		"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2,st\n",
		"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2,t\n",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(listed); i++) {
		uint32_t n = 1;

		begin(w, &n, SERVICE BOTH);
		world_load(w, listed[i]);
		for (uint64_t t = 0; t < 10 * TIMEOUT; t += 5000)
			world_sleep(w, 5000);
		world_expect(w, RS2_DRAINS);
		begin(w, &n, SERVICE);
		world_load(w, listed[i]);
		for (uint64_t t = 0; t < 2 * TIMEOUT; t += 5000)
			world_sleep(w, 5000);
		world_expect(w, RS2_DRAINS);
		world_load(w, ONE);
		for (uint64_t t = 0; t < TIMEOUT - 5000; t += 5000)
			world_sleep(w, 5000);
		world_expect(w, RS2_DRAINS);
		for (uint64_t t = 0; t < 15000; t += 5000)
			world_sleep(w, 5000);
		world_expect_gone(w, RS2);
		/* The connections of one that is listed may end, too. */
		begin(w, &n, SERVICE BOTH);
		world_load(w, listed[i]);
		n = 0;
		world_sleep(w, 5000);
		world_expect_gone(w, RS2);
		store_delete_service(&w->store, "a", "web");
		world_sleep(w, 1);
	}
}

/* Other operations come first, and take longer than it may drain. */
static void it_begins_to_drain_with_its_weight(void **state)
{
	struct world *w = *state;
	uint32_t n = 0;

	begin(w, &n, SERVICE BOTH);
	w->kernel.slow = true;
	world_load(w, "service a/new ip=10.96.0.2 port=p80:80/TCP\n" ONE);
	world_sleep(w, TIMEOUT + 1);
	w->kernel.slow = false;
	fake_kernel_answer(&w->kernel);
	world_step(w);
	world_expect(w, RS2_DRAINS);
	n = 1;
	world_sleep(w, 200);
	world_sleep(w, TIMEOUT / 2);
	world_expect(w, RS2_DRAINS);
	world_sleep(w, TIMEOUT / 2);
	world_expect_gone(w, RS2);
}

static int no_changes(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_SET ? -EIO : 0;
}

static void what_cannot_lose_its_weight_goes_all_the_same(void **state)
{
	struct world *w = *state;
	uint32_t n = 0;

	begin(w, &n, SERVICE BOTH);
	w->kernel.fault = no_changes;
	world_load(w, ONE);
	world_expect(w, RS2);
	world_sleep(w, 200);
	world_sleep(w, 200);
	world_expect_gone(w, RS2);
}

static void one_that_comes_back_is_never_deleted(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	world_load(w, ONE);
	world_sleep(w, 1000);
	world_load(w, BOTH);
	assert_string_equal(world_log(w), "set " RS2_DRAINS "set " RS2);
	world_sleep(w, TIMEOUT);
	world_sleep(w, TIMEOUT);
	assert_string_equal(world_log(w), "set " RS2_DRAINS "set " RS2);
	assert_int_equal(draining(w), 0);
	/* And can leave again. */
	world_load(w, ONE);
	world_expect(w, RS2_DRAINS);
}

/* It came back and took new connections between two looks. */
static void one_that_leaves_again_has_all_its_time(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	world_load(w, ONE);
	world_sleep(w, TIMEOUT - 1000);
	world_load(w, BOTH);
	world_expect(w, RS2);
	world_load(w, ONE);
	world_sleep(w, 1000);
	world_expect(w, RS2_DRAINS);
	world_sleep(w, TIMEOUT - 1001);
	world_expect(w, RS2_DRAINS);
	world_sleep(w, 1);
	world_expect_gone(w, RS2);
	assert_int_equal(draining(w), 1);
	world_sleep(w, 1);
	assert_int_equal(draining(w), 0);
}

static void udp_has_nothing_to_keep(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n,
		"service a/dns ip=10.96.0.2 port=dns:53/UDP\n"
		"slice a/dns-1 port=dns:53/UDP ep=10.244.1.1\n");
	world_load(w, "slice a/dns-1 port=dns:53/UDP\n");
	assert_string_equal(world_log(w), "delete rs 10.96.0.2:53/UDP 10.244.1.1:53 weight=1\n");
}

static void a_deleted_service_stands_until_its_connections_are_gone(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	assert_string_equal(world_log(w), "set " RS1_DRAINS "set " RS2_DRAINS);
	world_expect(w, CIP IPS VS ROUTE);
	assert_int_equal(draining(w), 2);
	world_sleep(w, 10000);
	n = 0;
	world_forget(w);
	world_sleep(w, 5000);
	world_sleep(w, 1000);
	world_expect_gone(w, CIP IPS VS RS1 RS2 ROUTE);
	/* Break in the right order. */
	assert_true(strstr(world_log(w), "delete " ROUTE) < strstr(world_log(w), "delete " VS));
	assert_true(strstr(world_log(w), "delete " VS) < strstr(world_log(w), "delete " CIP));
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).pending, 0);
	world_sleep(w, 10000);
	assert_int_equal(world_sleep(w, 10000), UINT64_MAX);
}

static void a_service_that_comes_back_finds_everything_in_place(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	world_forget(w);
	world_load(w, SERVICE);
	assert_string_equal(world_log(w), "set " RS1 "set " RS2);
	world_sleep(w, TIMEOUT);
	world_sleep(w, TIMEOUT);
	world_expect(w, CIP IPS VS RS1 RS2 ROUTE);
	assert_int_equal(draining(w), 0);
}

static void draining_survives_a_restart(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	world_load(w, ONE);
	begin(w, &n, SERVICE ONE);
	assert_int_equal(draining(w), 1);
	world_expect(w, RS2_DRAINS);
	n = 0;
	world_sleep(w, 200);
	world_expect_gone(w, RS2);
}

/* The other backend wants no device. */
static void an_address_stays_with_its_device(void **state)
{
	static const char facts[] = "link kube-ipvs0\naddr 10.96.0.1\n" VS;
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, "");
	w->node.options.vip_mode = VIP_ADDRESS;
	engine_node_changed(w->engine);
	world_load(w, SERVICE BOTH);
	world_expect(w, facts);
	world_restart_with(w, (struct engine_config){ .drain = true });
	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, SERVICE BOTH);
	world_expect(w, facts);
	world_expect(w, RS1_DRAINS RS2_DRAINS);
	n = 0;
	world_sleep(w, 200);
	world_sleep(w, 200);
	world_expect_gone(w, facts);
}

static void an_address_of_others_is_none_to_keep(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	fake_kernel_put(&w->kernel, "link kube-ipvs0");
	fake_kernel_put(&w->kernel, "addr 10.96.0.1");
	begin(w, &n, SERVICE BOTH);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	world_expect(w, VS);
	n = 0;
	world_sleep(w, 200);
	world_sleep(w, 200);
	world_expect_gone(w, VS ROUTE);
	world_expect(w, "addr 10.96.0.1\n");
}

static void leftovers_of_an_earlier_run_drain_too(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	begin(w, &n, "");
	world_expect(w, CIP IPS VS RS1_DRAINS RS2_DRAINS ROUTE);
	n = 0;
	world_sleep(w, 200);
	world_sleep(w, 200);
	world_expect_gone(w, CIP IPS VS RS1 RS2 ROUTE);
}

static void the_annotation_sets_the_time(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, "service a/web drain=0 ip=10.96.0.1 port=p80:80/TCP\n" BOTH);
	world_load(w, ONE);
	assert_string_equal(world_log(w), "delete " RS2);
	begin(w, &n, "service a/web drain=1000 ip=10.96.0.1 port=p80:80/TCP\n" BOTH);
	world_load(w, ONE);
	world_sleep(w, 999);
	world_expect(w, RS2_DRAINS);
	world_sleep(w, 1);
	world_expect_gone(w, RS2);
}

static void a_service_that_goes_drains_for_its_own_time(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, "service a/web drain=1000 ip=10.96.0.1 port=p80:80/TCP\n" BOTH);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	world_sleep(w, 999);
	world_expect(w, CIP IPS VS RS1_DRAINS RS2_DRAINS ROUTE);
	world_sleep(w, 1);
	world_sleep(w, 5000);
	world_expect_gone(w, CIP IPS VS RS1 RS2 ROUTE);
	world_load(w, "service a/web drain=0 ip=10.96.0.1 port=p80:80/TCP\n" BOTH);
	world_expect(w, RS1);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	world_expect_gone(w, CIP IPS VS RS1 RS2 ROUTE);
}

static void so_does_a_port_that_goes(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n,
		"service a/web drain=1000 ip=10.96.0.1 port=p80:80/TCP port=p81:81/TCP\n"
		"slice a/web-1 port=p80:8080/TCP port=p81:8081/TCP ep=10.244.1.1\n");
	world_load(w, "service a/web drain=1000 ip=10.96.0.1 port=p80:80/TCP\n");
	world_sleep(w, 999);
	world_expect(w, "rs 10.96.0.1:81/TCP 10.244.1.1:8081 weight=0\n");
	world_sleep(w, 1);
	world_sleep(w, 5000);
	world_expect_gone(w, "vs 10.96.0.1:81/TCP rr\n");
	world_expect(w, RS1 ROUTE);
}

static uint32_t active_on_81(const struct fact_key *rs, void *arg)
{
	return rs->port == 81 ? active(rs, arg) : 0;
}

static void an_address_stays_for_the_last_of_its_ports(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n,
		"service a/web ip=10.96.0.1 port=p80:80/TCP port=p81:81/TCP\n"
		"slice a/web-1 port=p80:8080/TCP port=p81:8081/TCP ep=10.244.1.1\n");
	w->kernel.active = active_on_81;
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	for (int i = 0; i < 10; i++)
		world_sleep(w, 1000);
	world_expect_gone(w, VS CIP);
	world_expect(w,
		"vs 10.96.0.1:81/TCP rr\n"
		"member KUBE-CLUSTER-IP 10.96.0.1,tcp:81\n" IPS ROUTE);
	n = 0;
	world_sleep(w, 5000);
	world_sleep(w, 5000);
	world_expect_gone(w, "vs 10.96.0.1:81/TCP rr\n" IPS ROUTE);
}

/* The endpoint is on another node, so that only the virtual server by mark leads there. */
static void connections_through_a_mark_keep_the_address(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n,
		"service a/web etp=Local external=1.2.3.4 ip=10.96.0.1 port=p80:80/TCP\n"
		"slice a/web-1 port=p80:8080/TCP ep=10.244.2.1@other\n");
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	assert_non_null(strstr(world_log(w), "set rs fwmark:"));
	for (int i = 0; i < 10; i++)
		world_sleep(w, 1000);
	assert_null(strstr(world_log(w), "delete vs fwmark:"));
	world_expect_gone(w, "vs 1.2.3.4:80/TCP rr\n");
	world_expect(w,
		"route 1.2.3.4 src=100.101.102.103\n"
		"member KUBE-IPVS-IPS 1.2.3.4\n");
	n = 0;
	world_sleep(w, 5000);
	world_sleep(w, 5000);
	world_expect_gone(w,
		"route 1.2.3.4 src=100.101.102.103\n"
		"member KUBE-IPVS-IPS 1.2.3.4\n");
	assert_non_null(strstr(world_log(w), "delete vs fwmark:"));
}

static void a_policy_of_zero_drains_nothing(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	w->node.options.drain_timeout = 0;
	world_load(w, NONE);
	assert_string_equal(world_log(w), "delete " RS2 "delete " RS1);
}

static void connections_that_cannot_be_counted_are_assumed(void **state)
{
	struct world *w = *state;
	uint32_t n = 0;

	begin(w, &n, SERVICE BOTH);
	w->kernel.conns_error = -EIO;
	world_load(w, ONE);
	world_sleep(w, 10000);
	world_expect(w, RS2_DRAINS);
	w->kernel.conns_error = 0;
	world_sleep(w, 5000);
	world_expect_gone(w, RS2);
}

static void a_service_that_takes_the_address_over_drains_the_other(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n,
		"service a/young created=2 ip=10.96.0.5 external=1.2.3.4 port=p80:80/TCP\n"
		"slice a/young-1 port=p80:80/TCP ep=10.244.1.1\n");
	world_load(w,
		"service a/old created=1 ip=10.96.0.6 external=1.2.3.4 port=p80:80/TCP\n"
		"slice a/old-1 port=p80:80/TCP ep=10.244.1.2\n");
	world_expect(w,
		"rs 1.2.3.4:80/TCP 10.244.1.2:80 weight=1\n"
		"rs 1.2.3.4:80/TCP 10.244.1.1:80 weight=0\n");
	n = 0;
	world_sleep(w, 5000);
	world_expect_gone(w, "rs 1.2.3.4:80/TCP 10.244.1.1:80 weight=0\n");
}

static void release_of_everything_waits_for_nobody(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	engine_release_all(w->engine);
	world_step(w);
	assert_int_equal(w->kernel.n_facts, 0);
}

static void release_of_everything_ends_what_drains(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	begin(w, &n, SERVICE BOTH);
	world_load(w, ONE);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	assert_int_equal(draining(w), 2);
	engine_release_all(w->engine);
	world_step(w);
	assert_int_equal(w->kernel.n_facts, 0);
}

#define EXTERNAL "service a/web ip=10.96.0.1 external=192.0.2.1 port=p80:80/TCP\n"
#define TAKEN                                                      \
	"policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512\n" \
	"link kube-ipvs1\n"                                        \
	"held 192.0.2.1\n"                                         \
	"route 192.0.2.1 table=2512\n"                             \
	"member KUBE-EXTERNAL-PORT 192.0.2.1,tcp:80\n"             \
	"rs 192.0.2.1:80/TCP 10.244.1.1:8080 weight=0\n"

/* What leads packets to a port of an address of others. */
static void with_the_backend_a_path_to_an_address_of_others_stays(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	world_restart_with(w, (struct engine_config){ .drain = true });
	w->kernel.active = active;
	w->kernel.arg = &n;
	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, EXTERNAL ONE);
	w->node.view.backend = BACKEND_IPTABLES;
	engine_node_changed(w->engine);
	world_step(w);
	world_expect(w, TAKEN);
	assert_non_null(strstr(world_log(w), "add dispatch 192.0.2.1:80/TCP"));
	n = 0;
	world_sleep(w, 5000);
	world_sleep(w, 5000);
	world_expect_gone(w, TAKEN);
}

/* They go back to their owner at once. */
static void ports_of_others_do_not_drain(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	world_restart_with(w, (struct engine_config){ .drain = true });
	w->kernel.active = active;
	w->kernel.arg = &n;
	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, EXTERNAL ONE);
	world_load(w, SERVICE);
	world_expect_gone(w, TAKEN);
}

#define OWN "service a/own ip=10.96.0.2 external=100.101.102.103 port=p80:80/TCP\n"
#define OWN_EP "slice a/own-1 port=p80:8080/TCP ep=10.244.1.1 service=own\n"

/* An address on an interface is the node's, until it goes to another host. */
static void a_port_of_an_own_address_drains_while_it_is_here(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	world_restart_with(w, (struct engine_config){ .drain = true });
	w->kernel.active = active;
	w->kernel.arg = &n;
	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, EXTERNAL ONE OWN OWN_EP);
	world_expect(w, "member KUBE-EXTERNAL-PORT 100.101.102.103,tcp:80\n");
	store_delete_service(&w->store, "a", "own");
	world_step(w);
	world_expect(w, "rs 100.101.102.103:80/TCP 10.244.1.1:8080 weight=0\n");
	w->node.view.n_local = 0;
	engine_node_changed(w->engine);
	world_sleep(w, 1000);
	world_expect_gone(w,
		"rs 100.101.102.103:80/TCP 10.244.1.1:8080 weight=0\n"
		"member KUBE-EXTERNAL-PORT 100.101.102.103,tcp:80\n");
}

/* Nor do they go on draining when the Service is deleted after the backend was changed. */
static void ports_of_others_end_draining_with_the_service(void **state)
{
	struct world *w = *state;
	uint32_t n = 1;

	world_restart_with(w, (struct engine_config){ .drain = true });
	w->kernel.active = active;
	w->kernel.arg = &n;
	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, EXTERNAL ONE);
	w->node.view.backend = BACKEND_IPTABLES;
	engine_node_changed(w->engine);
	world_step(w);
	world_expect(w, TAKEN);
	store_delete_service(&w->store, "a", "web");
	world_sleep(w, 1000);
	world_sleep(w, 1000);
	world_expect_gone(w, TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_busy_endpoint_keeps_its_connections),
		WORLD_TEST(an_idle_endpoint_goes_after_the_first_look),
		WORLD_TEST(with_the_backend_a_path_to_an_address_of_others_stays),
		WORLD_TEST(ports_of_others_do_not_drain),
		WORLD_TEST(a_port_of_an_own_address_drains_while_it_is_here),
		WORLD_TEST(ports_of_others_end_draining_with_the_service),
		WORLD_TEST(the_deadline_ends_it_at_last),
		WORLD_TEST(the_deadline_counts_from_the_deletion),
		WORLD_TEST(it_begins_to_drain_with_its_weight),
		WORLD_TEST(what_cannot_lose_its_weight_goes_all_the_same),
		WORLD_TEST(one_that_comes_back_is_never_deleted),
		WORLD_TEST(one_that_leaves_again_has_all_its_time),
		WORLD_TEST(udp_has_nothing_to_keep),
		WORLD_TEST(a_deleted_service_stands_until_its_connections_are_gone),
		WORLD_TEST(a_service_that_comes_back_finds_everything_in_place),
		WORLD_TEST(draining_survives_a_restart),
		WORLD_TEST(an_address_stays_with_its_device),
		WORLD_TEST(an_address_of_others_is_none_to_keep),
		WORLD_TEST(leftovers_of_an_earlier_run_drain_too),
		WORLD_TEST(the_annotation_sets_the_time),
		WORLD_TEST(a_service_that_goes_drains_for_its_own_time),
		WORLD_TEST(so_does_a_port_that_goes),
		WORLD_TEST(an_address_stays_for_the_last_of_its_ports),
		WORLD_TEST(connections_through_a_mark_keep_the_address),
		WORLD_TEST(a_policy_of_zero_drains_nothing),
		WORLD_TEST(connections_that_cannot_be_counted_are_assumed),
		WORLD_TEST(a_service_that_takes_the_address_over_drains_the_other),
		WORLD_TEST(release_of_everything_waits_for_nobody),
		WORLD_TEST(release_of_everything_ends_what_drains),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
