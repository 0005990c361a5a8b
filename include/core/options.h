/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "core/fact.h"
#include "core/model.h"

/*
 * Options of the person who runs the node, as far as they decide which facts are desired, or are
 * shared by several layers. They do not change after the start; the defaults are those of
 * ipvsctl-svc.conf(5).
 */

enum backend { BACKEND_AUTO, BACKEND_IPVS, BACKEND_IPTABLES, BACKEND_NFTABLES };
/* "auto", "ipvs", "iptables", "nftables" */
const char *backend_name(enum backend b);

/* The interface for sets and rules while IPVS balances. */
enum netfilter {
	NETFILTER_AUTO,	    /* iptables where it works, else nftables */
	NETFILTER_IPTABLES, /* ipset and iptables */
	NETFILTER_NFTABLES,
};
/* "auto", "iptables", "nftables" */
const char *netfilter_name(enum netfilter n);

enum vip_mode { VIP_ROUTE, VIP_ADDRESS };

/* How much of an external or load balancer address becomes ours that is on no interface of the
 * node: the ports of the Services that name it, or the whole address. */
enum external_addresses { EXTERNAL_PORTS, EXTERNAL_LOCAL };

/*
 * Whose layout the desired state has. kube-proxy knows neither our routes, marks and dispatch tree
 * nor the policies, weights and schedulers that these make possible. What it knows has the same
 * names with it and with us.
 */
enum layout {
	LAYOUT_OWN,
	LAYOUT_BOTH,	   /* ours, with what kube-proxy's needs to take its place at once */
	LAYOUT_KUBE_PROXY, /* that of the mode of kube-proxy whose name the backend has */
};

/* How packets of this node's pods are recognised. */
enum detect_local {
	DETECT_CLUSTER_CIDR,
	DETECT_NODE_CIDR,
	DETECT_BRIDGE_INTERFACE,
	DETECT_INTERFACE_NAME_PREFIX
};

/* Objects that carry the endpoints; AUTO: Endpoints as long as the server has no EndpointSlices. */
enum endpoints_source { ENDPOINTS_AUTO, ENDPOINTS_SLICES, ENDPOINTS_LEGACY };

/* Connection tracking on a node of a cluster. 0 and false leave the kernel's value. */
struct conntrack_settings {
	uint32_t max_per_core; /* connections to track for each CPU; 0: `min` is ignored, too */
	uint32_t min;	       /* lower bound of the total */
	uint32_t tcp_established_timeout, tcp_close_wait_timeout; /* seconds */
	uint32_t udp_timeout, udp_stream_timeout;		  /* seconds */
	bool tcp_be_liberal; /* packets outside of the window are not invalid */
};

enum {
	OPTIONS_MAX_CIDRS = 64,
	INTERFACE_NAME_SIZE = 17, /* IFNAMSIZ, with its NUL, and "+" */
};

struct options {
	char node_name[NAME_MAX_LEN + 1];
	char scheduler[SCHED_NAME_SIZE]; /* of Services without an annotation */
	enum backend backend;		 /* as requested; node_view.backend is in effect */
	enum netfilter netfilter;	 /* as requested; node_view.netfilter is in effect */
	enum vip_mode vip_mode;
	bool masquerade_all;
	uint8_t masquerade_bit; /* 0..31 */
	/* Adjacent bits of the packets' mark that are ours for in-cluster traffic; 0: none. */
	uint32_t mark_mask;
	enum detect_local detect_local;
	struct cidr cluster_cidr[2]; /* IPv4, IPv6; family 0: none */
	/* The interface of pods as rules match it: the bridge, or the name prefix with "+". */
	char interface[INTERFACE_NAME_SIZE];
	struct cidr nodeport_addresses[OPTIONS_MAX_CIDRS];
	size_t n_nodeport_addresses;		/* 0: every address of the node */
	bool nodeport_primary;			/* --nodeport-addresses=primary */
	bool localhost_nodeports;		/* --iptables-localhost-nodeports; not with IPVS */
	struct cidr exclude[OPTIONS_MAX_CIDRS]; /* --ipvs-exclude-cidrs */
	size_t n_exclude;
	bool adopt_foreign; /* take virtual servers of others at the Services' addresses */
	bool external_ips;  /* spec.externalIPs count: the gate AllowServiceExternalIPs */
	enum external_addresses external_addresses;
	/* Pools of addresses that nobody else has: taken as a whole even with EXTERNAL_PORTS. */
	struct cidr local_ranges[OPTIONS_MAX_CIDRS]; /* --local-address-ranges */
	size_t n_local_ranges;
	/* Where spec.externalIPs, or addresses in status.loadBalancer, may be; n 0: anywhere. */
	struct cidr external_ip_ranges[OPTIONS_MAX_CIDRS];
	size_t n_external_ip_ranges;
	struct cidr load_balancer_ranges[OPTIONS_MAX_CIDRS];
	size_t n_load_balancer_ranges;
	struct cidr cluster_ip_ranges[2]; /* --service-cluster-ip-range; family 0: unknown */
	/* EXTERNAL_PORTS: packets to such a port have this bit of the mark from mangle PREROUTING
	 * to mangle INPUT, and a policy rule leads them to the table, where the address is local. */
	uint8_t external_mark_bit;	 /* 0..31; neither masquerade_bit nor in mark_mask */
	uint16_t external_table;	 /* 1..65535, not 253..255: default, main, local */
	uint16_t external_rule_priority; /* 1..32765: behind table local, before main */
	int64_t drain_timeout;		 /* milliseconds */
	enum layout layout;
};

void options_init(struct options *o);
/* With LAYOUT_KUBE_PROXY the options are also those that kube-proxy has in effect. */
void options_set_layout(struct options *o, enum layout layout);
/* The mark of packets selects virtual servers for in-cluster traffic. mark_mask tells even without
 * this which marks were ours. */
bool options_use_marks(const struct options *o);
/* --ipvs-exclude-cidrs contains the address. */
bool options_excluded(const struct options *o, const struct ip *ip);
/* --nodeport-addresses selects every address of the node of that family. */
bool options_all_nodeport_addresses(const struct options *o, int family);
/* Pods' packets are recognised by the interface through which they come. */
bool options_detect_by_interface(const struct options *o);

/* The scheduler of Services whose own and default schedulers are missing in the kernel. */
#define LAST_SCHEDULER "rr"
/* The schedulers of Linux 6.x (net/netfilter/ipvs), NULL-terminated. */
extern const char *const known_schedulers[];

#endif
