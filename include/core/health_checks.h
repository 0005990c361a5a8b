/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_HEALTH_CHECKS_H
#define CORE_HEALTH_CHECKS_H

#include "core/served_port.h"

/*
 * Health checks of Services: a load balancer asks the node, at the Service's healthCheckNodePort,
 * whether there are endpoints for it here (externalTrafficPolicy Local).
 */

struct health_check {
	const char *ns, *name; /* of the Service's object: valid until it changes */
	uint16_t port;
	uint32_t local_ready; /* addresses of ready endpoints on this node, each counted once */
};

struct health_check_list {
	struct health_check *checks;
	size_t n, cap;
};

/* The Service answers health checks. */
bool service_has_health_check(const struct service *s);

/* Addresses of ready endpoints on this node in that family, each counted once. */
uint32_t health_check_local_ready(const struct served_ports *served, int family);

/*
 * Fills `ret`, which is zeroed or was filled before, with the health checks of that family, those
 * of older Services first: where two want one port, the older one should get it.
 */
void health_checks_list(const struct store *store, const struct node_view *view, int family,
	struct health_check_list *ret);
void health_checks_done(struct health_check_list *l);

struct address_list {
	struct ip *ips;
	size_t n, cap;
};

/*
 * Where they answer: on the addresses that carry NodePorts, or, where that is all of them, on the
 * unspecified address. `ret` as above.
 */
void health_checks_addresses(const struct node_view *view, int family, struct address_list *ret);
void address_list_done(struct address_list *l);

#endif
