/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_RULE_TEXT_H
#define TEST_RULE_TEXT_H

#include "core/rule_pool.h"
#include "kernel/iptables_text.h"

/* For tests that write and compare rules as text; needs cmocka.h and kernel_dep. */

/* Rules from lines as iptables-save prints them, all of one chain or hook. */
static inline void rule_text_read(const char *lines, int family, struct rule_list *ret)
{
	struct iptables_rule rule = { 0 };
	struct iptables_line line;

	while (iptables_next_line(&lines, &line)) {
		assert_int_equal(line.type, IPTABLES_LINE_RULE);
		iptables_parse_rule(line.rule, line.len, family, &rule);
		if (!rule.readable)
			fail_msg("cannot read %.*s", (int)line.len, line.rule);
		rule_list_add(ret, &rule.rule);
	}
	iptables_rule_done(&rule);
}

/* Puts them into the pool; returns their hash. */
static inline uint64_t rule_text_put(struct rule_pool *pool, int family, const char *lines)
{
	struct rule_list list = { 0 };
	uint64_t hash;

	rule_text_read(lines, family, &list);
	hash = rule_pool_put(pool, &list);
	rule_list_done(&list);
	return hash;
}

/* Appends the rules of a chain, which the pool must have, in lines. */
static inline void rule_text_print(
	struct buf *b, const struct rule_pool *pool, const struct fact *chain)
{
	const struct rule_list *rules = rule_pool_get(pool, chain->val.chain.rules);

	assert_non_null(rules);
	iptables_print_rules(b, chain->key.family,
		chain->key.kind == FACT_JUMP ? hook_name(chain->key.port) : chain->key.name, rules);
}

#endif
