/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_SPREAD_H
#define CORE_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How the nftables backend chooses one of the endpoints behind an address and port: by chance among
 * numbered slots, members of a set, each of which leads to an endpoint. An endpoint has as many
 * slots as its share of the weights.
 *
 * The number of slots is a constant of a rule, so each spread that occurs has a chain of its own,
 * which all Services share whose endpoints are spread in that way.
 */
enum spread_flags {
	SPREAD_LOCAL = 1,      /* among the endpoints of this node */
	SPREAD_MASQUERADE = 2, /* and the packets are to be masqueraded */
	SPREAD_NODE_PORT = 4,  /* the port of all addresses that carry node ports */
	SPREAD_FLAGS = 7,
	/* Always set: an entry (core/fact.h) that has it has a spread, and not a chain of iptables. */
	SPREAD_ENTRY = 0x80
};

struct spread {
	uint16_t slots;	   /* 1..SPREAD_SLOTS; 0: there is no endpoint, and no chain */
	uint8_t flags;	   /* SPREAD_* */
	uint8_t unused;	   /* zero */
	uint32_t affinity; /* seconds for which a client keeps its endpoint; 0: it does not */
};
/* A spread is a number of 32 bits in the kernel: 12 bits are for the slots, 17 for the affinity. */
enum { SPREAD_SLOTS = 4095, SPREAD_AFFINITY = 131071 };

/* Where a packet comes from: traffic policies and masquerading depend on it. */
enum packet_source {
	FROM_POD,  /* what --detect-local takes for a pod of this node */
	FROM_NODE, /* an address of this node */
	FROM_OUTSIDE,
	PACKET_SOURCES
};
/* "pod", "node", "outside" */
const char *packet_source_name(enum packet_source source);

/* XT_EXTENSION_MAXNAMELEN - 1 */
enum { CHAIN_NAME_LEN = 28 };
/* The chain of table nat: "KUBE-SPREAD-3", "KUBE-SPREAD-3-LM", "KUBE-SPREAD-3-LMP-10800"; without
 * slots "nowhere". */
const char *spread_chain_name(const struct spread *s, char name[static CHAIN_NAME_LEN + 1]);
/* The inverse; false: it is neither "nowhere" nor the name of such a chain. */
bool spread_chain_parse(const char *name, struct spread *ret);

struct endpoint_list;

/*
 * How many slots each endpoint of the list gets under that traffic policy, into ret[]: in proportion
 * to the weights, at least one if it has a weight. Returns their sum, at most SPREAD_SLOTS: of more
 * endpoints than that the last ones get none.
 */
uint16_t spread_share(const struct endpoint_list *endpoints, bool local, uint16_t ret[]);

#endif
