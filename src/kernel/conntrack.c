// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conntrack_msg.h"

struct conntrack {
	struct nl_port *port;
	size_t max_stale;
};

/* A part of the table, which is read with one dump. */
struct conntrack_part {
	uint8_t proto;
	uint16_t port; /* 0: all ports */
};

/* The work of one conntrack_clean(). */
struct cleaning {
	const struct stale_list *stale;
	int family;
	struct conntrack_part part; /* that is being read */
	bool interrupted;	    /* the table changed while it was read */
	bool unfiltered;	    /* the kernel ignores the part and tells everything */
	struct conntrack_entry *entries;
	size_t n, cap, max;
	bool more; /* than max were found */
	int deleted, error;
};

static int take_entry(struct nlmsghdr *msg, void *arg)
{
	struct cleaning *c = arg;
	struct conntrack_entry e;

	c->interrupted |= msg->nlmsg_flags & NLM_F_DUMP_INTR;
	if (msg->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
		!conntrack_read(msg, &e))
		return 0;
	if (e.flow.proto != c->part.proto || (c->part.port && e.flow.to_port != c->part.port))
		c->unfiltered = true;
	if (!stale_match(c->stale, &e.flow))
		return 0;
	if (c->n == c->max) {
		c->more = true;
		return 0;
	}
	mem_grow(c->entries, c->n, c->cap);
	c->entries[c->n++] = e;
	return 0;
}

/* The parts that hold entries of the list's frontends. Returns how many, or -1: more than
 * CONNTRACK_PARTS, which is impossible without ports. */
static int list_parts(
	const struct cleaning *c, bool ports, struct conntrack_part ret[static CONNTRACK_PARTS])
{
	int n = 0;

	for (size_t i = 0; i < c->stale->n; i++) {
		const struct stale_frontend *fe = &c->stale->frontends[i];
		struct conntrack_part part = { .proto = fe->proto, .port = ports ? fe->port : 0 };
		int j = 0;

		if (fe->ip.family != c->family)
			continue;
		while (j < n && (ret[j].proto != part.proto || ret[j].port != part.port))
			j++;
		if (j == CONNTRACK_PARTS)
			return -1;
		ret[j] = part;
		if (j == n)
			n++;
	}
	return n;
}

static struct nl_msg *build_deletion(size_t i, void *arg)
{
	const struct cleaning *c = arg;

	return conntrack_msg_delete(&c->entries[i]);
}

static void take_deletion(size_t i, int result, void *arg)
{
	struct cleaning *c = arg;

	(void)i;
	if (!result)
		c->deleted++;
	else if (result != -ENOENT) /* it ended by itself, or was listed twice */
		c->error = result;
}

int conntrack_clean(struct conntrack *conntrack, const struct stale_list *stale, int family,
	bool *ret_more, struct err *err)
{
	struct cleaning c = { .stale = stale, .family = family, .max = conntrack->max_stale };
	struct conntrack_part parts[CONNTRACK_PARTS];
	int n = list_parts(&c, true, parts), e = 0;

	if (n < 0)
		n = list_parts(&c, false, parts);
	for (int i = 0; !e && i < n && !c.unfiltered; i++) {
		const size_t before = c.n;

		/* A table that changes during each of the dumps is no failure: the entries of the
		 * last dump are worth having. */
		c.part = parts[i];
		c.interrupted = true;
		for (int j = 0; !e && c.interrupted && j < CONNTRACK_TRIES; j++) {
			c.n = before;
			c.interrupted = false;
			e = nl_port_ask(conntrack->port,
				conntrack_msg_dump(family, c.part.proto, c.part.port), take_entry,
				NULL, &c);
		}
	}
	if (!e && c.n)
		nl_port_batch(conntrack->port, c.n, build_deletion, take_deletion, &c);
	free(c.entries);
	if (e)
		return err_errno(err, e, "cannot read the connection table");
	if (c.error)
		return err_errno(err, c.error, "cannot delete entries of the connection table");
	*ret_more = c.more;
	return c.deleted;
}

struct conntrack_walker {
	connection_fn fn;
	void *arg;
};

static int walk_entry(struct nlmsghdr *msg, void *arg)
{
	const struct conntrack_walker *w = arg;
	struct connection c;

	if (msg->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) &&
		conntrack_read_connection(msg, &c))
		w->fn(&c, w->arg);
	return 0;
}

int conntrack_walk(struct conntrack *conntrack, connection_fn fn, void *arg, struct err *err)
{
	struct conntrack_walker w = { fn, arg };
	int e = nl_port_ask(
		conntrack->port, conntrack_msg_dump(AF_UNSPEC, 0, 0), walk_entry, NULL, &w);

	return e ? err_errno(err, e, "cannot read the connection table") : 0;
}

struct conntrack *conntrack_from_port(struct nl_port *port, size_t max_stale)
{
	struct conntrack *c = new0(struct conntrack);

	c->port = port;
	c->max_stale = max_stale;
	return c;
}

int conntrack_new(struct conntrack **ret, struct err *err)
{
	struct nl_port *port;
	int e = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (e)
		return e;
	/* Statistics, of which only the errno matters. */
	e = nl_port_ask(port,
		nl_request_netfilter(
			NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC),
		NULL, NULL, NULL);
	if (!e) {
		*ret = conntrack_from_port(port, CONNTRACK_MAX_STALE);
		return 0;
	}
	nl_port_free(port);
	/* nfnetlink has no handler for the subsystem, or the kernel has no nfnetlink. */
	if (e == -EINVAL || e == -EPROTONOSUPPORT)
		return err_set(err, -ENOENT,
			"this kernel has no conntrack netlink (CONFIG_NF_CT_NETLINK)");
	if (e == -EPERM)
		return err_set(err, e, "conntrack: not permitted: CAP_NET_ADMIN is missing");
	return err_errno(err, e, "conntrack does not work");
}

void conntrack_free(struct conntrack *c)
{
	if (!c)
		return;
	nl_port_free(c->port);
	free(c);
}
