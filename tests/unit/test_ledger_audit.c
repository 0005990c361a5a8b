// SPDX-License-Identifier: GPL-2.0-or-later
/* What audits find. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ledger_bench.h"

/* Audits */

static void leftovers_of_ours_go(void **state)
{
	struct bench *b = *state;

	BENCH_AUDIT(b, VS, RS1, ROUTE);
	assert_string_equal(bench_run(b, 0), "delete " ROUTE "\ndelete " VS "\n");
}

static void what_is_foreign_is_never_touched(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 2; i++) {
		ledger_audit_begin(b->l, ALL_KINDS);
		bench_observe(b, i ? VS_WRR : VS, false);
		assert_int_equal(ledger_audit_end(b->l), 0);
		assert_true(bench_state(b, VS).foreign);
		assert_int_equal(ledger_counts(b->l).foreign, 1);
		assert_string_equal(bench_run(b, 0), "");
	}
	BENCH_AUDIT(b, ROUTE); /* its owner deletes it */
	assert_true(bench_unknown(b, VS));
}

static void what_is_foreign_is_adopted_when_claimed(void **state)
{
	struct bench *b = *state;

	ledger_audit_begin(b->l, ALL_KINDS);
	bench_observe(b, VS_WRR, false);
	ledger_audit_end(b->l);
	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	assert_false(bench_state(b, VS).foreign);
	assert_string_equal(bench_run(b, 0), "add " RS1 "\nset " VS "\n");
	/* What else hangs on it was never read. */
	assert_true(ledger_unsure(b->l));
	BENCH_AUDIT(b, VS, RS1, RS2);
	assert_string_equal(bench_run(b, 0), "delete " RS2 "\n");
	bench_release(b, VS, &older);
	assert_string_equal(bench_run(b, 0), "delete " VS "\n");
}

static void the_device_stays_for_the_addresses_of_others(void **state)
{
	struct bench *b = *state;

	ledger_audit_begin(b->l, ALL_KINDS);
	bench_observe(b, LINK, true);
	bench_observe(b, ADDR, true);
	bench_observe(b, "addr 192.0.2.1", false);
	ledger_audit_end(b->l);
	assert_string_equal(bench_run(b, 0), "delete " ADDR "\n");
	BENCH_AUDIT(b, LINK);
	assert_string_equal(bench_run(b, 0), "delete " LINK "\n");
}

static void drift_counts_each_fact_that_differs(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_claim(b, ROUTE, &older);
	bench_run(b, 0);
	assert_int_equal(BENCH_AUDIT(b, VS, RS1, RS2, RS3, ROUTE), 0);
	/* One changed, one deleted, one new. */
	assert_int_equal(BENCH_AUDIT(b, VS, RS1_HEAVY, RS2, RS3, MEMBER), 3);
	assert_string_equal(bench_run(b, 0), "add " ROUTE "\nset " RS1 "\ndelete " MEMBER "\n");
	/* A virtual server vanished with all that hung on it. */
	assert_int_equal(BENCH_AUDIT(b, ROUTE), 4);
	bench_take(b, 0);
	bench_settle(b, 0, 0);
	bench_take(b, 0);
	assert_int_equal(b->n, 3);
	bench_settle(b, 0, 0);
	assert_int_equal(BENCH_AUDIT(b, VS, RS1, RS2, RS3, ROUTE), 0);
}

static void a_lost_answer_is_no_drift(void **state)
{
	struct bench *b = *state;

	bench_claim(b, "route 10.96.0.1", &older);
	bench_claim(b, "route 10.96.0.2", &older);
	bench_run(b, 0);
	bench_release(b, "route 10.96.0.1", &older);
	bench_claim(b, "route 10.96.0.3", &older);
	bench_claim(b, "route 10.96.0.2 src=192.168.0.1", &older);
	for (int i = 0; i < 3; i++) {
		bench_take(b, 0);
		bench_settle(b, 0, -ENOBUFS);
	}
	/* All three were carried out. */
	assert_int_equal(BENCH_AUDIT(b, "route 10.96.0.2 src=192.168.0.1", "route 10.96.0.3"), 0);
	assert_string_equal(bench_run(b, 10000), "");
	assert_int_equal(bench_pending(b), 0);
}

