// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

#define WEB                                            \
	"service a/web ip=10.96.0.1 port=p80:80/TCP\n" \
	"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2\n"

#define WEB_FACTS                                        \
	"member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"      \
	"member KUBE-IPVS-IPS 10.96.0.1\n"               \
	"vs 10.96.0.1:80/TCP rr\n"                       \
	"rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n" \
	"rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1\n" \
	"route 10.96.0.1 src=100.101.102.103\n"

#define DNS                                            \
	"service a/dns ip=10.96.0.2 port=dns:53/UDP\n" \
	"slice a/dns-1 port=dns:5353/UDP ep=10.244.1.1\n"

static void nothing_is_written_before_the_sources_have_told_all(void **state)
{
	struct world *w = *state;

	fixture_load(&w->store, WEB);
	assert_int_equal(world_step(w), UINT64_MAX);
	assert_int_equal(w->kernel.n_ops, 0);
	assert_int_equal(w->kernel.dumps, 0);
	assert_false(engine_stats(w->engine)->fed);
	engine_fed(w->engine);
	assert_int_equal(world_step(w), UINT64_MAX);
	assert_int_equal(
		w->kernel.dumps, FAKE_AUDIT_DUMPS + 1); /* one more for the marks of before */
	assert_true(engine_stats(w->engine)->synced);
	world_expect(w, WEB_FACTS);
}

static void nothing_is_written_before_the_kernel_was_read(void **state)
{
	struct world *w = *state;

	w->kernel.dump_error = -EIO;
	w->kernel.dump_error_kind = FACT_VS;
	fixture_load(&w->store, WEB);
	engine_fed(w->engine);
	assert_int_equal(world_step(w), 1000);
	assert_int_equal(world_sleep(w, 1000), 1000);
	assert_int_equal(w->kernel.n_ops, 0);
	assert_int_equal(engine_stats(w->engine)->audit_failures, 2);
	assert_int_equal(engine_stats(w->engine)->last_audit, 0);
	assert_false(engine_stats(w->engine)->synced);
	/* Told once. */
	assert_string_equal(
		world_told(w), "audit: reading vs from the kernel: the dump broke off\n");
	world_forget(w);
	w->kernel.dump_error = 0;
	world_sleep(w, 1000);
	assert_string_equal(world_told(w), "audit: works again\n");
	world_expect(w, WEB_FACTS);
}

static void a_service_is_made_before_anything_leads_to_it(void **state)
{
	struct world *w = *state;

	world_start(w, "");
	world_forget(w);
	world_load(w, WEB);
	assert_string_equal(world_log_of_services(w),
		"add member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"
		"add member KUBE-IPVS-IPS 10.96.0.1\n"
		"add vs 10.96.0.1:80/TCP rr\n"
		"add rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n"
		"add rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1\n"
		"add route 10.96.0.1 src=100.101.102.103\n");
}

static void a_service_is_broken_in_the_opposite_order(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	world_forget(w);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	assert_string_equal(world_log_of_services(w),
		"delete route 10.96.0.1 src=100.101.102.103\n"
		"delete vs 10.96.0.1:80/TCP rr\n"
		"delete member KUBE-IPVS-IPS 10.96.0.1\n"
		"delete member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n");
}

/* Rules stand while a set that they look into has members. */
static void the_first_member_brings_its_rules_and_the_last_takes_them_along(void **state)
{
	static const char *const guards[] = { "member KUBE-LOAD-BALANCER-FW",
		"member KUBE-LOAD-BALANCER-SOURCE-CIDR",
		"chain IPv4 filter KUBE-SOURCE-RANGES-FIREWALL",
		"chain IPv4 mangle KUBE-SOURCE-RANGES-FIREWALL",
		"jump IPv4 filter INPUT KUBE-PROXY-FIREWALL",
		"jump IPv4 mangle OUTPUT KUBE-IPVS-NODE" };
	struct world *w = *state;
	char made[80], gone[80];

	world_start(w, WEB);
	world_forget(w);
	world_load(w,
		"service a/lb ip=10.96.0.5 type=LoadBalancer lb=192.0.2.1 ranges=10.0.0.0/8 "
		"port=p80:80/TCP\n");
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
		snprintf(made, sizeof(made), "add %s", guards[i]);
		world_expect_order(w, made, "add vs 192.0.2.1:80/TCP");
	}
	world_expect_order(w, "set chain IPv4 nat KUBE-SERVICES", "add vs 192.0.2.1:80/TCP");
	world_forget(w);
	store_delete_service(&w->store, "a", "lb");
	world_step(w);
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
		snprintf(gone, sizeof(gone), "delete %s", guards[i]);
		world_expect_order(w, "delete vs 192.0.2.1:80/TCP", gone);
	}
}

