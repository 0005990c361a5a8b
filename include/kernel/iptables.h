/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_H
#define KERNEL_IPTABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/adapter.h"
#include "core/rule_pool.h"
#include "kernel/leftovers.h"

/*
 * iptables and ip6tables: FACT_CHAIN, FACT_DISPATCH and FACT_JUMP, written by `iptables-restore
 * --noflush`, one run for each batch and family (iptables-nft: for each 1,024 new chains), read
 * back with `iptables-save`. The text of a chain is its rules as iptables-save prints them, each
 * "-A CHAIN ...\n"; that of a jump is its one rule, "-A HOOK
 * ...\n". What iptables prints in another form than iptables 1.8.9 would is brought into that form
 * before it is compared.
 *
 * Dispatch entries stand in a tree of chains under KUBE-DISPATCH and KUBE-NODEPORTS of table nat,
 * which are there as long as KUBE-SERVICES leads to them.
 *
 * Only these and chains that chain_is_ours() of core/resolve.h knows are read, written or deleted,
 * and of the built-in chains only rules whose target is one of them. A jump that stands there
 * twice, or with other conditions, is observed with a text of its own; OP_SET and OP_DEL delete all
 * rules of that built-in chain which lead to the chain. A jump is inserted at the head.
 *
 * Results: -EINVAL (iptables refuses the rules; why is logged once), -EAGAIN (somebody holds the
 * lock), -EPERM, -ETIMEDOUT, -EOPNOTSUPP (the program cannot be run).
 */

struct iptables_info {
	char version[32]; /* "1.8.9" */
	bool nft;	  /* the nf_tables variant, else legacy */
	bool random_fully;
};

/* `pool` must live as long as the adapter. Returns 0, -ENOENT (no such program), or another errno
 * with words. */
int iptables_new(
	const struct rule_pool *pool, bool ipv4, bool ipv6, struct adapter **ret, struct err *err);
void iptables_free(struct adapter *a);

/* From now on the adapter does not wait for iptables: it answers later. Returns a descriptor that
 * is readable when it is worth to ask it again. */
int iptables_watch(struct adapter *a);
/*
 * From now on changes of our rules by others are noticed. Returns a descriptor that is readable
 * when it is worth to ask iptables_disturbed(), or a negative errno with words.
 */
int iptables_watch_others(struct adapter *a, struct err *err);
/*
 * Whether rules should be read again. Told when whoever changes them has stopped for a moment, and
 * where nothing was to be repaired not so often that reading takes much of the time. `repairs`: how
 * many differences were found so far, ever; `now`: in ms.
 */
bool iptables_disturbed(struct adapter *a, uint64_t now, uint64_t repairs);

/* What the result of a failed operation of this adapter means; NULL: no more than the errno says.
 */
const char *iptables_explain(const struct op *op);
const struct iptables_info *iptables_info(const struct adapter *a);

struct iptables_counts {
	uint64_t failures;		    /* to write a batch or a part of it, ever */
	uint64_t written[TABLE_MANGLE + 1]; /* rules in chains of ours, ever, by table */
	size_t tree;			    /* rules in the tree of dispatch entries, now */
};
/* Of a family; zeroed where it is not served. */
struct iptables_counts iptables_counts(const struct adapter *a, int family);
/* Appends the programs of the variant that is not used, where that one has rules for Services, too:
 * "iptables-legacy, ip6tables-legacy". Runs them. */
void iptables_print_mixed(const struct adapter *a, struct buf *b);
/* Adds the chains of kube-proxy that the last dump met and that are not ours. */
void iptables_leftovers(const struct adapter *a, struct leftovers *ret);

#endif
