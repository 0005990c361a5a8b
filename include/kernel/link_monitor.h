/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_MONITOR_H
#define KERNEL_LINK_MONITOR_H

#include <stdint.h>

#include "base/err.h"
#include "core/adapter.h"
#include "kernel/link.h"

/*
 * Notifications of rtnetlink: addresses, links, routes and policy rules that come and go
 * (RTNLGRP_LINK, _IPV4_IFADDR, _IPV6_IFADDR, _IPV4_ROUTE, _IPV6_ROUTE, _IPV4_RULE, _IPV6_RULE).
 *
 * Changes made by the adapter `own` (kernel/link.h; NULL: none) are left out, in one of two ways:
 * 1. If the kernel names the sender, a socket filter drops the notification before it takes room in
 *    the queue.
 * 2. Not every kernel names the sender for deletions of links and IPv6 addresses. The monitor
 *    ignores as many of these as the adapter has made since the queue was last empty.
 */
struct link_monitor;
/* `own` must outlive the monitor. Returns 0, or a negative errno with words. */
int link_monitor_new(struct adapter *own, struct link_monitor **ret, struct err *err);
void link_monitor_free(struct link_monitor *m);
/* Readable when link_monitor_read() should be called; owned by the monitor. */
int link_monitor_fd(const struct link_monitor *m);

enum {
	/* Addresses of the node's interfaces or its default route: link_addresses() or
	 * link_primary_address() may differ. */
	LINK_CHANGED_ADDRESSES = 1,
	/*
	 * A device of ours, an address on it, or a route or rule of ours went away, or may have
	 * changed: the kernel is silent about IPv6 routes that lose their source when that address goes. Or
	 * kube-ipvs1 is up, which makes all addresses on it local.
	 */
	LINK_CHANGED_OURS = 2,
};
/* Reads what is queued, without blocking; a mask of the above. A queue that overflowed counts as
 * all of them. */
unsigned link_monitor_read(struct link_monitor *m);

/* The state behind the judgement of notifications, without a socket: for link_monitor and tests. */
struct link_watch {
	int index[LINK_DEVICES]; /* 0: the device does not exist */
	/* Deletions by our own adapter whose notifications are still to come. */
	uint32_t own_links[LINK_DEVICES], own_addresses6;
};
struct nlmsghdr;
/* A mask of LINK_CHANGED_* for one notification; 0 for one that cannot be read. */
unsigned link_watch_read(struct link_watch *watch, struct nlmsghdr *msg);

#endif
