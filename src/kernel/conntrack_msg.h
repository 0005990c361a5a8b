/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_CONNTRACK_MSG_H
#define KERNEL_CONNTRACK_MSG_H

#include <stdbool.h>

#include "core/stale.h"
#include "kernel/connection.h"
#include "kernel/conntrack.h"
#include "nl.h"

/* The messages of ctnetlink, linux/netfilter/nfnetlink_conntrack.h. */

/* An entry of the connection table, as far as it takes to judge it and to delete that very one. */
struct conntrack_entry {
	struct stale_flow flow;
	struct ip source; /* of the client, with its port */
	uint16_t source_port;
	uint16_t zone;	    /* of both directions; 0: none */
	uint16_t orig_zone; /* of the client's direction only */
	uint32_t id;
};

/* Asks for the entries of one family (AF_UNSPEC: both) and protocol (0: all), to one port where it is
 * not 0; before Linux 5.8 the answer has others, too. */
struct nl_msg *conntrack_msg_dump(int family, uint8_t proto, uint16_t port);
/* Deletes the entry unless another one took its place: -ENOENT. */
struct nl_msg *conntrack_msg_delete(const struct conntrack_entry *e);

/* Reads an entry of a protocol with ports; false: it is none. */
bool conntrack_read(struct nlmsghdr *msg, struct conntrack_entry *ret);
/* As conntrack_read(), what a person wants to know of it. */
bool conntrack_read_connection(struct nlmsghdr *msg, struct connection *ret);

/* For tests: takes ownership of the port. `max_stale` stands for CONNTRACK_MAX_STALE. Defined in
 * conntrack.c. */
struct conntrack *conntrack_from_port(struct nl_port *port, size_t max_stale);

#endif
