// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "link_find.h"
#include "link_msg.h"
#include "link_own.h"
#include "nl.h"

struct link {
	struct adapter adapter;
	struct nl_port *port;
	struct link_own own;
};

static struct link *link_of(struct adapter *a)
{
	return container_of(a, struct link, adapter);
}

const struct link_own *link_own(struct adapter *a)
{
	return &link_of(a)->own;
}

static int fail(struct err *err, int code, const char *what)
{
	if (code == -EPERM)
		return err_set(err, code, "%s: CAP_NET_ADMIN is missing", what);
	if (code == -EAGAIN)
		return err_set(err, code, "%s: they keep changing while they are read", what);
	return err_errno(err, code, "%s", what);
}

struct batch {
	struct link *l;
	struct op *ops;
	int index; /* of kube-ipvs0 */
};

static void encode_op(struct nl_writer *w, size_t i, void *arg)
{
	const struct batch *b = arg;

	link_write_op(w, &b->ops[i], b->index);
}

static void take_answer(size_t i, int answer, void *arg)
{
	const struct batch *b = arg;
	struct op *op = &b->ops[i];

	op->result = link_result(op, answer);
	if (op->result || op->type != OP_DEL)
		return;
	b->l->own.links_deleted += op->fact.key.kind == FACT_LINK;
	b->l->own.addresses6_deleted +=
		op->fact.key.kind == FACT_ADDR && op->fact.key.family == AF_INET6;
}

static void send_ops(struct link *l, struct op *ops, size_t n, int index)
{
	struct batch b = { .l = l, .ops = ops, .index = index };

	nl_port_batch(l->port, n, encode_op, take_answer, &b);
}

/* The device's own operations, one by one: there is one device. A device of another kind that has
 * the name is nothing of ours: not deleted, not used. */
static void apply_device(struct link *l, struct op *op)
{
	struct link_device d;
	int r = link_find_device(l->port, &d);

	if (r)
		op->result = r;
	else if (d.index && !d.dummy)
		op->result = op->type == OP_DEL ? -ENOENT : -ENOTUNIQ;
	else if (!d.index && op->type != OP_ADD)
		op->result = -ENOENT;
	else if (op->type == OP_SET)
		op->result = 0;
	else
		send_ops(l, op, 1, d.index);
}

static void apply_addresses(struct link *l, struct op *ops, size_t n)
{
	struct link_device d;
	int r = link_find_device(l->port, &d);

	if (!r && !d.index)
		r = -ESRCH;
	else if (!r && !d.dummy)
		r = -ENOTUNIQ;
	for (size_t i = 0; r && i < n; i++)
		ops[i].result = r;
	if (!r)
		send_ops(l, ops, n, d.index);
}

static void link_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct link *l = link_of(a);

	if (!n)
		return;
	if (ops->fact.key.kind == FACT_ROUTE)
		send_ops(l, ops, n, 0);
	else if (ops->fact.key.kind == FACT_ADDR)
		apply_addresses(l, ops, n);
	for (size_t i = 0; ops->fact.key.kind == FACT_LINK && i < n; i++)
		apply_device(l, &ops[i]);
}

const char *link_explain(const struct op *op)
{
	switch (op->result) {
	case -EPERM:
		return "CAP_NET_ADMIN is missing";
	case -ENOTUNIQ:
		return "there is a device " LINK_NAME " already which is not a dummy device";
	case -EOPNOTSUPP:
		return op->fact.key.kind == FACT_LINK
			? "the kernel has no dummy devices (module dummy)"
			: NULL;
	case -EACCES:
		return op->fact.key.kind == FACT_ADDR ? "IPv6 is disabled on " LINK_NAME : NULL;
	case -ENETDOWN:
		return "the loopback device is down";
	case -EINVAL:
		return op->fact.key.kind == FACT_ROUTE
			? "the kernel refuses a source that is no address of this node (yet)"
			: NULL;
	default:
		return NULL;
	}
}

static int dump_device(struct link *l, dump_fn fn, void *arg, struct err *err)
{
	struct fact f = fact_link();
	struct link_device d;
	int r = link_find_device(l->port, &d);

	if (r)
		return fail(err, r, "cannot read the device " LINK_NAME);
	if (d.dummy)
		fn(&f, arg);
	return 0;
}

static int dump_addresses(struct link *l, dump_fn fn, void *arg, struct err *err)
{
	struct link_addresses all = { 0 };
	struct link_device d;
	int r = link_find_device(l->port, &d);

	if (!r && d.dummy)
		r = link_find_addresses(l->port, d.index, &all);
	if (r)
		return fail(err, r, "cannot read the addresses on " LINK_NAME);
	for (size_t i = 0; i < all.n; i++) {
		struct fact f = fact_addr(&all.v[i].ip);

		if (all.v[i].prefix_len == ip_bits(all.v[i].ip.family))
			fn(&f, arg);
	}
	free(all.v);
	return 0;
}

struct route_dump {
	int family;
	struct fact_list facts;
};

static void write_routes(struct nl_writer *w, void *arg)
{
	const struct route_dump *d = arg;

	link_write_dump_routes(w, d->family);
}

/* A kernel without IPv6 answers the question for its routes with those of all families. */
static int read_route(const struct nlmsghdr *msg, void *arg)
{
	struct route_dump *d = arg;
	struct fact f;
	int r = link_read_route(msg, &f);

	if (r > 0 && f.key.family == d->family)
		fact_list_add(&d->facts, f);
	return r < 0 ? r : 0;
}

static void restart_routes(void *arg)
{
	struct route_dump *d = arg;

	d->facts.n = 0;
}

/* The local table comes into being with the first local route: ENOENT until then. */
static int dump_routes(struct link *l, int family, dump_fn fn, void *arg, struct err *err)
{
	struct route_dump d = { .family = family };
	int r = nl_port_ask(l->port,
		&(struct nl_question){
			.write = write_routes,
			.reply = read_route,
			.restart = restart_routes,
			.arg = &d,
		});

	if (r == -ENOENT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
		r = 0;
	for (size_t i = 0; !r && i < d.facts.n; i++)
		fn(&d.facts.facts[i], arg);
	fact_list_done(&d.facts);
	return r ? fail(err, r, "cannot read the local routes") : 0;
}

static int link_dump(struct adapter *a, enum fact_kind kind,
	bool (*skip)(const struct fact_key *vs, void *arg), dump_fn fn, void *arg, struct err *err)
{
	struct link *l = link_of(a);
	int r;

	(void)skip;
	if (kind == FACT_LINK)
		return dump_device(l, fn, arg, err);
	if (kind == FACT_ADDR)
		return dump_addresses(l, fn, arg, err);
	r = dump_routes(l, AF_INET, fn, arg, err);
	return r ? r : dump_routes(l, AF_INET6, fn, arg, err);
}

int link_new(struct adapter **ret, struct err *err)
{
	struct link *l;
	struct nl_port *port;
	int r = nl_port_open(NETLINK_ROUTE, &port, err);

	if (r)
		return r;
	nl_port_set_strict(port);
	l = new0(struct link);
	l->port = port;
	l->own.port = nl_port_id(port);
	l->adapter = (struct adapter){
		.name = "link",
		.kinds = 1u << FACT_LINK | 1u << FACT_ROUTE | 1u << FACT_ADDR,
		.apply = link_apply,
		.dump = link_dump,
		.explain = link_explain,
	};
	*ret = &l->adapter;
	return 0;
}

void link_free(struct adapter *a)
{
	struct link *l;

	if (!a)
		return;
	l = link_of(a);
	nl_port_free(l->port);
	free(l);
}
