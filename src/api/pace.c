// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/pace.h"

#include <sys/random.h>

#include "base/clock.h"

unsigned pace_take(struct pace *p, uint64_t now_ms)
{
	double ahead;

	if (p->qps <= 0)
		return 0;
	p->used -= (double)(now_ms - p->at) / 1000 * p->qps;
	if (p->used < 0)
		p->used = 0;
	p->at = now_ms;
	p->used += 1;
	ahead = p->used - (p->burst ? p->burst : 1);
	return ahead > 0 ? (unsigned)(ahead / p->qps * 1000) + 1 : 0;
}

unsigned pace_jitter(unsigned n)
{
	unsigned v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v))
		v = (unsigned)clock_us();
	return n ? v % n : 0;
}
