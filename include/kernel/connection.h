/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_CONNECTION_H
#define KERNEL_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/ip.h"
#include "kernel/conntrack.h"

/*
 * The connections that the kernel forwards, one by one: those of IPVS from /proc/net/ip_vs_conn
 * (ip_vs_conn_seq_show() in the kernel's ip_vs_conn.c), those that netfilter translates from
 * ctnetlink. Neither tells the age of a connection.
 */

#define CONNECTION_TABLE "/proc/net/ip_vs_conn"

enum { CONNECTION_STATELEN = 20 };

struct connection {
	struct ip client, vip, endpoint;
	uint16_t client_port, vip_port, endpoint_port;
	uint8_t proto; /* IPPROTO_TCP ...; 0: a template of a firewall mark, see connection_fwmark() */
	/* Not a connection, but session affinity's memory of where the client's next ones go. The
	 * client is an address or a network without a port. */
	bool template;
	bool translated;		 /* to an endpoint; of IPVS always */
	uint32_t expires;		 /* seconds, if no packet comes */
	char state[CONNECTION_STATELEN]; /* "ESTABLISHED", in the kernel's words */
};

/* IPVS writes the firewall mark of a template in place of the VIP. */
uint32_t connection_fwmark(const struct connection *c);
/* Whether IPVS counts it as active: a connection of TCP or SCTP that is established, never one of UDP. */
bool connection_is_active(const struct connection *c);

/* Reads one line of CONNECTION_TABLE, with or without "\n". False: it is none, or of a protocol
 * that Services do not have. */
bool connection_parse(const char *line, struct connection *ret);

typedef void (*connection_fn)(const struct connection *c, void *arg);
/*
 * Reads the table from its header on and keeps nothing of it. `ret_skipped` counts lines that are no
 * connection. Returns 0, -EPROTO (no such header), or another negative errno, each with a text.
 */
int connections_read(
	FILE *table, connection_fn fn, void *arg, uint64_t *ret_skipped, struct err *err);

/*
 * As connections_read(), the TCP, UDP and SCTP entries of netfilter's connection table. Entries that
 * come or go meanwhile may be missing. Defined in conntrack.c.
 */
int conntrack_walk(struct conntrack *conntrack, connection_fn fn, void *arg, struct err *err);

#endif
