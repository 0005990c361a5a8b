// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/limits.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool limits_keeps_scheduler(const char *scheduler)
{
	return !strcmp(scheduler, "rr") || !strcmp(scheduler, "wrr");
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
			scheduler, limits_keeps_scheduler(scheduler) ? ", not in turn" : "");
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
