// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How members are written. With a line number libipset packs consecutive additions (or deletions)
 * to one set in one message, which it sends when it is full, when the set changes, or at
 * ipset_commit(). The kernel stops at the first element that it refuses and names its line: what
 * stands before it in the message is done, the rest is not. Since an addition that exists and a
 * deletion that does not are no errors (IPSET_ENV_EXIST), it is always right to go on behind the
 * line that failed, without knowing where messages began.
 *
 * libipset remembers the type of every set that it met. What it remembers of a set that somebody
 * else made anew with another type is wrong: the kernel answers "protocol error" to it.
 */
#include "kernel/ipset.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include <libipset/data.h>
#include <libipset/session.h>
#include <libipset/types.h>

#include "base/list.h"
#include "base/mem.h"
#include "ipset_dump.h"
#include "ipset_text.h"

enum { HASH_SIZE = 1024 }; /* as kube-proxy creates them; the kernel lets them grow */

/* Takes the place of a set of ours that has to be made anew. */
static const char replacement[] = "ipvsctl-replacement";

struct ipset {
	struct adapter adapter;
	struct ipset_session *session;
	struct nl_port *port;
};

static struct ipset *ipset_of(struct adapter *a)
{
	return container_of(a, struct ipset, adapter);
}

/* The errno of the failure that the session reports; the line is 0 where it names none. */
static int reported(struct ipset *s, uint32_t *ret_line)
{
	int e = ipset_text_errno(ipset_session_report_msg(s->session), ret_line);

	ipset_session_report_reset(s->session);
	return e;
}

/* Sets without members and commands that are never packed. */
static int run(struct ipset *s, enum ipset_cmd cmd)
{
	uint32_t line;

	return ipset_cmd(s->session, cmd, 0) < 0 ? reported(s, &line) : 0;
}

static struct ipset_data *begin(struct ipset *s, const char *name)
{
	struct ipset_data *data = ipset_session_data(s->session);

	ipset_data_reset(data);
	ipset_data_set(data, IPSET_SETNAME, name);
	return data;
}

