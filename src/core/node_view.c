// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/node_view.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/store.h"

static const int node_families[] = { AF_INET, AF_INET6 };

void node_view_init(struct node_view *v, const struct options *options)
{
	*v = (struct node_view){
		.options = options,
		.backend = options->backend,
		.ipv4 = true,
		.ipv6 = true,
		.random_fully = true,
		.drop_invalid = true,
		.policy_routing = { true, true },
	};
}

void node_view_done(struct node_view *v)
{
	free(v->local);
	free(v->api_servers);
	free(v->api_in_use);
	overrides_done(&v->overrides);
	*v = (struct node_view){ 0 };
}

int node_socket_compare(const void *a, const void *b)
{
	const struct node_socket *x = a, *y = b;
	const int c = ip_compare(&x->ip, &y->ip);

	return c ? c : x->port - y->port;
}

bool node_view_set_api_in_use(struct node_view *v, const struct node_socket *sockets, size_t n)
{
	struct node_socket *copy = mem_zalloc(n, sizeof(*copy));
	bool changed;

	if (n) {
		memcpy(copy, sockets, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), node_socket_compare);
	}
	changed =
		n != v->n_api_in_use || (n && memcmp(copy, v->api_in_use, n * sizeof(*copy)) != 0);
	free(v->api_in_use);
	v->api_in_use = copy;
	v->n_api_in_use = n;
	return changed;
}

/* Whatever the endpoints' readiness: they are the API server's addresses. */
static bool update_api_servers(struct node_view *v, const struct store *store)
{
	const struct slot *slot = store_find(store, "default", "kubernetes");
	struct node_socket *was = v->api_servers;
	const size_t n_was = v->n_api_servers;
	size_t cap = 0;
	bool changed;

	v->api_servers = NULL;
	v->n_api_servers = 0;
	for (size_t i = 0; i < v->n_api_in_use; i++) {
		mem_grow(v->api_servers, v->n_api_servers, cap);
		v->api_servers[v->n_api_servers++] = v->api_in_use[i];
	}
	if (slot)
		list_for_each_entry(const struct slot_slice, it, &slot->slices, link)
			for (size_t i = 0; i < it->slice->n_subsets; i++) {
				const struct subset *set = &it->slice->subsets[i];

				for (size_t j = 0; j < set->n_endpoints * set->n_ports &&
					v->n_api_servers < NODE_VIEW_MAX_API_SERVERS;
					j++) {
					struct node_socket s;

					memset(&s, 0, sizeof(s));
					s.ip = set->endpoints[j / set->n_ports].ip;
					s.port = set->ports[j % set->n_ports].port;
					mem_grow(v->api_servers, v->n_api_servers, cap);
					v->api_servers[v->n_api_servers++] = s;
				}
			}
	if (v->n_api_servers)
		qsort(v->api_servers, v->n_api_servers, sizeof(*v->api_servers),
			node_socket_compare);
	changed = v->n_api_servers != n_was ||
		(n_was && memcmp(was, v->api_servers, n_was * sizeof(*was)) != 0);
	free(was);
	return changed;
}

bool node_view_update(struct node_view *v, struct ip *local, size_t n_local,
	const struct ip primary[static 2], const struct store *store)
{
	static const struct node no_object = { .zone = "" };
	const struct node *node = store_node(store, v->options->node_name);
	const struct node_view was = *v;
	bool changed;

	v->store = store;
	v->local = local;
	v->n_local = n_local;
	if (!node && !v->keep)
		node = &no_object;
	if (node) {
		snprintf(v->zone, sizeof(v->zone), "%s", node->zone);
		memset(v->pod_cidrs, 0, sizeof(v->pod_cidrs));
		memset(v->object_ip, 0, sizeof(v->object_ip));
		v->n_pod_cidrs = node->n_pod_cidrs;
		if (v->n_pod_cidrs > NODE_VIEW_MAX_POD_CIDRS)
			v->n_pod_cidrs = NODE_VIEW_MAX_POD_CIDRS;
		for (size_t i = 0; i < v->n_pod_cidrs; i++)
			v->pod_cidrs[i] = node->pod_cidrs[i];
	}
	for (size_t i = 0; node && i < node->n_addresses; i++) {
		const struct ip *ip = &node->addresses[i].ip;

		if (!v->object_ip[ip->family == AF_INET6].family && node_view_is_local(v, ip))
			v->object_ip[ip->family == AF_INET6] = *ip;
	}
	for (size_t f = 0; f < ARRAY_SIZE(node_families); f++) {
		if (v->bind_address.family == node_families[f] &&
			node_view_is_local(v, &v->bind_address))
			v->node_ip[f] = v->bind_address;
		else if (v->object_ip[f].family && node_view_is_local(v, &v->object_ip[f]))
			v->node_ip[f] = v->object_ip[f];
		else
			v->node_ip[f] = primary[f];
	}
	changed = update_api_servers(v, store);
	changed = changed || !was.store || was.n_local != n_local ||
		(n_local && memcmp(was.local, local, n_local * sizeof(*local)) != 0) ||
		memcmp(was.node_ip, v->node_ip, sizeof(v->node_ip)) != 0 ||
		strcmp(was.zone, v->zone) != 0 || was.n_pod_cidrs != v->n_pod_cidrs ||
		memcmp(was.pod_cidrs, v->pod_cidrs, sizeof(v->pod_cidrs)) != 0;
	free(was.local);
	return changed;
}

