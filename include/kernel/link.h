/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_H
#define KERNEL_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"
#include "core/adapter.h"

/*
 * rtnetlink: the device kube-ipvs0 (FACT_LINK), VIPs as local routes (FACT_ROUTE) and as addresses
 * on that device (FACT_ADDR); and, as another interface, the node's own addresses.
 *
 * A route of ours is what `ip route add local VIP/32 dev lo proto 200 metric 1024` makes. The
 * metric is a part of what the kernel compares, so the route that it makes itself for an address
 * (metric 0, and preferred) is another one: a VIP that is still an address on kube-ipvs0 can have
 * its route already, and no address of the node can lose its own.
 */

#define LINK_NAME "kube-ipvs0"
enum {
	LINK_ROUTE_PROTOCOL = 200, /* rtm_protocol: a route with it is ours */
	LINK_ROUTE_METRIC = 1024,  /* IP6_RT_PRIO_USER: what IPv6 routes get anyway */
};

int link_new(struct adapter **ret, struct err *err);
void link_free(struct adapter *a);

/*
 * What the result of a failed operation of this adapter means; NULL: no more than the errno says.
 * -ENOTUNIQ: there is a device kube-ipvs0 which is not a dummy device.
 */
const char *link_explain(const struct op *op);

/*
 * The addresses on all interfaces but kube-ipvs0, whatever their state, without loopback (127/8,
 * ::1) and IPv6 link-local; sorted by ip_cmp(), without duplicates; the caller frees.
 */
int link_addresses(struct ip **ret, size_t *ret_n, struct err *err);
/* The node's own address towards its default route; without one the first of link_addresses();
 * family 0: none. */
struct ip link_primary_address(int family, const struct ip *addresses, size_t n);

/*
 * Tells of addresses, links and routes that come and go (RTNLGRP_LINK, _IPV4_IFADDR, _IPV6_IFADDR,
 * _IPV4_ROUTE, _IPV6_ROUTE). What the adapter `own` does itself is not told: where the kernel names
 * the sender such notifications do not even reach the queue, and deletions of links and IPv6
 * addresses, where not every kernel does, are counted against what the adapter deleted since the
 * queue was last empty. `own` may be NULL and must outlive the monitor.
 */
struct link_monitor;
int link_monitor_new(struct adapter *own, struct link_monitor **ret, struct err *err);
void link_monitor_free(struct link_monitor *m);
int link_monitor_fd(const struct link_monitor *m);

enum {
	/* Addresses of the node's interfaces or its default route: link_addresses() or
	 * link_primary_address() may differ. */
	LINK_CHANGED_ADDRESSES = 1,
	/*
	 * kube-ipvs0, an address on it or a route of ours went away, or may have changed: the
	 * kernel is silent about IPv6 routes that lose their source when that address goes.
	 */
	LINK_CHANGED_OURS = 2,
};
/* Reads what is queued, without blocking; a mask of the above. A queue that overflowed counts as
 * all of them. */
unsigned link_monitor_read(struct link_monitor *m);

#endif
