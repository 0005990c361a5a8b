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

/* What one call of conntrack_clean() does. */
struct cleaning {
	const struct stale_list *stale;
	int family;
	uint8_t proto;	  /* what is read now, */
	uint16_t port;	  /* of which only what was sent to this port; 0: all */
	bool interrupted; /* the table changed while it was read */
	bool unfiltered;  /* the kernel tells what it was not asked for: everything */
	struct conntrack_entry *entries;
	size_t n, cap, max;
	bool more; /* than max were found */
	int deleted, error;
};

static void write_dump(struct nl_writer *w, void *arg)
{
	const struct cleaning *c = arg;

	conntrack_write_dump(w, c->family, c->proto, c->port);
}

static bool asked_for(const struct cleaning *c, const struct stale_flow *flow)
{
	return flow->proto == c->proto && (!c->port || flow->to_port == c->port);
}

static int take_entry(const struct nlmsghdr *msg, void *arg)
{
	struct cleaning *c = arg;
	struct conntrack_entry e;

	c->interrupted |= msg->nlmsg_flags & NLM_F_DUMP_INTR;
	if (msg->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
		!conntrack_read(msg, &e))
		return 0;
	c->unfiltered |= !asked_for(c, &e.flow);
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

/* The stale entries among what is read now are added to the others. */
static int find_entries(struct conntrack *conntrack, struct cleaning *c)
{
	/* without `restart`, because what was seen of a table that never stands still is worth
	 * having */
	const struct nl_question q = { .write = write_dump, .reply = take_entry, .arg = c };
	const size_t before = c->n;
	int e = 0;

	for (int i = 0; i < CONNTRACK_TRIES; i++) {
		c->n = before;
		c->interrupted = false;
		e = nl_port_ask(conntrack->port, &q);
		if (e || !c->interrupted)
			break;
	}
	return e;
}

/* A part of the table. */
struct part {
	uint8_t proto;
	uint16_t port;
};

static bool add_part(struct part *parts, size_t *n, struct part part)
{
	for (size_t i = 0; i < *n; i++)
		if (parts[i].proto == part.proto && parts[i].port == part.port)
			return true;
	if (*n == CONNTRACK_PARTS)
		return false;
	parts[(*n)++] = part;
	return true;
}

/* The parts that have the list's frontends; false: more than are read one by one. */
static bool list_parts(const struct cleaning *c, bool ports, struct part *parts, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < c->stale->n; i++) {
		const struct stale_frontend *fe = &c->stale->frontends[i];
		struct part part = { .proto = fe->proto, .port = ports ? fe->port : 0 };

		if (fe->ip.family == c->family && !add_part(parts, ret_n, part))
			return false;
	}
	return true;
}

static int find_all(struct conntrack *conntrack, struct cleaning *c)
{
	struct part parts[CONNTRACK_PARTS];
	size_t n;
	int e = 0;

	if (!list_parts(c, true, parts, &n))
		list_parts(c, false, parts, &n);
	for (size_t i = 0; !e && i < n && !c->unfiltered; i++) {
		c->proto = parts[i].proto;
		c->port = parts[i].port;
		e = find_entries(conntrack, c);
	}
	return e;
}

static void write_delete(struct nl_writer *w, size_t i, void *arg)
{
	const struct cleaning *c = arg;

	conntrack_write_delete(w, &c->entries[i]);
}

static void take_result(size_t i, int result, void *arg)
{
	struct cleaning *c = arg;

	(void)i;
	if (!result)
		c->deleted++;
	else if (result != -ENOENT) /* that one ended by itself, or was told twice */
		c->error = result;
}

int conntrack_clean(struct conntrack *conntrack, const struct stale_list *stale, int family,
	bool *ret_more, struct err *err)
{
	struct cleaning c = { .stale = stale, .family = family, .max = conntrack->max_stale };
	int e = find_all(conntrack, &c);

	if (!e && c.n)
		nl_port_batch(conntrack->port, c.n, write_delete, take_result, &c);
	free(c.entries);
	if (e)
		return err_errno(err, e, "cannot read the connection table");
	if (c.error)
		return err_errno(err, c.error, "cannot delete entries of the connection table");
	*ret_more = c.more;
	return c.deleted;
}

static void write_try(struct nl_writer *w, void *arg)
{
	(void)arg;
	conntrack_write_try(w);
}

static int ignore_reply(const struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return 0;
}

static int try_conntrack(struct nl_port *port, struct err *err)
{
	int e = nl_port_ask(
		port, &(struct nl_question){ .write = write_try, .reply = ignore_reply });

	/* nfnetlink has no handler for the subsystem; the kernel has no nfnetlink */
	if (e == -EINVAL || e == -EPROTONOSUPPORT)
		return err_set(err, -ENOENT,
			"this kernel has no conntrack netlink (CONFIG_NF_CT_NETLINK)");
	if (e == -EPERM)
		return err_set(err, e, "conntrack: not permitted: CAP_NET_ADMIN is missing");
	return e ? err_errno(err, e, "conntrack does not work") : 0;
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
	e = try_conntrack(port, err);
	if (e) {
		nl_port_free(port);
		return e;
	}
	*ret = conntrack_from_port(port, CONNTRACK_MAX_STALE);
	return 0;
}

void conntrack_free(struct conntrack *c)
{
	if (!c)
		return;
	nl_port_free(c->port);
	free(c);
}
