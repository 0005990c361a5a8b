// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int number_parse(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v;

	if (!*s || s[strspn(s, "0123456789")])
		return -EINVAL;
	errno = 0;
	v = strtoull(s, NULL, 10);
	if (errno || v > max)
		return -EINVAL;
	*ret = v;
	return 0;
}
