// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The number of a generic netlink family changes when its module is loaded again, and the kernel's
 * answer to a number that is none is ENOENT, as is its answer to an unknown scheduler or a missing
 * real server. So after an ENOENT the number is looked up again, and what failed is tried once more
 * if it is another one.
 */
#include "kernel/ipvs.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "ipvs_msg.h"
#include "kernel/exec.h"
#include "nl.h"

/* Of the virtual server that tries a scheduler. */
enum { TRIAL_MARK = 0x7fffffff, MODPROBE_MS = 10000 };

struct ipvs {
	struct adapter adapter;
	struct nl_port *port;
	uint16_t family;
	bool lblc, lblcr; /* their modules were asked for */
};

static struct ipvs *ipvs_of(struct adapter *a)
{
	return container_of(a, struct ipvs, adapter);
}

static int fail(struct err *err, int code, const char *what)
{
	if (code == -EPERM)
		return err_set(err, code,
			"%s: CAP_NET_ADMIN is missing (in the initial user namespace)", what);
	if (code == -EPFNOSUPPORT)
		return err_set(err, code, "%s: the module ip_vs was unloaded", what);
	return err_errno(err, code, "%s", what);
}

static void write_find_family(struct nl_writer *w, void *arg)
{
	(void)arg;
	ipvs_write_find_family(w);
}

static int read_family(const struct nlmsghdr *msg, void *arg)
{
	return ipvs_read_family(msg, arg);
}

static int find_family(struct ipvs *v)
{
	uint16_t family = 0;
	int r = nl_port_ask(v->port,
		&(struct nl_question){
			.write = write_find_family,
			.reply = read_family,
			.arg = &family,
		});

	if (!r)
		v->family = family;
	return r;
}

/*
 * Called after an answer -ENOENT. Returns 1: the family has another number now, ask again; 0: the
 * answer was about something else; -EPFNOSUPPORT: the kernel has no IPVS any more; or a negative
 * errno: nobody knows.
 */
static int family_moved(struct ipvs *v)
{
	uint16_t before = v->family;
	int r = find_family(v);

	if (r)
		return r == -ENOENT ? -EPFNOSUPPORT : r;
	return v->family != before;
}

struct question {
	struct ipvs *v;
	const struct fact_key *vs; /* whose real servers; NULL: virtual servers */
	struct fact_list facts;
	struct rs_conns *conns; /* one for each fact; only real servers */
	size_t cap_conns;
};

static void question_done(struct question *q)
{
	fact_list_done(&q->facts);
	free(q->conns);
}

static void question_restart(void *arg)
{
	struct question *q = arg;

	q->facts.n = 0;
}

static void write_dump(struct nl_writer *w, void *arg)
{
	const struct question *q = arg;

	if (q->vs)
		ipvs_write_dump_rs(w, q->v->family, q->vs);
	else
		ipvs_write_dump_vs(w, q->v->family);
}

static int read_vs(const struct nlmsghdr *msg, void *arg)
{
	struct question *q = arg;
	struct fact f;
	int r = ipvs_read_vs(msg, &f);

	if (r > 0)
		fact_list_add(&q->facts, f);
	return r < 0 ? r : 0;
}

static int read_rs(const struct nlmsghdr *msg, void *arg)
{
	struct question *q = arg;
	struct rs_conns conns;
	struct fact f;
	int r = ipvs_read_rs(msg, q->vs, &f, &conns);

	if (r <= 0)
		return r;
	mem_grow(q->conns, q->facts.n, q->cap_conns);
	q->conns[q->facts.n] = conns;
	fact_list_add(&q->facts, f);
	return 0;
}

/* Asks, and once more if the family has moved. */
static int ask(struct ipvs *v, const struct nl_question *q)
{
	int r = nl_port_ask(v->port, q), moved;

	if (r != -ENOENT)
		return r;
	moved = family_moved(v);
	return moved > 0 ? nl_port_ask(v->port, q) : moved < 0 ? moved : r;
}

static int read_kernel(struct ipvs *v, const struct fact_key *vs, struct question *q)
{
	q->v = v;
	q->vs = vs;
	q->facts.n = 0;
	return ask(v,
		&(struct nl_question){
			.write = write_dump,
			.reply = vs ? read_rs : read_vs,
			.restart = question_restart,
			.arg = q,
		});
}

static void tell(const struct fact_list *facts, dump_fn fn, void *arg)
{
	for (size_t i = 0; i < facts->n; i++)
		fn(&facts->facts[i], arg);
}

