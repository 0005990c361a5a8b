/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "core/fact.h"
#include "core/model.h"

/* What the person who runs the node chose, and what is known of the node itself: the rest of
 * resolving's input. */

struct store;

enum backend { BACKEND_AUTO, BACKEND_IPVS, BACKEND_IPTABLES };
/* "auto", "ipvs", "iptables" */
const char *backend_name(enum backend b);

enum vip_mode { VIP_ROUTE, VIP_ADDRESS };

enum detect_local {
	DETECT_CLUSTER_CIDR,
	DETECT_NODE_CIDR,
	DETECT_BRIDGE_INTERFACE,
	DETECT_INTERFACE_NAME_PREFIX
};

enum { POLICY_MAX_CIDRS = 64, INTERFACE_NAME_SIZE = 16, POLICY_MAX_SCHEDULERS = 16 };

struct policy {
	char node_name[NAME_MAX_LEN + 1];
	char scheduler[SCHED_NAME_SIZE]; /* of Services without an annotation */
	enum backend backend;		 /* BACKEND_AUTO counts as IPVS */
	enum vip_mode vip_mode;
	bool masquerade_all;
	uint8_t masquerade_bit; /* 0..31 */
	/* Adjacent bits of the packets' mark that are ours for in-cluster traffic; 0: none. */
	uint32_t mark_mask;
	bool random_fully; /* iptables knows MASQUERADE --random-fully (1.6.2) */
	enum detect_local detect_local;
	struct cidr cluster_cidr[2];	     /* IPv4, IPv6; family 0: none */
	char interface[INTERFACE_NAME_SIZE]; /* of the bridge, or the name prefix */
	struct cidr nodeport_addresses[POLICY_MAX_CIDRS];
	size_t n_nodeport_addresses; /* 0: every address of the node */
	bool nodeport_primary;	     /* --nodeport-addresses=primary */
	bool localhost_nodeports;    /* --iptables-localhost-nodeports; only on iptables */
	bool drop_invalid; /* iptables: packets that connection tracking takes for invalid */
	struct cidr exclude[POLICY_MAX_CIDRS]; /* --ipvs-exclude-cidrs */
	size_t n_exclude;
	bool external_ips;     /* spec.externalIPs count: the gate AllowServiceExternalIPs */
	bool ipv4, ipv6;       /* families that this node serves */
	int64_t drain_timeout; /* milliseconds */

	/* Learnt while running */
	const struct store *store; /* knows the nodes and their weights; may be NULL */
	struct ip node_ip[2];	   /* IPv4, IPv6: the node's own address; family 0: unknown */
	const struct ip *local; /* addresses on the node's interfaces other than kube-ipvs0, sorted
				   by ip_cmp() */
	size_t n_local;		/* without loopback and IPv6 link-local */
	const char *zone;	/* topology.kubernetes.io/zone of this node; "" */
	const struct cidr *pod_cidrs; /* of this node's object */
	size_t n_pod_cidrs;
	/* Schedulers that the kernel turned out not to have. */
	char missing_schedulers[POLICY_MAX_SCHEDULERS][SCHED_NAME_SIZE];
	size_t n_missing_schedulers;
};

/* The defaults of ipvsctl-svcd(8). */
void policy_init(struct policy *p);
bool policy_family(const struct policy *p, int family);
/* The address is on an interface of the node (not on kube-ipvs0). */
bool policy_is_local(const struct policy *p, const struct ip *ip);
/* The address may carry NodePorts: it is local and --nodeport-addresses selects it. */
bool policy_is_nodeport_address(const struct policy *p, const struct ip *ip);
/* Every address of the node of that family does. */
bool policy_all_nodeport_addresses(const struct policy *p, int family);
/* NodePorts answer on 127.0.0.1, which takes net.ipv4.conf.all.route_localnet. */
bool policy_localhost_nodeports(const struct policy *p);
bool policy_excluded(const struct policy *p, const struct ip *ip);
bool policy_scheduler_missing(const struct policy *p, const char *scheduler);
/* The CIDR that tells local pods' addresses for that family; NULL: no such detector. */
const struct cidr *policy_local_cidr(const struct policy *p, int family);

/* Of Services where the kernel lacks the default one, too. */
#define LAST_SCHEDULER "rr"
/* The schedulers of Linux 6.x (net/netfilter/ipvs), NULL-terminated. */
extern const char *const policy_known_schedulers[];

#endif
