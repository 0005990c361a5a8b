// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The answer to IPSET_CMD_LIST for one set is a series of messages. The first begins with the
 * header of the set (type, family, options); each may carry IPSET_ATTR_ADT, with one nested
 * IPSET_ATTR_DATA a member.
 */
#include "ipset_msg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Version 6 of the protocol is spoken by all kernels since 2.6.39; 7 adds nothing that is used. */
enum {
	PROTOCOL = IPSET_PROTOCOL_MIN,
	LAST_ERRNO = 133, /* EHWPOISON */
};

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

struct nl_msg *ipset_msg_new(int command, int flags)
{
	struct nl_msg *msg =
		nl_request_netfilter(NFNL_SUBSYS_IPSET << 8 | command, flags, AF_UNSPEC);

	NLA_PUT_U8(msg, IPSET_ATTR_PROTOCOL, PROTOCOL);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *ipset_msg_list(const char *name, bool header_only)
{
	struct nl_msg *msg = ipset_msg_new(IPSET_CMD_LIST, NLM_F_DUMP);

	if (!msg)
		return NULL;
	NLA_PUT_STRING(msg, IPSET_ATTR_SETNAME, name);
	if (header_only)
		NLA_PUT_U32(
			msg, IPSET_ATTR_FLAGS | NLA_F_NET_BYTEORDER, htonl(IPSET_FLAG_LIST_HEADER));
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

static int read_header(struct nlattr *tb[], enum set_id id, int family, struct fact *ret)
{
	struct nlattr *option[IPSET_ATTR_CREATE_MAX + 1], *flags;
	enum set_type type = SET_TYPE_HASH_IP;
	struct fact f = fact_set(id, family);
	bool usable;

	if (nl_parse_nested(tb[IPSET_ATTR_DATA], option, IPSET_ATTR_CREATE_MAX, option_policy))
		return -EBADMSG;
	while (type <= SET_TYPE_BITMAP_PORT &&
		strcmp(nla_get_string(tb[IPSET_ATTR_TYPENAME]), set_type_name(type)) != 0)
		type++;

	/* A set that can be one of ours, whatever its number of members. */
	if (type > SET_TYPE_BITMAP_PORT || option[IPSET_ATTR_TIMEOUT] || option[IPSET_ATTR_NETMASK])
		usable = false;
	else if (type == SET_TYPE_BITMAP_PORT)
		usable = option[IPSET_ATTR_PORT] && !nla_get_u16(option[IPSET_ATTR_PORT]) &&
			option[IPSET_ATTR_PORT_TO] &&
			nla_get_u16(option[IPSET_ATTR_PORT_TO]) == UINT16_MAX;
	else
		usable = tb[IPSET_ATTR_FAMILY] && nla_get_u8(tb[IPSET_ATTR_FAMILY]) == family &&
			option[IPSET_ATTR_MAXELEM];

	if (usable) {
		flags = option[IPSET_ATTR_CADT_FLAGS];
		f.val.set.type = type;
		f.val.set.max_members = type == SET_TYPE_BITMAP_PORT
			? 0
			: ntohl(nla_get_u32(option[IPSET_ATTR_MAXELEM]));
		f.val.set.marks = flags && ntohl(nla_get_u32(flags)) & IPSET_FLAG_WITH_SKBINFO;
	} else {
		/* A value that none of our sets has: a hash without, a bitmap with a limit. */
		f.val.set.max_members = f.val.set.max_members ? 0 : UINT32_MAX;
	}
	*ret = f;
	return 0;
}

int ipset_read_set(struct nlmsghdr *msg, void *reading)
{
	const struct ipset_reading *r = reading;
	struct nlattr *tb[IPSET_ATTR_CMD_MAX + 1];
	struct fact f;

	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, IPSET_ATTR_CMD_MAX, set_policy) ||
		!tb[IPSET_ATTR_TYPENAME] || read_header(tb, r->id, r->family, &f))
		return -EBADMSG;
	r->fn(&f, r->arg);
	return 0;
}

static int read_member_address(struct nlattr *nest, int family, struct ip *ret)
{
	int type = family == AF_INET6 ? IPSET_ATTR_IPADDR_IPV6 : IPSET_ATTR_IPADDR_IPV4;
	struct nlattr *tb[IPSET_ATTR_IPADDR_MAX + 1];

	if (nl_parse_nested(nest, tb, IPSET_ATTR_IPADDR_MAX, address_policy) || !tb[type])
		return -EBADMSG;
	*ret = ip_make(family, nla_data(tb[type]));
	return 0;
}

