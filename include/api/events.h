/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tells the cluster what happens to this node and its Services, as Events (events.k8s.io/v1) of the
 * API server, where `kubectl get events` shows them. Nothing depends on whether it hears of them:
 * they are sent one at a time, in the background, and what cannot be told soon is forgotten.
 *
 * What happens again is one Event that is counted (a series), and is told the second time, then
 * every EVENTS_REFRESH_MS, and when it has stopped.
 */

enum {
	EVENTS_MAX = 1000,		/* kept at a time; the rest is dropped */
	EVENTS_KEPT_MS = 6 * 60 * 1000, /* after it happened last, or was refused */
	EVENTS_REFRESH_MS = 30 * 60 * 1000,
	EVENTS_PACE_MS = 200,	       /* from one request to the next */
	EVENTS_RETRY_MS = 10 * 1000,   /* when the server is in trouble, and up to a quarter more */
	EVENTS_TIMEOUT_MS = 30 * 1000, /* for one answer */
};

/* Two that are equal in everything but the note are the same one, happening again. */
struct kube_event {
	bool warning;	       /* its type is Warning; else Normal */
	const char *reason;    /* for programs, in CamelCase: "FailedToStartServiceHealthcheck" */
	const char *action;    /* what was tried: "Listen" */
	const char *ns, *name; /* the Service that it is about; NULL: this node */
	const char *uid;       /* of the Service; NULL or "": unknown */
	const char *note;      /* for people; cut where it is too long */
};

struct event_base;
struct http_client;

struct events_config {
	struct event_base *base;
	struct http_client *client;
	const char *node_name;
	unsigned pace_ms, retry_ms; /* 0: as above */
	/* They cannot be told: once, until one was. NULL: they can again. */
	void (*trouble)(const char *message, void *arg);
	void *arg;
};

struct events;
/* `base`, `client` and the name must outlive it. */
struct events *events_new(const struct events_config *config);
void events_free(struct events *e);
/* Returns at once. The strings are copied. NULL: nobody is told. */
void events_tell(struct events *e, const struct kube_event *event);

#endif
