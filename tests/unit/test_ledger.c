// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/ledger.h"
#include "fixture.h"

#define VS "vs 10.96.0.1:80/TCP rr"
#define VS_WRR "vs 10.96.0.1:80/TCP wrr"
#define VS2 "vs 10.96.0.2:80/TCP rr"
#define RS1 "rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=1"
#define RS1_HEAVY "rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=9"
#define RS1_DRAINED "rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=0"
#define RS2 "rs 10.96.0.1:80/TCP 10.1.0.2:8080 weight=1"
#define RS3 "rs 10.96.0.1:80/TCP 10.1.0.3:8080 weight=1"
#define SET "set KUBE-CLUSTER-IP hash:ip,port maxelem=1048576"
#define MEMBER "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80"
#define MEMBER2 "member KUBE-CLUSTER-IP 10.96.0.2,tcp:80"
#define LINK "link kube-ipvs0"
#define ADDR "addr 10.96.0.1"
#define ROUTE "route 10.96.0.1"
#define CHAIN "chain IPv4 nat KUBE-SERVICES text=0000000000000001"
#define JUMP "jump IPv4 nat OUTPUT KUBE-SERVICES text=0000000000000001"

enum { ALL_KINDS = (1u << FACT_KINDS) - 1 };

static const struct claimant older = { .born = 1, .name = "shop/older" };
static const struct claimant younger = { .born = 2, .name = "shop/younger" };
static const struct claimant twin = { .born = 2, .name = "shop/twin" };
static const struct claimant last = { .born = CLAIMANT_LAST, .name = "draining" };

struct bench {
	struct ledger *l;
	struct op ops[64];
	size_t n;
	uint64_t next;
	struct buf text;
};

static int setup(void **state)
{
	struct bench *b = new0(struct bench);

	b->l = ledger_new();
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	ledger_free(b->l);
	buf_done(&b->text);
	free(b);
	return 0;
}

static void claim(struct bench *b, const char *line, const struct claimant *who)
{
	struct fact f = fixture_fact(line);

	ledger_claim(b->l, &f, who);
}

static void release(struct bench *b, const char *line, const struct claimant *who)
{
	struct fact f = fixture_fact(line);

	ledger_release(b->l, &f.key, who);
}

/* The operations to do at that time, a line each; they are to be settled next. */
static const char *take_ops(struct bench *b, uint64_t now)
{
	b->n = ledger_take(b->l, now, b->ops, ARRAY_SIZE(b->ops), &b->next);
	buf_reset(&b->text);
	for (size_t i = 0; i < b->n; i++) {
		buf_addf(&b->text, "%s ", op_type_name(b->ops[i].type));
		fact_print(&b->text, &b->ops[i].fact);
		buf_addc(&b->text, '\n');
	}
	return buf_str(&b->text);
}

static void settle(struct bench *b, uint64_t now, int result)
{
	for (size_t i = 0; i < b->n; i++) {
		b->ops[i].result = result;
		ledger_settle(b->l, &b->ops[i], now);
	}
	b->n = 0;
}

/* Does all that can be done at that time; returns what it was, a line each. */
static const char *run(struct bench *b, uint64_t now)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	for (int i = 0; i < 100; i++) {
		buf_adds(&all, take_ops(b, now));
		if (!b->n)
			break;
		settle(b, now, 0);
	}
	assert_int_equal(b->n, 0);
	buf_reset(&b->text);
	buf_adds(&b->text, buf_str(&all));
	return buf_str(&b->text);
}

/* Takes one batch, which must be the expected one, and answers all of it the same. */
static void expect(struct bench *b, uint64_t now, const char *ops, int result)
{
	assert_string_equal(take_ops(b, now), ops);
	settle(b, now, result);
}

static void observe(struct bench *b, const char *line, bool ours)
{
	struct fact f = fixture_fact(line);

	ledger_observe(b->l, &f, ours);
}

/* A whole audit that finds these facts, which are ours; returns the drift. */
static size_t audit(struct bench *b, const char *const lines[], size_t n)
{
	ledger_audit_begin(b->l, ALL_KINDS);
	for (size_t i = 0; i < n; i++)
		observe(b, lines[i], true);
	return ledger_audit_end(b->l);
}

