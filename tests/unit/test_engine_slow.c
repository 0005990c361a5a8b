// SPDX-License-Identifier: GPL-2.0-or-later
/* An adapter that answers later. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

#define WEB                                            \
	"service a/web ip=10.96.0.1 port=p80:80/TCP\n" \
	"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1\n"

#define OTHER "service a/other ip=10.96.0.2 port=p80:80/TCP\n"

/* The rules for cluster IPs and local policies stand already. */
static void start(struct world *w)
{
	world_start(w,
		"service a/first ip=10.96.0.3 itp=Local port=p80:80/TCP\n"
		"slice a/first-1 port=p80:8080/TCP ep=10.244.1.1@other\n");
	world_forget(w);
	w->kernel.slow = true;
}

/* Answers until the engine asks for nothing more. */
static void answer_all(struct world *w)
{
	for (int i = 0; i < 100 && (w->kernel.waiting || w->kernel.reading); i++) {
		fake_kernel_answer(&w->kernel);
		world_step(w);
	}
	assert_true(engine_stats(w->engine)->synced);
}

static void one_batch_after_the_other_is_under_way(void **state)
{
	struct world *w = *state;

	start(w);
	world_load(w, WEB);
	assert_int_equal(w->kernel.n_waiting, 2);
	assert_false(engine_stats(w->engine)->synced);
	assert_int_equal(w->kernel.waiting[0].fact.key.kind, FACT_MEMBER);
	assert_false(engine_stats(w->engine)->synced);
	assert_int_equal(world_sleep(w, 1000000), UINT64_MAX);
	assert_string_equal(world_log(w), "");
	assert_false(engine_stats(w->engine)->synced);
	fake_kernel_answer(&w->kernel);
	world_step(w);
	assert_int_equal(w->kernel.n_waiting, 1);
	assert_int_equal(w->kernel.waiting[0].fact.key.kind, FACT_VS);
	answer_all(w);
	world_expect(w, "rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n");
}

static void what_changes_meanwhile_is_resolved(void **state)
{
	struct world *w = *state;
	uint64_t resolves;

	start(w);
	world_load(w, WEB);
	resolves = engine_stats(w->engine)->resolves;
	world_load(w, OTHER);
	assert_int_equal(engine_stats(w->engine)->resolves, resolves + 1);
	assert_int_equal(w->kernel.n_ops, 0);
	answer_all(w);
	world_expect(w, "vs 10.96.0.1:80/TCP rr\nvs 10.96.0.2:80/TCP rr\n");
}

static void one_change_after_the_other_keeps_nothing_waiting(void **state)
{
	struct world *w = *state;
	unsigned synced = 0;

	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, WEB);
	w->kernel.slow = true;
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	for (int i = 0; i < 30; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		buf_addf(&line,
			"service a/s%d ip=10.96.1.%d port=p80:80/TCP\n"
			"slice a/s%d-1 port=p80:8080/TCP ep=10.244.2.%d\n",
			i, i + 1, i, i + 1);
		world_load(w, buf_str(&line));
		fake_kernel_answer(&w->kernel);
		engine_step(w->engine, w->now);
		synced += engine_stats(w->engine)->synced;
	}
	assert_true(synced > 2);
	world_expect_gone(w, "dispatch 10.96.0.1:80/TCP KUBE-SVC-AAAAAAAAAAAAAAAA\n");
	world_expect_gone(w, "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n");
}

static void what_nobody_wants_any_more_is_deleted_after_it_was_made(void **state)
{
	struct world *w = *state;

	start(w);
	world_load(w, WEB);
	engine_release_all(w->engine);
	world_step(w);
	answer_all(w);
	world_expect_gone(w,
		"member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"
		"member KUBE-IPVS-IPS 10.96.0.1\n");
	assert_int_equal(w->kernel.n_facts, 0);
}

static void what_is_wanted_again_while_it_goes_is_made_again(void **state)
{
	struct world *w = *state;

	start(w);
	world_load(w, WEB);
	answer_all(w);
	store_delete_service(&w->store, "a", "web");
	world_step(w);
	assert_non_null(w->kernel.waiting);
	assert_int_equal(w->kernel.waiting[0].type, OP_DEL);
	world_load(w, WEB);
	answer_all(w);
	world_expect(w,
		"member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"
		"rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n"
		"route 10.96.0.1 src=100.101.102.103\n");
}

static void rules_stay_as_long_as_they_are_written(void **state)
{
	enum { MANY = 500 };
	struct world *w = *state;
	const struct rule_pool *pool = engine_rules(w->engine);
	uint64_t rules;

	start(w);
	w->node.options.masquerade_bit = 3;
	engine_node_changed(w->engine);
	world_step(w);
	assert_int_equal(w->kernel.waiting[0].fact.key.kind, FACT_CHAIN);
	rules = w->kernel.waiting[0].fact.val.chain.rules;
	for (uint32_t i = 1; i <= MANY; i++) {
		w->node.options.mark_mask = i << 16;
		engine_node_changed(w->engine);
		world_step(w);
	}
	assert_non_null(rule_pool_get(pool, rules));
	assert_true(pool->lists.count > MANY);
	w->node.options.masquerade_bit = 4;
	engine_node_changed(w->engine);
	answer_all(w);
	assert_null(rule_pool_get(pool, rules));
	assert_true(pool->lists.count < MANY);
}

