/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FUZZ_CHECK_OBJECT_H
#define FUZZ_CHECK_OBJECT_H

#include <string.h>

#include "decode/decode.h"
#include "fuzz.h"

/* The invariants of every decoded object. */

static inline void check_service(const struct service *s)
{
	must(s->ns[0] && s->name[0]);
	must(s->n_cluster_ips <= 2);
	must(!s->headless || !s->n_cluster_ips);
	must(s->affinity_timeout >= 1 && s->affinity_timeout <= 86400);
	must(strlen(s->scheduler) < 16);
	for (size_t i = 0; i < s->n_ports; i++)
		must(s->ports[i].name && s->ports[i].proto && s->ports[i].port);
	for (size_t i = 0; i < s->n_external_ips; i++)
		must(s->external_ips[i].family);
	for (size_t i = 0; i < s->n_ingress; i++)
		must(s->ingress[i].ip.family);
	for (size_t i = 0; i < s->n_source_ranges; i++)
		must(s->source_ranges[i].ip.family);
}

static inline void check_subset(const struct subset *s)
{
	for (size_t i = 0; i < s->n_ports; i++)
		must(s->ports[i].name && s->ports[i].proto && s->ports[i].port);
	for (size_t i = 0; i < s->n_endpoints; i++) {
		must(s->endpoints[i].ip.family && s->endpoints[i].place->node_name);
		for (size_t k = 0; k < s->endpoints[i].place->n_zone_hints; k++)
			must(s->endpoints[i].place->zone_hints[k]);
		for (size_t k = 0; k < s->endpoints[i].place->n_node_hints; k++)
			must(s->endpoints[i].place->node_hints[k]);
	}
}

static inline void check_slice(const struct slice *s)
{
	must(s->ns[0] && s->name[0] && s->service[0]);
	must(s->weight >= -1 && s->weight <= 65535);
	for (size_t i = 0; i < s->n_subsets; i++)
		check_subset(&s->subsets[i]);
}

static inline void check_node(const struct node *n)
{
	must(n->name[0] && n->zone);
	must(n->weight >= -1 && n->weight <= 65535);
	for (size_t i = 0; i < n->n_addresses; i++)
		must(n->addresses[i].ip.family);
	for (size_t i = 0; i < n->n_pod_cidrs; i++)
		must(n->pod_cidrs[i].ip.family);
}

static inline void check_object(const struct object *o)
{
	switch (o->kind) {
	case OBJECT_SERVICE:
		check_service(o->service);
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		check_slice(o->slice);
		break;
	case OBJECT_NODE:
		check_node(o->node);
		break;
	}
}

#endif
