// SPDX-License-Identifier: GPL-2.0-or-later
#include "nft_gate_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/xt_conntrack.h>

#include "base/mem.h"

enum {
	/* include/net/netfilter/nf_conntrack.h, NF_CT_STATE_BIT(); xt_state has the same. */
	GATE_CT_ESTABLISHED = 1 << 1,
	GATE_CT_NEW = 1 << 3,
	PORTS_END = 4,	   /* of the transport header */
	PROTOCOL_AT_4 = 9, /* struct iphdr */
	PROTOCOL_AT_6 = 6, /* struct ip6_hdr */
	LOOPBACK_INDEX = 1,
};

/* What the registers hold that are compared next. */
enum gate_field {
	FIELD_OTHER,
	FIELD_STATE,
	FIELD_STATUS,
	FIELD_PROTOCOL,
	FIELD_PORT,
	FIELD_INTERFACE,
	FIELD_INTERFACE_INDEX,
};

struct gate_rule {
	struct gate_reader *reader;
	enum gate_field field;
	bool fresh; /* it was not compared yet: another one joins it */
	bool masked;
	uint32_t mask;	  /* that the field was combined with */
	bool conditional; /* it does not mean every packet */
	bool misses;	  /* it means none of the packets */
};

/* The elements of one set, as far as the field's value decides. */
struct gate_elements {
	const struct gate_rule *rule;
	bool verdicts; /* they have verdicts, which count for those that match */
	bool any;      /* some match */
};

static const char *text_of(struct nlattr *a)
{
	const int len = a ? nla_len(a) : 0;

	return len > 0 && !((const char *)nla_data(a))[len - 1] ? nla_data(a) : "";
}

static uint32_t number_of(struct nlattr *a)
{
	return a && nla_len(a) == sizeof(uint32_t) ? ntohl(nla_get_u32(a)) : 0;
}

/* Parses without a policy: lengths are checked where values are read. */
static bool parse_any(struct nlattr *nest, struct nlattr *tb[], int max)
{
	return nest && !nla_parse(tb, max, nla_data(nest), nla_len(nest), NULL);
}

static void load_field(struct gate_rule *rule, enum gate_field field)
{
	const bool has_port = field == FIELD_PORT || (rule->fresh && rule->field == FIELD_PORT);

	rule->field = !rule->fresh ? field : has_port ? FIELD_PORT : FIELD_OTHER;
	rule->fresh = true;
	rule->masked = false;
}

/* Whether the packets can have this value of the field. */
static bool value_meets(const struct gate_rule *rule, const void *value, size_t len)
{
	const struct gate_packets *packets = rule->reader->packets;
	const uint32_t state = packets->replies ? GATE_CT_ESTABLISHED : GATE_CT_NEW;
	char name[IFNAMSIZ + 1] = "";
	const uint8_t *byte = value;
	uint32_t number = 0;

	memcpy(&number, value, len < sizeof(number) ? len : sizeof(number));
	switch (rule->field) {
	case FIELD_STATE:
		return number & state;
	case FIELD_STATUS:
		return packets->translated || number != IPS_DST_NAT;
	case FIELD_PROTOCOL:
		return len &&
			(*byte == IPPROTO_TCP || *byte == IPPROTO_UDP || *byte == IPPROTO_SCTP);
	case FIELD_PORT:
		return false;
	case FIELD_INTERFACE:
		memcpy(name, value, len < IFNAMSIZ ? len : IFNAMSIZ);
		return !gate_is_others_interface(name);
	case FIELD_INTERFACE_INDEX:
		return number != LOOPBACK_INDEX;
	case FIELD_OTHER:
		return true;
	}
	return true;
}

static bool data_meets(const struct gate_rule *rule, struct nlattr *data)
{
	struct nlattr *tb[NFTA_DATA_MAX + 1];

	if (!parse_any(data, tb, NFTA_DATA_MAX) || !tb[NFTA_DATA_VALUE])
		return true;
	return value_meets(
		rule, nla_data(tb[NFTA_DATA_VALUE]), (size_t)nla_len(tb[NFTA_DATA_VALUE]));
}

