// SPDX-License-Identifier: GPL-2.0-or-later
/* Making it true once, for --once and --cleanup: no loop, and an end. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "sync.h"

enum {
	SETTLE_TRIES = 3,    /* of each operation, before it is given up */
	SETTLE_TIME = 60000, /* ms without any progress */
};

struct failing {
	const struct daemon *d;
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
	engine_print_failure(failing->d->engine, &why, &op);
	log_error(state->wanted ? "could not be made true" : "could not be removed",
		"fact=\"%s\" err=\"%s\"", buf_str(&text), buf_str(&why));
	failing->n++;
}

struct patience {
	bool waiting; /* for something that failed less often than we want to try */
};

static void ask_patience(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct patience *p = arg;

	(void)key;
	if (state->error && state->tries < SETTLE_TRIES)
		p->waiting = true;
}

static bool worth_waiting(struct daemon *d)
{
	struct patience p = { 0 };

	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		ledger_each(engine_ledger(d->engine), kind, ask_patience, &p);
	return p.waiting;
}

static bool all_true(struct daemon *d)
{
	return engine_stats(d->engine)->synced &&
		!ledger_counts(engine_ledger(d->engine)).pending &&
		!ledger_unsure(engine_ledger(d->engine));
}

/* What counts up whenever something was done: the kernel read first, resolved, written. */
static uint64_t progress(const struct daemon *d)
{
	const struct engine_stats *stats = engine_stats(d->engine);

	return !!stats->audits + stats->resolves + stats->last_change;
}

int daemon_settle(struct daemon *d)
{
	uint64_t since = clock_ms(), now = since, next, before;
	struct failing failing = { .d = d };

	while (now - since < SETTLE_TIME) {
		before = progress(d);
		next = engine_step(d->engine, now);
		now = clock_ms();
		if (progress(d) != before)
			since = now;
		if (all_true(d))
			return 0;
		if (engine_stats(d->engine)->synced && !worth_waiting(d))
			break;
		if (next > now)
			usleep((useconds_t)(next - now < 100 ? next - now : 100) * 1000);
		now = clock_ms();
	}
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		ledger_each(engine_ledger(d->engine), kind, log_failing, &failing);
	if (!failing.n)
		log_error("not everything could be made true in time", NULL);
	return -EIO;
}
