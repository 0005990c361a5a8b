/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

/* FIPS 180-4. */
void sha256(const void *data, size_t len, uint8_t ret[static SHA256_SIZE]);

#endif
