// SPDX-License-Identifier: GPL-2.0-or-later
/* In network namespaces of its own. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/daemon/netns_lock.h"
#include "kernel_test.h"

enum { NOBODY = 65534 };

/* A process that has the lock, as that user and in another namespace if asked for, until it is
 * killed. */
static pid_t hold_elsewhere(uid_t user, bool other_namespace)
{
	struct err err;
	char ready = 0;
	int fd[2];
	pid_t pid;

	assert_return_code(pipe(fd), errno);
	pid = fork();
	assert_return_code(pid, errno);
	if (!pid) {
		if (other_namespace && unshare(CLONE_NEWNET))
			_exit(1);
		if (user && setresuid(user, user, user))
			_exit(1);
		ready = netns_lock(0, &err) >= 0 && write(fd[1], "x", 1) == 1;
		close(fd[1]);
		while (ready)
			pause();
		_exit(1);
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], &ready, 1), 1);
	close(fd[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void the_second_one_hears_who_is_first(void **state)
{
	pid_t first = hold_elsewhere(0, false);
	struct err err = { 0 };
	char want[100];
	int fd;

	(void)state;
	assert_int_equal(netns_lock(0, &err), -EBUSY);
	snprintf(want, sizeof(want),
		"process %d (test_netns_lock) serves this network namespace already: stop it first",
		(int)first);
	assert_string_equal(err.msg, want);
	/* Even one that was killed keeps nothing. */
	end(first);
	fd = netns_lock(1000, &err);
	assert_return_code(fd, -fd);
	close(fd);
}

static void a_namespace_has_a_lock_of_its_own(void **state)
{
	pid_t other = hold_elsewhere(0, true);
	struct err err;
	int fd = netns_lock(0, &err);

	(void)state;
	assert_return_code(fd, -fd);
	close(fd);
	end(other);
}

static void a_user_who_can_be_no_daemon_locks_nobody_out(void **state)
{
	pid_t user = hold_elsewhere(NOBODY, false);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(netns_lock(0, &err), -EPERM);
	assert_non_null(strstr(err.msg, "of user 65534, who cannot be ipvsctl-svcd"));
	end(user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_one_hears_who_is_first),
		cmocka_unit_test(a_namespace_has_a_lock_of_its_own),
		cmocka_unit_test(a_user_who_can_be_no_daemon_locks_nobody_out),
	};

	if (unshare(CLONE_NEWNET))
		kernel_skip_all("test_netns_lock",
			"making a network namespace is not permitted: run it as root");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
