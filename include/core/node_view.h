/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_NODE_VIEW_H
#define CORE_NODE_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "core/options.h"
#include "core/override.h"

struct store;

/* As many as a Node object has: one of each family. */
enum {
	NODE_VIEW_MAX_POD_CIDRS = 2,
	NODE_VIEW_MAX_SCHEDULERS = 16,
	NODE_VIEW_MAX_OWN_PORTS = 4,
	NODE_VIEW_MAX_API_SERVERS = 4096
};

/* An address and port of one protocol, which the user of it knows. */
struct node_socket {
	struct ip ip; /* family 0: every address of the node */
	uint16_t port;
};

/*
 * The daemon's view of the node that it runs on: the options, the addresses on the interfaces, the
 * Node object's zone and pod CIDRs, and what the kernel turned out to have. With the Services and
 * their endpoints it is all that resolving takes.
 *
 * The start fills in the first part; afterwards only the functions below write.
 */
struct node_view {
	const struct options *options;
	enum backend backend;	  /* in effect; BACKEND_AUTO counts as IPVS */
	enum netfilter netfilter; /* in effect; NETFILTER_AUTO counts as iptables */
	bool ipv4, ipv6;	  /* families that this node serves */
	bool random_fully;	  /* iptables knows MASQUERADE --random-fully (1.6.2) */
	bool drop_invalid;	  /* drop what connection tracking finds invalid; not with IPVS */
	struct ip bind_address;	  /* preferred as the node's own address; family 0: none */
	bool keep;		  /* zone and pod CIDRs outlive the Node object: pods run on */
	bool policy_routing[2];	  /* IPv4, IPv6: the kernel has `ip rule` (default: true) */
	/* The daemon's own servers: health and metrics. */
	struct node_socket own_ports[NODE_VIEW_MAX_OWN_PORTS];
	size_t n_own_ports;

	const struct store *store; /* of nodes and their weights; NULL: none is known */
	/*
	 * Addresses on the node's interfaces other than ours, sorted by ip_compare(), without
	 * loopback and IPv6 link-local.
	 */
	struct ip *local;
	size_t n_local;
	struct ip node_ip[2];	/* IPv4, IPv6: the node's own address; family 0: unknown */
	struct ip object_ip[2]; /* its Node object's first address on an interface; the same */
	char zone[64];		/* label topology.kubernetes.io/zone (at most 63 characters); "" */
	struct cidr pod_cidrs[NODE_VIEW_MAX_POD_CIDRS];
	size_t n_pod_cidrs;
	/* The API server: what its URL resolves to, and the endpoints of default/kubernetes. */
	struct node_socket *api_servers; /* sorted by node_socket_compare() */
	size_t n_api_servers;
	struct node_socket *api_in_use; /* of these, what the URL resolves to */
	size_t n_api_in_use;
	struct overrides overrides; /* whoever changes them marks the Services that they concern */
	/* Schedulers that the kernel turned out not to have. */
	char missing_schedulers[NODE_VIEW_MAX_SCHEDULERS][SCHED_NAME_SIZE];
	size_t n_missing_schedulers;
};

/* The options outlive the view. */
void node_view_init(struct node_view *v, const struct options *options);
void node_view_done(struct node_view *v);

/*
 * Updates the view from the addresses and from this node's Node object in the store. Takes
 * ownership of `local`, which is as in struct node_view and is freed with free(). `primary`: the
 * addresses that the kernel would send from (IPv4, IPv6). The node's own address of a family is the
 * first of these that is on an interface: the bind address, the Node object's addresses, the
 * primary one. Returns whether anything changed.
 */
bool node_view_update(struct node_view *v, struct ip *local, size_t n_local,
	const struct ip primary[static 2], const struct store *store);
/*
 * For a node that is not this machine: takes all addresses from its Node object. Its own address of
 * a family is the first internal one, else the first external one, as Kubernetes has it.
 */
void node_view_imagine(struct node_view *v, const struct node *node, const struct store *store);
/*
 * The addresses and ports that the URL of the API server resolves to, in any order; copied. They
 * count from the next node_view_update() on. Returns whether they changed.
 */
bool node_view_set_api_in_use(struct node_view *v, const struct node_socket *sockets, size_t n);
/* For qsort() and bsearch(). */
int node_socket_compare(const void *a, const void *b);
/* The kernel lacks the scheduler. Returns false where there is no room to remember it. */
bool node_view_add_missing_scheduler(struct node_view *v, const char *scheduler);
void node_view_forget_missing_schedulers(struct node_view *v);

/* Rules of netfilter translate the addresses of packets to Services; else IPVS has them. */
bool node_view_translates(const struct node_view *v);
/* Sets and rules are in nftables; else in ipset and iptables. */
bool node_view_on_nftables(const struct node_view *v);
/* The backend in effect: never BACKEND_AUTO. */
enum backend node_view_backend(const struct node_view *v);
/* The layout is that of kube-proxy's iptables mode. */
bool node_view_handed_over(const struct node_view *v);
bool node_view_serves(const struct node_view *v, int family);
/* The address is on an interface of the node other than kube-ipvs0 and kube-ipvs1. */
bool node_view_is_local(const struct node_view *v, const struct ip *ip);
/* The address may carry NodePorts: it is local, and --nodeport-addresses selects it. */
bool node_view_is_nodeport_address(const struct node_view *v, const struct ip *ip);
/* NodePorts answer on 127.0.0.1, which takes net.ipv4.conf.all.route_localnet. */
bool node_view_localhost_nodeports(const struct node_view *v);
bool node_view_scheduler_missing(const struct node_view *v, const char *scheduler);
/* Contains the addresses of local pods of that family; NULL: an address does not tell them. */
const struct cidr *node_view_local_cidr(const struct node_view *v, int family);

#endif