/* NFTA_DATA_VERDICT. Returns what happens to a packet for which it counts. */
static enum gate_end take_verdict(struct gate_rule *rule, struct nlattr *verdict)
{
	struct nlattr *tb[NFTA_VERDICT_MAX + 1];

	if (!parse_any(verdict, tb, NFTA_VERDICT_MAX) || !tb[NFTA_VERDICT_CODE])
		return GATE_GOES_ON;
	switch ((int32_t)number_of(tb[NFTA_VERDICT_CODE])) {
	case NF_DROP:
		return GATE_DROPS;
	case NF_ACCEPT:
	case NF_QUEUE: /* another program decides */
		rule->reader->accepts |= !rule->misses;
		return GATE_ENDS;
	case NFT_JUMP:
	case NFT_GOTO:
		if (!rule->misses && tb[NFTA_VERDICT_CHAIN])
			rule->reader->follow(text_of(tb[NFTA_VERDICT_CHAIN]), rule->reader->arg);
		return (int32_t)number_of(tb[NFTA_VERDICT_CODE]) == NFT_GOTO ? GATE_ENDS
									     : GATE_GOES_ON;
	case NFT_RETURN:
		return GATE_ENDS;
	default:
		return GATE_GOES_ON;
	}
}

static enum gate_end take_immediate(struct gate_rule *rule, struct nlattr *tb[])
{
	struct nlattr *data[NFTA_DATA_MAX + 1];

	if (number_of(tb[NFTA_IMMEDIATE_DREG]) == NFT_REG_VERDICT &&
		parse_any(tb[NFTA_IMMEDIATE_DATA], data, NFTA_DATA_MAX))
		return take_verdict(rule, data[NFTA_DATA_VERDICT]);
	return GATE_GOES_ON;
}

static void take_payload(struct gate_rule *rule, struct nlattr *tb[])
{
	const uint32_t base = number_of(tb[NFTA_PAYLOAD_BASE]);
	const uint32_t at = number_of(tb[NFTA_PAYLOAD_OFFSET]);
	const uint32_t len = number_of(tb[NFTA_PAYLOAD_LEN]);

	if (tb[NFTA_PAYLOAD_SREG])
		return; /* it writes */
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && at < PORTS_END)
		load_field(rule, FIELD_PORT);
	else if (base == NFT_PAYLOAD_NETWORK_HEADER && len == 1 &&
		(at == PROTOCOL_AT_4 || at == PROTOCOL_AT_6))
		load_field(rule, FIELD_PROTOCOL);
	else
		load_field(rule, FIELD_OTHER);
}

static void take_meta(struct gate_rule *rule, struct nlattr *tb[])
{
	if (tb[NFTA_META_SREG])
		return;
	switch (number_of(tb[NFTA_META_KEY])) {
	case NFT_META_L4PROTO:
		load_field(rule, FIELD_PROTOCOL);
		return;
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
		load_field(rule, FIELD_INTERFACE);
		return;
	case NFT_META_IIF:
	case NFT_META_OIF:
		load_field(rule, FIELD_INTERFACE_INDEX);
		return;
	default:
		load_field(rule, FIELD_OTHER);
		return;
	}
}

static void take_ct(struct gate_rule *rule, struct nlattr *tb[])
{
	const uint32_t key = number_of(tb[NFTA_CT_KEY]);

	if (!tb[NFTA_CT_SREG])
		load_field(rule,
			key == NFT_CT_STATE	       ? FIELD_STATE
				: key == NFT_CT_STATUS ? FIELD_STATUS
						       : FIELD_OTHER);
}

static void take_bitwise(struct gate_rule *rule, struct nlattr *tb[])
{
	struct nlattr *data[NFTA_DATA_MAX + 1];

	rule->masked = true;
	rule->mask = 0;
	if (parse_any(tb[NFTA_BITWISE_MASK], data, NFTA_DATA_MAX) && data[NFTA_DATA_VALUE] &&
		nla_len(data[NFTA_DATA_VALUE]) == sizeof(rule->mask))
		memcpy(&rule->mask, nla_data(data[NFTA_DATA_VALUE]), sizeof(rule->mask));
}

