// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stale_watch.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

/* The frontends and endpoints of one Service's UDP ports. */
struct stale_service {
	struct list link;
	struct stale_service **at; /* the pointer that remembers it */
	const struct claimant *who;
	struct stale_list list;
};

struct stale_watch {
	struct list services;
	struct stale_list changed; /* frontends without endpoints */
};

struct stale_watch *stale_watch_new(void)
{
	struct stale_watch *w = new0(struct stale_watch);

	list_init(&w->services);
	return w;
}

static void stale_service_forget(struct stale_service *s)
{
	list_remove(&s->link);
	*s->at = NULL;
	stale_done(&s->list);
	free(s);
}

void stale_watch_free(struct stale_watch *w)
{
	if (!w)
		return;
	list_for_each_entry_safe(struct stale_service, s, &w->services, link)
		stale_service_forget(s);
	stale_done(&w->changed);
	free(w);
}

void stale_watch_add(struct stale_watch *w, const struct ip *ip, uint16_t port, uint8_t proto)
{
	stale_add(&w->changed, ip, port, proto);
}

static bool stale_same_endpoints(const struct stale_list *a, const struct stale_frontend *in_a,
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

/* Merges the two sorted lists: frontends in one of them only, or with other endpoints, changed. */
static void stale_watch_compare(
	struct stale_watch *w, const struct stale_list *old, const struct stale_list *new)
{
	size_t i = 0, j = 0;

	while (i < old->n || j < new->n) {
		const struct stale_frontend *a = &old->frontends[i], *b = &new->frontends[j];
		int c = i == old->n ? 1 : j == new->n ? -1 : stale_frontend_cmp(a, b);

		if (c || !stale_same_endpoints(old, a, new, b)) {
			const struct stale_frontend *changed = c < 0 ? a : b;

			stale_watch_add(w, &changed->ip, changed->port, changed->proto);
		}
		i += c <= 0;
		j += c >= 0;
	}
}

void stale_watch_service(struct stale_watch *w, struct stale_service **at,
	const struct claimant *who, const struct served_ports *served)
{
	const struct stale_list none = { 0 };
	struct stale_list new = { 0 };

	stale_add_served(&new, served);
	stale_finish(&new);
	stale_watch_compare(w, *at ? &(*at)->list : &none, &new);
	if (!new.n) {
		if (*at)
			stale_service_forget(*at);
		return;
	}
	if (!*at) {
		*at = new0(struct stale_service);
		(*at)->at = at;
		(*at)->who = who;
		list_init(&(*at)->link);
		list_insert(&w->services, &(*at)->link);
	}
	stale_done(&(*at)->list);
	(*at)->list = new;
}

bool stale_watch_any(const struct stale_watch *w)
{
	return w->changed.n;
}

struct stale_owner {
	const struct stale_service *service; /* NULL: no Service has it */
	size_t i;			     /* of its frontends */
};

/* For each changed frontend the oldest Service that has it. */
static struct stale_owner *stale_watch_owners(const struct stale_watch *w)
{
	const struct stale_list *changed = &w->changed;
	struct stale_owner *owners = mem_zalloc(changed->n, sizeof(*owners));

	list_for_each_entry(const struct stale_service, s, &w->services, link)
		for (size_t i = 0; i < s->list.n; i++) {
			const struct stale_frontend *at =
				stale_find(changed, &s->list.frontends[i]);
			struct stale_owner *owner;

			if (!at)
				continue;
			owner = &owners[at - changed->frontends];
			if (!owner->service || claimant_older(s->who, owner->service->who))
				*owner = (struct stale_owner){ .service = s, .i = i };
		}
	return owners;
}

void stale_watch_list(struct stale_watch *w, struct stale_list *ret)
{
	_cleanup_free_ struct stale_owner *owners = NULL;
	struct stale_list *changed = &w->changed;
	size_t n = 0;

	/* Without duplicates, so that the list does not grow while it waits. */
	stale_finish(changed);
	for (size_t i = 0; i < changed->n; i++)
		if (!n || stale_frontend_cmp(&changed->frontends[n - 1], &changed->frontends[i]))
			changed->frontends[n++] = changed->frontends[i];
	changed->n = n;

	owners = stale_watch_owners(w);
	for (size_t i = 0; i < changed->n; i++) {
		const struct stale_frontend *fe = &changed->frontends[i];
		const struct stale_owner *o = &owners[i];

		if (!o->service)
			stale_add(ret, &fe->ip, fe->port, fe->proto);
		else if (o->service->list.frontends[o->i].n)
			stale_copy(ret, &o->service->list, o->i);
	}
	stale_finish(ret);
}

void stale_watch_clear(struct stale_watch *w)
{
	stale_done(&w->changed);
}
