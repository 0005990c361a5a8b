/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_MSG_H
#define KERNEL_LINK_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ledger.h"
#include "nl.h"

/* rtnetlink's messages from facts, and facts from them: bytes in, bytes out. */

enum { LINK_LO_INDEX = 1 }; /* LOOPBACK_IFINDEX: the same in every network namespace */

struct link_device {
	int index; /* 0: none */
	bool dummy;
};

/* Asks for the device kube-ipvs0. */
void link_write_find_device(struct nl_writer *w);
/* `index`: of kube-ipvs0; addresses, and the deletion of the device itself, need it. */
void link_write_op(struct nl_writer *w, const struct op *op, int index);
void link_write_dump_routes(struct nl_writer *w, int family);
/* Of all families; index 0: on all devices. */
void link_write_dump_addresses(struct nl_writer *w, int index);

/* Returns 0, or -EBADMSG. */
int link_read_device(const struct nlmsghdr *msg, struct link_device *ret);
/* Returns 1, 0 (none of ours), or -EBADMSG. */
int link_read_route(const struct nlmsghdr *msg, struct fact *ret);

struct link_address {
	int index; /* of its device */
	struct ip ip;
	uint8_t prefix_len;
};
/* Returns 1, 0 (of another family than IPv4 and IPv6), or -EBADMSG. */
int link_read_address(const struct nlmsghdr *msg, struct link_address *ret);
/* Neither loopback nor IPv6 link-local. */
bool link_is_node_address(const struct ip *ip);

/* The kernel's answer to an operation in the terms of struct op. */
int link_result(const struct op *op, int answer);

#endif
