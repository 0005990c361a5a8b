/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include <jansson.h>

#include "kernel/ipvs.h"
#include "show.h"

/* From two readings of the kernel's counters to the Top of ipvsctl-svc(1). */

struct top_sample {
	struct vs_stats stats;
	uint64_t active, inactive;
};

struct top_samples {
	struct top_sample *list;
	size_t n, cap;
};

/*
 * A new reference. Both readings are sorted, `seconds` lie between them. With the daemon's status
 * the virtual servers are summed by Service port; those that are of none stand alone, and so do all
 * without it (NULL).
 */
json_t *top_json(const struct top_samples *before, const struct top_samples *after, double seconds,
	const json_t *status);
/* By what top_json() and what is searched for agree; for qsort(). */
int top_sample_cmp(const void *a, const void *b);
/* The table; show_done() afterwards. */
void top_view_table(const json_t *top, struct show *ret);

#endif
