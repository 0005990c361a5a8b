// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/resolve.h"

#include <stdlib.h>

#include "base/mem.h"

void fact_list_add(struct fact_list *l, struct fact f)
{
	mem_grow(l->facts, l->n, l->cap);
	l->facts[l->n++] = f;
}

void fact_list_finish(struct fact_list *l)
{
	size_t n = 0;

	if (l->n)
		qsort(l->facts, l->n, sizeof(*l->facts), fact_compare);
	for (size_t i = 0; i < l->n; i++) {
		struct fact f = l->facts[i];

		if (n && fact_key_eq(&l->facts[n - 1].key, &f.key))
			continue;
		l->facts[i] = l->facts[n];
		l->facts[n++] = f;
	}
	l->n = n;
}

void fact_list_done(struct fact_list *l)
{
	free(l->facts);
	*l = (struct fact_list){ 0 };
}

const char *resolve_scheduler(const struct service *s, const struct node_view *view)
{
	if (*s->scheduler && view->options->layout == LAYOUT_OWN &&
		!node_view_scheduler_missing(view, s->scheduler))
		return s->scheduler;
	return node_view_scheduler_missing(view, view->options->scheduler)
		? LAST_SCHEDULER
		: view->options->scheduler;
}

struct fact resolve_without_endpoints(const struct served_port *p, const struct frontend *fe)
{
	return fact_member(fe->local && p->endpoints.any ? SET_NO_LOCAL : SET_NO_ENDPOINTS,
		p->family, &fe->ip, p->port->proto, fe->port, NULL);
}

struct fact_key resolve_frontend_key(
	const struct node_view *view, const struct frontend *fe, uint8_t proto)
{
	static const char any_hash[SERVICE_HASH_LEN] = { 0 };
	const struct ip any = { .family = fe->ip.family };

	if (!node_view_translates(view))
		return fact_vs(&fe->ip, fe->port, proto).key;
	return fact_dispatch(fe->kind == FRONTEND_NODE_PORT ? &any : &fe->ip, fe->port, proto,
		SERVICE_CHAIN_SVC, any_hash)
		.key;
}

size_t resolve_rival_keys(const struct node_view *view, const struct frontend *fe, uint8_t proto,
	struct fact_key ret[static RESOLVE_RIVAL_KEYS])
{
	struct frontend rival = *fe;

	ret[0] = resolve_frontend_key(view, fe, proto);
	rival.kind = fe->kind == FRONTEND_NODE_PORT ? FRONTEND_EXTERNAL_IP : FRONTEND_NODE_PORT;
	ret[1] = resolve_frontend_key(view, &rival, proto);
	return node_view_translates(view) && node_view_is_nodeport_address(view, &fe->ip) ? 2 : 1;
}
