// SPDX-License-Identifier: GPL-2.0-or-later
#include "mentions.h"

#include <string.h>

/* FNV-1a */
#define HASH_BEGIN UINT32_C(2166136261)

static uint32_t add_character(uint32_t hash, char c)
{
	return (hash ^ (unsigned char)c) * UINT32_C(16777619);
}

static size_t bit_of(uint32_t hash)
{
	return (hash ^ hash >> 18) % MENTIONS_BITS;
}

/* Of a DNS name; names of objects have no capital letters. */
static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

void mentions_add(struct mentions *m, const char *text, size_t len)
{
	uint32_t hash = HASH_BEGIN;
	size_t bit;

	for (size_t i = 0; i <= len; i++) {
		const char c = i < len ? text[i] : '\0';
		const bool in_name = is_name_character(c);

		if (!in_name || c == '-' || c == '.') {
			bit = bit_of(hash);
			m->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
		}
		hash = in_name ? add_character(hash, c) : HASH_BEGIN;
	}
}

bool mentions_has(const struct mentions *m, const char *name)
{
	uint32_t hash = HASH_BEGIN;
	size_t bit;

	for (; *name; name++)
		hash = add_character(hash, *name);
	bit = bit_of(hash);
	return m->all || m->bits[bit / 8] & 1u << bit % 8;
}