#define AUDIT(b, ...)                                  \
	audit(b, (const char *const[]){ __VA_ARGS__ }, \
		ARRAY_SIZE(((const char *[]){ __VA_ARGS__ })))

static struct fact_state state_of(const struct bench *b, const char *line)
{
	struct fact f = fixture_fact(line);
	struct fact_state s = { 0 };

	assert_true(ledger_state(b->l, &f.key, &s));
	return s;
}

static bool unknown(const struct bench *b, const char *line)
{
	struct fact f = fixture_fact(line);
	struct fact_state s;

	return !ledger_state(b->l, &f.key, &s);
}

static size_t pending(const struct bench *b)
{
	return ledger_counts(b->l).pending;
}

/* Claims and brings up a virtual server with three real servers. */
static void bring_up(struct bench *b)
{
	claim(b, VS, &older);
	claim(b, RS1, &older);
	claim(b, RS2, &older);
	claim(b, RS3, &older);
	run(b, 0);
}

/* Order */

static void one_batch_is_of_one_kind_and_type_make_before_break(void **state)
{
	struct bench *b = *state;

	/* To be deleted: one of each kind. */
	AUDIT(b, LINK, SET, MEMBER, CHAIN, JUMP, VS, RS1, ROUTE, ADDR, VS2);
	/* Two are wanted with another value, and one of each kind that is not there. */
	claim(b, "vs 10.96.0.2:80/TCP sh", &older);
	claim(b, "route 10.96.0.9", &older);
	claim(b, "rs 10.96.0.2:80/TCP 10.1.0.1:80 weight=1", &older);
	claim(b, "vs 10.96.0.9:80/TCP rr", &older);
	claim(b, "vs 10.96.0.8:80/TCP rr", &older);
	claim(b, "chain IPv4 nat KUBE-NODE-PORT text=0000000000000001", &older);
	claim(b, "jump IPv4 nat INPUT KUBE-NODE-PORT text=0000000000000001", &older);
	claim(b, "chain IPv4 nat KUBE-SERVICES text=0000000000000002", &older);
	claim(b, SET, &older);
	claim(b, MEMBER2, &older);
	claim(b, LINK, &older);
	claim(b, "addr 10.96.0.9", &older);
	expect(b, 0, "add " MEMBER2 "\n", 0);
	expect(b, 0, "add chain IPv4 nat KUBE-NODE-PORT text=0000000000000001\n", 0);
	expect(b, 0, "add jump IPv4 nat INPUT KUBE-NODE-PORT text=0000000000000001\n", 0);
	expect(b, 0, "add vs 10.96.0.9:80/TCP rr\nadd vs 10.96.0.8:80/TCP rr\n", 0);
	expect(b, 0, "add rs 10.96.0.2:80/TCP 10.1.0.1:80 weight=1\n", 0);
	expect(b, 0, "add route 10.96.0.9\n", 0);
	expect(b, 0, "add addr 10.96.0.9\n", 0);
	expect(b, 0, "set chain IPv4 nat KUBE-SERVICES text=0000000000000002\n", 0);
	expect(b, 0, "set vs 10.96.0.2:80/TCP sh\n", 0);
	expect(b, 0, "delete " ADDR "\n", 0);
	expect(b, 0, "delete " ROUTE "\n", 0);
	expect(b, 0, "delete " VS "\n", 0);
	expect(b, 0, "delete " JUMP "\n", 0);
	expect(b, 0, "delete " MEMBER "\n", 0);
	expect(b, 0, "", 0);
	assert_int_equal(b->next, UINT64_MAX);
	assert_int_equal(pending(b), 0);
}

static void a_batch_is_no_longer_than_asked_for(void **state)
{
	struct bench *b = *state;
	struct op ops[2];
	uint64_t next;

	claim(b, "route 10.96.0.1", &older);
	claim(b, "route 10.96.0.2", &older);
	claim(b, "route 10.96.0.3", &older);
	assert_int_equal(ledger_take(b->l, 0, ops, 2, &next), 2);
	ledger_settle(b->l, &ops[0], 0);
	ledger_settle(b->l, &ops[1], 0);
	assert_string_equal(run(b, 0), "add route 10.96.0.3\n");
}