static uint8_t nfproto(int family)
{
	return family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static void put_options(struct ipset_data *data, const struct fact *f)
{
	const uint16_t first = 0, last = UINT16_MAX;
	const uint32_t hash_size = HASH_SIZE;
	uint8_t family = nfproto(f->key.family);

	if (f->val.set.type == SET_TYPE_BITMAP_PORT) {
		ipset_data_set(data, IPSET_OPT_PORT, &first);
		ipset_data_set(data, IPSET_OPT_PORT_TO, &last);
		return;
	}
	ipset_data_set(data, IPSET_OPT_FAMILY, &family);
	ipset_data_set(data, IPSET_OPT_HASHSIZE, &hash_size);
	ipset_data_set(data, IPSET_OPT_MAXELEM, &f->val.set.max_members);
	if (f->val.set.marks)
		ipset_data_set(data, IPSET_OPT_SKBINFO, &f->val.set.marks);
}

static int create(struct ipset *s, const char *name, const struct fact *f)
{
	struct ipset_data *data = begin(s, name);
	const struct ipset_type *type;
	uint8_t family = nfproto(f->key.family);
	uint32_t line;

	ipset_data_set(data, IPSET_OPT_TYPENAME, set_type_name(f->val.set.type));
	if (f->val.set.type != SET_TYPE_BITMAP_PORT)
		ipset_data_set(data, IPSET_OPT_FAMILY, &family);
	type = ipset_type_get(s->session, IPSET_CMD_CREATE);
	if (!type)
		return reported(s, &line);
	ipset_data_set(data, IPSET_OPT_TYPE, type);
	put_options(data, f);
	return run(s, IPSET_CMD_CREATE);
}

static int destroy(struct ipset *s, const char *name)
{
	begin(s, name);
	return run(s, IPSET_CMD_DESTROY);
}

static int two_sets(struct ipset *s, enum ipset_cmd cmd, const char *from, const char *to)
{
	ipset_data_set(begin(s, from), IPSET_OPT_SETNAME2, to);
	return run(s, cmd);
}

static void put_member(struct ipset_data *data, const struct fact_key *key, enum set_type type)
{
	uint8_t family = nfproto(key->family), bits = (uint8_t)key->port2;

	if (type == SET_TYPE_BITMAP_PORT) {
		ipset_data_set(data, IPSET_OPT_PORT, &key->port);
		return;
	}
	ipset_data_set(data, IPSET_OPT_FAMILY, &family);
	ipset_data_set(data, IPSET_OPT_IP, key->addr);
	if (type == SET_TYPE_HASH_IP)
		return;
	ipset_data_set(data, IPSET_OPT_PROTO, &key->proto);
	ipset_data_set(data, IPSET_OPT_PORT, &key->port);
	if (type == SET_TYPE_HASH_IP_PORT)
		return;
	ipset_data_set(data, IPSET_OPT_IP2, key->addr2);
	if (type == SET_TYPE_HASH_IP_PORT_NET)
		ipset_data_set(data, IPSET_OPT_CIDR2, &bits);
}

/* Of an addition; one of a member that exists changes its mark. */
static void put_mark(struct ipset_data *data, const struct fact *f)
{
	uint64_t skbmark = (uint64_t)f->val.member.mark << 32 | f->val.member.mask;

	if (set_info(f->key.set)->marks)
		ipset_data_set(data, IPSET_OPT_SKBMARK, &skbmark);
}

/* One addition or deletion of members, all of one type of operation. */
struct writing {
	struct ipset *ipset;
	enum ipset_cmd cmd;
	const char *name; /* of the set; NULL: that of each member's fact */
	struct op *ops;
	size_t n;
	size_t settled; /* the results of those before are known */
	size_t retried; /* line of the member that was tried again */
};

static const char *name_of(const struct writing *w, size_t i, char s[static SET_NAME_LEN + 1])
{
	const struct fact_key *key = &w->ops[i].fact.key;

	return w->name ? w->name : set_name(key->set, key->family, s);
}

static int member_errno(int e)
{
	switch (e) {
	case -ENOENT: /* the set */
		return -ESRCH;
	case -EPROTO:
		return -EINVAL;
	default:
		return e;
	}
}

/*
 * Hands over the i-th member, with a line number unless `alone`. Returns 0 (in a message, sent or
 * not), 1 (the session reports a failure, of this member or of one before it), or the negative
 * errno of this member alone.
 */
static int hand_over(struct writing *w, size_t i, bool alone)
{
	const struct fact_key *key = &w->ops[i].fact.key;
	enum set_type expected = set_info(key->set)->type;
	struct ipset_session *session = w->ipset->session;
	char name[SET_NAME_LEN + 1];
	struct ipset_data *data = begin(w->ipset, name_of(w, i, name));
	const struct ipset_type *type = ipset_type_get(session, w->cmd);
	uint32_t line;

	if (!type)
		return member_errno(reported(w->ipset, &line));
	if (strcmp(type->name, set_type_name(expected)) != 0)
		return -EINVAL;
	put_member(data, key, expected);
	if (w->cmd == IPSET_CMD_ADD)
		put_mark(data, &w->ops[i].fact);
	return ipset_cmd(session, w->cmd, alone ? 0 : (uint32_t)i + 1) < 0;
}

/* Without lines: each in a message of its own. */
static void write_alone(struct writing *w, size_t end)
{
	for (size_t i = w->settled; i < end; i++) {
		int e = hand_over(w, i, true);
		uint32_t line;

		w->ops[i].result = e > 0 ? member_errno(reported(w->ipset, &line)) : e;
	}
}

/* All that follows to the set that does not exist has the same answer. Returns where it ends. */
static size_t fail_rest_of_set(struct writing *w, size_t i)
{
	const struct fact_key first = w->ops[i].fact.key;

	for (; i < w->n && w->ops[i].fact.key.set == first.set &&
		w->ops[i].fact.key.family == first.family;
		i++)
		w->ops[i].result = -ESRCH;
	return i;
}

/*
 * Settles the member that the session's report names, among those before `end`; all before it are
 * done. Returns where to go on.
 */
static size_t blame(struct writing *w, size_t end)
{
	char name[SET_NAME_LEN + 1];
	uint32_t line;
	int e = reported(w->ipset, &line);
	size_t i = line - 1;

	if (line <= w->settled || line > end) {
		write_alone(w, end);
		return end;
	}
	if (e == -EPROTO || e == -ENOENT)
		ipset_cache_del(name_of(w, i, name));
	if (e == -EPROTO && w->retried != line) {
		w->retried = line;
		return i;
	}
	if (e == -ENOENT)
		return fail_rest_of_set(w, i);
	w->ops[i].result = member_errno(e);
	return i + 1;
}

static void write_members(struct writing *w)
{
	struct ipset_session *session = w->ipset->session;
	size_t i = 0;

	/* Not for sets: that one exists, or does not, is news to the caller. */
	ipset_envopt_set(session, IPSET_ENV_EXIST);
	do {
		while (i < w->n) {
			int e = hand_over(w, i, false);

			if (e <= 0)
				w->ops[i++].result = e;
			else
				i = w->settled = blame(w, i + 1);
		}
		if (ipset_commit(session) < 0)
			i = w->settled = blame(w, w->n);
	} while (i < w->n);
	ipset_envopt_unset(session, IPSET_ENV_EXIST);
}

struct members {
	struct op *ops;
	size_t n, cap;
};

static void keep_member(const struct fact *f, void *arg)
{
	struct members *m = arg;

	mem_grow(m->ops, m->n, m->cap);
	m->ops[m->n++] = (struct op){ .type = OP_ADD, .fact = *f };
}

/* Gives the replacement what the set holds. */
static int copy_members(struct ipset *s, const struct fact_key *key)
{
	struct members m = { 0 };
	struct writing w = { .ipset = s, .cmd = IPSET_CMD_ADD, .name = replacement };
	int e = ipset_dump_members(s->port, key->set, key->family, keep_member, &m);

	w.ops = m.ops;
	w.n = m.n;
	if (!e)
		write_members(&w);
	for (size_t i = 0; !e && i < m.n; i++)
		e = m.ops[i].result;
	free(m.ops);
	return e;
}

/* Sets of unlike types cannot be swapped; one that no rule refers to can make way. */
static int exchange(struct ipset *s, const char *name)
{
	int e = two_sets(s, IPSET_CMD_SWAP, replacement, name);

	if (e != -EPROTOTYPE)
		return e;
	e = destroy(s, name);
	return e ? e : two_sets(s, IPSET_CMD_RENAME, replacement, name);
}

static int replace(struct ipset *s, const char *name, const struct fact *f)
{
	int e;

	destroy(s, replacement); /* what a process that was killed left behind */
	e = create(s, replacement, f);
	if (e)
		return e;
	e = copy_members(s, &f->key);
	if (!e)
		e = exchange(s, name);
	destroy(s, replacement);
	return e;
}

static int apply_set(struct ipset *s, enum op_type type, const struct fact *f)
{
	char name[SET_NAME_LEN + 1];

	set_name(f->key.set, f->key.family, name);
	switch (type) {
	case OP_ADD:
		return create(s, name, f);
	case OP_SET:
		return replace(s, name, f);
	case OP_DEL:
		return destroy(s, name);
	}
	return -EINVAL;
}

static void ipset_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct ipset *s = ipset_of(a);
	struct writing w = { .ipset = s, .ops = ops, .n = n };

	if (!n)
		return;
	if (ops[0].fact.key.kind == FACT_MEMBER) {
		w.cmd = ops[0].type == OP_DEL ? IPSET_CMD_DEL : IPSET_CMD_ADD;
		write_members(&w);
		return;
	}
	for (size_t i = 0; i < n; i++)
		ops[i].result = apply_set(s, ops[i].type, &ops[i].fact);
}

