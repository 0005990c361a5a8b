/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

/* Milliseconds of CLOCK_MONOTONIC, for the loop; core gets it as a parameter. */
uint64_t clock_ms(void);
/* Microseconds of the same clock, for measuring. */
uint64_t clock_us(void);
/* Converts milliseconds for libevent; 68 years stand for more than time_t can hold. */
struct timeval clock_timeval(uint64_t ms);

#endif
