// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/frontends.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

const char *frontend_kind_name(enum frontend_kind kind)
{
	static const char *const names[] = {
		[FRONTEND_CLUSTER_IP] = "ClusterIP",
		[FRONTEND_EXTERNAL_IP] = "ExternalIP",
		[FRONTEND_LOAD_BALANCER] = "LoadBalancer",
		[FRONTEND_NODE_PORT] = "NodePort",
	};

	return names[kind];
}

enum authority frontend_authority(enum frontend_kind kind)
{
	switch (kind) {
	case FRONTEND_CLUSTER_IP:
	case FRONTEND_NODE_PORT:
		return AUTHORITY_ALLOCATED;
	case FRONTEND_LOAD_BALANCER:
		return AUTHORITY_STATUS;
	case FRONTEND_EXTERNAL_IP:
		return AUTHORITY_SPEC;
	}
	return AUTHORITY_SPEC;
}

const char *frontend_reach_name(enum frontend_reach reach)
{
	static const char *const names[] = {
		[REACH_NODE] = "node",
		[REACH_WHOLE] = "whole",
		[REACH_PORTS] = "ports",
	};

	return names[reach];
}

static const struct {
	const char *name, *text;
} refusals[REFUSALS] = {
	[REFUSAL_NONE] = { "None", "" },
	[REFUSAL_HELD] = { "Held", "" },
	[REFUSAL_FOREIGN] = { "Foreign",
		"another program made a virtual server there (--adopt-foreign takes it)" },
	[REFUSAL_SPECIAL] = { "Special",
		"a loopback, link-local, multicast, broadcast or unspecified address" },
	[REFUSAL_RANGE] = { "Range", "outside the ranges that the node's options allow" },
	[REFUSAL_API_SERVER] = { "APIServer", "the API server listens there" },
	[REFUSAL_CLUSTER_IP] = { "ClusterIP", "an address for cluster IPs of Services" },
	[REFUSAL_POD] = { "Pod", "an address for pods" },
	[REFUSAL_ENDPOINT] = { "Endpoint", "an endpoint of another Service listens there" },
	[REFUSAL_KUBELET] = { "Kubelet", "the kubelet of this node listens there" },
	[REFUSAL_DAEMON] = { "Daemon", "ipvsctl-svcd listens there for health checks or metrics" },
	[REFUSAL_HEALTH_CHECK] = { "HealthCheck",
		"the health check node port of a Service is there" },
};

const char *refusal_name(enum refusal refusal)
{
	return refusals[refusal].name;
}

const char *refusal_text(enum refusal refusal)
{
	return refusals[refusal].text;
}

const char *service_not_proxied(const struct service *s)
{
	if (s->type == SERVICE_EXTERNAL_NAME)
		return "ExternalName";
	if (s->headless)
		return "Headless";
	if (s->other_proxy)
		return "Label service.kubernetes.io/service-proxy-name";
	if (!s->n_cluster_ips)
		return "No clusterIP";
	return s->n_ports ? "" : "No ports";
}

bool service_external_local(const struct service *s)
{
	return s->external_local &&
		(s->type == SERVICE_LOAD_BALANCER || s->type == SERVICE_NODE_PORT ||
			(s->type == SERVICE_CLUSTER_IP && s->n_external_ips));
}

bool service_externally_accessible(
	const struct service *s, const struct service_port *port, int family)
{
	if (port->node_port)
		return true;
	for (size_t i = 0; i < s->n_external_ips; i++)
		if (s->external_ips[i].family == family)
			return true;
	for (size_t i = 0; i < s->n_ingress; i++)
		if (s->ingress[i].ip.family == family && !s->ingress[i].proxy_mode)
			return true;
	return false;
}

struct ip service_cluster_ip(const struct service *s, int family)
{
	for (size_t i = 0; i < s->n_cluster_ips; i++)
		if (s->cluster_ips[i].family == family)
			return s->cluster_ips[i];
	return (struct ip){ 0 };
}

