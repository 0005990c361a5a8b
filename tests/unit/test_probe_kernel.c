// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, with IPVS or without. */
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/ipvs.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"
#include "kernel_test.h"

enum { NOBODY = 65534 };

static bool kernel_has_ipvs(void)
{
	struct adapter *a;

	if (ipvs_new(&a, NULL))
		return false;
	ipvs_free(a);
	return true;
}

static void count(const struct fact *f, void *arg)
{
	(void)f;
	++*(size_t *)arg;
}

static size_t count_virtual_servers(void)
{
	struct adapter *a;
	struct err err;
	size_t n = 0;

	assert_int_equal(ipvs_new(&a, &err), 0);
	assert_int_equal(a->dump(a, FACT_VS, count, &n, &err), 0);
	ipvs_free(a);
	return n;
}

static void ipvs_works_or_is_missing(void **state)
{
	struct err err = { 0 };
	int r = probe_ipvs("rr", &err);

	(void)state;
	if (!kernel_has_ipvs()) {
		assert_int_equal(r, -ENOENT);
		assert_memory_equal(err.msg, "the kernel has no IPVS (module ip_vs)", 37);
		return;
	}
	if (r)
		fail_msg("%s", err.msg);
	assert_int_equal(count_virtual_servers(), 0);
}

static void keep_capabilities(uint32_t mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { mask, mask, mask }, { 0 } };

	if (syscall(SYS_capset, &header, data))
		abort();
}

static void leave_servers(void)
{
	static const char *const left[] = { "vs fwmark:2147483646/IPv4 rr",
		"rs fwmark:2147483646/IPv4 192.0.2.1:20000 weight=1",
		"vs fwmark:2147483647/IPv4 sh" };
	struct adapter *a;
	struct err err;

	assert_int_equal(ipvs_new(&a, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		kernel_apply(a, OP_ADD, kernel_fact(left[i]), 0);
	ipvs_free(a);
}

static void clean_servers(void)
{
	struct adapter *a;
	struct err err;

	assert_int_equal(ipvs_new(&a, &err), 0);
	assert_int_equal(probe_clean(a, &err), 0);
	ipvs_free(a);
}

/* The words of both trials in a process of its own, in this namespace or in one of theirs; "": both
 * succeeded. */
static const char *words_of_trial(bool here, struct err *ret)
{
	int fd[2], n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		memset(ret, 0, sizeof(*ret));
		if (here)
			keep_capabilities(1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW);
		if (!probe_ipvs("rr", ret))
			probe_scheduler("rr", ret);
		_exit(write(fd[1], ret, sizeof(*ret)) < 0);
	}
	n = (int)read(fd[0], ret, sizeof(*ret));
	close(fd[0]);
	close(fd[1]);
	waitpid(pid, NULL, 0);
	assert_int_equal(n, sizeof(*ret));
	return ret->msg;
}

/* Without CAP_SYS_ADMIN the trial takes place here, where a killed one has left its servers. */
static void a_killed_trial_decides_nothing_and_leaves_nothing(void **state)
{
	struct err err = { 0 };

	(void)state;
	if (!kernel_has_ipvs())
		return;
	free(RUN(NULL, "ip", "link", "set", "lo", "up")); /* IPVS wants a route */
	leave_servers();
	assert_int_equal(count_virtual_servers(), 2);
	assert_string_equal(words_of_trial(true, &err), "");
	assert_int_equal(count_virtual_servers(), 0);

	/* With it the trial takes place elsewhere, and the start of the daemon cleans. */
	leave_servers();
	assert_string_equal(words_of_trial(false, &err), "");
	assert_int_equal(count_virtual_servers(), 2);
	clean_servers();
	assert_int_equal(count_virtual_servers(), 0);
}

static void known_and_unknown_schedulers_are_distinguished(void **state)
{
	struct err err = { 0 };
	unsigned mask = 0;
	int r = probe_scheduler("nosuch", &err);

	(void)state;
	if (!kernel_has_ipvs()) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	if (r)
		fail_msg("%s", err.msg);
	assert_int_equal(probe_scheduler("rr", &err), 1);
	assert_int_equal(probe_schedulers(&mask, &err), 0);
	for (unsigned i = 0; known_schedulers[i]; i++)
		if (!strcmp(known_schedulers[i], "rr"))
			assert_true(mask & 1u << i);
	assert_int_equal(count_virtual_servers(), 0);
}

static ino_t network_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

static void the_caller_keeps_its_namespace(void **state)
{
	ino_t before = network_namespace();
	struct err err;

	(void)state;
	probe_ipvs("rr", &err);
	assert_true(before != 0);
	assert_int_equal(network_namespace(), before);
}

static void root_has_the_capabilities(void **state)
{
	struct err err = { 0 };

	(void)state;
	if (probe_capabilities(&err))
		fail_msg("%s", err.msg);
}

/* The words of probe_capabilities() in a process of its own that `prepare` changed; "": none. */
static const char *words_after(void (*prepare)(void), struct err *ret)
{
	int fd[2], n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		memset(ret, 0, sizeof(*ret));
		prepare();
		probe_capabilities(ret);
		_exit(write(fd[1], ret, sizeof(*ret)) < 0);
	}
	n = (int)read(fd[0], ret, sizeof(*ret));
	close(fd[0]);
	close(fd[1]);
	waitpid(pid, NULL, 0);
	assert_int_equal(n, sizeof(*ret));
	return ret->msg;
}

