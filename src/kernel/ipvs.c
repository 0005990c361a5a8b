// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The number of a generic netlink family changes when its module is loaded again, and the kernel
 * answers ENOENT to an unknown number, as it does to an unknown scheduler or a missing real server.
 * So after an ENOENT the number is looked up again, and the request is sent once more if the number
 * is another one.
 *
 * An audit of 10,000 virtual servers costs most where it asks for the real servers of each, and so
 * does a status, which asks for their connections. Over netlink that takes three system calls and a
 * message for each real server, getsockopt() does it in one call. It cannot tell of IPv6, and no more
 * than as many as there is room for. So the adapter remembers how many it told of each virtual server
 * and a sum of their hashes. Where the kernel has as many with the same sum nothing has changed, and
 * nobody has to look at them one by one.
 * (/proc/net/ip_vs has all in one file, but the kernel begins anew for each page of it, and printing
 * takes longer than ten thousand calls.)
 */
#include "kernel/ipvs.h"

#include <assert.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "ipvs_msg.h"
#include "kernel/exec.h"
#include "nl.h"

enum {
	FEW_SERVERS = 16, /* room for so many where nobody knows how many there are */
};

struct ipvs {
	struct adapter adapter;
	struct nl_port *port;
	uint16_t family;
	int fd;		  /* for getsockopt(); negative: without it */
	struct map told;  /* of struct told_servers */
	struct buf dests; /* room for getsockopt() */
	bool lblc, lblcr; /* their modules were asked for */
};

static int ipvs_error(struct err *err, int code, const char *what)
{
	if (code == -EPERM)
		return err_set(err, code,
			"%s: CAP_NET_ADMIN is missing (in the initial user namespace)", what);
	if (code == -EPFNOSUPPORT)
		return err_set(err, code, "%s: the module ip_vs was unloaded", what);
	return err_errno(err, code, "%s", what);
}

/*
 * To be called after an answer -ENOENT. Returns 1: the family has another number now, ask again; 0:
 * the answer was about something else; -EPFNOSUPPORT: the kernel has no IPVS any more; or a
 * negative errno: unknown.
 */
static int ipvs_family_moved(struct ipvs *v)
{
	uint16_t before = v->family;
	int r = nl_port_ask(v->port, ipvs_msg_find_family(), ipvs_read_family, NULL, &v->family);

	if (r)
		return r == -ENOENT ? -EPFNOSUPPORT : r;
	return v->family != before;
}

/* As nl_port_ask(), and once more if the family has moved. */
static int ipvs_ask(
	struct ipvs *v, struct nl_msg *request, nl_reply_fn reply, size_t *kept, void *arg)
{
	int r, moved = 0;

	if (request)
		nlmsg_get(request);
	r = nl_port_ask(v->port, request, reply, kept, arg);
	if (r == -ENOENT)
		moved = ipvs_family_moved(v);
	if (moved <= 0) {
		nlmsg_free(request);
		return moved ? moved : r;
	}
	nlmsg_hdr(request)->nlmsg_type = v->family;
	return nl_port_ask(v->port, request, reply, kept, arg);
}

/* The real servers of a virtual server, as a dump told them. */
struct told_servers {
	struct map_node by_vs;
	uint64_t vs;  /* hash of its key */
	uint64_t sum; /* of real_server_hash(), in any order */
	uint32_t n;
};

static uint64_t real_server_hash(
	const void *ip, size_t len, uint16_t port, int64_t weight, uint32_t forwarding)
{
	const int64_t rest[] = { port, weight, forwarding };

	return hash_more(hash_more(HASH_EMPTY, ip, len), rest, sizeof(rest));
}

static uint64_t told_hash(const struct fact_list *real_servers)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < real_servers->n; i++) {
		const struct fact *f = &real_servers->facts[i];
		const struct ip ip = fact_ip2(&f->key);

		sum += real_server_hash(ip.bytes, ip_bits(ip.family) / 8, f->key.port2,
			(int32_t)f->val.rs.weight, f->val.rs.forwarding);
	}
	return sum;
}

static struct told_servers *find_told(const struct ipvs *v, const struct fact_key *vs)
{
	const uint64_t hash = hash_more(HASH_EMPTY, vs, sizeof(*vs));

	map_for_each_match_entry(struct told_servers, t, &v->told, (uint32_t)hash, by_vs)
		if (t->vs == hash)
			return t;
	return NULL;
}

static void remember_told(
	struct ipvs *v, const struct fact_key *vs, const struct fact_list *real_servers)
{
	struct told_servers *t = find_told(v, vs);

	if (!t) {
		t = new0(struct told_servers);
		t->vs = hash_more(HASH_EMPTY, vs, sizeof(*vs));
		map_add(&v->told, &t->by_vs, (uint32_t)t->vs);
	}
	t->sum = told_hash(real_servers);
	t->n = (uint32_t)real_servers->n;
}

