// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wait for a server that is away: one client, and the herd of a large cluster, whose clocks are
 * simulated. The server in this test is a moment in time: before it, no request gets an answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>

#include "api/pace.h"
#include "api/reach.h"
#include "api/timer.h"
#include "api/watch.h"
#include "base/mem.h"

enum {
	WATCHES = 3,
	CLIENTS = 1000,
	STEP_MS = 10,
	WINDOW_MS = 100,
	AFTER_MS = 15000, /* the simulation goes on for so long after the server is back */
	LONGEST_MS = 1000000,
};

/* One client with its watches. Each asks, and asks again; once answered, it lists everything. */

struct fellow {
	struct herd *herd;
	struct member *member;
	struct reach_waiter waiter;
	struct timer *ask, *list;
};

struct member {
	struct timers *timers;
	struct reach *reach;
	struct fellow fellows[WATCHES];
	uint64_t tried; /* the last time, ms since the server went */
	unsigned listed;
	uint64_t back; /* when all had been listed */
};

struct herd {
	struct event_base *base;
	struct member *members;
	size_t n;
	uint64_t now, up_at; /* ms since the server went */
	uint64_t longest_wait;
	unsigned tries;
	unsigned asked[LONGEST_MS / WINDOW_MS], listed[LONGEST_MS / WINDOW_MS];
};

static void ask(void *arg)
{
	struct fellow *f = arg;
	struct member *m = f->member;
	struct herd *h = f->herd;

	if (m->tried && h->now - m->tried > h->longest_wait)
		h->longest_wait = h->now - m->tried;
	m->tried = h->now;
	h->tries++;
	h->asked[h->now / WINDOW_MS]++;
	if (h->now < h->up_at) {
		reach_lost(m->reach, &f->waiter);
		return;
	}
	reach_answered(m->reach);
	timer_start(f->list, pace_jitter(WATCH_RELIST_MS)); /* the answer was 410 */
}

static void on_go(void *arg)
{
	struct fellow *f = arg;

	timer_start(f->ask, 0);
}

static void on_list(void *arg)
{
	struct fellow *f = arg;
	struct herd *h = f->herd;

	h->listed[h->now / WINDOW_MS]++;
	if (++f->member->listed == WATCHES)
		f->member->back = h->now;
}

static void advance(struct herd *h, uint64_t ms)
{
	h->now += ms;
	for (size_t i = 0; i < h->n; i++)
		timers_advance(h->members[i].timers, ms);
	do
		event_base_loop(h->base, EVLOOP_NONBLOCK);
	while (event_base_get_num_events(h->base, EVENT_BASE_COUNT_ACTIVE) ||
		event_base_get_num_events(h->base, EVENT_BASE_COUNT_ADDED));
}

/* `n` clients whose connections all end now. */
static struct herd *herd_new(size_t n, uint64_t up_at)
{
	struct herd *h = new0(struct herd);

	h->base = event_base_new();
	h->members = mem_zalloc(n, sizeof(*h->members));
	h->n = n;
	h->up_at = up_at;
	for (size_t i = 0; i < n; i++) {
		struct member *m = &h->members[i];

		m->timers = timers_new(h->base);
		timers_freeze(m->timers);
		m->reach = reach_new(m->timers);
		for (size_t k = 0; k < WATCHES; k++) {
			struct fellow *f = &m->fellows[k];

			f->herd = h;
			f->member = m;
			reach_waiter_init(&f->waiter, on_go, f);
			f->ask = timer_new(m->timers, ask, f);
			f->list = timer_new(m->timers, on_list, f);
			timer_start(f->ask, 1 + pace_jitter(WATCH_SPREAD_MS));
		}
	}
	return h;
}

static void herd_free(struct herd *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct member *m = &h->members[i];

		for (size_t k = 0; k < WATCHES; k++) {
			reach_leave(&m->fellows[k].waiter);
			timer_free(m->fellows[k].ask);
			timer_free(m->fellows[k].list);
		}
		reach_free(m->reach);
		timers_free(m->timers);
	}
	free(h->members);
	event_base_free(h->base);
	free(h);
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of the time from the server's return until a client has everything. */
static uint64_t median(const struct herd *h)
{
	static uint64_t times[CLIENTS];

	for (size_t i = 0; i < h->n; i++) {
		assert_int_equal(h->members[i].listed, WATCHES);
		times[i] = h->members[i].back - h->up_at;
	}
	qsort(times, h->n, sizeof(*times), compare_times);
	return times[h->n / 2];
}

static unsigned peak(const unsigned *windows, uint64_t from, uint64_t to)
{
	unsigned most = 0;

	for (uint64_t i = from / WINDOW_MS; i < to / WINDOW_MS; i++)
		most = windows[i] > most ? windows[i] : most;
	return most;
}

