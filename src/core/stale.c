// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stale.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/endpoints.h"
#include "core/frontends.h"

static void add_frontend(struct stale_list *l, struct stale_frontend fe)
{
	mem_grow(l->frontends, l->n, l->cap);
	l->frontends[l->n++] = fe;
}

/* In the order of endpoints_select(): by address and port. */
static void add_serving(struct stale_list *l, const struct endpoint_list *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct chosen *c = &from->eps[i];

		if (!c->endpoint->serving)
			continue;
		mem_grow(l->endpoints, l->n_endpoints, l->cap_endpoints);
		l->endpoints[l->n_endpoints++] =
			(struct stale_endpoint){ .ip = c->ip, .port = c->port };
	}
}

static void add_port(struct stale_list *l, const struct slot *slot, const struct service_port *port,
	int family, const struct policy *policy, bool empty)
{
	_cleanup_(frontends_done) struct frontend_list frontends = { 0 };
	_cleanup_(endpoints_done) struct endpoint_list endpoints = { 0 };
	const size_t first = l->n_endpoints;

	frontends_list(slot->service, port, family, policy, &frontends);
	if (!frontends.n)
		return;
	endpoints_select(slot, port, family, policy, &endpoints);
	add_serving(l, &endpoints);
	if (l->n_endpoints == first && !empty)
		return;
	for (size_t i = 0; i < frontends.n; i++)
		add_frontend(l,
			(struct stale_frontend){ .ip = frontends.fes[i].ip,
				.port = frontends.fes[i].port,
				.proto = port->proto,
				.first = first,
				.n = l->n_endpoints - first });
}

void stale_add_slot(
	struct stale_list *l, const struct slot *slot, const struct policy *policy, bool empty)
{
	const struct service *s = slot->service;

	for (size_t i = 0; s && i < s->n_ports; i++) {
		if (s->ports[i].proto != IPPROTO_UDP)
			continue;
		add_port(l, slot, &s->ports[i], AF_INET, policy, empty);
		add_port(l, slot, &s->ports[i], AF_INET6, policy, empty);
	}
}

void stale_add(struct stale_list *l, const struct ip *ip, uint16_t port, uint8_t proto)
{
	add_frontend(l, (struct stale_frontend){ .ip = *ip, .port = port, .proto = proto });
}

void stale_filter(
	struct stale_list *l, bool (*keep)(const struct stale_frontend *fe, void *arg), void *arg)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (keep(&l->frontends[i], arg))
			l->frontends[n++] = l->frontends[i];
	l->n = n;
}

static int cmp_address(const struct ip *a, uint16_t a_port, const struct ip *b, uint16_t b_port)
{
	int c = ip_cmp(a, b);

	return c ? c : (int)a_port - (int)b_port;
}

static int cmp_frontend(const void *va, const void *vb)
{
	const struct stale_frontend *a = va, *b = vb;

	return a->proto == b->proto ? cmp_address(&a->ip, a->port, &b->ip, b->port)
				    : (int)a->proto - (int)b->proto;
}

static int cmp_endpoint(const void *va, const void *vb)
{
	const struct stale_endpoint *a = va, *b = vb;

	return cmp_address(&a->ip, a->port, &b->ip, b->port);
}

void stale_finish(struct stale_list *l)
{
	if (l->n)
		qsort(l->frontends, l->n, sizeof(*l->frontends), cmp_frontend);
}

void stale_done(struct stale_list *l)
{
	free(l->frontends);
	free(l->endpoints);
	*l = (struct stale_list){ 0 };
}

/* The first of those that are equal to `key`, or where it would stand. */
static size_t find(const struct stale_list *l, const struct stale_frontend *key)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cmp_frontend(&l->frontends[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_endpoint(
	const struct stale_list *l, const struct stale_frontend *fe, const struct stale_flow *flow)
{
	const struct stale_endpoint key = { .ip = flow->from, .port = flow->from_port };

	return fe->n && bsearch(&key, &l->endpoints[fe->first], fe->n, sizeof(key), cmp_endpoint);
}

bool stale_match(const struct stale_list *l, const struct stale_flow *flow)
{
	const struct stale_frontend key = {
		.ip = flow->to, .port = flow->to_port, .proto = flow->proto
	};
	const size_t first = find(l, &key);
	size_t i;

	for (i = first; i < l->n && !cmp_frontend(&l->frontends[i], &key); i++)
		if (is_endpoint(l, &l->frontends[i], flow))
			return false;
	return i > first;
}
