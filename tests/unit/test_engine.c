// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
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

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

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
	assert_int_equal(w->kernel.dumps, FACT_KINDS);
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
	assert_string_equal(world_log(w),
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
	assert_string_equal(world_log(w),
		"delete route 10.96.0.1 src=100.101.102.103\n"
		"delete vs 10.96.0.1:80/TCP rr\n"
		"delete member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"
		"delete member KUBE-IPVS-IPS 10.96.0.1\n");
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
	static const char *const order[] = { "add link ", "add set ", "add member ", "add chain ",
		"add jump ", "add vs ", "add rs ", "add route " };
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

static void load_many(struct world *w, unsigned n)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	for (unsigned i = 0; i < n; i++)
		buf_addf(&b,
			"service a/s%u ip=10.96.%u.%u port=p80:80/TCP\n"
			"slice a/s%u-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2\n",
			i, i >> 8, i & 255, i);
	world_start(w, buf_str(&b));
}

static void one_endpoint_among_a_thousand_services_is_one_operation(void **state)
{
	struct world *w = *state;
	uint64_t resolves;

	load_many(w, 1000);
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

	load_many(w, 1000);
	world_forget(w);
	store_delete_service(&w->store, "a", "s300");
	store_delete_slice(&w->store, SLICE_ENDPOINT_SLICE, "a", "s300-1");
	world_step(w);
	assert_string_equal(world_log(w),
		"delete route 10.96.1.44 src=100.101.102.103\n"
		"delete vs 10.96.1.44:80/TCP rr\n"
		"delete member KUBE-CLUSTER-IP 10.96.1.44,tcp:80\n"
		"delete member KUBE-IPVS-IPS 10.96.1.44\n");
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

static void a_changed_policy_writes_the_difference_only(void **state)
{
	struct world *w = *state;

	world_start(w, WEB DNS);
	world_forget(w);
	engine_policy_changed(w->engine);
	world_step(w);
	assert_int_equal(w->kernel.n_ops, 0);
	strcpy(w->policy.scheduler, "wlc");
	engine_policy_changed(w->engine);
	world_step(w);
	assert_string_equal(
		world_log(w), "set vs 10.96.0.1:80/TCP wlc\nset vs 10.96.0.2:53/UDP wlc\n");
	world_forget(w);
	w->policy.vip_mode = VIP_ADDRESS;
	engine_policy_changed(w->engine);
	world_step(w);
	assert_string_equal(world_log(w),
		"add addr 10.96.0.1\nadd addr 10.96.0.2\n"
		"delete route 10.96.0.1 src=100.101.102.103\n"
		"delete route 10.96.0.2 src=100.101.102.103\n");
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
	assert_int_equal(w->kernel.dumps, FACT_KINDS);
	assert_true(ledger_state(engine_ledger(w->engine), &vs.key, &s));
	assert_true(s.wanted && !s.present);
}

/* Conflicts */

#define OLD "service a/old created=100 ip=10.96.0.7 external=1.2.3.4 port=p80:80/TCP\n"
#define OLD_EPS "slice a/old-1 port=p80:80/TCP ep=10.244.1.7\n"
#define YOUNG \
	"service b/young created=200 etp=Local ip=10.96.0.8 external=1.2.3.4 port=p80:80/TCP\n"
#define YOUNG_EPS "slice b/young-1 port=p80:80/TCP ep=10.244.1.8@test-node\n"

#define OLD_WINS                                     \
	"member KUBE-EXTERNAL-IP 1.2.3.4,tcp:80\n"   \
	"vs 1.2.3.4:80/TCP rr\n"                     \
	"rs 1.2.3.4:80/TCP 10.244.1.7:80 weight=1\n" \
	"route 1.2.3.4 src=100.101.102.103\n"
#define YOUNG_WINS                                       \
	"member KUBE-EXTERNAL-IP-LOCAL 1.2.3.4,tcp:80\n" \
	"vs 1.2.3.4:80/TCP rr\n"                         \
	"rs 1.2.3.4:80/TCP 10.244.1.8:80 weight=1\n"     \
	"route 1.2.3.4 src=100.101.102.103\n"
#define NOT_OLD                                    \
	"member KUBE-EXTERNAL-IP 1.2.3.4,tcp:80\n" \
	"rs 1.2.3.4:80/TCP 10.244.1.7:80 weight=1\n"
#define NOT_YOUNG                                        \
	"member KUBE-EXTERNAL-IP-LOCAL 1.2.3.4,tcp:80\n" \
	"rs 1.2.3.4:80/TCP 10.244.1.8:80 weight=1\n"

static void of_two_services_on_one_address_the_older_wins(void **state)
{
	static const char *const orders[] = { OLD OLD_EPS YOUNG YOUNG_EPS,
		YOUNG_EPS YOUNG OLD OLD_EPS };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		world_restart(w);
		world_start(w, orders[i]);
		world_expect(w, OLD_WINS "rs 10.96.0.8:80/TCP 10.244.1.8:80 weight=1\n");
		world_expect_gone(w, NOT_YOUNG);
	}
}

