// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/served_port.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/publication.h"

/* Moves what the publication of the Service says is refused. */
static void split_refused(struct served_port *p)
{
	const struct publication *pub = p->slot->published;
	size_t n = 0;

	p->refused.n = 0;
	for (size_t i = 0; pub && pub->n_refused && i < p->frontends.n; i++) {
		struct frontend fe = p->frontends.fes[i];

		fe.refusal = publication_refusal(pub, &fe, p->port->proto);
		if (fe.refusal)
			frontend_list_add(&p->refused, &fe);
		else
			p->frontends.fes[n++] = fe;
	}
	if (pub && pub->n_refused)
		p->frontends.n = n;
}

void served_ports_select(
	struct served_ports *s, const struct slot *slot, const struct node_view *view)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct slice_ports none = { 0 };
	size_t n_servers = 0;

	s->n = 0;
	if (slot->service)
		slice_ports_list(slot, &s->sources);
	for (size_t f = 0; slot->service && f < ARRAY_SIZE(families); f++)
		for (size_t i = 0; i < slot->service->n_ports; i++) {
			const struct service_port *port = &slot->service->ports[i];
			struct served_port *p;

			if (s->n == s->cap) {
				mem_grow(s->ports, s->n, s->cap);
				memset(&s->ports[s->n], 0, (s->cap - s->n) * sizeof(*s->ports));
			}
			p = &s->ports[s->n];
			*p = (struct served_port){
				.slot = slot,
				.service = slot->service,
				.port = port,
				.family = families[f],
				.frontends = p->frontends,
				.refused = p->refused,
				.endpoints = p->endpoints,
			};
			frontends_list(slot->service, port, families[f], view, &p->frontends);
			if (!p->frontends.n)
				continue;
			split_refused(p);
			if (n_servers <= SERVICE_MAX_REAL_SERVERS) {
				endpoints_select(
					&s->sources, port, families[f], view, &p->endpoints);
				n_servers += p->frontends.n * p->endpoints.n;
			}
			p->beyond = n_servers > SERVICE_MAX_REAL_SERVERS;
			if (p->beyond)
				endpoints_select(&none, port, families[f], view, &p->endpoints);
			s->n++;
		}
}

/*
 * The ranges of one family say nothing about the other, and a range that is everything lifts the
 * restriction (pkg/proxy/serviceport.go).
 */
bool served_port_is_restricted(const struct served_port *p)
{
	const struct service *s = p->service;
	bool any = false;

	for (size_t i = 0; i < s->n_source_ranges; i++) {
		if (s->source_ranges[i].ip.family != p->family)
			continue;
		if (!s->source_ranges[i].len)
			return false;
		any = true;
	}
	return any;
}

bool served_port_lost_node_port(const struct served_port *p)
{
	for (size_t i = 0; i < p->refused.n; i++)
		if (p->refused.fes[i].kind == FRONTEND_NODE_PORT)
			return true;
	return false;
}

void served_ports_done(struct served_ports *s)
{
	for (size_t i = 0; i < s->cap; i++) {
		frontends_done(&s->ports[i].frontends);
		frontends_done(&s->ports[i].refused);
		endpoints_done(&s->ports[i].endpoints);
	}
	free(s->ports);
	slice_ports_done(&s->sources);
	*s = (struct served_ports){ 0 };
}
