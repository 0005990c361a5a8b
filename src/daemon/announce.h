/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCE_H
#define DAEMON_ANNOUNCE_H

#include <stdbool.h>

/*
 * What the cluster is told as Events: of this node, or of a Service. Without an API server nobody
 * is; the log has it in any case, so that this is called beside a line in it.
 */

struct daemon;

/* After the API server is known, and before it is forgotten. */
void announce_init(struct daemon *d);
void announce_done(struct daemon *d);

void announce_node(struct daemon *d, bool warning, const char *reason, const char *action,
	const char *note, ...) __attribute__((format(printf, 5, 6)));
/* A warning. */
void announce_service(struct daemon *d, const char *ns, const char *name, const char *reason,
	const char *action, const char *note, ...) __attribute__((format(printf, 6, 7)));

#endif
