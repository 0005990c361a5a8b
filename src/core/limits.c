// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/limits.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* A scheduler that takes turns, be it in proportion to weights, is kept on average. */
static bool scheduler_takes_turns(const char *scheduler)
{
	return !strcmp(scheduler, "rr") || !strcmp(scheduler, "wrr");
}

bool limits_scheduler(const struct service *s, const struct node_view *view)
{
	return view->backend == BACKEND_IPTABLES &&
		!scheduler_takes_turns(*s->scheduler ? s->scheduler : view->options->scheduler);
}

void limits_tell(const struct service *s, const struct served_ports *served,
	const struct node_view *view, void (*fn)(const char *words, void *arg), void *arg)
{
	const char *scheduler = *s->scheduler ? s->scheduler : view->options->scheduler;
	bool by_default = !*s->scheduler && !strcmp(scheduler, LAST_SCHEDULER);
	bool weights = false;
	char words[160];

	if (view->backend != BACKEND_IPTABLES)
		return;
	if (!by_default) {
		snprintf(words, sizeof(words), "scheduler \"%s\": endpoints are chosen by chance%s",
			scheduler, scheduler_takes_turns(scheduler) ? ", not in turn" : "");
		fn(words, arg);
	}
	for (size_t k = 0; k < served->n; k++) {
		const struct endpoint_list *l = &served->ports[k].endpoints;

		for (size_t i = 1; i < l->n; i++)
			weights |= l->eps[i].weight != l->eps[0].weight;
	}
	if (weights)
		fn("weights: they are kept on average only", arg);
	if (s->drain_timeout > 0)
		fn("drain timeout: a removed endpoint keeps its connections until they end", arg);
}