/* "ct state new" is: the state and a mask, not equal to 0. */
static void take_cmp(struct gate_rule *rule, struct nlattr *tb[])
{
	const uint32_t op = number_of(tb[NFTA_CMP_OP]);
	const bool bits = rule->masked &&
		(rule->field == FIELD_STATE || rule->field == FIELD_STATUS) && rule->mask;

	rule->conditional = true;
	rule->fresh = false;
	if (bits && op == NFT_CMP_NEQ)
		rule->misses |= !value_meets(rule, &rule->mask, sizeof(rule->mask));
	else if (bits && rule->field == FIELD_STATE)
		rule->misses |= value_meets(rule, &rule->mask, sizeof(rule->mask));
	else if (rule->field == FIELD_PORT)
		rule->misses |= op != NFT_CMP_NEQ;
	else if (!rule->masked && op == NFT_CMP_EQ)
		rule->misses |= !data_meets(rule, tb[NFTA_CMP_DATA]);
	else if (!rule->masked && op == NFT_CMP_NEQ && rule->field == FIELD_STATE)
		rule->misses |= data_meets(rule, tb[NFTA_CMP_DATA]);
}

static void take_range(struct gate_rule *rule, struct nlattr *tb[])
{
	rule->conditional = true;
	rule->fresh = false;
	rule->misses |= rule->field == FIELD_PORT && number_of(tb[NFTA_RANGE_OP]) == NFT_RANGE_EQ;
}

static void take_element(struct gate_elements *e, struct nlattr *element)
{
	struct gate_rule rule = *e->rule;
	struct nlattr *tb[NFTA_SET_ELEM_MAX + 1], *data[NFTA_DATA_MAX + 1];

	if (!parse_any(element, tb, NFTA_SET_ELEM_MAX) ||
		(number_of(tb[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END) ||
		(tb[NFTA_SET_ELEM_KEY] && !data_meets(&rule, tb[NFTA_SET_ELEM_KEY])))
		return;
	e->any = true;
	if (e->verdicts && parse_any(tb[NFTA_SET_ELEM_DATA], data, NFTA_DATA_MAX))
		take_verdict(&rule, data[NFTA_DATA_VERDICT]);
}

int gate_elements_take(struct gate_elements *elements, struct nlmsghdr *msg)
{
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1], *element;
	int left;

	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_SET_ELEM_LIST_MAX, NULL))
		return -EBADMSG;
	if (!tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	nla_for_each_nested(element, tb[NFTA_SET_ELEM_LIST_ELEMENTS], left)
		take_element(elements, element);
	return 0;
}

