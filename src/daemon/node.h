/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_NODE_H
#define DAEMON_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/policy.h"
#include "core/store.h"

/*
 * What is known of the node that we run on: its addresses from the interfaces, its zone and pod
 * CIDRs from its Node object. Owns what the policy points to. The node's own address of a family,
 * which must be on an interface, is --bind-address, the first one of the Node object, or the
 * kernel's choice.
 */
struct node_facts {
	struct ip bind_address; /* as configured */
	/* A Node object that goes takes nothing along: its pods are still here. */
	bool keep;
	struct ip object_ip[2]; /* IPv4, IPv6; family 0: none */
	struct ip *local;
	size_t n_local;
	char zone[64]; /* a label's value has at most 63 characters */
	struct cidr pod_cidrs[2];
	size_t n_pod_cidrs;
};

/*
 * Reads the interfaces and the Node object and puts both into the policy. Returns 1 if the policy
 * changed, 0 if it is what it was, or a negative errno with words; then nothing changed.
 */
int node_refresh(
	struct node_facts *n, const struct store *store, struct policy *policy, struct err *err);
/* The same with addresses that are known; it takes them. Returns whether the policy changed. */
bool node_update(struct node_facts *n, struct ip *local, size_t n_local, const struct store *store,
	struct policy *policy);
void node_done(struct node_facts *n);

#endif
