// SPDX-License-Identifier: GPL-2.0-or-later
/* What is wanted: the order of the work, and claims that conflict. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/core/op_order.h"
#include "base/mem.h"
#include "ledger_bench.h"

#define SET_SMALL "set KUBE-CLUSTER-IP hash:ip,port maxelem=1024"
#define MARK_SET "set KUBE-LOCAL-MARK hash:ip,port maxelem=65536 skbinfo=1"
#define MARK "member KUBE-LOCAL-MARK 10.96.0.1,tcp:80 mark=0x200000 mask=0xfff00000"
#define MARK_VS "vs fwmark:2097152/IPv4 rr"
#define MARK_RS "rs fwmark:2097152/IPv4 10.1.0.1:8080 weight=1"
#define MARK_RS_DRAINED "rs fwmark:2097152/IPv4 10.1.0.1:8080 weight=0"

/* Order */

static void each_operation_has_one_step(void **state)
{
	size_t steps[OP_TYPES][OP_CLASSES] = { 0 };

	(void)state;
	for (size_t i = 0; i < OP_STEPS; i++)
		steps[op_order[i].type][op_order[i].class]++;
	for (size_t type = 0; type < OP_TYPES; type++)
		for (size_t class = 0; class < OP_CLASSES; class ++)
			assert_int_equal(steps[type][class],
				(class != OP_CLASS_REVIVAL || type == OP_SET) &&
					(class != OP_CLASS_ENTRY || type == OP_ADD));
}

static void one_batch_is_of_one_kind_and_type_make_before_break(void **state)
{
	struct bench *b = *state;

	/* To be deleted: one of each kind. */
	BENCH_AUDIT(b, LINK, SET, MEMBER, CHAIN, JUMP, VS, RS1, ROUTE, ADDR, VS2);
	/* Two are wanted with another value, and one of each kind that is not there. */
	bench_claim(b, "vs 10.96.0.2:80/TCP sh", &older);
	bench_claim(b, "route 10.96.0.9", &older);
	bench_claim(b, "rs 10.96.0.2:80/TCP 10.1.0.1:80 weight=1", &older);
	bench_claim(b, "vs 10.96.0.9:80/TCP rr", &older);
	bench_claim(b, "vs 10.96.0.8:80/TCP rr", &older);
	bench_claim(b, "chain IPv4 nat KUBE-NODE-PORT text=0000000000000001", &older);
	bench_claim(b, "jump IPv4 nat INPUT KUBE-NODE-PORT text=0000000000000001", &older);
	bench_claim(b, "chain IPv4 nat KUBE-SERVICES text=0000000000000002", &older);
	bench_claim(b, SET, &older);
	bench_claim(b, MEMBER2, &older);
	bench_claim(b, LINK, &older);
	bench_claim(b, "addr 10.96.0.9", &older);
	bench_expect(b, 0, "add " MEMBER2 "\n", 0);
	bench_expect(b, 0, "add chain IPv4 nat KUBE-NODE-PORT text=0000000000000001\n", 0);
	bench_expect(b, 0, "add jump IPv4 nat INPUT KUBE-NODE-PORT text=0000000000000001\n", 0);
	bench_expect(b, 0, "add vs 10.96.0.9:80/TCP rr\nadd vs 10.96.0.8:80/TCP rr\n", 0);
	bench_expect(b, 0, "add rs 10.96.0.2:80/TCP 10.1.0.1:80 weight=1\n", 0);
	bench_expect(b, 0, "add route 10.96.0.9\n", 0);
	bench_expect(b, 0, "add addr 10.96.0.9\n", 0);
	bench_expect(b, 0, "set chain IPv4 nat KUBE-SERVICES text=0000000000000002\n", 0);
	bench_expect(b, 0, "delete " ADDR "\n", 0);
	bench_expect(b, 0, "delete " ROUTE "\n", 0);
	bench_expect(b, 0, "delete " VS "\n", 0);
	bench_expect(b, 0, "delete " JUMP "\n", 0);
	bench_expect(b, 0, "delete " MEMBER "\n", 0);
	bench_expect(b, 0, "set vs 10.96.0.2:80/TCP sh\n", 0);
	bench_expect(b, 0, "", 0);
	assert_int_equal(b->next, UINT64_MAX);
	assert_int_equal(bench_pending(b), 0);
}

