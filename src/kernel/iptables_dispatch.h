/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_DISPATCH_H
#define KERNEL_IPTABLES_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/map.h"
#include "core/adapter.h"
#include "iptables_save.h"

/*
 * The tree of one family in the kernel, see iptables_tree.h: which entries it has, and which rules
 * each of its chains. A zeroed one is empty and ready.
 */
struct dispatch {
	int family;
	struct fact_list entries; /* sorted by tree_cmp() */
	struct map chains;	  /* of struct dispatch_chain: what the kernel has */
	bool sound;		  /* the chains are those of the tree of the entries */
	bool used;		  /* KUBE-SERVICES leads to the roots, which must be there */
	/* What is being written; believed when the kernel has it. */
	bool changing, next_used;
	struct fact_list next;
	struct dispatch_change *changes;
	size_t n_changes, cap_changes;
};

/* Takes over what was read. */
void dispatch_learn(struct dispatch *d, struct saved *s);
/* Tells the entries that connections can reach, and, where the tree has anything else, an entry
 * for port 0, which nobody wants: whatever is written next puts that right. */
void dispatch_tell(const struct dispatch *d, dump_fn fn, void *arg);
/* How many rules the tree has, if it is sound. */
size_t dispatch_rules(const struct dispatch *d);

/* Appends to the sections of table nat what the operations, all of one type, make of the tree. */
void dispatch_change(struct dispatch *d, const struct op *const ops[], size_t n,
	struct buf *headers, struct buf *rules, struct buf *deletions);
/* A chain gets these rules: the root that they lead to must be there, though KUBE-SERVICES, which
 * stands already, may get its rules later. */
void dispatch_lead(struct dispatch *d, const struct rule_list *rules, struct buf *headers);
/* KUBE-SERVICES gets these rules (NULL: it goes): the roots must be there, or may go. */
void dispatch_use(struct dispatch *d, const struct rule_list *rules, struct buf *headers,
	struct buf *deletions);
/* Ends what one of these two began: whether the kernel has the document. */
void dispatch_end(struct dispatch *d, bool written);
void dispatch_done(struct dispatch *d);

#endif
