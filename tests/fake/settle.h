/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_SETTLE_H
#define FAKE_SETTLE_H

#include <event2/event.h>
#include <stdbool.h>

#include "api/timer.h"
#include "fake/api.h"

/*
 * Tests that wait for nothing but bytes: the clocks of the fake API server and of its clients stand
 * still while either side has anything to do, and are set forward when both only wait for time to
 * pass.
 */

/* Turns the loop until nothing more happens on either side. The clients' timers must be frozen. */
void fake_api_settle(struct fake_api *a, struct event_base *base);
/* Settles, sets both clocks forward, settles. */
void fake_api_elapse(
	struct fake_api *a, struct event_base *base, struct timers *timers, uint64_t ms);
/*
 * Lets time pass, from one timer of the client to the next, until done() returns true. False: it
 * did not within FAKE_API_PATIENCE_MS of that time.
 */
enum { FAKE_API_PATIENCE_MS = 2 * 3600 * 1000 };
bool fake_api_await(struct fake_api *a, struct event_base *base, struct timers *timers,
	bool (*done)(void *arg), void *arg);

#endif