static void children_are_added_after_their_parent_whatever_came_first(void **state)
{
	struct bench *b = *state;

	claim(b, ADDR, &older);
	claim(b, RS1, &older);
	claim(b, MEMBER, &older);
	claim(b, SET, &older);
	claim(b, VS, &older);
	claim(b, LINK, &older);
	assert_string_equal(run(b, 0),
		"add " LINK "\nadd " SET "\nadd " MEMBER "\nadd " VS "\nadd " RS1 "\nadd " ADDR
		"\n");
}

static void children_wait_while_their_parent_cannot_be_made(void **state)
{
	struct bench *b = *state;

	claim(b, MEMBER, &older);
	assert_string_equal(run(b, 0), "");
	assert_int_equal(b->next, UINT64_MAX);
	claim(b, SET, &older);
	expect(b, 0, "add " SET "\n", -EINVAL);
	assert_string_equal(run(b, 0), "");
	assert_string_equal(run(b, 200), "add " SET "\nadd " MEMBER "\n");
}

static void real_servers_go_with_their_virtual_server(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	release(b, RS1, &older);
	release(b, VS, &older);
	release(b, RS2, &older);
	release(b, RS3, &older);
	assert_string_equal(run(b, 0), "delete " VS "\n");
	assert_int_equal(ledger_counts(b->l).facts, 0);
}

static void a_single_real_server_is_deleted_alone(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	release(b, RS2, &older);
	assert_string_equal(run(b, 0), "delete " RS2 "\n");
	assert_true(unknown(b, RS2));
	assert_true(state_of(b, RS1).present);
}

static void members_go_with_their_set(void **state)
{
	struct bench *b = *state;

	AUDIT(b, SET, MEMBER, MEMBER2);
	assert_string_equal(run(b, 0), "delete " SET "\n");
	assert_int_equal(ledger_counts(b->l).facts, 0);
}

static void a_parent_wanted_again_sends_its_children_one_by_one(void **state)
{
	struct bench *b = *state;

	AUDIT(b, VS, RS1, RS2);
	claim(b, VS, &older);
	claim(b, RS1, &older);
	assert_string_equal(run(b, 0), "delete " RS2 "\n");
}

static void what_is_wanted_and_there_is_no_work(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &older);
	claim(b, RS1, &older);
	assert_int_equal(AUDIT(b, VS, RS1), 2);
	assert_string_equal(run(b, 0), "");
	assert_int_equal(pending(b), 0);
}

/* What the kernel says */

static void a_fact_that_exists_already_has_an_unknown_value(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &older);
	claim(b, RS1, &older);
	expect(b, 0, "add " VS "\n", -EEXIST);
	assert_true(ledger_unsure(b->l));
	assert_true(state_of(b, VS).present);
	assert_false(state_of(b, VS).known);
	/* Never trusted to be what we want: set. */
	expect(b, 0, "add " RS1 "\n", -EEXIST);
	expect(b, 0, "set " VS "\n", 0);
	expect(b, 0, "set " RS1 "\n", 0);
	assert_true(state_of(b, VS).known);
	assert_true(ledger_unsure(b->l));
	AUDIT(b, VS, RS1, RS2);
	assert_false(ledger_unsure(b->l));
	assert_string_equal(run(b, 0), "delete " RS2 "\n");
}

static void an_audit_of_other_kinds_does_not_make_sure(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &older);
	expect(b, 0, "add " VS "\n", -ENOBUFS);
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

	bring_up(b);
	claim(b, RS1_HEAVY, &older);
	expect(b, 0, "set " RS1_HEAVY "\n", -ESRCH);
	assert_false(state_of(b, VS).present);
	assert_false(state_of(b, RS2).present);
	expect(b, 0, "add " VS "\n", 0);
	take_ops(b, 0);
	assert_int_equal(b->n, 3);
	settle(b, 0, 0);
	assert_string_equal(run(b, 0), "");
	assert_int_equal(ledger_counts(b->l).failing, 0);
}

