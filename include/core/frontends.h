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

struct frontend {
	enum frontend_kind kind;
	struct ip ip;
	uint16_t port;
	bool local; /* the traffic policy that applies here is Local */
	bool vip;   /* to be made local: a cluster IP, or an address on no interface of the node */
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
 * balancer, node ports, without duplicates. Empty where the Service is not proxied, has no cluster
 * IP of the family, or the node does not serve the family.
 */
void frontends_list(const struct service *s, const struct service_port *port, int family,
	const struct node_view *view, struct frontend_list *ret);
void frontends_done(struct frontend_list *l);

#endif
