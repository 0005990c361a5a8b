// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_type(const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return 0;
	return S_ISDIR(st->st_mode) ? -EISDIR : -ENODEV;
}

int file_open(const char *path)
{
	struct stat st;
	int fd, r;

	if (stat(path, &st) < 0)
		return -errno;
	r = check_type(&st);
	if (r < 0)
		return r;
	/* It may have been replaced meanwhile: neither wait nor become a terminal's owner. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : check_type(&st);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

/*
 * The kernel grants a read lease only on a file that nobody has open for writing. Whoever opens it
 * in the moment before the lease is given back waits that long, and we get a signal, which would end
 * us if it were SIGIO: SIGURG is ignored by default.
 */
bool file_is_being_written(int fd)
{
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}
