/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_OVERRIDING_H
#define DAEMON_OVERRIDING_H

#include <event2/event.h>
#include <jansson.h>

#include "announce.h"
#include "base/buf.h"
#include "base/err.h"
#include "core/node_view.h"
#include "core/store.h"
#include "server/server.h"

/*
 * The life of overrides: it takes the operator's wishes, keeps them in a file, and ends them when
 * their time is over, or when no Service has had their endpoint for a minute.
 */

struct overriding_config {
	struct event_base *base;
	const char *status_socket;
	struct node_view *view;
	struct store *store;
	struct announcer *announcer;
	/* Services are dirty. */
	void (*on_changed)(void *arg);
	/* The inputs are complete, so that an endpoint that is not there is gone. */
	bool (*is_complete)(void *arg);
	void *arg;
};

/* A zeroed one can be done with. */
struct overriding {
	struct overriding_config config;
	struct buf path;
	struct event *timer;
};

/* Reads the overrides of an earlier run, before anything is resolved. */
void overriding_init(struct overriding *o, const struct overriding_config *config);
void overriding_done(struct overriding *o);
/* See struct server_config. */
json_t *overriding_ask(struct overriding *o, const struct server_override *ask, struct err *err);

#endif
