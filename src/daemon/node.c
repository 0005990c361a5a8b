// SPDX-License-Identifier: GPL-2.0-or-later
#include "node.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/link.h"

/* The Node object's first address of that family if it is on an interface of ours, else the
 * kernel's choice. */
static struct ip node_ip(const struct node *node, int family, const struct node_facts *n)
{
	for (size_t i = 0; node && i < node->n_addresses; i++) {
		const struct ip *ip = &node->addresses[i].ip;

		for (size_t j = 0; ip->family == family && j < n->n_local; j++)
			if (ip_eq(ip, &n->local[j]))
				return *ip;
	}
	return link_primary_address(family, n->local, n->n_local);
}

static void read_object(struct node_facts *n, const struct node *node)
{
	snprintf(n->zone, sizeof(n->zone), "%s", node ? node->zone : "");
	n->n_pod_cidrs = 0;
	for (size_t i = 0; node && i < node->n_pod_cidrs && i < ARRAY_SIZE(n->pod_cidrs); i++)
		n->pod_cidrs[n->n_pod_cidrs++] = node->pod_cidrs[i];
}

static bool same(const struct node_facts *a, const struct node_facts *b)
{
	return a->n_local == b->n_local &&
		(!a->n_local || !memcmp(a->local, b->local, a->n_local * sizeof(*a->local))) &&
		!strcmp(a->zone, b->zone) && a->n_pod_cidrs == b->n_pod_cidrs &&
		!memcmp(a->pod_cidrs, b->pod_cidrs, a->n_pod_cidrs * sizeof(*a->pod_cidrs));
}

int node_refresh(
	struct node_facts *n, const struct store *store, struct policy *policy, struct err *err)
{
	const struct node *node = store_node(store, policy->node_name);
	struct node_facts new = { 0 };
	struct ip ips[2];
	bool changed;
	int r;

	r = link_addresses(&new.local, &new.n_local, err);
	if (r < 0)
		return r;
	read_object(&new, node);
	ips[0] = node_ip(node, AF_INET, &new);
	ips[1] = node_ip(node, AF_INET6, &new);
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

void node_done(struct node_facts *n)
{
	free(n->local);
	*n = (struct node_facts){ 0 };
}
