// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "link_held.h"
#include "link_msg.h"
#include "link_rule_msg.h"
#include "nl.h"

enum { LOCAL_ROUTES_MS = 20 /* a batch waits no longer for the kernel */ };

struct link {
	struct adapter adapter;
	struct nl_port *port;
	struct link_own own;
	uint16_t table; /* of routes for marked packets */
};

const char *const link_device_names[LINK_DEVICES] = {
	[LINK_DEVICE_VIPS] = LINK_VIPS,
	[LINK_DEVICE_HELD] = LINK_HELD,
};

const struct link_own *link_own(struct adapter *a)
{
	return &container_of(a, struct link, adapter)->own;
}

static int link_error(struct err *err, int code, const char *what)
{
	if (code == -EPERM)
		return err_set(err, code, "%s: CAP_NET_ADMIN is missing", what);
	if (code == -EAGAIN)
		return err_set(err, code, "%s: they keep changing while they are read", what);
	return err_errno(err, code, "%s", what);
}

struct link_batch {
	struct link *link;
	struct op *ops;
	int index; /* of the device that the operations need; 0: none */
};

static struct nl_msg *link_batch_build(size_t i, void *arg)
{
	const struct link_batch *b = arg;

	if (b->ops[i].fact.key.kind == FACT_POLICY_RULE)
		return link_rule_msg_op(&b->ops[i]);
	return link_msg_op(&b->ops[i], b->index);
}

static void link_batch_answer(size_t i, int answer, void *arg)
{
	const struct link_batch *b = arg;
	struct op *op = &b->ops[i];

	op->result = op->fact.key.kind == FACT_POLICY_RULE ? link_rule_result(op, answer)
							   : link_result(op, answer);
	if (op->result || op->type != OP_DEL)
		return;
	for (size_t d = 0; op->fact.key.kind == FACT_LINK && d < LINK_DEVICES; d++)
		b->link->own.links_deleted[d] += !strcmp(op->fact.key.name, link_device_names[d]);
	b->link->own.addresses6_deleted +=
		op->fact.key.kind == FACT_ADDR && op->fact.key.family == AF_INET6;
}

/* A device's own operations, one by one: there are two devices. A device of another kind that has
 * the name is foreign: neither deleted nor used. kube-ipvs0 may be up, as far as we care. */
static void apply_device(struct link *l, struct op *op)
{
	struct link_device d;
	int r = link_ask_device(l->port, op->fact.key.name, &d);

	if (r)
		op->result = r;
	else if (d.index && !d.dummy)
		op->result = op->type == OP_DEL ? -ENOENT : -ENOTUNIQ;
	else if (!d.index && op->type != OP_ADD)
		op->result = -ENOENT;
	else if (op->type == OP_SET && strcmp(op->fact.key.name, LINK_HELD) != 0)
		op->result = 0;
	else
		nl_port_batch(l->port, 1, link_batch_build, link_batch_answer,
			&(struct link_batch){ .link = l, .ops = op, .index = d.index });
}

/* A device of another kind has no addresses of ours, but a throw may have been left behind. */
static void apply_held(struct link *l, struct op *ops, size_t n)
{
	struct link_device d;
	int r = link_ask_device(l->port, LINK_HELD, &d);

	if (!r && ops->type != OP_DEL)
		r = !d.index ? -ESRCH : !d.dummy ? -ENOTUNIQ : 0;
	for (size_t i = 0; r && i < n; i++)
		ops[i].result = r;
	if (!r)
		link_held_apply(l->port, d.dummy ? d.index : 0, ops, n);
}

/*
 * The kernel makes the local route of an IPv6 address after its answer, from a work queue
 * (addrconf_dad_work() in net/ipv6/addrconf.c). Until then the address is not local, unless another
 * route says so, which may be the next to go.
 */
