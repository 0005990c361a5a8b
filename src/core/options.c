// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/options.h"

const char *const known_schedulers[] = { "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh",
	"sed", "nq", "fo", "ovf", "mh", NULL };

void options_init(struct options *o)
{
	*o = (struct options){
		.scheduler = LAST_SCHEDULER,
		.vip_mode = VIP_ROUTE,
		.masquerade_bit = 14,
		.mark_mask = 0xfff00000,
		.localhost_nodeports = true,
		.detect_local = DETECT_CLUSTER_CIDR,
		.external_ips = true,
		.external_mark_bit = 12,
		.external_table = 2512,
		.external_rule_priority = 90,
		.drain_timeout = 60000,
	};
}

void options_set_layout(struct options *o, enum layout layout)
{
	o->layout = layout;
	if (layout != LAYOUT_KUBE_PROXY)
		return;
	o->vip_mode = VIP_ADDRESS;
	o->external_addresses = EXTERNAL_LOCAL;
}

bool options_use_marks(const struct options *o)
{
	return o->mark_mask && o->layout != LAYOUT_KUBE_PROXY;
}

const char *backend_name(enum backend b)
{
	static const char *const names[] = {
		[BACKEND_AUTO] = "auto",
		[BACKEND_IPVS] = "ipvs",
		[BACKEND_IPTABLES] = "iptables",
		[BACKEND_NFTABLES] = "nftables",
	};

	return names[b];
}

const char *netfilter_name(enum netfilter n)
{
	static const char *const names[] = {
		[NETFILTER_AUTO] = "auto",
		[NETFILTER_IPTABLES] = "iptables",
		[NETFILTER_NFTABLES] = "nftables",
	};

	return names[n];
}

bool options_excluded(const struct options *o, const struct ip *ip)
{
	return cidrs_contain(o->exclude, o->n_exclude, ip);
}

/* A list without a range of the family selects all of them, as in kube-proxy
 * (pkg/proxy/util/nodeport_addresses.go). */
bool options_all_nodeport_addresses(const struct options *o, int family)
{
	if (o->nodeport_primary)
		return false;
	for (size_t i = 0; i < o->n_nodeport_addresses; i++)
		if (o->nodeport_addresses[i].ip.family == family)
			return false;
	return true;
}

bool options_detect_by_interface(const struct options *o)
{
	return o->detect_local == DETECT_BRIDGE_INTERFACE ||
		o->detect_local == DETECT_INTERFACE_NAME_PREFIX;
}