static void a_gone_parent_found_by_one_of_a_batch_of_deletes(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	release(b, RS1, &older);
	release(b, RS2, &older);
	expect(b, 0, "delete " RS1 "\ndelete " RS2 "\n", -ESRCH);
	assert_true(unknown(b, RS1));
	assert_true(unknown(b, RS2));
	assert_string_equal(run(b, 0), "add " VS "\nadd " RS3 "\n");
}

static void a_fact_that_is_gone_is_made_again_at_once(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	claim(b, RS1_HEAVY, &older);
	expect(b, 0, "set " RS1_HEAVY "\n", -ENOENT);
	assert_string_equal(run(b, 0), "add " RS1_HEAVY "\n");
}

static void news_is_no_failure(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	claim(b, RS1_HEAVY, &older);
	expect(b, 0, "set " RS1_HEAVY "\n", -ENOENT);
	assert_int_equal(state_of(b, RS1).error, 0);
	assert_int_equal(ledger_counts(b->l).failing, 0);
	/* What was deleted by others is what we wanted. */
	release(b, RS2, &older);
	run(b, 0);
	release(b, RS3, &older);
	expect(b, 0, "delete " RS3 "\n", -ENOENT);
	assert_true(unknown(b, RS3));
	assert_int_equal(pending(b), 0);
}

static void a_kernel_that_contradicts_itself_is_asked_less_and_less_often(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &older);
	expect(b, 0, "add " VS "\n", -EEXIST);
	expect(b, 0, "set " VS "\n", -ENOENT);
	expect(b, 0, "add " VS "\n", -EEXIST);
	expect(b, 0, "set " VS "\n", -ENOENT);
	assert_string_equal(take_ops(b, 0), "");
	assert_int_equal(b->next, 400);
	assert_int_equal(state_of(b, VS).error, -ENOENT);
	assert_int_equal(ledger_counts(b->l).failing, 1);
}

/* Failures */

static void failures_are_retried_later_and_later(void **state)
{
	static const uint64_t waits[] = { 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 25600,
		25600 };
	struct bench *b = *state;
	uint64_t now = 1000;

	claim(b, ROUTE, &older);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		struct fact_state s;

		expect(b, now, "add " ROUTE "\n", -EPERM);
		s = state_of(b, ROUTE);
		assert_int_equal(s.error, -EPERM);
		assert_int_equal(s.tries, i + 1);
		assert_int_equal(s.failing_since, 1000);
		assert_int_equal(s.retry_at, now + waits[i]);
		assert_string_equal(take_ops(b, now + waits[i] - 1), "");
		assert_int_equal(b->next, now + waits[i]);
		assert_int_equal(pending(b), 1);
		now += waits[i];
	}
	expect(b, now, "add " ROUTE "\n", 0);
	assert_int_equal(state_of(b, ROUTE).error, 0);
	assert_int_equal(ledger_counts(b->l).failing, 0);
}

static void one_that_fails_does_not_stop_the_others(void **state)
{
	struct bench *b = *state;

	claim(b, "route 10.96.0.1", &older);
	claim(b, "route 10.96.0.2", &older);
	take_ops(b, 0);
	b->ops[0].result = -EPERM;
	b->ops[1].result = 0;
	ledger_settle(b->l, &b->ops[0], 0);
	ledger_settle(b->l, &b->ops[1], 0);
	claim(b, "route 10.96.0.3", &older);
	assert_string_equal(run(b, 0), "add route 10.96.0.3\n");
	assert_int_equal(b->next, 200);
	assert_string_equal(run(b, 200), "add route 10.96.0.1\n");
}

static void a_new_claim_is_tried_at_once(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &older);
	expect(b, 0, "add " VS "\n", -EPERM);
	expect(b, 200, "add " VS "\n", -EPERM);
	claim(b, VS_WRR, &older);
	assert_int_equal(state_of(b, VS).tries, 0);
	expect(b, 201, "add " VS_WRR "\n", -EPERM);
	assert_int_equal(state_of(b, VS).retry_at, 401);
}

