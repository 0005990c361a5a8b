/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_WIRE_H
#define KERNEL_NFTABLES_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/ledger.h"
#include "core/resolve.h"
#include "core/rule_pool.h"
#include "nftables_generation.h"
#include "nl.h"

/*
 * Operations become requests, one or more each, and these a transaction. The kernel tells every
 * request that is at fault and carries out none of them; so those operations get their results, and
 * the others are sent again.
 */

/* Where transactions go, and what their messages are made of. */
struct nftables_wire {
	struct nl_port *port;
	const struct rule_pool *pool;
	uint32_t mark_mask;
	struct nftables_generation generation;
};

enum {
	NFTABLES_PENDING = 1,	/* a result that is no negative errno */
	NFTABLES_OF_NOBODY = -1 /* the owner of a request that belongs to no operation */
};

/* Requests of one transaction, each with the operation that it belongs to. A zeroed one is empty. */
struct nftables_requests {
	struct nl_msg **msgs;
	size_t n, cap;
	int *owners; /* as many */
	size_t n_owners, owners_cap;
};

/* `owner` is the index of an operation. Takes the message; NULL: it cannot be made, which fails. */
void nftables_requests_add(struct nftables_requests *r, int owner, struct nl_msg *msg);
/* Appends the rules of a chain or jump to the chain of that name in nftables. */
void nftables_requests_add_rules(struct nftables_requests *r, int owner,
	const struct nftables_wire *w, const char *chain, const struct fact *f);
/*
 * Sends the requests and empties the list. Gives each operation that is at fault its result, and
 * all of them where nobody's is; returns whether all of it was carried out. Results of operations
 * that count are NFTABLES_PENDING before. `dry`: the kernel checks all and takes nothing.
 */
bool nftables_transact(
	struct nftables_wire *w, struct nftables_requests *r, bool dry, struct op *ops, size_t n);
bool nftables_any_pending(const struct op *ops, size_t n);

/* Reads the members of a set into an empty list. Returns 0, or a negative errno: -ENOENT (there is
 * no such set). */
int nftables_wire_members(
	const struct nftables_wire *w, const struct fact_key *set, struct fact_list *ret);

#endif
