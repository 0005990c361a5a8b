/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

#include <stdbool.h>

#include "core/served_port.h"

/*
 * Requests of a Service that the backends iptables and nftables cannot honour: they choose endpoints
 * by chance, and have no way to end a connection.
 */

/* Calls fn with a few words for each; on IPVS never. `served` are the ports of the Service. */
void limits_tell(const struct service *s, const struct served_ports *served,
	const struct node_view *view, void (*fn)(const char *words, void *arg), void *arg);

/* Without IPVS the shares of that scheduler are kept on average: it takes turns, be it in
 * proportion to weights. To do without another one is more than a matter of degree. */
bool limits_keeps_scheduler(const char *scheduler);

#endif
