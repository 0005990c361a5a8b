/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_INPUTS_H
#define DAEMON_INPUTS_H

#include <event2/event.h>
#include <stddef.h>

#include "api/auth.h"
#include "api/kube.h"
#include "base/err.h"
#include "config/config.h"
#include "core/store.h"
#include "manifest/manifest.h"

/* Where the objects in the store come from: manifests, or an API server. */

struct inputs_config {
	const struct config *config;
	struct event_base *base;
	struct store *store;
	void (*on_changed)(void *arg); /* the store changed */
	void (*on_fed)(void *arg);     /* the store is complete for the first time */
	/* Once, with or after on_fed: no object is missing because it could not be read. */
	void (*on_complete)(void *arg);
	void (*on_servers)(void *arg); /* kube_servers() has changed */
	void *arg;
};

/* A resource of the API server that cannot be followed now. */
struct input_trouble {
	const char *resource; /* NULL: none */
	char *message;
};

struct inputs {
	struct inputs_config config;
	struct manifests *manifests; /* this or the next two are used */
	struct auth *auth;
	struct kube *kube;
	struct event *manifests_changed;
	bool complete;
	struct input_trouble trouble[4];
};

/*
 * Reads the manifests into the store and calls on_fed, or begins to follow the API server, which
 * calls on_fed later. Returns 0, or a negative errno with words if a path cannot be read; what
 * could be read is in the store nevertheless. inputs_done() in both cases.
 */
int inputs_start(struct inputs *in, const struct inputs_config *config, struct err *err);
void inputs_done(struct inputs *in);

/* Follows changes of the manifests from now on. */
void inputs_watch(struct inputs *in);
/* Reads the manifests again. */
void inputs_reload(struct inputs *in);
/* on_complete has been called. */
bool inputs_complete(const struct inputs *in);
/* The input is incomplete, and an object of this name, or named after it, may be missing. */
bool inputs_miss(const struct inputs *in, const char *name);
/* How many objects or files of the manifests are wrong. */
size_t inputs_problems(const struct inputs *in);
/* Calls fn with a sentence for each thing that is wrong with the inputs now, up to a limit. */
void inputs_warn(const struct inputs *in, void (*fn)(const char *sentence, void *arg), void *arg);

#endif
