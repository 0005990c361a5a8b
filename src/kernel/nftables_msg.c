// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes of nf_tables are in network order, all but marks, which the kernel compares as it has
 * them. Sets get no size: with one, the kernel would allocate buckets for all of it at once
 * (nft_select_set_ops()).
 */
#include "nftables_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

enum {
	WORD = 4,
	KEY_MAX = 64,
	RULE_MAX = 8192, /* bytes of the request: a rule has at most 8 matches */
	/* Of struct nft_userdata, type-length-value: nft prints the first as the rule's comment, and
	 * does not know the second. */
	USERDATA_COMMENT = 0,
	USERDATA_HASH = 100,
	USERDATA_MAX = 255,
	/* For `nft list`: enum datatypes of nftables. A concatenation has 6 bits for each. */
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_PROTOCOL = 12,
	TYPE_PORT = 13,
	TYPE_MARK = 19,
	TYPE_BITS = 6,
	NOTE_ID = SET_COUNT + 1, /* within a transaction */
};

static struct nl_msg *msg_new(int message, int flags, int family)
{
	return nl_request_netfilter(NFNL_SUBSYS_NFTABLES << 8 | message, flags, family);
}

/* Frees a message that is not whole. */
static struct nl_msg *msg_end(struct nl_msg *msg, int failed)
{
	if (!failed)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int put_number(struct nl_msg *msg, int type, uint32_t value)
{
	return nla_put_u32(msg, type, htonl(value));
}

/* All messages name the table first, by the attribute 1 (NFTA_TABLE_NAME, NFTA_SET_TABLE, ...). */
static int put_table(struct nl_msg *msg)
{
	return nla_put_string(msg, NFTA_TABLE_NAME, NFTABLES_TABLE);
}

struct nl_msg *nftables_msg_of_table(int message, int flags, int family)
{
	struct nl_msg *msg = msg_new(message, flags, family);

	return msg_end(msg, put_table(msg));
}

struct nl_msg *nftables_msg_table(int family, uint32_t flags)
{
	struct nl_msg *msg = msg_new(NFT_MSG_NEWTABLE, NLM_F_CREATE, family);

	return msg_end(msg, put_table(msg) || put_number(msg, NFTA_TABLE_FLAGS, flags));
}

/* Sets */

struct set_fields {
	uint8_t len[4]; /* bytes, without padding */
	uint32_t type[4];
	size_t n;
	uint32_t key_len; /* with padding */
	uint32_t key_type;
};

static size_t padded(size_t len)
{
	return (len + WORD - 1) / WORD * WORD;
}

static struct set_fields fields_of(const struct fact_key *set)
{
	const uint8_t address = set->family == AF_INET6 ? 16 : 4;
	const uint32_t type = set->family == AF_INET6 ? TYPE_IPV6 : TYPE_IPV4;
	struct set_fields f = { { address, 1, 2, address },
		{ type, TYPE_PROTOCOL, TYPE_PORT, type }, .n = 4 };

