// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How members are written. With a line number libipset packs consecutive additions (or deletions)
 * to one set in one message, which it sends when it is full, when the set changes, or at
 * ipset_commit(). The kernel stops at the first element that it refuses and names its line: the
 * elements before it in the message are done, the rest is not. Since adding a member that exists
 * and deleting one that does not are no errors (IPSET_ENV_EXIST), it is always right to go on
 * behind the line that failed, without knowing where messages began.
 *
 * libipset remembers the type of a set that it created. Once somebody else recreates the set
 * with another type, the kernel answers "protocol error" to members of the remembered type.
 */
#include "kernel/ipset.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <libipset/data.h>
#include <libipset/session.h>
#include <libipset/types.h>

#include "base/list.h"
#include "base/mem.h"
#include "ipset_msg.h"

enum { HASH_SIZE = 1024 }; /* as kube-proxy creates them; the kernel lets them grow */

/* Takes the place of a set of ours that has to be replaced. */
static const char replacement[] = "ipvsctl-replacement";

struct ipset {
	struct adapter adapter;
	struct ipset_session *session;
	struct nl_port *port;
};

/* The errno of the failure that the session reports; the line is 0 where it names none. */
static int ipset_reported(struct ipset *s, uint32_t *ret_line)
{
	int e = ipset_report_errno(ipset_session_report_msg(s->session), ret_line);

	ipset_session_report_reset(s->session);
	return e;
}

static struct ipset_data *ipset_begin(struct ipset *s, const char *name)
{
	struct ipset_data *data = ipset_session_data(s->session);

	ipset_data_reset(data);
	ipset_data_set(data, IPSET_SETNAME, name);
	return data;
}

/* Sends a command about a set, and about a second one unless that is NULL: such commands are never
 * packed with others. */
static int ipset_run(struct ipset *s, enum ipset_cmd cmd, const char *name, const char *second)
{
	struct ipset_data *data = ipset_begin(s, name);
	uint32_t line;

	if (second)
		ipset_data_set(data, IPSET_OPT_SETNAME2, second);
	return ipset_cmd(s->session, cmd, 0) < 0 ? ipset_reported(s, &line) : 0;
}

static int ipset_create(struct ipset *s, const char *name, const struct fact *f)
{
	static const uint16_t first_port = 0, last_port = UINT16_MAX;
	static const uint32_t hash_size = HASH_SIZE;
	const struct ipset_type *type;
	struct ipset_data *data = ipset_begin(s, name);
	bool bitmap = f->val.set.type == SET_TYPE_BITMAP_PORT;
	uint32_t line;

	ipset_data_set(data, IPSET_OPT_TYPENAME, set_type_name(f->val.set.type));
	if (!bitmap)
		ipset_data_set(data, IPSET_OPT_FAMILY, &f->key.family);
	type = ipset_type_get(s->session, IPSET_CMD_CREATE);
	if (!type)
		return ipset_reported(s, &line);
	ipset_data_set(data, IPSET_OPT_TYPE, type);

	if (bitmap) {
		ipset_data_set(data, IPSET_OPT_PORT, &first_port);
		ipset_data_set(data, IPSET_OPT_PORT_TO, &last_port);
	} else {
		ipset_data_set(data, IPSET_OPT_FAMILY, &f->key.family);
		ipset_data_set(data, IPSET_OPT_HASHSIZE, &hash_size);
		ipset_data_set(data, IPSET_OPT_MAXELEM, &f->val.set.max_members);
		if (f->val.set.marks)
			ipset_data_set(data, IPSET_OPT_SKBINFO, &f->val.set.marks);
	}
	return ipset_cmd(s->session, IPSET_CMD_CREATE, 0) < 0 ? ipset_reported(s, &line) : 0;
}

