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

static void frontends_add(struct frontend_list *l, struct frontend fe)
{
	for (size_t i = 0; i < l->n; i++)
		if (ip_eq(&l->fes[i].ip, &fe.ip) && l->fes[i].port == fe.port)
			return;
	mem_grow(l->fes, l->n, l->cap);
	l->fes[l->n++] = fe;
}

void frontends_list(const struct service *s, const struct service_port *port, int family,
	const struct node_view *view, struct frontend_list *ret)
{
	struct ip cluster_ip = service_cluster_ip(s, family);
	bool local = service_external_local(s);

	*ret = (struct frontend_list){ .fes = ret->fes, .cap = ret->cap };
	if (*service_not_proxied(s) || !cluster_ip.family || !node_view_serves(view, family))
		return;
	frontends_add(ret,
		(struct frontend){ .kind = FRONTEND_CLUSTER_IP,
			.ip = cluster_ip,
			.port = port->port,
			.local = s->internal_local,
			.vip = true });
	for (size_t i = 0; view->options->external_ips && i < s->n_external_ips; i++) {
		const struct ip *ip = &s->external_ips[i];

		if (ip->family == family)
			frontends_add(ret,
				(struct frontend){ .kind = FRONTEND_EXTERNAL_IP,
					.ip = *ip,
					.port = port->port,
					.local = local,
					.vip = !node_view_is_local(view, ip) });
	}
	for (size_t i = 0; i < s->n_ingress; i++) {
		const struct ip *ip = &s->ingress[i].ip;

		if (ip->family == family && !s->ingress[i].proxy_mode)
			frontends_add(ret,
				(struct frontend){ .kind = FRONTEND_LOAD_BALANCER,
					.ip = *ip,
					.port = port->port,
					.local = local,
					.vip = !node_view_is_local(view, ip) });
	}
	for (size_t i = 0; port->node_port && i < view->n_local; i++) {
		const struct ip *ip = &view->local[i];

		if (ip->family == family && node_view_is_nodeport_address(view, ip))
			frontends_add(ret,
				(struct frontend){ .kind = FRONTEND_NODE_PORT,
					.ip = *ip,
					.port = port->node_port,
					.local = local });
	}
}

void frontends_done(struct frontend_list *l)
{
	free(l->fes);
	*l = (struct frontend_list){ 0 };
}
