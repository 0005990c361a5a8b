/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_ENDPOINTS_H
#define CORE_ENDPOINTS_H

#include "core/model.h"
#include "core/node_view.h"
#include "core/store.h"

/*
 * Which endpoints of a Service port count on this node, in one family: the rules of kube-proxy's
 * CategorizeEndpoints (pkg/proxy/topology.go), with the reason for each one that is left out.
 */

enum endpoint_reason {
	ENDPOINT_USED,		/* ready */
	ENDPOINT_USED_FALLBACK, /* serving and terminating, used because no ready one is left */
	ENDPOINT_NOT_READY,
	ENDPOINT_TERMINATING, /* ready ones exist */
	ENDPOINT_OTHER_ZONE,  /* by topology hints */
	ENDPOINT_OTHER_NODE,  /* by topology hints */
};
/* A few words for people, e.g. "not ready". */
const char *endpoint_reason_text(enum endpoint_reason reason);

struct chosen {
	struct ip ip;
	uint16_t port;
	uint32_t weight;
	const struct endpoint *endpoint;
	bool local; /* on this node */
	bool in_cluster,
		in_local; /* belongs to the cluster-wide list, to the list of the Local policies */
	unsigned order;	  /* of the slices: decides between duplicates */
	enum endpoint_reason reason; /* of its place in, or absence from, the cluster-wide list */
};

struct endpoint_list {
	struct chosen *eps; /* sorted by address and port, without duplicates */
	size_t n, cap;
	size_t n_cluster, n_local; /* how many have in_cluster, in_local */
	bool any; /* any endpoint could serve anywhere: decides between reject and drop */
};

/*
 * Fills `ret`, which is zeroed or was filled before (its memory is used again). Pointers stay valid
 * as long as the slot does not change.
 */
void endpoints_select(const struct slot *slot, const struct service_port *port, int family,
	const struct node_view *view, struct endpoint_list *ret);
void endpoints_done(struct endpoint_list *l);

#endif
