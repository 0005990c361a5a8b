/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_STALE_H
#define CORE_STALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/policy.h"
#include "core/store.h"

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
};

/*
 * Appends all addresses that the Service's UDP ports answer on, with the serving endpoints:
 * terminating or not, whatever the policies, the topology and the node. A port without any is left
 * out, so that its entries stay, unless `empty`: then all its entries are stale.
 */
void stale_add_slot(
	struct stale_list *l, const struct slot *slot, const struct policy *policy, bool empty);
/* Appends one without endpoints, such as that of a Service that is gone: all its entries are stale.
 */
void stale_add(struct stale_list *l, const struct ip *ip, uint16_t port, uint8_t proto);
/* Forgets the frontends that `keep` refuses, such as those that another Service answers. */
void stale_filter(
	struct stale_list *l, bool (*keep)(const struct stale_frontend *fe, void *arg), void *arg);
/* Sorts by protocol, family, address and port; to be done before stale_match(). */
void stale_finish(struct stale_list *l);
void stale_done(struct stale_list *l);

/* An entry of the connection table, as far as it matters here. */
struct stale_flow {
	uint8_t proto;
	struct ip to; /* what the client sent its first packet to */
	uint16_t to_port;
	struct ip from; /* where the replies come from */
	uint16_t from_port;
};

/* Where the list has a frontend more than once, the endpoints of all count. */
bool stale_match(const struct stale_list *l, const struct stale_flow *flow);

#endif
