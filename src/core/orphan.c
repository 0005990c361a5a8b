// SPDX-License-Identifier: GPL-2.0-or-later
#include "orphan.h"

#include <netinet/in.h>

#include "base/mem.h"
#include "core/service_chain.h"

static bool has_owner(const struct publisher *p, const struct fact *f)
{
	return publication_owner(p->ledger, &f->key);
}

/* Of a port on all addresses of the node that carry node ports. */
static bool node_port_is_known(
	const struct publisher *p, uint8_t family, uint16_t port, uint8_t proto)
{
	static const enum set_id sets[] = {
		[IPPROTO_TCP] = SET_NODE_PORT_TCP, [IPPROTO_UDP] = SET_NODE_PORT_UDP
	};
	const struct ip any = { .family = family };
	const char no_hash[SERVICE_HASH_LEN] = { 0 };
	const struct fact dispatch = fact_dispatch(&any, port, proto, SERVICE_CHAIN_EXT, no_hash);
	struct fact member;

	if (has_owner(p, &dispatch))
		return true;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return false;
	member = fact_member(sets[proto], family, &any, 0, port, NULL);
	return has_owner(p, &member);
}

static void find_any_wish(const struct slot *slot, const struct frontend *fe, void *arg)
{
	(void)slot;
	(void)fe;
	*(bool *)arg = true;
}

/* A Service has it or asks for it. */
static bool frontend_is_known(
	const struct publisher *p, const struct ip *ip, uint16_t port, uint8_t proto)
{
	const char no_hash[SERVICE_HASH_LEN] = { 0 };
	const struct fact vs = fact_vs(ip, port, proto);
	const struct fact dispatch = fact_dispatch(ip, port, proto, SERVICE_CHAIN_EXT, no_hash);
	bool wished = false;

	if (has_owner(p, &vs) || has_owner(p, &dispatch))
		return true;
	if ((ip_kind(ip) == IP_UNSPECIFIED || node_view_is_local(p->view, ip)) &&
		node_port_is_known(p, ip->family, port, proto))
		return true;
	rights_each_wish(&p->rights, ip, port, proto, find_any_wish, &wished);
	return wished;
}

/* A Service has a frontend at this address, and so decides how the address is made local. */
static bool address_is_known(const struct publisher *p, const struct ip *ip)
{
	const struct ip no_source = { 0 };
	const struct fact vips[] = { fact_route(ip, &no_source), fact_addr(ip),
		fact_route_in_table(ip, p->view->options->external_table) };

	for (size_t i = 0; i < ARRAY_SIZE(vips); i++)
		if (has_owner(p, &vips[i]))
			return true;
	return rights_granted_address(&p->rights, ip);
}

static bool member_stays(const struct publisher *p, const struct fact_key *key)
{
	const struct ip ip = fact_ip(key);
	struct fact_state set;
	struct fact_key parent;

	/* The node has no use for its set. It has for KUBE-EXTERNAL-PORT if this member stays. */
	fact_parent(key, &parent);
	if (!(ledger_state(p->ledger, &parent, &set) && set.wanted) &&
		!(fact_exposes(key) && !node_view_translates(p->view)))
		return false;
	switch ((enum set_id)key->set) {
	case SET_LOOP_BACK: /* of an endpoint, of whatever Service */
	case SET_SPREADS:
	case SET_HEALTH_CHECK_NODE_PORT:
		return true;
	case SET_IPVS_IPS:
		return !address_is_known(p, &ip);
	case SET_NODE_PORT_TCP:
	case SET_NODE_PORT_LOCAL_TCP:
		return !node_port_is_known(p, key->family, key->port, IPPROTO_TCP);
	case SET_NODE_PORT_UDP:
	case SET_NODE_PORT_LOCAL_UDP:
		return !node_port_is_known(p, key->family, key->port, IPPROTO_UDP);
	case SET_CLUSTER_IP:
	case SET_EXTERNAL_IP:
	case SET_EXTERNAL_IP_LOCAL:
	case SET_LOAD_BALANCER:
	case SET_LOAD_BALANCER_LOCAL:
	case SET_LOCAL_MARK:
	case SET_NO_LOCAL:
	case SET_NO_ENDPOINTS:
	case SET_LOAD_BALANCER_SOURCE_IP:
	case SET_LOAD_BALANCER_SOURCE_CIDR:
	case SET_LOAD_BALANCER_FW:
	case SET_NODE_PORT_SCTP:
	case SET_NODE_PORT_LOCAL_SCTP:
	case SET_EXTERNAL_PORT:
	case SET_ENDPOINTS:
	case SET_ENDPOINTS_LOCAL:
	case SET_AFFINITY:
	case SET_AFFINITY_LOCAL:
	case SET_CLIENTS:
	case SET_DISPATCH:
	case SET_DISPATCH_POD:
	case SET_DISPATCH_NODE:
	case SET_COUNT:
		break;
	}
	return !frontend_is_known(p, &ip, key->port, key->proto);
}

static bool real_server_stays(const struct publisher *p, const struct fact_key *key)
{
	const struct publication *owner;
	struct fact_key vs;

	fact_parent(key, &vs);
	owner = publication_owner(p->ledger, &vs);
	return !owner || publisher_misses_endpoints(p, owner->slot);
}

bool orphan_stays(const struct publisher *p, const struct fact_key *key)
{
	const struct ip ip = fact_ip(key);
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;
	struct spread spread;

	switch ((enum fact_kind)key->kind) {
	case FACT_LINK:
	case FACT_POLICY_RULE:
	case FACT_JUMP:
	case FACT_KINDS:
		return false;
	case FACT_SET:
		return key->set == SET_CLIENTS;
	case FACT_CHAIN:
		return key->set == TABLE_NAT &&
			(service_chain_parse(key->name, &chain, hash) ||
				spread_chain_parse(key->name, &spread));
	case FACT_MEMBER:
		return member_stays(p, key);
	case FACT_VS:
		return !key->proto || !frontend_is_known(p, &ip, key->port, key->proto);
	case FACT_DISPATCH:
		return !frontend_is_known(p, &ip, key->port, key->proto);
	case FACT_RS:
		return real_server_stays(p, key);
	case FACT_HELD:
	case FACT_ROUTE:
	case FACT_ADDR:
		return !address_is_known(p, &ip);
	}
	return false;
}
