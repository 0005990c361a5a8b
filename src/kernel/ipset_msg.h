/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPSET_MSG_H
#define KERNEL_IPSET_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/adapter.h"
#include "nl.h"

/*
 * What ip_set and libipset say, as facts and errno. Sets are read in raw netlink
 * (NFNL_SUBSYS_IPSET, linux/netfilter/ipset/ip_set.h), 30 times faster than with libipset, which
 * prints text and opens /etc/protocols for every element.
 */

/* Asks for the version of the protocol. */
struct nl_msg *ipset_msg_try(void);
/* Asks for a set: its header, and its members unless `header_only`. -ENOENT: there is none. */
struct nl_msg *ipset_msg_list(enum set_id id, int family, bool header_only);

/*
 * The header of a set as a fact with the value that the kernel has. A set that cannot be one of
 * ours - of an unknown type or the other family, with a part of the ports, with members that
 * expire - gets a value that differs from fact_set(). Returns 0, or -EBADMSG.
 */
int ipset_read_set(struct nlmsghdr *msg, enum set_id id, int family, struct fact *ret);

/* The state of reading the messages of one answer. */
struct ipset_reading {
	enum set_id id;
	int family;
	dump_fn fn; /* gets each member; none of a set whose type is not that of fact_set() */
	void *arg;
	bool unlike; /* the set is of another type */
};
/* One message of the answer. Returns 0, or -EBADMSG. */
int ipset_read_members(struct nlmsghdr *msg, struct ipset_reading *r);

/* The errno behind libipset's error report, which is in words only; *ret_line is N of "Error in
 * line N: ", or 0. */
int ipset_report_errno(const char *report, uint32_t *ret_line);

#endif
