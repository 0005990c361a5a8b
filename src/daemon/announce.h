/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCE_H
#define DAEMON_ANNOUNCE_H

#include <stdbool.h>

#include "api/events.h"
#include "core/store.h"

/*
 * Sends Events about this node or a Service to the API server. Without an API server nothing is
 * sent, so the caller logs the same message, too.
 */
struct announcer {
	struct events *events;	   /* NULL: nobody to tell */
	const struct store *store; /* knows the Services' UIDs */
};

/* Each outlives the announcer, whose events the caller frees. A zeroed announcer tells nobody. */
void announcer_init(struct announcer *a, struct http_client *client, const char *node_name,
	const struct store *store);

void announce_node(struct announcer *a, bool warning, const char *reason, const char *action,
	const char *note, ...) __attribute__((format(printf, 5, 6)));
void announce_service(struct announcer *a, bool warning, const char *ns, const char *name,
	const char *reason, const char *action, const char *note, ...)
	__attribute__((format(printf, 7, 8)));

#endif
