// SPDX-License-Identifier: GPL-2.0-or-later
#include "link_msg.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/link.h"

static const char dummy_kind[] = "dummy";

struct nl_msg *link_msg_find_device(const char *name)
{
	const struct ifinfomsg h = { 0 };
	struct nl_msg *msg = nl_request_new(RTM_GETLINK, NLM_F_ACK, &h, sizeof(h));

	NLA_PUT_STRING(msg, IFLA_IFNAME, name);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

/* A number that has no room in a struct rtmsg is in RTA_TABLE. */
static uint8_t link_msg_table(uint32_t table)
{
	return table <= UINT8_MAX ? (uint8_t)table : RT_TABLE_UNSPEC;
}

static struct nl_msg *link_msg_route(const struct op *op)
{
	static const int flags[] = {
		[OP_ADD] = NLM_F_CREATE | NLM_F_EXCL,
		[OP_SET] = NLM_F_REPLACE,
		[OP_DEL] = 0,
	};
	static const uint8_t no_source[16];
	const struct fact_key *key = &op->fact.key;
	const uint8_t *source = op->fact.val.route.source;
	const uint32_t table = key->port ? key->port : RT_TABLE_LOCAL;
	const struct rtmsg h = {
		.rtm_family = key->family,
		.rtm_dst_len = ip_bits(key->family),
		.rtm_table = link_msg_table(table),
		.rtm_protocol = LINK_ROUTE_PROTOCOL,
		.rtm_scope = key->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_LOCAL,
	};
	struct nl_msg *msg = nl_request_new(
		op->type == OP_DEL ? RTM_DELROUTE : RTM_NEWROUTE, flags[op->type], &h, sizeof(h));

	NLA_PUT(msg, RTA_DST, h.rtm_dst_len / 8, key->addr);
	NLA_PUT_U32(msg, RTA_OIF, LINK_LO_INDEX);
	NLA_PUT_U32(msg, RTA_PRIORITY, LINK_ROUTE_METRIC);
	if (op->type != OP_DEL && memcmp(source, no_source, sizeof(no_source)) != 0)
		NLA_PUT(msg, RTA_PREFSRC, h.rtm_dst_len / 8, source);
	if (!h.rtm_table)
		NLA_PUT_U32(msg, RTA_TABLE, table);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

/* An address has no value, so OP_SET makes sure that it exists. IPv6: nobody else may have a VIP,
 * so there is no duplicate address detection, which takes a second. */
static struct nl_msg *link_msg_address(const struct op *op, int index)
{
	static const int flags[] = {
		[OP_ADD] = NLM_F_CREATE | NLM_F_EXCL,
		[OP_SET] = NLM_F_CREATE | NLM_F_REPLACE,
		[OP_DEL] = 0,
	};
	const struct fact_key *key = &op->fact.key;
	const struct ifaddrmsg h = {
		.ifa_family = key->family,
		.ifa_prefixlen = ip_bits(key->family),
		.ifa_flags = key->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_index = (uint32_t)index,
	};
	struct nl_msg *msg = nl_request_new(
		op->type == OP_DEL ? RTM_DELADDR : RTM_NEWADDR, flags[op->type], &h, sizeof(h));

	NLA_PUT(msg, IFA_LOCAL, h.ifa_prefixlen / 8, key->addr);
	NLA_PUT(msg, IFA_ADDRESS, h.ifa_prefixlen / 8, key->addr);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

/* A device is created as kube-proxy does: no queue, and never brought up; OP_SET sets it down. Dummy
 * devices have IFF_NOARP. */
static struct nl_msg *link_msg_device(const struct op *op, int index)
{
	const struct ifinfomsg by_name = { 0 }, by_index = { .ifi_index = index },
			       down = { .ifi_index = index, .ifi_change = IFF_UP };
	struct nlattr *info;
	struct nl_msg *msg;

	if (op->type == OP_SET)
		return nl_request_new(RTM_NEWLINK, 0, &down, sizeof(down));
	if (op->type == OP_DEL)
		return nl_request_new(RTM_DELLINK, 0, &by_index, sizeof(by_index));

