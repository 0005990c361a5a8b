// SPDX-License-Identifier: GPL-2.0-or-later
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"

/* Fields of /proc/self/stat, see proc(5). */
struct process_stat {
	unsigned long long user, system, start; /* clock ticks */
	unsigned long long virtual;		/* bytes */
	long long resident;			/* pages */
};

static int read_process_stat(struct process_stat *ret)
{
	FILE *file = fopen("/proc/self/stat", "re");
	char line[1024] = "";
	const char *rest;

	if (!file)
		return -errno;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);

	/* The second field is the program's name in brackets, which may itself contain brackets. */
	rest = strrchr(line, ')');
	if (!rest ||
		sscanf(rest,
			") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			"%*d %*d %llu %llu %lld",
			&ret->user, &ret->system, &ret->start, &ret->virtual, &ret->resident) != 5)
		return -EPROTO;
	return 0;
}

/* Reads when the kernel booted, in Unix time. */
static int read_boot_time(unsigned long long *ret)
{
	FILE *file = fopen("/proc/stat", "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	int r = -EPROTO;

	if (!file)
		return -errno;
	while (r < 0 && getline(&line, &cap, file) > 0)
		if (sscanf(line, "btime %llu", ret) == 1)
			r = 0;
	fclose(file);
	return r;
}

int process_read(struct process *ret)
{
	const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
	struct process_stat stat = { 0 };
	unsigned long long boot = 0;
	struct process p = { 0 };
	struct rlimit limit;
	DIR *dir;
	int r = read_process_stat(&stat);

	if (r >= 0)
		r = read_boot_time(&boot);
	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;

	dir = opendir("/proc/self/fd");
	if (!dir)
		return -errno;
	for (const struct dirent *d = readdir(dir); d; d = readdir(dir))
		p.open_fds += *d->d_name != '.';
	closedir(dir);
	p.open_fds--; /* the directory's own */

	p.max_fds = limit.rlim_cur;
	p.cpu_seconds = (double)(stat.user + stat.system) * tick;
	p.start_time = (double)boot + (double)stat.start * tick;
	p.virtual = stat.virtual;
	p.resident = (uint64_t)stat.resident * (uint64_t)sysconf(_SC_PAGESIZE);
	*ret = p;
	return 0;
}
