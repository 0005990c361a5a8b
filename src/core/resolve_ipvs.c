// SPDX-License-Identifier: GPL-2.0-or-later
/* One Service on IPVS: a virtual server for each address and port that it answers on, and its real
 * servers. */
#include <stdio.h>
#include <string.h>

#include "core/marks.h"
#include "resolve_own.h"

/*
 * Persistence of a virtual server that is selected by mark leaves the packet's port as it is
 * (ip_vs_sched_persist), so there a hash of the client's address holds it to one real server.
 */
static void set_affinity(const struct context *c, struct fact *vs)
{
	if (vs->key.proto) {
		vs->val.vs.flags |= VS_PERSISTENT;
		vs->val.vs.timeout = c->service->affinity_timeout;
	} else if (!node_view_scheduler_missing(c->view, "sh"))
		strcpy(vs->val.vs.scheduler, "sh");
}

/*
 * A real server of weight 0 keeps places in the table of "sh", which refuses whom it finds there
 * unless it may look for another one. "mh" hashes the client's address alone unless it is told to
 * take the port too, and one client never spreads over its connections.
 */
static uint32_t scheduler_flags(const char *scheduler)
{
	if (!strcmp(scheduler, "sh"))
		return VS_SCHED_SH_FALLBACK;
	return strcmp(scheduler, "mh") ? 0 : VS_SCHED_MH_PORT;
}

static void add_real_servers(const struct context *c, struct fact vs, bool local)
{
	snprintf(vs.val.vs.scheduler, sizeof(vs.val.vs.scheduler), "%s",
		resolve_scheduler(c->service, c->view));
	if (c->service->affinity_client_ip)
		set_affinity(c, &vs);
	vs.val.vs.flags |= scheduler_flags(vs.val.vs.scheduler);
	fact_list_add(c->out, vs);
	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct chosen *ep = &c->endpoints.eps[i];

		if (local ? ep->in_local : ep->in_cluster)
			fact_list_add(c->out, fact_rs(&vs.key, &ep->ip, ep->port, ep->weight));
	}
}

void ipvs_add_port(struct context *c, const struct slot *slot)
{
	c->mark = marks_find(slot, c->family, c->port->proto, c->port->port);
	if (c->mark)
		add_real_servers(c, fact_vs_fwmark(c->family, c->mark), false);
}

/*
 * With a Local policy only endpoints here may answer. Where there are none but elsewhere there are,
 * packets are dropped, in mangle, before IPVS refuses them; where there are none at all, IPVS
 * refuses them. Pods and the node itself may use all endpoints of an external address, so their
 * packets are marked, and there is a virtual server for the mark.
 */
void ipvs_add_frontend(const struct context *c, const struct frontend *fe)
{
	uint8_t proto = c->port->proto;

	add_real_servers(c, fact_vs(&fe->ip, fe->port, proto), fe->local);
	if (!fe->local)
		return;
	if (c->view->options->mark_mask && !c->endpoints.n_local && c->endpoints.any)
		fact_list_add(c->out,
			fact_member(SET_NO_LOCAL, c->family, &fe->ip, proto, fe->port, NULL));
	if (fe->kind != FRONTEND_CLUSTER_IP && c->mark)
		fact_list_add(c->out,
			fact_member_mark(SET_LOCAL_MARK, c->family, &fe->ip, proto, fe->port,
				c->mark, c->view->options->mark_mask));
}
