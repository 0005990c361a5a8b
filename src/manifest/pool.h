/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_POOL_H
#define MANIFEST_POOL_H

#include "base/ip.h"
#include "base/map.h"

/*
 * The addresses of one range, given out by name: the search begins at the hash of the name, so that
 * the same names get the same addresses at every start, if they ask in the same order. A zeroed one
 * with a range is ready.
 */
struct pool {
	struct cidr range; /* family 0: there is none */
	struct map used;
};

void pool_done(struct pool *p);
/* Counts one more user of an address; addresses outside of the range are ignored. */
void pool_hold(struct pool *p, const struct ip *ip);
/* Counts one user less; addresses that are not held are ignored. */
void pool_release(struct pool *p, const struct ip *ip);
/* Finds an unused address, and holds it. Returns 0, or -ENOSPC. */
int pool_allocate(struct pool *p, const char *name, struct ip *ret);

#endif
