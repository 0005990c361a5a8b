// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/served_port.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

static void serve_port(struct served_ports *s, const struct slot *slot,
	const struct service_port *port, int family, const struct node_view *view)
{
	struct served_port *p;

	if (s->n == s->cap) {
		mem_grow(s->ports, s->n, s->cap);
		for (size_t i = s->n; i < s->cap; i++)
			s->ports[i] = (struct served_port){ 0 };
	}
	p = &s->ports[s->n];
	*p = (struct served_port){
		.slot = slot,
		.service = slot->service,
		.port = port,
		.family = family,
		.frontends = p->frontends,
		.endpoints = p->endpoints,
	};
	frontends_list(slot->service, port, family, view, &p->frontends);
	if (!p->frontends.n)
		return;
	endpoints_select(slot, port, family, view, &p->endpoints);
	s->n++;
}

void served_ports_select(
	struct served_ports *s, const struct slot *slot, const struct node_view *view)
{
	static const int families[] = { AF_INET, AF_INET6 };

	s->n = 0;
	for (size_t f = 0; slot->service && f < ARRAY_SIZE(families); f++)
		for (size_t i = 0; i < slot->service->n_ports; i++)
			serve_port(s, slot, &slot->service->ports[i], families[f], view);
}

void served_ports_done(struct served_ports *s)
{
	for (size_t i = 0; i < s->cap; i++) {
		frontends_done(&s->ports[i].frontends);
		endpoints_done(&s->ports[i].endpoints);
	}
	free(s->ports);
	*s = (struct served_ports){ 0 };
}

struct served_port *served_ports_find(
	const struct served_ports *s, const struct service_port *port, int family)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->ports[i].port == port && s->ports[i].family == family)
			return &s->ports[i];
	return NULL;
}
