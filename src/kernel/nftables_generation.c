// SPDX-License-Identifier: GPL-2.0-or-later
#include "nftables_generation.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

void nftables_take_generation(struct nlmsghdr *msg, void *arg)
{
	static const struct nla_policy policy[NFTA_GEN_MAX + 1] = {
		[NFTA_GEN_ID] = { .type = NLA_U32 },
	};
	struct nlattr *tb[NFTA_GEN_MAX + 1];
	uint32_t *ret = arg;

	if (msg->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN) ||
		nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_GEN_MAX, policy) ||
		!tb[NFTA_GEN_ID])
		return;
	*ret = ntohl(nla_get_u32(tb[NFTA_GEN_ID]));
}

void nftables_generation_forget(struct nftables_generation *g)
{
	g->number = 0;
}

void nftables_generation_written(struct nftables_generation *g, uint32_t number)
{
	/* The kernel leaves out 0. */
	const uint32_t next = g->number == UINT32_MAX ? 1 : g->number + 1;

	/* Without an answer the next question tells whether the number has grown. */
	if (!g->number || !number)
		return;
	g->number = number == next ? number : 0;
}

static int take_answer(struct nlmsghdr *msg, void *arg)
{
	nftables_take_generation(msg, arg);
	return 0;
}

uint64_t nftables_generation_epoch(struct nftables_generation *g, struct nl_port *port)
{
	uint32_t number = 0;

	if (nl_port_ask(port,
		    nl_request_netfilter(
			    NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_ACK, AF_UNSPEC),
		    take_answer, NULL, &number))
		number = 0;
	if (!number || number != g->number)
		g->epoch++;
	g->number = number;
	return number ? g->epoch : 0;
}
