// SPDX-License-Identifier: GPL-2.0-or-later
#include "announce.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

enum { NOTE_SIZE = 1025 };

static void on_events_trouble(const char *message, void *arg)
{
	(void)arg;
	if (message)
		log_warn("cannot send Events to the API server, retrying each for 6 minutes",
			"err=\"%s\"", message);
	else
		log_info("the API server takes Events again", NULL);
}

void announcer_init(struct announcer *a, struct http_client *client, const char *node_name,
	const struct store *store)
{
	a->store = store;
	a->events = events_new(&(struct events_config){
		.client = client, .node_name = node_name, .trouble = on_events_trouble });
}

void announce_node(struct announcer *a, bool warning, const char *reason, const char *action,
	const char *note, ...)
{
	char text[NOTE_SIZE];
	va_list ap;

	va_start(ap, note);
	vsnprintf(text, sizeof(text), note, ap);
	va_end(ap);
	events_tell(a->events,
		&(struct kube_event){
			.warning = warning, .reason = reason, .action = action, .note = text });
}

void announce_service(struct announcer *a, bool warning, const char *ns, const char *name,
	const char *reason, const char *action, const char *note, ...)
{
	const struct slot *slot = a->store ? store_find(a->store, ns, name) : NULL;
	char text[NOTE_SIZE];
	va_list ap;

	va_start(ap, note);
	vsnprintf(text, sizeof(text), note, ap);
	va_end(ap);
	events_tell(a->events,
		&(struct kube_event){
			.warning = warning,
			.reason = reason,
			.action = action,
			.ns = ns,
			.name = name,
			.uid = slot && slot->service ? slot->service->uid : "",
			.note = text,
		});
}
