/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_SAME_OBJECT_H
#define TEST_SAME_OBJECT_H

#include "decode/decode.h"

/* Asserts that two decoded objects are equal in every field. */
void assert_same_object(const struct object *a, const struct object *b);

#endif