static void an_older_service_that_comes_late_takes_over(void **state)
{
	struct world *w = *state;

	world_start(w, YOUNG YOUNG_EPS);
	world_expect(w, YOUNG_WINS);
	world_load(w, OLD OLD_EPS);
	world_expect(w, OLD_WINS);
	world_expect_gone(w, NOT_YOUNG);
}

static void the_loser_is_promoted_when_the_winner_goes(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	store_delete_service(&w->store, "a", "old");
	world_step(w);
	world_expect(w, YOUNG_WINS);
	world_expect_gone(w, NOT_OLD);
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).pending, 0);
}

static void the_loser_is_promoted_when_the_winner_moves(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	world_load(w, "service a/old created=100 ip=10.96.0.7 external=1.2.3.5 port=p80:80/TCP");
	world_expect(w, YOUNG_WINS "rs 1.2.3.5:80/TCP 10.244.1.7:80 weight=1\n");
	world_expect_gone(w, NOT_OLD);
}

static void a_service_made_anew_is_as_old_as_it_is(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	world_load(w, "service a/old created=300 ip=10.96.0.7 external=1.2.3.4 port=p80:80/TCP");
	world_expect(w, YOUNG_WINS);
	world_expect_gone(w, NOT_OLD);
	world_load(w, OLD);
	world_expect(w, OLD_WINS);
	world_expect_gone(w, NOT_YOUNG);
}

/* Failures */

struct refusal {
	enum fact_kind kind;
	int error;
	size_t asked;
};

static int refuse(const struct op *op, void *arg)
{
	struct refusal *r = arg;

	if (op->fact.key.kind != r->kind || op->type == OP_DEL)
		return 0;
	r->asked++;
	return r->error;
}

static void refuse_with(struct world *w, struct refusal *r)
{
	w->kernel.fault = refuse;
	w->kernel.arg = r;
}

static void a_failure_is_told_once_and_retried_with_back_off(void **state)
{
	struct refusal r = { .kind = FACT_ROUTE, .error = -EPERM };
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

static void a_kernel_that_never_finds_the_parent_is_told_as_failure(void **state)
{
	struct refusal r = { .kind = FACT_RS, .error = -ESRCH };
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
	assert_string_equal(world_told(w), "no scheduler mh\n");
	world_expect(w, WEB_FACTS "vs 10.96.0.3:80/TCP rr\nvs 10.96.0.4:80/TCP rr\n");
	assert_int_equal(engine_stats(w->engine)->failures, 0);
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).failing, 0);
	/* Later ones do not even ask. */
	world_forget(w);
	world_load(w, "service a/three scheduler=mh ip=10.96.0.5 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "");
	world_expect(w, "vs 10.96.0.5:80/TCP rr");
}

