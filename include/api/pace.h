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
	double used;	/* of the burst; above it are those that wait */
	uint64_t at;	/* when that was so, ms */
};

/* For one request: in how many milliseconds it may begin. */
unsigned pace_take(struct pace *p, uint64_t now_ms);

#endif
