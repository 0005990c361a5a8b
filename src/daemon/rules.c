// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules are counted as kube-proxy counts them: those in chains of ours, not the jumps in chains of
 * others.
 */
#include "rules.h"

#include <netinet/in.h>

#include "base/mem.h"
#include "core/text.h"
#include "kernel/iptables.h"
#include "sync.h"

static const int families[] = { AF_INET, AF_INET6 };

void rules_step(struct daemon *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct metrics_family *m = metrics_of(&d->observe.metrics, families[i]);
		uint64_t failures = iptables_counts(d->iptables, families[i]).failures;

		if (d->ready) /* the first sync is the full one */
			m->partial_restore_failures += failures - m->restore_failures;
		m->restore_failures = failures;
	}
}

void rules_synced(struct daemon *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct iptables_counts now = iptables_counts(d->iptables, families[i]);
		struct metrics_family *m = metrics_of(&d->observe.metrics, families[i]);
		struct metrics_tables *before = &d->observe.rules_written[i];

		m->iptables_last.nat = now.written[TABLE_NAT] - before->nat;
		m->iptables_last.filter = now.written[TABLE_FILTER] - before->filter;
		before->nat = now.written[TABLE_NAT];
		before->filter = now.written[TABLE_FILTER];
	}
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* What others made of a chain has no text here, and is about to be put right. */
static void count_chain(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct daemon *d = arg;
	struct metrics_tables *rules =
		&metrics_of(&d->observe.metrics, key->family)->iptables_rules;
	const char *text = text_get(engine_texts(d->engine), state->have.chain.text);

	if (!state->present || !text)
		return;
	if (key->set == TABLE_NAT)
		rules->nat += count_lines(text);
	else if (key->set == TABLE_FILTER)
		rules->filter += count_lines(text);
}

void rules_count(struct daemon *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		metrics_of(&d->observe.metrics, families[i])->iptables_rules =
			(struct metrics_tables){
				.nat = iptables_counts(d->iptables, families[i]).tree,
			};
	ledger_each(engine_ledger(d->engine), FACT_CHAIN, count_chain, d);
}
