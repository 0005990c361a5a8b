/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_DISPATCH_H
#define KERNEL_IPTABLES_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "core/adapter.h"
#include "iptables_document.h"
#include "iptables_save.h"

/*
 * The tree of one family in the kernel, see iptables_tree.h: its entries, and the rules of each of
 * its chains. The roots stand, maybe empty, as long as rules of KUBE-SERVICES lead to them, and
 * longer while they have entries. A zeroed tree is empty and ready.
 */
struct dispatch {
	int family;
	struct fact_list entries; /* sorted by tree_cmp() */
	struct map chains;	  /* of struct dispatch_chain: what the kernel has */
	bool sound;		  /* the chains are those of the tree of the entries */
	bool used;		  /* KUBE-SERVICES leads to the roots, which must be there */
	/* What is being written; believed when the kernel has it. */
	bool changing, next_used, next_sound;
	struct fact_list next;
	struct dispatch_change *changes;
	size_t n_changes, cap_changes;
};

/* Makes the tree equal to the one that was read. Sorts s->dispatch, and keeps no pointer to `s`. */
void dispatch_learn(struct dispatch *d, struct saved *s);
/*
 * Calls fn for each entry that connections can reach. Where the tree has anything else, fn is also
 * called for an entry with port 0, which nobody wants: whatever is written next repairs the tree,
 * and a deletion removes the rest.
 */
void dispatch_tell(const struct dispatch *d, dump_fn fn, void *arg);
/* How many rules the tree has, if it is sound. */
size_t dispatch_rules(const struct dispatch *d);

/* Appends to the section of table nat how these operations, all of one type, change the tree. */
void dispatch_change(
	struct dispatch *d, const struct op *const ops[], size_t n, struct document_section *s);
/*
 * The section gives these rules to a chain of table nat that is not one of the tree (NULL: the
 * chain goes): adds the roots that they lead to, and removes empty ones that KUBE-SERVICES leads
 * to no longer.
 */
void dispatch_follow(struct dispatch *d, const char *chain, const struct rule_list *rules,
	struct document_section *s);
/* Ends a dispatch_change() or dispatch_follow(). `written`: the kernel has the document; else the
 * tree stays as it was. */
void dispatch_end(struct dispatch *d, bool written);
void dispatch_done(struct dispatch *d);

#endif
