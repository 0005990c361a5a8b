/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_RULE_H
#define KERNEL_NFTABLES_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rule.h"
#include "nl.h"

/*
 * Rules as expressions of nf_tables: NFTA_RULE_EXPRESSIONS. What iptables and nf_tables do
 * differently is settled here:
 *
 * 1. ACCEPT in table nat ends iptables' chain, so that no later rule there translates the packet.
 *    In nf_tables other tables would still be asked, so the destination is translated to itself:
 *    who translates first is the last to do so (nf_nat_inet_fn()).
 * 2. A mark from a map replaces the whole mark, because nf_tables cannot combine it with a map's
 *    value before Linux 6.13. It does so only where no other bit is set.
 */

struct nftables_dialect {
	int family;
	enum table table;   /* in which the chain is */
	uint32_t mark_mask; /* struct options: the bits of marks in maps */
};

/* Appends the attribute. Returns 0, -EOPNOTSUPP (nf_tables cannot express it here), or -EMSGSIZE. */
int nftables_rule_put(
	struct nl_msg *msg, const struct nftables_dialect *d, const struct rule *rule);

/* The name of the chain in our table: "nat-KUBE-SERVICES". */
enum { NFTABLES_CHAIN_LEN = CHAIN_NAME_LEN + 8 };
const char *nftables_chain_name(
	enum table table, const char *name, char s[static NFTABLES_CHAIN_LEN + 1]);

/* The chain, as the kernel names it, to which a rule with these NFTA_RULE_EXPRESSIONS jumps or goes;
 * NULL: none. */
const char *nftables_rule_leads_to(struct nlattr *expressions);

/*
 * Whether the kernel has all that was written: each attribute of `written`, with the same value.
 * The kernel may tell more: newer ones know more attributes. Both are NFTA_RULE_EXPRESSIONS.
 */
bool nftables_rule_holds(struct nlattr *written, struct nlattr *told);

#endif
