// SPDX-License-Identifier: GPL-2.0-or-later
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { MAX_PROC_FILE = 1 << 20, PROC_CHUNK = 4096 };

static int read_all(int fd, struct buf *ret)
{
	while (ret->len < MAX_PROC_FILE) {
		ssize_t n = read(fd, buf_reserve(ret, PROC_CHUNK), PROC_CHUNK);

		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		ret->data[ret->len += (size_t)n] = '\0';
	}
	return -EFBIG;
}

static int read_file(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = read_all(fd, ret);
	close(fd);
	return r;
}

/* proc(5), /proc/pid/stat: the fields behind the name in brackets, which may hold anything. */
struct stat_fields {
	unsigned long long user, system, start; /* clock ticks */
	unsigned long long virtual;		/* bytes */
	long long resident;			/* pages */
};

static int read_stat(struct stat_fields *ret)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = read_file("/proc/self/stat", &text);
	const char *rest;

	if (r < 0)
		return r;
	rest = strrchr(buf_str(&text), ')');
	if (!rest ||
		sscanf(rest,
			") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			"%*d %*d %llu %llu %lld",
			&ret->user, &ret->system, &ret->start, &ret->virtual, &ret->resident) != 5)
		return -EPROTO;
	return 0;
}

static int read_boot_time(unsigned long long *ret)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = read_file("/proc/stat", &text);
	const char *line;

	if (r < 0)
		return r;
	line = strstr(buf_str(&text), "\nbtime ");
	return line && sscanf(line, " btime %llu", ret) == 1 ? 0 : -EPROTO;
}

static int count_fds(uint64_t *ret)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!dir)
		return -errno;
	for (const struct dirent *d = readdir(dir); d; d = readdir(dir))
		n += *d->d_name != '.';
	closedir(dir);
	*ret = n - 1; /* without the directory's own */
	return 0;
}

int process_read(struct process *ret)
{
	const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
	struct stat_fields f = { 0 };
	unsigned long long boot = 0;
	struct process p = { 0 };
	struct rlimit limit;
	int r;

	r = read_stat(&f);
	r = r ? r : read_boot_time(&boot);
	r = r ? r : count_fds(&p.open_fds);
	if (r < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return r < 0 ? r : -errno;
	p.max_fds = limit.rlim_cur;
	p.cpu_seconds = (double)(f.user + f.system) * tick;
	p.start_time = (double)boot + (double)f.start * tick;
	p.virtual = f.virtual;
	p.resident = (uint64_t)f.resident * (uint64_t)sysconf(_SC_PAGESIZE);
	*ret = p;
	return 0;
}
