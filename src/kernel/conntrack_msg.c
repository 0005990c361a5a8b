// SPDX-License-Identifier: GPL-2.0-or-later
#include "conntrack_msg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "base/mem.h"

/*
 * CTA_FILTER_F_CTA_PROTO_NUM and _DST_PORT in the kernel's net/netfilter/nf_internals.h: what of
 * CTA_TUPLE_ORIG entries must have. There is one for the address, too, but for IPv6 it lets all
 * entries pass that do not have it (ctnetlink_filter_match_tuple()).
 */
enum { FILTER_PROTOCOL = 1 << 3, FILTER_TO_PORT = 1 << 5 };

struct nl_msg *conntrack_msg_dump(int family, uint8_t proto, uint16_t port)
{
	struct nl_msg *msg = nl_request_netfilter(
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	struct nlattr *tuple, *protocol, *filter;

	if (!proto)
		return msg;
	tuple = nla_nest_start(msg, CTA_TUPLE_ORIG | NLA_F_NESTED);
	protocol = nla_nest_start(msg, CTA_TUPLE_PROTO | NLA_F_NESTED);
	if (!tuple || !protocol)
		goto nla_put_failure;
	NLA_PUT_U8(msg, CTA_PROTO_NUM, proto);
	if (port)
		NLA_PUT_U16(msg, CTA_PROTO_DST_PORT, htons(port));
	nla_nest_end(msg, protocol);
	nla_nest_end(msg, tuple);

	filter = nla_nest_start(msg, CTA_FILTER | NLA_F_NESTED);
	if (!filter)
		goto nla_put_failure;
	NLA_PUT_U32(msg, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | (port ? FILTER_TO_PORT : 0));
	nla_nest_end(msg, filter);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *conntrack_msg_delete(const struct conntrack_entry *e)
{
	const struct stale_flow *flow = &e->flow;
	bool v6 = flow->to.family == AF_INET6;
	int len = ip_bits(flow->to.family) / 8;
	struct nl_msg *msg = nl_request_netfilter(
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0, flow->to.family);
	struct nlattr *tuple, *nest;

	tuple = nla_nest_start(msg, CTA_TUPLE_ORIG | NLA_F_NESTED);
	nest = nla_nest_start(msg, CTA_TUPLE_IP | NLA_F_NESTED);
	if (!tuple || !nest)
		goto nla_put_failure;
	NLA_PUT(msg, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len, e->source.bytes);
	NLA_PUT(msg, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, len, flow->to.bytes);
	nla_nest_end(msg, nest);
	nest = nla_nest_start(msg, CTA_TUPLE_PROTO | NLA_F_NESTED);
	if (!nest)
		goto nla_put_failure;
	NLA_PUT_U8(msg, CTA_PROTO_NUM, flow->proto);
	NLA_PUT_U16(msg, CTA_PROTO_SRC_PORT, htons(e->source_port));
	NLA_PUT_U16(msg, CTA_PROTO_DST_PORT, htons(flow->to_port));
	nla_nest_end(msg, nest);
	if (e->orig_zone)
		NLA_PUT_U16(msg, CTA_TUPLE_ZONE, htons(e->orig_zone));
	nla_nest_end(msg, tuple);
	if (e->zone)
		NLA_PUT_U16(msg, CTA_ZONE, htons(e->zone));
	NLA_PUT_U32(msg, CTA_ID, htonl(e->id));
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

static const struct nla_policy entry_policy[CTA_MAX + 1] = {
	[CTA_TUPLE_ORIG] = { .type = NLA_NESTED },
	[CTA_TUPLE_REPLY] = { .type = NLA_NESTED },
	[CTA_STATUS] = { .type = NLA_U32 },
	[CTA_PROTOINFO] = { .type = NLA_NESTED },
	[CTA_TIMEOUT] = { .type = NLA_U32 },
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

static bool read_tuple(struct nlattr *nest, int family, struct tuple *ret)
{
	bool v6 = family == AF_INET6;
	int from = v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, to = v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST;
	struct nlattr *tb[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *proto[CTA_PROTO_MAX + 1];

	if (nl_parse_nested(nest, tb, CTA_TUPLE_MAX, tuple_policy) ||
		nl_parse_nested(tb[CTA_TUPLE_IP], ip, CTA_IP_MAX, address_policy) || !ip[from] ||
		!ip[to] ||
		nl_parse_nested(tb[CTA_TUPLE_PROTO], proto, CTA_PROTO_MAX, protocol_policy) ||
		!proto[CTA_PROTO_NUM] || !proto[CTA_PROTO_SRC_PORT] || !proto[CTA_PROTO_DST_PORT])
		return false;
	*ret = (struct tuple){
		.from = ip_make(family, nla_data(ip[from])),
		.to = ip_make(family, nla_data(ip[to])),
		.from_port = get_be16(proto[CTA_PROTO_SRC_PORT]),
		.to_port = get_be16(proto[CTA_PROTO_DST_PORT]),
		.zone = get_be16(tb[CTA_TUPLE_ZONE]),
		.proto = nla_get_u8(proto[CTA_PROTO_NUM]),
	};
	return true;
}

static bool read_entry(struct nlmsghdr *msg, struct nlattr *tb[static CTA_MAX + 1],
	struct tuple *ret_orig, struct tuple *ret_reply)
{
	const struct nfgenmsg *h = nlmsg_data(msg);
	int family;

	if (nlmsg_parse(msg, sizeof(*h), tb, CTA_MAX, entry_policy) || !tb[CTA_ID])
		return false;
	family = h->nfgen_family == AF_INET6 ? AF_INET6 : AF_INET;
	return read_tuple(tb[CTA_TUPLE_ORIG], family, ret_orig) &&
		read_tuple(tb[CTA_TUPLE_REPLY], family, ret_reply);
}

static uint32_t get_be32(struct nlattr *attr)
{
	return attr ? ntohl(nla_get_u32(attr)) : 0;
}

bool conntrack_read(struct nlmsghdr *msg, struct conntrack_entry *ret)
{
	struct nlattr *tb[CTA_MAX + 1];
	struct tuple orig, reply;

	if (!read_entry(msg, tb, &orig, &reply))
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
		.id = get_be32(tb[CTA_ID]),
	};
	return true;
}

static const struct nla_policy protoinfo_policy[CTA_PROTOINFO_MAX + 1] = {
	[CTA_PROTOINFO_TCP] = { .type = NLA_NESTED },
	[CTA_PROTOINFO_SCTP] = { .type = NLA_NESTED },
};

static const struct nla_policy tcp_policy[CTA_PROTOINFO_TCP_MAX + 1] = {
	[CTA_PROTOINFO_TCP_STATE] = { .type = NLA_U8 },
};

static const struct nla_policy sctp_policy[CTA_PROTOINFO_SCTP_MAX + 1] = {
	[CTA_PROTOINFO_SCTP_STATE] = { .type = NLA_U8 },
};

/* The names of /proc/net/nf_conntrack; "?" for a state of a newer kernel. */
static const char *state_of(uint8_t proto, uint32_t status, struct nlattr *protoinfo)
{
	static const char *const tcp[] = { "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED",
		"FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2" };
	static const char *const sctp[] = { "NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED",
		"ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT" };
	struct nlattr *tb[CTA_PROTOINFO_MAX + 1], *state[CTA_PROTOINFO_TCP_MAX + 1];
	uint8_t n;

	static_assert((int)CTA_PROTOINFO_SCTP_MAX <= (int)CTA_PROTOINFO_TCP_MAX, "room in `state`");
	if (proto == IPPROTO_UDP)
		return status & IPS_SEEN_REPLY ? "UDP" : "UNREPLIED";
	if (nl_parse_nested(protoinfo, tb, CTA_PROTOINFO_MAX, protoinfo_policy))
		return "?";
	if (proto == IPPROTO_TCP) {
		if (nl_parse_nested(
			    tb[CTA_PROTOINFO_TCP], state, CTA_PROTOINFO_TCP_MAX, tcp_policy) ||
			!state[CTA_PROTOINFO_TCP_STATE])
			return "?";
		n = nla_get_u8(state[CTA_PROTOINFO_TCP_STATE]);
		return n < ARRAY_SIZE(tcp) ? tcp[n] : "?";
	}
	if (nl_parse_nested(tb[CTA_PROTOINFO_SCTP], state, CTA_PROTOINFO_SCTP_MAX, sctp_policy) ||
		!state[CTA_PROTOINFO_SCTP_STATE])
		return "?";
	n = nla_get_u8(state[CTA_PROTOINFO_SCTP_STATE]);
	return n < ARRAY_SIZE(sctp) ? sctp[n] : "?";
}

bool conntrack_read_connection(struct nlmsghdr *msg, struct connection *ret)
{
	struct nlattr *tb[CTA_MAX + 1];
	struct tuple orig, reply;
	uint32_t status;

	if (!read_entry(msg, tb, &orig, &reply) ||
		(orig.proto != IPPROTO_TCP && orig.proto != IPPROTO_UDP &&
			orig.proto != IPPROTO_SCTP))
		return false;
	status = get_be32(tb[CTA_STATUS]);
	*ret = (struct connection){
		.client = orig.from,
		.client_port = orig.from_port,
		.vip = orig.to,
		.vip_port = orig.to_port,
		.endpoint = reply.from,
		.endpoint_port = reply.from_port,
		.proto = orig.proto,
		/* IPVS only changes the tuple of the reply (ip_vs_update_conntrack()). */
		.translated = status & IPS_DST_NAT || !ip_eq(&reply.from, &orig.to) ||
			reply.from_port != orig.to_port,
		.expires = get_be32(tb[CTA_TIMEOUT]),
	};
	strcpy(ret->state, state_of(orig.proto, status, tb[CTA_PROTOINFO]));
	return true;
}