static void a_change_to_a_missing_scheduler_keeps_the_service_up(void **state)
{
	struct world *w = *state;

	w->kernel.no_scheduler = "mh";
	world_start(w, WEB);
	world_forget(w);
	world_load(w, "service a/web scheduler=mh ip=10.96.0.1 port=p80:80/TCP\n");
	assert_string_equal(world_told(w), "no scheduler mh\n");
	assert_string_equal(world_log(w), "");
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

/* The oldest names of schedulers fill the memory for missing ones. */
static void a_scheduler_too_many_is_a_failure(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct world *w = *state;

	world_start(w, "");
	for (unsigned i = 0; i < POLICY_MAX_SCHEDULERS; i++)
		snprintf(w->policy.missing_schedulers[i], SCHED_NAME_SIZE, "s%u", i);
	w->policy.n_missing_schedulers = POLICY_MAX_SCHEDULERS;
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

	world_start(w, "");
	world_forget(w);
	w->kernel.fault = lose;
	w->kernel.arg = &n;
	n = 4;
	fixture_load(&w->store, WEB);
	w->now += 5000;
	assert_true(world_step(w) <= 100);
	world_sleep(w, 100);
	assert_int_equal(w->kernel.dumps, FACT_KINDS);
	world_expect(w, WEB_FACTS);
	assert_int_equal(w->kernel.n_ops, 6); /* nothing was done twice */
	assert_int_equal(engine_stats(w->engine)->drift, 0);
	assert_false(ledger_unsure(engine_ledger(w->engine)));
}

static void audits_for_lost_answers_are_limited_in_rate(void **state)
{
	struct world *w = *state;
	size_t n = SIZE_MAX;
	uint64_t end;

	world_start(w, WEB);
	world_forget(w);
	w->kernel.fault = lose;
	w->kernel.arg = &n;
	end = w->now + 2000;
	fixture_load(&w->store, DNS);
	for (uint64_t wait = world_step(w); w->now < end && wait < 2000;)
		wait = world_sleep(w, wait);
	assert_true(w->kernel.dumps <= 20 * FACT_KINDS);
}

/* Release */

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_written_before_the_sources_have_told_all),
		TEST(nothing_is_written_before_the_kernel_was_read),
		TEST(a_service_is_made_before_anything_leads_to_it),
		TEST(a_service_is_broken_in_the_opposite_order),
		TEST(a_service_that_moves_is_made_before_it_is_broken),
		TEST(the_node_is_ready_before_the_first_service),
		TEST(a_restart_with_unchanged_inputs_writes_nothing),
		TEST(one_endpoint_among_a_thousand_services_is_one_operation),
		TEST(a_deleted_service_takes_its_own_facts_only),
		TEST(work_in_one_step_is_bounded),
		TEST(endpoints_may_come_before_and_stay_after_their_service),
		TEST(a_changed_policy_writes_the_difference_only),
		TEST(a_nodes_weight_reaches_its_endpoints),
		TEST(a_dry_run_reads_and_writes_nothing),
		TEST(of_two_services_on_one_address_the_older_wins),
		TEST(an_older_service_that_comes_late_takes_over),
		TEST(the_loser_is_promoted_when_the_winner_goes),
		TEST(the_loser_is_promoted_when_the_winner_moves),
		TEST(a_service_made_anew_is_as_old_as_it_is),
		TEST(a_failure_is_told_once_and_retried_with_back_off),
		TEST(a_kernel_that_never_finds_the_parent_is_told_as_failure),
		TEST(a_vanished_virtual_server_is_no_failure),
		TEST(two_endpoints_leave_a_virtual_server_that_is_gone),
		TEST(a_missing_scheduler_degrades_its_services),
		TEST(a_change_to_a_missing_scheduler_keeps_the_service_up),
		TEST(without_any_scheduler_it_is_a_failure),
		TEST(a_scheduler_too_many_is_a_failure),
		TEST(lost_answers_are_found_out_by_an_audit),
		TEST(audits_for_lost_answers_are_limited_in_rate),
		TEST(release_removes_everything_of_ours),
		TEST(release_by_a_new_process_removes_what_an_earlier_one_made),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
