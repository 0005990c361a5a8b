// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/set.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const struct set_info sets[SET_COUNT] = {
	[SET_LOOP_BACK] = { "LOOP-BACK",
		"Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose",
		SET_TYPE_HASH_IP_PORT_IP },
	[SET_CLUSTER_IP] = { "CLUSTER-IP",
		"Kubernetes service cluster ip + port for masquerade purpose",
		SET_TYPE_HASH_IP_PORT },
	[SET_EXTERNAL_IP] = { "EXTERNAL-IP",
		"Kubernetes service external ip + port for masquerade and filter purpose",
		SET_TYPE_HASH_IP_PORT },
	[SET_EXTERNAL_IP_LOCAL] = { "EXTERNAL-IP-LOCAL",
		"Kubernetes service external ip + port with externalTrafficPolicy=local",
		SET_TYPE_HASH_IP_PORT },
	[SET_LOAD_BALANCER] = { "LOAD-BALANCER", "Kubernetes service lb portal",
		SET_TYPE_HASH_IP_PORT },
	[SET_LOAD_BALANCER_LOCAL] = { "LOAD-BALANCER-LOCAL",
		"Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
		SET_TYPE_HASH_IP_PORT },
	[SET_LOCAL_MARK] = { "LOCAL-MARK",
		"Firewall marks of in-cluster traffic for externalTrafficPolicy=local",
		SET_TYPE_HASH_IP_PORT, .marks = true },
	[SET_NO_LOCAL] = { "NO-LOCAL", "Traffic policy local without an endpoint on this node",
		SET_TYPE_HASH_IP_PORT },
	[SET_NO_ENDPOINTS] = { "NO-ENDPOINTS", "Services without endpoints",
		SET_TYPE_HASH_IP_PORT },
	[SET_LOAD_BALANCER_SOURCE_IP] = { "LOAD-BALANCER-SOURCE-IP",
		"Kubernetes service load balancer ip + port + source IP for packet filter purpose",
		SET_TYPE_HASH_IP_PORT_IP },
	[SET_LOAD_BALANCER_SOURCE_CIDR] = { "LOAD-BALANCER-SOURCE-CIDR",
		"Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
		SET_TYPE_HASH_IP_PORT_NET },
	[SET_LOAD_BALANCER_FW] = { "LOAD-BALANCER-FW",
		"Kubernetes service load balancer ip + port for load balancer with sourceRange",
		SET_TYPE_HASH_IP_PORT },
	[SET_NODE_PORT_TCP] = { "NODE-PORT-TCP",
		"Kubernetes nodeport TCP port for masquerade purpose", SET_TYPE_BITMAP_PORT },
	[SET_NODE_PORT_LOCAL_TCP] = { "NODE-PORT-LOCAL-TCP",
		"Kubernetes nodeport TCP port with externalTrafficPolicy=local",
		SET_TYPE_BITMAP_PORT },
	[SET_NODE_PORT_UDP] = { "NODE-PORT-UDP",
		"Kubernetes nodeport UDP port for masquerade purpose", SET_TYPE_BITMAP_PORT },
	[SET_NODE_PORT_LOCAL_UDP] = { "NODE-PORT-LOCAL-UDP",
		"Kubernetes nodeport UDP port with externalTrafficPolicy=local",
		SET_TYPE_BITMAP_PORT },
	[SET_NODE_PORT_SCTP] = { "NODE-PORT-SCTP-HASH",
		"Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
		SET_TYPE_HASH_IP_PORT },
	[SET_NODE_PORT_LOCAL_SCTP] = { "NODE-PORT-LOCAL-SCTP-HASH",
		"Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type "
		"'hash ip:port'",
		SET_TYPE_HASH_IP_PORT },
	[SET_HEALTH_CHECK_NODE_PORT] = { "HEALTH-CHECK-NODE-PORT",
		"Kubernetes health check node port", SET_TYPE_BITMAP_PORT },
	[SET_IPVS_IPS] = { "IPVS-IPS", "Addresses on the ipvs interface", SET_TYPE_HASH_IP },
	[SET_EXTERNAL_PORT] = { "EXTERNAL-PORT",
		"Kubernetes service ports of addresses that are not local", SET_TYPE_HASH_IP_PORT },
	[SET_ENDPOINTS] = { "ENDPOINTS", "Slots of endpoints", SET_TYPE_SLOT_TO_ENDPOINT },
	[SET_ENDPOINTS_LOCAL] = { "ENDPOINTS-LOCAL", "Slots of endpoints on this node",
		SET_TYPE_SLOT_TO_ENDPOINT },
	[SET_AFFINITY] = { "AFFINITY", "Endpoints of Services with session affinity",
		SET_TYPE_ADDRESS_TO_ENDPOINT },
	[SET_AFFINITY_LOCAL] = { "AFFINITY-LOCAL",
		"Endpoints on this node of Services with session affinity",
		SET_TYPE_ADDRESS_TO_ENDPOINT },
	[SET_CLIENTS] = { "CLIENTS", "Clients of Services with session affinity",
		SET_TYPE_CLIENT_TO_ADDRESS },
	[SET_SPREADS] = { "SPREADS", "Chains by the number of slots", SET_TYPE_SPREAD_TO_CHAIN },
	[SET_DISPATCH] = { "DISPATCH", "Addresses and ports of Services", SET_TYPE_PORT_TO_SPREAD },
	[SET_DISPATCH_POD] = { "DISPATCH-POD", "The same for pods of this node",
		SET_TYPE_PORT_TO_SPREAD },
	[SET_DISPATCH_NODE] = { "DISPATCH-NODE", "The same for the node", SET_TYPE_PORT_TO_SPREAD },
};

const struct set_info *set_info(enum set_id id)
{
	return &sets[id];
}

const char *set_name(enum set_id id, int family, char s[static SET_NAME_LEN + 1])
{
	snprintf(s, SET_NAME_LEN + 1, "KUBE-%s%s", family == AF_INET6 ? "6-" : "", sets[id].name);
	return s;
}

bool set_by_name(const char *name, enum set_id *ret_id, int *ret_family)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char s[SET_NAME_LEN + 1];

	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (enum set_id id = 0; id < SET_COUNT; id++)
			if (!strcmp(set_name(id, families[f], s), name)) {
				*ret_id = id;
				*ret_family = families[f];
				return true;
			}
	return false;
}

const char *set_type_name(enum set_type type)
{
	static const char *const names[] = {
		[SET_TYPE_HASH_IP] = "hash:ip",
		[SET_TYPE_HASH_IP_PORT] = "hash:ip,port",
		[SET_TYPE_HASH_IP_PORT_IP] = "hash:ip,port,ip",
		[SET_TYPE_HASH_IP_PORT_NET] = "hash:ip,port,net",
		[SET_TYPE_BITMAP_PORT] = "bitmap:port",
		[SET_TYPE_SLOT_TO_ENDPOINT] = "ip,port,slot:ip,port",
		[SET_TYPE_ADDRESS_TO_ENDPOINT] = "ip,port,ip:ip,port",
		[SET_TYPE_CLIENT_TO_ADDRESS] = "ip,ip,port:ip",
		[SET_TYPE_SPREAD_TO_CHAIN] = "spread:chain",
		[SET_TYPE_PORT_TO_SPREAD] = "ip,port:spread",
	};

	return names[type];
}

uint32_t set_room(size_t n, uint32_t now)
{
	uint32_t room = SET_MEMBERS;

	while (room < n || (room < now && room - room / 8 < n))
		room *= 2;
	return room;
}