static void forget_told(struct ipvs *v, const struct fact_key *vs)
{
	struct told_servers *t = find_told(v, vs);

	if (!t)
		return;
	map_del(&v->told, &t->by_vs);
	free(t);
}

/* The virtual servers, or the real servers of one. */
struct ipvs_reading {
	const struct fact_key *vs; /* NULL: virtual servers */
	struct fact_list facts;
	struct rs_conns *conns; /* one for each real server */
	size_t cap_conns;
};

static void ipvs_reading_done(struct ipvs_reading *r)
{
	fact_list_done(&r->facts);
	free(r->conns);
}

static int ipvs_take_server(struct nlmsghdr *msg, void *arg)
{
	struct ipvs_reading *reading = arg;
	struct rs_conns conns;
	struct fact f;
	int r = reading->vs ? ipvs_read_rs(msg, reading->vs, &f, &conns) : ipvs_read_vs(msg, &f);

	if (r <= 0)
		return r;
	if (reading->vs) {
		mem_grow(reading->conns, reading->facts.n, reading->cap_conns);
		reading->conns[reading->facts.n] = conns;
	}
	fact_list_add(&reading->facts, f);
	return 0;
}

static int ipvs_dump(struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	_cleanup_(ipvs_reading_done) struct ipvs_reading vs = { 0 };
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	int r = ipvs_ask(v, ipvs_msg_dump(v->family, NULL), ipvs_take_server, &vs.facts.n, &vs);

	assert(kind == FACT_VS);
	if (r)
		return ipvs_error(err, r, "cannot read the virtual servers");
	for (size_t i = 0; i < vs.facts.n; i++)
		fn(&vs.facts.facts[i], arg);
	return 0;
}

static int ipvs_dump_real_servers(
	struct adapter *a, const struct fact_key *vs, dump_fn fn, void *arg, struct err *err)
{
	_cleanup_(ipvs_reading_done) struct ipvs_reading rs = { .vs = vs };
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	int r = ipvs_ask(v, ipvs_msg_dump(v->family, vs), ipvs_take_server, &rs.facts.n, &rs);

	if (r)
		return ipvs_error(err, r, "cannot read the real servers");
	for (size_t i = 0; i < rs.facts.n; i++)
		fn(&rs.facts.facts[i], arg);
	remember_told(v, vs, &rs.facts);
	return 0;
}

/* The first n real servers of a virtual server, as getsockopt() tells them. Behind the last one there
 * are zeroed ones. NULL: not known. Valid until the next call. */
static const struct ip_vs_dest_entry *ipvs_get_dests(
	struct ipvs *v, const struct fact_key *vs, uint32_t n)
{
	const size_t size =
		sizeof(struct ip_vs_get_dests) + (size_t)n * sizeof(struct ip_vs_dest_entry);
	const struct ip ip = fact_ip(vs);
	struct ip_vs_get_dests *get;
	socklen_t len = (socklen_t)size;

	if (v->fd < 0 || vs->family != AF_INET)
		return NULL;
	buf_reset(&v->dests);
	get = (void *)buf_reserve(&v->dests, size);
	memset(get, 0, size);
	get->num_dests = n;
	if (vs->proto) {
		get->protocol = vs->proto;
		memcpy(&get->addr, ip.bytes, sizeof(get->addr));
		get->port = htons(vs->port);
	} else {
		get->fwmark = fact_fwmark(vs);
	}
	return getsockopt(v->fd, IPPROTO_IP, IP_VS_SO_GET_DESTS, get, &len) ? NULL
									    : get->entrytable;
}

/* Returns 1, 0, or a negative errno: not known. There is room for one more real server than was told,
 * which stays zeroed. */
static int ipvs_compare(struct ipvs *v, const struct fact_key *vs, const struct told_servers *t)
{
	const struct ip_vs_dest_entry *dests = ipvs_get_dests(v, vs, t->n + 1);
	uint64_t sum = 0;
	uint32_t n = 0;

	if (!dests)
		return -EAFNOSUPPORT;
	for (; n <= t->n && dests[n].addr; n++) {
		const struct ip_vs_dest_entry *d = &dests[n];

		sum += real_server_hash(&d->addr, sizeof(d->addr), ntohs(d->port), d->weight,
			d->conn_flags & IP_VS_CONN_F_FWD_MASK);
	}
	return n == t->n && sum == t->sum;
}

static bool ipvs_unchanged(struct adapter *a, const struct fact_key *vs)
{
	_cleanup_(ipvs_reading_done) struct ipvs_reading rs = { .vs = vs };
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	const struct told_servers *t = find_told(v, vs);
	int r = t ? ipvs_compare(v, vs, t) : 0;

	if (r >= 0)
		return r;
	r = ipvs_ask(v, ipvs_msg_dump(v->family, vs), ipvs_take_server, &rs.facts.n, &rs);
	return !r && rs.facts.n == t->n && told_hash(&rs.facts) == t->sum;
}