/* While packets still go through the entrance of another backend, IPVS is ready for them. */
static void ports_of_others_addresses_are_taken_before_an_entrance_changes(void **state)
{
	struct bench *b = *state;

	ledger_audit_begin(b->l, 1u << FACT_CHAIN);
	bench_observe(b, "chain IPv4 nat KUBE-SERVICES text=0000000000000001", true);
	ledger_audit_end(b->l);
	bench_claim(b, "chain IPv4 nat KUBE-SERVICES text=0000000000000002", &older);
	bench_claim(b, "member KUBE-EXTERNAL-PORT 203.0.113.1,tcp:80", &older);
	bench_claim(b, "set KUBE-EXTERNAL-PORT hash:ip,port maxelem=65536", &older);
	bench_claim(b, "route 203.0.113.1 table=2512", &older);
	bench_claim(b, "held 203.0.113.1", &older);
	bench_claim(b, "link kube-ipvs1", &older);
	bench_claim(b, "policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512", &older);
	bench_claim(b, "vs 203.0.113.1:80/TCP rr", &older);
	bench_expect(b, 0, "add link kube-ipvs1\n", 0);
	bench_expect(b, 0, "add policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512\n", 0);
	bench_expect(b, 0, "add set KUBE-EXTERNAL-PORT hash:ip,port maxelem=65536\n", 0);
	bench_expect(b, 0, "add vs 203.0.113.1:80/TCP rr\n", 0);
	bench_expect(b, 0, "add route 203.0.113.1 table=2512\n", 0);
	bench_expect(b, 0, "add member KUBE-EXTERNAL-PORT 203.0.113.1,tcp:80\n", 0);
	bench_expect(b, 0, "add held 203.0.113.1\n", 0);
	bench_expect(b, 0, "set chain IPv4 nat KUBE-SERVICES text=0000000000000002\n", 0);
	bench_expect(b, 0, "", 0);
}

static void what_makes_the_state_of_another_proxy_ours_comes_before_what_it_guards(void **state)
{
	struct bench *b = *state;

	BENCH_AUDIT(b, SET_SMALL, MEMBER, "chain IPv4 nat KUBE-POSTROUTING text=0000000000000001",
		JUMP);
	bench_claim(b, SET, &older);
	bench_claim(b, MEMBER, &older);
	bench_claim(b, MEMBER2, &older);
	bench_claim(b, "chain IPv4 nat KUBE-POSTROUTING text=0000000000000002", &older);
	bench_claim(b, "jump IPv4 nat OUTPUT KUBE-SERVICES text=0000000000000002", &older);
	bench_claim(b, VS2, &older);
	assert_string_equal(bench_run(b, 0),
		"set " SET "\n"
		"add " MEMBER2 "\n"
		"set chain IPv4 nat KUBE-POSTROUTING text=0000000000000002\n"
		"set jump IPv4 nat OUTPUT KUBE-SERVICES text=0000000000000002\n"
		"add " VS2 "\n");
}

static void what_vital_claimants_lack_comes_before_all_else(void **state)
{
	static const struct claimant vital = { .born = 3, .name = "default/dns", .vital = true };
	struct bench *b = *state;

	BENCH_AUDIT(b, SET, "chain IPv4 nat KUBE-POSTROUTING text=0000000000000001", VS, RS1);
	bench_claim(b, SET, &vital);
	bench_claim(b, MEMBER, &older);
	bench_claim(b, VS, &older);
	bench_claim(b, RS1_DRAINED, &older);
	bench_claim(b, "route 10.96.0.1", &older);
	bench_claim(b, "chain IPv4 nat KUBE-POSTROUTING text=0000000000000002", &vital);
	bench_claim(b, MEMBER2, &vital);
	bench_claim(b, VS2, &vital);
	bench_claim(b, "route 10.96.0.2", &vital);
	assert_string_equal(bench_run(b, 0),
		"add " MEMBER2 "\n"
		"set chain IPv4 nat KUBE-POSTROUTING text=0000000000000002\n"
		"add " VS2 "\n"
		"add route 10.96.0.2\n"
		"add " MEMBER "\n"
		"add route 10.96.0.1\n"
		"set " RS1_DRAINED "\n");
}

