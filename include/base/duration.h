/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdint.h>

/*
 * A duration as Go's time.ParseDuration() reads it: "1h2m3.5s", "300ms", "-1.5h", "0"; units ns,
 * us, µs, ms, s, m, h. A fraction of a millisecond is rounded away from 0, which often means
 * something special. Returns 0, or -EINVAL (also for more than the 292 years that fit in Go's
 * type).
 */
int duration_parse(const char *s, int64_t *ret_ms);

#endif