int ipvs_conns(struct adapter *a, const struct fact_key *vs,
	void (*fn)(const struct rs_conns *c, void *arg), void *arg, struct err *err)
{
	_cleanup_(ipvs_reading_done) struct ipvs_reading rs = { .vs = vs };
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	const struct told_servers *t = find_told(v, vs);
	uint32_t room = t ? t->n + 1 : FEW_SERVERS;
	const struct ip_vs_dest_entry *dests = ipvs_get_dests(v, vs, room);
	int r;

	while (dests && dests[room - 1].addr) {
		room *= 2;
		dests = ipvs_get_dests(v, vs, room);
	}
	for (uint32_t i = 0; dests && dests[i].addr; i++) {
		const struct ip_vs_dest_entry *d = &dests[i];
		const struct ip ip = ip_make(AF_INET, &d->addr);
		const uint32_t weight = (uint32_t)d->weight;

		fn(&(struct rs_conns){ .key = fact_rs(vs, &ip, ntohs(d->port), weight).key,
			   .weight = weight,
			   .active = d->activeconns,
			   .inactive = d->inactconns,
			   .persistent = d->persistconns },
			arg);
	}
	if (dests)
		return 0;

	r = ipvs_ask(v, ipvs_msg_dump(v->family, vs), ipvs_take_server, &rs.facts.n, &rs);
	if (r)
		return ipvs_error(err, r, "cannot read the connections of a virtual server");
	for (size_t i = 0; i < rs.facts.n; i++)
		fn(&rs.conns[i], arg);
	return 0;
}

struct ipvs_batch {
	struct ipvs *ipvs;
	struct op *ops;
};

static struct nl_msg *ipvs_batch_build(size_t i, void *arg)
{
	const struct ipvs_batch *b = arg;

	return ipvs_msg_op(b->ipvs->family, &b->ops[i]);
}

static void ipvs_batch_answer(size_t i, int result, void *arg)
{
	const struct ipvs_batch *b = arg;

	b->ops[i].result = result;
}

static void ipvs_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	struct ipvs_batch b = { .ipvs = v, .ops = ops };
	bool missing = false;
	int moved;

	for (size_t i = 0; i < n; i++) {
		struct fact_key vs = ops[i].fact.key;

		if (vs.kind == FACT_RS)
			fact_parent(&ops[i].fact.key, &vs);
		forget_told(v, &vs);
	}

	/*
	 * IPVS loads the module of a scheduler itself, under its lock. For the two schedulers that
	 * have state per network namespace (lblc and lblcr) that deadlocks with a namespace that is
	 * being removed at the same time (seen on Linux 6.1), and namespaces come and go on a node
	 * all the time. So their modules are loaded before.
	 */
	for (size_t i = 0; i < n; i++) {
		const char *scheduler = ops[i].fact.val.vs.scheduler;
		char module[SCHED_NAME_SIZE + 8];
		bool *loaded;

		if (ops[i].fact.key.kind != FACT_VS || ops[i].type == OP_DEL ||
			strncmp(scheduler, "lblc", 4) != 0)
			continue;
		loaded = !strcmp(scheduler, "lblc") ? &v->lblc : &v->lblcr;
		if (*loaded)
			continue;
		snprintf(module, sizeof(module), "ip_vs_%s", scheduler);
		exec_modprobe(module);
		*loaded = true;
	}
	nl_port_batch(v->port, n, ipvs_batch_build, ipvs_batch_answer, &b);

	for (size_t i = 0; i < n; i++)
		missing |= ops[i].result == -ENOENT;
	moved = missing ? ipvs_family_moved(v) : 0;
	for (size_t i = 0; moved && i < n; i++) {
		if (ops[i].result != -ENOENT)
			continue;
		ops[i].result = moved;
		b.ops = &ops[i];
		if (moved > 0)
			nl_port_batch(v->port, 1, ipvs_batch_build, ipvs_batch_answer, &b);
	}
	for (size_t i = 0; i < n; i++)
		ops[i].result = ipvs_result(&ops[i], ops[i].result);
}

const char *ipvs_explain(const struct op *op)
{
	switch (op->result) {
	case -EPERM:
		return "CAP_NET_ADMIN is missing (in the initial user namespace)";
	case -EPFNOSUPPORT:
		return "the module ip_vs was unloaded";
	case -EPROTONOSUPPORT:
		return "the kernel has no such scheduler";
	case -EINVAL:
		return op->fact.key.kind == FACT_RS
			? "the kernel refuses multicast, broadcast, unspecified and link-local "
			  "real servers, and all of them until the loopback device was up once"
			: NULL;
	default:
		return NULL;
	}
}

