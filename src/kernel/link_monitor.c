// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/link.h"
#include "link_event.h"
#include "link_find.h"
#include "link_own.h"
#include "nl.h"

enum { EVERYTHING = LINK_CHANGED_ADDRESSES | LINK_CHANGED_OURS };

struct link_monitor {
	struct nl_port *port;
	const struct link_own *own; /* NULL: all that happens is by others */
	struct link_own seen;	    /* what the adapter had deleted when the queue was last empty */
	struct link_watch watch;
};

/*
 * What our adapter does is dropped before it takes room in the queue: ten thousand routes at the
 * start would overflow it. Links are told always, to learn the number of the device. The filter
 * reads words as if they came from the network.
 */
static int drop_own(int fd, uint32_t sender)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(sender), 0, 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

static int join_groups(struct nl_port *p)
{
	static const unsigned groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(groups); i++)
		r = nl_port_join(p, groups[i]);
	return r;
}

/* The device is looked up after joining, so that no change of it is missed, and with another
 * socket, because here notifications come in between. */
static int find_index(int *ret, struct err *err)
{
	struct link_device d;
	struct nl_port *p;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	r = link_find_device(p, &d);
	nl_port_free(p);
	if (r)
		return err_errno(err, r, "cannot read the device " LINK_NAME);
	*ret = d.index;
	return 0;
}

static int monitor_open(struct link_monitor *m, struct err *err)
{
	int r = nl_port_open(NETLINK_ROUTE, &m->port, err);

	if (r)
		return r;
	if (m->own)
		r = drop_own(nl_port_fd(m->port), m->own->port);
	if (!r)
		r = join_groups(m->port);
	if (r)
		return err_errno(err, r, "cannot watch the node's addresses and routes");
	return find_index(&m->watch.index, err);
}

int link_monitor_new(struct adapter *own, struct link_monitor **ret, struct err *err)
{
	struct link_monitor *m = new0(struct link_monitor);
	int r;

	if (own) {
		m->own = link_own(own);
		m->seen = *m->own;
	}
	r = monitor_open(m, err);
	if (r)
		link_monitor_free(m);
	else
		*ret = m;
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
	return nl_port_fd(m->port);
}

struct reading {
	struct link_watch *watch;
	unsigned changed;
};

static void take_event(const struct nlmsghdr *msg, void *arg)
{
	struct reading *r = arg;

	r->changed |= link_read_event(msg, r->watch);
}

/* The kernel queues notifications before it answers the request that caused them, so when the queue
 * is empty no deletion of ours is still to be told. */
unsigned link_monitor_read(struct link_monitor *m)
{
	struct reading r = { .watch = &m->watch };

	if (m->own) {
		m->watch.own_links = m->own->links_deleted - m->seen.links_deleted;
		m->watch.own_addresses6 = m->own->addresses6_deleted - m->seen.addresses6_deleted;
		m->seen = *m->own;
	}
	if (nl_port_drain(m->port, take_event, &r)) {
		r.changed = EVERYTHING;
		find_index(&m->watch.index, NULL);
	}
	m->watch.own_links = m->watch.own_addresses6 = 0;
	return r.changed;
}
