// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/sysctl.h"

static const struct sysctl *find(const struct sysctl *s, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s[i].path, path))
			return &s[i];
	return NULL;
}

static void every_kernel_needs_conntrack_forwarding_and_quick_expiry(void **state)
{
	static const char *const paths[] = { "net/ipv4/vs/conntrack",
		"net/ipv4/vs/expire_nodest_conn", "net/ipv4/vs/expire_quiescent_template",
		"net/ipv4/ip_forward" };
	struct sysctl s[SYSCTL_MAX_WANTED];
	size_t n = sysctl_wanted(3, 10, false, false, s);

	(void)state;
	assert_int_equal(n, ARRAY_SIZE(paths));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct sysctl *one = find(s, n, paths[i]);

		assert_non_null(one);
		assert_int_equal(one->value, 1);
	}
}

static void conn_reuse_mode_is_left_alone_before_4_1(void **state)
{
	struct sysctl s[SYSCTL_MAX_WANTED];
	size_t n = sysctl_wanted(4, 0, false, false, s);

	(void)state;
	assert_null(find(s, n, "net/ipv4/vs/conn_reuse_mode"));
}

/* 0 from 4.1 to 5.8, and not 0 from 5.9 on. */
static void conn_reuse_mode_depends_on_the_kernel(void **state)
{
	static const struct {
		unsigned major, minor;
		long value;
	} cases[] = { { 4, 1, 0 }, { 4, 19, 0 }, { 5, 8, 0 }, { 5, 9, 1 }, { 5, 10, 1 },
		{ 6, 0, 1 }, { 10, 1, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sysctl s[SYSCTL_MAX_WANTED];
		size_t n = sysctl_wanted(cases[i].major, cases[i].minor, false, false, s);
		const struct sysctl *one = find(s, n, "net/ipv4/vs/conn_reuse_mode");

		assert_non_null(one);
		assert_int_equal(one->value, cases[i].value);
		assert_int_equal(one->at_least, cases[i].value);
	}
}

static void ipv6_forwarding_comes_with_ipv6(void **state)
{
	struct sysctl s[SYSCTL_MAX_WANTED];
	size_t n = sysctl_wanted(6, 1, false, true, s);

	(void)state;
	assert_non_null(find(s, n, "net/ipv6/conf/all/forwarding"));
	n = sysctl_wanted(6, 1, false, false, s);
	assert_null(find(s, n, "net/ipv6/conf/all/forwarding"));
}

static void arp_is_touched_only_when_strict(void **state)
{
	struct sysctl s[SYSCTL_MAX_WANTED];
	size_t n = sysctl_wanted(6, 1, true, true, s);

	(void)state;
	assert_int_equal(n, SYSCTL_MAX_WANTED);
	assert_int_equal(find(s, n, "net/ipv4/conf/all/arp_ignore")->value, 1);
	assert_int_equal(find(s, n, "net/ipv4/conf/all/arp_announce")->value, 2);
	n = sysctl_wanted(6, 1, false, true, s);
	assert_null(find(s, n, "net/ipv4/conf/all/arp_ignore"));
}

static void the_iptables_backend_needs_no_ipvs_settings(void **state)
{
	struct sysctl s[SYSCTL_MAX_WANTED];
	size_t n = sysctl_wanted_without_ipvs(true, true, true, s);

	(void)state;
	assert_int_equal(n, 5);
	assert_int_equal(find(s, n, "net/ipv4/ip_forward")->value, 1);
	assert_non_null(find(s, n, "net/ipv6/conf/all/forwarding"));
	assert_non_null(find(s, n, "net/ipv4/conf/all/arp_ignore"));
	assert_int_equal(find(s, n, "net/ipv4/conf/all/route_localnet")->value, 1);
	n = sysctl_wanted_without_ipvs(false, false, false, s);
	assert_int_equal(n, 1);
}

static void a_setting_that_does_not_exist_is_named(void **state)
{
	const struct sysctl s = { "net/ipv4/no_such_setting", 1 };
	struct err err = { 0 };
	long value;

	(void)state;
	assert_int_equal(sysctl_read(s.path, &value), -ENOENT);
	assert_int_equal(sysctl_ensure(&s, &err), -ENOENT);
	assert_string_equal(err.msg, "the kernel has no setting net.ipv4.no_such_setting");
}

static void a_setting_that_is_no_number_is_an_error(void **state)
{
	long value;

	(void)state;
	assert_int_equal(sysctl_read("kernel/ostype", &value), -EINVAL);
}

static void a_right_setting_is_not_written(void **state)
{
	struct sysctl s = { "kernel/pid_max", 0 };
	struct err err;
	long value = 0;

	(void)state;
	assert_int_equal(sysctl_read(s.path, &value), 0);
	assert_true(value > 0);
	s.value = value;
	assert_int_equal(sysctl_ensure(&s, &err), 0);
	s.value--;
	s.at_least = true;
	assert_int_equal(sysctl_ensure(&s, &err), 0);
}

static void the_running_kernel_has_a_version(void **state)
{
	unsigned major, minor;

	(void)state;
	sysctl_kernel_version(&major, &minor);
	assert_true(major >= 3);
}

static void nothing_is_touched_without_settings(void **state)
{
	const struct conntrack_settings none = { 0 };
	struct sysctl s[SYSCTL_MAX_CONNTRACK];
	struct err err;

	(void)state;
	assert_int_equal(sysctl_wanted_conntrack(&none, 8, s), 0);
	assert_int_equal(sysctl_setup_conntrack(&none, NULL, NULL, &err), 0);
}

static void a_minimum_alone_does_not_change_the_limit(void **state)
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
		assert_true(s[0].at_least); /* it is only ever raised */
		assert_string_equal(s[1].path, "/sys/module/nf_conntrack/parameters/hashsize");
		assert_int_equal(s[1].value, cases[i].max / 4);
		assert_true(s[1].at_least);
	}
}

static void each_conntrack_setting_has_its_sysctl(void **state)
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

static void all_conntrack_settings_fit(void **state)
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
		cmocka_unit_test(every_kernel_needs_conntrack_forwarding_and_quick_expiry),
		cmocka_unit_test(conn_reuse_mode_is_left_alone_before_4_1),
		cmocka_unit_test(conn_reuse_mode_depends_on_the_kernel),
		cmocka_unit_test(ipv6_forwarding_comes_with_ipv6),
		cmocka_unit_test(arp_is_touched_only_when_strict),
		cmocka_unit_test(the_iptables_backend_needs_no_ipvs_settings),
		cmocka_unit_test(a_setting_that_does_not_exist_is_named),
		cmocka_unit_test(a_setting_that_is_no_number_is_an_error),
		cmocka_unit_test(a_right_setting_is_not_written),
		cmocka_unit_test(the_running_kernel_has_a_version),
		cmocka_unit_test(nothing_is_touched_without_settings),
		cmocka_unit_test(a_minimum_alone_does_not_change_the_limit),
		cmocka_unit_test(the_limit_grows_with_the_cpus_between_minimum_and_cap),
		cmocka_unit_test(each_conntrack_setting_has_its_sysctl),
		cmocka_unit_test(all_conntrack_settings_fit),
		cmocka_unit_test(a_setting_outside_of_proc_is_named_by_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