	msg = nl_request_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &by_name, sizeof(by_name));
	NLA_PUT_STRING(msg, IFLA_IFNAME, op->fact.key.name);
	NLA_PUT_U32(msg, IFLA_TXQLEN, 0);
	info = nla_nest_start(msg, IFLA_LINKINFO | NLA_F_NESTED);
	if (!info)
		goto nla_put_failure;
	NLA_PUT_STRING(msg, IFLA_INFO_KIND, dummy_kind);
	nla_nest_end(msg, info);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *link_msg_op(const struct op *op, int index)
{
	if (op->fact.key.kind == FACT_ROUTE)
		return link_msg_route(op);
	if (op->fact.key.kind == FACT_ADDR)
		return link_msg_address(op, index);
	return link_msg_device(op, index);
}

struct nl_msg *link_msg_dump_routes(int family, uint32_t table)
{
	const struct rtmsg h = {
		.rtm_family = (uint8_t)family,
		.rtm_table = link_msg_table(table),
		.rtm_protocol = LINK_ROUTE_PROTOCOL,
		.rtm_type = RTN_LOCAL,
	};
	struct nl_msg *msg = nl_request_new(RTM_GETROUTE, NLM_F_DUMP, &h, sizeof(h));

	if (!h.rtm_table)
		NLA_PUT_U32(msg, RTA_TABLE, table);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *link_msg_route_get(const struct ip *dst)
{
	const struct rtmsg h = { .rtm_family = dst->family, .rtm_dst_len = ip_bits(dst->family) };
	struct nl_msg *msg = nl_request_new(RTM_GETROUTE, NLM_F_ACK, &h, sizeof(h));

	NLA_PUT(msg, RTA_DST, h.rtm_dst_len / 8, dst->bytes);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *link_msg_dump_addresses(int index)
{
	const struct ifaddrmsg h = { .ifa_index = (uint32_t)index };

	return nl_request_new(RTM_GETADDR, NLM_F_DUMP, &h, sizeof(h));
}

int link_read_device(struct nlmsghdr *msg, void *ret)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_LINKINFO] = { .type = NLA_NESTED },
	};
	static const struct nla_policy info_policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = { .type = NLA_STRING },
	};
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *h = nlmsg_data(msg);

