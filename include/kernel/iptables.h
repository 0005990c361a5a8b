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
#include "kernel/iptables_gate.h"
#include "kernel/leftovers.h"

/*
 * iptables and ip6tables: FACT_CHAIN, FACT_DISPATCH and FACT_JUMP. `iptables-restore --noflush`
 * writes them, in one run for each batch and family (iptables-nft: for each 1,024 new chains), and
 * `iptables-save` reads them back. A chain or jump is observed with the hash of its rules, which
 * are read as kernel/iptables_text.h says, so that the form in which a version of iptables prints
 * them does not matter.
 *
 * Dispatch entries are a tree of chains under KUBE-DISPATCH and KUBE-PORT-DISPATCH of table nat,
 * which exist as long as KUBE-SERVICES leads to them.
 *
 * The adapter reads, writes and deletes only these and the chains of chain_is_ours(), and in
 * built-in chains only rules whose target is one of them. A jump that is there twice, or with other
 * conditions, is observed with another hash; OP_SET and OP_DEL delete all rules of the built-in
 * chain that lead to the chain. A jump is inserted at the head.
 *
 * Results: -EINVAL (iptables refuses the rules; its words are logged once), -EAGAIN (another
 * program holds the lock), -EPERM, -ETIMEDOUT, a shortage (base/err.h), -EOPNOTSUPP (the
 * program cannot be run).
 */

struct iptables_info {
	char version[32]; /* "1.8.9" */
	bool nft;	  /* the nf_tables variant, else legacy */
	bool random_fully;
};

/* The pool has the rules of all operations, and lives as long as the adapter. Returns 0, -ENOENT
 * (no such program), or another errno with words. */
int iptables_new(
	const struct rule_pool *pool, bool ipv4, bool ipv6, struct adapter **ret, struct err *err);
/*
 * An adapter that can read, and that writes after iptables_use_rules(). *ipv4 and *ipv6 become false
 * where no program of that family can be used; iptables_leave_family() leaves out another one. What
 * it reads now counts at the first audit, unless rules have changed since or nobody can tell.
 * Returns 0, or a shortage (base/err.h); *err has words also where a family is left out.
 */
int iptables_open(bool *ipv4, bool *ipv6, struct adapter **ret, struct err *err);
void iptables_use_rules(struct adapter *a, const struct rule_pool *pool);
void iptables_leave_family(struct adapter *a, int family);
void iptables_free(struct adapter *a);

/* From now on the adapter answers later instead of waiting for iptables. Returns a descriptor of
 * the adapter that is readable when advance() or read_ahead() should be called. */
int iptables_watch(struct adapter *a);
/*
 * From now on the adapter notices changes that others make to our rules. Returns a descriptor of
 * the adapter that is readable when iptables_disturbed() should be called, or a negative errno with
 * words.
 */
int iptables_watch_others(struct adapter *a, struct err *err);
/*
 * Whether others have changed rules and have stopped for a moment, so that rules should be read
 * again. After a false alarm the next alarm waits, so that reading takes at most a tenth of the
 * time. `now` is in ms; `repairs` counts all differences that audits ever found.
 */
bool iptables_disturbed(struct adapter *a, uint64_t now, uint64_t repairs);

/* The programs of a family; NULL: it is not served. */
struct iptables_tool;
const struct iptables_tool *iptables_tool_of(const struct adapter *a, int family);
/* What the last reading of that family has found, as masks: tables, and matches and targets of the
 * rules of our chains. All are 0 if it failed. */
struct iptables_proof {
	unsigned tables, matches, targets;
};
struct iptables_proof iptables_proof(const struct adapter *a, int family);

/* The reason behind the result of a failed operation of this adapter; NULL: the errno says it all.
 */
const char *iptables_explain(const struct op *op);
const struct iptables_info *iptables_info(const struct adapter *a);

/* The gate at HOOK_FORWARD or HOOK_OUTPUT of table filter, as of the last reading. */
enum gate iptables_gate(const struct adapter *a, int family, enum hook hook);

struct iptables_counts {
	uint64_t failures;		    /* to write a batch or a part of it, ever */
	uint64_t written[TABLE_MANGLE + 1]; /* rules in chains of ours, ever, by table */
	size_t tree;			    /* rules in the tree of dispatch entries, now */
};
/* The counts of a family. All are 0 if it is not served, or if the adapter is NULL. */
struct iptables_counts iptables_counts(const struct adapter *a, int family);
/* Appends the names of the other variant's programs, if that variant has rules for Services, too:
 * "iptables-legacy, ip6tables-legacy". Runs these programs. Nothing for NULL. */
void iptables_print_mixed(const struct adapter *a, struct buf *b);
/* Adds the chains of kube-proxy that the last dump found and that are not ours. Nothing for NULL. */
void iptables_leftovers(const struct adapter *a, struct leftovers *ret);

#endif
