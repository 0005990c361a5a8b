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
 */

#define LINK_NAME "kube-ipvs0"
enum { LINK_ROUTE_PROTOCOL = 200 }; /* rtm_protocol: a route with it is ours */

int link_new(struct adapter **ret, struct err *err);
void link_free(struct adapter *a);

/*
 * The addresses on all interfaces but kube-ipvs0, whatever their state, without loopback (127/8,
 * ::1) and IPv6 link-local; sorted by ip_cmp(), without duplicates; the caller frees.
 */
int link_addresses(struct ip **ret, size_t *ret_n, struct err *err);
/* The node's own address towards its default route; without one the first of link_addresses();
 * family 0: none. */
struct ip link_primary_address(int family, const struct ip *addresses, size_t n);

/*
 * Tells of addresses, links and local routes that come and go (RTNLGRP_LINK, _IPV4_IFADDR,
 * _IPV6_IFADDR, _IPV4_ROUTE, _IPV6_ROUTE).
 */
struct link_monitor;
int link_monitor_new(struct link_monitor **ret, struct err *err);
void link_monitor_free(struct link_monitor *m);
int link_monitor_fd(const struct link_monitor *m);

enum {
	LINK_CHANGED_ADDRESSES =
		1,	       /* addresses of the node's interfaces: link_addresses() may differ */
	LINK_CHANGED_OURS = 2, /* kube-ipvs0, an address on it or a route of ours went away */
};
/* Reads what is queued, without blocking; a mask of the above. A queue that overflowed counts as
 * all of them. */
unsigned link_monitor_read(struct link_monitor *m);

#endif
