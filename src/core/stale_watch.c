// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stale_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

/* What the UDP ports of one slot lead to; slots without any have none. */
struct stale_slot {
	struct list link;
	struct slot *slot;
	struct stale_list list;
};

struct stale_watch {
	struct list slots;
	struct stale_list changed; /* frontends without endpoints */
};

struct stale_watch *stale_watch_new(void)
{
	struct stale_watch *w = new0(struct stale_watch);

	list_init(&w->slots);
	return w;
}

static struct stale_slot *stale_slot_of(struct list *n)
{
	return container_of(n, struct stale_slot, link);
}

static void forget(struct stale_slot *s)
{
	list_remove(&s->link);
	s->slot->stale = NULL;
	stale_done(&s->list);
	free(s);
}

void stale_watch_free(struct stale_watch *w)
{
	if (!w)
		return;
	list_for_each_safe(n, &w->slots)
		forget(stale_slot_of(n));
	stale_done(&w->changed);
	free(w);
}

void stale_watch_add(struct stale_watch *w, const struct ip *ip, uint16_t port, uint8_t proto)
{
	stale_add(&w->changed, ip, port, proto);
}

static void add_change(struct stale_watch *w, const struct stale_frontend *fe)
{
	stale_watch_add(w, &fe->ip, fe->port, fe->proto);
}

static bool same_endpoints(const struct stale_list *a, const struct stale_frontend *in_a,
	const struct stale_list *b, const struct stale_frontend *in_b)
{
	if (in_a->n != in_b->n)
		return false;
	for (size_t i = 0; i < in_a->n; i++)
		if (stale_endpoint_cmp(
			    &a->endpoints[in_a->first + i], &b->endpoints[in_b->first + i]))
			return false;
	return true;
}

/* Both are finished. */
static void compare(
	struct stale_watch *w, const struct stale_list *old, const struct stale_list *new)
{
	size_t i = 0, j = 0;

	while (i < old->n || j < new->n) {
		const struct stale_frontend *a = &old->frontends[i], *b = &new->frontends[j];
		int c = i == old->n ? 1 : j == new->n ? -1 : stale_frontend_cmp(a, b);

		if (c || !same_endpoints(old, a, new, b))
			add_change(w, c < 0 ? a : b);
		i += c <= 0;
		j += c >= 0;
	}
}

void stale_watch_slot(
	struct stale_watch *w, struct slot *slot, const struct node_view *view, bool gone)
{
	struct stale_list new = { 0 }, none = { 0 };

	if (!gone)
		stale_add_slot(&new, slot, view);
	stale_finish(&new);
	compare(w, slot->stale ? &slot->stale->list : &none, &new);
	if (!new.n) {
		if (slot->stale)
			forget(slot->stale);
		return;
	}
	if (!slot->stale) {
		slot->stale = new0(struct stale_slot);
		slot->stale->slot = slot;
		list_init(&slot->stale->link);
		list_insert(&w->slots, &slot->stale->link);
	}
	stale_done(&slot->stale->list);
	slot->stale->list = new;
}

bool stale_watch_any(const struct stale_watch *w)
{
	return w->changed.n;
}

/* Sorted and without duplicates, so that what waits for long does not grow. */
static void tidy(struct stale_list *changed)
{
	size_t n = 0;

	stale_finish(changed);
	for (size_t i = 0; i < changed->n; i++)
		if (!n || stale_frontend_cmp(&changed->frontends[n - 1], &changed->frontends[i]))
			changed->frontends[n++] = changed->frontends[i];
	changed->n = n;
}

struct owner {
	const struct stale_slot *slot; /* NULL: nobody's */
	size_t i;		       /* of its frontends */
};

static void claim(struct owner *owner, const struct stale_slot *s, size_t i)
{
	if (owner->slot && !claimant_older(&s->slot->claimant, &owner->slot->slot->claimant))
		return;
	owner->slot = s;
	owner->i = i;
}

static struct owner *find_owners(const struct stale_watch *w)
{
	const struct stale_list *changed = &w->changed;
	struct owner *owners = mem_zalloc(changed->n, sizeof(*owners));

	list_for_each(n, &w->slots) {
		const struct stale_slot *s = stale_slot_of(n);

		for (size_t i = 0; i < s->list.n; i++) {
			const struct stale_frontend *at =
				stale_find(changed, &s->list.frontends[i]);

			if (at)
				claim(&owners[at - changed->frontends], s, i);
		}
	}
	return owners;
}

void stale_watch_list(struct stale_watch *w, struct stale_list *ret)
{
	_cleanup_free_ struct owner *owners = NULL;

	tidy(&w->changed);
	owners = find_owners(w);
	for (size_t i = 0; i < w->changed.n; i++) {
		const struct stale_frontend *fe = &w->changed.frontends[i];

		if (!owners[i].slot)
			stale_add(ret, &fe->ip, fe->port, fe->proto);
		else if (owners[i].slot->list.frontends[owners[i].i].n)
			stale_copy(ret, &owners[i].slot->list, owners[i].i);
	}
	stale_finish(ret);
}

void stale_watch_clear(struct stale_watch *w)
{
	stale_done(&w->changed);
}
