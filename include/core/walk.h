/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_WALK_H
#define CORE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fact.h"
#include "core/ledger.h"
#include "core/node_view.h"
#include "core/rule_pool.h"

/*
 * What becomes of the first packet of a connection: walks it through the wanted facts (jumps,
 * chains, sets, virtual servers, dispatch entries) as netfilter and IPVS would. So an explanation
 * cannot say anything else than what was programmed. It reads the few matches and targets that our
 * own rules use; of a rule that it cannot read it says so.
 */

struct walk {
	const struct ledger *ledger;
	const struct rule_pool *pool;
	const struct node_view *view;
	struct fact_key *jumps; /* wanted */
	size_t n_jumps, cap_jumps;
};

void walk_init(struct walk *w, const struct ledger *ledger, const struct rule_pool *pool,
	const struct node_view *view);
void walk_done(struct walk *w);

enum walk_source {
	WALK_POD, /* what --detect-local takes for a pod of the cluster */
	WALK_NODE,
	WALK_OUTSIDE,
};
const char *walk_source_name(enum walk_source source);
/* Where packets with this source address come from. An interface is not told by an address: then it
 * is WALK_OUTSIDE unless the address is the node's. */
enum walk_source walk_source_of(const struct node_view *view, const struct ip *ip);

struct walk_packet {
	enum walk_source source;
	struct ip src, dst;
	uint16_t port;
	uint8_t proto;
	uint32_t mark;
};

/* A rule and the chain that it stands in. */
struct walk_rule {
	char chain[CHAIN_NAME_LEN + 1]; /* "": none */
	struct rule rule;		/* its texts are the pool's */
};

enum walk_end {
	WALK_FORWARDED, /* to `vs` */
	WALK_NOBODY,	/* no virtual server has it */
	WALK_DROPPED,
	WALK_REJECTED,
	WALK_UNREADABLE, /* a rule is none that this can read */
};

struct walk_path {
	enum walk_end end;
	struct walk_rule rule;	     /* that dropped or rejected it, or could not be read */
	struct walk_rule masquerade; /* that marked it to be masqueraded */
	struct fact_key vs;	     /* of WALK_FORWARDED: FACT_VS, or on iptables FACT_DISPATCH */
	/* On iptables, of WALK_FORWARDED: the chain that chooses an endpoint, and its rules. */
	char chain[CHAIN_NAME_LEN + 1];
	const struct rule_list *choice;
	struct walk_packet packet; /* as it is then */
};

/* From where it comes in, or is sent, to IPVS or to the chain that chooses an endpoint. */
void walk_to_vs(const struct walk *w, const struct walk_packet *p, struct walk_path *ret);
/* Whether this endpoint is among those that the packet may be forwarded to, and does not drain. */
bool walk_leads_to(
	const struct walk *w, const struct walk_path *path, const struct ip *ip, uint16_t port);
/* From there to an endpoint: whether its source address is replaced; the rule goes to *ret. */
bool walk_masqueraded(const struct walk *w, const struct walk_path *path, const struct ip *ip,
	uint16_t port, struct walk_rule *ret);

#endif
