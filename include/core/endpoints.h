/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_ENDPOINTS_H
#define CORE_ENDPOINTS_H

#include "core/model.h"
#include "core/node_view.h"
#include "core/store.h"

/*
 * The endpoints of a Service port in one family, and whether this node uses them: the rules of
 * kube-proxy's CategorizeEndpoints (pkg/proxy/topology.go), with the reason for each one that is
 * left out.
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

/* One endpoint, used or not. */
struct candidate {
	struct ip ip;
	uint16_t port;
	uint32_t weight; /* 0..65535 */
	const struct endpoint *endpoint;
	const struct override *override; /* by which it has its weight; NULL: none */
	bool local;			 /* on this node */
	bool in_cluster;		 /* in the list of the Cluster policy */
	bool in_local;			 /* in the list of the Local policy */
	unsigned order;			 /* of arrival in the slices: decides between duplicates */
	/* By itself, before policies and topology: ready (ENDPOINT_USED), a fallback where none is
	 * ready (ENDPOINT_USED_FALLBACK), or the reason why it is out. */
	enum endpoint_reason eligibility;
	enum endpoint_reason reason; /* of its place in, or absence from, the cluster-wide list */
};

struct endpoint_list {
	struct candidate *eps; /* sorted by address and port, without duplicates */
	size_t n, cap;
	size_t n_cluster, n_local; /* how many have in_cluster, in_local */
	size_t n_duplicates; /* candidates for an address and port beside the one that is taken */
	bool any; /* an endpoint could serve somewhere: decides between reject and drop */
};

/* The list of the traffic policy contains the endpoint. */
static inline bool candidate_is_in(const struct candidate *c, bool local_policy)
{
	return local_policy ? c->in_local : c->in_cluster;
}

/* A port of endpoints, as one of a Service's slices has it. */
struct slice_port {
	const struct endpoint_port *port;
	const struct slice *slice;
	const struct subset *subset;
	unsigned order; /* in the slices */
};

/* The ports of all slices of a Service, in which each port of the Service finds its own. */
struct slice_ports {
	struct slice_port *ports; /* sorted by name and protocol, then in the order of the slices */
	size_t n, cap;
};

/*
 * Both fill `ret`, which is zeroed or was filled before (its memory is used again). Pointers stay
 * valid as long as the slot does not change.
 */
void slice_ports_list(const struct slot *slot, struct slice_ports *ret);
/* The same of some slices alone, in this order. */
void slice_ports_list_some(const struct slice *const *slices, size_t n, struct slice_ports *ret);
void endpoints_select(const struct slice_ports *from, const struct service_port *port, int family,
	const struct node_view *view, struct endpoint_list *ret);
/*
 * As endpoints_select(), where `from` is a part of a Service that has ready endpoints and no topology
 * hints to follow: how one endpoint is judged does not depend on the others then.
 */
void endpoints_select_part(const struct slice_ports *from, const struct service_port *port,
	int family, const struct node_view *view, struct endpoint_list *ret);
void slice_ports_done(struct slice_ports *l);
/* The endpoint with that address and port; NULL: none has them. */
struct candidate *endpoints_find(const struct endpoint_list *l, const struct ip *ip, uint16_t port);
void endpoints_done(struct endpoint_list *l);

#endif
