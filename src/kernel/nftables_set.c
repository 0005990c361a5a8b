// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes of nf_tables are in network order, all but marks, which the kernel compares as it has
 * them. Sets get no size: with one, the kernel would allocate buckets for all of it at once
 * (nft_select_set_ops()).
 */
#include "nftables_set.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "nftables_msg.h"

enum {
	WORD = 4,
	KEY_MAX = 64,
	/* Of userdata, type-length-value; enum byteorder of nftables. */
	USERDATA_KEY_ORDER = 0,
	USERDATA_VALUE_ORDER = 1,
	HOST_ORDER = 1,
	BIG_ENDIAN_ORDER = 2,
	/* For `nft list`: enum datatypes of nftables. A concatenation has 6 bits for each. */
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_PROTOCOL = 12,
	TYPE_PORT = 13,
	TYPE_MARK = 19,
	TYPE_BITS = 6,
	NOTE_ID = SET_COUNT + 1, /* within a transaction */
	/* For how many clients there is room; the kernel takes 8 bytes for each at once. */
	CLIENTS = 262144,
};

/* Sets */

enum { FIELDS = 4 };

/* The fields of a key, or of the values of a map, one behind the other. */
struct set_fields {
	uint8_t len[FIELDS]; /* bytes, without padding */
	uint32_t type[FIELDS];
	size_t n;
	uint32_t total; /* bytes, with padding */
	uint32_t total_type;
};

static size_t padded(size_t len)
{
	return (len + WORD - 1) / WORD * WORD;
}

/* The set that a member, or an entry of FACT_DISPATCH, is an element of; or that a set is. */
static enum set_id set_of(const struct fact_key *key)
{
	return key->kind == FACT_DISPATCH ? SET_DISPATCH : key->set;
}

static void add_field(struct set_fields *f, uint8_t len, uint32_t type)
{
	f->len[f->n] = len;
	f->type[f->n++] = type;
	/* A key of one field has its own length. */
	f->total = f->n == 1 ? len : (uint32_t)(padded(f->total) + padded(len));
	f->total_type = f->total_type << TYPE_BITS | type;
}

static void add_address(struct set_fields *f, const struct fact_key *set)
{
	if (set->family == AF_INET6)
		add_field(f, 16, TYPE_IPV6);
	else
		add_field(f, 4, TYPE_IPV4);
}

static void add_port(struct set_fields *f)
{
	add_field(f, 1, TYPE_PROTOCOL);
	add_field(f, 2, TYPE_PORT);
}

static struct set_fields fields_of(const struct fact_key *set)
{
	struct set_fields f = { .n = 0 };

	switch (set_info(set_of(set))->type) {
	case SET_TYPE_BITMAP_PORT:
		add_field(&f, 2, TYPE_PORT);
		break;
	case SET_TYPE_HASH_IP:
		add_address(&f, set);
		break;
	case SET_TYPE_HASH_IP_PORT:
	case SET_TYPE_PORT_TO_SPREAD:
		add_address(&f, set);
		add_port(&f);
		break;
	case SET_TYPE_HASH_IP_PORT_IP:
	case SET_TYPE_HASH_IP_PORT_NET:
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		add_address(&f, set);
		add_port(&f);
		add_address(&f, set);
		break;
	case SET_TYPE_SLOT_TO_ENDPOINT:
		add_address(&f, set);
		add_port(&f);
		add_field(&f, sizeof(uint32_t), TYPE_MARK);
		break;
	case SET_TYPE_CLIENT_TO_ADDRESS:
		add_address(&f, set);
		add_address(&f, set);
		add_port(&f);
		break;
	case SET_TYPE_SPREAD_TO_CHAIN:
		add_field(&f, sizeof(uint32_t), TYPE_MARK);
		break;
	case SET_TYPES:
		break;
	}
	return f;
}

static bool leads_to_chains(enum set_id set)
{
	return set_info(set)->type == SET_TYPE_SPREAD_TO_CHAIN;
}

