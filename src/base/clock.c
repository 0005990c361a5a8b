// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"

#include <time.h>

uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_ms(void)
{
	return clock_us() / 1000u;
}

struct timeval clock_timeval(uint64_t ms)
{
	struct timeval tv = { .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	/* time_t has 32 bits on some machines. */
	if (__builtin_add_overflow(ms / 1000, 0, &tv.tv_sec))
		tv.tv_sec = INT32_MAX;
	return tv;
}
