/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_SERVER_ADDRESSES_H
#define API_SERVER_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "core/node_view.h"

/*
 * The addresses and ports behind which the API server is. One counts as long as
 *
 * 1. it stands in the URL of the server or of a proxy, or
 * 2. the last answer about the name in such a URL contains it, or
 * 3. a connection uses it (also one to a proxy of the environment, and one that is only tried),
 *
 * and for SERVER_ADDRESSES_KEPT_MS after that. Names are resolved at once, every
 * SERVER_ADDRESSES_REFRESH_MS, and soon after a connection was lost. If that fails, the last answer
 * stays; the failure is logged once.
 *
 * Above SERVER_ADDRESSES_MAX the longest unused ones go first, then those of 2, which are left out
 * if there is no room.
 */

enum {
	SERVER_ADDRESSES_MAX = 64,
	SERVER_ADDRESSES_KEPT_MS = 600 * 1000,
	SERVER_ADDRESSES_REFRESH_MS = 60 * 1000,
	SERVER_ADDRESSES_PACE_MS = 5 * 1000, /* from one resolution to the next, at least */
};

struct resolver;
struct timers;

struct server_addresses_config {
	struct timers *timers;
	const char *server, *proxy;	 /* URLs, as in struct credentials; no proxy: NULL */
	const struct resolver *resolver; /* NULL: the system's */
	/* From the loop, after each change; the first one is an address in a URL. */
	void (*changed)(void *arg);
	void *arg;
};

struct server_addresses;
/* Strings are copied. */
struct server_addresses *server_addresses_new(const struct server_addresses_config *config);
void server_addresses_free(struct server_addresses *a);
/*
 * Sorted by node_socket_compare(), without duplicates; unused bytes are zero. Valid until the loop
 * turns. Addresses in the URLs are there from the beginning.
 */
const struct node_socket *server_addresses_get(const struct server_addresses *a, size_t *ret_n);
/* As http_client_follow_peers() calls it. */
void server_addresses_peer(const struct ip *ip, uint16_t port, bool open, void *arg);

#endif