static int ipvs_dump(struct adapter *a, enum fact_kind kind,
	bool (*skip)(const struct fact_key *vs, void *arg), dump_fn fn, void *arg, struct err *err)
{
	_cleanup_(question_done) struct question vs = { 0 }, rs = { 0 };
	struct ipvs *v = ipvs_of(a);
	int r = read_kernel(v, NULL, &vs);

	if (r)
		return fail(err, r, "cannot read the virtual servers");
	if (kind == FACT_VS) {
		tell(&vs.facts, fn, arg);
		return 0;
	}
	for (size_t i = 0; i < vs.facts.n; i++) {
		const struct fact_key *key = &vs.facts.facts[i].key;

		if (skip && skip(key, arg))
			continue;
		r = read_kernel(v, key, &rs);
		if (r)
			return fail(err, r, "cannot read the real servers");
		tell(&rs.facts, fn, arg);
	}
	return 0;
}

int ipvs_conns(struct adapter *a, const struct fact_key *vs,
	void (*fn)(const struct rs_conns *c, void *arg), void *arg, struct err *err)
{
	_cleanup_(question_done) struct question q = { 0 };
	int r = read_kernel(ipvs_of(a), vs, &q);

	if (r)
		return fail(err, r, "cannot read the connections of a virtual server");
	for (size_t i = 0; i < q.facts.n; i++)
		fn(&q.conns[i], arg);
	return 0;
}

struct batch {
	struct ipvs *v;
	struct op *ops;
};

static void encode_op(struct nl_writer *w, size_t i, void *arg)
{
	const struct batch *b = arg;

	ipvs_write_op(w, b->v->family, &b->ops[i]);
}

static void take_answer(size_t i, int result, void *arg)
{
	const struct batch *b = arg;

	b->ops[i].result = result;
}

static void send_ops(struct ipvs *v, struct op *ops, size_t n)
{
	struct batch b = { .v = v, .ops = ops };

	nl_port_batch(v->port, n, encode_op, take_answer, &b);
}

static size_t count_missing(const struct op *ops, size_t n)
{
	size_t i = 0;

	while (i < n && ops[i].result == -ENOENT)
		i++;
	return i;
}

/* What was answered with -ENOENT: again if the family has moved; an error of its own if nobody
 * knows what the answer was about. */
static void send_again(struct ipvs *v, struct op *ops, size_t n, int moved)
{
	for (size_t i = 0; i < n; i++) {
		size_t missing = count_missing(ops + i, n - i);

		if (moved > 0)
			send_ops(v, ops + i, missing);
		for (size_t j = i; moved < 0 && j < i + missing; j++)
			ops[j].result = moved;
		i += missing;
	}
}

static bool any_missing(const struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].result == -ENOENT)
			return true;
	return false;
}

/*
 * IPVS loads the module of a scheduler itself, under its lock. For the two schedulers that have
 * state per network namespace (lblc and lblcr) that deadlocks with a namespace that is being
 * removed at the same time (seen on Linux 6.1), and namespaces come and go on a node all the time.
 * So their modules are loaded before.
 */
static void load_before(struct ipvs *v, const struct op *op)
{
	const char *scheduler = op->fact.val.vs.scheduler;
	char module[SCHED_NAME_SIZE + 8];
	const char *const argv[] = { "modprobe", "-q", module, NULL };
	bool *loaded = !strcmp(scheduler, "lblc") ? &v->lblc : &v->lblcr;

	if (strncmp(scheduler, "lblc", 4) != 0 || *loaded)
		return;
	snprintf(module, sizeof(module), "ip_vs_%s", scheduler);
	exec_run(argv, NULL, 0, MODPROBE_MS, NULL, NULL);
	*loaded = true;
}

static void ipvs_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct ipvs *v = ipvs_of(a);

	for (size_t i = 0; i < n; i++)
		if (ops[i].fact.key.kind == FACT_VS && ops[i].type != OP_DEL)
			load_before(v, &ops[i]);
	send_ops(v, ops, n);
	if (any_missing(ops, n))
		send_again(v, ops, n, family_moved(v));
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
			  "real servers, and all while the loopback device was never up"
			: NULL;
	default:
		return NULL;
	}
}

struct timeouts {
	struct ipvs *v;
	uint32_t tcp, tcp_fin, udp;
};

static void write_timeouts(struct nl_writer *w, void *arg)
{
	const struct timeouts *t = arg;

	ipvs_write_timeouts(w, t->v->family, t->tcp, t->tcp_fin, t->udp);
}

static int no_reply(const struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return 0;
}

int ipvs_set_timeouts(
	struct adapter *a, uint32_t tcp, uint32_t tcp_fin, uint32_t udp, struct err *err)
{
	struct timeouts t = { .v = ipvs_of(a), .tcp = tcp, .tcp_fin = tcp_fin, .udp = udp };
	int r = ask(t.v,
		&(struct nl_question){ .write = write_timeouts, .reply = no_reply, .arg = &t });

