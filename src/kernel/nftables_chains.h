/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_CHAINS_H
#define KERNEL_NFTABLES_CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/resolve.h"
#include "core/rule_pool.h"
#include "nl.h"

/*
 * The chains of our table as the kernel has them. Each rule carries the hash of all rules of its
 * fact, and its expressions are compared with what the rules of this hash are written as.
 */

/* A chain where a hook enters the table: each of its rules is a jump. */
struct nftables_base {
	int family;
	enum table table;
	enum hook hook;
	bool right;		/* at its hook, with its priority and type */
	bool other;		/* a rule is not as its hash says, or is none of ours */
	struct fact_list jumps; /* each with the hash that it carries, and perhaps one twice */
};

struct nftables_chains {
	struct fact_list chains; /* one that is not as its hash says has nftables_other_hash() */
	struct nftables_base *bases;
	size_t n_bases, bases_cap;
};

/* Reads the chains of one family that could be ours; without a table there are none. Returns 0, or a
 * negative errno. `pool` and `mark_mask` are those of nftables_new(). */
int nftables_chains_read(struct nl_port *port, int family, const struct rule_pool *pool,
	uint32_t mark_mask, struct nftables_chains *ret);
void nftables_chains_done(struct nftables_chains *c);

/* A hash that no rules have in practice, for a chain that is not as its rules' hash says. */
uint64_t nftables_other_hash(uint64_t hash);

#endif
