/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_H
#define KERNEL_NFTABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/adapter.h"
#include "core/rule_pool.h"

#define NFTABLES_TABLE "ipvsctl-svc"

/*
 * nf_tables over netlink, in place of ipset and iptables: FACT_SET, FACT_MEMBER, FACT_CHAIN and
 * FACT_JUMP. One table a family, "ipvsctl-svc", has sets with the names of the ipsets, chains with
 * the names of the tables and chains of iptables ("nat-KUBE-SERVICES"), and for the jumps a chain
 * at each hook ("nat-PREROUTING"). Chains are written whole: all that apply() gets of a kind is one
 * transaction, but for members, which are too many.
 *
 * Each rule carries the hash of its fact's rules, and its expressions are compared with what these
 * rules are written as. A chain or jump that differs is observed with another hash.
 *
 * From Linux 6.9 on the daemon owns the table: no other process, not even one of root, can
 * change it while the daemon runs, and `nft flush ruleset` passes it by.
 *
 * The size of a set is not limited, so that OP_SET on a set of the right form does nothing.
 *
 * Results: -ESRCH (no such set), -ENOENT, -EEXIST, -EBUSY (deleting a set or chain that rules refer
 * to), -EPERM (also: another process owns the table), -EOPNOTSUPP (the kernel lacks an expression).
 */

/* `mark_mask` is that of the options. The pool has the rules of all operations, and lives as long as
 * the adapter. Returns 0, -ENOENT (the kernel has no nf_tables), or another errno with words. */
int nftables_new(const struct rule_pool *pool, bool ipv4, bool ipv6, uint32_t mark_mask,
	struct adapter **ret, struct err *err);
/* The table stays. */
void nftables_free(struct adapter *a);

/*
 * Tries whether the kernel takes these facts, of all the adapter's kinds, in this order, and changes
 * nothing; it loads modules. Returns 0, or a negative errno with words: what it lacks.
 */
int nftables_try(struct adapter *a, const struct fact *facts, size_t n, struct err *err);

/*
 * From now on the adapter notices changes that others make to its tables, and owns them. Returns a
 * descriptor of the adapter that is readable when nftables_disturbed() should be called, or a
 * negative errno with words.
 */
int nftables_watch_others(struct adapter *a, struct err *err);
/* Whether others have changed something and have stopped for a moment, so that it should be read
 * again; as iptables_disturbed(). */
bool nftables_disturbed(struct adapter *a, uint64_t now, uint64_t repairs);

/* The reason behind the result of a failed operation; NULL: the errno says it all. */
const char *nftables_explain(const struct op *op);

#endif
