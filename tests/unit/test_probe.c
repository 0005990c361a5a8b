// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake/kernel.h"
#include "kernel/probe.h"

/* What trials leave that are killed. */
static const char *const left[] = { "vs fwmark:2147483646/IPv4 rr",
	"rs fwmark:2147483646/IPv4 192.0.2.1:20000 weight=1", "vs fwmark:2147483647/IPv4 sh" };

static const char other[] = "vs 10.96.0.1:80/TCP rr";

static int setup(void **state)
{
	struct fake_kernel *k = new0(struct fake_kernel);

	fake_kernel_init(k);
	fake_kernel_put(k, other);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	fake_kernel_done(*state);
	free(*state);
	return 0;
}

static void a_trial_leaves_nothing(void **state)
{
	struct fake_kernel *k = *state;
	struct err err;

	assert_int_equal(probe_servers(&k->adapter, "rr", &err), 0);
	assert_int_equal(k->done[FACT_VS][OP_ADD], 1);
	assert_int_equal(k->done[FACT_RS][OP_ADD], 1);
	assert_int_equal(k->n_facts, 1);
	assert_true(fake_kernel_has(k, other));
}

static void what_a_killed_trial_left_does_not_disturb_the_next(void **state)
{
	struct fake_kernel *k = *state;
	struct err err;

	/* Killed after each of its operations. */
	for (size_t n = 1; n <= ARRAY_SIZE(left); n++) {
		for (size_t i = 0; i < n; i++)
			fake_kernel_put(k, left[i]);
		assert_int_equal(probe_servers(&k->adapter, "rr", &err), 0);
		assert_int_equal(k->n_facts, 1);
	}
}

static void it_is_deleted_at_the_start(void **state)
{
	struct fake_kernel *k = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		fake_kernel_put(k, left[i]);
	assert_int_equal(probe_clean(&k->adapter, &err), 0);
	assert_int_equal(k->n_facts, 1);
	assert_int_equal(probe_clean(&k->adapter, &err), 0);
}

static void a_virtual_server_of_somebody_else_stays(void **state)
{
	struct fake_kernel *k = *state;
	struct err err;

	fake_kernel_put(k, left[0]);
	fake_kernel_put(k, "rs fwmark:2147483646/IPv4 10.1.2.3:80 weight=1");
	assert_int_equal(probe_clean(&k->adapter, &err), 0);
	assert_int_equal(k->n_facts, 3);
	/* It shows that the kernel has IPVS. */
	assert_int_equal(probe_servers(&k->adapter, "rr", &err), 0);
	assert_int_equal(k->n_facts, 3);
}

static int refuse_servers(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_ADD && op->fact.key.kind == FACT_RS ? -EINVAL : 0;
}

static int refuse_all(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_ADD ? -EPERM : 0;
}

static void a_refusal_is_told(void **state)
{
	struct fake_kernel *k = *state;
	struct err err;

	k->fault = refuse_servers;
	assert_int_equal(probe_servers(&k->adapter, "rr", &err), -EINVAL);
	assert_string_equal(err.msg, "IPVS refuses a real server: Invalid argument");
	assert_int_equal(k->n_facts, 1);
	k->no_scheduler = "sed";
	assert_int_equal(probe_servers(&k->adapter, "sed", &err), -EPROTONOSUPPORT);
	assert_string_equal(err.msg, "the kernel has no IPVS scheduler \"sed\" (module ip_vs_sed)");
	k->fault = refuse_all;
	assert_int_equal(probe_servers(&k->adapter, "rr", &err), -EPERM);
	assert_string_equal(err.msg, "IPVS refuses a virtual server: Operation not permitted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_trial_leaves_nothing),
		TEST(what_a_killed_trial_left_does_not_disturb_the_next),
		TEST(it_is_deleted_at_the_start),
		TEST(a_virtual_server_of_somebody_else_stays),
		TEST(a_refusal_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