static void changes_that_others_wait_for_have_no_turn_of_their_own(void **state)
{
	static const struct claimant vital = { .born = 3, .name = "default/dns", .vital = true };
	struct bench *b = *state;

	BENCH_AUDIT(b, VS, RS1);
	bench_claim(b, "vs 10.96.0.1:80/TCP sh", &vital);
	bench_claim(b, RS1_DRAINED, &vital);
	bench_claim(b, VS2, &older);
	assert_string_equal(bench_run(b, 0),
		"add " VS2 "\n"
		"set " RS1_DRAINED "\n"
		"set vs 10.96.0.1:80/TCP sh\n");
}

/* Who is diverted must always find real servers. */
static void packets_are_diverted_after_the_making_and_before_the_breaking(void **state)
{
	struct bench *b = *state;

	bench_claim(b, MARK_SET, &older);
	bench_claim(b, MARK, &older);
	bench_claim(b, MARK_VS, &older);
	bench_claim(b, MARK_RS, &older);
	bench_claim(b, ROUTE, &older);
	assert_string_equal(bench_run(b, 0),
		"add " MARK_SET "\nadd " MARK_VS "\nadd " MARK_RS "\nadd " MARK "\nadd " ROUTE
		"\n");
	bench_claim(b, MARK_RS_DRAINED, &older);
	bench_release(b, MARK, &older);
	bench_release(b, MARK_VS, &older);
	bench_claim(b, MARK_VS, &last);
	bench_claim(b, MARK_RS_DRAINED, &last);
	assert_string_equal(bench_run(b, 0), "delete " MARK "\nset " MARK_RS_DRAINED "\n");
}

/* Of one Service's members those that reject come last, and so they have to go first. */
/* A virtual server whose real servers all have weight 0 refuses connections. */
static void real_servers_that_drain_get_their_weight_back_before_packets_are_diverted(void **state)
{
	struct bench *b = *state;

	BENCH_AUDIT(b, MARK_SET, MARK_VS, MARK_RS_DRAINED, VS, RS1);
	bench_claim(b, MARK_SET, &older);
	bench_claim(b, VS, &older);
	bench_claim(b, "rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=7", &older);
	bench_claim(b, MARK, &older);
	bench_claim(b, MARK_VS, &older);
	bench_claim(b, MARK_RS, &older);
	bench_expect(b, 0, "set " MARK_RS "\n", 0);
	bench_expect(b, 0, "add " MARK "\n", 0);
	bench_expect(b, 0, "set rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=7\n", 0);
}

static void members_go_in_the_opposite_order(void **state)
{
	struct bench *b = *state;

	bench_claim(b, SET, &older);
	bench_claim(b, MEMBER, &older);
	bench_claim(b, MEMBER2, &older);
	assert_string_equal(bench_run(b, 0), "add " SET "\nadd " MEMBER "\nadd " MEMBER2 "\n");
	bench_release(b, MEMBER, &older);
	bench_release(b, MEMBER2, &older);
	assert_string_equal(bench_run(b, 0), "delete " MEMBER2 "\ndelete " MEMBER "\n");
}

static void a_batch_is_no_longer_than_asked_for(void **state)
{
	struct bench *b = *state;
	struct op ops[2];
	uint64_t next;

	bench_claim(b, "route 10.96.0.1", &older);
	bench_claim(b, "route 10.96.0.2", &older);
	bench_claim(b, "route 10.96.0.3", &older);
	assert_int_equal(ledger_take(b->l, 0, 0, ops, 2, &next), 2);
	ledger_settle(b->l, &ops[0], 0);
	ledger_settle(b->l, &ops[1], 0);
	assert_string_equal(bench_run(b, 0), "add route 10.96.0.3\n");
}