	switch (set_info(set->set)->type) {
	case SET_TYPE_BITMAP_PORT:
		return (struct set_fields){ { 2 }, { TYPE_PORT }, 1, 2, TYPE_PORT };
	case SET_TYPE_HASH_IP:
		f.n = 1;
		break;
	case SET_TYPE_HASH_IP_PORT:
		f.n = 3;
		break;
	case SET_TYPE_HASH_IP_PORT_IP:
	case SET_TYPE_HASH_IP_PORT_NET:
		break;
	}
	for (size_t i = 0; i < f.n; i++) {
		f.key_len += (uint32_t)padded(f.len[i]);
		f.key_type = f.key_type << TYPE_BITS | f.type[i];
	}
	return f;
}

static bool has_ranges(enum set_id set)
{
	return set_info(set)->type == SET_TYPE_HASH_IP_PORT_NET;
}

static uint32_t flags_of(enum set_id set)
{
	if (has_ranges(set))
		return NFT_SET_INTERVAL | NFT_SET_CONCAT;
	return set_info(set)->marks ? NFT_SET_MAP : 0;
}

static int put_description(struct nl_msg *msg, const struct set_fields *f)
{
	struct nlattr *description = nla_nest_start(msg, NFTA_SET_DESC), *fields, *field;
	int failed = !description;

	fields = failed ? NULL : nla_nest_start(msg, NFTA_SET_DESC_CONCAT);
	failed = !fields;
	for (size_t i = 0; !failed && i < f->n; i++) {
		field = nla_nest_start(msg, NFTA_LIST_ELEM);
		failed = !field || put_number(msg, NFTA_SET_FIELD_LEN, f->len[i]);
		if (!failed)
			nla_nest_end(msg, field);
	}
	if (failed)
		return failed;
	nla_nest_end(msg, fields);
	return nla_nest_end(msg, description);
}

static int put_set_name(struct nl_msg *msg, int type, const struct fact_key *set)
{
	char name[SET_NAME_LEN + 1];

	return nla_put_string(msg, type, set_name(set->set, set->family, name));
}

struct nl_msg *nftables_msg_set(int message, const struct fact_key *set)
{
	const bool new = message == NFT_MSG_NEWSET;
	const struct set_fields f = fields_of(set);
	struct nl_msg *msg = msg_new(message, new ? NLM_F_CREATE | NLM_F_EXCL : 0, set->family);
	int failed = put_table(msg) || put_set_name(msg, NFTA_SET_NAME, set);

	if (!new)
		return msg_end(msg, failed);
	failed = failed || put_number(msg, NFTA_SET_ID, set->set + 1u) ||
		put_number(msg, NFTA_SET_FLAGS, flags_of(set->set)) ||
		put_number(msg, NFTA_SET_KEY_TYPE, f.key_type) ||
		put_number(msg, NFTA_SET_KEY_LEN, f.key_len);
	if (set_info(set->set)->marks)
		failed = failed || put_number(msg, NFTA_SET_DATA_TYPE, TYPE_MARK) ||
			put_number(msg, NFTA_SET_DATA_LEN, sizeof(uint32_t));
	if (has_ranges(set->set))
		failed = failed || put_description(msg, &f);
	return msg_end(msg, failed);
}

struct nl_msg *nftables_msg_members(const struct fact_key *set)
{
	struct nl_msg *msg = msg_new(NFT_MSG_GETSETELEM, NLM_F_DUMP, set->family);

	return msg_end(msg, put_table(msg) || put_set_name(msg, NFTA_SET_ELEM_LIST_SET, set));
}

static int put_value(struct nl_msg *msg, int type, const void *value, uint32_t len)
{
	struct nlattr *nest = nla_nest_start(msg, type);

	if (!nest || nla_put(msg, NFTA_DATA_VALUE, (int)len, value))
		return -EMSGSIZE;
	return nla_nest_end(msg, nest);
}

/* A key, or the first and the last one of a range; `mark` may be NULL. */
static int put_element(
	struct nl_msg *msg, const void *key, const void *last, uint32_t len, const uint32_t *mark)
{
	struct nlattr *list = nla_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS), *element;

	element = list ? nla_nest_start(msg, NFTA_LIST_ELEM) : NULL;
	if (!element || put_value(msg, NFTA_SET_ELEM_KEY, key, len) ||
		(last && put_value(msg, NFTA_SET_ELEM_KEY_END, last, len)) ||
		(mark && put_value(msg, NFTA_SET_ELEM_DATA, mark, sizeof(*mark))))
		return -EMSGSIZE;
	nla_nest_end(msg, element);
	return nla_nest_end(msg, list);
}

/* Notes */

struct nl_msg *nftables_msg_note(int message, int flags, int family, const char *name)
{
	const bool new = message == NFT_MSG_NEWSET;
	struct nl_msg *msg = msg_new(message, flags | (new ? NLM_F_CREATE : 0), family);

