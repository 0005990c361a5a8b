// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/reach.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/pace.h"
#include "api/timer.h"
#include "base/mem.h"

struct reach {
	struct timers *timers;
	struct timer *timer;	 /* runs as long as somebody waits */
	struct list waiters;	 /* the next one to try comes first */
	bool away;		 /* no answer since the last failure */
	uint64_t since, next_at; /* of the outage; of the next try, ms */
};

void reach_waiter_init(struct reach_waiter *w, void (*go)(void *arg), void *arg)
{
	*w = (struct reach_waiter){ .go = go, .arg = arg };
	list_init(&w->node);
}

static void schedule_try(struct reach *r)
{
	const uint64_t now = timers_now(r->timers), share = (now - r->since) / REACH_SHARE;
	unsigned ms = REACH_FIRST_MS;

	if (share > REACH_FIRST_MS)
		ms = share < REACH_LAST_MS ? (unsigned)share : REACH_LAST_MS;
	ms += pace_jitter(ms);
	r->next_at = now + ms;
	timer_start(r->timer, ms);
}

/* The timer goes on while the first one tries: it may wait long for a server that says nothing. */
static void on_try(void *arg)
{
	struct reach *r = arg;
	struct reach_waiter *w;

	if (list_empty(&r->waiters))
		return;
	w = container_of(r->waiters.next, struct reach_waiter, node);
	list_remove(&w->node);
	if (!list_empty(&r->waiters))
		schedule_try(r);
	w->go(w->arg);
}

struct reach *reach_new(struct timers *timers)
{
	struct reach *r = new0(struct reach);

	r->timers = timers;
	r->timer = timer_new(timers, on_try, r);
	list_init(&r->waiters);
	return r;
}

void reach_free(struct reach *r)
{
	if (!r)
		return;
	timer_free(r->timer);
	free(r);
}

unsigned reach_lost(struct reach *r, struct reach_waiter *w)
{
	uint64_t now = timers_now(r->timers);

	if (!r->away) {
		r->away = true;
		r->since = now;
	}
	list_insert(&r->waiters, &w->node);
	if (!timer_is_running(r->timer))
		schedule_try(r);
	return r->next_at > now ? (unsigned)(r->next_at - now) : 0;
}

void reach_answered(struct reach *r)
{
	r->away = false;
	timer_stop(r->timer);
	while (!list_empty(&r->waiters)) {
		struct reach_waiter *w = container_of(r->waiters.next, struct reach_waiter, node);

		list_remove(&w->node);
		w->go(w->arg);
	}
}

void reach_leave(struct reach_waiter *w)
{
	list_remove(&w->node);
}
