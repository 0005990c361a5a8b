/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_WALK_H
#define CORE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/endpoints.h"
#include "core/fact.h"
#include "core/ledger.h"
#include "core/node_view.h"
#include "core/resolve.h"
#include "core/rule_pool.h"

/*
 * Walks the first packet of a connection through the desired facts (jumps, chains, sets, virtual
 * servers, dispatch entries) as netfilter and IPVS would. An explanation reads the same facts that
 * are programmed. It walks FORWARD and OUTPUT of filter only where the address is not local, and no
 * rules of other programs. A walk
 * ends at a rule that it cannot interpret, and says so.
 */

struct walk {
	const struct ledger *ledger;
	const struct rule_pool *pool;
	const struct node_view *view;
	struct fact_list jumps; /* desired; only the keys count */
};

void walk_init(struct walk *w, const struct ledger *ledger, const struct rule_pool *pool,
	const struct node_view *view);
void walk_done(struct walk *w);

/* Where packets with this source address come from. If pods are recognised by their interface, an
 * address is the node's or FROM_OUTSIDE. */
enum packet_source walk_source_of(const struct node_view *view, const struct ip *ip);

struct walk_packet {
	enum packet_source source;
	struct ip src, dst;
	uint16_t port;
	uint8_t proto;
	uint32_t mark;
};

/* A rule and its chain. */
struct walk_rule {
	enum table table;
	char chain[CHAIN_NAME_LEN + 1]; /* "": none */
	struct rule rule;		/* its texts are the pool's */
};

enum walk_end {
	WALK_FORWARDED, /* to `vs` */
	WALK_NOBODY,	/* no virtual server has it */
	WALK_DROPPED,
	WALK_REJECTED,
	WALK_UNREADABLE, /* a rule cannot be interpreted */
};

struct walk_path {
	enum walk_end end;
	struct walk_rule rule;	     /* dropped or rejected the packet, or ended the walk */
	struct walk_rule masquerade; /* marked the packet to be masqueraded */
	struct fact_key vs;	     /* of WALK_FORWARDED: FACT_VS, or without IPVS FACT_DISPATCH */
	/* Without IPVS, of WALK_FORWARDED: the chain of TABLE_NAT that chooses an endpoint, and on
	 * iptables its rules, on nftables its spread. */
	char chain[CHAIN_NAME_LEN + 1]; /* "": IPVS chooses */
	const struct rule_list *choice;
	struct spread spread;
	struct walk_packet packet; /* as it is at the end */
};

/* Walks from the hook where the packet comes in, or is sent, to IPVS or to the chain that chooses
 * an endpoint. */
void walk_to_vs(const struct walk *w, const struct walk_packet *p, struct walk_path *ret);
/* Whether the packet may be forwarded to each of the endpoints; those that drain are left out. */
void walk_leads_to(const struct walk *w, const struct walk_path *path,
	const struct endpoint_list *endpoints, bool *ret);
/* Walks on to an endpoint. Returns whether the packet's source address is replaced, and by which
 * rule. */
bool walk_masqueraded(const struct walk *w, const struct walk_path *path, const struct ip *ip,
	uint16_t port, struct walk_rule *ret);

#endif