void node_view_imagine(struct node_view *v, const struct node *node, const struct store *store)
{
	struct ip *local = mem_zalloc(node->n_addresses, sizeof(*local)), primary[2] = { 0 };
	bool external[2] = { false };
	size_t n = 0, n_distinct = 0;

	for (size_t i = 0; i < node->n_addresses; i++) {
		const struct ip *ip = &node->addresses[i].ip;
		const size_t f = ip->family == AF_INET6;

		if (!primary[f].family || (!node->addresses[i].external && external[f])) {
			primary[f] = *ip;
			external[f] = node->addresses[i].external;
		}
		if (ip_kind(ip) != IP_LOOPBACK &&
			!(ip->family == AF_INET6 && ip_kind(ip) == IP_LINK_LOCAL))
			local[n++] = *ip;
	}
	if (n)
		qsort(local, n, sizeof(*local), ip_compare);
	for (size_t i = 0; i < n; i++)
		if (!n_distinct || !ip_eq(&local[n_distinct - 1], &local[i]))
			local[n_distinct++] = local[i];
	node_view_update(v, local, n_distinct, primary, store);
	memcpy(v->node_ip, primary, sizeof(primary));
}

bool node_view_add_missing_scheduler(struct node_view *v, const char *scheduler)
{
	if (v->n_missing_schedulers == NODE_VIEW_MAX_SCHEDULERS)
		return false;
	snprintf(
		v->missing_schedulers[v->n_missing_schedulers++], SCHED_NAME_SIZE, "%s", scheduler);
	return true;
}

void node_view_forget_missing_schedulers(struct node_view *v)
{
	v->n_missing_schedulers = 0;
}

bool node_view_translates(const struct node_view *v)
{
	return v->backend == BACKEND_IPTABLES || v->backend == BACKEND_NFTABLES;
}

bool node_view_on_nftables(const struct node_view *v)
{
	return v->netfilter == NETFILTER_NFTABLES || v->backend == BACKEND_NFTABLES;
}

enum backend node_view_backend(const struct node_view *v)
{
	return node_view_translates(v) ? v->backend : BACKEND_IPVS;
}

bool node_view_handed_over(const struct node_view *v)
{
	return v->backend == BACKEND_IPTABLES && v->options->layout == LAYOUT_KUBE_PROXY;
}

bool node_view_serves(const struct node_view *v, int family)
{
	return family == AF_INET6 ? v->ipv6 : v->ipv4;
}

bool node_view_is_local(const struct node_view *v, const struct ip *ip)
{
	return v->n_local && bsearch(ip, v->local, v->n_local, sizeof(*ip), ip_compare);
}

/* "primary" selects no address of a family that the node has no address of, unlike in kube-proxy: a
 * node without an IPv6 address of its own opens no NodePorts on IPv6. */
bool node_view_is_nodeport_address(const struct node_view *v, const struct ip *ip)
{
	const struct options *o = v->options;

	if (!node_view_is_local(v, ip))
		return false;
	if (o->nodeport_primary)
		return ip_eq(ip, &v->node_ip[ip->family == AF_INET6]);
	return options_all_nodeport_addresses(o, ip->family) ||
		cidrs_contain(o->nodeport_addresses, o->n_nodeport_addresses, ip);
}

bool node_view_localhost_nodeports(const struct node_view *v)
{
	const struct ip localhost = ip_make(AF_INET, (const uint8_t[]){ 127, 0, 0, 1 });
	const struct options *o = v->options;

	return node_view_translates(v) && o->localhost_nodeports && v->ipv4 &&
		(options_all_nodeport_addresses(o, AF_INET) ||
			cidrs_contain(o->nodeport_addresses, o->n_nodeport_addresses, &localhost));
}

bool node_view_scheduler_missing(const struct node_view *v, const char *scheduler)
{
	/* No kernel has one whose name does not fit. */
	if (strlen(scheduler) >= SCHED_NAME_SIZE)
		return true;
	for (size_t i = 0; i < v->n_missing_schedulers; i++)
		if (!strcmp(v->missing_schedulers[i], scheduler))
			return true;
	return false;
}

const struct cidr *node_view_local_cidr(const struct node_view *v, int family)
{
	const struct cidr *c = &v->options->cluster_cidr[family == AF_INET6];

	switch (v->options->detect_local) {
	case DETECT_CLUSTER_CIDR:
		return c->ip.family ? c : NULL;
	case DETECT_NODE_CIDR:
		for (size_t i = 0; i < v->n_pod_cidrs; i++)
			if (v->pod_cidrs[i].ip.family == family)
				return &v->pod_cidrs[i];
		return NULL;
	case DETECT_BRIDGE_INTERFACE:
	case DETECT_INTERFACE_NAME_PREFIX:
		return NULL;
	}
	return NULL;
}