	/* NFTA_SET_NAME is NFTA_SET_ELEM_LIST_SET: without elements, all are meant. */
	return msg_end(msg,
		put_table(msg) || nla_put_string(msg, NFTA_SET_NAME, name) ||
			(new &&
				(put_number(msg, NFTA_SET_ID, NOTE_ID) ||
					put_number(msg, NFTA_SET_KEY_TYPE, TYPE_PORT) ||
					put_number(msg, NFTA_SET_KEY_LEN, sizeof(uint16_t)))));
}

struct nl_msg *nftables_msg_noted(int family, const char *name, uint16_t port)
{
	struct nl_msg *msg = msg_new(NFT_MSG_NEWSETELEM, NLM_F_CREATE, family);
	const uint16_t key = htons(port);

	return msg_end(msg,
		put_table(msg) || nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, name) ||
			put_element(msg, &key, NULL, sizeof(key), NULL));
}

/* Members */

/* A key in the form of the kernel; of a range its first one or its `last`. */
static void write_key(const struct fact_key *k, bool last, uint8_t ret[static KEY_MAX])
{
	const struct set_fields f = fields_of(k);
	const uint16_t port = htons(k->port);
	const void *values[4] = { k->addr, &k->proto, &port, k->addr2 };

	memset(ret, 0, KEY_MAX);
	if (f.n == 1 && f.key_len < WORD)
		values[0] = &port;
	for (size_t i = 0; i < f.n; i++) {
		memcpy(ret, values[i], f.len[i]);
		if (i == 3 && last)
			for (unsigned bit = k->port2; bit < f.len[i] * 8u; bit++)
				ret[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
		ret += padded(f.len[i]);
	}
}

struct nl_msg *nftables_msg_member(int message, const struct fact *f)
{
	const bool new = message == NFT_MSG_NEWSETELEM;
	const uint32_t len = fields_of(&f->key).key_len;
	struct nl_msg *msg = msg_new(message, new ? NLM_F_CREATE : 0, f->key.family);
	uint8_t key[KEY_MAX], last[KEY_MAX];

	write_key(&f->key, false, key);
	write_key(&f->key, true, last);
	return msg_end(msg,
		put_table(msg) || put_set_name(msg, NFTA_SET_ELEM_LIST_SET, &f->key) ||
			put_element(msg, key, has_ranges(f->key.set) ? last : NULL, len,
				set_info(f->key.set)->marks && new ? &f->val.member.mark : NULL));
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
		msg_new(message, message == NFT_MSG_NEWCHAIN ? NLM_F_CREATE : 0, family);

	return msg_end(msg, put_table(msg) || nla_put_string(msg, NFTA_CHAIN_NAME, name));
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
	nest = msg ? nla_nest_start(msg, NFTA_CHAIN_HOOK) : NULL;
	if (!nest)
		return NULL;
	if (put_number(msg, NFTA_HOOK_HOOKNUM, at.hook) ||
		put_number(msg, NFTA_HOOK_PRIORITY, (uint32_t)at.priority) ||
		nla_nest_end(msg, nest) || nla_put_string(msg, NFTA_CHAIN_TYPE, at.type))
		return msg_end(msg, true);
	return msg;
}

struct nl_msg *nftables_msg_flush(int family, const char *name)
{
	struct nl_msg *msg = msg_new(NFT_MSG_DELRULE, 0, family);

	return msg_end(msg, put_table(msg) || nla_put_string(msg, NFTA_RULE_CHAIN, name));
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
	struct nl_msg *msg = msg_new(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, d->family);

	return msg_end(msg,
		nlmsg_expand(msg, RULE_MAX) || put_table(msg) ||
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

static int family_of(struct nlmsghdr *msg)
{
	const struct nfgenmsg *header = nlmsg_data(msg);

	return nlmsg_datalen(msg) < (int)sizeof(*header) ? AF_UNSPEC : header->nfgen_family;
}

/* Dumps tell about all tables where the kernel does not filter. */
static bool is_of_our_table(struct nlattr *table)
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

	*ret = (struct nftables_chain){ .family = family_of(msg), .type = "" };
	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX, policy) ||
		!tb[NFTA_CHAIN_NAME])
		return -EBADMSG;
	if (!is_of_our_table(tb[NFTA_CHAIN_TABLE]))
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

	*ret = (struct nftables_rule){ .family = family_of(msg) };
	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX, policy) ||
		!tb[NFTA_RULE_CHAIN])
		return -EBADMSG;
	if (!is_of_our_table(tb[NFTA_RULE_TABLE]))
		return 0;
	ret->chain = nla_get_string(tb[NFTA_RULE_CHAIN]);
	ret->expressions = tb[NFTA_RULE_EXPRESSIONS];
	if (tb[NFTA_RULE_USERDATA])
		ret->hash = read_hash(tb[NFTA_RULE_USERDATA]);
	return 0;
}