static void a_failed_delete_is_retried_and_forgotten_when_wanted_again(void **state)
{
	struct bench *b = *state;

	claim(b, ROUTE, &older);
	run(b, 0);
	release(b, ROUTE, &older);
	expect(b, 0, "delete " ROUTE "\n", -EBUSY);
	assert_string_equal(run(b, 100), "");
	claim(b, ROUTE, &older);
	assert_string_equal(run(b, 100), "");
	assert_int_equal(pending(b), 0);
	release(b, ROUTE, &older);
	assert_string_equal(run(b, 100), "delete " ROUTE "\n");
}

static void a_lost_answer_is_believed_neither_way(void **state)
{
	struct bench *b = *state;

	claim(b, "route 10.96.0.1", &older);
	claim(b, "route 10.96.0.2", &older);
	take_ops(b, 0);
	settle(b, 0, -ENOBUFS);
	assert_true(ledger_unsure(b->l));
	assert_string_equal(run(b, 0), "");
	/* The first was made, the second was not. */
	AUDIT(b, "route 10.96.0.1");
	assert_false(ledger_unsure(b->l));
	assert_int_equal(pending(b), 1);
	assert_string_equal(run(b, 200), "add route 10.96.0.2\n");
}

static void what_was_made_with_a_lost_answer_is_not_forgotten(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &older);
	claim(b, RS1, &older);
	expect(b, 0, "add " VS "\n", -ENOBUFS);
	release(b, RS1, &older);
	release(b, VS, &older);
	assert_string_equal(run(b, 0), "delete " VS "\n");
	assert_int_equal(ledger_counts(b->l).facts, 0);
}

static void a_change_with_a_lost_answer_is_not_taken_back_unasked(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &older);
	run(b, 0);
	claim(b, VS_WRR, &older);
	expect(b, 0, "set " VS_WRR "\n", -ENOBUFS);
	/* The old value is wanted again, and may not be there any more. */
	claim(b, VS, &older);
	assert_string_equal(run(b, 0), "set " VS "\n");
}

static void a_failure_is_over_when_nothing_is_to_be_done(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &younger);
	claim(b, RS1, &younger);
	expect(b, 0, "add " VS "\n", 0);
	expect(b, 0, "add " RS1 "\n", -EINVAL);
	assert_int_equal(ledger_counts(b->l).failing, 1);
	claim(b, VS, &older); /* who does not want that real server */
	assert_int_equal(ledger_counts(b->l).failing, 0);
	assert_int_equal(pending(b), 0);
}

/* Conflicts */

static void the_older_claim_wins_and_the_other_is_promoted_when_it_goes(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &younger);
	claim(b, VS_WRR, &older);
	assert_string_equal(run(b, 0), "add " VS_WRR "\n");
	assert_ptr_equal(state_of(b, VS).claimant, &older);
	release(b, VS, &older);
	assert_string_equal(run(b, 0), "set " VS "\n");
	assert_ptr_equal(state_of(b, VS).claimant, &younger);
	release(b, VS, &younger);
	assert_string_equal(run(b, 0), "delete " VS "\n");
}

static void equal_ages_are_decided_by_name(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &younger);
	claim(b, VS_WRR, &twin);
	assert_ptr_equal(state_of(b, VS).claimant, &twin);
	claim(b, VS, &younger);
	assert_ptr_equal(state_of(b, VS).claimant, &twin);
}

static void claims_of_equal_value_are_no_work_when_one_goes(void **state)
{
	struct bench *b = *state;

	claim(b, ROUTE, &older);
	claim(b, ROUTE, &younger);
	run(b, 0);
	release(b, ROUTE, &older);
	assert_string_equal(run(b, 0), "");
	claim(b, ROUTE, &older);
	release(b, ROUTE, &younger);
	assert_string_equal(run(b, 0), "");
}