	return r ? fail(err, r, "cannot set the IPVS time-outs") : 0;
}

struct timeouts_question {
	struct ipvs *v;
	struct ipvs_timeouts *ret;
};

static void ask_timeouts(struct nl_writer *w, void *arg)
{
	const struct timeouts_question *q = arg;

	ipvs_write_get_timeouts(w, q->v->family);
}

static int read_timeouts(const struct nlmsghdr *msg, void *arg)
{
	const struct timeouts_question *q = arg;

	return ipvs_read_timeouts(msg, q->ret);
}

int ipvs_get_timeouts(struct adapter *a, struct ipvs_timeouts *ret, struct err *err)
{
	struct timeouts_question q = { .v = ipvs_of(a), .ret = ret };
	int r = ask(q.v,
		&(struct nl_question){ .write = ask_timeouts, .reply = read_timeouts, .arg = &q });

	return r ? fail(err, r, "cannot read the IPVS time-outs") : 0;
}

struct stats_question {
	struct ipvs *v;
	struct vs_stats *stats;
	size_t n, cap;
};

static void write_stats(struct nl_writer *w, void *arg)
{
	const struct stats_question *q = arg;

	ipvs_write_dump_vs(w, q->v->family);
}

static int read_stats(const struct nlmsghdr *msg, void *arg)
{
	struct stats_question *q = arg;
	struct vs_stats s;
	int r = ipvs_read_stats(msg, &s);

	if (r <= 0)
		return r;
	mem_grow(q->stats, q->n, q->cap);
	q->stats[q->n++] = s;
	return 0;
}

static void restart_stats(void *arg)
{
	struct stats_question *q = arg;

	q->n = 0;
}

int ipvs_stats(struct adapter *a, void (*fn)(const struct vs_stats *s, void *arg), void *arg,
	struct err *err)
{
	struct stats_question q = { .v = ipvs_of(a) };
	int r = ask(q.v,
		&(struct nl_question){
			.write = write_stats,
			.reply = read_stats,
			.restart = restart_stats,
			.arg = &q,
		});

	for (size_t i = 0; !r && i < q.n; i++)
		fn(&q.stats[i], arg);
	free(q.stats);
	return r ? fail(err, r, "cannot read what virtual servers have forwarded") : 0;
}

int ipvs_try_scheduler(struct adapter *a, const char *scheduler, struct err *err)
{
	struct op op = { .type = OP_ADD, .fact = fact_vs_fwmark(AF_INET, TRIAL_MARK) };

	if (strlen(scheduler) >= SCHED_NAME_SIZE)
		return 0;
	strcpy(op.fact.val.vs.scheduler, scheduler);
	ipvs_apply(a, &op, 1);
	if (op.result == -EPROTONOSUPPORT)
		return 0;
	if (op.result)
		return fail(err, op.result, "cannot make a virtual server");
	op.type = OP_DEL;
	ipvs_apply(a, &op, 1);
	return op.result ? fail(err, op.result, "cannot remove a virtual server") : 1;
}

static void write_info(struct nl_writer *w, void *arg)
{
	const struct ipvs *v = arg;

	ipvs_write_info(w, v->family);
}

/* Anybody may look up the family; to ask it anything takes the capability. */
static int ipvs_open(struct ipvs *v, struct err *err)
{
	int r = nl_port_open(NETLINK_GENERIC, &v->port, err);

	if (r)
		return r;
	r = find_family(v);
	if (r == -ENOENT)
		return err_set(err, r, "the kernel has no IPVS (module ip_vs)");
	if (r)
		return fail(err, r, "cannot look for IPVS in the kernel");
	r = nl_port_ask(
		v->port, &(struct nl_question){ .write = write_info, .reply = no_reply, .arg = v });
	return r ? fail(err, r, "cannot talk to IPVS") : 0;
}

static void ipvs_freep(struct ipvs **v)
{
	if (*v)
		ipvs_free(&(*v)->adapter);
}

int ipvs_new(struct adapter **ret, struct err *err)
{
	_cleanup_(ipvs_freep) struct ipvs *v = new0(struct ipvs);
	int r;

	v->adapter = (struct adapter){
		.name = "ipvs",
		.kinds = 1u << FACT_VS | 1u << FACT_RS,
		.apply = ipvs_apply,
		.dump = ipvs_dump,
		.conns = ipvs_conns,
		.explain = ipvs_explain,
	};
	r = ipvs_open(v, err);
	if (r)
		return r;
	*ret = &take(v)->adapter;
	return 0;
}

void ipvs_free(struct adapter *a)
{
	struct ipvs *v;

	if (!a)
		return;
	v = ipvs_of(a);
	nl_port_free(v->port);
	free(v);
}