int nftables_read_set(struct nlmsghdr *msg, struct fact *ret)
{
	static const struct nla_policy policy[NFTA_SET_MAX + 1] = {
		[NFTA_SET_TABLE] = { .type = NLA_STRING },
		[NFTA_SET_NAME] = { .type = NLA_STRING },
		[NFTA_SET_FLAGS] = { .type = NLA_U32 },
		[NFTA_SET_KEY_LEN] = { .type = NLA_U32 },
		[NFTA_SET_DATA_LEN] = { .type = NLA_U32 },
	};
	struct nlattr *tb[NFTA_SET_MAX + 1];
	uint32_t flags, len, data;
	enum set_id id;
	int family;

	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_SET_MAX, policy) ||
		!tb[NFTA_SET_NAME] || !tb[NFTA_SET_KEY_LEN])
		return -EBADMSG;
	if (!is_of_our_table(tb[NFTA_SET_TABLE]) ||
		!set_by_name(nla_get_string(tb[NFTA_SET_NAME]), &id, &family) ||
		family != family_of(msg))
		return 0;
	*ret = fact_set(id, family);
	flags = tb[NFTA_SET_FLAGS] ? ntohl(nla_get_u32(tb[NFTA_SET_FLAGS])) : 0;
	len = ntohl(nla_get_u32(tb[NFTA_SET_KEY_LEN]));
	data = tb[NFTA_SET_DATA_LEN] ? ntohl(nla_get_u32(tb[NFTA_SET_DATA_LEN])) : 0;
	if (len != fields_of(&ret->key).key_len || flags != flags_of(id) ||
		data != (set_info(id)->marks ? sizeof(uint32_t) : 0))
		ret->val.set.marks = UINT32_MAX;
	return 1;
}

