/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_SERVED_PORT_H
#define CORE_SERVED_PORT_H

#include "core/endpoints.h"
#include "core/frontends.h"
#include "core/model.h"
#include "core/node_view.h"
#include "core/store.h"

/*
 * One port of one Service in one family on this node: the addresses that it answers on, and its
 * endpoints, each with the reason why it is in or out. All that is programmed, reported or
 * explained about a Service starts from its served ports; they are computed once for all who look
 * at a change.
 */
struct served_port {
	const struct slot *slot;
	const struct service *service; /* the slot's */
	const struct service_port *port;
	int family;
	uint32_t mark; /* firewall mark of in-cluster traffic, see core/marks.h; 0: none */
	/* Those that the Service has, and those that it names and may not have. */
	struct frontend_list frontends, refused;
	struct endpoint_list endpoints; /* none where `beyond` */
	bool beyond;			/* the limit SERVICE_MAX_REAL_SERVERS */
};

/* A zeroed list is empty; it keeps its memory from one Service to the next. */
struct served_ports {
	struct served_port *ports; /* by family, then in the Service's order */
	size_t n, cap;
	struct slice_ports sources; /* of their endpoints */
};

/*
 * The ports that the slot's Service has in the families that this node serves; none where the
 * Service is not for us (service_not_proxied()). What is refused is known from the Service's
 * publication. Marks are 0. Pointers stay valid as long as the slot does not change.
 */
void served_ports_select(
	struct served_ports *s, const struct slot *slot, const struct node_view *view);
/*
 * The same with the endpoints of some of its slices alone, or of what these were before: see
 * endpoints_select_part(). Of ports of which nothing is refused.
 */
void served_ports_select_part(struct served_ports *s, const struct slot *slot,
	const struct slice *const *slices, size_t n_slices, const struct node_view *view);
void served_ports_done(struct served_ports *s);
/* Another Service has the node port. */
bool served_port_lost_node_port(const struct served_port *p);
/* Its load balancer addresses answer only sources in service.source_ranges. */
bool served_port_is_restricted(const struct served_port *p);

#endif