static void a_service_that_moves_is_made_before_it_is_broken(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	world_forget(w);
	world_load(w, "service a/web ip=10.96.0.1 port=p80:81/TCP");
	assert_string_equal(world_log(w),
		"add member KUBE-CLUSTER-IP 10.96.0.1,tcp:81\n"
		"add vs 10.96.0.1:81/TCP rr\n"
		"add rs 10.96.0.1:81/TCP 10.244.1.1:8080 weight=1\n"
		"add rs 10.96.0.1:81/TCP 10.244.1.2:8080 weight=1\n"
		"delete vs 10.96.0.1:80/TCP rr\n"
		"delete member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n");
}

static void the_node_is_ready_before_the_first_service(void **state)
{
	static const char *const order[] = { "add link ", "add set ", "add chain ", "add jump ",
		"add member ", "add vs ", "add rs ", "add route " };
	struct world *w = *state;
	const char *at;

	world_start(w, WEB);
	at = world_log(w);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const char *first = strstr(at, order[i]);

		assert_non_null(first);
		/* All of one kind stand together. */
		while (!strncmp(first, order[i], strlen(order[i])))
			first = strchr(first, '\n') + 1;
		assert_null(strstr(first, order[i]));
		at = first;
	}
	assert_string_equal(at, "");
}

/* Where in the log of all operations the first one on that address stands, and the last. */
static void find_operations(struct world *w, const char *address, size_t *first, size_t *last)
{
	const char *log = world_log(w), *at = strstr(log, address);

	assert_non_null(at);
	*first = *last = (size_t)(at - log);
	for (; at; at = strstr(at + 1, address))
		*last = (size_t)(at - log);
}

static void vital_services_are_complete_before_others_are_begun(void **state)
{
	static const char *const vital[] = { " 10.96.1.1", " 10.96.1.10", " 10.96.1.11" };
	struct world *w = *state;
	size_t first, begun, last, complete = 0;

	world_start(w,
		WEB "service default/kubernetes ip=10.96.1.1 port=https:443/TCP\n"
		    "slice default/kubernetes-1 port=https:6443/TCP ep=192.0.2.1\n"
		    "service kube-system/kube-dns ip=10.96.1.10 port=dns:53/UDP\n"
		    "slice kube-system/kube-dns-1 port=dns:53/UDP ep=10.244.1.3\n"
		    "service dns/coredns clusterdns ip=10.96.1.11 port=dns:53/UDP\n"
		    "slice dns/coredns-1 port=dns:53/UDP ep=10.244.1.3\n");
	find_operations(w, " 10.96.0.1", &begun, &last);
	for (size_t i = 0; i < ARRAY_SIZE(vital); i++) {
		find_operations(w, vital[i], &first, &last);
		complete = last > complete ? last : complete;
	}
	assert_true(complete < begun);
}

static void a_restart_with_unchanged_inputs_writes_nothing(void **state)
{
	struct world *w = *state;

	world_start(w, WEB DNS);
	world_restart(w);
	world_start(w, WEB DNS);
	assert_int_equal(w->kernel.n_ops, 0);
	assert_true(engine_stats(w->engine)->synced);
	assert_int_equal(engine_stats(w->engine)->drift, 0); /* not in the first audit */
}

