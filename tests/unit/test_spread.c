// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/endpoints.h"
#include "core/spread.h"

static void a_spread_is_named_by_its_chain(void **state)
{
	static const struct {
		struct spread spread;
		const char *name;
	} rows[] = {
		{ { 1, SPREAD_ENTRY, 0, 0 }, "KUBE-SPREAD-1" },
		{ { 4095, SPREAD_ENTRY, 0, 0 }, "KUBE-SPREAD-4095" },
		{ { 0, SPREAD_ENTRY, 0, 0 }, "nowhere" },
		{ { 3, SPREAD_ENTRY | SPREAD_LOCAL, 0, 0 }, "KUBE-SPREAD-3-L" },
		{ { 3, SPREAD_ENTRY | SPREAD_MASQUERADE, 0, 60 }, "KUBE-SPREAD-3-M-60" },
		{ { 3, SPREAD_ENTRY | SPREAD_NODE_PORT, 0, 0 }, "KUBE-SPREAD-3-P" },
		{ { 4095, SPREAD_ENTRY | SPREAD_FLAGS, 0, 131071 }, "KUBE-SPREAD-4095-LMP-131071" },
		{ { 3, SPREAD_ENTRY, 0, 10800 }, "KUBE-SPREAD-3-10800" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[CHAIN_NAME_LEN + 1];
		struct spread read;

		assert_string_equal(spread_chain_name(&rows[i].spread, name), rows[i].name);
		assert_true(spread_chain_parse(name, &read));
		assert_memory_equal(&read, &rows[i].spread, sizeof(read));
	}
}

static void other_names_are_of_no_spread(void **state)
{
	static const char *const rows[] = { "", "KUBE-SPREAD-", "KUBE-SPREAD-0", "KUBE-SPREAD-01",
		"KUBE-SPREAD-4096", "KUBE-SPREAD-1-131072", "KUBE-SPREAD-1-", "KUBE-SPREAD-1-ML",
		"KUBE-SPREAD-1-X", "KUBE-SPREAD-1-L-", "KUBE-SPREAD-1-0", "KUBE-SPREAD--1",
		"KUBE-SPREAD-1-L-1x", "KUBE-SVC-XPGD46QRK7WJZT7O",
		"KUBE-SPREAD-1-L-4294967296111111" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spread read;

		if (spread_chain_parse(rows[i], &read))
			fail_msg("%s", rows[i]);
	}
}

static void assert_shares(const uint32_t *weights, size_t n, const char *expected)
{
	struct candidate eps[8] = { 0 };
	struct endpoint_list l = { .eps = eps, .n = n };
	uint16_t slots[8], sum = 0;
	char text[80] = "";

	for (size_t i = 0; i < n; i++) {
		eps[i].weight = weights[i];
		eps[i].in_cluster = true;
	}
	assert_true(spread_share(&l, false, slots) == 0 || n);
	for (size_t i = 0; i < n; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "",
			slots[i]);
		sum = (uint16_t)(sum + slots[i]);
	}
	assert_string_equal(text, expected);
	assert_int_equal(spread_share(&l, false, slots), sum);
	assert_int_equal(spread_share(&l, true, slots), 0);
}

static void endpoints_have_slots_in_proportion_to_their_weights(void **state)
{
	(void)state;
	assert_shares(NULL, 0, "");
	assert_shares((uint32_t[]){ 100, 100, 100 }, 3, "1 1 1");
	assert_shares((uint32_t[]){ 100, 50, 0 }, 3, "2 1 0");
	assert_shares((uint32_t[]){ 0, 0 }, 2, "0 0");
	assert_shares((uint32_t[]){ 839, 1 }, 2, "839 1");
	/* Where the exact shares take too many slots, they are rounded, and never to nothing. */
	assert_shares((uint32_t[]){ 65535, 1 }, 2, "840 1");
	assert_shares((uint32_t[]){ 1001, 1000 }, 2, "420 420");
}

static void many_endpoints_have_a_slot_each(void **state)
{
	const size_t n = 6000;
	_cleanup_free_ struct candidate *eps = mem_zalloc(n, sizeof(*eps));
	_cleanup_free_ uint16_t *slots = mem_zalloc(n, sizeof(*slots));
	struct endpoint_list l = { .eps = eps, .n = 4000 };

	(void)state;
	for (size_t i = 0; i < n; i++) {
		eps[i].weight = 1;
		eps[i].in_local = true;
	}
	assert_int_equal(spread_share(&l, true, slots), 4000);
	l.n = n;
	assert_int_equal(spread_share(&l, true, slots), SPREAD_SLOTS);
	assert_int_equal(slots[SPREAD_SLOTS - 1], 1);
	assert_int_equal(slots[SPREAD_SLOTS], 0);

	/* A heavy one leaves the others a slot each. */
	l.n = SPREAD_SLOTS;
	eps[0].weight = 65535;
	assert_int_equal(spread_share(&l, true, slots), SPREAD_SLOTS);
	for (size_t i = 0; i < SPREAD_SLOTS; i++)
		assert_int_equal(slots[i], 1);
	l.n = 3000;
	assert_int_equal(spread_share(&l, true, slots), SPREAD_SLOTS);
	assert_int_equal(slots[0], SPREAD_SLOTS - 2999);
	assert_int_equal(slots[2999], 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spread_is_named_by_its_chain),
		cmocka_unit_test(other_names_are_of_no_spread),
		cmocka_unit_test(endpoints_have_slots_in_proportion_to_their_weights),
		cmocka_unit_test(many_endpoints_have_a_slot_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
