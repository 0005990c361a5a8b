// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel that refuses, lacks something, or loses answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

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

struct refused_kind {
	enum fact_kind kind;
	int error;
	size_t asked;
};

static int refuse(const struct op *op, void *arg)
{
	struct refused_kind *r = arg;

	if (op->fact.key.kind != r->kind || op->type == OP_DEL)
		return 0;
	r->asked++;
	return r->error;
}

static void refuse_with(struct world *w, struct refused_kind *r)
{
	w->kernel.fault = refuse;
	w->kernel.arg = r;
}

static void a_failure_is_told_once_and_retried_with_back_off(void **state)
{
	struct refused_kind r = { .kind = FACT_ROUTE, .error = -EPERM };
	struct world *w = *state;

	refuse_with(w, &r);
	fixture_load(&w->store, WEB);
	engine_fed(w->engine);
	assert_int_equal(world_step(w), 200);
	assert_true(engine_stats(w->engine)->synced); /* but for what waits */
	assert_int_equal(world_sleep(w, 200), 400);
	assert_int_equal(world_sleep(w, 400), 800);
	assert_int_equal(r.asked, 3);
	assert_string_equal(world_told(w), "failure -1: add route 10.96.0.1 src=100.101.102.103\n");
	assert_int_equal(engine_stats(w->engine)->failures, 3);
	/* Another reason is told again. */
	r.error = -EINVAL;
	world_forget(w);
	assert_int_equal(world_sleep(w, 800), 1600);
	assert_string_equal(
		world_told(w), "failure -22: add route 10.96.0.1 src=100.101.102.103\n");
	/* The rest stands. */
	world_expect(w, "rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1");
	r.error = 0;
	assert_int_equal(world_sleep(w, 1600), UINT64_MAX);
	world_expect(w, WEB_FACTS);
	/* And the next failure is a new one. */
	r.error = -EPERM;
	world_forget(w);
	world_load(w, DNS);
	assert_string_equal(world_told(w), "failure -1: add route 10.96.0.2 src=100.101.102.103\n");
}

static void a_reload_retries_at_once(void **state)
{
	struct refused_kind r = { .kind = FACT_ROUTE, .error = -EPERM };
	struct world *w = *state;

	refuse_with(w, &r);
	world_start(w, WEB);
	world_sleep(w, 200);
	assert_int_equal(world_sleep(w, 400), 800);
	engine_reload(w->engine);
	assert_int_equal(world_step(w), 1600);
	assert_int_equal(r.asked, 4);
	r.error = 0;
	engine_reload(w->engine);
	assert_int_equal(world_step(w), UINT64_MAX);
	world_expect(w, WEB_FACTS);
}

static void a_kernel_that_never_finds_the_parent_is_told_as_failure(void **state)
{
	struct refused_kind r = { .kind = FACT_RS, .error = -ESRCH };
	struct world *w = *state;

	refuse_with(w, &r);
	fixture_load(&w->store,
		"service a/web ip=10.96.0.1 port=p80:80/TCP\n"
		"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1\n");
	engine_fed(w->engine);
	world_step(w);
	for (int i = 0; i < 20; i++)
		world_sleep(w, 500);
	assert_string_equal(
		world_told(w), "failure -3: add rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n");
	assert_true(r.asked < 12);
}

static void a_vanished_virtual_server_is_no_failure(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	fake_kernel_remove(&w->kernel, "vs 10.96.0.1:80/TCP rr");
	world_forget(w);
	world_load(w, "slice a/web-1 port=p80:8080/TCP ep=10.244.1.3");
	assert_string_equal(world_told(w), "");
	world_expect(w,
		"vs 10.96.0.1:80/TCP rr\n"
		"rs 10.96.0.1:80/TCP 10.244.1.3:8080 weight=1\n");
	world_expect_gone(w, "rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1");
	assert_int_equal(engine_stats(w->engine)->failures, 0);
}