static void two_services_never_mix_behind_one_address(void **state)
{
	struct bench *b = *state;

	claim(b, VS, &younger);
	claim(b, RS1, &younger);
	claim(b, RS2, &younger);
	run(b, 0);
	/* An older one takes the address over; RS2 belongs to both. */
	claim(b, VS, &older);
	claim(b, "rs 10.96.0.1:80/TCP 10.1.0.2:8080 weight=7", &older);
	claim(b, RS3, &older);
	assert_string_equal(run(b, 0),
		"add " RS3 "\n"
		"set rs 10.96.0.1:80/TCP 10.1.0.2:8080 weight=7\n"
		"delete " RS1 "\n");
	assert_false(state_of(b, RS1).wanted);
	release(b, VS, &older);
	release(b, RS2, &older);
	release(b, RS3, &older);
	assert_string_equal(run(b, 0), "add " RS1 "\nset " RS2 "\ndelete " RS3 "\n");
}

static void the_last_claimant_may_keep_a_real_server_of_another(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	release(b, RS1, &older);
	claim(b, RS1_DRAINED, &last);
	assert_string_equal(run(b, 0), "set " RS1_DRAINED "\n");
	/* It comes back: its own claim outranks the other. */
	claim(b, RS1, &older);
	assert_string_equal(run(b, 0), "set " RS1 "\n");
	release(b, RS1, &last);
	assert_string_equal(run(b, 0), "");
}

static void release_by_one_who_claims_nothing_changes_nothing(void **state)
{
	struct bench *b = *state;

	release(b, VS, &older);
	claim(b, VS, &older);
	release(b, VS, &younger);
	assert_string_equal(run(b, 0), "add " VS "\n");
}

static void a_claim_that_comes_and_goes_leaves_nothing(void **state)
{
	struct bench *b = *state;

	claim(b, RS1, &older);
	claim(b, MEMBER, &older);
	release(b, RS1, &older);
	release(b, MEMBER, &older);
	assert_int_equal(ledger_counts(b->l).facts, 0);
	assert_string_equal(run(b, 0), "");
}

static void publishing_claims_and_releases_the_difference_only(void **state)
{
	struct bench *b = *state;
	struct fact before[] = { fixture_fact(VS), fixture_fact(RS1), fixture_fact(RS2) },
		    after[] = { fixture_fact(VS), fixture_fact(RS1_HEAVY), fixture_fact(RS3) };

	ledger_publish(b->l, NULL, 0, before, 3, &older);
	assert_string_equal(run(b, 0), "add " VS "\nadd " RS1 "\nadd " RS2 "\n");
	ledger_publish(b->l, before, 3, after, 3, &older);
	assert_string_equal(run(b, 0), "add " RS3 "\nset " RS1_HEAVY "\ndelete " RS2 "\n");
	ledger_publish(b->l, after, 3, after, 3, &older);
	assert_string_equal(run(b, 0), "");
	ledger_publish(b->l, after, 3, NULL, 0, &older);
	assert_string_equal(run(b, 0), "delete " VS "\n");
}

static void a_fact_released_and_claimed_again_is_no_work(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	release(b, VS, &older);
	release(b, RS1, &older);
	claim(b, VS, &older);
	claim(b, RS1, &older);
	assert_string_equal(run(b, 0), "");
}

/* Audits */

static void leftovers_of_ours_go(void **state)
{
	struct bench *b = *state;

	AUDIT(b, VS, RS1, ROUTE);
	assert_string_equal(run(b, 0), "delete " ROUTE "\ndelete " VS "\n");
}

static void what_is_foreign_is_never_touched(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 2; i++) {
		ledger_audit_begin(b->l, ALL_KINDS);
		observe(b, i ? VS_WRR : VS, false);
		assert_int_equal(ledger_audit_end(b->l), 0);
		assert_true(state_of(b, VS).foreign);
		assert_int_equal(ledger_counts(b->l).foreign, 1);
		assert_string_equal(run(b, 0), "");
	}
	AUDIT(b, ROUTE); /* its owner deletes it */
	assert_true(unknown(b, VS));
}

static void what_is_foreign_is_adopted_when_claimed(void **state)
{
	struct bench *b = *state;

	ledger_audit_begin(b->l, ALL_KINDS);
	observe(b, VS_WRR, false);
	ledger_audit_end(b->l);
	claim(b, VS, &older);
	claim(b, RS1, &older);
	assert_false(state_of(b, VS).foreign);
	assert_string_equal(run(b, 0), "add " RS1 "\nset " VS "\n");
	/* What else hangs on it was never read. */
	assert_true(ledger_unsure(b->l));
	AUDIT(b, VS, RS1, RS2);
	assert_string_equal(run(b, 0), "delete " RS2 "\n");
	release(b, VS, &older);
	assert_string_equal(run(b, 0), "delete " VS "\n");
}

