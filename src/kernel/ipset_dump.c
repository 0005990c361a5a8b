// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The answer to IPSET_CMD_LIST for one set is a series of messages. The first begins with the
 * header of the set (type, family, options); each may carry IPSET_ATTR_ADT, with one nested
 * IPSET_ATTR_DATA a member.
 */
#include "ipset_dump.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/mem.h"

/* Version 6 of the protocol is spoken by all kernels since 2.6.39; 7 adds nothing that is used. */
enum { PROTOCOL = IPSET_PROTOCOL_MIN };

static const struct nla_policy set_policy[IPSET_ATTR_CMD_MAX + 1] = {
	[IPSET_ATTR_SETNAME] = { .type = NLA_STRING, .maxlen = IPSET_MAXNAMELEN },
	[IPSET_ATTR_TYPENAME] = { .type = NLA_STRING, .maxlen = IPSET_MAXNAMELEN },
	[IPSET_ATTR_FAMILY] = { .type = NLA_U8 },
	[IPSET_ATTR_DATA] = { .type = NLA_NESTED },
	[IPSET_ATTR_ADT] = { .type = NLA_NESTED },
};

static const struct nla_policy option_policy[IPSET_ATTR_CREATE_MAX + 1] = {
	[IPSET_ATTR_PORT] = { .type = NLA_U16 },
	[IPSET_ATTR_PORT_TO] = { .type = NLA_U16 },
	[IPSET_ATTR_MAXELEM] = { .type = NLA_U32 },
	[IPSET_ATTR_CADT_FLAGS] = { .type = NLA_U32 },
};

static const struct nla_policy member_policy[IPSET_ATTR_ADT_MAX + 1] = {
	[IPSET_ATTR_IP] = { .type = NLA_NESTED },
	[IPSET_ATTR_PORT] = { .type = NLA_U16 },
	[IPSET_ATTR_PROTO] = { .type = NLA_U8 },
	[IPSET_ATTR_CADT_FLAGS] = { .type = NLA_U32 },
	[IPSET_ATTR_IP2] = { .type = NLA_NESTED },
	[IPSET_ATTR_CIDR2] = { .type = NLA_U8 },
	[IPSET_ATTR_SKBMARK] = { .type = NLA_U64 },
};

static const struct nla_policy address_policy[IPSET_ATTR_IPADDR_MAX + 1] = {
	[IPSET_ATTR_IPADDR_IPV4] = { .minlen = 4, .maxlen = 4 },
	[IPSET_ATTR_IPADDR_IPV6] = { .minlen = 16, .maxlen = 16 },
};

static int read_message(const struct nlmsghdr *msg, struct nlattr *tb[IPSET_ATTR_CMD_MAX + 1])
{
	return nl_read_attrs(msg, sizeof(struct nfgenmsg), tb, IPSET_ATTR_CMD_MAX, set_policy);
}

/* Returns false where it is a type that we do not know. */
static bool type_by_name(const char *name, enum set_type *ret)
{
	for (enum set_type t = SET_TYPE_HASH_IP; t <= SET_TYPE_BITMAP_PORT; t++)
		if (!strcmp(name, set_type_name(t))) {
			*ret = t;
			return true;
		}
	return false;
}

/* A set that can be one of ours, whatever its number of members. */
static bool is_usable(
	enum set_type type, int family, struct nlattr *const tb[], struct nlattr *const option[])
{
	uint8_t nfproto = family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

	if (option[IPSET_ATTR_TIMEOUT] || option[IPSET_ATTR_NETMASK])
		return false;
	if (type == SET_TYPE_BITMAP_PORT)
		return option[IPSET_ATTR_PORT] && !nla_get_u16(option[IPSET_ATTR_PORT]) &&
			option[IPSET_ATTR_PORT_TO] &&
			nla_get_u16(option[IPSET_ATTR_PORT_TO]) == UINT16_MAX;
	return tb[IPSET_ATTR_FAMILY] && nla_get_u8(tb[IPSET_ATTR_FAMILY]) == nfproto &&
		option[IPSET_ATTR_MAXELEM];
}

/* A value that no set of ours has: a hash without, a bitmap with a limit of members. */
static void set_unlike(struct fact_val *val)
{
	val->set.max_members = val->set.max_members ? 0 : UINT32_MAX;
}