/* For an adapter that keeps their order by itself. */
static void kinds_of_one_adapter_come_together(void **state)
{
	static const char *const facts[] = { SET,
		"chain IPv4 nat KUBE-POSTROUTING text=0000000000000001", CHAIN, JUMP, VS };
	static const enum fact_kind kinds[] = { FACT_SET, FACT_CHAIN, FACT_CHAIN, FACT_JUMP,
		FACT_VS };
	static const size_t batches[] = { 1, 3, 1 };
	const unsigned mixed = 1u << FACT_CHAIN | 1u << FACT_DISPATCH | 1u << FACT_JUMP;
	struct bench *b = *state;
	struct op ops[ARRAY_SIZE(facts)];
	size_t taken = 0;
	uint64_t next;

	for (size_t i = ARRAY_SIZE(facts); i-- > 0;)
		bench_claim(b, facts[i], &older);
	for (size_t i = 0; i < ARRAY_SIZE(batches); i++) {
		assert_int_equal(
			ledger_take(b->l, 0, mixed, ops, ARRAY_SIZE(ops), &next), batches[i]);
		for (size_t k = 0; k < batches[i]; k++) {
			assert_int_equal(ops[k].fact.key.kind, kinds[taken++]);
			ledger_settle(b->l, &ops[k], 0);
		}
	}
	assert_int_equal(ledger_take(b->l, 0, mixed, ops, ARRAY_SIZE(ops), &next), 0);
}

static void children_are_added_after_their_parent_whatever_came_first(void **state)
{
	struct bench *b = *state;

	bench_claim(b, ADDR, &older);
	bench_claim(b, RS1, &older);
	bench_claim(b, MEMBER, &older);
	bench_claim(b, SET, &older);
	bench_claim(b, VS, &older);
	bench_claim(b, LINK, &older);
	assert_string_equal(bench_run(b, 0),
		"add " LINK "\nadd " SET "\nadd " MEMBER "\nadd " VS "\nadd " RS1 "\nadd " ADDR
		"\n");
}

static void children_wait_while_their_parent_cannot_be_made(void **state)
{
	struct bench *b = *state;

	bench_claim(b, MEMBER, &older);
	assert_string_equal(bench_run(b, 0), "");
	assert_int_equal(b->next, UINT64_MAX);
	bench_claim(b, SET, &older);
	bench_expect(b, 0, "add " SET "\n", -EINVAL);
	assert_string_equal(bench_run(b, 0), "");
	assert_string_equal(bench_run(b, 200), "add " SET "\nadd " MEMBER "\n");
}

static void real_servers_go_with_their_virtual_server(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_release(b, RS1, &older);
	bench_release(b, VS, &older);
	bench_release(b, RS2, &older);
	bench_release(b, RS3, &older);
	assert_string_equal(bench_run(b, 0), "delete " VS "\n");
	assert_int_equal(ledger_counts(b->l).facts, 0);
}

static void a_single_real_server_is_deleted_alone(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_release(b, RS2, &older);
	assert_string_equal(bench_run(b, 0), "delete " RS2 "\n");
	assert_true(bench_unknown(b, RS2));
	assert_true(bench_state(b, RS1).present);
}

static void members_go_with_their_set(void **state)
{
	struct bench *b = *state;

	BENCH_AUDIT(b, SET, MEMBER, MEMBER2);
	assert_string_equal(bench_run(b, 0), "delete " SET "\n");
	assert_int_equal(ledger_counts(b->l).facts, 0);
}

static void a_parent_wanted_again_sends_its_children_one_by_one(void **state)
{
	struct bench *b = *state;

	BENCH_AUDIT(b, VS, RS1, RS2);
	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	assert_string_equal(bench_run(b, 0), "delete " RS2 "\n");
}

static void what_is_wanted_and_there_is_no_work(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	assert_int_equal(BENCH_AUDIT(b, VS, RS1), 2);
	assert_string_equal(bench_run(b, 0), "");
	assert_int_equal(bench_pending(b), 0);
}

