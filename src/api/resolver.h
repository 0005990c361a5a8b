/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_RESOLVER_H
#define API_RESOLVER_H

#include <stddef.h>

#include "base/ip.h"

/* Resolves the names of hosts without blocking the loop. Tests have one of their own. */

enum { RESOLVER_MAX_ADDRESSES = 64 }; /* of one answer; the rest is left out */

struct resolver_query;
struct timers;

struct resolver {
	/*
	 * Begins. `answered` is called once, from the loop, and the query is over then: with at
	 * least one address, or with none and words. Never after cancel(). The name is copied.
	 */
	struct resolver_query *(*ask)(struct timers *timers, const char *name,
		void (*answered)(const struct ip *ips, size_t n, const char *failure, void *arg),
		void *arg);
	void (*cancel)(struct resolver_query *q);
};

/*
 * getaddrinfo(), as libcurl calls it for its connections: nsswitch.conf, /etc/hosts and DNS, so
 * that both find the same addresses.
 */
extern const struct resolver system_resolver;

#endif
