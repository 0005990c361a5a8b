// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel answers: news, failures, lost answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ledger_bench.h"

/* What the kernel says */

static void a_fact_that_exists_already_has_an_unknown_value(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	bench_expect(b, 0, "add " VS "\n", -EEXIST);
	assert_true(ledger_unsure(b->l));
	assert_true(bench_state(b, VS).present);
	assert_false(bench_state(b, VS).known);
	/* Never trusted to be what we want: set. */
	bench_expect(b, 0, "add " RS1 "\n", -EEXIST);
	bench_expect(b, 0, "set " RS1 "\n", 0);
	bench_expect(b, 0, "set " VS "\n", 0);
	assert_true(bench_state(b, VS).known);
	assert_true(ledger_unsure(b->l));
	BENCH_AUDIT(b, VS, RS1, RS2);
	assert_false(ledger_unsure(b->l));
	assert_string_equal(bench_run(b, 0), "delete " RS2 "\n");
}

static void an_audit_of_other_kinds_does_not_make_sure(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &older);
	bench_expect(b, 0, "add " VS "\n", -ENOBUFS);
	ledger_audit_begin(b->l, 1u << FACT_ROUTE);
	ledger_audit_end(b->l);
	assert_true(ledger_unsure(b->l));
	ledger_audit_begin(b->l, 1u << FACT_VS);
	ledger_audit_end(b->l);
	assert_false(ledger_unsure(b->l));
}

static void a_parent_that_is_gone_took_all_its_children_with_it(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_claim(b, RS1_HEAVY, &older);
	bench_expect(b, 0, "set " RS1_HEAVY "\n", -ESRCH);
	assert_false(bench_state(b, VS).present);
	assert_false(bench_state(b, RS2).present);
	bench_expect(b, 0, "add " VS "\n", 0);
	bench_take(b, 0);
	assert_int_equal(b->n, 3);
	bench_settle(b, 0, 0);
	assert_string_equal(bench_run(b, 0), "");
	assert_int_equal(ledger_counts(b->l).failing, 0);
}

static void a_gone_parent_found_by_one_of_a_batch_of_deletes(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_release(b, RS1, &older);
	bench_release(b, RS2, &older);
	bench_expect(b, 0, "delete " RS2 "\ndelete " RS1 "\n", -ESRCH);
	assert_true(bench_unknown(b, RS1));
	assert_true(bench_unknown(b, RS2));
	assert_string_equal(bench_run(b, 0), "add " VS "\nadd " RS3 "\n");
}

static void a_fact_that_is_gone_is_made_again_at_once(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_claim(b, RS1_HEAVY, &older);
	bench_expect(b, 0, "set " RS1_HEAVY "\n", -ENOENT);
	assert_string_equal(bench_run(b, 0), "add " RS1_HEAVY "\n");
}

static void news_is_no_failure(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_claim(b, RS1_HEAVY, &older);
	bench_expect(b, 0, "set " RS1_HEAVY "\n", -ENOENT);
	assert_int_equal(bench_state(b, RS1).error, 0);
	assert_int_equal(ledger_counts(b->l).failing, 0);
	/* What was deleted by others is what we wanted. */
	bench_release(b, RS2, &older);
	bench_run(b, 0);
	bench_release(b, RS3, &older);
	bench_expect(b, 0, "delete " RS3 "\n", -ENOENT);
	assert_true(bench_unknown(b, RS3));
	assert_int_equal(bench_pending(b), 0);
}

static void a_kernel_that_contradicts_itself_is_asked_less_and_less_often(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &older);
	bench_expect(b, 0, "add " VS "\n", -EEXIST);
	bench_expect(b, 0, "set " VS "\n", -ENOENT);
	bench_expect(b, 0, "add " VS "\n", -EEXIST);
	bench_expect(b, 0, "set " VS "\n", -ENOENT);
	assert_string_equal(bench_take(b, 0), "");
	assert_int_equal(b->next, 400);
	assert_int_equal(bench_state(b, VS).error, -ENOENT);
	assert_int_equal(ledger_counts(b->l).failing, 1);
}

/* Failures */

static void failures_are_retried_later_and_later(void **state)
{
	static const uint64_t waits[] = { 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 25600,
		25600 };
	struct bench *b = *state;
	uint64_t now = 1000;

	bench_claim(b, ROUTE, &older);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		struct fact_state s;

		bench_expect(b, now, "add " ROUTE "\n", -EPERM);
		s = bench_state(b, ROUTE);
		assert_int_equal(s.error, -EPERM);
		assert_int_equal(s.tries, i + 1);
		assert_int_equal(s.failing_since, 1000);
		assert_int_equal(s.retry_at, now + waits[i]);
		assert_string_equal(bench_take(b, now + waits[i] - 1), "");
		assert_int_equal(b->next, now + waits[i]);
		assert_int_equal(bench_pending(b), 1);
		now += waits[i];
	}
	bench_expect(b, now, "add " ROUTE "\n", 0);
	assert_int_equal(bench_state(b, ROUTE).error, 0);
	assert_int_equal(ledger_counts(b->l).failing, 0);
}