static void the_device_stays_for_the_addresses_of_others(void **state)
{
	struct bench *b = *state;

	ledger_audit_begin(b->l, ALL_KINDS);
	observe(b, LINK, true);
	observe(b, ADDR, true);
	observe(b, "addr 192.0.2.1", false);
	ledger_audit_end(b->l);
	assert_string_equal(run(b, 0), "delete " ADDR "\n");
	AUDIT(b, LINK);
	assert_string_equal(run(b, 0), "delete " LINK "\n");
}

static void drift_counts_each_fact_that_differs(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	claim(b, ROUTE, &older);
	run(b, 0);
	assert_int_equal(AUDIT(b, VS, RS1, RS2, RS3, ROUTE), 0);
	/* One changed, one deleted, one new. */
	assert_int_equal(AUDIT(b, VS, RS1_HEAVY, RS2, RS3, MEMBER), 3);
	assert_string_equal(run(b, 0), "add " ROUTE "\nset " RS1 "\ndelete " MEMBER "\n");
	/* A virtual server vanished with all that hung on it. */
	assert_int_equal(AUDIT(b, ROUTE), 4);
	take_ops(b, 0);
	settle(b, 0, 0);
	take_ops(b, 0);
	assert_int_equal(b->n, 3);
	settle(b, 0, 0);
	assert_int_equal(AUDIT(b, VS, RS1, RS2, RS3, ROUTE), 0);
}

static void a_lost_answer_is_no_drift(void **state)
{
	struct bench *b = *state;

	claim(b, "route 10.96.0.1", &older);
	claim(b, "route 10.96.0.2", &older);
	run(b, 0);
	release(b, "route 10.96.0.1", &older);
	claim(b, "route 10.96.0.3", &older);
	claim(b, "route 10.96.0.2 src=192.168.0.1", &older);
	for (int i = 0; i < 3; i++) {
		take_ops(b, 0);
		settle(b, 0, -ENOBUFS);
	}
	/* All three were carried out. */
	assert_int_equal(AUDIT(b, "route 10.96.0.2 src=192.168.0.1", "route 10.96.0.3"), 0);
	assert_string_equal(run(b, 10000), "");
	assert_int_equal(pending(b), 0);
}

static void an_audit_that_is_broken_off_concludes_nothing(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	claim(b, VS2, &older);
	expect(b, 0, "add " VS2 "\n", -ENOBUFS);
	ledger_audit_begin(b->l, ALL_KINDS);
	observe(b, VS, true);
	observe(b, RS1_HEAVY, true);
	ledger_audit_abort(b->l);
	assert_true(ledger_unsure(b->l));
	assert_true(state_of(b, RS2).present);
	/* What it saw stays. */
	assert_string_equal(run(b, 0), "set " RS1 "\n");
	assert_int_equal(AUDIT(b, VS, RS1, RS2, RS3), 0);
}

static void an_audit_of_one_kind_leaves_the_others_alone(void **state)
{
	struct bench *b = *state;

	bring_up(b);
	claim(b, ROUTE, &older);
	run(b, 0);
	ledger_audit_begin(b->l, 1u << FACT_ROUTE);
	assert_int_equal(ledger_audit_end(b->l), 1);
	assert_string_equal(run(b, 0), "add " ROUTE "\n");
}

static void news_from_an_audit_ends_the_waiting(void **state)
{
	struct bench *b = *state;

	claim(b, ROUTE, &older);
	run(b, 0);
	claim(b, "route 10.96.0.1 src=192.168.0.1", &older);
	for (uint64_t now = 0; now < 2000; now = b->next) {
		take_ops(b, now);
		settle(b, now, -EPERM);
		take_ops(b, now);
	}
	/* Somebody did it for us. */
	AUDIT(b, "route 10.96.0.1 src=192.168.0.1");
	assert_int_equal(pending(b), 0);
	assert_int_equal(ledger_counts(b->l).failing, 0);
	claim(b, ROUTE, &older);
	take_ops(b, 5000);
	settle(b, 5000, -EPERM);
	/* It is gone: that is another operation, which never failed. */
	assert_int_equal(audit(b, NULL, 0), 1);
	assert_string_equal(run(b, 5000), "add " ROUTE "\n");
}

