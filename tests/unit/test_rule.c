// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/rule_pool.h"

static struct rule jump_rule(const char *chain)
{
	return (struct rule){ .match = { { MATCH_PROTOCOL, .protocol = IPPROTO_TCP } },
		.target = jump_to(chain) };
}

static uint64_t hash_of(const struct rule_list *l)
{
	return rule_list_hash(HASH_EMPTY, l);
}

static void rules_come_back_in_their_order(void **state)
{
	_cleanup_(rule_list_done) struct rule_list l = { 0 };
	const struct cidr net = { .ip = { .family = AF_INET, .bytes = { 10, 96 } }, .len = 12 };
	struct rule first = { .match = { match_net(MATCH_SOURCE, &net),
				      match_set(SET_CLUSTER_IP, DIRS_DST_DST) },
		.target = { .type = TARGET_MARK, .mark = { 0x4000, 0x4000 } },
		.comment = "first" };
	const struct rule second = jump_rule("B");
	struct rule r;
	size_t at = 0;

	(void)state;
	first.match[0].negated = true;
	rule_list_add(&l, &first);
	rule_list_add(&l, &second);
	assert_int_equal(l.n, 2);
	assert_true(rule_list_next(&l, &at, &r));
	assert_string_equal(r.comment, "first");
	assert_int_equal(r.match[0].type, MATCH_SOURCE);
	assert_true(r.match[0].negated);
	assert_true(ip_eq(&r.match[0].net.ip, &net.ip));
	assert_int_equal(r.match[0].net.mask[1], 0xf0);
	assert_true(rule_has_set(&r, SET_CLUSTER_IP));
	assert_false(rule_has_set(&r, SET_EXTERNAL_IP));
	assert_int_equal(r.match[2].type, MATCH_ANY);
	assert_int_equal(r.target.mark.mask, 0x4000);
	assert_true(rule_list_next(&l, &at, &r));
	assert_null(r.comment);
	assert_string_equal(r.target.chain, "B");
	assert_false(rule_list_next(&l, &at, &r));
	assert_true(rule_list_leads_to(&l, "B"));
	assert_false(rule_list_leads_to(&l, "A"));
}

static void a_rule_has_room_for_so_many_matches(void **state)
{
	const struct rule_match m = { MATCH_STATES, .states = STATE_NEW };
	struct rule r = { 0 };

	(void)state;
	for (int i = 0; i < RULE_MATCHES; i++)
		assert_true(rule_add_match(&r, m));
	assert_false(rule_add_match(&r, m));
}

static void free_places_among_matches_count_nothing(void **state)
{
	_cleanup_(rule_list_done) struct rule_list a = { 0 }, b = { 0 };
	const struct rule_match m = { MATCH_STATES, .states = STATE_NEW };

	(void)state;
	rule_list_add(&a, &(struct rule){ .match = { m, m }, .target = to_drop });
	rule_list_add(&b,
		&(struct rule){
			.match = { match_any, m, match_any, m, match_any }, .target = to_drop });
	assert_int_equal(hash_of(&a), hash_of(&b));
}

static void equal_rules_have_equal_hashes(void **state)
{
	_cleanup_(rule_list_done) struct rule_list a = { 0 }, b = { 0 }, both = { 0 };
	const struct rule x = jump_rule("X"), y = jump_rule("Y");

	(void)state;
	assert_int_equal(hash_of(&a), HASH_EMPTY);
	rule_list_add(&a, &x);
	rule_list_add(&b, &y);
	rule_list_add(&both, &x);
	rule_list_add(&both, &y);
	assert_int_not_equal(hash_of(&a), hash_of(&b));
	assert_int_equal(rule_list_hash(hash_of(&a), &b), hash_of(&both));
	rule_list_reset(&b);
	rule_list_add(&b, &x);
	assert_int_equal(hash_of(&a), hash_of(&b));
}

static void a_sweep_leaves_what_is_marked(void **state)
{
	_cleanup_(rule_pool_done) struct rule_pool p = { 0 };
	_cleanup_(rule_list_done) struct rule_list l = { 0 };
	uint64_t kept = rule_pool_put(&p, &l), gone;
	const struct rule rule = jump_rule("X");

	(void)state;
	rule_list_add(&l, &rule);
	gone = rule_pool_put(&p, &l);
	assert_int_equal(rule_pool_put(&p, &l), gone);
	assert_int_equal(p.lists.count, 2);
	assert_int_equal(rule_pool_get(&p, kept)->n, 0);
	assert_int_equal(hash_of(rule_pool_get(&p, gone)), gone);
	rule_pool_mark(&p, kept);
	rule_pool_mark(&p, 1);
	rule_pool_sweep(&p);
	assert_non_null(rule_pool_get(&p, kept));
	assert_null(rule_pool_get(&p, gone));
	rule_pool_sweep(&p);
	assert_int_equal(p.lists.count, 0);
}

static void a_pool_is_ripe_when_it_has_doubled(void **state)
{
	_cleanup_(rule_pool_done) struct rule_pool p = { 0 };
	_cleanup_(rule_list_done) struct rule_list l = { 0 };
	const struct rule rule = jump_rule("X");
	size_t n = 0;

	(void)state;
	assert_false(rule_pool_is_ripe(&p));
	for (; !rule_pool_is_ripe(&p); n++) {
		rule_list_add(&l, &rule);
		rule_pool_mark(&p, rule_pool_put(&p, &l));
	}
	rule_pool_sweep(&p);
	assert_int_equal(p.lists.count, n);
	for (size_t i = 0; i < n; i++) {
		assert_false(rule_pool_is_ripe(&p));
		rule_list_add(&l, &rule);
		rule_pool_put(&p, &l);
	}
	assert_true(rule_pool_is_ripe(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_come_back_in_their_order),
		cmocka_unit_test(a_rule_has_room_for_so_many_matches),
		cmocka_unit_test(free_places_among_matches_count_nothing),
		cmocka_unit_test(equal_rules_have_equal_hashes),
		cmocka_unit_test(a_sweep_leaves_what_is_marked),
		cmocka_unit_test(a_pool_is_ripe_when_it_has_doubled),
	};

	return cmocka_run_group_tests_name("rule", tests, NULL, NULL);
}
