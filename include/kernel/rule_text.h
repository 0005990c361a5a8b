/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_RULE_TEXT_H
#define KERNEL_RULE_TEXT_H

#include "base/buf.h"
#include "core/node_view.h"
#include "core/rule.h"

/*
 * Rules for people, in the words of the interface of netfilter that the node uses: what
 * iptables-save or `nft list` calls them.
 */

/* Appends "-A KUBE-SERVICES -j RETURN", or "add rule ip ipvsctl-svc nat-KUBE-SERVICES return". */
void rule_text_print(struct buf *b, const struct node_view *view, int family, enum table table,
	const char *chain, const struct rule *rule);
/* Appends the chain's name: "KUBE-SERVICES", or "nat-KUBE-SERVICES". */
void rule_text_print_chain(
	struct buf *b, const struct node_view *view, enum table table, const char *chain);

#endif
