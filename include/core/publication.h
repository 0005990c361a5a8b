/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_PUBLICATION_H
#define CORE_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "core/fact.h"
#include "core/frontends.h"
#include "core/ledger.h"
#include "core/marks.h"
#include "core/node_view.h"
#include "core/resolve.h"

struct publication;

/* A frontend that is external or refused, as the last publication left it: what others do may
 * decide it anew. In the maps of src/core/rights.h. */
struct wish {
	struct list same_frontend, same_address;
	struct publication *pub;
	struct frontend fe;
	uint8_t proto;
};

/* A cluster IP of the Service. In the map of src/core/rights.h. */
struct allocated_ip {
	struct map_node by_address;
	const struct publication *pub;
	struct ip ip;
};

/* The endpoints of a Service in one family. */
struct endpoint_sum {
	size_t n, n_ready;
	size_t n_node_hints, n_zone_hints; /* ready ones that have such hints */
};

/*
 * The facts that the engine claims for one Service, and its memory of the Service from one change
 * to the next. The engine owns and writes it; everybody else reads it through slot.published.
 */
struct publication {
	struct list link;	  /* on the publisher's list */
	struct slot *slot;	  /* whose `published` this is */
	struct claimant claimant; /* its name is the slot's */
	struct claims claims;
	int64_t drain_timeout; /* of the Service as published; see struct service */
	/* Its endpoints that are not ready or terminate, sorted by node_socket_compare(). */
	struct node_socket *unready;
	size_t n_unready;
	struct port_marks marks;
	struct stale_service *stale; /* of its UDP ports, see core/stale_watch.h; NULL: none */
	struct wish *wishes;	     /* sorted by wish_compare() */
	size_t n_wishes, n_refused;
	struct allocated_ip *cluster_ips;
	size_t n_cluster_ips;
	/* Of IPv4 and IPv6, of a Service with many slices of which each can be resolved by itself;
	 * NULL: it is resolved as a whole. */
	struct endpoint_sum *sums;
	bool degraded; /* the scheduler that it asked for is missing */
	bool unserved; /* none of its ports has an endpoint */
	bool beyond;   /* a port of it is, see struct served_port */
	/* It publishes nothing yet: all its endpoints may be in what could not be read. */
	bool withheld;
	uint16_t health_check_port; /* healthCheckNodePort as published; 0: none */
	bool takes_ports[2];	    /* IPv4, IPv6: of addresses that stay with their owners */
};

/* The Service claims the fact. False for NULL. */
bool publication_claims(const struct publication *p, const struct fact_key *key);
/* Adds the facts that it claims, sorted. */
void publication_facts(const struct publication *p, struct fact_list *ret);
/* The publication that this is a part of; NULL: the claimant is no Service. */
struct publication *publication_of(const struct claimant *claimant);
/* The Service that decides the fact's value; NULL: none does. */
struct publication *publication_owner(const struct ledger *l, const struct fact_key *key);
/* The Service that has the address and port; NULL: nobody has it. */
struct publication *publication_holder(const struct ledger *l, const struct node_view *view,
	const struct frontend *fe, uint8_t proto);
/* NULL: the Service never asked for it, or has it and it is allocated. */
const struct wish *publication_wish(
	const struct publication *p, const struct frontend *fe, uint8_t proto);
/* The Service asks for the address and port, of whatever kind, and does not have them by
 * allocation. False for NULL. */
bool publication_wishes(const struct publication *p, const struct frontend *fe, uint8_t proto);
/* Why the Service does not have this frontend; REFUSAL_NONE: it has it, or never asked for it. */
enum refusal publication_refusal(
	const struct publication *p, const struct frontend *fe, uint8_t proto);
/* For qsort() and bsearch(): by address, port, protocol and kind. */
int wish_compare(const void *a, const void *b);

#endif
