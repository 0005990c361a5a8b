// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in a network and a mount namespace of its own. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "kernel/sysctl.h"
#include "kernel_test.h"

static const struct sysctl off = { "net/ipv4/ip_forward", 0 };
static const struct sysctl on = { "net/ipv4/ip_forward", 1 };

static void a_wrong_setting_is_changed_once(void **state)
{
	struct err err;
	long value = -1;

	(void)state;
	assert_true(sysctl_ensure(&off, &err) >= 0);
	assert_int_equal(sysctl_ensure(&on, &err), 1);
	assert_int_equal(sysctl_ensure(&on, &err), 0);
	assert_int_equal(sysctl_read(on.path, &value), 0);
	assert_int_equal(value, 1);
}

static void a_greater_value_can_be_right(void **state)
{
	const struct sysctl two = { "net/ipv4/conf/all/arp_announce", 2 };
	const struct sysctl one = { "net/ipv4/conf/all/arp_announce", 1 };
	struct sysctl at_least = one;
	struct err err;

	(void)state;
	at_least.at_least = true;
	assert_true(sysctl_ensure(&two, &err) >= 0);
	assert_int_equal(sysctl_ensure(&at_least, &err), 0);
	assert_int_equal(sysctl_ensure(&one, &err), 1);
}

static void a_read_only_setting_is_an_error_only_if_it_is_wrong(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_true(sysctl_ensure(&on, &err) >= 0);
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(sysctl_ensure(&on, &err), 0);
	assert_int_equal(sysctl_ensure(&off, &err), -EROFS);
	assert_string_equal(err.msg,
		"net.ipv4.ip_forward is 1, must be 0 and cannot be written: "
		"Read-only file system");
	umount("/proc/sys");
}

static void all_settings_are_tried_and_the_first_failure_is_reported(void **state)
{
	struct sysctl wanted[SYSCTL_MAX_WANTED];
	struct err err = { 0 };
	long value = -1;
	int r;

	(void)state;
	assert_true(sysctl_ensure(&off, &err) >= 0);
	r = sysctl_setup(wanted, sysctl_wanted(6, 1, true, false, wanted), &err);
	if (sysctl_read("net/ipv4/vs/conntrack", &value)) {
		assert_int_equal(r, -ENOENT);
		assert_string_equal(err.msg, "the kernel has no setting net.ipv4.vs.conntrack");
	} else {
		assert_int_equal(r, 0);
	}
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(sysctl_read("net/ipv4/conf/all/arp_announce", &value), 0);
	assert_int_equal(value, 2);
}

static void collect(const struct err *why, void *arg)
{
	buf_addf(arg, "%s\n", why->msg);
}

/* Where the limit belongs to the whole machine, and in a network namespace of its own. */
static void conntrack_settings_are_written_beside_a_limit_that_cannot_be(void **state)
{
	const char *const liberal = "net/netfilter/nf_conntrack_tcp_be_liberal";
	struct conntrack_settings c = {
		.tcp_established_timeout = 4321, .udp_timeout = 43, .tcp_be_liberal = true
	};
	_cleanup_(buf_done) struct buf told = { 0 };
	struct err err = { 0 };
	long value = -1, max = 0;

	(void)state;
	if (sysctl_read(liberal, &value)) {
		assert_int_equal(sysctl_setup_conntrack(&c, collect, &told, &err), -ENOENT);
		return;
	}
	assert_int_equal(sysctl_setup_conntrack(&c, collect, &told, &err), 0);
	assert_int_equal(sysctl_setup_conntrack(&c, collect, &told, &err), 0);
	assert_int_equal(sysctl_read(liberal, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(
		sysctl_read("net/netfilter/nf_conntrack_tcp_timeout_established", &value), 0);
	assert_int_equal(value, 4321);

	/* A larger one stays. */
	assert_int_equal(sysctl_read("net/netfilter/nf_conntrack_max", &max), 0);
	c = (struct conntrack_settings){ .max_per_core = 1, .min = 5 };
	assert_int_equal(sysctl_setup_conntrack(&c, collect, &told, &err), 0);
	assert_string_equal(buf_str(&told), "");
	assert_int_equal(sysctl_read("net/netfilter/nf_conntrack_max", &value), 0);
	assert_int_equal(value, max);

	c = (struct conntrack_settings){
		.max_per_core = 1, .min = (uint32_t)max + 1, .udp_stream_timeout = 77
	};
	assert_int_equal(sysctl_setup_conntrack(&c, collect, &told, &err), 0);
	assert_non_null(strstr(buf_str(&told), "net.netfilter.nf_conntrack_max is "));
	assert_non_null(strstr(buf_str(&told),
		"; it belongs to the initial network namespace: write it there, or give "
		"--conntrack-max-per-core=0\n"));
	assert_int_equal(sysctl_read("net/netfilter/nf_conntrack_udp_timeout_stream", &value), 0);
	assert_int_equal(value, 77);
}

static void a_read_only_sys_is_a_warning(void **state)
{
	static const char path[] = "/sys/module/nf_conntrack/parameters";
	struct conntrack_settings c = { .max_per_core = 1 };
	_cleanup_(buf_done) struct buf told = { 0 };
	struct err err = { 0 };
	long buckets;
	int r;

	(void)state;
	if (sysctl_read("/sys/module/nf_conntrack/parameters/hashsize", &buckets))
		return;
	c.min = (uint32_t)buckets * 4 + 4;
	assert_int_equal(mount(path, path, NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	r = sysctl_setup_conntrack(&c, collect, &told, &err);
	umount(path);
	assert_int_equal(r, 0);
	assert_non_null(strstr(buf_str(&told), "hashsize is "));
	assert_non_null(strstr(buf_str(&told), "Read-only file system; the table of connections"));
}

static void a_time_out_that_cannot_be_written_is_a_failure_with_a_remedy(void **state)
{
	const struct conntrack_settings c = { .tcp_established_timeout = 1234 };
	_cleanup_(buf_done) struct buf told = { 0 };
	struct err err = { 0 };
	long value;
	int r;

	(void)state;
	if (sysctl_read("net/netfilter/nf_conntrack_tcp_timeout_established", &value))
		return;
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	r = sysctl_setup_conntrack(&c, collect, &told, &err);
	umount("/proc/sys");
	assert_int_equal(r, -EROFS);
	assert_int_equal(err.code, -EROFS);
	assert_non_null(strstr(err.msg, "; write it beforehand (ipvsctl-svcd --init-only), or "));
	assert_string_equal(buf_str(&told), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_setting_is_changed_once),
		cmocka_unit_test(a_greater_value_can_be_right),
		cmocka_unit_test(a_read_only_setting_is_an_error_only_if_it_is_wrong),
		cmocka_unit_test(all_settings_are_tried_and_the_first_failure_is_reported),
		cmocka_unit_test(conntrack_settings_are_written_beside_a_limit_that_cannot_be),
		cmocka_unit_test(a_read_only_sys_is_a_warning),
		cmocka_unit_test(a_time_out_that_cannot_be_written_is_a_failure_with_a_remedy),
	};

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		kernel_skip_all("test_sysctl_kernel",
			"creating namespaces is not permitted: run it as root");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
