// SPDX-License-Identifier: GPL-2.0-or-later
/* While a virtual server has no scheduler, nobody must ask it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

#define WEB "service a/web ip=10.96.0.1 port=p80:80/TCP\n"
#define SLICE "slice a/web-1 port=p80:8080/TCP "
#define HELD "member KUBE-NO-LOCAL 10.96.0.1,tcp:80\n"

static void change_scheduler(struct world *w, const char *scheduler)
{
	world_forget(w);
	strcpy(w->node.options.scheduler, scheduler);
	engine_node_changed(w->engine);
	world_step(w);
}

static void new_connections_are_dropped_meanwhile(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SLICE "ep=10.244.1.1");
	change_scheduler(w, "wlc");
	assert_string_equal(
		world_log_of_services(w), "add " HELD "set vs 10.96.0.1:80/TCP wlc\ndelete " HELD);
	world_expect_order(w, "add jump IPv4 mangle PREROUTING KUBE-IPVS-PODS", "add " HELD);
	world_expect_order(w, "delete " HELD, "delete jump IPv4 mangle PREROUTING KUBE-IPVS-PODS");
	assert_int_equal(engine_stats(w->engine)->ops[FACT_MEMBER][OP_DEL], 0);
	world_forget(w);
	world_audit(w);
	assert_int_equal(w->kernel.n_ops, 0);
}

static void without_real_servers_all_are_refused_anyway(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	change_scheduler(w, "wlc");
	assert_string_equal(world_log(w), "set vs 10.96.0.1:80/TCP wlc\n");
}

static void other_changes_hold_nobody_up(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SLICE "ep=10.244.1.1");
	world_forget(w);
	world_load(w, "service a/web ip=10.96.0.1 affinity=10 port=p80:80/TCP");
	assert_string_equal(world_log(w), "set vs 10.96.0.1:80/TCP rr persistence=10\n");
}

static void udp_goes_on(void **state)
{
	struct world *w = *state;

	world_start(w,
		"service a/dns ip=10.96.0.2 port=dns:53/UDP\n"
		"slice a/dns-1 port=dns:5353/UDP ep=10.244.1.1");
	change_scheduler(w, "wlc");
	assert_string_equal(world_log(w), "set vs 10.96.0.2:53/UDP wlc\n");
}

static void without_the_bits_of_the_mark_there_is_no_rule_that_could_drop(void **state)
{
	struct world *w = *state;

	w->node.options.mark_mask = 0;
	world_start(w, WEB SLICE "ep=10.244.1.1");
	change_scheduler(w, "wlc");
	assert_string_equal(world_log(w), "set vs 10.96.0.1:80/TCP wlc\n");
}

static void where_there_is_no_local_endpoint_they_are_dropped_already(void **state)
{
	struct world *w = *state;

	world_start(w,
		"service a/web ip=10.96.0.1 itp=Local port=p80:80/TCP\n" SLICE
		"ep=10.244.1.1@other");
	assert_true(fake_kernel_has(&w->kernel, "member KUBE-NO-LOCAL 10.96.0.1,tcp:80"));
	change_scheduler(w, "wlc");
	assert_string_equal(world_log(w), "set vs 10.96.0.1:80/TCP wlc\n");
	assert_true(fake_kernel_has(&w->kernel, "member KUBE-NO-LOCAL 10.96.0.1,tcp:80"));
}

/* Who is led to a virtual server for a mark has another one to go to. */
static void diverted_packets_take_the_other_way(void **state)
{
	struct world *w = *state;
	const char *log, *unmark, *change, *mark;

	world_start(w,
		"service a/web ip=10.96.0.1 type=LoadBalancer etp=Local lb=192.0.2.1 "
		"port=p80:80/TCP\n" SLICE "ep=10.244.1.1");
	change_scheduler(w, "wlc");
	log = world_log(w);
	unmark = strstr(log, "delete member KUBE-LOCAL-MARK 192.0.2.1,tcp:80 mark=");
	change = strstr(log, "set vs fwmark:");
	mark = strstr(log, "add member KUBE-LOCAL-MARK 192.0.2.1,tcp:80 mark=");
	assert_non_null(unmark);
	assert_true(unmark < change);
	assert_true(change < mark);
}

static int fail_deletions_of_members(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_DEL && op->fact.key.kind == FACT_MEMBER ? -EIO : 0;
}

static void who_cannot_be_let_go_is_found_by_an_audit(void **state)
{
	struct world *w = *state;
	uint64_t audits;

	world_start(w, WEB SLICE "ep=10.244.1.1");
	audits = engine_stats(w->engine)->audits;
	w->kernel.fault = fail_deletions_of_members;
	change_scheduler(w, "wlc");
	assert_int_equal(engine_stats(w->engine)->audits, audits + 1);
	w->kernel.fault = NULL;
	world_sleep(w, 1000);
	world_expect_gone(w, HELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(new_connections_are_dropped_meanwhile),
		WORLD_TEST(without_real_servers_all_are_refused_anyway),
		WORLD_TEST(other_changes_hold_nobody_up),
		WORLD_TEST(udp_goes_on),
		WORLD_TEST(without_the_bits_of_the_mark_there_is_no_rule_that_could_drop),
		WORLD_TEST(where_there_is_no_local_endpoint_they_are_dropped_already),
		WORLD_TEST(diverted_packets_take_the_other_way),
		WORLD_TEST(who_cannot_be_let_go_is_found_by_an_audit),
	};

	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
