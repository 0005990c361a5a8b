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

static void conn_reuse_mode_is_0_from_4_1_to_5_8(void **state)
{
	static const unsigned versions[][2] = { { 4, 1 }, { 4, 19 }, { 5, 8 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct sysctl s[SYSCTL_MAX_WANTED];
		size_t n = sysctl_wanted(versions[i][0], versions[i][1], false, false, s);
		const struct sysctl *one = find(s, n, "net/ipv4/vs/conn_reuse_mode");

		assert_non_null(one);
		assert_int_equal(one->value, 0);
		assert_false(one->at_least);
	}
}

static void conn_reuse_mode_is_not_0_from_5_9_on(void **state)
{
	static const unsigned versions[][2] = { { 5, 9 }, { 5, 10 }, { 6, 0 }, { 10, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct sysctl s[SYSCTL_MAX_WANTED];
		size_t n = sysctl_wanted(versions[i][0], versions[i][1], false, false, s);
		const struct sysctl *one = find(s, n, "net/ipv4/vs/conn_reuse_mode");

		assert_non_null(one);
		assert_int_equal(one->value, 1);
		assert_true(one->at_least);
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

static void iptables_wants_nothing_of_ipvs(void **state)
{
	struct sysctl s[SYSCTL_MAX_WANTED];
	size_t n = sysctl_wanted_iptables(true, true, true, s);

	(void)state;
	assert_int_equal(n, 5);
	assert_int_equal(find(s, n, "net/ipv4/ip_forward")->value, 1);
	assert_non_null(find(s, n, "net/ipv6/conf/all/forwarding"));
	assert_non_null(find(s, n, "net/ipv4/conf/all/arp_ignore"));
	assert_int_equal(find(s, n, "net/ipv4/conf/all/route_localnet")->value, 1);
	n = sysctl_wanted_iptables(false, false, false, s);
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

static void what_is_not_a_number_is_refused(void **state)
{
	long value;

	(void)state;
	assert_int_equal(sysctl_read("kernel/ostype", &value), -EINVAL);
}

static void a_right_setting_is_not_written(void **state)
{
	struct sysctl s = { "kernel/pid_max", 0 };
	struct err err;

	(void)state;
	assert_int_equal(sysctl_read(s.path, &s.value), 0);
	assert_true(s.value > 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kernel_needs_conntrack_forwarding_and_quick_expiry),
		cmocka_unit_test(conn_reuse_mode_is_left_alone_before_4_1),
		cmocka_unit_test(conn_reuse_mode_is_0_from_4_1_to_5_8),
		cmocka_unit_test(conn_reuse_mode_is_not_0_from_5_9_on),
		cmocka_unit_test(ipv6_forwarding_comes_with_ipv6),
		cmocka_unit_test(arp_is_touched_only_when_strict),
		cmocka_unit_test(iptables_wants_nothing_of_ipvs),
		cmocka_unit_test(a_setting_that_does_not_exist_is_named),
		cmocka_unit_test(what_is_not_a_number_is_refused),
		cmocka_unit_test(a_right_setting_is_not_written),
		cmocka_unit_test(the_running_kernel_has_a_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
