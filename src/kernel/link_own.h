/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_OWN_H
#define KERNEL_LINK_OWN_H

#include <stdint.h>

#include "core/adapter.h"

/* What a link_monitor has to know to tell the adapter's own work from that of others. */
struct link_own {
	uint32_t port; /* nlmsg_pid of the notifications that it causes */
	uint32_t links_deleted, addresses6_deleted; /* so far */
};

const struct link_own *link_own(struct adapter *a);

#endif
