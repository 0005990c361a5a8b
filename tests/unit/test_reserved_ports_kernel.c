// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in a network and a mount namespace of its own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel/ipset.h"
#include "kernel/reserved_ports.h"
#include "kernel_test.h"

#define LIST "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define RANGE "/proc/sys/net/ipv4/ip_local_port_range"

static struct adapter *adapter;
static struct reserved_ports daemon_ports;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int new_namespace(void **state)
{
	struct err err;

	(void)state;
	if (unshare(CLONE_NEWNET) || ipset_new(&adapter, &err))
		return -1;
	write_file(RANGE, "30000 60999\n");
	daemon_ports = (struct reserved_ports){ .adapter = adapter };
	return 0;
}

static int end_namespace(void **state)
{
	(void)state;
	ipset_free(take(adapter));
	return 0;
}

static void restart(void)
{
	daemon_ports = (struct reserved_ports){ .adapter = adapter };
}

static int sync_ports(const char *wanted)
{
	struct port_set s;
	struct err err;

	assert_int_equal(port_set_parse(wanted, &s), 0);
	return reserved_ports_sync(&daemon_ports, &s, &err);
}

static void assert_reserved(const char *expected)
{
	_cleanup_free_ char *text = RUN(NULL, "cat", LIST);

	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, expected);
}

static void assert_noted(const char *expected)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct port_set s;
	struct err err;

	assert_int_equal(adapter->read_note(adapter, RESERVED_PORTS_NOTE, &s, &err), 0);
	port_set_print(&b, &s);
	assert_string_equal(buf_str(&b), expected);
}

static void only_ports_that_the_kernel_could_choose_are_reserved(void **state)
{
	(void)state;
	write_file(LIST, "8080,50000-50010\n");
	assert_int_equal(sync_ports("80,29999,30000-30002,40000,50005,60999,61000"), 0);
	assert_reserved("8080,30000-30002,40000,50000-50010,60999");
	assert_noted("30000-30002,40000,60999");

	write_file(RANGE, "32768 60999\n");
	assert_int_equal(sync_ports("80,29999,30000-30002,40000,50005,60999,61000"), 0);
	assert_reserved("8080,40000,50000-50010,60999");
}

static void all_that_is_ours_is_given_back_after_a_restart(void **state)
{
	_cleanup_free_ char *sets = NULL;

	(void)state;
	write_file(LIST, "8080,50000-50010\n");
	assert_int_equal(sync_ports("30001,30002,50005"), 0);
	restart();
	assert_int_equal(sync_ports("30002,30003"), 0);
	assert_reserved("8080,30002-30003,50000-50010");
	restart();
	assert_int_equal(sync_ports(""), 0);
	assert_reserved("8080,50000-50010");
	sets = RUN(NULL, "ipset", "list", "-n");
	assert_string_equal(sets, "");
}

static void a_list_that_others_write_is_theirs(void **state)
{
	(void)state;
	assert_int_equal(sync_ports("30001,30005"), 0);
	write_file(LIST, "30000-30002\n");
	assert_int_equal(sync_ports("30001,30005"), 0);
	assert_reserved("30000-30002,30005");
	assert_int_equal(sync_ports(""), 0);
	assert_reserved("30000-30002");
	assert_noted("");
}

/* The kernel reads a write page by page. */
static void a_long_list_is_written_and_read(void **state)
{
	_cleanup_(buf_done) struct buf wanted = { 0 };

	(void)state;
	for (unsigned port = 30000; port <= 60998; port += 2)
		buf_addf(&wanted, "%s%u", wanted.len ? "," : "", port);
	assert_int_equal(sync_ports(buf_str(&wanted)), 0);
	assert_reserved(buf_str(&wanted));
	assert_noted(buf_str(&wanted));
	restart();
	assert_int_equal(sync_ports(""), 0);
	assert_reserved("");
}

static void a_read_only_proc_leaves_nothing_behind(void **state)
{
	int r;

	(void)state;
	write_file(LIST, "40000\n");
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(sync_ports("80,40000"), 0); /* nothing is missing */
	r = sync_ports("80,30001,30002,40000");
	umount("/proc/sys");
	assert_int_equal(r, -EROFS);
	assert_int_equal(daemon_ports.n_lacking, 2);
	assert_noted("");
	assert_int_equal(sync_ports("30001,30002"), 0);
	assert_int_equal(daemon_ports.n_lacking, 0);
	assert_reserved("30001-30002,40000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			only_ports_that_the_kernel_could_choose_are_reserved, new_namespace,
			end_namespace),
		cmocka_unit_test_setup_teardown(all_that_is_ours_is_given_back_after_a_restart,
			new_namespace, end_namespace),
		cmocka_unit_test_setup_teardown(
			a_list_that_others_write_is_theirs, new_namespace, end_namespace),
		cmocka_unit_test_setup_teardown(
			a_long_list_is_written_and_read, new_namespace, end_namespace),
		cmocka_unit_test_setup_teardown(
			a_read_only_proc_leaves_nothing_behind, new_namespace, end_namespace),
	};

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || ipset_new(&adapter, NULL))
		kernel_skip_all("test_reserved_ports_kernel",
			"it needs to be root, and a kernel with ip_set");
	ipset_free(take(adapter));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
