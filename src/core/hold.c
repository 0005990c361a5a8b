// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/hold.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool hold_present(const struct hold *h, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(h->ledger, key, &s) && s.present;
}

/* Whether the kernel is going to refuse connections. */
static bool hold_refuses(const struct ledger *l, const struct op *set_vs)
{
	const struct fact_key *vs = &set_vs->fact.key;
	struct fact_state s;

	return ledger_state(l, vs, &s) && ledger_has_children(l, vs) &&
		!(s.known && !strcmp(s.have.vs.scheduler, set_vs->fact.val.vs.scheduler));
}

bool hold_drops(const struct ledger *l, const struct op *set_vs)
{
	const uint8_t proto = set_vs->fact.key.proto; /* of a firewall mark: 0 */

	return proto && proto != IPPROTO_UDP && hold_refuses(l, set_vs);
}

bool hold_change(const struct hold *h, struct op *set_vs)
{
	const struct fact_key *vs = &set_vs->fact.key;
	_cleanup_free_ struct op *detour = NULL; /* operations on members, all of one type */
	bool restored = true;
	size_t n = 0, cap = 0;

	/* 1. Plan how to lead new connections away, if the kernel is going to refuse any. */
	if (h->members && !vs->proto && hold_refuses(h->ledger, set_vs)) {
		for (size_t i = 0; i < h->facts->n; i++) {
			const struct fact *f = &h->facts->facts[i];

			if (!fact_diverts(&f->key) || f->key.family != vs->family ||
				f->val.member.mark != fact_fwmark(vs) || !hold_present(h, &f->key))
				continue;
			mem_grow(detour, n, cap);
			detour[n++] = (struct op){ .type = OP_DEL, .fact = *f };
		}
	} else if (h->members && hold_drops(h->ledger, set_vs)) {
		struct fact set = fact_set(SET_NO_LOCAL, vs->family);
		struct ip ip = fact_ip(vs);
		struct fact member =
			fact_member(SET_NO_LOCAL, vs->family, &ip, vs->proto, vs->port, NULL);

		if (hold_present(h, &set.key) && !hold_present(h, &member.key)) {
			mem_grow(detour, n, cap);
			detour[n++] = (struct op){ .type = OP_ADD, .fact = member };
		}
	}

	/* 2. Change the virtual server. */
	if (n)
		h->members->apply(h->members, detour, n);
	h->virtual_servers->apply(h->virtual_servers, set_vs, 1);
	if (!n)
		return true;

	/* 3. Take the detour back. */
	for (size_t i = 0; i < n; i++)
		detour[i].type = detour[i].type == OP_ADD ? OP_DEL : OP_ADD;
	h->members->apply(h->members, detour, n);
	for (size_t i = 0; i < n; i++)
		restored = restored && !detour[i].result;
	return restored;
}
