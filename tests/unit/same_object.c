// SPDX-License-Identifier: GPL-2.0-or-later
#include "same_object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <string.h>

static void assert_same_service(const struct service *a, const struct service *b)
{
	assert_string_equal(a->ns, b->ns);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->resource_version, b->resource_version);
	assert_string_equal(a->uid, b->uid);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->headless, b->headless);
	assert_int_equal(a->other_proxy, b->other_proxy);
	assert_int_equal(a->cluster_dns, b->cluster_dns);
	assert_int_equal(a->n_cluster_ips, b->n_cluster_ips);
	for (size_t i = 0; i < a->n_cluster_ips; i++)
		assert_true(ip_eq(&a->cluster_ips[i], &b->cluster_ips[i]));
	assert_int_equal(a->n_ports, b->n_ports);
	for (size_t i = 0; i < a->n_ports; i++) {
		assert_string_equal(a->ports[i].name, b->ports[i].name);
		assert_int_equal(a->ports[i].proto, b->ports[i].proto);
		assert_int_equal(a->ports[i].port, b->ports[i].port);
		assert_int_equal(a->ports[i].node_port, b->ports[i].node_port);
	}
	assert_int_equal(a->n_external_ips, b->n_external_ips);
	for (size_t i = 0; i < a->n_external_ips; i++)
		assert_true(ip_eq(&a->external_ips[i], &b->external_ips[i]));
	assert_int_equal(a->n_ingress, b->n_ingress);
	for (size_t i = 0; i < a->n_ingress; i++) {
		assert_true(ip_eq(&a->ingress[i].ip, &b->ingress[i].ip));
		assert_int_equal(a->ingress[i].proxy_mode, b->ingress[i].proxy_mode);
	}
	assert_int_equal(a->n_source_ranges, b->n_source_ranges);
	for (size_t i = 0; i < a->n_source_ranges; i++) {
		assert_true(ip_eq(&a->source_ranges[i].ip, &b->source_ranges[i].ip));
		assert_int_equal(a->source_ranges[i].len, b->source_ranges[i].len);
	}
	assert_int_equal(a->affinity_client_ip, b->affinity_client_ip);
	assert_int_equal(a->affinity_timeout, b->affinity_timeout);
	assert_int_equal(a->external_local, b->external_local);
	assert_int_equal(a->internal_local, b->internal_local);
	assert_int_equal(a->health_check_node_port, b->health_check_node_port);
	assert_int_equal(a->publish_not_ready, b->publish_not_ready);
	assert_string_equal(a->scheduler, b->scheduler);
	assert_int_equal(a->drain_timeout, b->drain_timeout);
}

static void assert_same_wish(const struct service_wish *a, const struct service_wish *b)
{
	assert_int_equal(a->families[0], b->families[0]);
	assert_int_equal(a->families[1], b->families[1]);
	assert_int_equal(a->prefer_dual_stack, b->prefer_dual_stack);
	assert_int_equal(a->require_dual_stack, b->require_dual_stack);
	assert_int_equal(a->node_ports, b->node_ports);
}

static void assert_same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	assert_true(ip_eq(&a->ip, &b->ip));
	assert_string_equal(a->place->node_name, b->place->node_name);
	assert_int_equal(a->ready, b->ready);
	assert_int_equal(a->serving, b->serving);
	assert_int_equal(a->terminating, b->terminating);
	assert_int_equal(a->place->n_zone_hints, b->place->n_zone_hints);
	for (size_t i = 0; i < a->place->n_zone_hints; i++)
		assert_string_equal(a->place->zone_hints[i], b->place->zone_hints[i]);
	assert_int_equal(a->place->n_node_hints, b->place->n_node_hints);
	for (size_t i = 0; i < a->place->n_node_hints; i++)
		assert_string_equal(a->place->node_hints[i], b->place->node_hints[i]);
}

static void assert_same_subset(const struct subset *a, const struct subset *b)
{
	assert_int_equal(a->n_ports, b->n_ports);
	for (size_t i = 0; i < a->n_ports; i++) {
		assert_string_equal(a->ports[i].name, b->ports[i].name);
		assert_int_equal(a->ports[i].proto, b->ports[i].proto);
		assert_int_equal(a->ports[i].port, b->ports[i].port);
	}
	assert_int_equal(a->n_endpoints, b->n_endpoints);
	for (size_t i = 0; i < a->n_endpoints; i++)
		assert_same_endpoint(&a->endpoints[i], &b->endpoints[i]);
}

static void assert_same_slice(const struct slice *a, const struct slice *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_string_equal(a->ns, b->ns);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->resource_version, b->resource_version);
	assert_string_equal(a->service, b->service);
	assert_int_equal(a->weight, b->weight);
	assert_int_equal(a->trigger_time, b->trigger_time);
	assert_int_equal(a->n_subsets, b->n_subsets);
	for (size_t i = 0; i < a->n_subsets; i++)
		assert_same_subset(&a->subsets[i], &b->subsets[i]);
}

static void assert_same_node(const struct node *a, const struct node *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->resource_version, b->resource_version);
	assert_int_equal(a->n_addresses, b->n_addresses);
	for (size_t i = 0; i < a->n_addresses; i++) {
		assert_true(ip_eq(&a->addresses[i].ip, &b->addresses[i].ip));
		assert_int_equal(a->addresses[i].external, b->addresses[i].external);
	}
	assert_int_equal(a->n_pod_cidrs, b->n_pod_cidrs);
	for (size_t i = 0; i < a->n_pod_cidrs; i++) {
		assert_true(ip_eq(&a->pod_cidrs[i].ip, &b->pod_cidrs[i].ip));
		assert_int_equal(a->pod_cidrs[i].len, b->pod_cidrs[i].len);
	}
	assert_string_equal(a->zone, b->zone);
	assert_int_equal(a->weight, b->weight);
	assert_int_equal(a->deleting, b->deleting);
	assert_int_equal(a->to_be_deleted_taint, b->to_be_deleted_taint);
}

void assert_same_object(const struct object *a, const struct object *b)
{
	assert_int_equal(a->kind, b->kind);
	switch (a->kind) {
	case OBJECT_SERVICE:
		assert_same_service(a->service, b->service);
		assert_same_wish(&a->wish, &b->wish);
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		assert_same_slice(a->slice, b->slice);
		break;
	case OBJECT_NODE:
		assert_same_node(a->node, b->node);
		break;
	}
}