static void one_endpoint_among_a_thousand_services_is_one_operation(void **state)
{
	struct world *w = *state;
	uint64_t resolves;

	world_start_many(w, 1000);
	assert_int_equal(engine_stats(w->engine)->resolves, 1000);
	assert_int_equal(w->kernel.done[FACT_VS][OP_ADD], 1000);
	assert_int_equal(w->kernel.done[FACT_RS][OP_ADD], 2000);
	world_forget(w);
	resolves = engine_stats(w->engine)->resolves;
	world_load(w, "slice a/s7-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2 ep=10.244.1.3");
	assert_int_equal(w->kernel.n_ops, 1);
	assert_string_equal(world_log(w), "add rs 10.96.0.7:80/TCP 10.244.1.3:8080 weight=1\n");
	assert_int_equal(engine_stats(w->engine)->resolves, resolves + 1);
	assert_int_equal(w->kernel.dumps, 0);
	world_load(w, "slice a/s7-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2");
	assert_int_equal(w->kernel.n_ops, 2);
	/* The same again is nothing. */
	world_load(w, "slice a/s7-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2");
	assert_int_equal(w->kernel.n_ops, 2);
}

static void a_deleted_service_takes_its_own_facts_only(void **state)
{
	struct world *w = *state;

	world_start_many(w, 1000);
	world_forget(w);
	store_delete_service(&w->store, "a", "s300");
	store_delete_slice(&w->store, SLICE_ENDPOINT_SLICE, "a", "s300-1");
	world_step(w);
	assert_string_equal(world_log(w),
		"delete route 10.96.1.44 src=100.101.102.103\n"
		"delete vs 10.96.1.44:80/TCP rr\n"
		"delete member KUBE-IPVS-IPS 10.96.1.44\n"
		"delete member KUBE-CLUSTER-IP 10.96.1.44,tcp:80\n");
	assert_null(store_find(&w->store, "a", "s300"));
}

static void work_in_one_step_is_bounded(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct world *w = *state;
	uint64_t resolves = 0, written = 0;

	for (unsigned i = 0; i < 1500; i++)
		buf_addf(&b, "service a/s%u ip=10.96.%u.%u port=p80:80/TCP\n", i, i >> 8, i & 255);
	fixture_load(&w->store, buf_str(&b));
	engine_fed(w->engine);
	for (uint64_t next = w->now; next <= w->now;) {
		next = engine_step(w->engine, w->now);
		assert_true(engine_stats(w->engine)->resolves - resolves <= 512);
		assert_true(w->kernel.n_ops - written <= 4096 + 1024);
		resolves = engine_stats(w->engine)->resolves;
		written = w->kernel.n_ops;
	}
	assert_int_equal(resolves, 1500);
	assert_int_equal(w->kernel.done[FACT_ROUTE][OP_ADD], 1500);

	/* Services with much to write count for more. */
	buf_reset(&b);
	for (unsigned i = 0; i < 500; i++) {
		buf_addf(&b, "slice a/s%u-1 port=p80:8080/TCP", i);
		for (unsigned k = 0; k < 30; k++)
			buf_addf(&b, " ep=10.244.%u.%u", i & 255, k);
		buf_adds(&b, "\n");
	}
	fixture_load(&w->store, buf_str(&b));
	for (uint64_t next = w->now; next <= w->now;) {
		next = engine_step(w->engine, w->now);
		assert_true(engine_stats(w->engine)->resolves - resolves <= 8192 / 30 + 1);
		resolves = engine_stats(w->engine)->resolves;
	}
	assert_int_equal(resolves, 2000);
}

