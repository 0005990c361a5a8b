// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/hold.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Operations on members, all of one type. */
struct detour {
	struct op *ops;
	size_t n, cap;
};

static void detour_done(struct detour *d)
{
	free(d->ops);
}

static void detour_add(struct detour *d, enum op_type type, const struct fact *member)
{
	mem_grow(d->ops, d->n, d->cap);
	d->ops[d->n++] = (struct op){ .type = type, .fact = *member };
}

static bool hold_present(const struct hold *h, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(h->ledger, key, &s) && s.present;
}

/* The operations that lead new connections away; none where the kernel refuses nobody. */
static void detour_plan(struct detour *d, const struct hold *h, const struct op *set_vs)
{
	const struct fact_key *vs = &set_vs->fact.key;
	struct fact_state s;

	if (!h->members || !ledger_state(h->ledger, vs, &s) || !ledger_has_children(h->ledger, vs))
		return;
	if (s.known && !strcmp(s.have.vs.scheduler, set_vs->fact.val.vs.scheduler))
		return;

	if (!vs->proto) {
		for (size_t i = 0; i < h->n_facts; i++) {
			const struct fact *f = &h->facts[i];

			if (fact_diverts(&f->key) && f->key.family == vs->family &&
				f->val.member.mark == fact_fwmark(vs) && hold_present(h, &f->key))
				detour_add(d, OP_DEL, f);
		}
	} else if (vs->proto != IPPROTO_UDP) {
		struct fact set = fact_set(SET_NO_LOCAL, vs->family);
		struct ip ip = fact_ip(vs);
		struct fact member =
			fact_member(SET_NO_LOCAL, vs->family, &ip, vs->proto, vs->port, NULL);

		if (hold_present(h, &set.key) && !hold_present(h, &member.key))
			detour_add(d, OP_ADD, &member);
	}
}

bool hold_change(const struct hold *h, struct op *set_vs)
{
	_cleanup_(detour_done) struct detour d = { 0 };
	bool restored = true;

	detour_plan(&d, h, set_vs);
	if (d.n)
		h->members->apply(h->members, d.ops, d.n);
	h->virtual_servers->apply(h->virtual_servers, set_vs, 1);
	if (!d.n)
		return true;

	for (size_t i = 0; i < d.n; i++)
		d.ops[i].type = d.ops[i].type == OP_ADD ? OP_DEL : OP_ADD;
	h->members->apply(h->members, d.ops, d.n);
	for (size_t i = 0; i < d.n; i++)
		restored = restored && !d.ops[i].result;
	return restored;
}
