// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel holds, and what of it is ours. */
#include <netinet/in.h>

#include "base/mem.h"
#include "core/marks.h"
#include "engine_own.h"

enum {
	AUDIT_RETRY = 1000, /* ms */
	/* Of the time no more than this part goes into reading what takes long to read. */
	READING_SHARE = 20,
};

static bool present(const struct engine *e, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(e->ledger, key, &s) && s.present;
}

struct mark_search {
	uint32_t mark;
	bool found;
};

static void match_mark(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct mark_search *s = arg;

	if (key->set == SET_LOCAL_MARK && state->present && state->have.member.mark == s->mark)
		s->found = true;
}

static bool has_member(const struct engine *e, enum set_id set, const struct fact_key *vs)
{
	struct ip ip = fact_ip(vs);
	struct fact member = fact_member(set, vs->family, &ip, vs->proto, vs->port, NULL);

	return present(e, &member.key);
}

/*
 * The bits of the mask are ours alone. A mark of an earlier mask stands in our set, unless the
 * daemon was killed just then: members that lead to a virtual server are added after it and deleted
 * before it.
 */
static bool mark_is_ours(const struct engine *e, uint32_t mark)
{
	struct mark_search s = { .mark = mark };

	if (!(mark & ~e->config.view->options->mark_mask))
		return true;
	ledger_each(e->ledger, FACT_MEMBER, match_mark, &s);
	return s.found;
}

/*
 * Who made a virtual server is written in the sets: ours stands in one of them, since members are
 * added before it and deleted after it, by us as by kube-proxy. NodePorts are sets of ports, for
 * the node's own addresses.
 */
static bool vs_is_ours(const struct engine *e, const struct fact_key *vs)
{
	static const enum set_id portals[] = { SET_CLUSTER_IP, SET_EXTERNAL_IP,
		SET_EXTERNAL_IP_LOCAL, SET_LOAD_BALANCER, SET_NODE_PORT_SCTP };
	struct ip ip = fact_ip(vs);

	if (!vs->proto)
		return mark_is_ours(e, fact_fwmark(vs));
	if (options_excluded(e->config.view->options, &ip))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		if (has_member(e, portals[i], vs))
			return true;
	if (!node_view_is_local(e->config.view, &ip))
		return false;
	return (vs->proto == IPPROTO_TCP && has_member(e, SET_NODE_PORT_TCP, vs)) ||
		(vs->proto == IPPROTO_UDP && has_member(e, SET_NODE_PORT_UDP, vs));
}

static bool is_ours(const struct engine *e, const struct fact_key *key)
{
	struct ip ip = fact_ip(key);

	switch ((enum fact_kind)key->kind) {
	case FACT_VS:
		return vs_is_ours(e, key);
	case FACT_ADDR:
		return !options_excluded(e->config.view->options, &ip) &&
			has_member(e, SET_IPVS_IPS, key);
	case FACT_LINK: /* by their names, and routes by their protocol number */
	case FACT_SET:
	case FACT_MEMBER:
	case FACT_CHAIN:
	case FACT_DISPATCH:
	case FACT_JUMP:
	case FACT_RS:
	case FACT_ROUTE:
	case FACT_KINDS:
		return true;
	}
	return true;
}

static void observe(const struct fact *f, void *arg)
{
	struct engine *e = arg;
	struct fact_state s;

	/* What somebody wants is ours, whoever made it; only of the rest it must be found out. */
	ledger_observe(e->ledger, f,
		(ledger_state(e->ledger, &f->key, &s) && s.wanted) || is_ours(e, &f->key));
}

static bool skip_foreign(const struct fact_key *vs, void *arg)
{
	const struct engine *e = arg;
	struct fact_state s;

	return !ledger_state(e->ledger, vs, &s) || !s.present || s.foreign;
}

/* NULL: it is no part of the audit, or facts of that kind cannot be had. */
static struct adapter *audited_adapter(const struct engine *e, enum fact_kind kind)
{
	return e->auditing & 1u << kind ? e->adapter[kind] : NULL;
}

static int dump_all(struct engine *e, struct err *err)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct adapter *a = audited_adapter(e, kind);
		int r = a ? a->dump(a, kind, skip_foreign, observe, e, err) : 0;

		if (r < 0) {
			err_prefix(err, "reading %s from the kernel", fact_kind_name(kind));
			return r;
		}
	}
	return 0;
}