/* The values of a map; n 0: it is none, or leads to chains. */
static struct set_fields values_of(const struct fact_key *set)
{
	struct set_fields f = { .n = 0 };

	switch (set_info(set_of(set))->type) {
	case SET_TYPE_SLOT_TO_ENDPOINT:
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		add_address(&f, set);
		add_field(&f, 2, TYPE_PORT);
		break;
	case SET_TYPE_CLIENT_TO_ADDRESS:
		add_address(&f, set);
		break;
	case SET_TYPE_PORT_TO_SPREAD:
		add_field(&f, sizeof(uint32_t), TYPE_MARK);
		break;
	default:
		if (set_info(set_of(set))->marks)
			add_field(&f, sizeof(uint32_t), TYPE_MARK);
		break;
	}
	return f;
}

bool nftables_has_values(const struct fact_key *member)
{
	return leads_to_chains(set_of(member)) || values_of(member).n;
}

static bool has_ranges(enum set_id set)
{
	return set_info(set)->type == SET_TYPE_HASH_IP_PORT_NET;
}

static uint32_t flags_of(const struct fact_key *set)
{
	if (has_ranges(set_of(set)))
		return NFT_SET_INTERVAL | NFT_SET_CONCAT;
	/* Rules add to it, and its elements have an end. */
	if (set_of(set) == SET_CLIENTS)
		return NFT_SET_MAP | NFT_SET_TIMEOUT | NFT_SET_EVAL;
	return nftables_has_values(set) ? NFT_SET_MAP : 0;
}

/* Only that which rules add to has a limit. */
static int put_size(struct nl_msg *msg, uint32_t size)
{
	struct nlattr *description = nla_nest_start(msg, NFTA_SET_DESC | NLA_F_NESTED);

	if (!description || nftables_put_number(msg, NFTA_SET_DESC_SIZE, size))
		return -EMSGSIZE;
	return nla_nest_end(msg, description);
}