static void take_lookup(struct gate_rule *rule, struct nlattr *tb[])
{
	struct gate_elements elements = { .rule = rule };

	rule->conditional = true;
	rule->fresh = false;
	elements.verdicts =
		tb[NFTA_LOOKUP_DREG] && number_of(tb[NFTA_LOOKUP_DREG]) == NFT_REG_VERDICT;
	if (tb[NFTA_LOOKUP_DREG] && !elements.verdicts)
		load_field(rule, FIELD_OTHER); /* the value of a map */
	else if (number_of(tb[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV)
		return;
	else if (rule->field == FIELD_PORT)
		rule->misses = true;
	else if (!rule->misses && (rule->field != FIELD_OTHER || elements.verdicts)) {
		if (rule->reader->ask(text_of(tb[NFTA_LOOKUP_SET]), &elements, rule->reader->arg))
			rule->misses |= !elements.any;
		else if (elements.verdicts)
			rule->reader->accepts = true; /* in doubt */
	}
}

/* A match of iptables. */
static void take_match(struct gate_rule *rule, struct nlattr *tb[])
{
	static const char *const of_ports[] = { "tcp", "udp", "sctp", "multiport", "icmp",
		"icmp6" };
	const struct gate_packets *packets = rule->reader->packets;
	const char *name = text_of(tb[NFTA_MATCH_NAME]);
	const size_t len = tb[NFTA_MATCH_INFO] ? (size_t)nla_len(tb[NFTA_MATCH_INFO]) : 0;
	struct xt_conntrack_mtinfo2 info; /* the beginning of that of revision 3 */
	uint32_t states;

	if (!strcmp(name, "comment"))
		return;
	rule->conditional = true;
	for (size_t i = 0; i < ARRAY_SIZE(of_ports); i++)
		rule->misses |= !strcmp(name, of_ports[i]);
	if (!strcmp(name, "state") && len >= sizeof(states)) {
		memcpy(&states, nla_data(tb[NFTA_MATCH_INFO]), sizeof(states));
		rule->misses |= !(states & (packets->replies ? GATE_CT_ESTABLISHED : GATE_CT_NEW));
	}
	if (strcmp(name, "conntrack") != 0 || number_of(tb[NFTA_MATCH_REV]) < 2 ||
		len < sizeof(info))
		return;
	memcpy(&info, nla_data(tb[NFTA_MATCH_INFO]), sizeof(info));
	if (!(info.match_flags & XT_CONNTRACK_STATE) || (info.invert_flags & XT_CONNTRACK_STATE))
		return;
	rule->misses |=
		!(info.state_mask & (packets->replies ? GATE_CT_ESTABLISHED : GATE_CT_NEW)) &&
		!(packets->translated && info.state_mask & XT_CONNTRACK_STATE_DNAT);
}

static enum gate_end take_expression(struct gate_rule *rule, const char *name, struct nlattr *data)
{
	static const struct {
		const char *name;
		void (*read)(struct gate_rule *rule, struct nlattr *tb[]);
	} known[] = {
		{ "payload", take_payload },
		{ "meta", take_meta },
		{ "ct", take_ct },
		{ "bitwise", take_bitwise },
		{ "cmp", take_cmp },
		{ "range", take_range },
		{ "lookup", take_lookup },
		{ "match", take_match },
	};
	static const char *const harmless[] = { "counter", "log", "notrack", "target" };
	enum { MOST_ATTRIBUTES = 32 };
	struct nlattr *tb[MOST_ATTRIBUTES + 1];

	if (!strcmp(name, "reject"))
		return GATE_DROPS;
	if (!parse_any(data, tb, MOST_ATTRIBUTES)) {
		rule->conditional = true;
		return GATE_GOES_ON;
	}
	if (!strcmp(name, "immediate"))
		return take_immediate(rule, tb);
	/* NFTA_TARGET_NAME */
	if (!strcmp(name, "target") && !strcmp(text_of(tb[NFTA_TARGET_NAME]), "REJECT"))
		return GATE_DROPS;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i].name)) {
			known[i].read(rule, tb);
			return GATE_GOES_ON;
		}
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (!strcmp(name, harmless[i]))
			return GATE_GOES_ON;
	if (!strcmp(name, "queue")) {
		rule->reader->accepts |= !rule->misses;
		return GATE_ENDS;
	}
	load_field(rule, FIELD_OTHER);
	rule->conditional = true;
	return GATE_GOES_ON;
}

enum gate_end gate_read_rule(struct gate_reader *r, struct nlattr *expressions)
{
	struct gate_rule rule = { .reader = r };
	enum gate_end end = GATE_GOES_ON;
	struct nlattr *expression;
	int left;

	if (!expressions)
		return GATE_GOES_ON;
	nla_for_each_nested(expression, expressions, left)
	{
		struct nlattr *tb[NFTA_EXPR_MAX + 1];

		if (end != GATE_GOES_ON || !parse_any(expression, tb, NFTA_EXPR_MAX))
			continue;
		end = take_expression(&rule, text_of(tb[NFTA_EXPR_NAME]), tb[NFTA_EXPR_DATA]);
	}
	return rule.conditional ? GATE_GOES_ON : end;
}
