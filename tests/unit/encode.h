/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_ENCODE_H
#define TEST_ENCODE_H

#include <jansson.h>

#include "base/buf.h"
#include "decode/decode.h"

/* The message of an object that is given as JSON. Every field must be one that the decoders read.
 */
struct buf encode_object(enum object_kind kind, const json_t *object);

#endif
