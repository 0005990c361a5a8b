// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Entries are read with libnl, because libnetfilter_conntrack ends the process at an attribute that
 * it does not expect, and allocates for each of what may be a million entries.
 */
#include "conntrack_msg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netlink/msg.h>

#include "base/mem.h"

/*
 * CTA_FILTER_F_CTA_PROTO_NUM and _DST_PORT in the kernel's net/netfilter/nf_internals.h: what of
 * CTA_TUPLE_ORIG entries must have. There is one for the address, too, but for IPv6 it tells all
 * entries that do not have it (ctnetlink_filter_match_tuple()).
 */
enum { FILTER_PROTOCOL = 1 << 3, FILTER_TO_PORT = 1 << 5 };

static void write_header(struct nl_writer *w, uint16_t command, uint16_t flags, int family)
{
	struct nfgenmsg *h = nl_write_begin(w, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | command),
		flags, sizeof(struct nfgenmsg));

	h->nfgen_family = (uint8_t)family;
	h->version = NFNETLINK_V0;
}

void conntrack_write_try(struct nl_writer *w)
{
	write_header(w, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC);
}

void conntrack_write_dump(struct nl_writer *w, int family, uint8_t proto, uint16_t port)
{
	struct nlattr *outer, *inner;

	write_header(w, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	outer = nl_write_nest(w, CTA_TUPLE_ORIG);
	inner = nl_write_nest(w, CTA_TUPLE_PROTO);
	nl_write_attr(w, CTA_PROTO_NUM, &proto, sizeof(proto));
	if (port)
		nl_write_u16(w, CTA_PROTO_DST_PORT, htons(port));
	nl_write_nest_end(w, inner);
	nl_write_nest_end(w, outer);
	outer = nl_write_nest(w, CTA_FILTER);
	nl_write_u32(w, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | (port ? FILTER_TO_PORT : 0));
	nl_write_nest_end(w, outer);
}

static const struct nla_policy entry_policy[CTA_MAX + 1] = {
	[CTA_TUPLE_ORIG] = { .type = NLA_NESTED },
	[CTA_TUPLE_REPLY] = { .type = NLA_NESTED },
	[CTA_STATUS] = { .type = NLA_U32 },
	[CTA_ZONE] = { .type = NLA_U16 },
	[CTA_ID] = { .type = NLA_U32 },
};

static const struct nla_policy tuple_policy[CTA_TUPLE_MAX + 1] = {
	[CTA_TUPLE_IP] = { .type = NLA_NESTED },
	[CTA_TUPLE_PROTO] = { .type = NLA_NESTED },
	[CTA_TUPLE_ZONE] = { .type = NLA_U16 },
};

static const struct nla_policy address_policy[CTA_IP_MAX + 1] = {
	[CTA_IP_V4_SRC] = { .minlen = 4, .maxlen = 4 },
	[CTA_IP_V4_DST] = { .minlen = 4, .maxlen = 4 },
	[CTA_IP_V6_SRC] = { .minlen = 16, .maxlen = 16 },
	[CTA_IP_V6_DST] = { .minlen = 16, .maxlen = 16 },
};

static const struct nla_policy protocol_policy[CTA_PROTO_MAX + 1] = {
	[CTA_PROTO_NUM] = { .type = NLA_U8 },
	[CTA_PROTO_SRC_PORT] = { .type = NLA_U16 },
	[CTA_PROTO_DST_PORT] = { .type = NLA_U16 },
};

/* One direction of an entry. */
struct tuple {
	struct ip from, to;
	uint16_t from_port, to_port, zone;
	uint8_t proto;
};

static uint16_t get_be16(struct nlattr *attr)
{
	return attr ? ntohs(nla_get_u16(attr)) : 0;
}

static uint32_t get_be32(struct nlattr *attr)
{
	return attr ? ntohl(nla_get_u32(attr)) : 0;
}

static bool read_addresses(struct nlattr *nest, int family, struct tuple *ret)
{
	bool v6 = family == AF_INET6;
	int from = v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, to = v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST;
	struct nlattr *tb[CTA_IP_MAX + 1];

	if (nl_read_nest(nest, tb, CTA_IP_MAX, address_policy) || !tb[from] || !tb[to])
		return false;
	ret->from = ip_make(family, nla_data(tb[from]));
	ret->to = ip_make(family, nla_data(tb[to]));
	return true;
}

static bool read_ports(struct nlattr *nest, struct tuple *ret)
{
	struct nlattr *tb[CTA_PROTO_MAX + 1];

	if (nl_read_nest(nest, tb, CTA_PROTO_MAX, protocol_policy) || !tb[CTA_PROTO_NUM] ||
		!tb[CTA_PROTO_SRC_PORT] || !tb[CTA_PROTO_DST_PORT])
		return false;
	ret->proto = nla_get_u8(tb[CTA_PROTO_NUM]);
	ret->from_port = get_be16(tb[CTA_PROTO_SRC_PORT]);
	ret->to_port = get_be16(tb[CTA_PROTO_DST_PORT]);
	return true;
}

static bool read_tuple(struct nlattr *nest, int family, struct tuple *ret)
{
	struct nlattr *tb[CTA_TUPLE_MAX + 1];

	if (nl_read_nest(nest, tb, CTA_TUPLE_MAX, tuple_policy) ||
		!read_addresses(tb[CTA_TUPLE_IP], family, ret) ||
		!read_ports(tb[CTA_TUPLE_PROTO], ret))
		return false;
	ret->zone = get_be16(tb[CTA_TUPLE_ZONE]);
	return true;
}

static int family_of(const struct nlmsghdr *msg)
{
	const struct nfgenmsg *h = nlmsg_data(msg);

	return h->nfgen_family == AF_INET6 ? AF_INET6 : AF_INET;
}

bool conntrack_read(const struct nlmsghdr *msg, struct conntrack_entry *ret)
{
	struct nlattr *tb[CTA_MAX + 1];
	struct tuple orig, reply;

	if (nl_read_attrs(msg, sizeof(struct nfgenmsg), tb, CTA_MAX, entry_policy) || !tb[CTA_ID] ||
		!read_tuple(tb[CTA_TUPLE_ORIG], family_of(msg), &orig) ||
		!read_tuple(tb[CTA_TUPLE_REPLY], family_of(msg), &reply))
		return false;
	*ret = (struct conntrack_entry){
		.flow = { .proto = orig.proto,
			.to = orig.to,
			.to_port = orig.to_port,
			.from = reply.from,
			.from_port = reply.from_port,
			.translated = get_be32(tb[CTA_STATUS]) & IPS_DST_NAT },
		.source = orig.from,
		.source_port = orig.from_port,
		.zone = get_be16(tb[CTA_ZONE]),
		.orig_zone = orig.zone,
		.id = ntohl(nla_get_u32(tb[CTA_ID])),
	};
	return true;
}

static struct nf_conntrack *new_object(void)
{
	struct nf_conntrack *ct = nfct_new();

	if (!ct)
		abort(); /* out of memory */
	return ct;
}

static void free_object(struct nf_conntrack **ct)
{
	nfct_destroy(*ct);
}

static void put_tuple(struct nf_conntrack *ct, const struct conntrack_entry *e)
{
	const struct stale_flow *flow = &e->flow;
	bool v6 = flow->to.family == AF_INET6;

	nfct_set_attr_u8(ct, ATTR_ORIG_L3PROTO, flow->to.family);
	nfct_set_attr_u8(ct, ATTR_ORIG_L4PROTO, flow->proto);
	nfct_set_attr(ct, v6 ? ATTR_ORIG_IPV6_SRC : ATTR_ORIG_IPV4_SRC, e->source.bytes);
	nfct_set_attr(ct, v6 ? ATTR_ORIG_IPV6_DST : ATTR_ORIG_IPV4_DST, flow->to.bytes);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(e->source_port));
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, htons(flow->to_port));
	if (e->zone)
		nfct_set_attr_u16(ct, ATTR_ZONE, e->zone);
	if (e->orig_zone)
		nfct_set_attr_u16(ct, ATTR_ORIG_ZONE, e->orig_zone);
}

void conntrack_write_delete(struct nl_writer *w, const struct conntrack_entry *e)
{
	_cleanup_(free_object) struct nf_conntrack *ct = new_object();
	int r;

	write_header(w, IPCTNL_MSG_CT_DELETE, 0, e->flow.to.family);
	put_tuple(ct, e);
	r = nfct_nlmsg_build(w->msg, ct);
	assert(!r); /* it fails only without ATTR_ORIG_L3PROTO */
	(void)r;
	/* what nfct_nlmsg_build() leaves out */
	nl_write_u32(w, CTA_ID, htonl(e->id));
}
