/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * FNV-1a with 64 bits: for what is told apart by its hash alone. The names of iptables chains are
 * made of it, so it must never change. Tables of objects use map_hash() of base/map.h.
 */
#define HASH_EMPTY UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` is of, followed by the data. */
uint64_t hash_more(uint64_t hash, const void *data, size_t len);
uint64_t hash_text(const char *s);

#endif
