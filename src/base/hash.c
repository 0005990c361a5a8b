// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hash.h"

#include <string.h>

uint64_t hash_more(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

uint64_t hash_text(const char *s)
{
	return hash_more(HASH_EMPTY, s, strlen(s));
}
