// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/http_pool.h"

#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct http_pool {
	struct http_pool_config config;
	struct list slots;
	size_t n_slots;
	size_t pending; /* of all of them */
};

struct http_pool *http_pool_new(const struct http_pool_config *config)
{
	struct http_pool *p = new0(struct http_pool);

	p->config = *config;
	if (!p->config.max_fd)
		p->config.max_fd = INT_MAX;
	if (!p->config.clock)
		p->config.clock = clock_ms;
	list_init(&p->slots);
	return p;
}

void http_pool_free(struct http_pool *p)
{
	free(p);
}

uint64_t http_pool_now(const struct http_pool *p)
{
	return p->config.clock();
}

int http_pool_max_fd(const struct http_pool *p)
{
	return p->config.max_fd;
}

void http_pool_add(struct http_pool *p, struct http_slot *s)
{
	s->pending = 0;
	list_insert(&p->slots, &s->in_pool);
	p->n_slots++;
	http_pool_enter(p, s, HTTP_SLOT_SILENT);
}

void http_pool_remove(struct http_pool *p, struct http_slot *s)
{
	list_remove(&s->in_pool);
	p->n_slots--;
	p->pending -= s->pending;
	s->pending = 0;
}

void http_pool_enter(struct http_pool *p, struct http_slot *s, enum http_slot_state state)
{
	s->state = state;
	s->since = s->progress = http_pool_now(p);
}

/* When the connection may go for another one. */
static uint64_t slot_due(const struct http_slot *s)
{
	uint64_t stalled;

	switch (s->state) {
	case HTTP_SLOT_CLOSES:
	case HTTP_SLOT_RESTS:
		return 0;
	case HTTP_SLOT_SILENT:
		return s->since + HTTP_POOL_SILENT;
	case HTTP_SLOT_SENDS:
		return s->since + HTTP_POOL_PARTIAL;
	case HTTP_SLOT_TAKES:
		stalled = s->progress + HTTP_POOL_STALLED;
		return stalled < s->since + HTTP_POOL_ANSWER ? stalled
							     : s->since + HTTP_POOL_ANSWER;
	}
	return 0;
}

/* The states in their order of going. */
static int slot_rank(const struct http_slot *s)
{
	switch (s->state) {
	case HTTP_SLOT_CLOSES:
	case HTTP_SLOT_RESTS:
		return 0;
	case HTTP_SLOT_SILENT:
	case HTTP_SLOT_SENDS:
		return 1;
	case HTTP_SLOT_TAKES:
		return 2;
	}
	return 0;
}

/* The first connection that may go, of that server or, with NULL, of any; NULL: there is none, but
 * in *ret_wait milliseconds. */
static struct http_slot *find_first(
	const struct http_pool *p, const void *server, uint64_t now, unsigned *ret_wait)
{
	struct http_slot *first = NULL;

	*ret_wait = HTTP_POOL_SILENT;
	list_for_each_entry(struct http_slot, s, &p->slots, in_pool) {
		const uint64_t due = slot_due(s);

		if ((server && s->server != server) || s->spared)
			continue;
		if (due > now && due - now < *ret_wait)
			*ret_wait = (unsigned)(due - now);
		if (due > now)
			continue;
		if (!first || slot_rank(s) < slot_rank(first) ||
			(slot_rank(s) == slot_rank(first) && s->since < first->since))
			first = s;
	}
	return first;
}

/* Ends the first one. Returns 0, or the milliseconds until one may go. */
static unsigned end_one(struct http_pool *p, const void *server)
{
	const uint64_t now = http_pool_now(p);
	struct http_slot *first;
	unsigned wait;

	list_for_each_entry(struct http_slot, s, &p->slots, in_pool)
		s->spared = false;
	while ((first = find_first(p, server, now, &wait))) {
		if (first->evict(first))
			return 0;
		first->spared = true;
	}
	return wait;
}

unsigned http_pool_make_room(struct http_pool *p, const void *server, size_t of_server)
{
	if (of_server >= HTTP_POOL_OF_SERVER)
		return end_one(p, server);
	return p->n_slots >= HTTP_POOL_OF_ALL ? end_one(p, NULL) : 0;
}

unsigned http_pool_free_descriptor(struct http_pool *p)
{
	return end_one(p, NULL);
}

void http_pool_set_pending(struct http_pool *p, struct http_slot *s, size_t bytes)
{
	if (bytes < s->pending)
		s->progress = http_pool_now(p);
	p->pending = p->pending - s->pending + bytes;
	s->pending = bytes;
	while (p->pending > HTTP_POOL_PENDING) {
		struct http_slot *slowest = NULL;

		list_for_each_entry(struct http_slot, other, &p->slots, in_pool)
			if (other != s && other->pending &&
				(!slowest || other->progress < slowest->progress))
				slowest = other;
		if (!slowest)
			return;
		slowest->evict(slowest);
	}
}
