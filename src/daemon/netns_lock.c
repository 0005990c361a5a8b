// SPDX-License-Identifier: GPL-2.0-or-later
#include "netns_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 256, COMMAND_SIZE = 32, STEP_MS = 20 };

/* The process that has a flock on the file, as /proc/locks tells; 0: none that we can see. */
static int find_holder(const struct stat *st)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[LINE_SIZE];
	int holder = 0;

	while (locks && !holder && fgets(line, sizeof(line), locks)) {
		unsigned major, minor;
		unsigned long inode;
		int pid;

		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major, &minor, &inode) ==
				4 &&
			makedev(major, minor) == st->st_dev && inode == st->st_ino)
			holder = pid;
	}
	if (locks)
		fclose(locks);
	return holder;
}

static int describe_holder(const struct stat *ns, struct err *err)
{
	char path[64], command[COMMAND_SIZE] = "";
	int pid = find_holder(ns);
	struct stat st;
	FILE *comm;

	if (!pid)
		return err_set(err, -EBUSY,
			"another ipvsctl-svcd runs in this network namespace, in another container: "
			"stop it first");
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (!stat(path, &st) && st.st_uid && st.st_uid != geteuid())
		return err_set(err, -EPERM,
			"process %d of user %u, who cannot be ipvsctl-svcd, has locked this network "
			"namespace",
			pid, (unsigned)st.st_uid);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	comm = fopen(path, "re");
	if (comm && fgets(command, sizeof(command), comm))
		command[strcspn(command, "\n")] = '\0';
	if (comm)
		fclose(comm);
	return err_set(err, -EBUSY,
		"process %d (%s) serves this network namespace already: stop it first", pid,
		*command ? command : "ipvsctl-svcd");
}

int netns_lock(unsigned patience_ms, struct err *err)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), r;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = err_errno(err, -errno, "cannot open the network namespace");
		goto fail;
	}
	for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += STEP_MS) {
		if (errno != EWOULDBLOCK) {
			r = err_errno(err, -errno, "cannot lock the network namespace");
			goto fail;
		}
		if (waited >= patience_ms) {
			r = describe_holder(&st, err);
			goto fail;
		}
		nanosleep(&step, NULL);
	}
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return r;
}
