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

bool hold_change(const struct hold *h, struct op *set_vs)
{
	const struct fact_key *vs = &set_vs->fact.key;
	_cleanup_free_ struct op *detour = NULL; /* operations on members, all of one type */
	bool refuses, restored = true;
	size_t n = 0, cap = 0;
	struct fact_state s;

	/* 1. Plan how to lead new connections away, if the kernel is going to refuse any. */
	refuses = h->members && ledger_state(h->ledger, vs, &s) &&
		ledger_has_children(h->ledger, vs) &&
		!(s.known && !strcmp(s.have.vs.scheduler, set_vs->fact.val.vs.scheduler));
	if (refuses && !vs->proto) {
		for (size_t i = 0; i < h->n_facts; i++) {
			const struct fact *f = &h->facts[i];

			if (!fact_diverts(&f->key) || f->key.family != vs->family ||
				f->val.member.mark != fact_fwmark(vs) || !hold_present(h, &f->key))
				continue;
			mem_grow(detour, n, cap);
			detour[n++] = (struct op){ .type = OP_DEL, .fact = *f };
		}
	} else if (refuses && vs->proto != IPPROTO_UDP) {
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
