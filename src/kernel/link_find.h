/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_FIND_H
#define KERNEL_LINK_FIND_H

#include "link_msg.h"
#include "nl.h"

/* The device kube-ipvs0 as it is now; index 0: there is none. Returns 0, or a negative errno. */
int link_find_device(struct nl_port *p, struct link_device *ret);

struct link_addresses {
	struct link_address *v;
	size_t n, cap;
};
/* All addresses of one device (0: of all), in the kernel's order. Returns 0, or a negative errno.
 * The caller frees ret->v. */
int link_find_addresses(struct nl_port *p, int index, struct link_addresses *ret);

#endif
