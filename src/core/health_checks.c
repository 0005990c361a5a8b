// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/health_checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool service_has_health_check(const struct service *s)
{
	return s->type == SERVICE_LOAD_BALANCER && service_external_local(s) &&
		s->health_check_node_port && !*service_not_proxied(s);
}

/*
 * Endpoints that terminate do not count, even where they still serve for want of others: the load
 * balancer should turn to another node (EndpointsMap.LocalReadyEndpoints in kube-proxy).
 */
uint32_t health_check_local_ready(const struct served_ports *served, int family)
{
	_cleanup_(address_list_done) struct address_list ready = { 0 };
	uint32_t n = 0;

	for (size_t k = 0; k < served->n; k++) {
		const struct endpoint_list *l = &served->ports[k].endpoints;

		for (size_t i = 0; served->ports[k].family == family && i < l->n; i++)
			if (l->eps[i].local && l->eps[i].eligibility == ENDPOINT_USED) {
				mem_grow(ready.ips, ready.n, ready.cap);
				ready.ips[ready.n++] = l->eps[i].ip;
			}
	}
	if (ready.n)
		qsort(ready.ips, ready.n, sizeof(*ready.ips), ip_compare);
	for (size_t i = 0; i < ready.n; i++)
		n += !i || !ip_eq(&ready.ips[i], &ready.ips[i - 1]);
	return n;
}

static int compare_age(const void *a, const void *b)
{
	const struct slot *x = *(const struct slot *const *)a, *y = *(const struct slot *const *)b;
	int64_t s = x->service->created, t = y->service->created;

	return s != t ? (s < t ? -1 : 1) : strcmp(x->name, y->name);
}

void health_checks_list(const struct store *store, const struct node_view *view, int family,
	struct health_check_list *ret)
{
	_cleanup_(served_ports_done) struct served_ports served = { 0 };
	_cleanup_free_ const struct slot **slots = NULL;
	size_t n = 0, cap = 0;

	ret->n = 0;
	if (!node_view_serves(view, family))
		return;
	for (size_t i = 0; i < store->n_local; i++) {
		const struct slot *slot = store->local[i];

		if (!service_has_health_check(slot->service) ||
			!service_cluster_ip(slot->service, family).family)
			continue;
		mem_grow(slots, n, cap);
		slots[n++] = slot;
	}
	if (n)
		qsort(slots, n, sizeof(*slots), compare_age);
	for (size_t i = 0; i < n; i++) {
		const struct service *s = slots[i]->service;

		served_ports_select(&served, slots[i], view);
		mem_grow(ret->checks, ret->n, ret->cap);
		ret->checks[ret->n++] = (struct health_check){
			.ns = s->ns,
			.name = s->name,
			.port = s->health_check_node_port,
			.local_ready = health_check_local_ready(&served, family),
		};
	}
}

void health_checks_done(struct health_check_list *l)
{
	free(l->checks);
	*l = (struct health_check_list){ 0 };
}

void health_checks_addresses(const struct node_view *view, int family, struct address_list *ret)
{
	static const uint8_t unspecified[16];
	const struct ip any = ip_make(family, unspecified);
	const struct options *o = view->options;
	bool everywhere = options_all_nodeport_addresses(o, family);

	/* A range that is everything lifts the restriction. */
	for (size_t i = 0; !o->nodeport_primary && i < o->n_nodeport_addresses; i++)
		if (o->nodeport_addresses[i].ip.family == family && !o->nodeport_addresses[i].len)
			everywhere = true;
	ret->n = 0;
	if (everywhere) {
		mem_grow(ret->ips, ret->n, ret->cap);
		ret->ips[ret->n++] = any;
		return;
	}
	for (size_t i = 0; i < view->n_local; i++) {
		if (view->local[i].family != family ||
			!node_view_is_nodeport_address(view, &view->local[i]))
			continue;
		mem_grow(ret->ips, ret->n, ret->cap);
		ret->ips[ret->n++] = view->local[i];
	}
}

void address_list_done(struct address_list *l)
{
	free(l->ips);
	*l = (struct address_list){ 0 };
}
