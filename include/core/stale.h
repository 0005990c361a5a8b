/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_STALE_H
#define CORE_STALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/served_port.h"

/*
 * Which entries of the kernel's connection table outlived what they lead to. A client that goes on
 * sending UDP packets from one port keeps its entry alive, and with it the endpoint that is gone;
 * TCP ends by itself. As kube-proxy has it (pkg/proxy/conntrack/cleanup.go), an entry is stale when
 * it was sent to an address and port that a Service answers on, and what answers is not among that
 * Service's serving endpoints: an endpoint that left, or nobody, because the entry is older than
 * the Service. Unlike there, a node port counts only on the addresses of this node: what goes to
 * the same port number elsewhere is none of our business.
 *
 * With IPVS an entry tells the endpoint only where net.ipv4.vs.conntrack is 1.
 */

struct stale_endpoint {
	struct ip ip;
	uint16_t port;
};

/* What clients send to, and who may answer: n entries of stale_list.endpoints from `first` on. */
struct stale_frontend {
	struct ip ip;
	uint16_t port;
	uint8_t proto;
	size_t first, n;
};

/* A zeroed one is empty and ready. */
struct stale_list {
	struct stale_frontend *frontends;
	size_t n, cap;
	struct stale_endpoint *endpoints;
	size_t n_endpoints, cap_endpoints;
	/*
	 * It is iptables that leads to the endpoints: an entry that it does not translate is of a
	 * virtual server that was there before, and leads nowhere.
	 */
	bool translated;
};

/*
 * Appends all addresses that the Service's UDP ports answer on, with the endpoints that may answer,
 * whatever the policies, the topology and the node: those that serve, terminating or not, and those
 * that count as ready without serving, because their Service publishes not ready addresses
 * (kube-proxy takes these for stale and cuts off those that it leads there).
 */
void stale_add_served(struct stale_list *l, const struct served_ports *served);
/* Appends one without endpoints, such as that of a Service that is gone: all its entries are stale.
 */
void stale_add(struct stale_list *l, const struct ip *ip, uint16_t port, uint8_t proto);
/* Appends one frontend of another list with its endpoints. */
void stale_copy(struct stale_list *l, const struct stale_list *from, size_t i);
/* Sorts by protocol, family, address and port; to be done before stale_find() and stale_match(). */
void stale_finish(struct stale_list *l);
/* The first one with that protocol, address and port; NULL: none has. */
const struct stale_frontend *stale_find(
	const struct stale_list *l, const struct stale_frontend *key);
int stale_frontend_cmp(const struct stale_frontend *a, const struct stale_frontend *b);
int stale_endpoint_cmp(const struct stale_endpoint *a, const struct stale_endpoint *b);
void stale_done(struct stale_list *l);

/* An entry of the connection table, as far as it matters here. */
struct stale_flow {
	uint8_t proto;
	struct ip to; /* what the client sent its first packet to */
	uint16_t to_port;
	struct ip from; /* where the replies come from */
	uint16_t from_port;
	bool translated; /* by iptables (IPS_DST_NAT) */
};

/* Where the list has a frontend more than once, the endpoints of all count. */
bool stale_match(const struct stale_list *l, const struct stale_flow *flow);

#endif
