/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

/*
 * A decimal number of digits only: no sign, no blank, no prefix; leading zeros are allowed and the
 * whole string must be used. Returns 0, or -EINVAL (also where it is larger than `max`).
 */
int number_parse(const char *s, uint64_t max, uint64_t *ret);

#endif