static void await_local_routes(struct link *l, const struct op *ops, size_t n)
{
	int naps = LOCAL_ROUTES_MS;

	for (size_t i = 0; i < n; i++) {
		const struct ip ip = fact_ip(&ops[i].fact.key);
		struct link_hop hop = { 0 };

		if (ip.family != AF_INET6 || ops[i].type != OP_ADD || ops[i].result)
			continue;
		while (!nl_port_ask(l->port, link_msg_route_get(&ip), link_read_hop, NULL, &hop) &&
			hop.maker != RTPROT_KERNEL && naps-- > 0)
			usleep(1000);
	}
}

static void link_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct link *l = container_of(a, struct link, adapter);
	struct link_batch b = { .link = l, .ops = ops };
	struct link_device d = { 0 };
	int r = 0;

	if (!n)
		return;
	if (ops->fact.key.kind == FACT_LINK) {
		for (size_t i = 0; i < n; i++)
			apply_device(l, &ops[i]);
		return;
	}

	if (ops->fact.key.kind == FACT_HELD) {
		apply_held(l, ops, n);
		return;
	}
	if (ops->fact.key.kind == FACT_ADDR) {
		r = link_ask_device(l->port, LINK_VIPS, &d);
		if (!r && !d.index)
			r = -ESRCH;
		else if (!r && !d.dummy)
			r = -ENOTUNIQ;
		b.index = d.index;
	}
	for (size_t i = 0; r && i < n; i++)
		ops[i].result = r;
	if (!r)
		nl_port_batch(l->port, n, link_batch_build, link_batch_answer, &b);
	if (!r && ops->fact.key.kind == FACT_ADDR)
		await_local_routes(l, ops, n);
}

