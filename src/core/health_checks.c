// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/health_checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/endpoints.h"
#include "core/frontends.h"

bool service_has_health_check(const struct service *s)
{
	return s->type == SERVICE_LOAD_BALANCER && service_external_local(s) &&
		s->health_check_node_port && !*service_not_proxied(s);
}

static int cmp_ip(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

static size_t count_distinct(struct address_list *l)
{
	size_t n = 0;

	if (l->n)
		qsort(l->ips, l->n, sizeof(*l->ips), cmp_ip);
	for (size_t i = 0; i < l->n; i++)
		n += !i || !ip_eq(&l->ips[i], &l->ips[i - 1]);
	return n;
}

static void add_ip(struct address_list *l, const struct ip *ip)
{
	mem_grow(l->ips, l->n, l->cap);
	l->ips[l->n++] = *ip;
}

/* Endpoints that terminate do not count, even where they still serve for want of others: the load
 * balancer should turn to another node (EndpointsMap.LocalReadyEndpoints in kube-proxy). */
static void add_ready(struct address_list *l, const struct endpoint_list *endpoints)
{
	for (size_t i = 0; i < endpoints->n; i++)
		if (endpoints->eps[i].local && endpoints->eps[i].endpoint->ready)
			add_ip(l, &endpoints->eps[i].ip);
}

/* Memory that is used for one Service after the other. */
struct scratch {
	struct endpoint_list endpoints;
	struct address_list ips;
};

static uint32_t count_local_ready(
	const struct slot *slot, const struct node_view *view, int family, struct scratch *scratch)
{
	scratch->ips.n = 0;
	for (size_t i = 0; i < slot->service->n_ports; i++) {
		endpoints_select(slot, &slot->service->ports[i], family, view, &scratch->endpoints);
		add_ready(&scratch->ips, &scratch->endpoints);
	}
	return (uint32_t)count_distinct(&scratch->ips);
}

struct item {
	const struct slot *slot;
};

static int cmp_item(const void *a, const void *b)
{
	const struct slot *x = ((const struct item *)a)->slot, *y = ((const struct item *)b)->slot;
	int64_t s = x->service->created, t = y->service->created;

	return s != t ? (s < t ? -1 : 1) : strcmp(x->claimant.name, y->claimant.name);
}

static struct item *find_services(const struct store *store, int family, size_t *ret_n)
{
	struct item *items = NULL;
	size_t n = 0, cap = 0;

	map_for_each(node, &store->slots) {
		const struct slot *slot = container_of(node, struct slot, by_name);

		if (!slot->service || !service_has_health_check(slot->service) ||
			!service_cluster_ip(slot->service, family).family)
			continue;
		mem_grow(items, n, cap);
		items[n++].slot = slot;
	}
	if (n)
		qsort(items, n, sizeof(*items), cmp_item);
	*ret_n = n;
	return items;
}

void health_checks_list(const struct store *store, const struct node_view *view, int family,
	struct health_check_list *ret)
{
	_cleanup_free_ struct item *items = NULL;
	struct scratch scratch = { 0 };
	size_t n;

	ret->n = 0;
	if (!node_view_serves(view, family))
		return;
	items = find_services(store, family, &n);
	for (size_t i = 0; i < n; i++) {
		const struct slot *slot = items[i].slot;

		mem_grow(ret->checks, ret->n, ret->cap);
		ret->checks[ret->n++] = (struct health_check){
			.ns = slot->service->ns,
			.name = slot->service->name,
			.port = slot->service->health_check_node_port,
			.local_ready = count_local_ready(slot, view, family, &scratch),
		};
	}
	endpoints_done(&scratch.endpoints);
	address_list_done(&scratch.ips);
}

void health_checks_done(struct health_check_list *l)
{
	free(l->checks);
	*l = (struct health_check_list){ 0 };
}

/* Nothing restricts NodePorts in this family, or a range that is everything lifts the restriction.
 */
static bool everywhere(const struct node_view *view, int family)
{
	bool any = false;

	if (view->options->nodeport_primary)
		return false;
	for (size_t i = 0; i < view->options->n_nodeport_addresses; i++) {
		const struct cidr *range = &view->options->nodeport_addresses[i];

		if (range->ip.family == family && !range->len)
			return true;
		any = any || range->ip.family == family;
	}
	return !any;
}

void health_checks_addresses(const struct node_view *view, int family, struct address_list *ret)
{
	static const uint8_t unspecified[16];
	const struct ip any = ip_make(family, unspecified);

	ret->n = 0;
	if (everywhere(view, family)) {
		add_ip(ret, &any);
		return;
	}
	for (size_t i = 0; i < view->n_local; i++)
		if (view->local[i].family == family &&
			node_view_is_nodeport_address(view, &view->local[i]))
			add_ip(ret, &view->local[i]);
}

void address_list_done(struct address_list *l)
{
	free(l->ips);
	*l = (struct address_list){ 0 };
}