static int put_description(struct nl_msg *msg, const struct set_fields *f)
{
	struct nlattr *description = nla_nest_start(msg, NFTA_SET_DESC | NLA_F_NESTED), *fields,
		      *field;
	int failed = !description;

	fields = failed ? NULL : nla_nest_start(msg, NFTA_SET_DESC_CONCAT | NLA_F_NESTED);
	failed = !fields;
	for (size_t i = 0; !failed && i < f->n; i++) {
		field = nla_nest_start(msg, NFTA_LIST_ELEM | NLA_F_NESTED);
		failed = !field || nftables_put_number(msg, NFTA_SET_FIELD_LEN, f->len[i]);
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

	return nla_put_string(msg, type, set_name(set_of(set), set->family, name));
}

/* nft takes a single field for big endian unless it is told, as it tells itself in this way
 * (NFTNL_UDATA_SET_KEYBYTEORDER of libnftnl). */
static int put_byte_orders(struct nl_msg *msg, const struct set_fields *key, bool marks)
{
	const uint32_t key_order =
		key->n == 1 && key->type[0] == TYPE_MARK ? HOST_ORDER : BIG_ENDIAN_ORDER;
	const uint32_t value_order = marks ? HOST_ORDER : BIG_ENDIAN_ORDER;
	uint8_t data[2 * (2 + sizeof(uint32_t))] = { USERDATA_KEY_ORDER, sizeof(uint32_t) };

	memcpy(data + 2, &key_order, sizeof(key_order));
	data[6] = USERDATA_VALUE_ORDER;
	data[7] = sizeof(uint32_t);
	memcpy(data + 8, &value_order, sizeof(value_order));
	return nla_put(msg, NFTA_SET_USERDATA, sizeof(data), data);
}

struct nl_msg *nftables_msg_set(int message, const struct fact_key *set)
{
	const bool new = message == NFT_MSG_NEWSET;
	const struct set_fields f = fields_of(set), values = values_of(set);
	struct nl_msg *msg =
		nftables_msg_new(message, new ? NLM_F_CREATE | NLM_F_EXCL : 0, set->family);
	int failed = nftables_put_table(msg) || put_set_name(msg, NFTA_SET_NAME, set);

	if (!new)
		return nftables_msg_end(msg, failed);
	failed = failed || nftables_put_number(msg, NFTA_SET_ID, set->set + 1u) ||
		nftables_put_number(msg, NFTA_SET_FLAGS, flags_of(set)) ||
		nftables_put_number(msg, NFTA_SET_KEY_TYPE, f.total_type) ||
		nftables_put_number(msg, NFTA_SET_KEY_LEN, f.total);
	if (leads_to_chains(set->set))
		failed = failed || nftables_put_number(msg, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
	else if (values.n)
		failed = failed ||
			nftables_put_number(msg, NFTA_SET_DATA_TYPE, values.total_type) ||
			nftables_put_number(msg, NFTA_SET_DATA_LEN, values.total);
	if (has_ranges(set->set))
		failed = failed || put_description(msg, &f);
	if (nftables_has_values(set))
		failed = failed ||
			put_byte_orders(msg, &f, values.n == 1 && values.type[0] == TYPE_MARK);
	if (set->set == SET_CLIENTS)
		failed = failed || put_size(msg, CLIENTS);
	return nftables_msg_end(msg, failed);
}

struct nl_msg *nftables_msg_members(const struct fact_key *set)
{
	struct nl_msg *msg = nftables_msg_new(NFT_MSG_GETSETELEM, NLM_F_DUMP, set->family);

	return nftables_msg_end(
		msg, nftables_put_table(msg) || put_set_name(msg, NFTA_SET_ELEM_LIST_SET, set));
}

static int put_value(struct nl_msg *msg, int type, const void *value, uint32_t len)
{
	struct nlattr *nest = nla_nest_start(msg, type | NLA_F_NESTED);

	if (!nest || nla_put(msg, NFTA_DATA_VALUE, (int)len, value))
		return -EMSGSIZE;
	return nla_nest_end(msg, nest);
}

static int put_chain(struct nl_msg *msg, const struct spread *s)
{
	char name[CHAIN_NAME_LEN + 1], chain[NFTABLES_CHAIN_LEN + 1];
	struct nlattr *data = nla_nest_start(msg, NFTA_SET_ELEM_DATA | NLA_F_NESTED), *verdict;

	verdict = data ? nla_nest_start(msg, NFTA_DATA_VERDICT | NLA_F_NESTED) : NULL;
	nftables_chain_name(TABLE_NAT, spread_chain_name(s, name), chain);
	if (!verdict || nftables_put_number(msg, NFTA_VERDICT_CODE, (uint32_t)NFT_GOTO) ||
		nla_put_string(msg, NFTA_VERDICT_CHAIN, chain))
		return -EMSGSIZE;
	nla_nest_end(msg, verdict);
	return nla_nest_end(msg, data);
}

/* In the form of the kernel. */
struct element {
	const uint8_t *key, *last; /* `last`: of a range; else NULL */
	uint32_t key_len;
	const uint8_t *value; /* NULL: none */
	uint32_t value_len;
	const struct spread *leads_to; /* NULL: to no chain */
};

static int put_element(struct nl_msg *msg, const struct element *e)
{
	struct nlattr *list = nla_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED),
		      *element;

	element = list ? nla_nest_start(msg, NFTA_LIST_ELEM | NLA_F_NESTED) : NULL;
	if (!element || put_value(msg, NFTA_SET_ELEM_KEY, e->key, e->key_len) ||
		(e->last && put_value(msg, NFTA_SET_ELEM_KEY_END, e->last, e->key_len)) ||
		(e->value && put_value(msg, NFTA_SET_ELEM_DATA, e->value, e->value_len)) ||
		(e->leads_to && put_chain(msg, e->leads_to)))
		return -EMSGSIZE;
	nla_nest_end(msg, element);
	return nla_nest_end(msg, list);
}

/* Notes */

struct nl_msg *nftables_msg_note(int message, int flags, int family, const char *name)
{
	const bool new = message == NFT_MSG_NEWSET;
	struct nl_msg *msg = nftables_msg_new(message, flags | (new ? NLM_F_CREATE : 0), family);

	/* NFTA_SET_NAME is NFTA_SET_ELEM_LIST_SET: without elements, all are meant. */
	return nftables_msg_end(msg,
		nftables_put_table(msg) || nla_put_string(msg, NFTA_SET_NAME, name) ||
			(new &&
				(nftables_put_number(msg, NFTA_SET_ID, NOTE_ID) ||
					nftables_put_number(msg, NFTA_SET_KEY_TYPE, TYPE_PORT) ||
					nftables_put_number(
						msg, NFTA_SET_KEY_LEN, sizeof(uint16_t)))));
}

struct nl_msg *nftables_msg_noted(int family, const char *name, uint16_t port)
{
	struct nl_msg *msg = nftables_msg_new(NFT_MSG_NEWSETELEM, NLM_F_CREATE, family);
	const uint16_t key = htons(port);

	return nftables_msg_end(msg,
		nftables_put_table(msg) || nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, name) ||
			put_element(msg,
				&(struct element){
					.key = (const uint8_t *)&key, .key_len = sizeof(key) }));
}

