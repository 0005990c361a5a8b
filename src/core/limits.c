// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/limits.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/endpoints.h"

enum { WORDS_SIZE = 160 };

static const char *asked_scheduler(const struct service *s, const struct node_view *view)
{
	return *s->scheduler ? s->scheduler : view->options->scheduler;
}

/* Who takes turns with all, or in proportion to weights, gets that on average. */
static bool takes_turns(const char *scheduler)
{
	return !strcmp(scheduler, "rr") || !strcmp(scheduler, "wrr");
}

bool limits_scheduler(const struct service *s, const struct node_view *view)
{
	return view->backend == BACKEND_IPTABLES && !takes_turns(asked_scheduler(s, view));
}

/* The default one was not asked for. */
static bool asks_for_scheduler(const struct service *s, const struct node_view *view)
{
	return *s->scheduler || strcmp(view->options->scheduler, LAST_SCHEDULER) != 0;
}

static bool has_weights(const struct slot *slot, const struct service_port *port, int family,
	const struct node_view *view)
{
	struct endpoint_list l = { 0 };
	bool differ = false;

	endpoints_select(slot, port, family, view, &l);
	for (size_t i = 1; i < l.n; i++)
		differ |= l.eps[i].weight != l.eps[0].weight;
	endpoints_done(&l);
	return differ;
}

static bool any_weights(const struct slot *slot, const struct node_view *view)
{
	for (size_t i = 0; i < slot->service->n_ports; i++)
		if (has_weights(slot, &slot->service->ports[i], AF_INET, view) ||
			has_weights(slot, &slot->service->ports[i], AF_INET6, view))
			return true;
	return false;
}

void limits_tell(const struct slot *slot, const struct node_view *view,
	void (*fn)(const char *words, void *arg), void *arg)
{
	const struct service *s = slot->service;
	const char *scheduler = asked_scheduler(s, view);
	char words[WORDS_SIZE];

	if (view->backend != BACKEND_IPTABLES)
		return;
	if (asks_for_scheduler(s, view)) {
		snprintf(words, sizeof(words), "scheduler \"%s\": endpoints are chosen by chance%s",
			scheduler, takes_turns(scheduler) ? ", not in turn" : "");
		fn(words, arg);
	}
	if (any_weights(slot, view))
		fn("weights: they are kept on average only", arg);
	if (s->drain_timeout > 0)
		fn("drain timeout: an endpoint that leaves keeps its connections until they end",
			arg);
}