static void an_audit_waits_for_what_is_read_ahead(void **state)
{
	struct world *w = *state;
	uint64_t audits;

	start(w);
	audits = engine_stats(w->engine)->audits;
	world_audit(w);
	assert_true(w->kernel.reading);
	assert_int_equal(engine_stats(w->engine)->audits, audits);
	assert_int_equal(w->kernel.dumps, 0);
	world_load(w, WEB);
	assert_null(w->kernel.waiting);
	answer_all(w);
	assert_int_equal(engine_stats(w->engine)->audits, audits + 1);
	world_expect(w, "vs 10.96.0.1:80/TCP rr\n");
}

/* Reading may be a program that takes seconds. */
static void what_nobody_has_changed_is_not_read_ahead(void **state)
{
	struct world *w = *state;
	uint64_t audits;

	w->kernel.epoch = 1;
	world_restart_with(w, (struct engine_config){ .audit_interval = 60000 });
	start(w);
	audits = engine_stats(w->engine)->audits;
	world_sleep(w, 60000);
	assert_false(w->kernel.reading);
	assert_int_equal(engine_stats(w->engine)->audits, audits + 1);
	w->kernel.epoch++;
	world_sleep(w, 60000);
	assert_true(w->kernel.reading);
	answer_all(w);
	assert_int_equal(engine_stats(w->engine)->audits, audits + 2);
}

/* Perhaps of something that was read before. */
static void a_request_while_the_kernel_is_read_makes_another_audit(void **state)
{
	struct world *w = *state;
	uint64_t audits;

	start(w);
	audits = engine_stats(w->engine)->audits;
	world_audit(w);
	engine_request_audit(w->engine, 1u << FACT_CHAIN);
	world_step(w);
	assert_true(w->kernel.reading);
	answer_all(w);
	assert_int_equal(engine_stats(w->engine)->audits, audits + 2);
	assert_int_equal(w->kernel.dumps, FAKE_AUDIT_DUMPS + 1);
}

static void what_takes_long_to_read_is_seldom_read(void **state)
{
	struct world *w = *state;
	uint64_t dumps;

	world_restart_with(w, (struct engine_config){ .audit_interval = 30000 });
	start(w);
	world_audit(w);
	w->now += 4000;
	answer_all(w);
	dumps = w->kernel.dumps;
	world_sleep(w, 30000);
	assert_false(w->kernel.reading);
	assert_int_equal(w->kernel.dumps, dumps);
	world_sleep(w, 50000);
	assert_true(w->kernel.reading);
}

static void what_takes_long_and_cannot_be_read_is_seldom_tried(void **state)
{
	struct world *w = *state;
	uint64_t failures;

	world_restart_with(w, (struct engine_config){ .audit_interval = 30000 });
	start(w);
	w->kernel.dump_error = -EPROTO;
	w->kernel.dump_error_kind = FACT_CHAIN;
	world_audit(w);
	w->now += 4000;
	while (w->kernel.reading) {
		fake_kernel_answer(&w->kernel);
		world_step(w);
	}
	failures = engine_stats(w->engine)->audit_failures;
	assert_int_not_equal(failures, 0);
	world_sleep(w, 30000);
	assert_false(w->kernel.reading);
	world_load(w, WEB);
	assert_non_null(w->kernel.waiting);
	answer_all(w);
	world_sleep(w, 50000);
	assert_true(w->kernel.reading);
}

static void an_audit_waits_for_operations(void **state)
{
	struct world *w = *state;

	start(w);
	world_load(w, WEB);
	world_audit(w);
	assert_false(w->kernel.reading);
	answer_all(w);
	world_expect(w, "vs 10.96.0.1:80/TCP rr\n");
	assert_int_equal(engine_stats(w->engine)->drift, 0);
}

static void one_that_takes_the_whole_queue_gets_it(void **state)
{
	struct world *w = *state;

	start(w);
	w->kernel.adapter.whole_queue = true;
	for (int i = 0; i < 3000; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		buf_addf(&line, "service a/s%d ip=10.97.%d.%d port=p80:80/TCP\n", i, i / 256,
			i % 256);
		fixture_load(&w->store, buf_str(&line));
	}
	world_step(w);
	assert_int_equal(w->kernel.n_waiting, 2 * 3000);
	answer_all(w);
	assert_int_equal(w->kernel.done[FACT_VS][OP_ADD], 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(one_batch_after_the_other_is_under_way),
		WORLD_TEST(what_changes_meanwhile_is_resolved),
		WORLD_TEST(one_change_after_the_other_keeps_nothing_waiting),
		WORLD_TEST(what_nobody_wants_any_more_is_deleted_after_it_was_made),
		WORLD_TEST(what_is_wanted_again_while_it_goes_is_made_again),
		WORLD_TEST(rules_stay_as_long_as_they_are_written),
		WORLD_TEST(an_audit_waits_for_what_is_read_ahead),
		WORLD_TEST(what_nobody_has_changed_is_not_read_ahead),
		WORLD_TEST(a_request_while_the_kernel_is_read_makes_another_audit),
		WORLD_TEST(what_takes_long_to_read_is_seldom_read),
		WORLD_TEST(what_takes_long_and_cannot_be_read_is_seldom_tried),
		WORLD_TEST(an_audit_waits_for_operations),
		WORLD_TEST(one_that_takes_the_whole_queue_gets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
