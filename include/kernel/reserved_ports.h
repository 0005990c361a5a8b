/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_RESERVED_PORTS_H
#define KERNEL_RESERVED_PORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/port_set.h"
#include "core/adapter.h"

/*
 * Ports that the kernel gives to no socket by itself: net.ipv4.ip_local_reserved_ports, for TCP, UDP
 * and SCTP of both families, of one network namespace.
 *
 * IPVS looks at each packet to a local address (ip_vs_in_hook()), whether a socket of the node waits
 * for it or not: if the node opens a connection from a port at which its address has a virtual
 * server, the virtual server gets the answers. So ports of virtual servers that the kernel would
 * choose (net.ipv4.ip_local_port_range) are reserved.
 *
 * The list has ports of others, too, which stay. A note (core/adapter.h) tells which ports are ours,
 * so that a later run knows them. If others write the list while we run, every port in it is theirs from then on.
 */

#define RESERVED_PORTS_NOTE "ipvsctl-reserved-ports"

struct reserved_ports {
	struct adapter *adapter; /* with the note */
	bool known;		 /* the list is `list`, unless others have written it */
	struct port_set list;
	size_t n_lacking; /* ports that should be reserved and are not */
};

/*
 * Reserves those of the wanted ports that the kernel could choose, and gives back what else is ours.
 * Writes only what differs. Returns 0, or a negative errno with words.
 */
int reserved_ports_sync(struct reserved_ports *r, const struct port_set *wanted, struct err *err);

/*
 * Decides which ports are to be ours, and the whole list that is to be written. `noted`
 * are the ports that are ours by the note. `theirs`: others have written the list.
 */
void reserved_ports_decide(const struct port_set *found, const struct port_set *noted, bool theirs,
	const struct port_set *wanted, struct port_set *ret_ours, struct port_set *ret_list);

#endif
