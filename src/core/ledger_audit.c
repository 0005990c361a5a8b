// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel holds, as it is read. */
#include <assert.h>
#include <errno.h>

#include "ledger_own.h"

void ledger_audit_begin(struct ledger *l, unsigned kinds)
{
	assert(!l->auditing);
	l->audit++;
	l->auditing = kinds;
	l->drift = 0;
}

static bool answer_lost(const struct entry *e)
{
	return e->failure && e->failure->error == -ENOBUFS;
}

/* Where nothing is believed nothing can differ: what we did ourselves is no drift. */
static bool doubted(const struct entry *e)
{
	return answer_lost(e) || (e->parent && answer_lost(e->parent));
}

void ledger_observe(struct ledger *l, const struct fact *f, bool ours)
{
	struct entry *e = entry_get(l, &f->key);
	bool differs = !e->present || (e->known && !fact_val_eq(&e->have, &f->val));

	if (!e->present)
		e->foreign = !e->claims && !ours;
	if (differs) {
		l->drift += !e->foreign && !doubted(e);
		entry_forget_failure(e);
	}
	e->present = e->known = true;
	e->have = f->val;
	e->seen = l->audit;
	ledger_requeue(l, e);
	if (differs)
		ledger_requeue_children(l, e);
	ledger_collect(l);
}

static bool vanished(const struct ledger *l, const struct entry *e)
{
	return l->auditing & 1u << e->key.kind && e->present && e->seen != l->audit;
}

/* Counted before any is acted on, as the end of one is the end of its children. */
size_t ledger_audit_end(struct ledger *l)
{
	map_for_each(n, &l->entries) {
		const struct entry *e = entry_of(n);

		l->drift += vanished(l, e) && !e->foreign && !doubted(e);
	}
	map_for_each(n, &l->entries) {
		struct entry *e = entry_of(n);

		if (!vanished(l, e))
			continue;
		entry_forget_failure(e);
		ledger_set_absent(l, e);
	}
	ledger_collect(l);
	l->unsure &= ~l->auditing;
	l->auditing = 0;
	return l->drift;
}

void ledger_audit_abort(struct ledger *l)
{
	l->auditing = 0;
}

bool ledger_unsure(const struct ledger *l)
{
	return l->unsure;
}
