/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_SERVICE_CHAIN_H
#define CORE_SERVICE_CHAIN_H

#include "core/fact.h"
#include "core/model.h"

/*
 * The names of the chains of a Service port, as kube-proxy's iptables mode has them
 * (pkg/proxy/iptables/proxier.go, portProtoHash() and servicePortEndpointChainName()): the first 16
 * characters of base32(sha256(NAME + protocol + endpoint)).
 */

/* "namespace/name:port", or "namespace/name" where the port has no name. */
void service_port_name(struct buf *b, const struct service *s, const struct service_port *port);
void service_port_hash(const struct service *s, const struct service_port *port,
	char ret[static SERVICE_HASH_LEN]);
/* Of the chain of one endpoint of that port. */
void service_endpoint_hash(const struct service *s, const struct service_port *port,
	const struct ip *ip, uint16_t endpoint_port, char ret[static SERVICE_HASH_LEN]);

#endif