static void become_nobody(void)
{
	if (setresuid(NOBODY, NOBODY, NOBODY))
		abort();
}

static void lose_net_raw(void)
{
	keep_capabilities(1u << CAP_NET_ADMIN);
}

static void become_nobody_with_capabilities(void)
{
	prctl(PR_SET_KEEPCAPS, 1);
	become_nobody();
	keep_capabilities(1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW);
}

static void become_nobody_with_ambient_capabilities(void)
{
	become_nobody_with_capabilities();
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);
}

static void enter_user_namespace(void)
{
	if (unshare(CLONE_NEWUSER))
		_exit(1);
}

static void missing_capabilities_are_named(void **state)
{
	struct err err;

	(void)state;
	assert_string_equal(words_after(become_nobody, &err),
		"CAP_NET_ADMIN is missing: run as root, or with "
		"AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in systemd");
	assert_non_null(strstr(words_after(lose_net_raw, &err), "CAP_NET_RAW is missing: "));
	assert_non_null(strstr(words_after(become_nobody_with_capabilities, &err),
		"CAP_NET_ADMIN is not ambient, so iptables would not have it: "));
	assert_string_equal(words_after(become_nobody_with_ambient_capabilities, &err), "");
}

static void capabilities_in_a_user_namespace_do_not_count(void **state)
{
	pid_t pid = fork();
	struct err err;
	int status;

	(void)state;
	if (!pid) {
		enter_user_namespace();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status) {
		fputs("\nSKIPPED: capabilities_in_a_user_namespace_do_not_count: not even root may create a user "
		      "namespace here\n\n",
			stderr);
		return;
	}
	assert_non_null(strstr(words_after(enter_user_namespace, &err),
		"CAP_NET_ADMIN is held in a user namespace only"));
}

static void ipv6_is_served_unless_it_is_disabled(void **state)
{
	const struct sysctl disable = { "net/ipv6/conf/all/disable_ipv6", 1 };
	struct err err;
	long value;

	(void)state;
	assert_true(probe_family(NETFILTER_IPTABLES, AF_INET, NULL));
	if (sysctl_read(disable.path, &value)) {
		assert_false(probe_family(NETFILTER_IPTABLES, AF_INET6, NULL));
		return;
	}
	assert_true(probe_family(NETFILTER_IPTABLES, AF_INET6, NULL));
	assert_int_equal(sysctl_ensure(&disable, &err), 1);
	assert_false(probe_family(NETFILTER_IPTABLES, AF_INET6, NULL));
	assert_true(probe_family(NETFILTER_IPTABLES, AF_INET, NULL));
}

/* An iptables that says this of everything that it is asked to do. */
static void write_program(const char *path, const char *complaint, int status)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fprintf(f,
		"#!/bin/sh\n[ \"$1\" = -V ] && echo 'iptables v1.8.9 (nf_tables)' && exit\n"
		"echo '%s' >&2\nexit %d\n",
		complaint, status);
	assert_int_equal(fchmod(fileno(f), 0700), 0);
	fclose(f);
}

static void a_family_with_locked_tables_is_served(void **state)
{
	char dir[] = "/tmp/probe.XXXXXX", path[sizeof(dir) + 16], *before = getenv("PATH");
	_cleanup_free_ char *old = before ? strdup(before) : NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/iptables", dir);
	setenv("PATH", dir, 1);
	write_program(path, "Another app is currently holding the xtables lock.", 4);
	assert_true(probe_family(NETFILTER_IPTABLES, AF_INET, NULL));
	write_program(path, "iptables: No chain/target/match by that name.", 1);
	assert_false(probe_family(NETFILTER_IPTABLES, AF_INET, NULL));
	if (old)
		setenv("PATH", old, 1);
	remove(path);
	remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipvs_works_or_is_missing),
		cmocka_unit_test(a_killed_trial_decides_nothing_and_leaves_nothing),
		cmocka_unit_test(known_and_unknown_schedulers_are_distinguished),
		cmocka_unit_test(the_caller_keeps_its_namespace),
		cmocka_unit_test(root_has_the_capabilities),
		cmocka_unit_test(missing_capabilities_are_named),
		cmocka_unit_test(capabilities_in_a_user_namespace_do_not_count),
		cmocka_unit_test(ipv6_is_served_unless_it_is_disabled),
		cmocka_unit_test(a_family_with_locked_tables_is_served),
	};
	struct err err = { 0 };

	if (unshare(CLONE_NEWNET))
		kernel_skip_all("test_probe_kernel",
			"making a network namespace is not permitted: run it as root");
	if (exec_run((const char *const[]){ "iptables", "-S", NULL }, NULL, 0, 10000, NULL, &err))
		kernel_skip_all("test_probe_kernel", err.msg);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
