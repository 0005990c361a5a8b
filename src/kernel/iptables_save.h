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

/* Our part of what iptables-save printed for one family. A zeroed one is empty and ready. */
struct saved {
	int family;
	struct map chains; /* of struct saved_chain */
	/* Of the tree of iptables_tree.h, which is no FACT_CHAIN: */
	struct map tree;	   /* of struct saved_chain, with keys of FACT_CHAIN */
	struct fact_list dispatch; /* the entries of its leaves as they stand there */
	bool tree_used;		   /* KUBE-SERVICES leads to it */
	/* Masks: the tables that are there, and the matches and targets of our rules in them. */
	unsigned tables, matches, targets;
	struct leftovers left; /* chains of kube-proxy that are not ours */
};

/* A chain of ours, or all rules of one built-in chain that lead to one chain of ours. */
struct saved_chain {
	struct map_node by_key;
	struct fact_key key; /* of FACT_CHAIN, FACT_JUMP */
	/* rule_list_hash() of the rules. A rule that iptables_parse_rule() cannot read counts with
	 * the bytes of its text, so that it differs from every rule of ours. */
	uint64_t hash;
	size_t n_rules;
	struct buf literal; /* of a jump: the text behind "-A HOOK ", in lines */
};

/*
 * Where the table begins in the output for several tables, and how long it is; NULL: it is not
 * there, or not whole.
 */
const char *saved_section(const char *text, enum table table, size_t *ret_len);
/*
 * Adds our part of the output for one table. Returns 0, or -EPROTO with words: it is not a whole
 * table.
 */
int saved_add(struct saved *s, enum table table, const char *text, struct err *err);
/* NULL: it is not there. */
const struct saved_chain *saved_find(const struct saved *s, const struct fact_key *key);
void saved_done(struct saved *s);
/* Forgets all but the jumps. */
void saved_keep_jumps(struct saved *s);

#endif
