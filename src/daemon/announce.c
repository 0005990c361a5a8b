// SPDX-License-Identifier: GPL-2.0-or-later
#include "announce.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/events.h"
#include "base/log.h"
#include "base/mem.h"
#include "sync.h"

enum { NOTE_SIZE = 1025 };

static void on_trouble(const char *message, void *arg)
{
	(void)arg;
	if (message)
		log_warn("cannot tell the API server of events, which changes nothing else",
			"err=\"%s\"", message);
	else
		log_info("the API server is told of events again", NULL);
}

void announce_init(struct daemon *d)
{
	d->events = events_new(&(struct events_config){
		.client = kube_client(d->kube),
		.node_name = d->config->options.node_name,
		.trouble = on_trouble,
		.arg = d,
	});
}

void announce_done(struct daemon *d)
{
	events_free(take(d->events));
}

void announce_node(struct daemon *d, bool warning, const char *reason, const char *action,
	const char *note, ...)
{
	char text[NOTE_SIZE];
	va_list ap;

	va_start(ap, note);
	vsnprintf(text, sizeof(text), note, ap);
	va_end(ap);
	events_tell(d->events,
		&(struct kube_event){
			.warning = warning, .reason = reason, .action = action, .note = text });
}

void announce_service(struct daemon *d, const char *ns, const char *name, const char *reason,
	const char *action, const char *note, ...)
{
	const struct slot *slot = store_find(&d->store, ns, name);
	char text[NOTE_SIZE];
	va_list ap;

	va_start(ap, note);
	vsnprintf(text, sizeof(text), note, ap);
	va_end(ap);
	events_tell(d->events,
		&(struct kube_event){
			.warning = true,
			.reason = reason,
			.action = action,
			.ns = ns,
			.name = name,
			.uid = slot && slot->service ? slot->service->uid : "",
			.note = text,
		});
}