static void a_service_beyond_the_limit_of_real_servers_is_told_once(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct world *w = *state;

	buf_adds(&b, "service a/web ip=10.96.0.1 port=p:80/TCP port=q:81/TCP\n");
	for (unsigned k = 0; k <= SERVICE_MAX_REAL_SERVERS / 2 / 32; k++) {
		buf_addf(&b, "slice a/web-%u port=p:80/TCP port=q:81/TCP", k);
		for (unsigned i = 0; i < 32; i++)
			buf_addf(&b, " ep=10.%u.%u.%u", 100 + (k >> 8), k & 255, i + 1);
		buf_addc(&b, '\n');
	}
	world_start(w, buf_str(&b));
	assert_string_equal(world_told(w), "a/web beyond the limit\n");
	world_expect(w, "rs 10.96.0.1:80/TCP 10.100.0.1:80 weight=1\n");
	world_expect_gone(w, "rs 10.96.0.1:81/TCP 10.100.0.1:81 weight=1\n");
	world_forget(w);
	world_load(w,
		"slice a/web-0 port=p:80/TCP port=q:81/TCP ep=10.100.0.7\n"
		"slice a/web-1 port=p:80/TCP port=q:81/TCP ep=10.100.1.7\n");
	assert_string_equal(world_told(w), "");
	world_expect(w, "rs 10.96.0.1:81/TCP 10.100.0.7:81 weight=1\n");
}

static void endpoints_may_come_before_and_stay_after_their_service(void **state)
{
	struct world *w = *state;

	world_start(w, "slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2");
	assert_int_equal(w->kernel.done[FACT_VS][OP_ADD], 0);
	world_load(w, "service a/web ip=10.96.0.1 port=p80:80/TCP");
	world_expect(w, WEB_FACTS);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	world_expect_gone(w, WEB_FACTS);
	world_load(w, "service a/web ip=10.96.0.1 port=p80:80/TCP");
	world_expect(w, WEB_FACTS);
}

static bool world_logged(struct world *w, const char *part)
{
	return strstr(world_log(w), part);
}

static void a_changed_policy_writes_the_difference_only(void **state)
{
	struct world *w = *state;

	world_start(w, WEB DNS);
	world_forget(w);
	engine_node_changed(w->engine);
	world_step(w);
	assert_int_equal(w->kernel.n_ops, 0);
	strcpy(w->node.options.scheduler, "wlc");
	engine_node_changed(w->engine);
	world_step(w);
	assert_string_equal(world_log_of_services(w),
		"add member KUBE-NO-LOCAL 10.96.0.1,tcp:80\n"
		"set vs 10.96.0.1:80/TCP wlc\n"
		"delete member KUBE-NO-LOCAL 10.96.0.1,tcp:80\n"
		"set vs 10.96.0.2:53/UDP wlc\n");
	world_forget(w);
	w->node.options.vip_mode = VIP_ADDRESS;
	engine_node_changed(w->engine);
	world_step(w);
	/* The node's own connections have the VIP as source then, and must be masqueraded. */
	assert_true(world_logged(w, "set chain IPv4 nat KUBE-POSTROUTING text="));
	assert_true(world_logged(w,
		"\nadd addr 10.96.0.1\nadd addr 10.96.0.2\n"
		"delete route 10.96.0.2 src=100.101.102.103\n"
		"delete route 10.96.0.1 src=100.101.102.103\n"));
}

static void a_nodes_weight_reaches_its_endpoints(void **state)
{
	struct world *w = *state;

	world_start(w, WEB "slice a/web-2 port=p80:8080/TCP ep=10.244.1.3@big\n");
	world_forget(w);
	world_load(w, "node big weight=4");
	assert_string_equal(world_log(w), "set rs 10.96.0.1:80/TCP 10.244.1.3:8080 weight=4\n");
}

static void a_dry_run_reads_and_writes_nothing(void **state)
{
	struct world *w = *state;
	struct fact vs = fixture_fact("vs 10.96.0.1:80/TCP rr");
	struct fact_state s;

	world_restart_with(w, (struct engine_config){ .dry_run = true });
	world_start(w, WEB);
	assert_int_equal(w->kernel.n_ops, 0);
	assert_int_equal(
		w->kernel.dumps, FAKE_AUDIT_DUMPS + 1); /* one more for the marks of before */
	assert_true(ledger_state(engine_ledger(w->engine), &vs.key, &s));
	assert_true(s.wanted && !s.present);
}