static bool has_flag(const struct nlattr *flags, uint32_t flag)
{
	return flags && ntohl(nla_get_u32(flags)) & flag;
}

static int parse_header(struct nlattr *tb[], enum set_id id, int family, struct fact *ret)
{
	struct nlattr *option[IPSET_ATTR_CREATE_MAX + 1];
	struct fact f = fact_set(id, family);
	enum set_type type;

	if (nl_read_nest(tb[IPSET_ATTR_DATA], option, IPSET_ATTR_CREATE_MAX, option_policy))
		return -EBADMSG;
	if (!type_by_name(nla_get_string(tb[IPSET_ATTR_TYPENAME]), &type) ||
		!is_usable(type, family, tb, option)) {
		set_unlike(&f.val);
	} else {
		f.val.set.type = type;
		f.val.set.max_members = type == SET_TYPE_BITMAP_PORT
			? 0
			: ntohl(nla_get_u32(option[IPSET_ATTR_MAXELEM]));
		f.val.set.marks = has_flag(option[IPSET_ATTR_CADT_FLAGS], IPSET_FLAG_WITH_SKBINFO);
	}
	*ret = f;
	return 0;
}

int ipset_parse_set(const struct nlmsghdr *msg, enum set_id id, int family, struct fact *ret)
{
	struct nlattr *tb[IPSET_ATTR_CMD_MAX + 1];

	if (read_message(msg, tb) || !tb[IPSET_ATTR_TYPENAME])
		return -EBADMSG;
	return parse_header(tb, id, family, ret);
}

static int parse_address(struct nlattr *nest, int family, struct ip *ret)
{
	int type = family == AF_INET6 ? IPSET_ATTR_IPADDR_IPV6 : IPSET_ATTR_IPADDR_IPV4;
	struct nlattr *tb[IPSET_ATTR_IPADDR_MAX + 1];

	if (nl_read_nest(nest, tb, IPSET_ATTR_IPADDR_MAX, address_policy) || !tb[type])
		return -EBADMSG;
	*ret = ip_make(family, nla_data(tb[type]));
	return 0;
}

/* The second address of a member; without IPSET_ATTR_CIDR2 a whole one. */
static int parse_second(struct nlattr *const tb[], int family, struct cidr *ret)
{
	ret->len = tb[IPSET_ATTR_CIDR2] ? nla_get_u8(tb[IPSET_ATTR_CIDR2]) : ip_bits(family);
	return ret->len > ip_bits(family) ? -EBADMSG
					  : parse_address(tb[IPSET_ATTR_IP2], family, &ret->ip);
}

/* Not told of a member without a mark. */
static void parse_mark(struct nlattr *skbmark, struct fact_val *ret)
{
	uint64_t value = be64toh(nla_get_u64(skbmark));

	ret->member.mark = (uint32_t)(value >> 32);
	ret->member.mask = (uint32_t)value;
}

static int parse_member(struct nlattr *data, const struct ipset_reading *r)
{
	enum set_type type = set_info(r->id)->type;
	bool second = type == SET_TYPE_HASH_IP_PORT_IP || type == SET_TYPE_HASH_IP_PORT_NET;
	struct nlattr *tb[IPSET_ATTR_ADT_MAX + 1];
	struct cidr net = { 0 };
	struct ip ip = { 0 };
	uint16_t port = 0;
	uint8_t proto = 0;
	struct fact f;

	if (nl_read_nest(data, tb, IPSET_ATTR_ADT_MAX, member_policy) ||
		(type != SET_TYPE_HASH_IP && !tb[IPSET_ATTR_PORT]) ||
		(type != SET_TYPE_BITMAP_PORT &&
			parse_address(tb[IPSET_ATTR_IP], r->family, &ip)) ||
		(second && parse_second(tb, r->family, &net)))
		return -EBADMSG;
	/* an exception to a network of the set is no member */
	if (has_flag(tb[IPSET_ATTR_CADT_FLAGS], IPSET_FLAG_NOMATCH))
		return 0;
	if (tb[IPSET_ATTR_PORT])
		port = ntohs(nla_get_u16(tb[IPSET_ATTR_PORT]));
	if (tb[IPSET_ATTR_PROTO])
		proto = nla_get_u8(tb[IPSET_ATTR_PROTO]);
	f = fact_member(r->id, r->family, &ip, proto, port, &net);
	if (set_info(r->id)->marks && tb[IPSET_ATTR_SKBMARK])
		parse_mark(tb[IPSET_ATTR_SKBMARK], &f.val);
	r->fn(&f, r->arg);
	return 0;
}