static void one_that_fails_does_not_stop_the_others(void **state)
{
	struct bench *b = *state;

	bench_claim(b, "route 10.96.0.1", &older);
	bench_claim(b, "route 10.96.0.2", &older);
	bench_take(b, 0);
	b->ops[0].result = -EPERM;
	b->ops[1].result = 0;
	ledger_settle(b->l, &b->ops[0], 0);
	ledger_settle(b->l, &b->ops[1], 0);
	bench_claim(b, "route 10.96.0.3", &older);
	assert_string_equal(bench_run(b, 0), "add route 10.96.0.3\n");
	assert_int_equal(b->next, 200);
	assert_string_equal(bench_run(b, 200), "add route 10.96.0.1\n");
}

static void a_new_claim_is_tried_at_once(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &older);
	bench_expect(b, 0, "add " VS "\n", -EPERM);
	bench_expect(b, 200, "add " VS "\n", -EPERM);
	bench_claim(b, VS_WRR, &older);
	assert_int_equal(bench_state(b, VS).tries, 0);
	bench_expect(b, 201, "add " VS_WRR "\n", -EPERM);
	assert_int_equal(bench_state(b, VS).retry_at, 401);
}

static void a_failed_delete_is_retried_and_forgotten_when_wanted_again(void **state)
{
	struct bench *b = *state;

	bench_claim(b, ROUTE, &older);
	bench_run(b, 0);
	bench_release(b, ROUTE, &older);
	bench_expect(b, 0, "delete " ROUTE "\n", -EBUSY);
	assert_string_equal(bench_run(b, 100), "");
	bench_claim(b, ROUTE, &older);
	assert_string_equal(bench_run(b, 100), "");
	assert_int_equal(bench_pending(b), 0);
	bench_release(b, ROUTE, &older);
	assert_string_equal(bench_run(b, 100), "delete " ROUTE "\n");
}

static void a_lost_answer_is_believed_neither_way(void **state)
{
	struct bench *b = *state;

	bench_claim(b, "route 10.96.0.1", &older);
	bench_claim(b, "route 10.96.0.2", &older);
	bench_take(b, 0);
	bench_settle(b, 0, -ENOBUFS);
	assert_true(ledger_unsure(b->l));
	assert_string_equal(bench_run(b, 0), "");
	/* The first was made, the second was not. */
	BENCH_AUDIT(b, "route 10.96.0.1");
	assert_false(ledger_unsure(b->l));
	assert_int_equal(bench_pending(b), 1);
	assert_string_equal(bench_run(b, 200), "add route 10.96.0.2\n");
}

static void what_was_made_with_a_lost_answer_is_not_forgotten(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	bench_expect(b, 0, "add " VS "\n", -ENOBUFS);
	bench_release(b, RS1, &older);
	bench_release(b, VS, &older);
	assert_string_equal(bench_run(b, 0), "delete " VS "\n");
	assert_int_equal(ledger_counts(b->l).facts, 0);
}

static void a_change_with_a_lost_answer_is_not_taken_back_unasked(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &older);
	bench_run(b, 0);
	bench_claim(b, VS_WRR, &older);
	bench_expect(b, 0, "set " VS_WRR "\n", -ENOBUFS);
	/* The old value is wanted again, and may not be there any more. */
	bench_claim(b, VS, &older);
	assert_string_equal(bench_run(b, 0), "set " VS "\n");
}

static void a_failure_is_over_when_nothing_is_to_be_done(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &younger);
	bench_claim(b, RS1, &younger);
	bench_expect(b, 0, "add " VS "\n", 0);
	bench_expect(b, 0, "add " RS1 "\n", -EINVAL);
	assert_int_equal(ledger_counts(b->l).failing, 1);
	bench_claim(b, VS, &older); /* who does not want that real server */
	assert_int_equal(ledger_counts(b->l).failing, 0);
	assert_int_equal(bench_pending(b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(a_fact_that_exists_already_has_an_unknown_value),
		LEDGER_TEST(an_audit_of_other_kinds_does_not_make_sure),
		LEDGER_TEST(a_parent_that_is_gone_took_all_its_children_with_it),
		LEDGER_TEST(a_gone_parent_found_by_one_of_a_batch_of_deletes),
		LEDGER_TEST(a_fact_that_is_gone_is_made_again_at_once),
		LEDGER_TEST(news_is_no_failure),
		LEDGER_TEST(a_kernel_that_contradicts_itself_is_asked_less_and_less_often),
		LEDGER_TEST(failures_are_retried_later_and_later),
		LEDGER_TEST(one_that_fails_does_not_stop_the_others),
		LEDGER_TEST(a_new_claim_is_tried_at_once),
		LEDGER_TEST(a_failed_delete_is_retried_and_forgotten_when_wanted_again),
		LEDGER_TEST(a_lost_answer_is_believed_neither_way),
		LEDGER_TEST(what_was_made_with_a_lost_answer_is_not_forgotten),
		LEDGER_TEST(a_change_with_a_lost_answer_is_not_taken_back_unasked),
		LEDGER_TEST(a_failure_is_over_when_nothing_is_to_be_done),
	};

	return cmocka_run_group_tests_name("ledger_answers", tests, NULL, NULL);
}
