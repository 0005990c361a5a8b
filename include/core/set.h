/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_SET_H
#define CORE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The sets of ours: those of kube-proxy's IPVS mode (pkg/proxy/ipvs/ipset.go), with its names,
 * types and comments, because dashboards and CNI plugins match on them, and some more.
 *
 * A Service's members are added in this order and deleted backwards: the ones that accept come
 * before the ones that reject.
 */
enum set_id {
	SET_LOOP_BACK,
	SET_CLUSTER_IP,
	SET_EXTERNAL_IP,
	SET_EXTERNAL_IP_LOCAL,
	SET_LOAD_BALANCER,
	SET_LOAD_BALANCER_LOCAL,
	SET_LOCAL_MARK,	  /* not kube-proxy's: firewall marks for in-cluster sources, see
			     resolve_ipvs.c */
	SET_NO_LOCAL,	  /* not kube-proxy's: a Local policy and no endpoint here */
	SET_NO_ENDPOINTS, /* not kube-proxy's: no endpoint anywhere; iptables backend */
	SET_LOAD_BALANCER_SOURCE_IP,
	SET_LOAD_BALANCER_SOURCE_CIDR,
	SET_LOAD_BALANCER_FW,
	SET_NODE_PORT_TCP,
	SET_NODE_PORT_LOCAL_TCP,
	SET_NODE_PORT_UDP,
	SET_NODE_PORT_LOCAL_UDP,
	SET_NODE_PORT_SCTP,
	SET_NODE_PORT_LOCAL_SCTP,
	SET_HEALTH_CHECK_NODE_PORT,
	SET_IPVS_IPS,
	SET_EXTERNAL_PORT, /* not kube-proxy's: taken from addresses that stay with their owners */
	/* From here on: sets that only the nftables backend has, and that are no ipsets. */
	SET_IPSETS,
	SET_ENDPOINTS = SET_IPSETS, /* slots (core/spread.h), of all endpoints */
	SET_ENDPOINTS_LOCAL,	    /* slots, of the endpoints of this node */
	SET_AFFINITY,		    /* endpoints to which known clients may return: of all */
	SET_AFFINITY_LOCAL,	    /* of those of this node */
	SET_CLIENTS,		    /* known clients, noted by rules as they come */
	SET_SPREADS,		    /* leads to the chains of spreads */
	SET_DISPATCH,		    /* leads to spreads; its elements are FACT_DISPATCH */
	SET_DISPATCH_POD,	    /* other spreads for packets from pods of this node */
	SET_DISPATCH_NODE,	    /* other spreads for packets from the node */
	SET_COUNT
};

enum set_type {
	SET_TYPE_HASH_IP,
	SET_TYPE_HASH_IP_PORT,
	SET_TYPE_HASH_IP_PORT_IP,
	SET_TYPE_HASH_IP_PORT_NET,
	SET_TYPE_BITMAP_PORT,
	/* Only nftables has these types. Those with "TO" are maps. */
	SET_TYPE_SLOT_TO_ENDPOINT,    /* address, port and the number of the slot */
	SET_TYPE_ADDRESS_TO_ENDPOINT, /* address, port and the address of the endpoint */
	SET_TYPE_CLIENT_TO_ADDRESS,   /* the client's address, and those that it connects to */
	SET_TYPE_SPREAD_TO_CHAIN,
	SET_TYPE_PORT_TO_SPREAD, /* address and port */
	SET_TYPES
};

enum {
	SET_NAME_LEN = 31, /* IPSET_MAXNAMELEN - 1: longer names are cut, as kube-proxy does */
	/* The size with which kube-proxy creates its sets. Of an existing set with another one it
	 * accepts nothing (`ipset create -exist`), and does not work at all. */
	SET_MEMBERS = 65536,
};

struct set_info {
	const char *name;    /* in the IPv4 family, without "KUBE-" */
	const char *comment; /* of the iptables rules that refer to the set */
	enum set_type type;
	bool marks; /* its members carry firewall marks (skbinfo) */
};

const struct set_info *set_info(enum set_id id);
/* The set's name in the kernel: "KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP". */
const char *set_name(enum set_id id, int family, char s[static SET_NAME_LEN + 1]);
/* The inverse; false: the set is not ours. */
bool set_by_name(const char *name, enum set_id *ret_id, int *ret_family);
/* "hash:ip,port"; of those that ipset does not have, the fields in the same manner */
const char *set_type_name(enum set_type type);
/*
 * For how many members a set should have room that has n: SET_MEMBERS, or where these are too few,
 * that many times a power of two. `now` is the room that it has, or 0: it keeps more room than it
 * needs until an eighth of the smaller one would be free.
 */
uint32_t set_room(size_t n, uint32_t now);

#endif
