/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_H
#define KERNEL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "core/adapter.h"

/*
 * rtnetlink: the devices kube-ipvs0 and kube-ipvs1 (FACT_LINK), VIPs as local routes (FACT_ROUTE) and
 * as addresses on kube-ipvs0 (FACT_ADDR), addresses on kube-ipvs1 that the kernel knows and does not
 * take (FACT_HELD), and policy rules (FACT_POLICY_RULE); and, as another interface, the node's own
 * addresses, rules and routes. Notifications are in kernel/link_monitor.h.
 *
 * `ip route add local VIP/32 dev lo proto 200 metric 1024` would add a route of ours. The
 * metric is a part of what the kernel compares, so the route that the kernel adds for an address
 * (metric 0, and preferred) is another one: a VIP that is still an address on kube-ipvs0 can have
 * its route already, and no address of the node can lose its own. `table 2512` more would add it to
 * a table of ours, which only a policy rule leads to.
 *
 * `ip rule add pref 90 fwmark 0x1000/0x1000 lookup 2512 protocol 200` would add a rule of ours. A
 * kernel without policy routing has no rules.
 */

enum {
	/* rtm_protocol, FRA_PROTOCOL (Linux 4.17): a route or rule with it is ours */
	LINK_ROUTE_PROTOCOL = 200,
	LINK_ROUTE_METRIC = 1024, /* IP6_RT_PRIO_USER: what IPv6 routes get anyway */
};

/* `table`: has the routes for marked packets (--external-table). Routes of ours are looked for in this
 * table, in table local, and where rules of ours lead. Returns 0, or a negative errno with words. */
int link_new(uint16_t table, struct adapter **ret, struct err *err);
void link_free(struct adapter *a);

/* The devices of ours, LINK_VIPS and LINK_HELD. */
enum link_device_id { LINK_DEVICE_VIPS, LINK_DEVICE_HELD, LINK_DEVICES };
extern const char *const link_device_names[LINK_DEVICES];

/* Tells the adapter's changes from those of others; for a link_monitor. */
struct link_own {
	uint32_t port;			      /* nlmsg_pid of its notifications */
	uint32_t links_deleted[LINK_DEVICES]; /* so far */
	uint32_t addresses6_deleted;	      /* so far */
};
const struct link_own *link_own(struct adapter *a);

/*
 * The reason behind the result of a failed operation of this adapter; NULL: the errno says it all.
 * -ENOTUNIQ: there is a device of that name which is not a dummy device.
 */
const char *link_explain(const struct op *op);

/* The addresses on all interfaces but kube-ipvs0 and kube-ipvs1, up or down, for which link_is_node_address() is
 * true. Sorted by ip_compare(), without duplicates; the caller frees. Returns 0, or a negative
 * errno with words. */
int link_addresses(struct ip **ret, size_t *ret_n, struct err *err);
/* The node's own address towards its default route; without one the first of link_addresses();
 * family 0: none. */
struct ip link_primary_address(int family, const struct ip *addresses, size_t n);

/*
 * Appends where the kernel routes a packet of this node to the address, in the words of `ip route
 * get`: "via 10.0.0.1 dev eth0", "dev eth0", "local", "unreachable". Returns 0, or a negative errno
 * with words.
 */
int link_route_get(const struct ip *dst, struct buf *ret, struct err *err);

/* A policy rule that leads to a table or drops packets. */
struct link_rule {
	int family;
	uint32_t priority;
	uint32_t mark, mask; /* mask 0: whatever the mark */
	uint32_t table;	     /* 0: it drops packets */
	bool selectors;	     /* besides the mark: not all sources, destinations, interfaces ... */
	bool inverted;	     /* it selects the packets that mark and selectors do not select */
	bool ours;
};
/* The rules of one family that are not ours, those of the kernel among them, by priority; the
 * caller frees. Returns 0, or a negative errno with words. */
int link_foreign_rules(int family, struct link_rule **ret, size_t *ret_n, struct err *err);
/* Whether the kernel has policy rules of the family: 1, 0, or a negative errno with words. */
int link_has_policy_routing(int family, struct err *err);

/* Neither loopback (127/8, ::1) nor IPv6 link-local. */
bool link_is_node_address(const struct ip *ip);

#endif