/* Adding a member that exists changes its mark. */
static void put_member(struct ipset_data *data, const struct fact *f, enum ipset_cmd cmd)
{
	const struct fact_key *key = &f->key;
	const struct set_info *set = set_info(key->set);
	const uint64_t skbmark = (uint64_t)f->val.member.mark << 32 | f->val.member.mask;
	uint8_t bits = (uint8_t)key->port2;

	if (set->type == SET_TYPE_BITMAP_PORT) {
		ipset_data_set(data, IPSET_OPT_PORT, &key->port);
	} else {
		ipset_data_set(data, IPSET_OPT_FAMILY, &key->family);
		ipset_data_set(data, IPSET_OPT_IP, key->addr);
		if (set->type != SET_TYPE_HASH_IP) {
			ipset_data_set(data, IPSET_OPT_PROTO, &key->proto);
			ipset_data_set(data, IPSET_OPT_PORT, &key->port);
		}
		if (set->type == SET_TYPE_HASH_IP_PORT_IP || set->type == SET_TYPE_HASH_IP_PORT_NET)
			ipset_data_set(data, IPSET_OPT_IP2, key->addr2);
		if (set->type == SET_TYPE_HASH_IP_PORT_NET)
			ipset_data_set(data, IPSET_OPT_CIDR2, &bits);
	}
	if (set->marks && cmd == IPSET_CMD_ADD)
		ipset_data_set(data, IPSET_OPT_SKBMARK, &skbmark);
}

/* Additions or deletions of members that are being written. */
struct ipset_writing {
	struct ipset *ipset;
	enum ipset_cmd cmd;
	const char *name; /* of the set; NULL: that of each member's fact */
	struct op *ops;
	size_t n;
	size_t settled; /* the results of those before are known */
};