/* Members */

uint32_t nftables_spread_number(const struct spread *s)
{
	return s->slots ? (uint32_t)s->slots << 20 | (s->flags & SPREAD_FLAGS) << 17 | s->affinity
			: 0;
}

static struct spread number_spread(uint32_t number)
{
	return (struct spread){ .slots = (uint16_t)(number >> 20),
		.flags = (uint8_t)(SPREAD_ENTRY | (number >> 17 & SPREAD_FLAGS)),
		.affinity = number & SPREAD_AFFINITY };
}

/* Fields are copied one behind the other. Returns where the next one goes. */
static uint8_t *write_field(uint8_t *at, const void *value, size_t len)
{
	memcpy(at, value, len);
	return at + padded(len);
}

/* A key in the form of the kernel; of a range its first one or its `last`. */
static void write_key(const struct fact_key *k, bool last, uint8_t ret[static KEY_MAX])
{
	const struct set_fields f = fields_of(k);
	const uint16_t port = htons(k->port);
	const enum set_type type = set_info(set_of(k))->type;
	const struct spread spread = fact_spread(k);
	const uint32_t number = nftables_spread_number(&spread), slot = k->port2;

	memset(ret, 0, KEY_MAX);
	if (type == SET_TYPE_BITMAP_PORT) {
		write_field(ret, &port, sizeof(port));
		return;
	}
	if (type == SET_TYPE_SPREAD_TO_CHAIN) {
		write_field(ret, &number, sizeof(number));
		return;
	}
	ret = write_field(ret, k->addr, f.len[0]);
	if (f.n == 1)
		return;
	ret = write_field(ret, &k->proto, sizeof(k->proto));
	ret = write_field(ret, &port, sizeof(port));
	if (type == SET_TYPE_SLOT_TO_ENDPOINT) {
		write_field(ret, &slot, sizeof(slot));
		return;
	}
	memcpy(ret, k->addr2, f.len[3]);
	for (unsigned bit = k->port2; last && bit < f.len[3] * 8u; bit++)
		ret[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
}

static void write_value(const struct fact *f, uint8_t ret[static KEY_MAX])
{
	const struct set_fields values = values_of(&f->key);
	const uint16_t port = htons(f->val.endpoint.port);
	const uint32_t number = nftables_spread_number(&f->val.spread);

	memset(ret, 0, KEY_MAX);
	switch (set_info(set_of(&f->key))->type) {
	case SET_TYPE_SLOT_TO_ENDPOINT:
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		ret = write_field(ret, f->val.endpoint.addr, values.len[0]);
		write_field(ret, &port, sizeof(port));
		return;
	case SET_TYPE_PORT_TO_SPREAD:
		write_field(ret, &number, sizeof(number));
		return;
	default:
		write_field(ret, &f->val.member.mark, sizeof(f->val.member.mark));
		return;
	}
}

struct nl_msg *nftables_msg_member(int message, const struct fact *f)
{
	const bool new = message == NFT_MSG_NEWSETELEM;
	const enum set_id set = set_of(&f->key);
	const struct spread spread = fact_spread(&f->key);
	struct nl_msg *msg = nftables_msg_new(message, new ? NLM_F_CREATE : 0, f->key.family);
	uint8_t key[KEY_MAX], last[KEY_MAX], value[KEY_MAX];
	struct element e = { .key = key,
		.key_len = fields_of(&f->key).total,
		.value_len = values_of(&f->key).total };

	write_key(&f->key, false, key);
	write_key(&f->key, true, last);
	write_value(f, value);
	if (has_ranges(set))
		e.last = last;
	if (leads_to_chains(set))
		e.leads_to = new ? &spread : NULL;
	else if (e.value_len)
		e.value = new ? value : NULL;
	return nftables_msg_end(msg,
		nftables_put_table(msg) || put_set_name(msg, NFTA_SET_ELEM_LIST_SET, &f->key) ||
			put_element(msg, &e));
}

/* Answers */

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
	if (!nftables_is_of_our_table(tb[NFTA_SET_TABLE]) ||
		!set_by_name(nla_get_string(tb[NFTA_SET_NAME]), &id, &family) ||
		family != nftables_family_of(msg))
		return 0;
	*ret = fact_set(id, family);
	flags = tb[NFTA_SET_FLAGS] ? ntohl(nla_get_u32(tb[NFTA_SET_FLAGS])) : 0;
	len = ntohl(nla_get_u32(tb[NFTA_SET_KEY_LEN]));
	data = tb[NFTA_SET_DATA_LEN] ? ntohl(nla_get_u32(tb[NFTA_SET_DATA_LEN])) : 0;
	if (len != fields_of(&ret->key).total || flags != flags_of(&ret->key) ||
		(!leads_to_chains(id) && data != values_of(&ret->key).total))
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

static const uint8_t *read_field(const uint8_t *at, void *ret, size_t len)
{
	memcpy(ret, at, len);
	return at + padded(len);
}

static const uint8_t *read_port(const uint8_t *at, uint16_t *ret)
{
	uint16_t port;

	at = read_field(at, &port, sizeof(port));
	*ret = ntohs(port);
	return at;
}

static void read_key_fields(const uint8_t *key, const uint8_t *last, struct fact_key *ret)
{
	const enum set_type type = set_info(ret->set)->type;
	const struct set_fields f = fields_of(ret);
	const uint8_t *at;
	struct spread spread;
	uint32_t number;

	if (type == SET_TYPE_BITMAP_PORT) {
		read_port(key, &ret->port);
		return;
	}
	if (type == SET_TYPE_SPREAD_TO_CHAIN) {
		memcpy(&number, key, sizeof(number));
		spread = number_spread(number);
		*ret = fact_member_spread(ret->family, &spread).key;
		return;
	}
	at = read_field(key, ret->addr, f.len[0]);
	if (f.n == 1)
		return;
	at = read_field(at, &ret->proto, sizeof(ret->proto));
	at = read_port(at, &ret->port);
	if (type == SET_TYPE_SLOT_TO_ENDPOINT) {
		memcpy(&number, at, sizeof(number));
		ret->port2 = (uint16_t)number;
	} else if (f.n > 3) {
		if (has_ranges(ret->set))
			ret->port2 = (uint16_t)common_bits(at, last + (at - key), f.len[3] * 8u);
		read_field(at, ret->addr2, f.len[3]);
	}
}

/* false: it is no key that write_key() makes. */
static bool read_key(
	const struct fact_key *set, const uint8_t *key, const uint8_t *last, struct fact_key *ret)
{
	const uint32_t len = fields_of(set).total;
	uint8_t again[KEY_MAX];

	*ret = (struct fact_key){ .kind = FACT_MEMBER, .family = set->family, .set = set->set };
	read_key_fields(key, last, ret);
	write_key(ret, false, again);
	if (memcmp(again, key, len) != 0)
		return false;
	write_key(ret, true, again);
	return !has_ranges(set->set) || !memcmp(again, last, len);
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

/* What a member has, by the set's type; false: it cannot be ours. */
static bool read_values(
	struct nlattr *data, const struct fact_key *set, uint32_t mark_mask, struct fact_val *ret)
{
	const struct set_fields values = values_of(set);
	const uint8_t *at = data ? read_value(data, values.total) : NULL;
	uint32_t number;

	if (!at)
		return false;
	switch (set_info(set->set)->type) {
	case SET_TYPE_SLOT_TO_ENDPOINT:
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		at = read_field(at, ret->endpoint.addr, values.len[0]);
		read_port(at, &ret->endpoint.port);
		return true;
	case SET_TYPE_PORT_TO_SPREAD:
		memcpy(&number, at, sizeof(number));
		ret->spread = number_spread(number);
		return true;
	default:
		memcpy(&ret->member.mark, at, sizeof(ret->member.mark));
		ret->member.mask = mark_mask;
		return true;
	}
}

static bool leads_to_chain_of(struct nlattr *data, const struct spread *s)
{
	char name[CHAIN_NAME_LEN + 1], chain[NFTABLES_CHAIN_LEN + 1];
	struct nlattr *verdict, *code, *to;

	verdict = data ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VERDICT) : NULL;
	if (!verdict)
		return false;
	code = nla_find(nla_data(verdict), nla_len(verdict), NFTA_VERDICT_CODE);
	to = nla_find(nla_data(verdict), nla_len(verdict), NFTA_VERDICT_CHAIN);
	nftables_chain_name(TABLE_NAT, spread_chain_name(s, name), chain);
	return code && nla_len(code) == sizeof(uint32_t) &&
		ntohl(nla_get_u32(code)) == (uint32_t)NFT_GOTO && to && !nla_strcmp(to, chain);
}

static bool read_member(
	struct nlattr *element, const struct fact_key *set, uint32_t mark_mask, struct fact *ret)
{
	static const struct nla_policy policy[NFTA_SET_ELEM_MAX + 1];
	const uint32_t len = fields_of(set).total;
	struct nlattr *tb[NFTA_SET_ELEM_MAX + 1];
	const uint8_t *key, *last;
	struct spread spread;

	if (nla_parse_nested(tb, NFTA_SET_ELEM_MAX, element, policy) || !tb[NFTA_SET_ELEM_KEY])
		return false;
	key = read_value(tb[NFTA_SET_ELEM_KEY], len);
	/* A single address has no end. */
	last = tb[NFTA_SET_ELEM_KEY_END] ? read_value(tb[NFTA_SET_ELEM_KEY_END], len) : key;
	memset(ret, 0, sizeof(*ret));
	if (!key || !last || !read_key(set, key, last, &ret->key))
		return false;
	if (leads_to_chains(set->set)) {
		spread = fact_spread(&ret->key);
		/* To another one it leads with a value that is never desired. */
		ret->val.bytes[0] = !leads_to_chain_of(tb[NFTA_SET_ELEM_DATA], &spread);
		return true;
	}
	if (values_of(set).n && !read_values(tb[NFTA_SET_ELEM_DATA], set, mark_mask, &ret->val))
		return false;
	if (set->set == SET_DISPATCH) {
		ret->key.kind = FACT_DISPATCH;
		ret->key.set = 0;
	}
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
