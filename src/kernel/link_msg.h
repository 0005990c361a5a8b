/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_MSG_H
#define KERNEL_LINK_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/adapter.h"
#include "nl.h"

/* rtnetlink's messages from facts, and facts from them: bytes in, bytes out. */

enum { LINK_LO_INDEX = 1 }; /* LOOPBACK_IFINDEX: the same in every network namespace */

struct link_device {
	int index; /* 0: none */
	bool dummy, up;
};

struct link_address {
	int index; /* of its device */
	struct ip ip;
	uint8_t prefix_len;
};

/* Where the kernel sends a packet. */
struct link_hop {
	uint8_t type;  /* RTN_* */
	uint8_t maker; /* RTPROT_* */
	int index;     /* of the device; 0: none */
	struct ip via; /* the gateway; family 0: none */
};

struct nl_msg *link_msg_find_device(const char *name);
/* `index`: of the device, for addresses on it and for operations on an existing device. */
struct nl_msg *link_msg_op(const struct op *op, int index);
/* The routes of ours of one table, which a kernel before 4.20 does not single out. -ENOENT: there is
 * no such table. */
struct nl_msg *link_msg_dump_routes(int family, uint32_t table);
/* Of all families; index 0: on all devices. */
struct nl_msg *link_msg_dump_addresses(int index);

/* Asks where a packet of this node to the address goes. */
struct nl_msg *link_msg_route_get(const struct ip *dst);

/* False: the attribute is too short for an address of that family. */
bool link_read_ip(int family, const struct nlattr *attr, struct ip *ret);
/* For nl_port_ask(); `ret` is a struct link_device. Returns 0, or -EBADMSG. */
int link_read_device(struct nlmsghdr *msg, void *ret);
/* For nl_port_ask(); `ret` is a struct link_hop. Returns 0, or -EBADMSG. */
int link_read_hop(struct nlmsghdr *msg, void *ret);
/* Returns 1, 0 (none of ours), or -EBADMSG. */
int link_read_route(struct nlmsghdr *msg, struct fact *ret);
/* Returns 1, 0 (of another family than IPv4 and IPv6), or -EBADMSG. */
int link_read_address(struct nlmsghdr *msg, struct link_address *ret);

/* The kernel's answer to an operation in the terms of struct op. */
int link_result(const struct op *op, int answer);

/* Asks the kernel for a device; index 0: there is none. Returns 0, or a negative errno. */
int link_ask_device(struct nl_port *p, const char *name, struct link_device *ret);

#endif