static void two_endpoints_leave_a_virtual_server_that_is_gone(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	fake_kernel_remove(&w->kernel, "vs 10.96.0.1:80/TCP rr");
	world_load(w, "slice a/web-1 port=p80:8080/TCP");
	world_expect(w, "vs 10.96.0.1:80/TCP rr");
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).pending, 0);
}

static void a_missing_scheduler_degrades_its_services(void **state)
{
	struct world *w = *state;

	w->kernel.no_scheduler = "mh";
	world_start(w,
		WEB "service a/one scheduler=mh ip=10.96.0.3 port=p80:80/TCP\n"
		    "service a/two scheduler=mh ip=10.96.0.4 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "no scheduler mh\na/one degraded\na/two degraded\n");
	assert_int_equal(engine_stats(w->engine)->degraded, 2);
	world_expect(w, WEB_FACTS "vs 10.96.0.3:80/TCP rr\nvs 10.96.0.4:80/TCP rr\n");
	assert_int_equal(engine_stats(w->engine)->failures, 0);
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).failing, 0);
	/* Later ones do not even ask. */
	world_forget(w);
	world_load(w, "service a/three scheduler=mh ip=10.96.0.5 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "a/three degraded\n");
	world_expect(w, "vs 10.96.0.5:80/TCP rr");
	/* Each is told of once, until it can have what it asks for. */
	world_forget(w);
	world_load(w, "service a/three scheduler=mh ip=10.96.0.6 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "");
	world_load(w, "service a/three scheduler=lc ip=10.96.0.6 port=p80:80/TCP\n");
	assert_int_equal(engine_stats(w->engine)->degraded, 2);
	world_load(w, "service a/three scheduler=mh ip=10.96.0.6 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "a/three degraded\n");
}

/* Asking for it holds new connections up. */
static void a_missing_scheduler_is_asked_for_again_on_reload(void **state)
{
	struct world *w = *state;

	w->kernel.no_scheduler = "mh";
	world_start(w, "service a/one scheduler=mh ip=10.96.0.3 port=p80:80/TCP\n");
	world_forget(w);
	engine_node_changed(w->engine);
	world_step(w);
	assert_string_equal(world_told(w), "");
	assert_int_equal(w->kernel.n_ops, 0);
	w->kernel.no_scheduler = NULL;
	engine_reload(w->engine);
	world_step(w);
	world_expect(w, "vs 10.96.0.3:80/TCP mh flags=0x10\n");
}

static void a_change_to_a_missing_scheduler_keeps_the_service_up(void **state)
{
	struct world *w = *state;

	w->kernel.no_scheduler = "mh";
	world_start(w, WEB);
	world_forget(w);
	world_load(w, "service a/web scheduler=mh ip=10.96.0.1 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "no scheduler mh\na/web degraded\n");
	assert_string_equal(world_log_of_services(w),
		"add member KUBE-NO-LOCAL 10.96.0.1,tcp:80\n"
		"delete member KUBE-NO-LOCAL 10.96.0.1,tcp:80\n");
	world_expect(w, WEB_FACTS);
}

static void without_any_scheduler_it_is_a_failure(void **state)
{
	struct world *w = *state;

	w->kernel.no_scheduler = "rr";
	world_start(w, WEB);
	assert_string_equal(world_told(w), "failure -93: add vs 10.96.0.1:80/TCP rr\n");
	assert_int_equal(engine_stats(w->engine)->failures, 1);
}

/* Annotations may name anything, so the list of missing ones can be full. */
static void a_scheduler_too_many_is_a_failure(void **state)
{
	struct world *w = *state;

	world_start(w, "");
	for (unsigned i = 0; i < NODE_VIEW_MAX_SCHEDULERS; i++)
		snprintf(w->node.view.missing_schedulers[i], SCHED_NAME_SIZE, "s%u", i);
	w->node.view.n_missing_schedulers = NODE_VIEW_MAX_SCHEDULERS;
	w->kernel.no_scheduler = "mh";
	world_load(w, "service a/web scheduler=mh ip=10.96.0.1 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "failure -93: add vs 10.96.0.1:80/TCP mh flags=0x10\n");
}

static int lose(const struct op *op, void *arg)
{
	size_t *n = arg;

	(void)op;
	if (!*n)
		return 0;
	--*n;
	return FAKE_ANSWER_LOST;
}

static void lost_answers_are_found_out_by_an_audit(void **state)
{
	struct world *w = *state;
	size_t n = 0;

	world_start(w, "service a/first ip=10.96.0.3 port=p80:80/TCP\n");
	world_forget(w);
	w->kernel.fault = lose;
	w->kernel.arg = &n;
	n = 4;
	fixture_load(&w->store, WEB);
	w->now += 5000;
	assert_true(world_step(w) <= 100);
	world_sleep(w, 100);
	assert_int_equal(w->kernel.dumps, FAKE_AUDIT_DUMPS);
	world_expect(w, WEB_FACTS);
	assert_int_equal(w->kernel.n_ops, 6); /* nothing was done twice */
	assert_int_equal(engine_stats(w->engine)->drift, 0);
	assert_false(ledger_unsure(engine_ledger(w->engine)));
}

static void audits_for_lost_answers_are_limited_in_rate(void **state)
{
	struct world *w = *state;
	size_t n = SIZE_MAX;

	world_start(w, WEB);
	world_forget(w);
	w->kernel.fault = lose;
	w->kernel.arg = &n;
	for (unsigned i = 0; i < 100; i++) {
		_cleanup_(buf_done) struct buf b = { 0 };

		buf_addf(&b, "service a/s%u ip=10.96.1.%u port=p80:80/TCP", i, i);
		world_load(w, buf_str(&b));
		w->now += 10;
	}
	assert_in_range(w->kernel.dumps / FAKE_AUDIT_DUMPS, 9, 11);
}

static int refuse_kind(const struct op *op, void *arg)
{
	return op->fact.key.kind == *(enum fact_kind *)arg ? -EINVAL : 0;
}

/* On a new kernel that refuses facts of that kind. */
static void start_refused(struct world *w, enum fact_kind *kind)
{
	fake_kernel_done(&w->kernel);
	fake_kernel_init(&w->kernel);
	w->kernel.fault = refuse_kind;
	w->kernel.arg = kind;
	world_restart(w);
	world_start(w, WEB);
	assert_true(ledger_counts_of(engine_ledger(w->engine), *kind)->failing);
}

/* What one Service asks for, however strange, is no failure of the node. */
static void a_node_fails_by_what_all_services_need(void **state)
{
	static enum fact_kind of_services[] = { FACT_VS, FACT_RS, FACT_MEMBER, FACT_ROUTE };
	static enum fact_kind of_all[] = { FACT_SET, FACT_CHAIN, FACT_JUMP };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(of_services); i++) {
		start_refused(w, &of_services[i]);
		assert_false(engine_node_fails(w->engine));
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_all); i++) {
		start_refused(w, &of_all[i]);
		assert_true(engine_node_fails(w->engine));
		w->kernel.fault = NULL;
		world_sleep(w, 60000);
		assert_false(engine_node_fails(w->engine));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_failure_is_told_once_and_retried_with_back_off),
		WORLD_TEST(a_reload_retries_at_once),
		WORLD_TEST(a_kernel_that_never_finds_the_parent_is_told_as_failure),
		WORLD_TEST(a_vanished_virtual_server_is_no_failure),
		WORLD_TEST(two_endpoints_leave_a_virtual_server_that_is_gone),
		WORLD_TEST(a_missing_scheduler_degrades_its_services),
		WORLD_TEST(a_missing_scheduler_is_asked_for_again_on_reload),
		WORLD_TEST(a_change_to_a_missing_scheduler_keeps_the_service_up),
		WORLD_TEST(without_any_scheduler_it_is_a_failure),
		WORLD_TEST(a_scheduler_too_many_is_a_failure),
		WORLD_TEST(lost_answers_are_found_out_by_an_audit),
		WORLD_TEST(audits_for_lost_answers_are_limited_in_rate),
		WORLD_TEST(a_node_fails_by_what_all_services_need),
	};

	return cmocka_run_group_tests_name("engine_failure", tests, NULL, NULL);
}
