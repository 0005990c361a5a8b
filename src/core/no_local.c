// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/no_local.h"

#include "core/endpoints.h"
#include "core/frontends.h"

static void count_service(const struct slot *slot, const struct node_view *view, int family,
	struct endpoint_list *scratch, struct no_local *ret)
{
	const struct service *s = slot->service;
	bool internal = false, external = false;

	for (size_t i = 0; i < s->n_ports; i++) {
		const struct service_port *port = &s->ports[i];

		endpoints_select(slot, port, family, view, scratch);
		if (!scratch->any || scratch->n_local)
			continue;
		internal = internal || s->internal_local;
		external = external ||
			(service_external_local(s) &&
				service_externally_accessible(s, port, family));
	}
	ret->internal += internal;
	ret->external += external;
}

static bool has_local_policy(const struct service *s, int family)
{
	return (s->internal_local || service_external_local(s)) && !*service_not_proxied(s) &&
		service_cluster_ip(s, family).family;
}

struct no_local no_local_count(const struct store *store, const struct node_view *view, int family)
{
	struct endpoint_list scratch = { 0 };
	struct no_local ret = { 0 };

	if (!node_view_serves(view, family))
		return ret;
	map_for_each(node, &store->slots) {
		const struct slot *slot = container_of(node, struct slot, by_name);

		if (slot->service && has_local_policy(slot->service, family))
			count_service(slot, view, family, &scratch, &ret);
	}
	endpoints_done(&scratch);
	return ret;
}
