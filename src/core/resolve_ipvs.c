// SPDX-License-Identifier: GPL-2.0-or-later
/* One Service on IPVS: a virtual server for each address and port that it answers on, and its real
 * servers. */
#include <stdio.h>
#include <string.h>

#include "core/resolve.h"

/*
 * A virtual server with the real servers of one traffic policy's list.
 *
 * - Persistence of a virtual server that is selected by mark leaves the packet's port as it is
 *   (ip_vs_sched_persist()), so there "sh", a hash of the client's address, holds the client to one
 *   real server.
 * - A real server of weight 0 keeps its places in the table of "sh", which refuses the clients that
 *   hash there unless it may look for another one: VS_SCHED_SH_FALLBACK.
 * - "mh" hashes the client's address alone unless it is told to take the port too; one client would
 *   never spread over its connections: VS_SCHED_MH_PORT.
 *
 * kube-proxy has one scheduler for all Services, one weight for all endpoints, and no fallback.
 */
static void add_virtual_server(
	const struct resolver *r, const struct served_port *p, struct fact vs, bool local_policy)
{
	const bool own = r->view->options->layout == LAYOUT_OWN;
	const char *scheduler = resolve_scheduler(p->service, r->view);

	if (p->service->affinity_client_ip && vs.key.proto) {
		vs.val.vs.flags |= VS_PERSISTENT;
		vs.val.vs.timeout = p->service->affinity_timeout;
	} else if (p->service->affinity_client_ip && !node_view_scheduler_missing(r->view, "sh")) {
		scheduler = "sh";
	}
	if (!strcmp(scheduler, "sh") && (own || !vs.key.proto))
		vs.val.vs.flags |= VS_SCHED_SH_FALLBACK;
	else if (!strcmp(scheduler, "mh"))
		vs.val.vs.flags |= VS_SCHED_MH_PORT;
	snprintf(vs.val.vs.scheduler, SCHED_NAME_SIZE, "%s", scheduler);
	fact_list_add(r->out, vs);
	for (size_t i = 0; i < p->endpoints.n; i++) {
		const struct candidate *ep = &p->endpoints.eps[i];

		if (candidate_is_in(ep, local_policy))
			fact_list_add(
				r->out, fact_rs(&vs.key, &ep->ip, ep->port, own ? ep->weight : 1));
	}
}

/*
 * Whether the virtual server at an address with a Local policy has the endpoints here. kube-proxy
 * gives it all endpoints where none is here, unless the Service can only be reached from inside
 * (kubernetes/kubernetes#97081).
 */
static bool has_local_list(
	const struct resolver *r, const struct served_port *p, const struct frontend *fe)
{
	return fe->local &&
		(r->view->options->layout != LAYOUT_KUBE_PROXY || p->endpoints.n_local ||
			(p->service->internal_local &&
				!service_externally_accessible(p->service, p->port, p->family)));
}

/*
 * With a Local policy only endpoints on this node may answer:
 *
 * 1. Without endpoints here, but some elsewhere, mangle drops packets before IPVS refuses them.
 * 2. Without any endpoints IPVS refuses packets.
 * 3. Pods and the node itself may use all endpoints of an external address. Their packets get a
 *    mark, and a virtual server for that mark has all endpoints.
 */
void resolve_ipvs_port(const struct resolver *r, const struct served_port *p)
{
	const bool marks = options_use_marks(r->view->options);
	const uint8_t proto = p->port->proto;

	if (p->mark)
		add_virtual_server(r, p, fact_vs_fwmark(p->family, p->mark), false);
	for (size_t i = 0; i < p->frontends.n; i++) {
		const struct frontend *fe = &p->frontends.fes[i];

		add_virtual_server(
			r, p, fact_vs(&fe->ip, fe->port, proto), has_local_list(r, p, fe));
		if (!fe->local)
			continue;
		if (marks && !p->endpoints.n_local && p->endpoints.any)
			fact_list_add(r->out,
				fact_member(
					SET_NO_LOCAL, p->family, &fe->ip, proto, fe->port, NULL));
		if (fe->kind != FRONTEND_CLUSTER_IP && p->mark)
			fact_list_add(r->out,
				fact_member_mark(SET_LOCAL_MARK, p->family, &fe->ip, proto,
					fe->port, p->mark, r->view->options->mark_mask));
	}
}
