/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_EVENT_H
#define KERNEL_LINK_EVENT_H

#include <linux/netlink.h>
#include <stdint.h>

/* What a link_monitor knows. */
struct link_watch {
	int index; /* of kube-ipvs0; 0: it does not exist */
	/* Deletions by our own adapter whose notifications are still to come. */
	uint32_t own_links, own_addresses6;
};

/* What one notification says, as a mask of LINK_CHANGED_*. One that cannot be read says nothing. */
unsigned link_read_event(const struct nlmsghdr *msg, struct link_watch *watch);

#endif
