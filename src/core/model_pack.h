/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_MODEL_PACK_H
#define CORE_MODEL_PACK_H

#include "core/model.h"
#include "core/place_pool.h"

/*
 * Objects in the fewest bytes, as the store keeps them: in one piece of memory of exactly their
 * size, without the half-empty chunks that decoding leaves behind. Each takes the object and
 * returns its packed copy.
 */
struct service *service_pack(struct service *s);
/* The places of its endpoints are in the pool. Free the copy with slice_packed_free(). */
struct slice *slice_pack(struct slice *s, struct place_pool *places);
void slice_packed_free(struct slice *s, struct place_pool *places);

#endif
