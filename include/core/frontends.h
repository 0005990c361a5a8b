/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_FRONTENDS_H
#define CORE_FRONTENDS_H

#include "core/model.h"
#include "core/node_view.h"

/* The addresses that a Service port answers on. */

enum frontend_kind {
	FRONTEND_CLUSTER_IP,
	FRONTEND_EXTERNAL_IP,
	FRONTEND_LOAD_BALANCER,
	FRONTEND_NODE_PORT
};
const char *frontend_kind_name(enum frontend_kind kind);

/*
 * The authority behind a claim to an address and port, the highest first. Cluster IPs and node
 * ports are allocated, so that nobody else can have them. Controllers write load balancer addresses
 * into the status of a Service. External IPs stand in its specification: whoever may edit a Service
 * writes what he likes.
 */
enum authority { AUTHORITY_ALLOCATED, AUTHORITY_STATUS, AUTHORITY_SPEC };
enum authority frontend_authority(enum frontend_kind kind);

/* How packets to the address come to be ours. */
enum frontend_reach {
	REACH_NODE,  /* the address is on an interface of the node */
	REACH_WHOLE, /* it is made local: a cluster IP, or an address that nobody else has */
	REACH_PORTS, /* it stays with its owner, and packets to this one port are taken */
};
/* "node", "whole", "ports" */
const char *frontend_reach_name(enum frontend_reach reach);

/* Why a Service may not have an address and port. */
enum refusal {
	REFUSAL_NONE,
	REFUSAL_HELD,	      /* another Service has it, with more authority or for longer */
	REFUSAL_FOREIGN,      /* another program has a virtual server there */
	REFUSAL_SPECIAL,      /* loopback, link-local, multicast, ...: see ip_kind() */
	REFUSAL_RANGE,	      /* outside --external-ip-ranges or --load-balancer-ranges */
	REFUSAL_API_SERVER,   /* the API server listens there */
	REFUSAL_CLUSTER_IP,   /* in the range of cluster IPs, or the one of another Service */
	REFUSAL_POD,	      /* in a range of pods */
	REFUSAL_ENDPOINT,     /* an endpoint of another Service listens there */
	REFUSAL_KUBELET,      /* port 10250 of this node */
	REFUSAL_DAEMON,	      /* this daemon's own health checks or metrics */
	REFUSAL_HEALTH_CHECK, /* the health check node port of a Service */
	REFUSALS
};
/* For metrics and JSON: "Held", "ApiServer". */
const char *refusal_name(enum refusal refusal);
/* "the API server listens there"; not for REFUSAL_NONE and REFUSAL_HELD. */
const char *refusal_text(enum refusal refusal);

struct frontend {
	enum frontend_kind kind;
	struct ip ip;
	uint16_t port;
	bool local; /* the traffic policy that applies here is Local */
	enum frontend_reach reach;
	enum refusal refusal; /* of struct served_port.refused; else REFUSAL_NONE */
};

struct frontend_list {
	struct frontend *fes;
	size_t n, cap;
};

/* Why nothing is programmed for a whole Service; "" where something is. */
const char *service_not_proxied(const struct service *s);

/* externalTrafficPolicy is Local, and the Service is reachable from outside. */
bool service_external_local(const struct service *s);
bool service_externally_accessible(
	const struct service *s, const struct service_port *port, int family);
/* The cluster IP of that family; family 0: none. */
struct ip service_cluster_ip(const struct service *s, int family);

/*
 * Fills `ret`, which is zeroed or was filled before, in the order cluster IP, external IPs, load
 * balancer, node ports, whether or not the Service may have them. Of duplicates the one with the
 * highest authority stays. Empty where the Service is not proxied, has no cluster
 * IP of the family, or the node does not serve the family.
 */
void frontends_list(const struct service *s, const struct service_port *port, int family,
	const struct node_view *view, struct frontend_list *ret);
void frontend_list_add(struct frontend_list *l, const struct frontend *fe);
/* For qsort() and bsearch(): by address and port. */
int frontend_compare(const void *a, const void *b);
void frontends_done(struct frontend_list *l);

#endif