static int member_errno(int e)
{
	switch (e) {
	case -ENOENT: /* the set */
		return -ESRCH;
	case -EPROTO: /* a set of another type */
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
static int ipset_hand_over(struct ipset_writing *w, size_t i, bool alone)
{
	const struct fact *f = &w->ops[i].fact;
	const char *expected = set_type_name(set_info(f->key.set)->type);
	struct ipset_session *session = w->ipset->session;
	char buf[SET_NAME_LEN + 1];
	const char *name = w->name ? w->name : set_name(f->key.set, f->key.family, buf);
	struct ipset_data *data = ipset_begin(w->ipset, name);
	const struct ipset_type *type = ipset_type_get(session, w->cmd);
	uint32_t line;

	if (!type)
		return member_errno(ipset_reported(w->ipset, &line));
	if (strcmp(type->name, expected) != 0)
		return -EINVAL;
	put_member(data, f, w->cmd);
	return ipset_cmd(session, w->cmd, alone ? 0 : (uint32_t)i + 1) < 0;
}

/*
 * Settles the member that the session's report names, among those before `end`; all before it are
 * done. Returns where to go on.
 */
static size_t ipset_settle_failure(struct ipset_writing *w, size_t end)
{
	uint32_t line;
	int e = ipset_reported(w->ipset, &line);
	struct op *failed;
	size_t i = line - 1;

	/* No such line: what failed is unknown, so each of them gets a message of its own. */
	if (line <= w->settled || line > end) {
		for (i = w->settled; i < end; i++) {
			e = ipset_hand_over(w, i, true);
			if (e > 0)
				e = member_errno(ipset_reported(w->ipset, &line));
			w->ops[i].result = e;
		}
		return end;
	}

	failed = &w->ops[i++];
	failed->result = member_errno(e);
	/* There is no such set, so all that follows to it has the same answer. */
	for (; e == -ENOENT && i < w->n && w->ops[i].fact.key.set == failed->fact.key.set &&
		w->ops[i].fact.key.family == failed->fact.key.family;
		i++)
		w->ops[i].result = -ESRCH;
	return i;
}

static void write_members(struct ipset_writing *w)
{
	struct ipset_session *session = w->ipset->session;
	size_t i = 0;

	/* Not for sets: whether one exists is news to the caller. */
	ipset_envopt_set(session, IPSET_ENV_EXIST);
	do {
		while (i < w->n) {
			int e = ipset_hand_over(w, i, false);

			if (e <= 0)
				w->ops[i++].result = e;
			else
				i = w->settled = ipset_settle_failure(w, i + 1);
		}
		if (ipset_commit(session) < 0)
			i = w->settled = ipset_settle_failure(w, w->n);
	} while (i < w->n);
	ipset_envopt_unset(session, IPSET_ENV_EXIST);
}

struct member_ops {
	struct op *ops;
	size_t n, cap;
};

static void keep_member(const struct fact *f, void *arg)
{
	struct member_ops *m = arg;

	mem_grow(m->ops, m->n, m->cap);
	m->ops[m->n++] = (struct op){ .type = OP_ADD, .fact = *f };
}

/* Creates the replacement, copies the set's members to it and gives it the set's name. */
static int ipset_replace(struct ipset *s, const char *name, const struct fact *f)
{
	struct member_ops m = { 0 };
	struct ipset_reading reading = {
		.id = f->key.set, .family = f->key.family, .fn = keep_member, .arg = &m
	};
	struct ipset_writing w = { .ipset = s, .cmd = IPSET_CMD_ADD, .name = replacement };
	int e;

	/* A process that was killed may have left one. */
	ipset_run(s, IPSET_CMD_DESTROY, replacement, NULL);
	e = ipset_create(s, replacement, f);
	if (e)
		return e;

	/* ip_set never says that a dump was interrupted. */
	e = nl_port_ask(s->port, ipset_msg_list(name, false), ipset_read_members, NULL, &reading);
	w.ops = m.ops;
	w.n = m.n;
	if (!e)
		write_members(&w);
	for (size_t i = 0; !e && i < m.n; i++)
		e = m.ops[i].result;
	free(m.ops);

	if (!e)
		e = ipset_run(s, IPSET_CMD_SWAP, replacement, name);
	/* Sets of unlike types cannot be swapped; one to which no rule refers can make way. */
	if (e == -EPROTOTYPE) {
		e = ipset_run(s, IPSET_CMD_DESTROY, name, NULL);
		if (!e)
			e = ipset_run(s, IPSET_CMD_RENAME, replacement, name);
	}
	ipset_run(s, IPSET_CMD_DESTROY, replacement, NULL);
	return e;
}

static void ipset_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct ipset *s = container_of(a, struct ipset, adapter);
	struct ipset_writing w = { .ipset = s, .ops = ops, .n = n };
	char name[SET_NAME_LEN + 1];

	if (n && ops[0].fact.key.kind == FACT_MEMBER) {
		w.cmd = ops[0].type == OP_DEL ? IPSET_CMD_DEL : IPSET_CMD_ADD;
		write_members(&w);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct fact *f = &ops[i].fact;

		set_name(f->key.set, f->key.family, name);
		switch (ops[i].type) {
		case OP_ADD:
			ops[i].result = ipset_create(s, name, f);
			break;
		case OP_SET:
			ops[i].result = ipset_replace(s, name, f);
			break;
		case OP_DEL:
			ops[i].result = ipset_run(s, IPSET_CMD_DESTROY, name, NULL);
			break;
		}
	}
}

const char *ipset_explain(const struct op *op)
{
	bool member = op->fact.key.kind == FACT_MEMBER;

	switch (op->result) {
	case -EPERM:
		return "CAP_NET_ADMIN is missing";
	case -EBUSY:
		return op->type == OP_DEL
			? "foreign iptables rules refer to the set"
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

static int ipset_dump(
	struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	struct ipset *s = container_of(a, struct ipset, adapter);
	char name[SET_NAME_LEN + 1];

	for (unsigned i = 0; i < 2 * SET_IPSETS; i++) {
		struct ipset_reading r = { .id = i % SET_IPSETS,
			.family = i < SET_IPSETS ? AF_INET : AF_INET6,
			.fn = fn,
			.arg = arg };
		int e;

		set_name(r.id, r.family, name);
		e = nl_port_ask(s->port, ipset_msg_list(name, kind == FACT_SET),
			kind == FACT_SET ? ipset_read_set : ipset_read_members, NULL, &r);
		if (e && e != -ENOENT)
			return err_errno(err, e, "cannot read ipset %s", name);
	}
	return 0;
}

/* Sets of ports that are no facts: they are read and written as this set is. */
static const enum set_id ports_like = SET_NODE_PORT_TCP;

static void read_port(const struct fact *f, void *arg)
{
	port_set_add(arg, f->key.port);
}

static int ipset_read_note(
	struct adapter *a, const char *name, struct port_set *ret, struct err *err)
{
	struct ipset *s = container_of(a, struct ipset, adapter);
	struct port_set found = { 0 };
	struct ipset_reading r = {
		.id = ports_like, .family = AF_INET, .fn = read_port, .arg = &found
	};
	int e = nl_port_ask(s->port, ipset_msg_list(name, false), ipset_read_members, NULL, &r);

	if (e && e != -ENOENT)
		return err_errno(err, e, "cannot read ipset %s", name);
	*ret = found;
	return 0;
}

/* Adds the ports to the set, or deletes them from it. */
static int change_ports(
	struct ipset *s, enum ipset_cmd cmd, const char *name, const struct port_set *ports)
{
	_cleanup_free_ struct op *ops = mem_zalloc(port_set_count(ports), sizeof(*ops));
	struct ipset_writing w = { .ipset = s, .cmd = cmd, .name = name, .ops = ops };

	for (unsigned port = 0; port <= UINT16_MAX; port++)
		if (port_set_has(ports, (uint16_t)port))
			ops[w.n++].fact =
				fact_member(ports_like, AF_INET, NULL, 0, (uint16_t)port, NULL);
	write_members(&w);
	for (size_t i = 0; i < w.n; i++)
		if (ops[i].result)
			return ops[i].result;
	return 0;
}

static int ipset_write_note(
	struct adapter *a, const char *name, const struct port_set *ports, struct err *err)
{
	struct ipset *s = container_of(a, struct ipset, adapter);
	const struct fact like = fact_set(ports_like, AF_INET);
	struct port_set old, more, less;
	int e = ipset_read_note(a, name, &old, err);

	if (e)
		return e;
	port_set_minus(ports, &old, &more);
	port_set_minus(&old, ports, &less);
	if (!port_set_count(ports)) {
		e = ipset_run(s, IPSET_CMD_DESTROY, name, NULL);
		e = e == -ENOENT ? 0 : e;
	} else {
		e = ipset_create(s, name, &like);
		e = e == -EEXIST ? 0 : e;
		if (!e)
			e = change_ports(s, IPSET_CMD_ADD, name, &more);
		if (!e)
			e = change_ports(s, IPSET_CMD_DEL, name, &less);
	}
	return e ? err_errno(err, e, "cannot write ipset %s", name) : 0;
}

int ipset_new(struct adapter **ret, struct err *err)
{
	struct nl_port *port;
	struct ipset *s;
	int e = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (e)
		return e;
	e = nl_port_ask(port, ipset_msg_new(IPSET_CMD_PROTOCOL, NLM_F_ACK), NULL, NULL, NULL);
	if (e) {
		nl_port_free(port);
		/* nfnetlink has no handler for the subsystem, or the kernel has no nfnetlink. */
		if (e == -EINVAL || e == -ENOENT || e == -EPROTONOSUPPORT)
			return err_set(err, -ENOENT, "this kernel has no ip_set (CONFIG_IP_SET)");
		if (e == -EPERM)
			return err_set(err, e, "ipset: not permitted: CAP_NET_ADMIN is missing");
		return err_errno(err, e, "ipset does not work");
	}

	ipset_load_types();
	s = new0(struct ipset);
	s->adapter = (struct adapter){
		.name = "ipset",
		.kinds = 1u << FACT_SET | 1u << FACT_MEMBER,
		.apply = ipset_apply,
		.dump = ipset_dump,
		.explain = ipset_explain,
		.read_note = ipset_read_note,
		.write_note = ipset_write_note,
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
	s = container_of(a, struct ipset, adapter);
	ipset_session_fini(s->session);
	nl_port_free(s->port);
	free(s);
}
