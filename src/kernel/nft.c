// SPDX-License-Identifier: GPL-2.0-or-later
#include "nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "nl.h"

enum { BATCH_MESSAGES = 3 }; /* changes stand between a beginning and an end */

struct table_question {
	int family;
	const char *name;
	bool found;
	int result;
};

static uint8_t nfproto(int family)
{
	return family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static void begin(struct nl_writer *w, uint16_t type, uint16_t flags, int family)
{
	struct nfgenmsg *header = nl_write_begin(
		w, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, sizeof(*header));

	header->nfgen_family = nfproto(family);
}

static void write_list(struct nl_writer *w, void *arg)
{
	const struct table_question *q = arg;

	begin(w, NFT_MSG_GETTABLE, NLM_F_DUMP, q->family);
}

static int read_table(const struct nlmsghdr *msg, void *arg)
{
	static const struct nla_policy policy[NFTA_TABLE_MAX + 1] = {
		[NFTA_TABLE_NAME] = { .type = NLA_STRING },
	};
	const struct nfgenmsg *header = NLMSG_DATA(msg);
	struct nlattr *tb[NFTA_TABLE_MAX + 1];
	struct table_question *q = arg;
	int r = nl_read_attrs(msg, sizeof(struct nfgenmsg), tb, NFTA_TABLE_MAX, policy);

	if (r)
		return r;
	if (header->nfgen_family == nfproto(q->family) && tb[NFTA_TABLE_NAME] &&
		!strcmp(nla_get_string(tb[NFTA_TABLE_NAME]), q->name))
		q->found = true;
	return 0;
}

static void restart(void *arg)
{
	struct table_question *q = arg;

	q->found = false;
}

/* What a kernel answers that has no nf_tables: it knows no such subsystem. */
static bool has_none(int result)
{
	return result == -EINVAL || result == -EOPNOTSUPP;
}

int nft_has_table(int family, const char *name, struct err *err)
{
	struct table_question q = { .family = family, .name = name };
	struct nl_port *port;
	int r = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (r)
		return r;
	r = nl_port_ask(port,
		&(struct nl_question){
			.write = write_list, .reply = read_table, .restart = restart, .arg = &q });
	nl_port_free(port);
	if (r && !has_none(r))
		return err_errno(err, r, "cannot read the tables of nftables");
	return q.found;
}

static void write_batch(struct nl_writer *w, size_t i, void *arg)
{
	static const uint16_t ends[] = { NFNL_MSG_BATCH_BEGIN, 0, NFNL_MSG_BATCH_END };
	const struct table_question *q = arg;
	struct nfgenmsg *header;

	if (ends[i]) {
		header = nl_write_begin(w, ends[i], 0, sizeof(*header));
		header->res_id = htons(NFNL_SUBSYS_NFTABLES);
		return;
	}
	begin(w, NFT_MSG_DELTABLE, 0, q->family);
	nl_write_string(w, NFTA_TABLE_NAME, q->name);
}

static void take_answer(size_t i, int result, void *arg)
{
	struct table_question *q = arg;

	(void)i;
	if (result && !q->result)
		q->result = result;
}

int nft_delete_table(int family, const char *name, struct err *err)
{
	struct table_question q = { .family = family, .name = name };
	struct nl_port *port;
	int r = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (r)
		return r;
	nl_port_batch(port, BATCH_MESSAGES, write_batch, take_answer, &q);
	nl_port_free(port);
	if (q.result && q.result != -ENOENT)
		return err_errno(err, q.result, "cannot delete the nftables table %s", name);
	return 0;
}