/* Conflicts */

static void the_older_claim_wins_and_the_other_is_promoted_when_it_goes(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &younger);
	bench_claim(b, VS_WRR, &older);
	assert_string_equal(bench_run(b, 0), "add " VS_WRR "\n");
	assert_ptr_equal(bench_state(b, VS).claimant, &older);
	bench_release(b, VS, &older);
	assert_string_equal(bench_run(b, 0), "set " VS "\n");
	assert_ptr_equal(bench_state(b, VS).claimant, &younger);
	bench_release(b, VS, &younger);
	assert_string_equal(bench_run(b, 0), "delete " VS "\n");
}

static void equal_ages_are_decided_by_name(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &younger);
	bench_claim(b, VS_WRR, &twin);
	assert_ptr_equal(bench_state(b, VS).claimant, &twin);
	bench_claim(b, VS, &younger);
	assert_ptr_equal(bench_state(b, VS).claimant, &twin);
}

static void claims_of_equal_value_are_no_work_when_one_goes(void **state)
{
	struct bench *b = *state;

	bench_claim(b, ROUTE, &older);
	bench_claim(b, ROUTE, &younger);
	bench_run(b, 0);
	bench_release(b, ROUTE, &older);
	assert_string_equal(bench_run(b, 0), "");
	bench_claim(b, ROUTE, &older);
	bench_release(b, ROUTE, &younger);
	assert_string_equal(bench_run(b, 0), "");
}

static void two_services_never_mix_behind_one_address(void **state)
{
	struct bench *b = *state;

	bench_claim(b, VS, &younger);
	bench_claim(b, RS1, &younger);
	bench_claim(b, RS2, &younger);
	bench_run(b, 0);
	/* An older one takes the address over; RS2 belongs to both. */
	bench_claim(b, VS, &older);
	bench_claim(b, "rs 10.96.0.1:80/TCP 10.1.0.2:8080 weight=7", &older);
	bench_claim(b, RS3, &older);
	assert_string_equal(bench_run(b, 0),
		"add " RS3 "\n"
		"set rs 10.96.0.1:80/TCP 10.1.0.2:8080 weight=7\n"
		"delete " RS1 "\n");
	assert_false(bench_state(b, RS1).wanted);
	bench_release(b, VS, &older);
	bench_release(b, RS2, &older);
	bench_release(b, RS3, &older);
	assert_string_equal(bench_run(b, 0), "add " RS1 "\nset " RS2 "\ndelete " RS3 "\n");
}

static void the_last_claimant_may_keep_a_real_server_of_another(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_release(b, RS1, &older);
	bench_claim(b, RS1_DRAINED, &last);
	assert_string_equal(bench_run(b, 0), "set " RS1_DRAINED "\n");
	/* It comes back: its own claim outranks the other. */
	bench_claim(b, RS1, &older);
	assert_string_equal(bench_run(b, 0), "set " RS1 "\n");
	bench_release(b, RS1, &last);
	assert_string_equal(bench_run(b, 0), "");
}

static void release_by_one_who_claims_nothing_changes_nothing(void **state)
{
	struct bench *b = *state;

	bench_release(b, VS, &older);
	bench_claim(b, VS, &older);
	bench_release(b, VS, &younger);
	assert_string_equal(bench_run(b, 0), "add " VS "\n");
}

static void a_claim_that_comes_and_goes_leaves_nothing(void **state)
{
	struct bench *b = *state;

	bench_claim(b, RS1, &older);
	bench_claim(b, MEMBER, &older);
	bench_release(b, RS1, &older);
	bench_release(b, MEMBER, &older);
	assert_int_equal(ledger_counts(b->l).facts, 0);
	assert_string_equal(bench_run(b, 0), "");
}

