// SPDX-License-Identifier: GPL-2.0-or-later
#include "nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "nl.h"

struct nft_table {
	int family;
	const char *name;
	size_t found; /* 0 or more */
	int result;   /* of deleting it */
};

static int take_table(struct nlmsghdr *msg, void *arg)
{
	static const struct nla_policy policy[NFTA_TABLE_MAX + 1] = {
		[NFTA_TABLE_NAME] = { .type = NLA_STRING },
	};
	const struct nfgenmsg *header = nlmsg_data(msg);
	struct nlattr *tb[NFTA_TABLE_MAX + 1];
	struct nft_table *t = arg;

	if (nlmsg_parse(msg, sizeof(*header), tb, NFTA_TABLE_MAX, policy))
		return -EBADMSG;
	if (header->nfgen_family == t->family && tb[NFTA_TABLE_NAME] &&
		!strcmp(nla_get_string(tb[NFTA_TABLE_NAME]), t->name))
		t->found++;
	return 0;
}

int nft_has_table(int family, const char *name, struct err *err)
{
	struct nft_table t = { .family = family, .name = name };
	struct nl_port *port;
	int r = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (r)
		return r;
	r = nl_port_ask(port,
		nl_request_netfilter(
			NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_DUMP, family),
		take_table, &t.found, &t);
	nl_port_free(port);
	/* A kernel without nf_tables knows no such subsystem. */
	if (r && r != -EINVAL && r != -EOPNOTSUPP)
		return err_errno(err, r, "cannot read the tables of nftables");
	return t.found > 0;
}

/* Changes stand between a beginning and an end of a transaction. */
static struct nl_msg *build_transaction(size_t i, void *arg)
{
	static const int ends[] = { NFNL_MSG_BATCH_BEGIN, 0, NFNL_MSG_BATCH_END };
	const struct nfgenmsg of_nftables = { .res_id = htons(NFNL_SUBSYS_NFTABLES) };
	const struct nft_table *t = arg;
	struct nl_msg *msg;

	if (ends[i])
		return nl_request_new(ends[i], 0, &of_nftables, sizeof(of_nftables));
	msg = nl_request_netfilter(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, t->family);
	NLA_PUT_STRING(msg, NFTA_TABLE_NAME, t->name);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

static void take_transaction_result(size_t i, int result, void *arg)
{
	struct nft_table *t = arg;

	(void)i;
	if (result && !t->result)
		t->result = result;
}

int nft_delete_table(int family, const char *name, struct err *err)
{
	enum { BEGIN_DELETE_END = 3 };
	struct nft_table t = { .family = family, .name = name };
	struct nl_port *port;
	int r = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (r)
		return r;
	nl_port_batch(port, BEGIN_DELETE_END, build_transaction, take_transaction_result, &t);
	nl_port_free(port);
	if (t.result && t.result != -ENOENT)
		return err_errno(err, t.result, "cannot delete the nftables table %s", name);
	return 0;
}
