// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/hold.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"

/* On members; to be done before, all of one type. */
struct plan {
	struct op *ops;
	size_t n, cap;
};

static void plan_done(struct plan *p)
{
	free(p->ops);
}

static void add(struct plan *p, enum op_type type, const struct fact *member)
{
	mem_grow(p->ops, p->n, p->cap);
	p->ops[p->n++] = (struct op){ .type = type, .fact = *member };
}

static bool present(const struct hold *h, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(h->ledger, key, &s) && s.present;
}

static bool refuses_meanwhile(const struct hold *h, const struct op *set_vs)
{
	const struct fact_key *vs = &set_vs->fact.key;
	struct fact_state s;

	if (!ledger_state(h->ledger, vs, &s) || !ledger_has_children(h->ledger, vs))
		return false;
	return !s.known || strcmp(s.have.vs.scheduler, set_vs->fact.val.vs.scheduler) != 0;
}

static void drop_new(const struct hold *h, const struct fact_key *vs, struct plan *p)
{
	struct ip ip = fact_ip(vs);
	struct fact member = fact_member(SET_NO_LOCAL, vs->family, &ip, vs->proto, vs->port, NULL);
	struct fact_key set;

	if (vs->proto == IPPROTO_UDP || !fact_parent(&member.key, &set))
		return;
	if (present(h, &set) && !present(h, &member.key))
		add(p, OP_ADD, &member);
}

static void stop_diverting(const struct hold *h, const struct fact_key *vs, struct plan *p)
{
	for (size_t i = 0; i < h->n_facts; i++) {
		const struct fact *f = &h->facts[i];

		if (fact_diverts(&f->key) && f->key.family == vs->family &&
			f->val.member.mark == fact_fwmark(vs) && present(h, &f->key))
			add(p, OP_DEL, f);
	}
}

static void make_plan(const struct hold *h, const struct op *set_vs, struct plan *p)
{
	const struct fact_key *vs = &set_vs->fact.key;

	if (!h->members || !refuses_meanwhile(h, set_vs))
		return;
	if (vs->proto)
		drop_new(h, vs, p);
	else
		stop_diverting(h, vs, p);
}

static void reverse(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		p->ops[i].type = p->ops[i].type == OP_ADD ? OP_DEL : OP_ADD;
}

static bool all_done(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->ops[i].result)
			return false;
	return true;
}

bool hold_change(const struct hold *h, struct op *set_vs)
{
	_cleanup_(plan_done) struct plan p = { 0 };

	make_plan(h, set_vs, &p);
	if (p.n)
		h->members->apply(h->members, p.ops, p.n);
	h->virtual_servers->apply(h->virtual_servers, set_vs, 1);
	if (!p.n)
		return true;
	reverse(&p);
	h->members->apply(h->members, p.ops, p.n);
	return all_done(&p);
}
