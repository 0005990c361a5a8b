/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPSET_DUMP_H
#define KERNEL_IPSET_DUMP_H

#include <stdbool.h>

#include "core/adapter.h"
#include "nl.h"

/*
 * Reading sets in raw netlink (NFNL_SUBSYS_IPSET, linux/netfilter/ipset/ip_set.h), 30 times faster
 * than libipset, which prints text and opens /etc/protocols for every element. Kernel errno, and
 * -EBADMSG for what cannot be an answer.
 */

/* Whether ip_set is there: 0, -ENOENT, -EPERM or another errno. */
int ipset_dump_try(struct nl_port *port);

/*
 * Reads the set as a fact whose value is what the kernel has. A set that no set of ours can be - a
 * type that we do not know, the other family, a part of the ports, members that expire - is told
 * with a value that differs from fact_set(). -ENOENT: there is no such set.
 */
int ipset_dump_set(struct nl_port *port, enum set_id id, int family, struct fact *ret);

/* Tells the members of the set as facts; none where its type is not that of fact_set(). */
int ipset_dump_members(struct nl_port *port, enum set_id id, int family, dump_fn fn, void *arg);

/* For tests: one message of the kernel's answer to each of the two. */
int ipset_parse_set(const struct nlmsghdr *msg, enum set_id id, int family, struct fact *ret);
struct ipset_reading {
	enum set_id id;
	int family;
	dump_fn fn;
	void *arg;
	bool unlike; /* the set is of another type */
};
int ipset_parse_members(const struct nlmsghdr *msg, struct ipset_reading *r);

#endif
