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

/* Appends the subset's endpoints of the family. */
static void collect_subset(struct endpoint_list *l, const struct slice *slice,
	const struct subset *subset, uint16_t port, int family, const struct node_view *view)
{
	const char *us = view->options->node_name;

	for (size_t i = 0; i < subset->n_endpoints; i++) {
		const struct endpoint *ep = &subset->endpoints[i];
		const struct override *override;
		const struct node *node = NULL;
		uint32_t weight = 1;

		if (ep->ip.family != family)
			continue;
		/* The annotation of the slice counts before that of the endpoint's node. */
		if (slice->weight >= 0)
			weight = (uint32_t)slice->weight;
		else if (view->store && *ep->place->node_name)
			node = store_node(view->store, ep->place->node_name);
		if (node && node->weight >= 0)
			weight = (uint32_t)node->weight;
		override =
			overrides_find(&view->overrides, slice->ns, slice->service, &ep->ip, port);
		mem_grow(l->eps, l->n, l->cap);
		l->eps[l->n] = (struct candidate){
			.ip = ep->ip,
			.port = port,
			.weight = override ? override->weight : weight,
			.endpoint = ep,
			.override = override,
			.local = *us && !strcmp(ep->place->node_name, us),
			.order = (unsigned)l->n,
		};
		l->n++;
	}
}

static int compare_address(const void *va, const void *vb)
{
	const struct candidate *a = va, *b = vb;
	int c = ip_compare(&a->ip, &b->ip);

	return c ? c : (int)a->port - (int)b->port;
}

/* Of two endpoints with one address and port (a pod's address is used again) the better one comes
 * first. */
static int compare_candidate(const void *va, const void *vb)
{
	const struct candidate *pair[] = { va, vb };
	int c = compare_address(va, vb), quality[2];

	for (size_t i = 0; i < 2; i++) {
		const struct endpoint *ep = pair[i]->endpoint;

		quality[i] = (!ep->terminating) * 4 + ep->ready * 2 + ep->serving;
	}
	if (!c)
		c = quality[1] - quality[0];
	return c ? c : (pair[0]->order > pair[1]->order) - (pair[0]->order < pair[1]->order);
}

/*
 * A new reason to leave an endpoint out, whatever the traffic policy and the topology, goes here
 * and into enum endpoint_reason. Ready counts before terminating: an endpoint that is both is used,
 * because its Service publishes not ready addresses.
 */
static enum endpoint_reason endpoint_eligibility(const struct endpoint *ep)
{
	if (ep->ready)
		return ENDPOINT_USED;
	return ep->serving && ep->terminating ? ENDPOINT_USED_FALLBACK : ENDPOINT_NOT_READY;
}

enum topology { TOPOLOGY_NONE, TOPOLOGY_NODE, TOPOLOGY_ZONE };

/* The endpoint's hints for that topology name our node or zone. */
static bool endpoint_is_hinted(
	const struct endpoint *ep, enum topology topology, const struct node_view *view)
{
	const bool zone = topology == TOPOLOGY_ZONE;
	const struct endpoint_place *place = ep->place;
	const char *const *hints = zone ? place->zone_hints : place->node_hints;
	const char *us = zone ? view->zone : view->options->node_name;
	size_t n = zone ? place->n_zone_hints : place->n_node_hints;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(hints[i], us))
			return true;
	return false;
}

/* Hints count only if every ready endpoint has one and one of them names us. */
static enum topology topology_of(const struct endpoint_list *l, const struct node_view *view)
{
	bool all_node = *view->options->node_name, all_zone = *view->zone;
	bool any_node = false, any_zone = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct endpoint *ep = l->eps[i].endpoint;

		if (l->eps[i].eligibility != ENDPOINT_USED)
			continue;
		all_node = all_node && ep->place->n_node_hints;
		all_zone = all_zone && ep->place->n_zone_hints;
		any_node = any_node || endpoint_is_hinted(ep, TOPOLOGY_NODE, view);
		any_zone = any_zone || endpoint_is_hinted(ep, TOPOLOGY_ZONE, view);
	}
	if (all_node && any_node)
		return TOPOLOGY_NODE;
	return all_zone && any_zone ? TOPOLOGY_ZONE : TOPOLOGY_NONE;
}

/* The endpoint's place in the list of the Cluster policy. */
static enum endpoint_reason cluster_reason(const struct candidate *c, enum topology topology,
	bool any_ready, const struct node_view *view)
{
	if (c->eligibility == ENDPOINT_USED_FALLBACK && any_ready)
		return ENDPOINT_TERMINATING;
	if (c->eligibility != ENDPOINT_USED || topology == TOPOLOGY_NONE ||
		endpoint_is_hinted(c->endpoint, topology, view))
		return c->eligibility;
	return topology == TOPOLOGY_NODE ? ENDPOINT_OTHER_NODE : ENDPOINT_OTHER_ZONE;
}

static int compare_port_key(const char *name, uint8_t proto, const struct endpoint_port *port)
{
	const int c = strcmp(name, port->name);

	return c ? c : proto - port->proto;
}

