// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/no_local.h"

#include "base/mem.h"
#include "core/served_port.h"

struct no_local no_local_count(const struct store *store, const struct node_view *view, int family)
{
	_cleanup_(served_ports_done) struct served_ports served = { 0 };
	struct no_local ret = { 0 };

	for (size_t n = 0; n < store->n_local; n++) {
		const struct slot *slot = store->local[n];
		const struct service *s = slot->service;
		bool internal = false, external = false;

		if (!s->internal_local && !service_external_local(s))
			continue;
		served_ports_select(&served, slot, view);
		for (size_t i = 0; i < served.n; i++) {
			const struct served_port *p = &served.ports[i];

			if (p->family != family || !p->endpoints.any || p->endpoints.n_local)
				continue;
			internal |= s->internal_local;
			external |= service_external_local(s) &&
				service_externally_accessible(s, p->port, family);
		}
		ret.internal += internal;
		ret.external += external;
	}
	return ret;
}
