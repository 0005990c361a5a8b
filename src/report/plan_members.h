/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_PLAN_MEMBERS_H
#define REPORT_PLAN_MEMBERS_H

#include "report/plan.h"

/*
 * What a plan says, for its JSON and for its text. The lists that grow with the number of Services
 * are made member by member: the text takes each one and drops it, so that a plan of 50,000
 * Services needs no tree of a million members.
 */

/* Which port of a Service has an address */
struct plan_port {
	struct fact_key key; /* resolve_frontend_key() */
	const struct slot *slot;
	const struct service_port *port;
};

struct plan_ports {
	struct plan_port *ports; /* sorted */
	size_t n, cap;
};
void plan_ports_fill(struct plan_ports *l, const struct plan *p);
void plan_ports_done(struct plan_ports *l);

/* The desired facts of one kind, sorted. */
const struct fact *plan_facts(const struct plan *p, enum fact_kind kind, size_t *ret_n);
/* The chain that the rules of a chain or jump stand in. */
const char *plan_rules_chain(const struct fact *f);

/* Takes a member of a list, and the reference to it. */
typedef void (*plan_take_fn)(json_t *member, void *arg);
typedef void (*plan_each_fn)(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg);

/* {"address", "port", "protocol", "scheduler", ..., "realServers"} */
void plan_each_virtual_server(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg);
/* {"address", "port", "protocol"}, or {"nodePort", "family", "protocol"}, and "chain", "service" */
void plan_each_dispatch(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg);
/* {"address", "source", "by"}: each VIP with the preferred source of the node's own packets to it,
 * or "", and with the thing that makes it local */
void plan_each_vip(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg);
/* {NAME: {"type", "family", "entries"}} of an ipset; none with nftables */
void plan_each_ipset(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg);
/* {"change", "fact", "is"}, where "is", of changes, is the observed value without the key, "rr
 * persistence=10", or "none" */
void plan_each_difference(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg);

/* New references to whole lists, which are short. */

/* {"service", "reason"} */
json_t *plan_not_proxied(const struct plan *p);
/* {"service", "address", "port", "protocol"} of addresses that a Service asks for and does not get:
 * with "heldBy" of those that another one or another program has (`conflicts`), or else with
 * "reason" */
json_t *plan_refused(const struct plan *p, const struct plan_ports *ports, bool conflicts);
/* Addresses of which only the ports of Services are taken. */
json_t *plan_taken_by_port(const struct plan *p);
/* {"family", "priority", "mark", "mask", "table"} */
json_t *plan_policy_rules(const struct plan *p);

#endif
