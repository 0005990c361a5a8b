// SPDX-License-Identifier: GPL-2.0-or-later
#include "model_pack.h"

#include <string.h>

/* Each function for the size goes through the object in the order in which it is packed. */

static size_t text_size(const char *s)
{
	return *s ? strlen(s) + 1 : 0;
}

static const char *pack_text(struct arena *a, const char *s)
{
	return *s ? arena_strdup(a, s) : "";
}

/* NULL for an empty array. */
static void *pack_array(struct arena *a, const void *array, size_t n, size_t size)
{
	return n ? memcpy(arena_alloc(a, n, size), array, n * size) : NULL;
}

static size_t service_size(const struct service *s)
{
	size_t size = arena_size(0, 1, sizeof(*s));

	size = arena_size(size, s->n_ports, sizeof(*s->ports));
	size = arena_size(size, s->n_external_ips, sizeof(*s->external_ips));
	size = arena_size(size, s->n_ingress, sizeof(*s->ingress));
	size = arena_size(size, s->n_source_ranges, sizeof(*s->source_ranges));
	size += text_size(s->ns) + text_size(s->name) + text_size(s->resource_version) +
		text_size(s->uid) + text_size(s->scheduler);
	for (size_t i = 0; i < s->n_ports; i++)
		size += text_size(s->ports[i].name);
	return size;
}

struct service *service_pack(struct service *s)
{
	struct service_port *ports;
	struct service *packed;
	struct arena a;

	arena_init(&a, service_size(s));
	packed = pack_array(&a, s, 1, sizeof(*s));
	packed->ports = ports = pack_array(&a, s->ports, s->n_ports, sizeof(*s->ports));
	packed->external_ips =
		pack_array(&a, s->external_ips, s->n_external_ips, sizeof(*s->external_ips));
	packed->ingress = pack_array(&a, s->ingress, s->n_ingress, sizeof(*s->ingress));
	packed->source_ranges =
		pack_array(&a, s->source_ranges, s->n_source_ranges, sizeof(*s->source_ranges));
	packed->ns = pack_text(&a, s->ns);
	packed->name = pack_text(&a, s->name);
	packed->resource_version = pack_text(&a, s->resource_version);
	packed->uid = pack_text(&a, s->uid);
	packed->scheduler = pack_text(&a, s->scheduler);
	for (size_t i = 0; i < s->n_ports; i++)
		ports[i].name = pack_text(&a, s->ports[i].name);
	packed->arena = a;
	service_free(s);
	return packed;
}

static size_t slice_size(const struct slice *s)
{
	size_t size = arena_size(0, 1, sizeof(*s));

	size = arena_size(size, s->n_subsets, sizeof(*s->subsets));
	for (size_t i = 0; i < s->n_subsets; i++) {
		const struct subset *subset = &s->subsets[i];

		size = arena_size(size, subset->n_endpoints, sizeof(*subset->endpoints));
		size = arena_size(size, subset->n_ports, sizeof(*subset->ports));
		for (size_t k = 0; k < subset->n_ports; k++)
			size += text_size(subset->ports[k].name);
	}
	return size + text_size(s->ns) + text_size(s->name) + text_size(s->resource_version) +
		text_size(s->service);
}

static void pack_subset(
	struct arena *a, struct subset *to, const struct subset *from, struct place_pool *places)
{
	struct endpoint *endpoints =
		pack_array(a, from->endpoints, from->n_endpoints, sizeof(*endpoints));
	struct endpoint_port *ports = pack_array(a, from->ports, from->n_ports, sizeof(*ports));

	for (size_t i = 0; i < from->n_endpoints; i++)
		endpoints[i].place = place_pool_get(places, from->endpoints[i].place);
	for (size_t i = 0; i < from->n_ports; i++)
		ports[i].name = pack_text(a, from->ports[i].name);
	to->endpoints = endpoints;
	to->ports = ports;
}

struct slice *slice_pack(struct slice *s, struct place_pool *places)
{
	struct subset *subsets;
	struct slice *packed;
	struct arena a;

	arena_init(&a, slice_size(s));
	packed = pack_array(&a, s, 1, sizeof(*s));
	packed->subsets = subsets = pack_array(&a, s->subsets, s->n_subsets, sizeof(*subsets));
	for (size_t i = 0; i < s->n_subsets; i++)
		pack_subset(&a, &subsets[i], &s->subsets[i], places);
	packed->ns = pack_text(&a, s->ns);
	packed->name = pack_text(&a, s->name);
	packed->resource_version = pack_text(&a, s->resource_version);
	packed->service = pack_text(&a, s->service);
	packed->arena = a;
	slice_free(s);
	return packed;
}

void slice_packed_free(struct slice *s, struct place_pool *places)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_subsets; i++)
		for (size_t k = 0; k < s->subsets[i].n_endpoints; k++)
			place_pool_put(places, s->subsets[i].endpoints[k].place);
	slice_free(s);
}