int nftables_read_note(struct nlmsghdr *msg, struct port_set *ret)
{
	struct nlattr *list, *element, *key, *value;
	uint16_t port;
	int left;

	list = nlmsg_find_attr(msg, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
	if (!list)
		return 0;
	nla_for_each_nested(element, list, left)
	{
		key = nla_find(nla_data(element), nla_len(element), NFTA_SET_ELEM_KEY);
		value = key ? nla_find(nla_data(key), nla_len(key), NFTA_DATA_VALUE) : NULL;
		if (!value || nla_len(value) != sizeof(port))
			return -EBADMSG;
		memcpy(&port, nla_data(value), sizeof(port));
		port_set_add(ret, ntohs(port));
	}
	return 0;
}

int nftables_read_any_set(struct nlmsghdr *msg)
{
	struct nlattr *table = nlmsg_find_attr(msg, sizeof(struct nfgenmsg), NFTA_SET_TABLE);

	return table && !nla_strcmp(table, NFTABLES_TABLE);
}

/* How many bits two addresses have in common at their beginning. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned n)
{
	unsigned bit = 0;

	while (bit < n && !((a[bit / 8] ^ b[bit / 8]) & 0x80u >> bit % 8))
		bit++;
	return bit;
}

/* false: it is no key that write_key() makes. */
static bool read_key(
	const struct fact_key *set, const uint8_t *key, const uint8_t *last, struct fact_key *ret)
{
	const struct set_fields f = fields_of(set);
	uint8_t again[KEY_MAX];
	uint16_t port;

	*ret = (struct fact_key){ .kind = FACT_MEMBER, .family = set->family, .set = set->set };
	if (f.key_len < WORD) {
		memcpy(&port, key, sizeof(port));
		ret->port = ntohs(port);
		return true;
	}
	memcpy(ret->addr, key, f.len[0]);
	if (f.n > 1) {
		const uint8_t *protocol = key + f.len[0];

		ret->proto = *protocol;
		memcpy(&port, protocol + WORD, sizeof(port));
		ret->port = ntohs(port);
		if (f.n > 3) {
			const uint8_t *second = protocol + (size_t)2 * WORD;

			memcpy(ret->addr2, second, f.len[3]);
			if (has_ranges(set->set))
				ret->port2 = (uint16_t)common_bits(
					second, last + (second - key), f.len[3] * 8u);
		}
	}
	write_key(ret, false, again);
	if (memcmp(again, key, f.key_len) != 0)
		return false;
	write_key(ret, true, again);
	return !has_ranges(set->set) || !memcmp(again, last, f.key_len);
}

/* The bytes of a nested NFTA_DATA_VALUE of that length, or NULL. */
static const uint8_t *read_value(struct nlattr *nest, uint32_t len)
{
	static const struct nla_policy policy[NFTA_DATA_MAX + 1];
	struct nlattr *tb[NFTA_DATA_MAX + 1];

	if (nl_parse_nested(nest, tb, NFTA_DATA_MAX, policy) || !tb[NFTA_DATA_VALUE] ||
		nla_len(tb[NFTA_DATA_VALUE]) != (int)len)
		return NULL;
	return nla_data(tb[NFTA_DATA_VALUE]);
}

static bool read_member(
	struct nlattr *element, const struct fact_key *set, uint32_t mark_mask, struct fact *ret)
{
	static const struct nla_policy policy[NFTA_SET_ELEM_MAX + 1];
	const uint32_t len = fields_of(set).key_len;
	struct nlattr *tb[NFTA_SET_ELEM_MAX + 1];
	const uint8_t *key, *last, *mark;

	if (nla_parse_nested(tb, NFTA_SET_ELEM_MAX, element, policy) || !tb[NFTA_SET_ELEM_KEY])
		return false;
	key = read_value(tb[NFTA_SET_ELEM_KEY], len);
	/* A single address has no end. */
	last = tb[NFTA_SET_ELEM_KEY_END] ? read_value(tb[NFTA_SET_ELEM_KEY_END], len) : key;
	*ret = (struct fact){ 0 };
	if (!key || !last || !read_key(set, key, last, &ret->key))
		return false;
	if (!set_info(set->set)->marks)
		return true;
	mark = tb[NFTA_SET_ELEM_DATA] ? read_value(tb[NFTA_SET_ELEM_DATA], sizeof(uint32_t)) : NULL;
	if (!mark)
		return false;
	memcpy(&ret->val.member.mark, mark, sizeof(uint32_t));
	ret->val.member.mask = mark_mask;
	return true;
}

int nftables_read_members(struct nlmsghdr *msg, const struct fact_key *set, uint32_t mark_mask,
	void (*fn)(const struct fact *f, void *arg), void *arg)
{
	static const struct nla_policy policy[NFTA_SET_ELEM_LIST_MAX + 1] = {
		[NFTA_SET_ELEM_LIST_ELEMENTS] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1], *element;
	struct fact f;
	int left;

	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_SET_ELEM_LIST_MAX, policy))
		return -EBADMSG;
	if (!tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	nla_for_each_nested(element, tb[NFTA_SET_ELEM_LIST_ELEMENTS],
		left) if (read_member(element, set, mark_mask, &f)) fn(&f, arg);
	return 0;
}
