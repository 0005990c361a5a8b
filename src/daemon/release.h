/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_RELEASE_H
#define DAEMON_RELEASE_H

#include "core/node_view.h"
#include "kernel/adapters.h"

/*
 * Gives the API server's addresses back. A version that took external addresses as a whole, or
 * kube-proxy, may have left a Service's external IP that is the API server's: then this node cannot
 * reach it, and would never hear that the Service is refused or deleted. To be called before the
 * input is complete; what Services may have is programmed again after it.
 *
 * A cluster IP is left alone: in a cluster the API server is reached by one.
 *
 * `sets` has the members that tell what a Service has: of one interface of netfilter; NULL: none.
 */
void release_api_servers(
	const struct adapters *a, struct adapter *sets, const struct node_view *view);

#endif