static int read_member(struct nlattr *data, const struct ipset_reading *r)
{
	enum set_type type = set_info(r->id)->type;
	bool second = type == SET_TYPE_HASH_IP_PORT_IP || type == SET_TYPE_HASH_IP_PORT_NET;
	struct nlattr *tb[IPSET_ATTR_ADT_MAX + 1];
	struct cidr net = { 0 };
	struct ip ip = { 0 };
	uint16_t port = 0;
	uint8_t proto = 0;
	struct fact f;

	if (nl_parse_nested(data, tb, IPSET_ATTR_ADT_MAX, member_policy) ||
		(type != SET_TYPE_HASH_IP && !tb[IPSET_ATTR_PORT]) ||
		(type != SET_TYPE_BITMAP_PORT &&
			read_member_address(tb[IPSET_ATTR_IP], r->family, &ip)))
		return -EBADMSG;
	if (second) {
		net.len = tb[IPSET_ATTR_CIDR2] ? nla_get_u8(tb[IPSET_ATTR_CIDR2])
					       : ip_bits(r->family);
		if (net.len > ip_bits(r->family) ||
			read_member_address(tb[IPSET_ATTR_IP2], r->family, &net.ip))
			return -EBADMSG;
	}
	/* An exception from a network of the set is no member. */
	if (tb[IPSET_ATTR_CADT_FLAGS] &&
		ntohl(nla_get_u32(tb[IPSET_ATTR_CADT_FLAGS])) & IPSET_FLAG_NOMATCH)
		return 0;

	if (tb[IPSET_ATTR_PORT])
		port = ntohs(nla_get_u16(tb[IPSET_ATTR_PORT]));
	if (tb[IPSET_ATTR_PROTO])
		proto = nla_get_u8(tb[IPSET_ATTR_PROTO]);
	f = fact_member(r->id, r->family, &ip, proto, port, &net);
	/* A member without a mark has no such attribute. */
	if (set_info(r->id)->marks && tb[IPSET_ATTR_SKBMARK]) {
		uint64_t skbmark = be64toh(nla_get_u64(tb[IPSET_ATTR_SKBMARK]));

		f.val.member.mark = (uint32_t)(skbmark >> 32);
		f.val.member.mask = (uint32_t)skbmark;
	}
	r->fn(&f, r->arg);
	return 0;
}

int ipset_read_members(struct nlmsghdr *msg, void *reading)
{
	struct ipset_reading *r = reading;
	struct nlattr *tb[IPSET_ATTR_CMD_MAX + 1], *data;
	struct fact ours = fact_set(r->id, r->family), f;
	int left;

	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, IPSET_ATTR_CMD_MAX, set_policy))
		return -EBADMSG;
	/* The number of members that the set could have does not matter to those that it has. */
	if (tb[IPSET_ATTR_TYPENAME])
		r->unlike = read_header(tb, r->id, r->family, &f) ||
			f.val.set.type != ours.val.set.type ||
			!f.val.set.max_members != !ours.val.set.max_members;
	if (r->unlike || !tb[IPSET_ATTR_ADT])
		return 0;
	nla_for_each_nested(data, tb[IPSET_ATTR_ADT], left)
	{
		int e = read_member(data, r);

		if (e)
			return e;
	}
	return 0;
}

/* The texts of lib/errcode.c and lib/session.c of ipset 6 and 7; their beginning is enough. */
static const struct {
	const char *begin;
	int error;
} reports[] = {
	{ "The set with the given name does not exist", -ENOENT },
	{ "Sets cannot be swapped: the second set does not exist", -ENOENT },
	{ "Set cannot be created: set with the same name already exists", -EEXIST },
	{ "Set cannot be renamed: a set with the new name already exists", -EEXIST },
	{ "Set cannot be destroyed: it is in use", -EBUSY },
	{ "Set cannot be renamed: it is in use", -EBUSY },
	{ "The sets cannot be swapped: their type does not match", -EPROTOTYPE },
	{ "Hash is full", -ENOSPC },
	{ "Kernel error received: maximal number of sets reached", -ENOSPC },
	{ "Kernel error received: set type not supported", -EOPNOTSUPP },
	{ "Kernel error received: set type does not supported", -EOPNOTSUPP },
	{ "Kernel supports ", -EOPNOTSUPP }, /* another revision of the type than libipset */
	{ "Kernel-library incompatibility", -EOPNOTSUPP },
	{ "Kernel error received: ipset protocol error", -EPROTO },
	{ "Kernel error received: message could not be created", -EMSGSIZE },
	/* no answer, or one that libipset does not understand */
	{ "Internal protocol error", -ENOBUFS },
};

int ipset_report_errno(const char *report, uint32_t *ret_line)
{
	static const char kernel_error[] = "Kernel error received: ";
	int len = 0;

	*ret_line = 0;
	if (sscanf(report, "Error in line %u: %n", ret_line, &len) == 1)
		report += len;
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		if (!strncmp(report, reports[i].begin, strlen(reports[i].begin)))
			return reports[i].error;

	/* The others end in strerror() of the kernel's errno. */
	if (strncmp(report, kernel_error, strlen(kernel_error)) != 0)
		return -EINVAL;
	report += strlen(kernel_error);
	for (int e = 1; e <= LAST_ERRNO; e++) {
		const char *name = strerror(e);

		if (strlen(name) == strcspn(report, "\n") && !strncmp(report, name, strlen(name)))
			return -e;
	}
	return -EINVAL;
}
