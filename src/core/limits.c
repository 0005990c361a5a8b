// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/limits.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/served_port.h"

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

static bool has_weights(const struct slot *slot, const struct node_view *view)
{
	_cleanup_(served_ports_done) struct served_ports served = { 0 };

	served_ports_select(&served, slot, view);
	for (size_t k = 0; k < served.n; k++) {
		const struct endpoint_list *l = &served.ports[k].endpoints;

		for (size_t i = 1; i < l->n; i++)
			if (l->eps[i].weight != l->eps[0].weight)
				return true;
	}
	return false;
}

void limits_tell(const struct slot *slot, const struct node_view *view,
	void (*fn)(const char *words, void *arg), void *arg)
{
	const struct service *s = slot->service;
	const char *scheduler = asked_scheduler(s, view);
	bool by_default = !*s->scheduler && !strcmp(view->options->scheduler, LAST_SCHEDULER);
	char words[WORDS_SIZE];

	if (view->backend != BACKEND_IPTABLES)
		return;
	if (!by_default) {
		snprintf(words, sizeof(words), "scheduler \"%s\": endpoints are chosen by chance%s",
			scheduler, takes_turns(scheduler) ? ", not in turn" : "");
		fn(words, arg);
	}
	if (has_weights(slot, view))
		fn("weights: they are kept on average only", arg);
	if (s->drain_timeout > 0)
		fn("drain timeout: an endpoint that leaves keeps its connections until they end",
			arg);
}
