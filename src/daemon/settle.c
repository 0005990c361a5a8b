// SPDX-License-Identifier: GPL-2.0-or-later
#include "settle.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/fact_text.h"

enum {
	SETTLE_TRIES = 3,    /* of each operation, before it is given up */
	SETTLE_TIME = 60000, /* ms without any progress */
};

struct failing {
	const struct engine *engine;
	size_t n;
};

static void log_failing(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	_cleanup_(buf_done) struct buf text = { 0 }, why = { 0 };
	struct failing *failing = arg;
	struct op op = fact_state_op(key, state);

	if (!state->error)
		return;
	fact_print(&text, &op.fact);
	engine_print_failure(failing->engine, &why, &op);
	log_error(state->wanted ? "cannot program a fact" : "cannot remove a fact",
		"fact=\"%s\" err=\"%s\"", buf_str(&text), buf_str(&why));
	failing->n++;
}

/* Failed less often than it is tried. */
static void find_retry(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	(void)key;
	if (state->error && state->tries < SETTLE_TRIES)
		*(bool *)arg = true;
}

int settle(struct engine *e)
{
	const struct engine_stats *stats = engine_stats(e);
	const struct ledger *ledger = engine_ledger(e);
	struct failing failing = { .engine = e };
	uint64_t since = clock_ms(), now = since, progress = 0;

	while (now - since < SETTLE_TIME) {
		uint64_t before = progress, next = engine_step(e, now);
		bool more = next <= now, retry = false;

		now = clock_ms();
		/* Counts up whenever the kernel is read first, or something is resolved or written. */
		progress = stats->resolves + stats->last_change;
		progress += stats->audits ? 0 : stats->audit_steps;
		if (progress != before)
			since = now;
		if (more)
			continue;
		if (stats->synced && !ledger_counts(ledger).pending && !ledger_unsure(ledger))
			return 0;
		if (stats->synced)
			ledger_each(ledger, FACT_KINDS, find_retry, &retry);
		if (stats->synced && !retry)
			break;
		if (next > now)
			usleep((useconds_t)(next - now < 100 ? next - now : 100) * 1000);
		now = clock_ms();
	}
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		ledger_each(ledger, kind, log_failing, &failing);
	if (!failing.n)
		log_error(
			"not in sync and no progress, giving up", "seconds=%d", SETTLE_TIME / 1000);
	return -EIO;
}