const char *link_explain(const struct op *op)
{
	struct fact_key device = op->fact.key;

	switch (op->result) {
	case -EPERM:
		return "CAP_NET_ADMIN is missing";
	case -ENOTUNIQ:
		if (device.kind != FACT_LINK && !fact_parent(&op->fact.key, &device))
			return NULL;
		return strcmp(device.name, LINK_HELD) != 0
			? "a device " LINK_VIPS " exists already and is not a dummy device"
			: "a device " LINK_HELD " exists already and is not a dummy device";
	case -EOPNOTSUPP:
	case -EAFNOSUPPORT:
		if (op->fact.key.kind == FACT_POLICY_RULE)
			return "the kernel has no policy routing (CONFIG_IP_MULTIPLE_TABLES, "
			       "CONFIG_IPV6_MULTIPLE_TABLES)";
		return op->fact.key.kind == FACT_LINK && op->result == -EOPNOTSUPP
			? "the kernel has no dummy devices (module dummy)"
			: NULL;
	case -EACCES:
		return op->fact.key.kind == FACT_ADDR ? "IPv6 is disabled on " LINK_VIPS : NULL;
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

struct link_address_list {
	int index; /* of their device; 0: all */
	struct link_address *v;
	size_t n, cap;
};

/* Kernels before 4.20 do not filter. */
static int take_address(struct nlmsghdr *msg, void *arg)
{
	struct link_address_list *l = arg;
	struct link_address a;
	int r = link_read_address(msg, &a);

	if (r <= 0 || (l->index && a.index != l->index))
		return r < 0 ? r : 0;
	mem_grow(l->v, l->n, l->cap);
	l->v[l->n++] = a;
	return 0;
}

static int dump_devices(struct link *l, dump_fn fn, void *arg, struct err *err)
{
	for (size_t i = 0; i < LINK_DEVICES; i++) {
		struct fact f = fact_link(link_device_names[i]);
		struct link_device d;
		int r = link_ask_device(l->port, link_device_names[i], &d);

		if (r)
			return link_error(err, r, "cannot read the devices of ours");
		f.val.link.up = i == LINK_DEVICE_HELD && d.up;
		if (d.dummy)
			fn(&f, arg);
	}
	return 0;
}

static int dump_addresses(struct link *l, dump_fn fn, void *arg, struct err *err)
{
	struct link_address_list all = { 0 };
	struct link_device d;
	int r = link_ask_device(l->port, LINK_VIPS, &d);

	all.index = d.index;
	if (!r && d.dummy)
		r = nl_port_ask(
			l->port, link_msg_dump_addresses(d.index), take_address, &all.n, &all);
	if (r)
		link_error(err, r, "cannot read the addresses on " LINK_VIPS);
	for (size_t i = 0; !r && i < all.n; i++) {
		struct fact f = fact_addr(&all.v[i].ip);

		if (all.v[i].prefix_len == ip_bits(all.v[i].ip.family))
			fn(&f, arg);
	}
	free(all.v);
	return r;
}

struct route_list {
	int family;
	uint16_t table; /* as in a key: 0 is table local */
	struct fact_list facts;
};

/* A kernel without IPv6 answers a dump of its routes with those of all families. */
static int take_route(struct nlmsghdr *msg, void *arg)
{
	struct route_list *l = arg;
	struct fact f;
	int r = link_read_route(msg, &f);

	if (r > 0 && f.key.family == l->family && f.key.port == l->table)
		fact_list_add(&l->facts, f);
	return r < 0 ? r : 0;
}

static int dump_held(struct link *l, dump_fn fn, void *arg, struct err *err)
{
	struct link_device d;
	int r = link_ask_device(l->port, LINK_HELD, &d);

	if (!r)
		r = link_held_dump(l->port, d.dummy ? d.index : 0, fn, arg);
	return r ? link_error(err, r, "cannot read the addresses on " LINK_HELD) : 0;
}

static const int link_families[] = { AF_INET, AF_INET6 };

struct link_rule_list {
	int family;
	struct link_rule *v;
	size_t n, cap;
};

static int take_rule(struct nlmsghdr *msg, void *arg)
{
	struct link_rule_list *l = arg;
	struct link_rule rule;
	int r = link_read_rule(msg, &rule);

	if (r <= 0 || rule.family != l->family)
		return r < 0 ? r : 0;
	mem_grow(l->v, l->n, l->cap);
	l->v[l->n++] = rule;
	return 0;
}

/* 1, or 0: the kernel has no policy routing; or a negative errno. The caller frees `v`. */
static int link_ask_rules(struct nl_port *p, int family, struct link_rule_list *ret)
{
	int r;

	*ret = (struct link_rule_list){ .family = family };
	r = nl_port_ask(p, link_rule_msg_dump(family), take_rule, &ret->n, ret);
	if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
		return 0;
	return r ? r : 1;
}

static int dump_rules(struct link *l, dump_fn fn, void *arg, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(link_families); i++) {
		struct link_rule_list all;
		struct fact f;

		r = link_ask_rules(l->port, link_families[i], &all);
		for (size_t j = 0; r >= 0 && j < all.n; j++)
			if (link_rule_fact(&all.v[j], &f))
				fn(&f, arg);
		free(all.v);
	}
	return r < 0 ? link_error(err, r, "cannot read the policy rules") : 0;
}

enum { LINK_MAX_TABLES = 16 };

/*
 * The tables that can have routes of ours, as in a key: table local, the configured one, and those
 * to which rules of ours lead, because the configuration may have named another table before.
 * Returns their number, or a negative errno.
 */
static int find_tables(struct link *l, int family, uint16_t ret[static LINK_MAX_TABLES])
{
	struct link_rule_list rules;
	int r = link_ask_rules(l->port, family, &rules), n = 0;

	ret[n++] = 0;
	if (l->table)
		ret[n++] = l->table;
	for (size_t i = 0; i < rules.n && n < LINK_MAX_TABLES; i++) {
		uint32_t table = rules.v[i].table;
		bool known = table == RT_TABLE_LOCAL;

		for (int j = 0; j < n; j++)
			known |= table == ret[j];
		if (rules.v[i].ours && !known && table <= UINT16_MAX)
			ret[n++] = (uint16_t)table;
	}
	free(rules.v);
	return r < 0 ? r : n;
}

static int dump_table(struct link *l, int family, uint16_t table, dump_fn fn, void *arg)
{
	struct route_list all = { .family = family, .table = table };
	int r = nl_port_ask(l->port, link_msg_dump_routes(family, table ? table : RT_TABLE_LOCAL),
		take_route, &all.facts.n, &all);

	/* A table comes into being with its first route: ENOENT until then. */
	if (r == -ENOENT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
		r = 0;
	for (size_t i = 0; !r && i < all.facts.n; i++)
		fn(&all.facts.facts[i], arg);
	fact_list_done(&all.facts);
	return r;
}

static int dump_routes(struct link *l, dump_fn fn, void *arg, struct err *err)
{
	uint16_t tables[LINK_MAX_TABLES];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(link_families); i++) {
		int n = find_tables(l, link_families[i], tables);

		r = n < 0 ? n : 0;
		for (int j = 0; !r && j < n; j++)
			r = dump_table(l, link_families[i], tables[j], fn, arg);
	}
	return r ? link_error(err, r, "cannot read the local routes") : 0;
}

static int link_dump(struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	struct link *l = container_of(a, struct link, adapter);

	if (kind == FACT_LINK)
		return dump_devices(l, fn, arg, err);
	if (kind == FACT_POLICY_RULE)
		return dump_rules(l, fn, arg, err);
	if (kind == FACT_HELD)
		return dump_held(l, fn, arg, err);
	if (kind == FACT_ADDR)
		return dump_addresses(l, fn, arg, err);
	return dump_routes(l, fn, arg, err);
}

int link_new(uint16_t table, struct adapter **ret, struct err *err)
{
	struct link *l;
	struct nl_port *port;
	int r = nl_port_open(NETLINK_ROUTE, &port, err);

	if (r)
		return r;
	l = new0(struct link);
	l->port = port;
	l->own.port = port->id;
	l->table = table;
	l->adapter = (struct adapter){
		.name = "link",
		.kinds = 1u << FACT_LINK | 1u << FACT_POLICY_RULE | 1u << FACT_HELD |
			1u << FACT_ROUTE | 1u << FACT_ADDR,
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
	l = container_of(a, struct link, adapter);
	nl_port_free(l->port);
	free(l);
}

/* Policy rules of the node */

int link_foreign_rules(int family, struct link_rule **ret, size_t *ret_n, struct err *err)
{
	struct link_rule_list all;
	struct nl_port *p;
	size_t n = 0;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	r = link_ask_rules(p, family, &all);
	nl_port_free(p);
	if (r < 0) {
		free(all.v);
		return link_error(err, r, "cannot read the policy rules");
	}
	for (size_t i = 0; i < all.n; i++)
		if (!all.v[i].ours)
			all.v[n++] = all.v[i];
	*ret = all.v;
	*ret_n = n;
	return 0;
}

int link_has_policy_routing(int family, struct err *err)
{
	struct link_rule_list all;
	struct nl_port *p;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	r = link_ask_rules(p, family, &all);
	nl_port_free(p);
	free(all.v);
	return r < 0 ? link_error(err, r, "cannot read the policy rules") : r;
}

/* Routes of the node */

static const char *hop_type_text(uint8_t type)
{
	switch (type) {
	case RTN_LOCAL:
		return "local";
	case RTN_BROADCAST:
		return "broadcast";
	case RTN_ANYCAST:
		return "anycast";
	case RTN_MULTICAST:
		return "multicast";
	default:
		return NULL;
	}
}

int link_route_get(const struct ip *dst, struct buf *ret, struct err *err)
{
	char via[IP_STRLEN], device[IF_NAMESIZE];
	struct link_hop hop = { 0 };
	struct nl_port *p;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	r = nl_port_ask(p, link_msg_route_get(dst), link_read_hop, NULL, &hop);
	nl_port_free(p);
	/* A route that is no way is answered with the error that a packet would get. */
	switch (r) {
	case 0:
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		buf_adds(ret, "unreachable");
		return 0;
	case -EACCES:
		buf_adds(ret, "prohibited");
		return 0;
	case -EINVAL:
		buf_adds(ret, "blackhole");
		return 0;
	default:
		return link_error(err, r, "cannot ask for the route");
	}
	if (hop_type_text(hop.type)) {
		buf_adds(ret, hop_type_text(hop.type));
		return 0;
	}
	if (hop.via.family)
		buf_addf(ret, "via %s ", ip_print(&hop.via, via));
	buf_addf(ret, "dev %s", if_indextoname((unsigned)hop.index, device) ? device : "?");
	return 0;
}

/* The addresses of the node */

bool link_is_node_address(const struct ip *ip)
{
	return ip_kind(ip) != IP_LOOPBACK &&
		!(ip->family == AF_INET6 && ip_kind(ip) == IP_LINK_LOCAL);
}

int link_addresses(struct ip **ret, size_t *ret_n, struct err *err)
{
	struct link_address_list all = { 0 };
	struct link_device ours[LINK_DEVICES];
	struct nl_port *p;
	struct ip *ips;
	size_t n = 0, unique = 0;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < LINK_DEVICES; i++)
		r = link_ask_device(p, link_device_names[i], &ours[i]);
	if (!r)
		r = nl_port_ask(p, link_msg_dump_addresses(0), take_address, &all.n, &all);
	nl_port_free(p);
	if (r) {
		free(all.v);
		return err_errno(err, r, "cannot read the addresses of this node");
	}

	ips = mem_zalloc(all.n, sizeof(*ips));
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].index != ours[LINK_DEVICE_VIPS].index &&
			all.v[i].index != ours[LINK_DEVICE_HELD].index &&
			link_is_node_address(&all.v[i].ip))
			ips[n++] = all.v[i].ip;
	free(all.v);
	qsort(ips, n, sizeof(*ips), ip_compare);
	for (size_t i = 0; i < n; i++)
		if (!unique || !ip_eq(&ips[unique - 1], &ips[i]))
			ips[unique++] = ips[i];
	*ret = ips;
	*ret_n = unique;
	return 0;
}

