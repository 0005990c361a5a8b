/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <stdint.h>

/* The resources that this process uses. */
struct process {
	double cpu_seconds;	    /* user and system */
	double start_time;	    /* Unix time */
	uint64_t resident, virtual; /* bytes */
	uint64_t open_fds, max_fds;
};

/* Reads /proc. Returns 0 or a negative errno. */
int process_read(struct process *ret);

#endif
