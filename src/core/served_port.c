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

static struct served_port *served_ports_next(struct served_ports *s, const struct slot *slot,
	const struct service_port *port, int family, const struct node_view *view)
{
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
		.family = family,
		.frontends = p->frontends,
		.refused = p->refused,
		.endpoints = p->endpoints,
	};
	frontends_list(slot->service, port, family, view, &p->frontends);
	if (!p->frontends.n)
		return NULL;
	s->n++;
	return p;
}

static const int served_families[] = { AF_INET, AF_INET6 };

void served_ports_select(
	struct served_ports *s, const struct slot *slot, const struct node_view *view)
{
	const struct service *service = slot->service;
	const struct slice_ports none = { 0 };
	size_t n_servers = 0;

	s->n = 0;
	if (service)
		slice_ports_list(slot, &s->sources);
	for (size_t f = 0; service && f < ARRAY_SIZE(served_families); f++)
		for (size_t i = 0; i < service->n_ports; i++) {
			const struct service_port *port = &service->ports[i];
			const int family = served_families[f];
			struct served_port *p = served_ports_next(s, slot, port, family, view);

			if (!p)
				continue;
			split_refused(p);
			if (n_servers <= SERVICE_MAX_REAL_SERVERS) {
				endpoints_select(&s->sources, port, family, view, &p->endpoints);
				n_servers += p->frontends.n * p->endpoints.n;
			}
			p->beyond = n_servers > SERVICE_MAX_REAL_SERVERS;
			if (p->beyond)
				endpoints_select(&none, port, family, view, &p->endpoints);
		}
}

void served_ports_select_part(struct served_ports *s, const struct slot *slot,
	const struct slice *const *slices, size_t n_slices, const struct node_view *view)
{
	const struct service *service = slot->service;

	s->n = 0;
	slice_ports_list_some(slices, n_slices, &s->sources);
	for (size_t f = 0; f < ARRAY_SIZE(served_families); f++)
		for (size_t i = 0; i < service->n_ports; i++) {
			const struct service_port *port = &service->ports[i];
			const int family = served_families[f];
			struct served_port *p = served_ports_next(s, slot, port, family, view);

			if (p)
				endpoints_select_part(
					&s->sources, port, family, view, &p->endpoints);
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
