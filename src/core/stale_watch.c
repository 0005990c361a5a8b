// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stale_watch.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

/* The frontends and endpoints of one Service's UDP ports. */
struct stale_service {
	struct list link;
	struct stale_service **at; /* the pointer that remembers it */
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
	stale_add(&w->changed, (struct stale_frontend){ .ip = *ip, .port = port, .proto = proto });
}

void stale_watch_service(
	struct stale_watch *w, struct stale_service **at, const struct served_ports *served)
{
	const struct stale_list none = { 0 }, *old = *at ? &(*at)->list : &none;
	struct stale_list new = { 0 };
	size_t i = 0, j = 0;

	stale_add_served(&new, served);
	stale_finish(&new);

	/* Merges the two lists: frontends in one of them only, or with other endpoints, changed. */
	while (i < old->n || j < new.n) {
		const struct stale_frontend *a = &old->frontends[i], *b = &new.frontends[j];
		int c = i == old->n ? 1 : j == new.n ? -1 : stale_frontend_compare(a, b);
		bool same = !c && a->n == b->n;

		for (size_t k = 0; same && k < a->n; k++)
			same = !stale_endpoint_compare(
				&old->endpoints[a->first + k], &new.endpoints[b->first + k]);
		if (!same) {
			const struct stale_frontend *changed = c < 0 ? a : b;

			stale_watch_add(w, &changed->ip, changed->port, changed->proto);
		}
		i += c <= 0;
		j += c >= 0;
	}

	if (!new.n) {
		if (*at)
			stale_service_forget(*at);
		return;
	}
	if (!*at) {
		*at = new0(struct stale_service);
		(*at)->at = at;
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

void stale_watch_list(struct stale_watch *w, struct stale_list *ret)
{
	_cleanup_free_ struct stale_owner *owners = NULL;
	struct stale_list *changed = &w->changed;
	size_t n = 0;

	/* Without duplicates, so that the list does not grow while it waits. */
	stale_finish(changed);
	for (size_t i = 0; i < changed->n; i++)
		if (!n ||
			stale_frontend_compare(&changed->frontends[n - 1], &changed->frontends[i]))
			changed->frontends[n++] = changed->frontends[i];
	changed->n = n;

	/* For each changed frontend the Service that has it. */
	owners = mem_zalloc(n, sizeof(*owners));
	list_for_each_entry(const struct stale_service, s, &w->services, link)
		for (size_t i = 0; i < s->list.n; i++) {
			const struct stale_frontend *fe =
				stale_find(changed, &s->list.frontends[i]);

			if (fe)
				owners[fe - changed->frontends] =
					(struct stale_owner){ .service = s, .i = i };
		}

	for (size_t i = 0; i < n; i++) {
		const struct stale_owner *o = &owners[i];

		if (!o->service)
			stale_add(ret, changed->frontends[i]);
		else if (o->service->list.frontends[o->i].n || ret->translated)
			stale_copy(ret, &o->service->list, o->i);
	}
	stale_finish(ret);
}

void stale_watch_clear(struct stale_watch *w)
{
	stale_done(&w->changed);
}
