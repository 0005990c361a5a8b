/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_TIMER_H
#define API_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Timers on the event loop, and the monotonic clock in milliseconds that they go by. All timers of
 * an API client share one clock, so that a test can stop it and set it forward.
 */
struct event_base;
struct timers;
struct timer;

struct timers *timers_new(struct event_base *base);
/* Its timers must be freed before. */
void timers_free(struct timers *t);
uint64_t timers_now(const struct timers *t);

/* `fn` is called from the loop. */
struct timer *timer_new(struct timers *timers, void (*fn)(void *arg), void *arg);
void timer_free(struct timer *t);
/* Calls `fn` once, in so many ms from now, whatever was started before. */
void timer_start(struct timer *t, uint64_t ms);
void timer_stop(struct timer *t);
bool timer_is_running(const struct timer *t);

/* For tests: from now on the clock stands still. Timers of 0 ms go off nevertheless. */
void timers_freeze(struct timers *t);
/* In how many ms the next timer is due; UINT64_MAX: none is running. */
uint64_t timers_next(const struct timers *t);
/* Sets the frozen clock forward: due timers go off in the next turn of the loop. */
void timers_advance(struct timers *t, uint64_t ms);

#endif
