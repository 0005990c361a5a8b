/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_RIGHTS_H
#define CORE_RIGHTS_H

#include "base/map.h"
#include "core/ledger.h"
#include "core/node_view.h"
#include "core/publication.h"
#include "core/served_port.h"
#include "core/store.h"

/*
 * Who may have which address and port.
 *
 * 1. Some are refused to every Service that names them as external addresses: see enum refusal.
 * 2. Of Services that claim the same address and port one has it. A cluster IP or node port, which
 *    is allocated, comes before a load balancer address, which a controller wrote, and that before
 *    an external IP. Of equals the older Service has it, and of Services of the same age the one
 *    whose name comes first.
 *
 * A Service loses single frontends, never all. What it loses, and every external address, it keeps
 * as a wish, so that it is requeued when somebody else's change decides the wish anew.
 */
struct rights {
	/* Given by the publisher */
	const struct ledger *ledger;
	const struct node_view *view;
	struct store *store;

	struct map by_frontend, by_address; /* of lists of struct wish */
	struct map cluster_ips;		    /* of struct allocated_ip */
	size_t refused[REFUSALS];	    /* wishes, by their refusal */
};

void rights_init(struct rights *r, const struct ledger *ledger, const struct node_view *view,
	struct store *store);
/* Before the publications are freed. */
void rights_done(struct rights *r);

/* Calls fn for each external or refused frontend with this address and port. */
void rights_each_wish(const struct rights *r, const struct ip *ip, uint16_t port, uint8_t proto,
	void (*fn)(const struct slot *slot, const struct frontend *fe, void *arg), void *arg);

/* A Service that has the cluster IP and is not `but`; NULL: none. */
const struct publication *rights_cluster_ip_holder(
	const struct rights *r, const struct ip *ip, const struct publication *but);

/* A Service asks for the frontend, and nobody may have it. */
bool rights_refused(const struct rights *r, const struct ip *ip, uint16_t port, uint8_t proto);

/* A Service has this external frontend. */
bool rights_granted(const struct rights *r, const struct ip *ip, uint16_t port, uint8_t proto);
/* A Service has an external frontend at that address. */
bool rights_granted_address(const struct rights *r, const struct ip *ip);

/* The wishes of a Service before it is resolved again; the caller ends them with rights_settle(). */
struct old_wishes {
	struct wish *wishes;
	size_t n;
};
struct old_wishes rights_forget(struct rights *r, struct publication *pub);

/*
 * Decides all frontends of the Service: moves those that it may not have to the refused ones of
 * their port, keeps its wishes, and requeues the Services from which it takes a frontend or a
 * cluster IP. Its wishes are forgotten before.
 */
void rights_decide(struct rights *r, struct publication *pub, struct served_ports *served);

/* Who has the frontend that was refused with REFUSAL_HELD: perhaps another port of the Service
 * itself. */
const char *rights_holder(const struct rights *r, const struct publication *pub,
	const struct frontend *fe, uint8_t proto);

/*
 * To be called when the claims of the Service are published. `old_facts`: its facts before.
 * Requeues who may have now what the Service gave up. With `renewed` its age has changed, and
 * others may have a better right to what it has.
 */
void rights_settle(struct rights *r, struct publication *pub, struct old_wishes *old,
	const struct fact_list *old_facts, bool renewed);

/* The kernel was read: requeues the Services to which a virtual server of others was in the way that
 * is gone. */
void rights_audited(const struct rights *r);

/* An endpoint with this address came or went. */
void rights_endpoint_changed(struct rights *r, const struct ip *ip);

#endif
