// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/link_monitor.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "link_msg.h"
#include "link_rule_msg.h"
#include "nl.h"

/* An object of ours was deleted: by us, as long as *own counts notifications still to come. */
static unsigned gone(uint32_t *own)
{
	if (!*own)
		return LINK_CHANGED_OURS;
	--*own;
	return 0;
}

/* A device that joins or leaves a bridge is notified as a link of the family AF_BRIDGE that comes
 * or goes: the device itself stays. */
static unsigned watch_link(struct link_watch *watch, struct nlmsghdr *msg)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = { .type = NLA_STRING },
	};
	struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *h = nlmsg_data(msg);
	unsigned changed = 0;

	if (nlmsg_parse(msg, sizeof(*h), tb, IFLA_MAX, policy) || h->ifi_family != AF_UNSPEC ||
		!tb[IFLA_IFNAME] || !h->ifi_index)
		return 0;
	for (size_t i = 0; i < LINK_DEVICES; i++) {
		if (msg->nlmsg_type == RTM_NEWLINK &&
			!strcmp(nla_get_string(tb[IFLA_IFNAME]), link_device_names[i])) {
			watch->index[i] = h->ifi_index;
			if (i == LINK_DEVICE_HELD && h->ifi_flags & IFF_UP)
				changed |= LINK_CHANGED_OURS;
		} else if (h->ifi_index == watch->index[i]) {
			/* RTM_NEWLINK with another name: the device was renamed. */
			watch->index[i] = 0;
			changed |= msg->nlmsg_type == RTM_DELLINK ? gone(&watch->own_links[i])
								  : LINK_CHANGED_OURS;
		}
	}
	return changed;
}

static unsigned watch_address(struct link_watch *watch, struct nlmsghdr *msg)
{
	bool deleted = msg->nlmsg_type == RTM_DELADDR;
	struct link_address a;

	if (link_read_address(msg, &a) <= 0)
		return 0;
	for (size_t i = 0; i < LINK_DEVICES; i++) {
		if (!watch->index[i] || a.index != watch->index[i])
			continue;
		/* Addresses that go with a device which we delete are our own doing as well. */
		if (!deleted || watch->own_links[i])
			return 0;
		if (a.ip.family == AF_INET)
			return LINK_CHANGED_OURS;
		/* IPv6 addresses are not held. */
		return i == LINK_DEVICE_HELD ? 0 : gone(&watch->own_addresses6);
	}
	if (!link_is_node_address(&a.ip))
		return 0;
	/* IPv6 routes of ours that name the address as their source lose it, and there is no
	 * notification of that (fib6_remove_prefsrc()). */
	return deleted ? LINK_CHANGED_ADDRESSES | LINK_CHANGED_OURS : LINK_CHANGED_ADDRESSES;
}

static unsigned watch_route(struct nlmsghdr *msg)
{
	const struct rtmsg *h = nlmsg_data(msg);

	if (!nlmsg_valid_hdr(msg, sizeof(*h)))
		return 0;
	if (!h->rtm_dst_len && h->rtm_type == RTN_UNICAST)
		return LINK_CHANGED_ADDRESSES;
	if (msg->nlmsg_type == RTM_DELROUTE)
		return h->rtm_protocol == LINK_ROUTE_PROTOCOL ? LINK_CHANGED_OURS : 0;
	return h->rtm_table == RT_TABLE_LOCAL && msg->nlmsg_flags & NLM_F_REPLACE
		? LINK_CHANGED_OURS
		: 0;
}

unsigned link_watch_read(struct link_watch *watch, struct nlmsghdr *msg)
{
	struct link_rule rule;

	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return watch_link(watch, msg);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return watch_address(watch, msg);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return watch_route(msg);
	case RTM_DELRULE:
		return link_read_rule(msg, &rule) > 0 && rule.ours ? LINK_CHANGED_OURS : 0;
	default:
		return 0;
	}
}

struct link_monitor {
	struct nl_port *port;
	const struct link_own *own; /* NULL: all changes are made by others */
	struct link_own seen;	    /* the adapter's deletions when the queue was last empty */
	struct link_watch watch;
	unsigned changed; /* by the notifications that are being read */
};

/*
 * What cannot matter is dropped before it takes room in the queue, which ten thousand routes at the
 * start would overflow:
 * 1. Changes by our adapter. But links always pass, to learn the indexes of the devices.
 * 2. New routes that are no default routes and replace nothing. With each held address the kernel
 *    adds one, and names no sender.
 * BPF_ABS loads convert from network byte order.
 */
static int filter_notifications(int fd, uint32_t own)
{
	static const uint32_t dst_len = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_dst_len);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 9, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 8, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 0, 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_flags)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_REPLACE), 2, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, dst_len),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

/* Looks up the devices with another socket, because on the monitor's notifications come in
 * between. */
static int watch_find_devices(struct link_watch *watch, struct err *err)
{
	struct link_device d[LINK_DEVICES];
	struct nl_port *p;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < LINK_DEVICES; i++)
		r = link_ask_device(p, link_device_names[i], &d[i]);
	nl_port_free(p);
	if (r)
		return err_errno(err, r, "cannot read the devices of ours");
	for (size_t i = 0; i < LINK_DEVICES; i++)
		watch->index[i] = d[i].index;
	return 0;
}

int link_monitor_new(struct adapter *own, struct link_monitor **ret, struct err *err)
{
	static const unsigned groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE };
	struct link_monitor *m = new0(struct link_monitor);
	int r = nl_port_open(NETLINK_ROUTE, &m->port, err);

	if (r)
		goto fail;
	if (own) {
		m->own = link_own(own);
		m->seen = *m->own;
	}
	/* The monitor itself changes nothing. */
	r = filter_notifications(m->port->fd, own ? m->own->port : m->port->id);
	for (size_t i = 0; !r && i < ARRAY_SIZE(groups); i++)
		r = nl_port_join(m->port, groups[i]);
	if (r) {
		err_errno(err, r, "cannot watch the node's addresses and routes");
		goto fail;
	}
	/* After joining, so that no change of the devices is missed. */
	r = watch_find_devices(&m->watch, err);
	if (r)
		goto fail;
	*ret = m;
	return 0;

fail:
	link_monitor_free(m);
	return r;
}

void link_monitor_free(struct link_monitor *m)
{
	if (!m)
		return;
	nl_port_free(m->port);
	free(m);
}

int link_monitor_fd(const struct link_monitor *m)
{
	return m->port->fd;
}

static void take_notification(struct nlmsghdr *msg, void *arg)
{
	struct link_monitor *m = arg;

	m->changed |= link_watch_read(&m->watch, msg);
}

unsigned link_monitor_read(struct link_monitor *m)
{
	m->changed = 0;
	if (m->own) {
		for (size_t i = 0; i < LINK_DEVICES; i++)
			m->watch.own_links[i] = m->own->links_deleted[i] - m->seen.links_deleted[i];
		m->watch.own_addresses6 = m->own->addresses6_deleted - m->seen.addresses6_deleted;
		m->seen = *m->own;
	}
	if (nl_port_drain(m->port, take_notification, m)) {
		m->changed = LINK_CHANGED_ADDRESSES | LINK_CHANGED_OURS;
		watch_find_devices(&m->watch, NULL);
	}
	/* The kernel queues notifications before it answers the request that caused them, so with
	 * an empty queue none of our deletions is still to be notified. */
	memset(m->watch.own_links, 0, sizeof(m->watch.own_links));
	m->watch.own_addresses6 = 0;
	return m->changed;
}
