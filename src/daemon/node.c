// SPDX-License-Identifier: GPL-2.0-or-later
#include "node.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/link.h"

static const int families[] = { AF_INET, AF_INET6 };

static bool is_local(const struct node_facts *n, const struct ip *ip)
{
	for (size_t i = 0; i < n->n_local; i++)
		if (ip_eq(ip, &n->local[i]))
			return true;
	return false;
}

static struct ip first_local(const struct node_facts *n, const struct node *node, int family)
{
	for (size_t i = 0; i < node->n_addresses; i++) {
		const struct ip *ip = &node->addresses[i].ip;

		if (ip->family == family && is_local(n, ip))
			return *ip;
	}
	return (struct ip){ 0 };
}

static void read_object(struct node_facts *n, const struct node *node)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		n->object_ip[i] = first_local(n, node, families[i]);
	snprintf(n->zone, sizeof(n->zone), "%s", node->zone);
	for (size_t i = 0; i < node->n_pod_cidrs && i < ARRAY_SIZE(n->pod_cidrs); i++)
		n->pod_cidrs[n->n_pod_cidrs++] = node->pod_cidrs[i];
}

static void keep_object(struct node_facts *n, const struct node_facts *was)
{
	memcpy(n->object_ip, was->object_ip, sizeof(n->object_ip));
	memcpy(n->zone, was->zone, sizeof(n->zone));
	memcpy(n->pod_cidrs, was->pod_cidrs, sizeof(n->pod_cidrs));
	n->n_pod_cidrs = was->n_pod_cidrs;
}

static struct ip choose_ip(const struct node_facts *n, size_t family)
{
	if (n->bind_address.family == families[family] && is_local(n, &n->bind_address))
		return n->bind_address;
	if (n->object_ip[family].family && is_local(n, &n->object_ip[family]))
		return n->object_ip[family];
	return link_primary_address(families[family], n->local, n->n_local);
}

static bool same(const struct node_facts *a, const struct node_facts *b)
{
	return a->n_local == b->n_local &&
		(!a->n_local || !memcmp(a->local, b->local, a->n_local * sizeof(*a->local))) &&
		!strcmp(a->zone, b->zone) && a->n_pod_cidrs == b->n_pod_cidrs &&
		!memcmp(a->pod_cidrs, b->pod_cidrs, a->n_pod_cidrs * sizeof(*a->pod_cidrs));
}

bool node_update(struct node_facts *n, struct ip *local, size_t n_local, const struct store *store,
	struct policy *policy)
{
	const struct node *node = store_node(store, policy->node_name);
	struct node_facts new = {
		.bind_address = n->bind_address, .keep = n->keep, .local = local, .n_local = n_local
	};
	struct ip ips[2];
	bool changed;

	if (node)
		read_object(&new, node);
	else if (n->keep)
		keep_object(&new, n);
	for (size_t i = 0; i < ARRAY_SIZE(ips); i++)
		ips[i] = choose_ip(&new, i);
	changed =
		!same(n, &new) || memcmp(ips, policy->node_ip, sizeof(ips)) != 0 || !policy->store;
	free(n->local);
	*n = new;
	memcpy(policy->node_ip, ips, sizeof(ips));
	policy->store = store;
	policy->local = n->local;
	policy->n_local = n->n_local;
	policy->zone = n->zone;
	policy->pod_cidrs = n->pod_cidrs;
	policy->n_pod_cidrs = n->n_pod_cidrs;
	return changed;
}

int node_refresh(
	struct node_facts *n, const struct store *store, struct policy *policy, struct err *err)
{
	struct ip *local;
	size_t n_local;
	int r = link_addresses(&local, &n_local, err);

	return r < 0 ? r : node_update(n, local, n_local, store, policy);
}

void node_done(struct node_facts *n)
{
	free(n->local);
	*n = (struct node_facts){ 0 };
}
