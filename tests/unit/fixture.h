/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "core/model.h"
#include "core/node_view.h"
#include "core/resolve.h"
#include "core/store.h"

/*
 * Objects of the model from a line of text each, so that tests are tables. A mistake in a line ends
 * the program.
 *
 * A Service is "NAMESPACE/NAME" and any of
 *	ip=10.20.30.41,2020::1		spec.clusterIPs
 *	port=p80:80/TCP:30001		name, port, protocol, node port (may be left out); repeat
 *	type=NodePort
 *	external=50.60.70.81,...	spec.externalIPs
 *	lb=1.2.3.4,...			status.loadBalancer.ingress
 *	lbproxy=1.2.3.4			the same with ipMode Proxy
 *	ranges=10.0.0.0/8,...		spec.loadBalancerSourceRanges
 *	affinity=10800			ClientIP with that timeout
 *	etp=Local, itp=Local		external and internal traffic policy
 *	healthcheck=32000
 *	scheduler=mh, drain=5000	the annotations
 *	created=1700000000
 *	version=5 hash=1		metadata.resourceVersion, hash of the encoded object
 *	headless, otherproxy
 *
 * A slice is "NAMESPACE/NAME" and any of
 *	service=NAME			default: its own name up to the last '-'
 *	kind=Endpoints, version=5, hash=1
 *	port=p80:8080/TCP
 *	weight=5			the annotation
 *	ep=10.244.0.5@NODE,rst,z=a|b,n=c|d	repeat; "rst" stands for ready, serving and
 *					terminating (default "rs", "-" for none of them), z and n
 *					for the hints
 *
 * A node is "NAME" and any of weight=5, zone=a.
 */
struct service *fixture_service(const char *line);
struct slice *fixture_slice(const char *line);
struct node *fixture_node(const char *line);

/* Puts objects into the store: "service ...", "slice ..." or "node ...", one a line. */
void fixture_load(struct store *s, const char *lines);

struct ip fixture_ip(const char *s);
struct cidr fixture_cidr(const char *s);
struct fact fixture_fact(const char *line);

/* A node with options of its own; its addresses are static, so it needs no node_view_done(). */
struct fixture_node {
	struct options options;
	struct node_view view;
};

/*
 * The defaults on node "test-node" in zone "zone-a" with the addresses 100.101.102.103 and
 * 2001:db8::1:1 and the cluster CIDRs 10.244.0.0/16 and 2012::/64.
 */
void fixture_node_init(struct fixture_node *n);
void fixture_node_copy(struct fixture_node *n, const struct fixture_node *from);

/* What resolve_service() makes of the Service of that namespace and name, unsorted. */
void fixture_resolve(const struct store *s, const char *ns, const char *name,
	const struct node_view *view, struct rule_pool *pool, struct fact_list *ret);

/* The facts as lines. */
void fixture_print_facts(struct buf *ret, const struct fact *facts, size_t n);

#endif
