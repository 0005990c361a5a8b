// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/sysctl.h"

static void nothing_is_touched_without_settings(void **state)
{
	const struct conntrack_settings none = { 0 };
	struct sysctl s[SYSCTL_MAX_CONNTRACK];
	struct err err;

	(void)state;
	assert_int_equal(sysctl_wanted_conntrack(&none, 8, s), 0);
	assert_int_equal(sysctl_setup_conntrack(&none, &err), 0);
}

static void a_minimum_alone_leaves_the_limit(void **state)
{
	const struct conntrack_settings c = { .min = 131072 };
	struct sysctl s[SYSCTL_MAX_CONNTRACK];

	(void)state;
	assert_int_equal(sysctl_wanted_conntrack(&c, 8, s), 0);
}

static void the_limit_grows_with_the_cpus_between_minimum_and_cap(void **state)
{
	static const struct {
		uint32_t per_core, min;
		unsigned cpus;
		long max;
	} cases[] = {
		{ 32768, 131072, 1, 131072 },
		{ 32768, 131072, 4, 131072 },
		{ 32768, 131072, 5, 163840 },
		{ 10, 0, 3, 30 },
		{ 10, 31, 3, 31 },
		{ 32768, 131072, 32, 1048576 },
		{ 32768, 131072, 512, 1048576 },
		{ 32768, 2000000, 1, 2000000 },
		{ 32768, 2000000, 512, 2000000 },
		{ INT32_MAX, INT32_MAX, 4096, INT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct conntrack_settings c = { .max_per_core = cases[i].per_core,
			.min = cases[i].min };
		struct sysctl s[SYSCTL_MAX_CONNTRACK];

		assert_int_equal(sysctl_wanted_conntrack(&c, cases[i].cpus, s), 2);
		assert_string_equal(s[0].path, "net/netfilter/nf_conntrack_max");
		assert_int_equal(s[0].value, cases[i].max);
		assert_false(s[0].at_least);
		assert_string_equal(s[1].path, "/sys/module/nf_conntrack/parameters/hashsize");
		assert_int_equal(s[1].value, cases[i].max / 4);
		assert_true(s[1].at_least);
	}
}

static void each_setting_is_one_of_the_kernels(void **state)
{
	static const struct {
		struct conntrack_settings settings;
		const char *path;
		long value;
	} cases[] = {
		{ { .tcp_established_timeout = 86400 },
			"net/netfilter/nf_conntrack_tcp_timeout_established", 86400 },
		{ { .tcp_close_wait_timeout = 3600 },
			"net/netfilter/nf_conntrack_tcp_timeout_close_wait", 3600 },
		{ { .tcp_be_liberal = true }, "net/netfilter/nf_conntrack_tcp_be_liberal", 1 },
		{ { .udp_timeout = 30 }, "net/netfilter/nf_conntrack_udp_timeout", 30 },
		{ { .udp_stream_timeout = 180 }, "net/netfilter/nf_conntrack_udp_timeout_stream",
			180 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sysctl s[SYSCTL_MAX_CONNTRACK];

		assert_int_equal(sysctl_wanted_conntrack(&cases[i].settings, 1, s), 1);
		assert_string_equal(s[0].path, cases[i].path);
		assert_int_equal(s[0].value, cases[i].value);
		assert_false(s[0].at_least);
	}
}

static void all_settings_fit(void **state)
{
	const struct conntrack_settings all = { 32768, 131072, 1, 2, 3, 4, true };
	struct sysctl s[SYSCTL_MAX_CONNTRACK];

	(void)state;
	assert_int_equal(sysctl_wanted_conntrack(&all, 2, s), SYSCTL_MAX_CONNTRACK);
}

static void a_setting_outside_of_proc_is_named_by_its_path(void **state)
{
	const struct sysctl s = { "/sys/module/no_such_module/parameters/x", 1 };
	struct err err = { 0 };

	(void)state;
	assert_true(sysctl_ensure(&s, &err) < 0);
	assert_string_equal(
		err.msg, "the kernel has no setting /sys/module/no_such_module/parameters/x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_touched_without_settings),
		cmocka_unit_test(a_minimum_alone_leaves_the_limit),
		cmocka_unit_test(the_limit_grows_with_the_cpus_between_minimum_and_cap),
		cmocka_unit_test(each_setting_is_one_of_the_kernels),
		cmocka_unit_test(all_settings_fit),
		cmocka_unit_test(a_setting_outside_of_proc_is_named_by_its_path),
	};

	return cmocka_run_group_tests_name("sysctl conntrack", tests, NULL, NULL);
}
