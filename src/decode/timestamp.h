/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_TIMESTAMP_H
#define DECODE_TIMESTAMP_H

#include <stdint.h>

/* An RFC 3339 time ("2026-01-02T03:04:05.678Z", "...+02:00") as Unix microseconds; what is below
 * is cut off. Returns 0, or -EINVAL. */
int timestamp_parse(const char *s, int64_t *ret_us);

#endif
