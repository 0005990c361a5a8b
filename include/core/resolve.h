/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_RESOLVE_H
#define CORE_RESOLVE_H

#include "core/endpoints.h"
#include "core/fact.h"
#include "core/frontends.h"
#include "core/node_view.h"
#include "core/rule_pool.h"
#include "core/served_port.h"

/* Computes desired facts from a Service with its endpoints and the node view. Pure functions: the
 * result does not depend on an earlier one. */

struct fact_list {
	struct fact *facts;
	size_t n, cap;
};

void fact_list_add(struct fact_list *l, struct fact f);
/* Sorts by key, and of equal keys leaves the first. */
void fact_list_finish(struct fact_list *l);
void fact_list_done(struct fact_list *l);

/*
 * Appends the facts of one Service; finish the list afterwards. Rules go to the pool.
 * @param takes_ports As in struct node_needs. What takes the ports of others' addresses then stands
 * for the external addresses on interfaces of the node, too: these may go to another host.
 */
void resolve_service(const struct served_ports *served, const struct node_view *view,
	const bool takes_ports[static 2], struct rule_pool *pool, struct fact_list *ret);

/* What resolving one port takes, and where its rules and facts go. */
struct resolver {
	const struct node_view *view;
	struct rule_pool *pool;
	struct fact_list *out;
};
/* The facts that only that backend needs; resolve_service() adds those of both. */
void resolve_ipvs_port(const struct resolver *r, const struct served_port *p);
void resolve_iptables_port(const struct resolver *r, const struct served_port *p);
void resolve_nftables_port(const struct resolver *r, const struct served_port *p);
/* The chain of a spread with nftables, and what leads to it. */
void resolve_spread(const struct resolver *r, int family, const struct spread *s);
/* The member of a set by which rules drop or refuse what comes to a frontend without endpoints. */
struct fact resolve_without_endpoints(const struct served_port *p, const struct frontend *fe);

/*
 * The rules of kube-proxy's iptables mode that stand in chains of the node for each address and
 * port of each Service. Zeroed, there are none.
 */
enum portal_chain {
	PORTAL_SERVICES,	  /* nat KUBE-SERVICES */
	PORTAL_NODE_PORTS,	  /* nat KUBE-NODEPORTS */
	PORTAL_REFUSALS,	  /* filter KUBE-SERVICES */
	PORTAL_EXTERNAL_REFUSALS, /* filter KUBE-EXTERNAL-SERVICES */
	PORTAL_HEALTH_CHECKS,	  /* filter KUBE-NODEPORTS */
	PORTAL_FIREWALL,	  /* filter KUBE-PROXY-FIREWALL */
	PORTAL_CHAINS
};
struct portals {
	struct rule_list rules[2][PORTAL_CHAINS]; /* IPv4, IPv6 */
};
void portals_add(struct portals *portals, const struct served_ports *served);
void portals_done(struct portals *portals);

/*
 * Appends the facts of the node that no Service brings: the device, the sets, the chains and the
 * jumps to them. Their rules go to the pool.
 */
struct node_needs {
	/* IPv4, IPv6: a Service takes ports of an address that stays with its owner (REACH_PORTS) */
	bool takes_ports[2];
	/* IPv4, IPv6: packets to such ports are led to IPVS. On iptables only as long as connections
	 * through IPVS drain. */
	bool leads_ports[2];
	/* IPv4, IPv6: for how many members each set has room; 0: SET_MEMBERS */
	uint32_t set_room[2][SET_COUNT];
	/* IPv4, IPv6: which sets have members. Packets are looked up in no other. */
	bool has_members[2][SET_COUNT];
	/* To hand over from the iptables backend; else NULL. */
	const struct portals *portals;
};
/* Everything that a node may need, except portals. */
struct node_needs node_needs_all(void);
void resolve_node(const struct node_view *view, const struct node_needs *needs,
	struct rule_pool *pool, struct fact_list *ret);

/* The match for packets from pods of this node; MATCH_ANY: pods cannot be told from others. Its
 * texts are those of the options. */
struct rule_match resolve_match_pods(const struct node_view *view, int family);

/* Chains that others look at by their names. */
#define CHAIN_SOURCE_RANGES "KUBE-SOURCE-RANGES-FIREWALL" /* drops: loadBalancerSourceRanges */
#define CHAIN_NODE_PORTS "KUBE-NODEPORTS" /* kube-proxy's iptables mode: leads to node ports */
/* Not with IPVS; on iptables the adapter of FACT_DISPATCH writes them. */
#define CHAIN_DISPATCH "KUBE-DISPATCH"		  /* leads to the chains of addresses and ports */
#define CHAIN_DISPATCH_PORTS "KUBE-PORT-DISPATCH" /* leads to those of node ports */

/* The chain decides which backend gets the packets of a Service (src/core/op_order.c). */
bool chain_is_entrance(enum table table, const char *name);
/*
 * The place of a jump among those from its built-in chain, for an adapter that can choose: behind
 * those with a smaller number. With nftables a jump that sets whole marks comes before one that adds
 * a bit.
 */
size_t jump_place(const struct fact_key *jump);
/*
 * Sets the rules of a jump that some options and some backend make, and that nobody may want now: with
 * an adapter that writes a built-in chain as a whole it stands there until it is deleted. False: the
 * jump has the hash of other rules.
 */
bool jump_rules(const struct fact *jump, struct rule_list *ret);
/* A chain of that name is made by resolve_node() or resolve_service(), or was by kube-proxy. */
bool chain_is_ours(enum table table, const char *name);

/* The scheduler that this Service gets: its own if it asked for one that the kernel has. */
const char *resolve_scheduler(const struct service *s, const struct node_view *view);

/* The entry for an address that a port of a Service answers on. Node ports are one entry for all
 * addresses without IPVS. */
struct fact_key resolve_frontend_key(
	const struct node_view *view, const struct frontend *fe, uint8_t proto);
/*
 * The entries of which only one Service may claim any: that of the frontend, and for an address
 * that carries node ports, without IPVS, that of the address and that of the node port. Returns
 * their number.
 */
enum { RESOLVE_RIVAL_KEYS = 2 };
size_t resolve_rival_keys(const struct node_view *view, const struct frontend *fe, uint8_t proto,
	struct fact_key ret[static RESOLVE_RIVAL_KEYS]);

#endif
