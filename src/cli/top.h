/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include <jansson.h>

#include "kernel/ipvs.h"
#include "show.h"

/* The Top of ipvsctl-svc(1): rates from two samples of the kernel's counters. */

/* One virtual server */
struct top_sample {
	struct vs_stats stats;
	uint64_t active, inactive; /* connections of its real servers */
};

struct top_samples {
	struct top_sample *list;
	size_t n, cap;
};

/*
 * Returns a new reference. Both lists are sorted by top_sample_cmp(); `seconds` is the time between
 * them. With the daemon's status the virtual servers of one Service port are summed up; the others,
 * and all without a status (NULL), are listed one by one.
 */
json_t *top_json(const struct top_samples *before, const struct top_samples *after, double seconds,
	const json_t *status);
/* For qsort(): by the key of the virtual server. */
int top_sample_cmp(const void *a, const void *b);
/* The table; show_done() afterwards. */
void top_table(const json_t *top, struct show *ret);

#endif
