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
/* Of the chains of that port; of the chain of one of its endpoints, unless `endpoint` is NULL. */
void service_chain_hash(const struct service *s, const struct service_port *port,
	const struct ip *endpoint, uint16_t endpoint_port, char ret[static SERVICE_HASH_LEN]);

/* "KUBE-SVC-XPGD46QRK7WJZT7O" */
const char *service_chain_name(enum service_chain chain, const char hash[static SERVICE_HASH_LEN],
	char s[static CHAIN_NAME_LEN + 1]);
/* The inverse; false: it is not such a name. */
bool service_chain_parse(
	const char *name, enum service_chain *ret_chain, char ret_hash[static SERVICE_HASH_LEN]);

#endif
