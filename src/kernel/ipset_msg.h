/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPSET_MSG_H
#define KERNEL_IPSET_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/adapter.h"
#include "nl.h"

/*
 * Answers of ip_set and libipset as facts and errno. Sets are read in raw netlink
 * (NFNL_SUBSYS_IPSET, linux/netfilter/ipset/ip_set.h), 30 times faster than with libipset, which
 * prints text and opens /etc/protocols for every element.
 */

/* A command without a set: IPSET_CMD_PROTOCOL. */
struct nl_msg *ipset_msg_new(int command, int flags);
/* Asks for a set: its header, and its members unless `header_only`. -ENOENT: there is none. */
struct nl_msg *ipset_msg_list(const char *name, bool header_only);

/* The state of reading the messages of one answer: the argument of both readers, which are for
 * nl_port_ask(). Each returns 0, or -EBADMSG. */
struct ipset_reading {
	enum set_id id;
	int family;
	dump_fn fn;
	void *arg;
	bool unlike; /* the set is of another type */
};
/*
 * Calls fn with the header of a set as a fact with the value that the kernel has. A set that cannot
 * be one of ours - of an unknown type or the other family, with a part of the ports, with members
 * that expire - gets a value that differs from fact_set().
 */
int ipset_read_set(struct nlmsghdr *msg, void *reading);
/* Calls fn with each member; with none of a set whose type is not that of fact_set(). */
int ipset_read_members(struct nlmsghdr *msg, void *reading);

/* The errno behind libipset's error report, which is in words only; *ret_line is N of "Error in
 * line N: ", or 0. */
int ipset_report_errno(const char *report, uint32_t *ret_line);

#endif
