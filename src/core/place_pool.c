// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/place_pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct pooled_place {
	struct map_node by_content;
	struct endpoint_place place;
	size_t uses;
	struct arena texts; /* and the lists of hints */
};

static void pooled_place_free(struct pooled_place *p)
{
	arena_done(&p->texts);
	free(p);
}

void place_pool_done(struct place_pool *p)
{
	map_for_each_entry(struct pooled_place, it, &p->places, by_content)
		pooled_place_free(it);
	map_done(&p->places);
}

static uint32_t hash_texts(uint32_t hash, const char *const *texts, size_t n)
{
	hash = hash * 31 + (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		hash = hash * 31 + map_hash_str(texts[i]);
	return hash;
}

static bool same_texts(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
	bool same = n_a == n_b;

	for (size_t i = 0; same && i < n_a; i++)
		same = !strcmp(a[i], b[i]);
	return same;
}

static bool same_place(const struct endpoint_place *a, const struct endpoint_place *b)
{
	return !strcmp(a->node_name, b->node_name) &&
		same_texts(a->zone_hints, a->n_zone_hints, b->zone_hints, b->n_zone_hints) &&
		same_texts(a->node_hints, a->n_node_hints, b->node_hints, b->n_node_hints);
}

static const char *const *copy_texts(struct arena *a, const char *const *texts, size_t n)
{
	const char **copy = n ? arena_alloc(a, n, sizeof(*copy)) : NULL;

	for (size_t i = 0; i < n; i++)
		copy[i] = arena_strdup(a, texts[i]);
	return copy;
}

const struct endpoint_place *place_pool_get(
	struct place_pool *p, const struct endpoint_place *place)
{
	uint32_t hash = map_hash_str(place->node_name);
	struct pooled_place *new;

	hash = hash_texts(hash, place->zone_hints, place->n_zone_hints);
	hash = hash_texts(hash, place->node_hints, place->n_node_hints);
	map_for_each_match_entry(struct pooled_place, it, &p->places, hash, by_content)
		if (same_place(&it->place, place)) {
			it->uses++;
			return &it->place;
		}
	new = new0(struct pooled_place);
	new->uses = 1;
	new->place = *place;
	new->place.node_name = arena_strdup(&new->texts, place->node_name);
	new->place.zone_hints = copy_texts(&new->texts, place->zone_hints, place->n_zone_hints);
	new->place.node_hints = copy_texts(&new->texts, place->node_hints, place->n_node_hints);
	map_add(&p->places, &new->by_content, hash);
	return &new->place;
}

void place_pool_put(struct place_pool *p, const struct endpoint_place *place)
{
	struct pooled_place *it = container_of(place, struct pooled_place, place);

	assert(it->uses);
	if (--it->uses)
		return;
	map_del(&p->places, &it->by_content);
	pooled_place_free(it);
}
