// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stale.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

void stale_add(struct stale_list *l, struct stale_frontend fe)
{
	mem_grow(l->frontends, l->n, l->cap);
	l->frontends[l->n++] = fe;
}

void stale_add_served(struct stale_list *l, const struct served_ports *served)
{
	for (size_t k = 0; k < served->n; k++) {
		const struct served_port *p = &served->ports[k];
		const size_t first = l->n_endpoints;

		if (p->port->proto != IPPROTO_UDP)
			continue;
		/* Endpoints are sorted by address and port, as stale_match() needs them. */
		for (size_t i = 0; i < p->endpoints.n; i++) {
			const struct candidate *c = &p->endpoints.eps[i];

			if (!c->endpoint->serving && !c->endpoint->ready)
				continue;
			mem_grow(l->endpoints, l->n_endpoints, l->cap_endpoints);
			l->endpoints[l->n_endpoints++] =
				(struct stale_endpoint){ .ip = c->ip, .port = c->port };
		}
		for (size_t i = 0; i < p->frontends.n; i++)
			stale_add(l,
				(struct stale_frontend){ .ip = p->frontends.fes[i].ip,
					.port = p->frontends.fes[i].port,
					.proto = p->port->proto,
					.first = first,
					.n = l->n_endpoints - first });
	}
}

void stale_copy(struct stale_list *l, const struct stale_list *from, size_t i)
{
	struct stale_frontend fe = from->frontends[i];

	for (size_t k = 0; k < fe.n; k++) {
		mem_grow(l->endpoints, l->n_endpoints, l->cap_endpoints);
		l->endpoints[l->n_endpoints++] = from->endpoints[fe.first + k];
	}
	fe.first = l->n_endpoints - fe.n;
	stale_add(l, fe);
}

int stale_frontend_compare(const void *a, const void *b)
{
	const struct stale_frontend *x = a, *y = b;
	int c = (int)x->proto - (int)y->proto;

	if (!c)
		c = ip_compare(&x->ip, &y->ip);
	return c ? c : (int)x->port - (int)y->port;
}

int stale_endpoint_compare(const void *a, const void *b)
{
	const struct stale_endpoint *x = a, *y = b;
	int c = ip_compare(&x->ip, &y->ip);

	return c ? c : (int)x->port - (int)y->port;
}

void stale_finish(struct stale_list *l)
{
	if (l->n)
		qsort(l->frontends, l->n, sizeof(*l->frontends), stale_frontend_compare);
}

void stale_done(struct stale_list *l)
{
	free(l->frontends);
	free(l->endpoints);
	*l = (struct stale_list){ 0 };
}

const struct stale_frontend *stale_find(
	const struct stale_list *l, const struct stale_frontend *key)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (stale_frontend_compare(&l->frontends[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->n && !stale_frontend_compare(&l->frontends[low], key) ? &l->frontends[low]
									      : NULL;
}

bool stale_match(const struct stale_list *l, const struct stale_flow *flow)
{
	const struct stale_frontend key = {
		.ip = flow->to, .port = flow->to_port, .proto = flow->proto
	};
	const struct stale_endpoint from = { .ip = flow->from, .port = flow->from_port };
	const struct stale_frontend *first = stale_find(l, &key), *end = &l->frontends[l->n];

	for (const struct stale_frontend *fe = first; fe && fe < end; fe++) {
		if (stale_frontend_compare(fe, &key))
			break;
		if (l->translated && !flow->translated)
			continue;
		if (fe->n &&
			bsearch(&from, &l->endpoints[fe->first], fe->n, sizeof(from),
				stale_endpoint_compare))
			return false;
	}
	return first;
}
