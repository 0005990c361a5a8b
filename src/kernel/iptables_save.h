/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_SAVE_H
#define KERNEL_IPTABLES_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "core/fact.h"
#include "core/resolve.h"
#include "kernel/leftovers.h"

/* What iptables-save told of one family, as far as it is ours. A zeroed one is empty and ready. */
struct saved {
	int family;
	struct map chains; /* of struct saved_chain */
	/* Of the tree of iptables_tree.h, which is no FACT_CHAIN: */
	struct map tree;	   /* of struct saved_chain, with keys of FACT_CHAIN */
	struct fact_list dispatch; /* the entries of its leaves as they stand there */
	bool tree_used;		   /* KUBE-SERVICES leads to it */
	struct leftovers left;	   /* chains of kube-proxy that are none of ours */
};

/* A chain of ours, or all rules of one built-in chain that lead to one chain of ours. */
struct saved_chain {
	struct map_node by_key;
	struct fact_key key; /* of FACT_CHAIN, FACT_JUMP */
	uint64_t hash;	     /* text_hash() of the rules, each brought into the form of 1.8.9 */
	struct buf literal;  /* of a jump: what stands behind "-A HOOK" as it was told, in lines */
};

/* Adds what is ours of the output for one table. Returns 0, or -EPROTO with words: it is no whole
 * table. */
int saved_add(struct saved *s, enum table table, const char *text, struct err *err);
/* NULL: it is not there. */
const struct saved_chain *saved_find(const struct saved *s, const struct fact_key *key);
void saved_done(struct saved *s);
/* Forgets all but the jumps. */
void saved_keep_jumps(struct saved *s);

/* The chain or target that a rule leads to; "" where it has none, or one with a longer name. */
void saved_target(const char *rule, size_t len, char ret[static CHAIN_NAME_LEN + 1]);

/*
 * Appends the rule in the form in which iptables 1.8.9 prints it, with a newline: one blank between
 * words; quotes only where they are needed; names of protocols; lengths of prefixes; marks in
 * hexadecimal with their mask where it is not the default; REJECT with what it rejects with.
 */
void saved_normalise(const char *rule, size_t len, int family, struct buf *ret);

#endif
