// SPDX-License-Identifier: GPL-2.0-or-later
#include "link_msg.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <netlink/msg.h>

#include "kernel/link.h"

static const char dummy_kind[] = "dummy";

void link_write_find_device(struct nl_writer *w)
{
	nl_write_begin(w, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
	nl_write_string(w, IFLA_IFNAME, LINK_NAME);
}

/* As kube-proxy makes it: no queue, and never brought up. */
static void write_new_device(struct nl_writer *w)
{
	struct nlattr *info;

	nl_write_begin(w, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	nl_write_string(w, IFLA_IFNAME, LINK_NAME);
	nl_write_u32(w, IFLA_TXQLEN, 0);
	info = nl_write_nest(w, IFLA_LINKINFO);
	nl_write_string(w, IFLA_INFO_KIND, dummy_kind);
	nl_write_nest_end(w, info);
}

static void write_device(struct nl_writer *w, const struct op *op, int index)
{
	struct ifinfomsg *h;

	switch (op->type) {
	case OP_ADD:
		write_new_device(w);
		return;
	case OP_DEL:
		h = nl_write_begin(w, RTM_DELLINK, 0, sizeof(*h));
		h->ifi_index = index;
		return;
	case OP_SET:
		link_write_find_device(w);
		return;
	}
}

static void write_ip(struct nl_writer *w, uint16_t type, int family, const uint8_t addr[16])
{
	nl_write_attr(w, type, addr, ip_bits(family) / 8);
}

static void write_route(struct nl_writer *w, const struct op *op)
{
	static const uint16_t flags[] = {
		[OP_ADD] = NLM_F_CREATE | NLM_F_EXCL,
		[OP_SET] = NLM_F_REPLACE,
		[OP_DEL] = 0,
	};
	static const uint8_t no_source[16];
	const struct fact *f = &op->fact;
	uint16_t type = op->type == OP_DEL ? RTM_DELROUTE : RTM_NEWROUTE;
	struct rtmsg *h = nl_write_begin(w, type, flags[op->type], sizeof(*h));

	h->rtm_family = f->key.family;
	h->rtm_dst_len = ip_bits(f->key.family);
	h->rtm_table = RT_TABLE_LOCAL;
	h->rtm_protocol = LINK_ROUTE_PROTOCOL;
	h->rtm_scope = f->key.family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	h->rtm_type = RTN_LOCAL;
	write_ip(w, RTA_DST, f->key.family, f->key.addr);
	nl_write_u32(w, RTA_OIF, LINK_LO_INDEX);
	nl_write_u32(w, RTA_PRIORITY, LINK_ROUTE_METRIC);
	if (op->type != OP_DEL && memcmp(f->val.route.source, no_source, sizeof(no_source)) != 0)
		write_ip(w, RTA_PREFSRC, f->key.family, f->val.route.source);
}

/* An address has no value, so setting it is to make sure that it is there. IPv6: nobody else may
 * have a VIP, so no time is lost with asking (duplicate address detection). */
static void write_address(struct nl_writer *w, const struct op *op, int index)
{
	static const uint16_t flags[] = {
		[OP_ADD] = NLM_F_CREATE | NLM_F_EXCL,
		[OP_SET] = NLM_F_CREATE | NLM_F_REPLACE,
		[OP_DEL] = 0,
	};
	const struct fact_key *key = &op->fact.key;
	uint16_t type = op->type == OP_DEL ? RTM_DELADDR : RTM_NEWADDR;
	struct ifaddrmsg *h = nl_write_begin(w, type, flags[op->type], sizeof(*h));

	h->ifa_family = key->family;
	h->ifa_prefixlen = ip_bits(key->family);
	h->ifa_flags = key->family == AF_INET6 ? IFA_F_NODAD : 0;
	h->ifa_index = (uint32_t)index;
	write_ip(w, IFA_LOCAL, key->family, key->addr);
	write_ip(w, IFA_ADDRESS, key->family, key->addr);
}

void link_write_op(struct nl_writer *w, const struct op *op, int index)
{
	if (op->fact.key.kind == FACT_LINK)
		write_device(w, op, index);
	else if (op->fact.key.kind == FACT_ROUTE)
		write_route(w, op);
	else
		write_address(w, op, index);
}

void link_write_dump_routes(struct nl_writer *w, int family)
{
	struct rtmsg *h = nl_write_begin(w, RTM_GETROUTE, NLM_F_DUMP, sizeof(*h));

	h->rtm_family = (uint8_t)family;
	h->rtm_table = RT_TABLE_LOCAL;
	h->rtm_protocol = LINK_ROUTE_PROTOCOL;
	h->rtm_type = RTN_LOCAL;
}

void link_write_dump_addresses(struct nl_writer *w, int index)
{
	struct ifaddrmsg *h = nl_write_begin(w, RTM_GETADDR, NLM_F_DUMP, sizeof(*h));

	h->ifa_index = (uint32_t)index;
}

static bool is_dummy(struct nlattr *info)
{
	static const struct nla_policy policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = { .type = NLA_STRING },
	};
	struct nlattr *tb[IFLA_INFO_MAX + 1];

	return info && !nl_read_nest(info, tb, IFLA_INFO_MAX, policy) && tb[IFLA_INFO_KIND] &&
		!strcmp(nla_get_string(tb[IFLA_INFO_KIND]), dummy_kind);
}

int link_read_device(const struct nlmsghdr *msg, struct link_device *ret)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_LINKINFO] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *h = nlmsg_data(msg);

	if (nl_read_attrs(msg, sizeof(*h), tb, IFLA_MAX, policy))
		return -EBADMSG;
	*ret = (struct link_device){ .index = h->ifi_index, .dummy = is_dummy(tb[IFLA_LINKINFO]) };
	return 0;
}

