/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_CONNTRACK_MSG_H
#define KERNEL_CONNTRACK_MSG_H

#include <stdbool.h>

#include "core/stale.h"
#include "kernel/conntrack.h"
#include "nl.h"

/* The messages of ctnetlink, linux/netfilter/nfnetlink_conntrack.h. */

/* What it takes to judge an entry of the connection table and to delete that very one. */
struct conntrack_entry {
	struct stale_flow flow;
	struct ip source; /* of the client, with its port */
	uint16_t source_port;
	uint16_t zone;	    /* of both directions; 0: none */
	uint16_t orig_zone; /* of the client's direction only */
	uint32_t id;
};

/* Asks for nothing but an answer. */
void conntrack_write_try(struct nl_writer *w);
/* Asks for the entries of one family and protocol, to one port where it is not 0; before Linux 5.8
 * others come, too. */
void conntrack_write_dump(struct nl_writer *w, int family, uint8_t proto, uint16_t port);
/* Reads an entry of a protocol with ports; false: it is none. */
bool conntrack_read(const struct nlmsghdr *msg, struct conntrack_entry *ret);
/* The kernel deletes it unless another entry took its place: -ENOENT. */
void conntrack_write_delete(struct nl_writer *w, const struct conntrack_entry *e);

/* For tests: on a port of the caller's, which is taken over. */
struct conntrack *conntrack_from_port(struct nl_port *port, size_t max_stale);

#endif
