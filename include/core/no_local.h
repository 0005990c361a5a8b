/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_NO_LOCAL_H
#define CORE_NO_LOCAL_H

#include "core/node_view.h"
#include "core/store.h"

/*
 * Services that drop packets because their traffic policy is Local and no endpoint is on this node,
 * while there are endpoints elsewhere: the numbers behind kube-proxy's metric
 * sync_proxy_rules_no_local_endpoints_total.
 */
struct no_local {
	uint32_t internal, external; /* Services, by the policy that drops */
};

/* Looks at the Services with a Local policy only. */
struct no_local no_local_count(const struct store *store, const struct node_view *view, int family);

#endif
