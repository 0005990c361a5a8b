// SPDX-License-Identifier: GPL-2.0-or-later
#include "nftables_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

enum {
	RULE_MAX = 8192, /* bytes of the request: a rule has at most 8 matches */
	/* Of struct nft_userdata, type-length-value: nft prints the first as the rule's comment, and
	 * does not know the second. */
	USERDATA_COMMENT = 0,
	USERDATA_HASH = 100,
	USERDATA_MAX = 255,
};

struct nl_msg *nftables_msg_new(int message, int flags, int family)
{
	return nl_request_netfilter(NFNL_SUBSYS_NFTABLES << 8 | message, flags, family);
}

struct nl_msg *nftables_msg_end(struct nl_msg *msg, int failed)
{
	if (!failed)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

int nftables_put_number(struct nl_msg *msg, int type, uint32_t value)
{
	return nla_put_u32(msg, type, htonl(value));
}

int nftables_put_table(struct nl_msg *msg)
{
	return nla_put_string(msg, NFTA_TABLE_NAME, NFTABLES_TABLE);
}

struct nl_msg *nftables_msg_of_table(int message, int flags, int family)
{
	struct nl_msg *msg = nftables_msg_new(message, flags, family);

	return nftables_msg_end(msg, nftables_put_table(msg));
}

struct nl_msg *nftables_msg_table(int family, uint32_t flags)
{
	struct nl_msg *msg = nftables_msg_new(NFT_MSG_NEWTABLE, NLM_F_CREATE, family);

