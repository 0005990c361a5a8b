// SPDX-License-Identifier: GPL-2.0-or-later
#include "packed_key.h"

#include <string.h>

struct packed_key packed_key(const struct fact_key *key, const struct fact_key *base)
{
	uint32_t words[KEY_WORDS], of_base[KEY_WORDS];
	struct packed_key packed = { 0 };
	size_t n = 0;

	memcpy(words, key, sizeof(words));
	memcpy(of_base, base, sizeof(of_base));
	for (size_t i = 0; i < KEY_WORDS; i++) {
		if (words[i] == of_base[i])
			continue;
		packed.used |= (uint16_t)(1u << i);
		packed.words[n++] = words[i];
	}
	return packed;
}

struct fact_key packed_key_unpack(uint16_t used, const uint32_t *words, const struct fact_key *base)
{
	uint32_t all[KEY_WORDS];
	struct fact_key key;

	memcpy(all, base, sizeof(all));
	for (unsigned left = used; left; left &= left - 1)
		all[__builtin_ctz(left)] = *words++;
	memcpy(&key, all, sizeof(key));
	return key;
}

size_t packed_key_words(uint16_t used)
{
	return (size_t)__builtin_popcount(used);
}
