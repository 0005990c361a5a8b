/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_REACH_H
#define API_REACH_H

#include "base/list.h"

/*
 * The wait for a server that gives no answer, shared by all that ask it. While it is away, those who
 * wait try in turn, one at a time. As soon as one of them gets an answer, all of them go.
 *
 * The time from one try to the next is a share of the outage so far, within the limits below, and up
 * to as much again at random. So no try is more than 10 s away, an outage becomes only a little longer
 * by it, and the nodes of a cluster do not come back in the same moment.
 */
enum { REACH_FIRST_MS = 1000, REACH_LAST_MS = 5000, REACH_SHARE = 64 };

struct timers;
struct reach;

struct reach_waiter {
	struct list node; /* alone, unless it waits */
	void (*go)(void *arg);
	void *arg;
};
void reach_waiter_init(struct reach_waiter *w, void (*go)(void *arg), void *arg);

struct reach *reach_new(struct timers *timers);
void reach_free(struct reach *r); /* nobody waits any more */
/*
 * There was no answer: `go` is called once, when it is time to ask again. Returns the milliseconds
 * until somebody does.
 */
unsigned reach_lost(struct reach *r, struct reach_waiter *w);
/* There was an answer: calls `go` of all that wait. */
void reach_answered(struct reach *r);
/* Waits no longer. */
void reach_leave(struct reach_waiter *w);

#endif
