/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_VAL_POOL_H
#define CORE_VAL_POOL_H

#include "base/map.h"
#include "core/fact.h"

/*
 * The values of facts, each once: most facts are as desired, and nearly all real servers have the
 * same weight. Equal values of one pool are the same pointer. A zeroed pool is empty.
 */
struct val_pool {
	struct map vals;
};

void val_pool_done(struct val_pool *p);
/* The pool's copy of the value, which stays until the matching val_pool_put(). */
const struct fact_val *val_pool_get(struct val_pool *p, const struct fact_val *val);
/* Accepts NULL. */
void val_pool_put(struct val_pool *p, const struct fact_val *val);

#endif