static void audit_succeeded(struct engine *e, uint64_t now)
{
	size_t drift = ledger_audit_end(e->ledger);

	if (e->audited)
		e->stats.drift += drift;
	e->stats.audits++;
	if (now > e->audit_begun)
		e->rest_until = now + READING_SHARE * (now - e->audit_begun);
	if (!e->regular)
		return;
	if (e->audit_failed && e->config.on_audit)
		e->config.on_audit(NULL, e->config.arg);
	e->audited = true;
	e->audit_failed = false;
	e->stats.last_audit = now;
	e->next_audit = e->config.audit_interval ? now + e->config.audit_interval : UINT64_MAX;
}

static void audit_failed(struct engine *e, const struct err *err, uint64_t now)
{
	/* While nothing can be written yet there is nothing that reading would keep waiting. */
	uint64_t rest = e->audited ? READING_SHARE * (now - e->audit_begun) : 0;

	ledger_audit_abort(e->ledger);
	if (!e->audit_failed && e->config.on_audit)
		e->config.on_audit(err, e->config.arg);
	e->audit_failed = true;
	e->stats.audit_failures++;
	e->next_audit = now + (rest > AUDIT_RETRY ? rest : AUDIT_RETRY);
}

static void read_kernel(struct engine *e, uint64_t now)
{
	uint64_t (*clock_us)(void) = e->config.clock_us;
	uint64_t start = clock_us ? clock_us() : 0;
	struct err err = { 0 };

	ledger_audit_begin(e->ledger, e->auditing);
	if (dump_all(e, &err))
		audit_failed(e, &err, now);
	else
		audit_succeeded(e, now);
	e->auditing = 0;
	if (clock_us)
		e->stats.audit_us = clock_us() - start;
}

/* Whether those adapters that take long to read the kernel have done so. */
static bool read_ahead(struct engine *e)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct adapter *a = audited_adapter(e, kind);

		if (a && a->read_ahead && !a->read_ahead(a))
			return false;
	}
	return true;
}

static unsigned slow_kinds(const struct engine *e)
{
	unsigned kinds = 0;

	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		if (e->adapter[kind] && e->adapter[kind]->read_ahead)
			kinds |= 1u << kind;
	return kinds;
}

static bool must_read_all(const struct engine *e, uint64_t now)
{
	return !e->audited || (e->audit_failed && now >= e->next_audit) ||
		(!e->audit_failed && ledger_unsure(e->ledger) &&
			now >= e->stats.last_audit + RATE_LOST);
}

/* A request that comes while the kernel is read may tell of what was read already: it is served by
 * the next audit. */
static void begin_audit(struct engine *e, uint64_t now)
{
	const unsigned resting = now < e->rest_until ? slow_kinds(e) : 0;
	const bool interval = now >= e->next_audit;

	if (must_read_all(e, now))
		e->auditing = ALL_KINDS;
	else if (interval)
		e->auditing = (ALL_KINDS & ~resting) | e->audit_requested;
	else
		e->auditing = e->audit_failed ? 0 : e->audit_requested;
	e->regular = interval || e->auditing == ALL_KINDS;
	if (interval && !e->auditing)
		e->next_audit = e->rest_until;
	e->audit_requested &= ~e->auditing;
	e->audit_begun = now;
}

bool engine_audit(struct engine *e, uint64_t now)
{
	if (!e->auditing)
		begin_audit(e, now);
	if (e->auditing && !read_ahead(e))
		return false;
	if (e->auditing)
		read_kernel(e, now);
	return true;
}

static void adopt_mark(const struct fact *f, void *arg)
{
	struct ip ip = fact_ip(&f->key);

	if (f->key.set == SET_LOCAL_MARK)
		marks_adopt(arg, &ip, f->key.proto, f->key.port, f->val.member.mark);
}

void engine_adopt_marks(struct engine *e)
{
	struct adapter *a = e->adapter[FACT_MEMBER];
	struct err err;

	e->marks = marks_new(e->config.view->options->mark_mask);
	if (a && e->config.view->options->mark_mask)
		a->dump(a, FACT_MEMBER, NULL, adopt_mark, e->marks, &err);
}
