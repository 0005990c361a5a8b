// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/timer.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"

struct timers {
	struct event_base *base;
	struct list running; /* struct timer.link, in the order of their start */
	bool frozen;
	uint64_t now; /* of the frozen clock */
};

struct timer {
	struct timers *timers;
	struct list link;
	struct event *event;
	uint64_t due; /* while it is running */
	void (*fn)(void *arg);
	void *arg;
};

struct timers *timers_new(struct event_base *base)
{
	struct timers *t = new0(struct timers);

	t->base = base;
	list_init(&t->running);
	return t;
}

void timers_free(struct timers *t)
{
	assert(!t || list_empty(&t->running));
	free(t);
}

uint64_t timers_now(const struct timers *t)
{
	return t->frozen ? t->now : clock_ms();
}

static void on_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	timer_stop(t);
	t->fn(t->arg);
}

struct timer *timer_new(struct timers *timers, void (*fn)(void *arg), void *arg)
{
	struct timer *t = new0(struct timer);

	t->timers = timers;
	t->fn = fn;
	t->arg = arg;
	list_init(&t->link);
	t->event = evtimer_new(timers->base, on_timer_event, t);
	if (!t->event)
		abort(); /* out of memory, as in base/mem.h */
	return t;
}

void timer_free(struct timer *t)
{
	if (!t)
		return;
	timer_stop(t);
	event_free(t->event);
	free(t);
}

void timer_start(struct timer *t, uint64_t ms)
{
	const struct timeval tv = clock_timeval(ms);

	timer_stop(t);
	t->due = timers_now(t->timers) + ms;
	list_insert(&t->timers->running, &t->link);
	if (!t->timers->frozen || !ms)
		event_add(t->event, &tv);
}

void timer_stop(struct timer *t)
{
	event_del(t->event);
	list_remove(&t->link);
}

bool timer_is_running(const struct timer *t)
{
	return !list_empty(&t->link);
}

void timers_freeze(struct timers *t)
{
	t->now = clock_ms();
	t->frozen = true;
	list_for_each_entry(struct timer, timer, &t->running, link) {
		if (timer->due > t->now)
			event_del(timer->event);
	}
}

uint64_t timers_next(const struct timers *t)
{
	uint64_t next = UINT64_MAX, now = timers_now(t);

	list_for_each_entry(const struct timer, timer, &t->running, link) {
		uint64_t ms = timer->due > now ? timer->due - now : 0;

		next = ms < next ? ms : next;
	}
	return next;
}

void timers_advance(struct timers *t, uint64_t ms)
{
	assert(t->frozen);
	t->now += ms;
	list_for_each_entry(struct timer, timer, &t->running, link) {
		if (timer->due <= t->now)
			event_active(timer->event, EV_TIMEOUT, 0);
	}
}
