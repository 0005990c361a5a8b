/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_CONNTRACK_H
#define KERNEL_CONNTRACK_H

#include "base/err.h"
#include "core/stale.h"

/* The kernel's connection table over netlink (ctnetlink), in the network namespace of the caller.
 */

enum {
	/* Entries deleted by one call, for which 40 MB are enough. */
	CONNTRACK_MAX_STALE = 1 << 19,
	/* Dumps of a table that changes meanwhile, as kube-proxy; then the last one has to do. */
	CONNTRACK_TRIES = 5,
	/* Ports that the kernel is asked for one by one: it walks its table for each, but sends
	 * only the entries to that port, and sending takes most of the time. */
	CONNTRACK_PARTS = 8,
};

struct conntrack;
/* Returns 0, or a negative errno with words: -EPERM, -ENOENT (the kernel has no ctnetlink). */
int conntrack_new(struct conntrack **ret, struct err *err);
void conntrack_free(struct conntrack *c);

/*
 * Deletes the entries of one family that stale_match() finds in the list, which is finished. Takes
 * time in proportion to the entries that go to the list's ports where these are few, else to those
 * of its protocols: 100,000 entries some 100 ms; before Linux 5.8, to the whole table. Returns how
 * many were deleted, and whether there are more, for another call; or a negative errno with words;
 * some may be deleted then, too.
 */
int conntrack_clean(struct conntrack *c, const struct stale_list *stale, int family, bool *ret_more,
	struct err *err);

#endif