static int compare_slice_port(const void *va, const void *vb)
{
	const struct slice_port *a = va, *b = vb;
	const int c = compare_port_key(a->port->name, a->port->proto, b->port);

	return c ? c : (a->order > b->order) - (a->order < b->order);
}

static void slice_ports_add(struct slice_ports *l, const struct slice *slice)
{
	for (size_t i = 0; i < slice->n_subsets; i++) {
		const struct subset *subset = &slice->subsets[i];

		for (size_t j = 0; j < subset->n_ports; j++) {
			mem_grow(l->ports, l->n, l->cap);
			l->ports[l->n] = (struct slice_port){
				.port = &subset->ports[j],
				.slice = slice,
				.subset = subset,
				.order = (unsigned)l->n,
			};
			l->n++;
		}
	}
}

static void slice_ports_sort(struct slice_ports *l)
{
	if (l->n)
		qsort(l->ports, l->n, sizeof(*l->ports), compare_slice_port);
}

void slice_ports_list(const struct slot *slot, struct slice_ports *ret)
{
	ret->n = 0;
	list_for_each_entry(const struct slot_slice, it, &slot->slices, link)
		slice_ports_add(ret, it->slice);
	slice_ports_sort(ret);
}

void slice_ports_list_some(const struct slice *const *slices, size_t n, struct slice_ports *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < n; i++)
		slice_ports_add(ret, slices[i]);
	slice_ports_sort(ret);
}

void slice_ports_done(struct slice_ports *l)
{
	free(l->ports);
	*l = (struct slice_ports){ 0 };
}

/* Where those of the Service's port begin. */
static size_t first_slice_port(const struct slice_ports *l, const struct service_port *port)
{
	size_t from = 0, to = l->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare_port_key(port->name, port->proto, l->ports[middle].port) > 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* All candidates, one for each address and port, not yet judged. */
static void collect_candidates(const struct slice_ports *from, const struct service_port *port,
	int family, const struct node_view *view, struct endpoint_list *ret)
{
	size_t n = 0;

	*ret = (struct endpoint_list){ .eps = ret->eps, .cap = ret->cap };
	for (size_t i = first_slice_port(from, port); i < from->n; i++) {
		const struct slice_port *p = &from->ports[i];

		if (compare_port_key(port->name, port->proto, p->port))
			break;
		collect_subset(ret, p->slice, p->subset, p->port->port, family, view);
	}

	if (ret->n)
		qsort(ret->eps, ret->n, sizeof(*ret->eps), compare_candidate);
	for (size_t i = 0; i < ret->n; i++)
		if (!n || compare_address(&ret->eps[n - 1], &ret->eps[i]))
			ret->eps[n++] = ret->eps[i];
	ret->n_duplicates = ret->n - n;
	ret->n = n;
	for (size_t i = 0; i < n; i++)
		ret->eps[i].eligibility = endpoint_eligibility(ret->eps[i].endpoint);
}

static void judge_candidates(struct endpoint_list *l, bool any_ready, bool local_ready,
	enum topology topology, const struct node_view *view)
{
	for (size_t i = 0; i < l->n; i++) {
		struct candidate *c = &l->eps[i];

		c->reason = cluster_reason(c, topology, any_ready, view);
		c->in_cluster = c->reason == ENDPOINT_USED || c->reason == ENDPOINT_USED_FALLBACK;
		c->in_local = c->local &&
			c->eligibility == (local_ready ? ENDPOINT_USED : ENDPOINT_USED_FALLBACK);
		l->n_cluster += c->in_cluster;
		l->n_local += c->in_local;
		l->any = l->any || c->eligibility == ENDPOINT_USED ||
			c->eligibility == ENDPOINT_USED_FALLBACK;
	}
}

void endpoints_select(const struct slice_ports *from, const struct service_port *port, int family,
	const struct node_view *view, struct endpoint_list *ret)
{
	bool any_ready = false, local_ready = false;

	collect_candidates(from, port, family, view, ret);
	for (size_t i = 0; i < ret->n; i++) {
		const struct candidate *c = &ret->eps[i];

		any_ready |= c->eligibility == ENDPOINT_USED;
		local_ready |= c->eligibility == ENDPOINT_USED && c->local;
	}
	judge_candidates(ret, any_ready, local_ready, topology_of(ret, view), view);
}

void endpoints_select_part(const struct slice_ports *from, const struct service_port *port,
	int family, const struct node_view *view, struct endpoint_list *ret)
{
	collect_candidates(from, port, family, view, ret);
	judge_candidates(ret, true, true, TOPOLOGY_NONE, view);
}

struct candidate *endpoints_find(const struct endpoint_list *l, const struct ip *ip, uint16_t port)
{
	const struct candidate key = { .ip = *ip, .port = port };

	return l->n ? bsearch(&key, l->eps, l->n, sizeof(key), compare_address) : NULL;
}

void endpoints_done(struct endpoint_list *l)
{
	free(l->eps);
	*l = (struct endpoint_list){ 0 };
}
