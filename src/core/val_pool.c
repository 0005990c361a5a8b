// SPDX-License-Identifier: GPL-2.0-or-later
#include "val_pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct pooled_val {
	struct map_node by_val;
	struct fact_val val;
	size_t uses;
};

void val_pool_done(struct val_pool *p)
{
	map_for_each_entry(struct pooled_val, v, &p->vals, by_val)
		free(v);
	map_done(&p->vals);
}

const struct fact_val *val_pool_get(struct val_pool *p, const struct fact_val *val)
{
	const uint32_t hash = map_hash(val, sizeof(*val));
	struct pooled_val *new;

	map_for_each_match_entry(struct pooled_val, v, &p->vals, hash, by_val)
		if (fact_val_eq(&v->val, val)) {
			v->uses++;
			return &v->val;
		}
	new = new0(struct pooled_val);
	new->val = *val;
	new->uses = 1;
	map_add(&p->vals, &new->by_val, hash);
	return &new->val;
}

void val_pool_put(struct val_pool *p, const struct fact_val *val)
{
	struct pooled_val *v;

	if (!val)
		return;
	v = container_of(val, struct pooled_val, val);
	assert(v->uses);
	if (--v->uses)
		return;
	map_del(&p->vals, &v->by_val);
	free(v);
}