union ip_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The address that the node would send from: connecting a UDP socket looks up the route and sends
 * nothing. */
static bool source_towards(const struct ip *target, struct ip *ret)
{
	static const uint16_t discard_port = 9;
	union ip_sockaddr s = { 0 };
	socklen_t len = sizeof(s);
	int fd = socket(target->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	if (target->family == AF_INET) {
		s.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_port = htons(discard_port) };
		memcpy(&s.v4.sin_addr, target->bytes, sizeof(s.v4.sin_addr));
	} else {
		s.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
			.sin6_port = htons(discard_port) };
		memcpy(&s.v6.sin6_addr, target->bytes, sizeof(s.v6.sin6_addr));
	}
	ok = !connect(fd, &s.any, target->family == AF_INET ? sizeof(s.v4) : sizeof(s.v6)) &&
		!getsockname(fd, &s.any, &len);
	close(fd);
	if (ok)
		*ret = target->family == AF_INET ? ip_make(AF_INET, &s.v4.sin_addr)
						 : ip_make(AF_INET6, &s.v6.sin6_addr);
	return ok;
}

/*
 * The targets are addresses of nobody, so that the default route leads there: RFC 5737, RFC 3849,
 * RFC 9637. Several, because a node may have a route that drops some of them, or a VIP among them.
 */
struct ip link_primary_address(int family, const struct ip *addresses, size_t n)
{
	static const char *const nobody[] = { "198.51.100.1", "192.0.2.1", "203.0.113.1", "3fff::1",
		"2001:db8::1" };
	struct ip target, source;

	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		if (ip_parse(nobody[i], &target) || target.family != family ||
			!source_towards(&target, &source))
			continue;
		for (size_t j = 0; j < n; j++)
			if (ip_eq(&source, &addresses[j]))
				return source;
	}
	for (size_t i = 0; i < n; i++)
		if (addresses[i].family == family)
			return addresses[i];
	return (struct ip){ 0 };
}
