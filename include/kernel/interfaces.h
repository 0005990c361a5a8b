/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_INTERFACES_H
#define KERNEL_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* The interfaces of this network namespace, by rtnetlink: /sys may show another one's. */

struct interface {
	char name[IFNAMSIZ];
	char kind[16]; /* of a virtual one, "vxlan", "bridge", "veth"; "loopback"; "": any other */
	int index;
	int master; /* index of its bridge or bond; 0: none */
	int lower; /* index of that which carries the packets of a tunnel; 0: unknown, or no tunnel */
	unsigned mtu;
	bool up, carrier;
};

/* The caller frees. Returns 0, or a negative errno with words. */
int interfaces_read(struct interface **ret, size_t *ret_n, struct err *err);

#endif
