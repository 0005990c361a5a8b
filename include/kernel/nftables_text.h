/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_TEXT_H
#define KERNEL_NFTABLES_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/fact.h"
#include "core/rule.h"

/*
 * What the adapter of nftables writes, as text for people. `nft -f` reads it, except for the rules
 * that only the nftables backend has (core/resolve_nftables.c): nft has no words for these.
 */

/* Appends a rule of a chain of that table of iptables, without the chain. `mark_mask` is that of the
 * options. What nf_tables cannot express is left out: only the iptables backend uses it. */
void nftables_print_rule(
	struct buf *b, int family, enum table table, uint32_t mark_mask, const struct rule *rule);
/* Appends "nat-KUBE-SERVICES". */
void nftables_print_chain(struct buf *b, enum table table, const char *chain);
/* Appends "ipv4_addr . inet_proto . inet_service"; of a map with ": mark". */
void nftables_print_set_type(struct buf *b, const struct fact_key *set);
/* Appends an element of a set: "10.96.0.10 . tcp . 80"; of a map with its value. */
void nftables_print_element(struct buf *b, const struct fact *member);
/* How the chain at a hook of iptables is entered: "nat", "prerouting", -101. false: there is none. */
bool nftables_base_chain(enum table table, enum hook hook, const char **ret_type,
	const char **ret_hook, int *ret_priority);

#endif
