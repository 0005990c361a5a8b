// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *const policy_known_schedulers[] = { "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh",
	"sh", "sed", "nq", "fo", "ovf", "mh", NULL };

void policy_init(struct policy *p)
{
	*p = (struct policy){
		.scheduler = "rr",
		.vip_mode = VIP_ROUTE,
		.masquerade_bit = 14,
		.mark_mask = 0xfff00000,
		.random_fully = true,
		.localhost_nodeports = true,
		.drop_invalid = true,
		.detect_local = DETECT_CLUSTER_CIDR,
		.external_ips = true,
		.ipv4 = true,
		.ipv6 = true,
		.drain_timeout = 60000,
		.zone = "",
	};
}

const char *backend_name(enum backend b)
{
	switch (b) {
	case BACKEND_AUTO:
		return "auto";
	case BACKEND_IPVS:
		return "ipvs";
	case BACKEND_IPTABLES:
		return "iptables";
	}
	return "?";
}

bool policy_family(const struct policy *p, int family)
{
	return family == AF_INET6 ? p->ipv6 : p->ipv4;
}

static int cmp_ip(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

bool policy_is_local(const struct policy *p, const struct ip *ip)
{
	return p->n_local && bsearch(ip, p->local, p->n_local, sizeof(*ip), cmp_ip);
}

static bool any_contains(const struct cidr *cidrs, size_t n, const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (cidr_contains(&cidrs[i], ip))
			return true;
	return false;
}

static bool any_of_family(const struct cidr *cidrs, size_t n, int family)
{
	for (size_t i = 0; i < n; i++)
		if (cidrs[i].ip.family == family)
			return true;
	return false;
}

/*
 * A list that names no range of a family selects every address of that family, as in kube-proxy
 * (pkg/proxy/util/nodeport_addresses.go). "primary" never does, unlike there: a node without an
 * IPv6 address of its own opens no NodePorts on IPv6.
 */
bool policy_is_nodeport_address(const struct policy *p, const struct ip *ip)
{
	if (!policy_is_local(p, ip))
		return false;
	if (p->nodeport_primary)
		return ip_eq(ip, &p->node_ip[ip->family == AF_INET6]);
	return policy_all_nodeport_addresses(p, ip->family) ||
		any_contains(p->nodeport_addresses, p->n_nodeport_addresses, ip);
}

bool policy_all_nodeport_addresses(const struct policy *p, int family)
{
	return !p->nodeport_primary &&
		!any_of_family(p->nodeport_addresses, p->n_nodeport_addresses, family);
}

bool policy_localhost_nodeports(const struct policy *p)
{
	const struct ip localhost = ip_make(AF_INET, (const uint8_t[]){ 127, 0, 0, 1 });

	return p->backend == BACKEND_IPTABLES && p->localhost_nodeports && p->ipv4 &&
		(policy_all_nodeport_addresses(p, AF_INET) ||
			any_contains(p->nodeport_addresses, p->n_nodeport_addresses, &localhost));
}

bool policy_excluded(const struct policy *p, const struct ip *ip)
{
	return any_contains(p->exclude, p->n_exclude, ip);
}

bool policy_scheduler_missing(const struct policy *p, const char *scheduler)
{
	/* No kernel has one whose name does not fit. */
	if (strlen(scheduler) >= SCHED_NAME_SIZE)
		return true;
	for (size_t i = 0; i < p->n_missing_schedulers; i++)
		if (!strcmp(p->missing_schedulers[i], scheduler))
			return true;
	return false;
}

const struct cidr *policy_local_cidr(const struct policy *p, int family)
{
	const struct cidr *c = &p->cluster_cidr[family == AF_INET6];

	switch (p->detect_local) {
	case DETECT_CLUSTER_CIDR:
		return c->ip.family ? c : NULL;
	case DETECT_NODE_CIDR:
		for (size_t i = 0; i < p->n_pod_cidrs; i++)
			if (p->pod_cidrs[i].ip.family == family)
				return &p->pod_cidrs[i];
		return NULL;
	case DETECT_BRIDGE_INTERFACE:
	case DETECT_INTERFACE_NAME_PREFIX:
		return NULL;
	}
	return NULL;
}
