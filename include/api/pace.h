/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_PACE_H
#define API_PACE_H

#include <stdint.h>

/*
 * How fast requests may follow each other: a token bucket, as client-go's
 * (k8s.io/client-go/util/flowcontrol) and with its defaults.
 */

struct pace {
	double qps;	/* per second; 0 or less: no limit */
	unsigned burst; /* at once, after a while of silence; at least 1 */
	double used;	/* requests counted against the burst, those that wait included */
	uint64_t at;	/* the time of `used`, ms */
};

/* Takes the turn of one request: the milliseconds after which it may begin. */
unsigned pace_take(struct pace *p, uint64_t now_ms);
/* A random number below n (0: 0), so that the nodes of a cluster do not ask in step. */
unsigned pace_jitter(unsigned n);

#endif