static void an_audit_that_is_broken_off_concludes_nothing(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_claim(b, VS2, &older);
	bench_expect(b, 0, "add " VS2 "\n", -ENOBUFS);
	ledger_audit_begin(b->l, ALL_KINDS);
	bench_observe(b, VS, true);
	bench_observe(b, RS1_HEAVY, true);
	ledger_audit_abort(b->l);
	assert_true(ledger_unsure(b->l));
	assert_true(bench_state(b, RS2).present);
	/* What it saw stays. */
	assert_string_equal(bench_run(b, 0), "set " RS1 "\n");
	assert_int_equal(BENCH_AUDIT(b, VS, RS1, RS2, RS3), 0);
}

static void an_audit_of_one_kind_leaves_the_others_alone(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_claim(b, ROUTE, &older);
	bench_run(b, 0);
	ledger_audit_begin(b->l, 1u << FACT_ROUTE);
	assert_int_equal(ledger_audit_end(b->l), 1);
	assert_string_equal(bench_run(b, 0), "add " ROUTE "\n");
}

static void news_from_an_audit_ends_the_waiting(void **state)
{
	struct bench *b = *state;

	bench_claim(b, ROUTE, &older);
	bench_run(b, 0);
	bench_claim(b, "route 10.96.0.1 src=192.168.0.1", &older);
	for (uint64_t now = 0; now < 2000; now = b->next) {
		bench_take(b, now);
		bench_settle(b, now, -EPERM);
		bench_take(b, now);
	}
	/* Somebody did it for us. */
	BENCH_AUDIT(b, "route 10.96.0.1 src=192.168.0.1");
	assert_int_equal(bench_pending(b), 0);
	assert_int_equal(ledger_counts(b->l).failing, 0);
	bench_claim(b, ROUTE, &older);
	bench_take(b, 5000);
	bench_settle(b, 5000, -EPERM);
	/* It is gone: that is another operation, which never failed. */
	assert_int_equal(bench_audit(b, NULL, 0), 1);
	assert_string_equal(bench_run(b, 5000), "add " ROUTE "\n");
}

static void counts_tell_what_is_what(void **state)
{
	struct bench *b = *state;
	struct ledger_counts c;

	ledger_audit_begin(b->l, ALL_KINDS);
	bench_observe(b, VS2, false);
	bench_observe(b, ROUTE, true);
	ledger_audit_end(b->l);
	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	bench_claim(b, MEMBER, &older); /* of a set that nobody wants */
	bench_expect(b, 0, "add " VS "\n", -EPERM);
	c = ledger_counts(b->l);
	assert_int_equal(c.facts, 6); /* with the set */
	assert_int_equal(c.wanted, 3);
	assert_int_equal(c.pending, 2);
	assert_int_equal(c.failing, 1);
	assert_int_equal(c.foreign, 1);
}

static void count_wanted(const struct fact_key *key, const struct fact_state *s, void *arg)
{
	size_t *n = arg;

	assert_int_equal(key->kind, FACT_RS);
	*n += s->wanted;
}

static void facts_can_be_walked_by_kind(void **state)
{
	struct bench *b = *state;
	struct fact vs = fixture_fact(VS);
	size_t n = 0;

	bench_up(b);
	ledger_each(b->l, FACT_RS, count_wanted, &n);
	assert_int_equal(n, 3);
	assert_true(ledger_has_children(b->l, &vs.key));
	for (int i = 0; i < 3; i++)
		bench_release(b, (const char *[]){ RS1, RS2, RS3 }[i], &older);
	assert_true(ledger_has_children(b->l, &vs.key));
	bench_run(b, 0);
	assert_false(ledger_has_children(b->l, &vs.key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(leftovers_of_ours_go),
		LEDGER_TEST(what_is_foreign_is_never_touched),
		LEDGER_TEST(what_is_foreign_is_adopted_when_claimed),
		LEDGER_TEST(the_device_stays_for_the_addresses_of_others),
		LEDGER_TEST(drift_counts_each_fact_that_differs),
		LEDGER_TEST(a_lost_answer_is_no_drift),
		LEDGER_TEST(an_audit_that_is_broken_off_concludes_nothing),
		LEDGER_TEST(an_audit_of_one_kind_leaves_the_others_alone),
		LEDGER_TEST(news_from_an_audit_ends_the_waiting),
		LEDGER_TEST(counts_tell_what_is_what),
		LEDGER_TEST(facts_can_be_walked_by_kind),
	};

	return cmocka_run_group_tests_name("ledger_audit", tests, NULL, NULL);
}