static void counts_tell_what_is_what(void **state)
{
	struct bench *b = *state;
	struct ledger_counts c;

	ledger_audit_begin(b->l, ALL_KINDS);
	observe(b, VS2, false);
	observe(b, ROUTE, true);
	ledger_audit_end(b->l);
	claim(b, VS, &older);
	claim(b, RS1, &older);
	claim(b, MEMBER, &older); /* of a set that nobody wants */
	expect(b, 0, "add " VS "\n", -EPERM);
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

	bring_up(b);
	ledger_each(b->l, FACT_RS, count_wanted, &n);
	assert_int_equal(n, 3);
	assert_true(ledger_has_children(b->l, &vs.key));
	for (int i = 0; i < 3; i++)
		release(b, (const char *[]){ RS1, RS2, RS3 }[i], &older);
	assert_true(ledger_has_children(b->l, &vs.key));
	run(b, 0);
	assert_false(ledger_has_children(b->l, &vs.key));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_batch_is_of_one_kind_and_type_make_before_break),
		TEST(a_batch_is_no_longer_than_asked_for),
		TEST(children_are_added_after_their_parent_whatever_came_first),
		TEST(children_wait_while_their_parent_cannot_be_made),
		TEST(real_servers_go_with_their_virtual_server),
		TEST(a_single_real_server_is_deleted_alone),
		TEST(members_go_with_their_set),
		TEST(a_parent_wanted_again_sends_its_children_one_by_one),
		TEST(what_is_wanted_and_there_is_no_work),
		TEST(a_fact_that_exists_already_has_an_unknown_value),
		TEST(an_audit_of_other_kinds_does_not_make_sure),
		TEST(a_parent_that_is_gone_took_all_its_children_with_it),
		TEST(a_gone_parent_found_by_one_of_a_batch_of_deletes),
		TEST(a_fact_that_is_gone_is_made_again_at_once),
		TEST(news_is_no_failure),
		TEST(a_kernel_that_contradicts_itself_is_asked_less_and_less_often),
		TEST(failures_are_retried_later_and_later),
		TEST(one_that_fails_does_not_stop_the_others),
		TEST(a_new_claim_is_tried_at_once),
		TEST(a_failed_delete_is_retried_and_forgotten_when_wanted_again),
		TEST(a_lost_answer_is_believed_neither_way),
		TEST(what_was_made_with_a_lost_answer_is_not_forgotten),
		TEST(a_change_with_a_lost_answer_is_not_taken_back_unasked),
		TEST(a_failure_is_over_when_nothing_is_to_be_done),
		TEST(the_older_claim_wins_and_the_other_is_promoted_when_it_goes),
		TEST(equal_ages_are_decided_by_name),
		TEST(claims_of_equal_value_are_no_work_when_one_goes),
		TEST(two_services_never_mix_behind_one_address),
		TEST(the_last_claimant_may_keep_a_real_server_of_another),
		TEST(release_by_one_who_claims_nothing_changes_nothing),
		TEST(a_claim_that_comes_and_goes_leaves_nothing),
		TEST(publishing_claims_and_releases_the_difference_only),
		TEST(a_fact_released_and_claimed_again_is_no_work),
		TEST(leftovers_of_ours_go),
		TEST(what_is_foreign_is_never_touched),
		TEST(what_is_foreign_is_adopted_when_claimed),
		TEST(the_device_stays_for_the_addresses_of_others),
		TEST(drift_counts_each_fact_that_differs),
		TEST(a_lost_answer_is_no_drift),
		TEST(an_audit_that_is_broken_off_concludes_nothing),
		TEST(an_audit_of_one_kind_leaves_the_others_alone),
		TEST(news_from_an_audit_ends_the_waiting),
		TEST(counts_tell_what_is_what),
		TEST(facts_can_be_walked_by_kind),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