static void release_removes_everything_of_ours(void **state)
{
	struct world *w = *state;

	fake_kernel_put(&w->kernel, "vs 192.0.2.1:80/TCP rr");
	fake_kernel_put(&w->kernel, "rs 192.0.2.1:80/TCP 192.0.2.9:80 weight=1");
	world_start(w, WEB DNS);
	engine_release_all(w->engine);
	world_step(w);
	world_expect(w, "vs 192.0.2.1:80/TCP rr\nrs 192.0.2.1:80/TCP 192.0.2.9:80 weight=1");
	assert_int_equal(w->kernel.n_facts, 2);
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).wanted, 0);
}

static void release_by_a_new_process_removes_what_an_earlier_one_made(void **state)
{
	struct world *w = *state;

	world_start(w, WEB DNS);
	fake_kernel_put(&w->kernel, "vs 192.0.2.1:80/TCP rr");
	world_restart(w);
	engine_release_all(w->engine);
	world_start(w, "");
	assert_int_equal(w->kernel.n_facts, 1);
	world_expect(w, "vs 192.0.2.1:80/TCP rr");
	/* Sets cannot be destroyed while rules refer to them. */
	assert_true(strstr(world_log(w), "delete jump") < strstr(world_log(w), "delete chain"));
	assert_true(strstr(world_log(w), "delete chain") < strstr(world_log(w), "delete set"));
	assert_int_equal(w->kernel.done[FACT_MEMBER][OP_DEL], 0); /* they go with their sets */
}

/* It reaches itself through the Service only if its packets are masqueraded. */
static void an_endpoint_that_names_no_node_may_be_here(void **state)
{
	static const char objects[] =
		"service a/web ip=10.96.0.1 port=p80:80/TCP\n"
		"slice a/web-1 port=p80:8080/TCP ep=10.244.99.5 ep=10.244.1.5 ep=10.244.1.6@other\n";
	struct world *w = *state;

	world_start(w, objects);
	world_expect(w, "member KUBE-LOOP-BACK 10.244.99.5,tcp:8080,10.244.99.5\n");
	world_expect_gone(w, "member KUBE-LOOP-BACK 10.244.1.5,tcp:8080,10.244.1.5\n");
	world_restart(w);
	w->node.view.n_pod_cidrs = 0;
	world_start(w, objects);
	world_expect(w,
		"member KUBE-LOOP-BACK 10.244.99.5,tcp:8080,10.244.99.5\n"
		"member KUBE-LOOP-BACK 10.244.1.5,tcp:8080,10.244.1.5\n");
	world_expect_gone(w, "member KUBE-LOOP-BACK 10.244.1.6,tcp:8080,10.244.1.6\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_endpoint_that_names_no_node_may_be_here),
		WORLD_TEST(nothing_is_written_before_the_sources_have_told_all),
		WORLD_TEST(nothing_is_written_before_the_kernel_was_read),
		WORLD_TEST(a_service_is_made_before_anything_leads_to_it),
		WORLD_TEST(a_service_is_broken_in_the_opposite_order),
		WORLD_TEST(the_first_member_brings_its_rules_and_the_last_takes_them_along),
		WORLD_TEST(a_service_that_moves_is_made_before_it_is_broken),
		WORLD_TEST(the_node_is_ready_before_the_first_service),
		WORLD_TEST(vital_services_are_complete_before_others_are_begun),
		WORLD_TEST(a_restart_with_unchanged_inputs_writes_nothing),
		WORLD_TEST(one_endpoint_among_a_thousand_services_is_one_operation),
		WORLD_TEST(a_deleted_service_takes_its_own_facts_only),
		WORLD_TEST(work_in_one_step_is_bounded),
		WORLD_TEST(a_service_beyond_the_limit_of_real_servers_is_told_once),
		WORLD_TEST(endpoints_may_come_before_and_stay_after_their_service),
		WORLD_TEST(a_changed_policy_writes_the_difference_only),
		WORLD_TEST(a_nodes_weight_reaches_its_endpoints),
		WORLD_TEST(a_dry_run_reads_and_writes_nothing),
		WORLD_TEST(release_removes_everything_of_ours),
		WORLD_TEST(release_by_a_new_process_removes_what_an_earlier_one_made),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