static void publishing_claims_and_releases_the_difference_only(void **state)
{
	struct bench *b = *state;
	struct fact before[] = { fixture_fact(VS), fixture_fact(RS1), fixture_fact(RS2) },
		    after[] = { fixture_fact(VS), fixture_fact(RS1_HEAVY), fixture_fact(RS3) };
	struct claims claims = { 0 };

	ledger_publish(b->l, &claims, before, 3, &older);
	assert_string_equal(bench_run(b, 0), "add " VS "\nadd " RS1 "\nadd " RS2 "\n");
	ledger_publish(b->l, &claims, after, 3, &older);
	assert_string_equal(bench_run(b, 0), "add " RS3 "\nset " RS1_HEAVY "\ndelete " RS2 "\n");
	ledger_publish(b->l, &claims, after, 3, &older);
	assert_string_equal(bench_run(b, 0), "");
	assert_true(claims_have(&claims, &after[2].key));
	assert_false(claims_have(&claims, &before[2].key));
	ledger_publish(b->l, &claims, NULL, 0, &older);
	assert_string_equal(bench_run(b, 0), "delete " VS "\n");
	assert_false(claims_have(&claims, &after[2].key));
	claims_done(&claims);
}

static void a_fact_released_and_claimed_again_is_no_work(void **state)
{
	struct bench *b = *state;

	bench_up(b);
	bench_release(b, VS, &older);
	bench_release(b, RS1, &older);
	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	assert_string_equal(bench_run(b, 0), "");
}

/* The drain still wants an address when the backend wants the device no more. */
static void the_device_stays_for_what_is_wanted_on_it(void **state)
{
	struct bench *b = *state;

	BENCH_AUDIT(b, LINK, ADDR, "addr 10.96.0.2");
	bench_claim(b, ADDR, &last);
	assert_string_equal(bench_run(b, 0), "delete addr 10.96.0.2\n");
	bench_release(b, ADDR, &last);
	assert_string_equal(bench_run(b, 0), "delete " LINK "\n");
	assert_true(bench_unknown(b, ADDR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_operation_has_one_step),
		LEDGER_TEST(ports_of_others_addresses_are_taken_before_an_entrance_changes),
		LEDGER_TEST(one_batch_is_of_one_kind_and_type_make_before_break),
		LEDGER_TEST(what_makes_the_state_of_another_proxy_ours_comes_before_what_it_guards),
		LEDGER_TEST(what_vital_claimants_lack_comes_before_all_else),
		LEDGER_TEST(changes_that_others_wait_for_have_no_turn_of_their_own),
		LEDGER_TEST(packets_are_diverted_after_the_making_and_before_the_breaking),
		LEDGER_TEST(
			real_servers_that_drain_get_their_weight_back_before_packets_are_diverted),
		LEDGER_TEST(members_go_in_the_opposite_order),
		LEDGER_TEST(a_batch_is_no_longer_than_asked_for),
		LEDGER_TEST(kinds_of_one_adapter_come_together),
		LEDGER_TEST(children_are_added_after_their_parent_whatever_came_first),
		LEDGER_TEST(children_wait_while_their_parent_cannot_be_made),
		LEDGER_TEST(real_servers_go_with_their_virtual_server),
		LEDGER_TEST(a_single_real_server_is_deleted_alone),
		LEDGER_TEST(members_go_with_their_set),
		LEDGER_TEST(a_parent_wanted_again_sends_its_children_one_by_one),
		LEDGER_TEST(what_is_wanted_and_there_is_no_work),
		LEDGER_TEST(the_older_claim_wins_and_the_other_is_promoted_when_it_goes),
		LEDGER_TEST(equal_ages_are_decided_by_name),
		LEDGER_TEST(claims_of_equal_value_are_no_work_when_one_goes),
		LEDGER_TEST(two_services_never_mix_behind_one_address),
		LEDGER_TEST(the_last_claimant_may_keep_a_real_server_of_another),
		LEDGER_TEST(release_by_one_who_claims_nothing_changes_nothing),
		LEDGER_TEST(a_claim_that_comes_and_goes_leaves_nothing),
		LEDGER_TEST(publishing_claims_and_releases_the_difference_only),
		LEDGER_TEST(a_fact_released_and_claimed_again_is_no_work),
		LEDGER_TEST(the_device_stays_for_what_is_wanted_on_it),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
