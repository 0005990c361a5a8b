// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/rule_text.h"

#include <netinet/in.h>

#include "kernel/iptables_text.h"
#include "kernel/nftables.h"
#include "kernel/nftables_text.h"

void rule_text_print_chain(
	struct buf *b, const struct node_view *view, enum table table, const char *chain)
{
	if (node_view_on_nftables(view))
		nftables_print_chain(b, table, chain);
	else
		buf_adds(b, chain);
}

void rule_text_print(struct buf *b, const struct node_view *view, int family, enum table table,
	const char *chain, const struct rule *rule)
{
	if (!node_view_on_nftables(view)) {
		iptables_print_rule(b, family, chain, rule);
		return;
	}
	buf_addf(b, "add rule %s " NFTABLES_TABLE " ", family == AF_INET6 ? "ip6" : "ip");
	nftables_print_chain(b, table, chain);
	buf_addc(b, ' ');
	nftables_print_rule(b, family, table, view->options->mark_mask, rule);
}
