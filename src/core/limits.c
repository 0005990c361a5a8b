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
	bool weights = false, too_many = false;
	char words[160];

	if (!node_view_translates(view))
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
		too_many |= l->n_cluster > SPREAD_SLOTS || l->n_local > SPREAD_SLOTS;
	}
	if (weights)
		fn("weights: they are kept on average only", arg);
	if (too_many && view->backend == BACKEND_NFTABLES) {
		snprintf(words, sizeof(words), "endpoints: only the first %d are used",
			SPREAD_SLOTS);
		fn(words, arg);
	}
	if (s->drain_timeout > 0)
		fn("drain timeout: a removed endpoint keeps its connections until they end", arg);
}
