// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/core/val_pool.h"

static struct fact_val weight(uint32_t weight)
{
	struct fact_val val = { 0 };

	val.rs.weight = weight;
	return val;
}

static void equal_values_are_one(void **state)
{
	const struct fact_val one = weight(1), same = weight(1), two = weight(2);
	struct val_pool p = { 0 };
	const struct fact_val *a = val_pool_get(&p, &one);

	(void)state;
	assert_int_equal(a->rs.weight, 1);
	assert_ptr_equal(val_pool_get(&p, &same), a);
	assert_ptr_not_equal(val_pool_get(&p, &two), a);
	assert_int_equal(p.vals.count, 2);
	val_pool_done(&p);
}

static void a_value_goes_with_its_last_use(void **state)
{
	const struct fact_val one = weight(1);
	struct val_pool p = { 0 };
	const struct fact_val *a = val_pool_get(&p, &one);

	(void)state;
	val_pool_get(&p, &one);
	val_pool_put(&p, a);
	assert_ptr_equal(val_pool_get(&p, &one), a);
	val_pool_put(&p, a);
	val_pool_put(&p, a);
	assert_int_equal(p.vals.count, 0);
	val_pool_put(&p, NULL);
	val_pool_done(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_values_are_one),
		cmocka_unit_test(a_value_goes_with_its_last_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
