// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/settle.h"

#include <sys/time.h>

enum {
	/* libcurl's timers follow the real clock; most are for the next moment. */
	SOON_MS = 50,
	/* The two clocks are set one after the other, so they never differ by more than this. */
	STEP_MS = 20000,
};

static int is_soon(const struct event_base *base, const struct event *ev, void *arg)
{
	struct timeval now, due, left;

	(void)base;
	if (!event_pending(ev, EV_TIMEOUT, &due))
		return 0;
	gettimeofday(&now, NULL);
	timersub(&due, &now, &left);
	*(bool *)arg |= left.tv_sec < 0 || (left.tv_sec == 0 && left.tv_usec < SOON_MS * 1000);
	return *(bool *)arg;
}

static void turn_while_active(struct event_base *base)
{
	bool soon;

	do {
		event_base_loop(base, EVLOOP_NONBLOCK);
		soon = false;
		event_base_foreach_event(base, is_soon, &soon);
		if (soon)
			event_base_loop(base, EVLOOP_ONCE);
	} while (soon);
}

void fake_api_settle(struct fake_api *a, struct event_base *base)
{
	json_int_t before = -1;

	for (;;) {
		json_t *state;
		json_int_t activity;
		bool idle;

		turn_while_active(base);
		state = fake_api_get(a, "activity");
		activity = json_integer_value(json_object_get(state, "activity"));
		idle = json_is_true(json_object_get(state, "idle"));
		json_decref(state);
		if (idle && activity == before)
			return;
		before = idle ? activity : -1;
	}
}

void fake_api_elapse(
	struct fake_api *a, struct event_base *base, struct timers *timers, uint64_t ms)
{
	fake_api_settle(a, base);
	while (ms) {
		uint64_t step = ms < STEP_MS ? ms : STEP_MS, next = timers_next(timers);

		if (next && next < step)
			step = next;
		fake_api_order(a, "{\"elapse\": %llu.%03llu}", (unsigned long long)step / 1000,
			(unsigned long long)step % 1000);
		fake_api_settle(a, base);
		timers_advance(timers, step);
		fake_api_settle(a, base);
		ms -= step;
	}
}

bool fake_api_await(struct fake_api *a, struct event_base *base, struct timers *timers,
	bool (*done)(void *arg), void *arg)
{
	uint64_t passed = 0;

	fake_api_settle(a, base);
	while (!done(arg)) {
		uint64_t ms = timers_next(timers);

		if (passed > FAKE_API_PATIENCE_MS)
			return false;
		ms = ms < STEP_MS ? ms : STEP_MS;
		fake_api_elapse(a, base, timers, ms);
		passed += ms;
	}
	return true;
}
