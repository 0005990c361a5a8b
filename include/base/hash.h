/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * FNV-1a with 64 bits, for values that are compared only by their hashes. The names of iptables
 * chains contain such hashes, so the function must never change. Tables of objects use map_hash()
 * of base/map.h.
 */
#define HASH_EMPTY UINT64_C(0xcbf29ce484222325)

/* Continues a hash: if `hash` is that of the bytes A (HASH_EMPTY: none), returns the hash of A
 * followed by the data. */
uint64_t hash_more(uint64_t hash, const void *data, size_t len);
uint64_t hash_text(const char *s);

#endif
