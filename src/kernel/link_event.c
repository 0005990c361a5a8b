// SPDX-License-Identifier: GPL-2.0-or-later
#include "link_event.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>

#include <netlink/msg.h>

#include "kernel/link.h"
#include "link_msg.h"
#include "nl.h"

/* One of ours is gone: by our own hand, where such a deletion is still to be told. */
static unsigned gone(uint32_t *own)
{
	if (!*own)
		return LINK_CHANGED_OURS;
	--*own;
	return 0;
}

/* `named`: the message is about a device of the name that is ours. */
static unsigned device_event(
	const struct nlmsghdr *msg, const struct ifinfomsg *h, bool named, struct link_watch *watch)
{
	bool was_ours = watch->index && h->ifi_index == watch->index;

	if (msg->nlmsg_type == RTM_NEWLINK && named) {
		watch->index = h->ifi_index;
		return 0;
	}
	if (!was_ours)
		return 0;
	watch->index = 0;
	return msg->nlmsg_type == RTM_DELLINK ? gone(&watch->own_links) : LINK_CHANGED_OURS;
}

/* A device that joins or leaves a bridge is told as a link of the family AF_BRIDGE that comes or
 * goes: the device itself stays. */
static unsigned link_event(const struct nlmsghdr *msg, struct link_watch *watch)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = { .type = NLA_STRING },
	};
	struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *h = nlmsg_data(msg);

	if (nl_read_attrs(msg, sizeof(*h), tb, IFLA_MAX, policy) || h->ifi_family != AF_UNSPEC ||
		!tb[IFLA_IFNAME])
		return 0;
	return device_event(msg, h, !strcmp(nla_get_string(tb[IFLA_IFNAME]), LINK_NAME), watch);
}

/* Addresses that go with a device which we delete are our own doing as well. */
static unsigned vip_event(
	const struct nlmsghdr *msg, const struct link_address *a, struct link_watch *watch)
{
	if (msg->nlmsg_type == RTM_NEWADDR || watch->own_links)
		return 0;
	return a->ip.family == AF_INET6 ? gone(&watch->own_addresses6) : LINK_CHANGED_OURS;
}

/* IPv6 routes of ours that name the address as their source lose it, and nothing is said about them
 * (fib6_remove_prefsrc()). */
static unsigned address_event(const struct nlmsghdr *msg, struct link_watch *watch)
{
	struct link_address a;

	if (link_read_address(msg, &a) <= 0)
		return 0;
	if (watch->index && a.index == watch->index)
		return vip_event(msg, &a, watch);
	if (!link_is_node_address(&a.ip))
		return 0;
	return msg->nlmsg_type == RTM_NEWADDR ? LINK_CHANGED_ADDRESSES
					      : LINK_CHANGED_ADDRESSES | LINK_CHANGED_OURS;
}

static unsigned route_event(const struct nlmsghdr *msg)
{
	const struct rtmsg *h = nlmsg_data(msg);

	if (!nlmsg_valid_hdr(msg, sizeof(*h)))
		return 0;
	if (!h->rtm_dst_len && h->rtm_type == RTN_UNICAST)
		return LINK_CHANGED_ADDRESSES;
	if (h->rtm_table != RT_TABLE_LOCAL)
		return 0;
	if (msg->nlmsg_type == RTM_NEWROUTE)
		return msg->nlmsg_flags & NLM_F_REPLACE ? LINK_CHANGED_OURS : 0;
	return h->rtm_protocol == LINK_ROUTE_PROTOCOL ? LINK_CHANGED_OURS : 0;
}

unsigned link_read_event(const struct nlmsghdr *msg, struct link_watch *watch)
{
	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_event(msg, watch);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return address_event(msg, watch);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_event(msg);
	default:
		return 0;
	}
}