int ipvs_set_timeouts(
	struct adapter *a, uint32_t tcp, uint32_t tcp_fin, uint32_t udp, struct err *err)
{
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	int r = ipvs_ask(v, ipvs_msg_set_timeouts(v->family, tcp, tcp_fin, udp), NULL, NULL, NULL);

	return r ? ipvs_error(err, r, "cannot set the IPVS time-outs") : 0;
}

int ipvs_get_timeouts(struct adapter *a, struct ipvs_timeouts *ret, struct err *err)
{
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	int r = ipvs_ask(v, ipvs_msg_new(v->family, NLM_F_ACK, IPVS_CMD_GET_CONFIG),
		ipvs_read_timeouts, NULL, ret);

	return r ? ipvs_error(err, r, "cannot read the IPVS time-outs") : 0;
}

struct vs_stats_list {
	struct vs_stats *v;
	size_t n, cap;
};

static int ipvs_take_stats(struct nlmsghdr *msg, void *arg)
{
	struct vs_stats_list *l = arg;
	struct vs_stats s;
	int r = ipvs_read_stats(msg, &s);

	if (r <= 0)
		return r;
	mem_grow(l->v, l->n, l->cap);
	l->v[l->n++] = s;
	return 0;
}

int ipvs_stats(struct adapter *a, void (*fn)(const struct vs_stats *s, void *arg), void *arg,
	struct err *err)
{
	struct ipvs *v = container_of(a, struct ipvs, adapter);
	struct vs_stats_list l = { 0 };
	int r = ipvs_ask(v, ipvs_msg_dump(v->family, NULL), ipvs_take_stats, &l.n, &l);

	for (size_t i = 0; !r && i < l.n; i++)
		fn(&l.v[i], arg);
	free(l.v);
	return r ? ipvs_error(err, r, "cannot read the counters of the virtual servers") : 0;
}

int ipvs_try_scheduler(struct adapter *a, const char *scheduler, struct err *err)
{
	struct op op = { .type = OP_ADD, .fact = fact_vs_fwmark(AF_INET, IPVS_SCHEDULER_MARK) };

	if (strlen(scheduler) >= SCHED_NAME_SIZE)
		return 0;
	strcpy(op.fact.val.vs.scheduler, scheduler);
	ipvs_apply(a, &op, 1);
	if (op.result == -EPROTONOSUPPORT)
		return 0;
	if (op.result)
		return ipvs_error(err, op.result, "cannot create a virtual server");
	op.type = OP_DEL;
	ipvs_apply(a, &op, 1);
	return op.result ? ipvs_error(err, op.result, "cannot delete a virtual server") : 1;
}

struct adapter *ipvs_from_port(struct nl_port *port, uint16_t family)
{
	struct ipvs *v = new0(struct ipvs);

	v->port = port;
	v->family = family;
	v->fd = -1;
	v->adapter = (struct adapter){
		.name = "ipvs",
		.kinds = 1u << FACT_VS | 1u << FACT_RS,
		.apply = ipvs_apply,
		.dump = ipvs_dump,
		.dump_real_servers = ipvs_dump_real_servers,
		.unchanged = ipvs_unchanged,
		.conns = ipvs_conns,
		.explain = ipvs_explain,
	};
	return &v->adapter;
}

int ipvs_new(struct adapter **ret, struct err *err)
{
	struct nl_port *port;
	uint16_t family = 0;
	int r = nl_port_open(NETLINK_GENERIC, &port, err);

	if (r)
		return r;
	r = nl_port_ask(port, ipvs_msg_find_family(), ipvs_read_family, NULL, &family);
	if (r == -ENOENT) {
		err_set(err, r, "the kernel has no IPVS (module ip_vs)");
	} else if (r) {
		ipvs_error(err, r, "cannot look for IPVS in the kernel");
	} else {
		/* Anybody may look up the family; its commands take the capability. */
		r = nl_port_ask(
			port, ipvs_msg_new(family, NLM_F_ACK, IPVS_CMD_GET_INFO), NULL, NULL, NULL);
		if (r)
			ipvs_error(err, r, "cannot talk to IPVS");
	}
	if (r) {
		nl_port_free(port);
		return r;
	}
	*ret = ipvs_from_port(port, family);
	container_of(*ret, struct ipvs, adapter)->fd =
		socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return 0;
}

void ipvs_free(struct adapter *a)
{
	struct ipvs *v;

	if (!a)
		return;
	v = container_of(a, struct ipvs, adapter);
	map_for_each_entry(struct told_servers, t, &v->told, by_vs)
		free(t);
	map_done(&v->told);
	buf_done(&v->dests);
	if (v->fd >= 0)
		close(v->fd);
	nl_port_free(v->port);
	free(v);
}
