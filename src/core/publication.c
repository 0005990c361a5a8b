// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/publication.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

bool publication_claims(const struct publication *p, const struct fact_key *key)
{
	return p && claims_have(&p->claims, key);
}

void publication_facts(const struct publication *p, struct fact_list *ret)
{
	for (size_t i = 0; i < p->claims.n; i++)
		fact_list_add(ret, claims_fact(&p->claims, i, &p->claimant));
}

struct publication *publication_of(const struct claimant *claimant)
{
	if (!claimant || claimant->born == CLAIMANT_NODE || claimant->born == CLAIMANT_LAST)
		return NULL;
	return container_of(claimant, struct publication, claimant);
}

struct publication *publication_owner(const struct ledger *l, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(l, key, &s) ? publication_of(s.claimant) : NULL;
}

struct publication *publication_holder(const struct ledger *l, const struct node_view *view,
	const struct frontend *fe, uint8_t proto)
{
	struct fact_key keys[RESOLVE_RIVAL_KEYS];
	const size_t n = resolve_rival_keys(view, fe, proto, keys);
	struct publication *owner = NULL;

	for (size_t i = 0; i < n && !owner; i++)
		owner = publication_owner(l, &keys[i]);
	return owner;
}

int wish_compare(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;
	int c = frontend_compare(&x->fe, &y->fe);

	if (!c)
		c = x->proto - y->proto;
	return c ? c : (int)x->fe.kind - (int)y->fe.kind;
}

const struct wish *publication_wish(
	const struct publication *p, const struct frontend *fe, uint8_t proto)
{
	const struct wish key = { .fe = *fe, .proto = proto };

	return p->n_wishes ? bsearch(&key, p->wishes, p->n_wishes, sizeof(*p->wishes), wish_compare)
			   : NULL;
}

bool publication_wishes(const struct publication *p, const struct frontend *fe, uint8_t proto)
{
	struct frontend f = *fe;

	for (enum frontend_kind kind = 0; p && kind <= FRONTEND_NODE_PORT; kind++) {
		f.kind = kind;
		if (publication_wish(p, &f, proto))
			return true;
	}
	return false;
}

enum refusal publication_refusal(
	const struct publication *p, const struct frontend *fe, uint8_t proto)
{
	const struct wish *w = publication_wish(p, fe, proto);

	return w ? w->fe.refusal : REFUSAL_NONE;
}
