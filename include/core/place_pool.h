/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_PLACE_POOL_H
#define CORE_PLACE_POOL_H

#include "base/map.h"
#include "core/model.h"

/*
 * The places of endpoints, each once: all endpoints on one node mostly have the same hints, too. A
 * zeroed pool is empty.
 */
struct place_pool {
	struct map places;
};

void place_pool_done(struct place_pool *p);
/* The pool's copy of the place, which stays until the matching place_pool_put(). */
const struct endpoint_place *place_pool_get(
	struct place_pool *p, const struct endpoint_place *place);
void place_pool_put(struct place_pool *p, const struct endpoint_place *place);

#endif
