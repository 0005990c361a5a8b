/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPSET_H
#define KERNEL_IPSET_H

#include "base/err.h"
#include "core/adapter.h"

/*
 * ipsets: FACT_SET and FACT_MEMBER of the sets of core/set.h, written with libipset's session API
 * in aggregated messages, read back with one raw netlink dump a set (libipset prints text and opens
 * /etc/protocols for every element). libipset keeps state of its own for the process: all adapters
 * belong to one thread.
 *
 * A set of ours can differ in the kernel in type, family, size, or in whether its members can have
 * marks (skbinfo). It is then observed with its own value, and without members if its type differs.
 * OP_SET on FACT_SET creates a replacement, copies the members, swaps the two and destroys the old
 * set, so that the rules that refer to it always find one. A set of another type to which rules
 * refer cannot be replaced: -EBUSY.
 *
 * A note is a set of ports of that name; without ports it does not exist.
 *
 * OP_ADD and OP_SET of a member do the same: they give it the mark of its fact.
 *
 * Results of members: -ESRCH (no such set), -EINVAL (the set is of another type or without marks,
 * or an element that ipset refuses), -ENOSPC (full). Results of sets: -EEXIST, -ENOENT, -EBUSY
 * (deleting one that rules refer to), -EOPNOTSUPP (the kernel lacks the type).
 */

/* Returns 0, or a negative errno with words: -EPERM, -ENOENT (the kernel has no ip_set). */
int ipset_new(struct adapter **ret, struct err *err);
void ipset_free(struct adapter *a);

/* The reason behind the result of a failed operation of this adapter; NULL: the errno says it all.
 */
const char *ipset_explain(const struct op *op);

#endif
