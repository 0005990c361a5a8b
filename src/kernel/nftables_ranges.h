/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_RANGES_H
#define KERNEL_NFTABLES_RANGES_H

#include "base/map.h"
#include "nftables_wire.h"

/*
 * The members of KUBE-LOAD-BALANCER-SOURCE-CIDR, which are ranges of addresses: some can be added
 * only after others are gone, and many cannot be deleted one by one.
 */

/* Those of one family. A zeroed one is empty. */
struct nftables_ranges {
	struct map by_key;
};

/* Where they cannot be read, only the next audit tells whether what is added now is there. Returns 0,
 * or a negative errno. */
int nftables_ranges_read(struct nftables_ranges *ret, struct nftables_wire *w, int family);
void nftables_ranges_done(struct nftables_ranges *ranges);
/* Before a range is added: deletes the wider ones around it. */
void nftables_ranges_remove_wider(struct nftables_ranges *ranges, struct nftables_requests *r,
	int owner, const struct fact *f);
/* Carries out the deletes of ranges of that family if they are many; the results of all other
 * operations stay. */
void nftables_ranges_rebuild(struct nftables_wire *w, int family, struct op *ops, size_t n);

#endif