static void a_herd_comes_back_fast_and_not_at_once(void **state)
{
	static const uint64_t outages[] = { 2000, 5000, 20000, 60000, 82000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outages); i++) {
		struct herd *h = herd_new(CLIENTS, outages[i]);

		while (h->now < outages[i] + AFTER_MS)
			advance(h, STEP_MS);
		assert_in_range(median(h), 1, 2000);
		assert_in_range(h->longest_wait, 0, 10000);
		/* Connections and lists in a tenth of a second. */
		assert_in_range(peak(h->asked, 1500, outages[i]), 0, CLIENTS / 5);
		assert_in_range(peak(h->asked, 0, h->now), 0, WATCHES * CLIENTS / 7);
		assert_in_range(peak(h->listed, 0, h->now), 1, WATCHES * CLIENTS / 7);
		herd_free(h);
	}
}

/* A cluster whose API server is away for a quarter of an hour is asked less often. */
static void the_longer_it_is_away_the_less_it_is_asked(void **state)
{
	struct herd *h = herd_new(10, 900000);
	unsigned first, last;

	(void)state;
	while (h->now < 60000)
		advance(h, STEP_MS);
	first = h->tries;
	while (h->now < 840000)
		advance(h, STEP_MS);
	last = h->tries;
	while (h->now < 900000)
		advance(h, STEP_MS);
	last = h->tries - last;
	assert_in_range(first, 10 * 30, 10 * 65);
	assert_in_range(last, 10 * 6, 10 * 13);
	assert_in_range(h->longest_wait, 5000, 10000);
	while (h->now < 900000 + AFTER_MS)
		advance(h, STEP_MS);
	assert_in_range(median(h), 1, 8000);
	herd_free(h);
}

/* Waiters without a server */

struct bench {
	struct event_base *base;
	struct timers *timers;
	struct reach *reach;
	struct reach_waiter waiters[WATCHES];
	unsigned went[WATCHES];
};

static void on_waited(void *arg)
{
	++*(unsigned *)arg;
}

static int setup(void **state)
{
	struct bench *b = new0(struct bench);

	b->base = event_base_new();
	b->timers = timers_new(b->base);
	timers_freeze(b->timers);
	b->reach = reach_new(b->timers);
	for (size_t i = 0; i < WATCHES; i++)
		reach_waiter_init(&b->waiters[i], on_waited, &b->went[i]);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < WATCHES; i++)
		reach_leave(&b->waiters[i]);
	reach_free(b->reach);
	timers_free(b->timers);
	event_base_free(b->base);
	free(b);
	return 0;
}

static void elapse(struct bench *b, uint64_t ms)
{
	timers_advance(b->timers, ms);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static void those_who_wait_try_in_turn(void **state)
{
	struct bench *b = *state;
	unsigned ms;

	for (size_t i = 0; i < WATCHES; i++)
		reach_lost(b->reach, &b->waiters[i]);
	for (size_t i = 0; i < 2 * WATCHES; i++) {
		for (size_t k = 0; k < WATCHES; k++)
			assert_int_equal(b->went[k], i / WATCHES + (k < i % WATCHES));
		elapse(b, timers_next(b->timers));
		ms = reach_lost(b->reach, &b->waiters[i % WATCHES]);
		assert_in_range(ms, REACH_FIRST_MS, 2 * REACH_FIRST_MS);
	}
}

/* The first one asks a server that says nothing at all. */
static void one_that_gets_nothing_holds_up_no_other(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < WATCHES; i++)
		reach_lost(b->reach, &b->waiters[i]);
	for (size_t i = 0; i < WATCHES; i++)
		elapse(b, 2 * REACH_FIRST_MS);
	for (size_t i = 0; i < WATCHES; i++)
		assert_int_equal(b->went[i], 1);
	assert_int_equal(timers_next(b->timers), UINT64_MAX);
}

static void an_answer_lets_all_go(void **state)
{
	struct bench *b = *state;

	reach_answered(b->reach);
	for (size_t i = 0; i < WATCHES; i++)
		reach_lost(b->reach, &b->waiters[i]);
	reach_leave(&b->waiters[1]);
	reach_answered(b->reach);
	assert_int_equal(b->went[0], 1);
	assert_int_equal(b->went[1], 0);
	assert_int_equal(b->went[2], 1);
	elapse(b, 20000);
	assert_int_equal(b->went[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		cmocka_unit_test(a_herd_comes_back_fast_and_not_at_once),
		cmocka_unit_test(the_longer_it_is_away_the_less_it_is_asked),
		TEST(those_who_wait_try_in_turn),
		TEST(one_that_gets_nothing_holds_up_no_other),
		TEST(an_answer_lets_all_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