	return nftables_msg_end(
		msg, nftables_put_table(msg) || nftables_put_number(msg, NFTA_TABLE_FLAGS, flags));
}

/* Chains and rules */

bool nftables_hook_of(enum table table, enum hook hook, struct nftables_hook *ret)
{
	/*
	 * Beside iptables' chains at the same hook: before them where the first decides (source
	 * NAT, marks that others might clear), and before IPVS (98 in INPUT, -99 in OUTPUT).
	 * "route" looks up a new route when the mark has changed, as iptables' table mangle does.
	 */
	static const struct {
		enum table table;
		enum hook hook;
		struct nftables_hook at;
	} hooks[] = {
		{ TABLE_MANGLE, HOOK_PREROUTING, { "filter", NF_INET_PRE_ROUTING, -149 } },
		{ TABLE_MANGLE, HOOK_INPUT, { "filter", NF_INET_LOCAL_IN, -149 } },
		{ TABLE_MANGLE, HOOK_OUTPUT, { "route", NF_INET_LOCAL_OUT, -149 } },
		{ TABLE_NAT, HOOK_PREROUTING, { "nat", NF_INET_PRE_ROUTING, -101 } },
		{ TABLE_NAT, HOOK_OUTPUT, { "nat", NF_INET_LOCAL_OUT, -101 } },
		{ TABLE_NAT, HOOK_POSTROUTING, { "nat", NF_INET_POST_ROUTING, 99 } },
		{ TABLE_FILTER, HOOK_INPUT, { "filter", NF_INET_LOCAL_IN, -1 } },
		{ TABLE_FILTER, HOOK_FORWARD, { "filter", NF_INET_FORWARD, -1 } },
		{ TABLE_FILTER, HOOK_OUTPUT, { "filter", NF_INET_LOCAL_OUT, -1 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (hooks[i].table == table && hooks[i].hook == hook) {
			*ret = hooks[i].at;
			return true;
		}
	return false;
}

struct nl_msg *nftables_msg_chain(int message, int family, const char *name)
{
	struct nl_msg *msg =
		nftables_msg_new(message, message == NFT_MSG_NEWCHAIN ? NLM_F_CREATE : 0, family);

	return nftables_msg_end(
		msg, nftables_put_table(msg) || nla_put_string(msg, NFTA_CHAIN_NAME, name));
}

struct nl_msg *nftables_msg_base_chain(int family, enum table table, enum hook hook)
{
	char name[NFTABLES_CHAIN_LEN + 1];
	struct nftables_hook at;
	struct nl_msg *msg;
	struct nlattr *nest;

	if (!nftables_hook_of(table, hook, &at))
		return NULL;
	msg = nftables_msg_chain(
		NFT_MSG_NEWCHAIN, family, nftables_chain_name(table, hook_name(hook), name));
	nest = msg ? nla_nest_start(msg, NFTA_CHAIN_HOOK | NLA_F_NESTED) : NULL;
	if (!nest)
		return NULL;
	if (nftables_put_number(msg, NFTA_HOOK_HOOKNUM, at.hook) ||
		nftables_put_number(msg, NFTA_HOOK_PRIORITY, (uint32_t)at.priority) ||
		nla_nest_end(msg, nest) || nla_put_string(msg, NFTA_CHAIN_TYPE, at.type))
		return nftables_msg_end(msg, true);
	return msg;
}

struct nl_msg *nftables_msg_flush(int family, const char *name)
{
	struct nl_msg *msg = nftables_msg_new(NFT_MSG_DELRULE, 0, family);

	return nftables_msg_end(
		msg, nftables_put_table(msg) || nla_put_string(msg, NFTA_RULE_CHAIN, name));
}

static int put_userdata(struct nl_msg *msg, const char *comment, uint64_t hash)
{
	uint8_t data[USERDATA_MAX], *p = data;
	size_t len = comment ? strlen(comment) + 1 : 0;

	if (len > USERDATA_MAX / 2)
		len = 0;
	*p++ = USERDATA_HASH;
	*p++ = sizeof(hash);
	memcpy(p, &hash, sizeof(hash));
	p += sizeof(hash);
	if (len) {
		*p++ = USERDATA_COMMENT;
		*p++ = (uint8_t)len;
		memcpy(p, comment, len);
		p += len;
	}
	return nla_put(msg, NFTA_RULE_USERDATA, (int)(p - data), data);
}

struct nl_msg *nftables_msg_rule(
	const struct nftables_dialect *d, const char *chain, const struct rule *rule, uint64_t hash)
{
	struct nl_msg *msg =
		nftables_msg_new(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, d->family);

	return nftables_msg_end(msg,
		nlmsg_expand(msg, RULE_MAX) || nftables_put_table(msg) ||
			nla_put_string(msg, NFTA_RULE_CHAIN, chain) ||
			nftables_rule_put(msg, d, rule) || put_userdata(msg, rule->comment, hash));
}

/* Answers */

int nftables_read_table(struct nlmsghdr *msg, const char **ret_name, uint32_t *ret_flags)
{
	static const struct nla_policy policy[NFTA_TABLE_MAX + 1] = {
		[NFTA_TABLE_NAME] = { .type = NLA_STRING },
		[NFTA_TABLE_FLAGS] = { .type = NLA_U32 },
	};
	struct nlattr *tb[NFTA_TABLE_MAX + 1];

	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_TABLE_MAX, policy) ||
		!tb[NFTA_TABLE_NAME])
		return -EBADMSG;
	*ret_name = nla_get_string(tb[NFTA_TABLE_NAME]);
	*ret_flags = tb[NFTA_TABLE_FLAGS] ? ntohl(nla_get_u32(tb[NFTA_TABLE_FLAGS])) : 0;
	return 0;
}

int nftables_family_of(struct nlmsghdr *msg)
{
	const struct nfgenmsg *header = nlmsg_data(msg);

	return nlmsg_datalen(msg) < (int)sizeof(*header) ? AF_UNSPEC : header->nfgen_family;
}

bool nftables_is_of_our_table(struct nlattr *table)
{
	return table && !strcmp(nla_get_string(table), NFTABLES_TABLE);
}

int nftables_read_chain(struct nlmsghdr *msg, struct nftables_chain *ret)
{
	static const struct nla_policy policy[NFTA_CHAIN_MAX + 1] = {
		[NFTA_CHAIN_TABLE] = { .type = NLA_STRING },
		[NFTA_CHAIN_NAME] = { .type = NLA_STRING },
		[NFTA_CHAIN_HOOK] = { .type = NLA_NESTED },
		[NFTA_CHAIN_TYPE] = { .type = NLA_STRING },
	};
	static const struct nla_policy hook_policy[NFTA_HOOK_MAX + 1] = {
		[NFTA_HOOK_HOOKNUM] = { .type = NLA_U32 },
		[NFTA_HOOK_PRIORITY] = { .type = NLA_U32 },
	};
	struct nlattr *tb[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];

	*ret = (struct nftables_chain){ .family = nftables_family_of(msg), .type = "" };
	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX, policy) ||
		!tb[NFTA_CHAIN_NAME])
		return -EBADMSG;
	if (!nftables_is_of_our_table(tb[NFTA_CHAIN_TABLE]))
		return 0;
	ret->name = nla_get_string(tb[NFTA_CHAIN_NAME]);
	if (!tb[NFTA_CHAIN_HOOK])
		return 0;
	if (nl_parse_nested(tb[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX, hook_policy) ||
		!hook[NFTA_HOOK_HOOKNUM] || !hook[NFTA_HOOK_PRIORITY])
		return -EBADMSG;
	ret->base = true;
	ret->hook = ntohl(nla_get_u32(hook[NFTA_HOOK_HOOKNUM]));
	ret->priority = (int32_t)ntohl(nla_get_u32(hook[NFTA_HOOK_PRIORITY]));
	if (tb[NFTA_CHAIN_TYPE])
		ret->type = nla_get_string(tb[NFTA_CHAIN_TYPE]);
	return 0;
}

static uint64_t read_hash(struct nlattr *userdata)
{
	const uint8_t *p = nla_data(userdata), *end = p + nla_len(userdata);
	uint64_t hash = 0;

	while (end - p >= 2 && end - p - 2 >= p[1]) {
		if (p[0] == USERDATA_HASH && p[1] == sizeof(hash))
			memcpy(&hash, p + 2, sizeof(hash));
		p += 2 + p[1];
	}
	return hash;
}

int nftables_read_rule(struct nlmsghdr *msg, struct nftables_rule *ret)
{
	static const struct nla_policy policy[NFTA_RULE_MAX + 1] = {
		[NFTA_RULE_TABLE] = { .type = NLA_STRING },
		[NFTA_RULE_CHAIN] = { .type = NLA_STRING },
		[NFTA_RULE_EXPRESSIONS] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[NFTA_RULE_MAX + 1];

	*ret = (struct nftables_rule){ .family = nftables_family_of(msg) };
	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX, policy) ||
		!tb[NFTA_RULE_CHAIN])
		return -EBADMSG;
	if (!nftables_is_of_our_table(tb[NFTA_RULE_TABLE]))
		return 0;
	ret->chain = nla_get_string(tb[NFTA_RULE_CHAIN]);
	ret->expressions = tb[NFTA_RULE_EXPRESSIONS];
	if (tb[NFTA_RULE_USERDATA])
		ret->hash = read_hash(tb[NFTA_RULE_USERDATA]);
	return 0;
}
