/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_PACKED_KEY_H
#define CORE_PACKED_KEY_H

#include "core/fact.h"

/*
 * A key without the words that it has in common with a base: of the ten words of a real server's
 * key, three are left with IPv4 if its virtual server's key is the base. `used` has bit i set if word
 * i is another one; these words follow each other.
 */
enum { KEY_WORDS = sizeof(struct fact_key) / sizeof(uint32_t) };

struct packed_key {
	uint16_t used;
	uint32_t words[KEY_WORDS];
};

struct packed_key packed_key(const struct fact_key *key, const struct fact_key *base);
struct fact_key packed_key_unpack(
	uint16_t used, const uint32_t *words, const struct fact_key *base);
/* The number of words that are left. */
size_t packed_key_words(uint16_t used);

#endif
