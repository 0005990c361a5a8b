// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *endpoint_reason_text(enum endpoint_reason reason)
{
	static const char *const texts[] = {
		[ENDPOINT_USED] = "ready",
		[ENDPOINT_USED_FALLBACK] = "terminating, used because no endpoint is ready",
		[ENDPOINT_NOT_READY] = "not ready",
		[ENDPOINT_TERMINATING] = "terminating",
		[ENDPOINT_OTHER_ZONE] = "hinted for another zone",
		[ENDPOINT_OTHER_NODE] = "hinted for another node",
	};

	return texts[reason];
}

static uint32_t weight_of(
	const struct slice *slice, const struct endpoint *ep, const struct node_view *view)
{
	const struct node *node;

	if (slice->weight >= 0)
		return (uint32_t)slice->weight;
	node = view->store && *ep->node_name ? store_node(view->store, ep->node_name) : NULL;
	return node && node->weight >= 0 ? (uint32_t)node->weight : 1;
}

static void collect_port(struct endpoint_list *l, const struct slice *slice,
	const struct subset *subset, uint16_t port, int family, const struct node_view *view)
{
	for (size_t i = 0; i < subset->n_endpoints; i++) {
		const struct endpoint *ep = &subset->endpoints[i];

		if (ep->ip.family != family)
			continue;
		mem_grow(l->eps, l->n, l->cap);
		l->eps[l->n] = (struct chosen){
			.ip = ep->ip,
			.port = port,
			.weight = weight_of(slice, ep, view),
			.endpoint = ep,
			.local = *view->options->node_name &&
				!strcmp(ep->node_name, view->options->node_name),
			.order = (unsigned)l->n,
		};
		l->n++;
	}
}

static void collect(struct endpoint_list *l, const struct slot *slot,
	const struct service_port *port, int family, const struct node_view *view)
{
	list_for_each(n, &slot->slices) {
		const struct slice *slice = container_of(n, struct slot_slice, link)->slice;

		for (size_t i = 0; i < slice->n_subsets; i++) {
			const struct subset *subset = &slice->subsets[i];

			for (size_t j = 0; j < subset->n_ports; j++)
				if (subset->ports[j].proto == port->proto &&
					!strcmp(subset->ports[j].name, port->name))
					collect_port(l, slice, subset, subset->ports[j].port,
						family, view);
		}
	}
}

/* How good an endpoint is: of two with the same address and port (a pod's address used again) the
 * better counts. */
static int quality(const struct endpoint *ep)
{
	return (!ep->terminating) * 4 + ep->ready * 2 + ep->serving;
}

static int cmp_address(const struct chosen *a, const struct chosen *b)
{
	int c = ip_cmp(&a->ip, &b->ip);

	return c ? c : (int)a->port - (int)b->port;
}

static int cmp_chosen(const void *va, const void *vb)
{
	const struct chosen *a = va, *b = vb;
	int c = cmp_address(a, b);

	if (!c)
		c = quality(b->endpoint) - quality(a->endpoint);
	return c ? c : (a->order > b->order) - (a->order < b->order);
}

static void sort_and_merge(struct endpoint_list *l)
{
	size_t n = 0;

	if (l->n)
		qsort(l->eps, l->n, sizeof(*l->eps), cmp_chosen);
	for (size_t i = 0; i < l->n; i++)
		if (!n || cmp_address(&l->eps[n - 1], &l->eps[i]))
			l->eps[n++] = l->eps[i];
	l->n = n;
}

static bool is_ready(const struct chosen *c)
{
	return c->endpoint->ready;
}

static bool is_fallback(const struct chosen *c)
{
	return !c->endpoint->ready && c->endpoint->serving && c->endpoint->terminating;
}

static bool hinted(const char *const *hints, size_t n, const char *us)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(hints[i], us))
			return true;
	return false;
}

static bool for_node(const struct chosen *c, const struct node_view *view)
{
	return hinted(c->endpoint->node_hints, c->endpoint->n_node_hints, view->options->node_name);
}

static bool for_zone(const struct chosen *c, const struct node_view *view)
{
	return hinted(c->endpoint->zone_hints, c->endpoint->n_zone_hints, view->zone);
}

enum topology { TOPOLOGY_NONE, TOPOLOGY_NODE, TOPOLOGY_ZONE };

/* Hints count only if every ready endpoint has one and one of them names us. */
static enum topology topology_mode(const struct endpoint_list *l, const struct node_view *view)
{
	bool all_node = *view->options->node_name, all_zone = *view->zone;
	bool any_node = false, any_zone = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct chosen *c = &l->eps[i];

		if (!is_ready(c))
			continue;
		all_node = all_node && c->endpoint->n_node_hints;
		all_zone = all_zone && c->endpoint->n_zone_hints;
		any_node = any_node || for_node(c, view);
		any_zone = any_zone || for_zone(c, view);
	}
	return all_node && any_node    ? TOPOLOGY_NODE
		: all_zone && any_zone ? TOPOLOGY_ZONE
				       : TOPOLOGY_NONE;
}

static enum endpoint_reason ready_reason(
	const struct chosen *c, enum topology mode, const struct node_view *view)
{
	switch (mode) {
	case TOPOLOGY_NODE:
		return for_node(c, view) ? ENDPOINT_USED : ENDPOINT_OTHER_NODE;
	case TOPOLOGY_ZONE:
		return for_zone(c, view) ? ENDPOINT_USED : ENDPOINT_OTHER_ZONE;
	case TOPOLOGY_NONE:
		return ENDPOINT_USED;
	}
	return ENDPOINT_USED;
}

static enum endpoint_reason reason_of(
	const struct chosen *c, enum topology mode, bool any_ready, const struct node_view *view)
{
	if (is_ready(c))
		return ready_reason(c, mode, view);
	if (is_fallback(c))
		return any_ready ? ENDPOINT_TERMINATING : ENDPOINT_USED_FALLBACK;
	return ENDPOINT_NOT_READY;
}

static void choose(struct endpoint_list *l, const struct node_view *view)
{
	enum topology mode = topology_mode(l, view);
	bool any_ready = false, local_ready = false;

	for (size_t i = 0; i < l->n; i++) {
		any_ready = any_ready || is_ready(&l->eps[i]);
		local_ready = local_ready || (is_ready(&l->eps[i]) && l->eps[i].local);
	}
	for (size_t i = 0; i < l->n; i++) {
		struct chosen *c = &l->eps[i];

		c->reason = reason_of(c, mode, any_ready, view);
		c->in_cluster = c->reason <= ENDPOINT_USED_FALLBACK;
		c->in_local = c->local && (local_ready ? is_ready(c) : is_fallback(c));
		l->n_cluster += c->in_cluster;
		l->n_local += c->in_local;
		l->any = l->any || is_ready(c) || is_fallback(c);
	}
}

void endpoints_select(const struct slot *slot, const struct service_port *port, int family,
	const struct node_view *view, struct endpoint_list *ret)
{
	*ret = (struct endpoint_list){ .eps = ret->eps, .cap = ret->cap };
	collect(ret, slot, port, family, view);
	sort_and_merge(ret);
	choose(ret, view);
}

void endpoints_done(struct endpoint_list *l)
{
	free(l->eps);
	*l = (struct endpoint_list){ 0 };
}