	if (nlmsg_parse(msg, sizeof(*h), tb, IFLA_MAX, policy))
		return -EBADMSG;
	*(struct link_device *)ret = (struct link_device){
		.index = h->ifi_index,
		.dummy = !nl_parse_nested(tb[IFLA_LINKINFO], info, IFLA_INFO_MAX, info_policy) &&
			info[IFLA_INFO_KIND] &&
			!strcmp(nla_get_string(info[IFLA_INFO_KIND]), dummy_kind),
		.up = h->ifi_flags & IFF_UP,
	};
	return 0;
}

bool link_read_ip(int family, const struct nlattr *attr, struct ip *ret)
{
	if (nla_len(attr) < ip_bits(family) / 8)
		return false;
	*ret = ip_make(family, nla_data(attr));
	return true;
}

int link_read_route(struct nlmsghdr *msg, struct fact *ret)
{
	static const struct nla_policy policy[RTA_MAX + 1] = {
		[RTA_OIF] = { .type = NLA_U32 },
		[RTA_PRIORITY] = { .type = NLA_U32 },
		[RTA_TABLE] = { .type = NLA_U32 },
	};
	struct nlattr *tb[RTA_MAX + 1];
	const struct rtmsg *h = nlmsg_data(msg);
	struct ip vip, source = { 0 };
	uint32_t table;

	if (nlmsg_parse(msg, sizeof(*h), tb, RTA_MAX, policy))
		return -EBADMSG;
	if ((h->rtm_family != AF_INET && h->rtm_family != AF_INET6) ||
		h->rtm_protocol != LINK_ROUTE_PROTOCOL || h->rtm_type != RTN_LOCAL ||
		h->rtm_dst_len != ip_bits(h->rtm_family) || h->rtm_tos || !tb[RTA_PRIORITY] ||
		!tb[RTA_OIF] || nla_get_u32(tb[RTA_PRIORITY]) != LINK_ROUTE_METRIC ||
		nla_get_u32(tb[RTA_OIF]) != LINK_LO_INDEX)
		return 0;

	if (!tb[RTA_DST] || !link_read_ip(h->rtm_family, tb[RTA_DST], &vip))
		return -EBADMSG;
	if (tb[RTA_PREFSRC] && !link_read_ip(h->rtm_family, tb[RTA_PREFSRC], &source))
		return -EBADMSG;
	table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : h->rtm_table;
	if (!table || table > UINT16_MAX)
		return 0;
	*ret = fact_route(&vip, &source);
	if (table != RT_TABLE_LOCAL)
		ret->key.port = (uint16_t)table;
	return 1;
}

/* RTA_VIA: a gateway of another family, which IPv4 routes can have. */
int link_read_hop(struct nlmsghdr *msg, void *ret)
{
	static const struct nla_policy policy[RTA_MAX + 1] = {
		[RTA_OIF] = { .type = NLA_U32 },
		[RTA_VIA] = { .minlen = sizeof(struct rtvia) + 4 },
	};
	struct nlattr *tb[RTA_MAX + 1];
	const struct rtmsg *h = nlmsg_data(msg);
	struct link_hop hop = { 0 };

	if (nlmsg_parse(msg, sizeof(*h), tb, RTA_MAX, policy) ||
		(h->rtm_family != AF_INET && h->rtm_family != AF_INET6))
		return -EBADMSG;
	hop.type = h->rtm_type;
	hop.maker = h->rtm_protocol;
	hop.index = tb[RTA_OIF] ? (int)nla_get_u32(tb[RTA_OIF]) : 0;
	if (tb[RTA_GATEWAY] && !link_read_ip(h->rtm_family, tb[RTA_GATEWAY], &hop.via))
		return -EBADMSG;
	if (tb[RTA_VIA]) {
		const struct rtvia *via = nla_data(tb[RTA_VIA]);
		int family = via->rtvia_family;

		if ((family != AF_INET && family != AF_INET6) ||
			nla_len(tb[RTA_VIA]) < (int)sizeof(*via) + ip_bits(family) / 8)
			return -EBADMSG;
		hop.via = ip_make(family, via->rtvia_addr);
	}
	*(struct link_hop *)ret = hop;
	return 0;
}

/* IFA_ADDRESS is the other end's address on a point-to-point interface. */
int link_read_address(struct nlmsghdr *msg, struct link_address *ret)
{
	struct nlattr *tb[IFA_MAX + 1], *attr;
	const struct ifaddrmsg *h = nlmsg_data(msg);
	struct ip ip;

	if (nlmsg_parse(msg, sizeof(*h), tb, IFA_MAX, NULL))
		return -EBADMSG;
	if (h->ifa_family != AF_INET && h->ifa_family != AF_INET6)
		return 0;
	attr = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!attr || !link_read_ip(h->ifa_family, attr, &ip))
		return -EBADMSG;
	*ret = (struct link_address){
		.index = (int)h->ifa_index, .ip = ip, .prefix_len = h->ifa_prefixlen
	};
	return 1;
}

/*
 * A missing route is ESRCH (fib_table_delete(), ip6_route_del()), which the ledger would take for a
 * missing parent. A missing device is ENODEV; it is the parent of addresses. inet6_addr_del()
 * answers ENXIO for a device on which IPv6 was never set up, which has no address to delete.
 */
int link_result(const struct op *op, int answer)
{
	if (op->fact.key.kind == FACT_ROUTE)
		return answer == -ESRCH ? -ENOENT : answer;
	if (op->fact.key.kind == FACT_LINK)
		return answer == -ENODEV ? -ENOENT : answer;
	if (answer == -ENODEV)
		return -ESRCH;
	if (op->type == OP_DEL && (answer == -EADDRNOTAVAIL || answer == -ENXIO))
		return -ENOENT;
	return answer;
}

int link_ask_device(struct nl_port *p, const char *name, struct link_device *ret)
{
	struct link_device found = { 0 };
	int r = nl_port_ask(p, link_msg_find_device(name), link_read_device, NULL, &found);

	if (r && r != -ENODEV)
		return r;
	*ret = found;
	return 0;
}
