/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"

/*
 * Services, slices and nodes as decoded, with the API's defaults filled in: immutable, each in an
 * arena of its own, which also holds the object itself. Strings are never NULL. Fields are named as
 * in the Kubernetes API; a field of the API that is missing here has no effect. The decoders have
 * checked ranges and syntax.
 */

/* RFC 1123 subdomain; name and namespace limits of Kubernetes */
enum { NAME_MAX_LEN = 253 };

/* Limits of one Service. An API server has none but the size of an object (1.5 MiB), into which
 * 100,000 addresses fit. */
enum {
	SERVICE_MAX_PORTS = 20000,
	SERVICE_MAX_ADDRESSES = 1000, /* external IPs; and load balancer addresses */
	SERVICE_MAX_SOURCE_RANGES = 10000,
	/* Ports times addresses, and ports times load balancer addresses times source ranges. */
	SERVICE_MAX_FRONTENDS = 100000,
	/* Addresses times endpoints, summed over its ports. Ports beyond that get no endpoints. */
	SERVICE_MAX_REAL_SERVERS = 200000,
};

enum service_type {
	SERVICE_CLUSTER_IP,
	SERVICE_NODE_PORT,
	SERVICE_LOAD_BALANCER,
	SERVICE_EXTERNAL_NAME
};
const char *service_type_name(enum service_type type);

struct service_port {
	const char *name;   /* "" allowed */
	uint8_t proto;	    /* IPPROTO_TCP, _UDP, _SCTP */
	uint16_t port;	    /* 1..65535 */
	uint16_t node_port; /* 0: none */
};

struct ingress {
	struct ip ip;
	/* status.loadBalancer.ingress[].ipMode is Proxy: the load balancer answers, the node must
	 * not. */
	bool proxy_mode;
};

struct service {
	struct arena arena;
	const char *ns, *name;
	const char *resource_version; /* "" from manifests without one */
	uint64_t hash;		      /* of the object as an API server encoded it; 0: unknown */
	const char *uid;	      /* "" from manifests without one */
	int64_t created;	      /* metadata.creationTimestamp, Unix seconds; 0: none */
	enum service_type type;
	bool headless;	  /* spec.clusterIP is None */
	bool other_proxy; /* has the label service.kubernetes.io/service-proxy-name */
	bool cluster_dns; /* has the label k8s-app: kube-dns; every installer sets it */
	struct ip cluster_ips[2];
	size_t n_cluster_ips; /* 0: not assigned yet, or headless */
	const struct service_port *ports;
	size_t n_ports;
	const struct ip *external_ips;
	size_t n_external_ips;
	const struct ingress *ingress; /* without the entries that have only a hostname */
	size_t n_ingress;
	const struct cidr *source_ranges; /* spec.loadBalancerSourceRanges */
	size_t n_source_ranges;
	bool affinity_client_ip;
	uint32_t affinity_timeout; /* seconds, 1..86400 */
	bool external_local;	   /* spec.externalTrafficPolicy is Local */
	bool internal_local;	   /* spec.internalTrafficPolicy is Local */
	uint16_t health_check_node_port;
	bool publish_not_ready; /* for Endpoints objects; EndpointSlices have it in `ready` */
	const char *scheduler;	/* annotation ipvsctl.io/scheduler or
				   kube-router.io/service.scheduler; "" */
	int64_t drain_timeout;	/* annotation ipvsctl.io/drain-timeout, milliseconds; -1: none */
};

/* The node of an endpoint, and the zones and nodes whose clients should use it. */
struct endpoint_place {
	const char *node_name; /* "": unknown */
	const char *const *zone_hints;
	size_t n_zone_hints;
	const char *const *node_hints;
	size_t n_node_hints;
};

struct endpoint {
	struct ip ip;
	bool ready, serving, terminating;
	const struct endpoint_place *place; /* never NULL; endpoints may share one */
};

struct endpoint_port {
	const char *name;
	uint8_t proto;
	uint16_t port;
};

/* Endpoints that share their ports: an EndpointSlice is one subset, an Endpoints object any number.
 */
struct subset {
	const struct endpoint *endpoints;
	size_t n_endpoints;
	const struct endpoint_port *ports;
	size_t n_ports;
};

enum slice_kind { SLICE_ENDPOINT_SLICE, SLICE_ENDPOINTS };

struct slice {
	struct arena arena;
	enum slice_kind kind;
	const char *ns, *name;
	const char *resource_version;
	uint64_t hash; /* of the object as an API server encoded it; 0: unknown */
	/* label kubernetes.io/service-name; the object's own name for Endpoints */
	const char *service;
	const struct subset *subsets;
	size_t n_subsets;
	int32_t weight;	      /* annotation ipvsctl.io/weight, 0..65535; -1: none */
	int64_t trigger_time; /* last-change-trigger-time, Unix microseconds; 0: none */
};

struct node_address {
	struct ip ip;
	bool external; /* ExternalIP; else InternalIP */
};

struct node {
	struct arena arena;
	const char *name;
	const char *resource_version;
	const struct node_address *addresses; /* InternalIP and ExternalIP in the API's order */
	size_t n_addresses;
	const struct cidr *pod_cidrs;
	size_t n_pod_cidrs;
	const char *zone;	  /* label topology.kubernetes.io/zone; "": none */
	int32_t weight;		  /* annotation ipvsctl.io/weight; -1: none */
	bool deleting;		  /* metadata.deletionTimestamp is set */
	bool to_be_deleted_taint; /* ToBeDeletedByClusterAutoscaler */
};

/* Empty objects, each in an arena of its own, which the caller fills while decoding. Each _free()
 * accepts NULL. */
struct service *service_new(void);
struct slice *slice_new(void);
struct node *node_new(void);
/* The Service is the API server or the cluster's DNS: other Services need it to start. */
bool service_is_vital(const struct service *s);
void service_free(struct service *s);
void slice_free(struct slice *s);
void node_free(struct node *n);

#endif
