// SPDX-License-Identifier: GPL-2.0-or-later
#include "link_rule_msg.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

/*
 * The kernel identifies a rule by everything that the request names (rule_exists(), rule_find()).
 * The deletion names the same as the addition, so that it cannot meet a shorter rule of others.
 */
struct nl_msg *link_rule_msg_op(const struct op *op)
{
	const struct fact_key *key = &op->fact.key;
	const struct fib_rule_hdr h = { .family = key->family, .action = FR_ACT_TO_TBL };
	struct nl_msg *msg = op->type == OP_DEL
		? nl_request_new(RTM_DELRULE, 0, &h, sizeof(h))
		: nl_request_new(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h));

	NLA_PUT_U32(msg, FRA_PRIORITY, key->policy_rule.priority);
	NLA_PUT_U32(msg, FRA_FWMARK, key->policy_rule.mark);
	NLA_PUT_U32(msg, FRA_FWMASK, key->policy_rule.mask);
	NLA_PUT_U32(msg, FRA_TABLE, key->policy_rule.table);
	NLA_PUT_U8(msg, FRA_PROTOCOL, LINK_ROUTE_PROTOCOL);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *link_rule_msg_dump(int family)
{
	const struct fib_rule_hdr h = { .family = (uint8_t)family };

	return nl_request_new(RTM_GETRULE, NLM_F_DUMP, &h, sizeof(h));
}

/* The attributes up to FRA_DSCP_MASK of Linux 6.15; those from FRA_IP_PROTO on are selectors. */
enum { RULE_ATTRIBUTE_MAX = 30 };

static bool rule_has_selectors(const struct fib_rule_hdr *h, struct nlattr *const tb[])
{
	static const uint8_t selectors[] = { FRA_SRC, FRA_DST, FRA_IIFNAME, FRA_OIFNAME, FRA_TUN_ID,
		FRA_L3MDEV, FRA_UID_RANGE };

	if (h->src_len || h->dst_len || h->tos)
		return true;
	for (size_t i = 0; i < sizeof(selectors); i++)
		if (tb[selectors[i]])
			return true;
	for (size_t i = FRA_IP_PROTO; i <= RULE_ATTRIBUTE_MAX; i++)
		if (tb[i])
			return true;
	return false;
}

static uint32_t rule_number(const struct nlattr *attr, uint32_t otherwise)
{
	return attr ? nla_get_u32(attr) : otherwise;
}

int link_read_rule(struct nlmsghdr *msg, struct link_rule *ret)
{
	static const struct nla_policy policy[RULE_ATTRIBUTE_MAX + 1] = {
		[FRA_PRIORITY] = { .type = NLA_U32 },
		[FRA_FWMARK] = { .type = NLA_U32 },
		[FRA_FWMASK] = { .type = NLA_U32 },
		[FRA_TABLE] = { .type = NLA_U32 },
		[FRA_SUPPRESS_PREFIXLEN] = { .type = NLA_U32 },
		[FRA_PROTOCOL] = { .type = NLA_U8 },
	};
	struct nlattr *tb[RULE_ATTRIBUTE_MAX + 1];
	const struct fib_rule_hdr *h = nlmsg_data(msg);
	struct link_rule rule;
	bool suppresses;

	if (nlmsg_parse(msg, sizeof(*h), tb, RULE_ATTRIBUTE_MAX, policy))
		return -EBADMSG;
	if ((h->family != AF_INET && h->family != AF_INET6) || h->action == FR_ACT_GOTO ||
		h->action == FR_ACT_NOP)
		return 0;
	rule = (struct link_rule){
		.family = h->family,
		.priority = rule_number(tb[FRA_PRIORITY], 0),
		.mark = rule_number(tb[FRA_FWMARK], 0),
		.mask = rule_number(tb[FRA_FWMASK], 0),
		.table = h->action == FR_ACT_TO_TBL ? rule_number(tb[FRA_TABLE], h->table) : 0,
		.selectors = rule_has_selectors(h, tb),
		.inverted = h->flags & FIB_RULE_INVERT,
	};
	/* The kernel always names the length of prefix; UINT32_MAX is none. */
	suppresses = tb[FRA_SUPPRESS_IFGROUP] ||
		rule_number(tb[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX) != UINT32_MAX;
	rule.ours = tb[FRA_PROTOCOL] && nla_get_u8(tb[FRA_PROTOCOL]) == LINK_ROUTE_PROTOCOL &&
		rule.table && rule.mark && !rule.selectors && !rule.inverted && !suppresses &&
		!tb[FRA_FLOW];
	*ret = rule;
	return 1;
}

bool link_rule_fact(const struct link_rule *rule, struct fact *ret)
{
	if (rule->ours)
		*ret = fact_policy_rule(
			rule->family, rule->priority, rule->mark, rule->mask, rule->table);
	return rule->ours;
}

/* A rule has no value, so OP_SET makes sure that it exists. */
int link_rule_result(const struct op *op, int answer)
{
	return op->type == OP_SET && answer == -EEXIST ? 0 : answer;
}