/* False where the attribute is too short for an address of that family. */
static bool read_ip(int family, const struct nlattr *attr, struct ip *ret)
{
	if (nla_len(attr) < ip_bits(family) / 8)
		return false;
	*ret = ip_make(family, nla_data(attr));
	return true;
}

static bool has_u32(const struct nlattr *attr, uint32_t value)
{
	return attr && nla_get_u32(attr) == value;
}

static bool is_ours(const struct rtmsg *h, struct nlattr *tb[])
{
	if (h->rtm_family != AF_INET && h->rtm_family != AF_INET6)
		return false;
	return h->rtm_protocol == LINK_ROUTE_PROTOCOL && h->rtm_table == RT_TABLE_LOCAL &&
		h->rtm_type == RTN_LOCAL && h->rtm_dst_len == ip_bits(h->rtm_family) &&
		!h->rtm_tos && has_u32(tb[RTA_PRIORITY], LINK_ROUTE_METRIC) &&
		has_u32(tb[RTA_OIF], LINK_LO_INDEX);
}

int link_read_route(const struct nlmsghdr *msg, struct fact *ret)
{
	static const struct nla_policy policy[RTA_MAX + 1] = {
		[RTA_OIF] = { .type = NLA_U32 },
		[RTA_PRIORITY] = { .type = NLA_U32 },
	};
	struct nlattr *tb[RTA_MAX + 1];
	const struct rtmsg *h = nlmsg_data(msg);
	struct ip vip, source = { 0 };

	if (nl_read_attrs(msg, sizeof(*h), tb, RTA_MAX, policy))
		return -EBADMSG;
	if (!is_ours(h, tb))
		return 0;
	if (!tb[RTA_DST] || !read_ip(h->rtm_family, tb[RTA_DST], &vip))
		return -EBADMSG;
	if (tb[RTA_PREFSRC] && !read_ip(h->rtm_family, tb[RTA_PREFSRC], &source))
		return -EBADMSG;
	*ret = fact_route(&vip, &source);
	return 1;
}

/* IFA_ADDRESS is the other end's address on a point-to-point interface. */
int link_read_address(const struct nlmsghdr *msg, struct link_address *ret)
{
	struct nlattr *tb[IFA_MAX + 1], *attr;
	const struct ifaddrmsg *h = nlmsg_data(msg);
	struct link_address a;

	if (nl_read_attrs(msg, sizeof(*h), tb, IFA_MAX, NULL))
		return -EBADMSG;
	if (h->ifa_family != AF_INET && h->ifa_family != AF_INET6)
		return 0;
	attr = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!attr || !read_ip(h->ifa_family, attr, &a.ip))
		return -EBADMSG;
	a.index = (int)h->ifa_index;
	a.prefix_len = h->ifa_prefixlen;
	*ret = a;
	return 1;
}

bool link_is_node_address(const struct ip *ip)
{
	return !ip_is_loopback(ip) && !(ip->family == AF_INET6 && ip_is_link_local(ip));
}

/*
 * A missing route is ESRCH (fib_table_delete(), ip6_route_del()), which to the ledger would be a
 * missing parent. A missing device is ENODEV, to addresses the parent; a device on which IPv6 was
 * never set up is ENXIO to inet6_addr_del(), and has no address to delete.
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
