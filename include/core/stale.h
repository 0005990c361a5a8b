/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_STALE_H
#define CORE_STALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/served_port.h"

/*
 * Stale entries of the kernel's connection table. A client that keeps sending UDP packets from one
 * port keeps its entry alive, although the endpoint in it is gone; TCP connections end by
 * themselves.
 *
 * As in kube-proxy (pkg/proxy/conntrack/cleanup.go), an entry is stale if its packets go to an
 * address and port of a Service and its replies do not come from one of the serving endpoints: the
 * endpoint left, or the entry is older than the Service and has none. Unlike kube-proxy, node ports
 * count only on the addresses of this node.
 *
 * With IPVS an entry tells the endpoint only if net.ipv4.vs.conntrack is 1.
 */

struct stale_endpoint {
	struct ip ip;
	uint16_t port;
};

/* An address and port that clients send to; n entries of stale_list.endpoints, from `first` on, may
 * answer. */
struct stale_frontend {
	struct ip ip;
	uint16_t port;
	uint8_t proto;
	size_t first, n;
};

/* A zeroed list is empty and ready. */
struct stale_list {
	struct stale_frontend *frontends;
	size_t n, cap;
	struct stale_endpoint *endpoints;
	size_t n_endpoints, cap_endpoints;
	/* The backend is iptables: an entry that it did not translate belongs to an earlier virtual
	 * server, and is stale. */
	bool translated;
};

/*
 * Appends all frontends of the Service's UDP ports. All of its endpoints may answer, regardless of
 * policies, topology and node, if they are serving, terminating or not. So may those that are ready
 * without serving, because the Service has publishNotReadyAddresses; kube-proxy takes their entries
 * for stale and cuts off clients that it has led there itself.
 */
void stale_add_served(struct stale_list *l, const struct served_ports *served);
/* Appends a frontend. All entries of one without endpoints are stale, as of a deleted Service. */
void stale_add(struct stale_list *l, struct stale_frontend fe);
/* Appends one frontend of another list with its endpoints. */
void stale_copy(struct stale_list *l, const struct stale_list *from, size_t i);
/* Sorts by protocol, family, address and port; to be called before stale_find() and stale_match(). */
void stale_finish(struct stale_list *l);
/* The first frontend with that protocol, address and port; NULL: there is none. */
const struct stale_frontend *stale_find(
	const struct stale_list *l, const struct stale_frontend *key);
/* For qsort() and bsearch(). */
int stale_frontend_compare(const void *a, const void *b);
int stale_endpoint_compare(const void *a, const void *b);
void stale_done(struct stale_list *l);

/* An entry of the connection table. */
struct stale_flow {
	uint8_t proto;
	struct ip to; /* destination of the client's first packet */
	uint16_t to_port;
	struct ip from; /* source of the replies */
	uint16_t from_port;
	bool translated; /* by iptables (IPS_DST_NAT) */
};

/* Whether the entry is stale. If the list has a frontend more than once, the endpoints of all may
 * answer. */
bool stale_match(const struct stale_list *l, const struct stale_flow *flow);

#endif