void frontend_list_add(struct frontend_list *l, const struct frontend *fe)
{
	mem_grow(l->fes, l->n, l->cap);
	l->fes[l->n++] = *fe;
}

int frontend_compare(const void *a, const void *b)
{
	const struct frontend *x = a, *y = b;
	const int c = ip_compare(&x->ip, &y->ip);

	return c ? c : x->port - y->port;
}

/* Duplicates come together, the highest authority first, and then in the order of the list. */
static int compare_claims(const void *a, const void *b)
{
	const struct frontend *const *x = a, *const *y = b;
	const enum authority first = frontend_authority((*x)->kind),
			     second = frontend_authority((*y)->kind);
	const int c = frontend_compare(*x, *y);

	if (c)
		return c;
	return first != second ? (int)first - (int)second : (*x > *y) - (*x < *y);
}

static void remove_duplicates(struct frontend_list *l)
{
	_cleanup_free_ const struct frontend **sorted = mem_zalloc(l->n, sizeof(*sorted));
	_cleanup_free_ bool *again = mem_zalloc(l->n, sizeof(*again));
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		sorted[i] = &l->fes[i];
	qsort(sorted, l->n, sizeof(*sorted), compare_claims);
	for (size_t i = 1; i < l->n; i++)
		again[sorted[i] - l->fes] = !frontend_compare(sorted[i - 1], sorted[i]);
	for (size_t i = 0; i < l->n; i++)
		if (!again[i])
			l->fes[n++] = l->fes[i];
	l->n = n;
}

static enum frontend_reach external_reach(const struct node_view *view, const struct ip *ip)
{
	const struct options *o = view->options;

	if (node_view_is_local(view, ip))
		return REACH_NODE;
	if (o->external_addresses == EXTERNAL_LOCAL ||
		cidrs_contain(o->local_ranges, o->n_local_ranges, ip))
		return REACH_WHOLE;
	/* On iptables the address is translated before anybody asks for a route to it. */
	return node_view_translates(view) || view->policy_routing[ip->family == AF_INET6]
		? REACH_PORTS
		: REACH_WHOLE;
}

void frontends_list(const struct service *s, const struct service_port *port, int family,
	const struct node_view *view, struct frontend_list *ret)
{
	struct ip cluster_ip = service_cluster_ip(s, family);
	bool local = service_external_local(s);

	*ret = (struct frontend_list){ .fes = ret->fes, .cap = ret->cap };
	if (*service_not_proxied(s) || !cluster_ip.family || !node_view_serves(view, family))
		return;
	frontend_list_add(ret,
		&(struct frontend){ .kind = FRONTEND_CLUSTER_IP,
			.ip = cluster_ip,
			.port = port->port,
			.local = s->internal_local,
			.reach = REACH_WHOLE });
	for (size_t i = 0; view->options->external_ips && i < s->n_external_ips; i++) {
		const struct ip *ip = &s->external_ips[i];

		if (ip->family == family)
			frontend_list_add(ret,
				&(struct frontend){ .kind = FRONTEND_EXTERNAL_IP,
					.ip = *ip,
					.port = port->port,
					.local = local,
					.reach = external_reach(view, ip) });
	}
	for (size_t i = 0; i < s->n_ingress; i++) {
		const struct ip *ip = &s->ingress[i].ip;

		if (ip->family == family && !s->ingress[i].proxy_mode)
			frontend_list_add(ret,
				&(struct frontend){ .kind = FRONTEND_LOAD_BALANCER,
					.ip = *ip,
					.port = port->port,
					.local = local,
					.reach = external_reach(view, ip) });
	}
	for (size_t i = 0; port->node_port && i < view->n_local; i++) {
		const struct ip *ip = &view->local[i];

		if (ip->family == family && node_view_is_nodeport_address(view, ip))
			frontend_list_add(ret,
				&(struct frontend){ .kind = FRONTEND_NODE_PORT,
					.ip = *ip,
					.port = port->node_port,
					.local = local });
	}
	remove_duplicates(ret);
}

void frontends_done(struct frontend_list *l)
{
	free(l->fes);
	*l = (struct frontend_list){ 0 };
}