const char *ipset_explain(const struct op *op)
{
	bool member = op->fact.key.kind == FACT_MEMBER;

	switch (op->result) {
	case -EPERM:
		return "CAP_NET_ADMIN is missing";
	case -EBUSY:
		return op->type == OP_DEL
			? "iptables rules of others refer to the set"
			: "the set has another type and cannot be replaced while rules refer to it";
	case -ENOSPC:
		return member ? "the set is full" : "the kernel has too many sets";
	case -EINVAL:
		return member ? "the set has another type or no marks, or takes no such element"
			      : NULL;
	case -EOPNOTSUPP:
		return "the kernel lacks the type of set, or libipset does not know its revision";
	default:
		return NULL;
	}
}

static int dump_one(
	struct ipset *s, enum fact_kind kind, enum set_id id, int family, dump_fn fn, void *arg)
{
	struct fact f;
	int e;

	if (kind == FACT_MEMBER)
		return ipset_dump_members(s->port, id, family, fn, arg);
	e = ipset_dump_set(s->port, id, family, &f);
	if (!e)
		fn(&f, arg);
	return e;
}

static int ipset_dump(struct adapter *a, enum fact_kind kind,
	bool (*skip)(const struct fact_key *vs, void *arg), dump_fn fn, void *arg, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char name[SET_NAME_LEN + 1];

	(void)skip;
	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (enum set_id id = 0; id < SET_COUNT; id++) {
			int e = dump_one(ipset_of(a), kind, id, families[f], fn, arg);

			if (e && e != -ENOENT)
				return err_errno(err, e, "cannot read ipset %s",
					set_name(id, families[f], name));
		}
	return 0;
}

static int try_ipset(struct nl_port *port, struct err *err)
{
	int e = ipset_dump_try(port);

	if (e == -ENOENT)
		return err_set(err, e, "this kernel has no ip_set (CONFIG_IP_SET)");
	if (e == -EPERM)
		return err_set(err, e, "ipset: not permitted: CAP_NET_ADMIN is missing");
	return e ? err_errno(err, e, "ipset does not work") : 0;
}

int ipset_new(struct adapter **ret, struct err *err)
{
	struct nl_port *port;
	struct ipset *s;
	int e = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (e)
		return e;
	e = try_ipset(port, err);
	if (e) {
		nl_port_free(port);
		return e;
	}
	ipset_load_types();
	s = new0(struct ipset);
	s->adapter = (struct adapter){
		.name = "ipset",
		.kinds = 1u << FACT_SET | 1u << FACT_MEMBER,
		.apply = ipset_apply,
		.dump = ipset_dump,
		.explain = ipset_explain,
	};
	s->port = port;
	s->session = ipset_session_init(NULL, NULL);
	if (!s->session)
		abort(); /* out of memory */
	*ret = &s->adapter;
	return 0;
}

void ipset_free(struct adapter *a)
{
	struct ipset *s;

	if (!a)
		return;
	s = ipset_of(a);
	ipset_session_fini(s->session);
	nl_port_free(s->port);
	free(s);
}