static bool is_like_ours(struct nlattr *tb[], const struct ipset_reading *r)
{
	struct fact ours = fact_set(r->id, r->family), f;

	if (parse_header(tb, r->id, r->family, &f))
		return false;
	/* the number of members that it could have does not matter to those that it has */
	return f.val.set.type == ours.val.set.type &&
		!f.val.set.max_members == !ours.val.set.max_members;
}

int ipset_parse_members(const struct nlmsghdr *msg, struct ipset_reading *r)
{
	struct nlattr *tb[IPSET_ATTR_CMD_MAX + 1], *data;
	int left, e;

	if (read_message(msg, tb))
		return -EBADMSG;
	if (tb[IPSET_ATTR_TYPENAME])
		r->unlike = !is_like_ours(tb, r);
	if (r->unlike || !tb[IPSET_ATTR_ADT])
		return 0;
	nla_for_each_nested(data, tb[IPSET_ATTR_ADT], left)
	{
		e = parse_member(data, r);
		if (e)
			return e;
	}
	return 0;
}

static void write_header(struct nl_writer *w, uint16_t cmd, uint16_t flags)
{
	struct nfgenmsg *h = nl_write_begin(
		w, (uint16_t)(NFNL_SUBSYS_IPSET << 8 | cmd), flags, sizeof(struct nfgenmsg));
	uint8_t protocol = PROTOCOL;

	h->version = NFNETLINK_V0;
	nl_write_attr(w, IPSET_ATTR_PROTOCOL, &protocol, sizeof(protocol));
}

static void write_try(struct nl_writer *w, void *arg)
{
	(void)arg;
	write_header(w, IPSET_CMD_PROTOCOL, NLM_F_ACK);
}

struct question {
	char name[SET_NAME_LEN + 1];
	bool header_only;
	struct fact *set; /* of a header */
	bool found;
	struct ipset_reading reading;
};

static void write_list(struct nl_writer *w, void *arg)
{
	const struct question *q = arg;

	write_header(w, IPSET_CMD_LIST, NLM_F_DUMP);
	nl_write_string(w, IPSET_ATTR_SETNAME, q->name);
	if (q->header_only)
		nl_write_u32(
			w, IPSET_ATTR_FLAGS | NLA_F_NET_BYTEORDER, htonl(IPSET_FLAG_LIST_HEADER));
}

static int reply_nothing(const struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return 0;
}

static int reply_set(const struct nlmsghdr *msg, void *arg)
{
	struct question *q = arg;

	q->found = true;
	return ipset_parse_set(msg, q->reading.id, q->reading.family, q->set);
}

static int reply_members(const struct nlmsghdr *msg, void *arg)
{
	struct question *q = arg;

	return ipset_parse_members(msg, &q->reading);
}

/* ip_set never says that a dump was interrupted. */
static void restart(void *arg)
{
	(void)arg;
}

int ipset_dump_try(struct nl_port *port)
{
	int e = nl_port_ask(port,
		&(struct nl_question){
			.write = write_try, .reply = reply_nothing, .restart = restart });

	/* nfnetlink has no handler for the subsystem; the kernel has no nfnetlink */
	return e == -EINVAL || e == -EPROTONOSUPPORT ? -ENOENT : e;
}

int ipset_dump_set(struct nl_port *port, enum set_id id, int family, struct fact *ret)
{
	struct question q = {
		.header_only = true,
		.set = ret,
		.reading = { .id = id, .family = family },
	};
	int e;

	set_name(id, family, q.name);
	e = nl_port_ask(port,
		&(struct nl_question){
			.write = write_list, .reply = reply_set, .restart = restart, .arg = &q });
	return !e && !q.found ? -ENOENT : e;
}

int ipset_dump_members(struct nl_port *port, enum set_id id, int family, dump_fn fn, void *arg)
{
	struct question q = {
		.reading = { .id = id, .family = family, .fn = fn, .arg = arg },
	};

	set_name(id, family, q.name);
	return nl_port_ask(port,
		&(struct nl_question){ .write = write_list,
			.reply = reply_members,
			.restart = restart,
			.arg = &q });
}
