/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Events (events.k8s.io/v1) about this node and its Services, for `kubectl get events`. Best
 * effort: they are sent one at a time, in the background, and dropped if the API server does not
 * take them within EVENTS_KEPT_MS.
 *
 * A repeated event is one Event object with a count (a series). The API server gets it at the
 * second occurrence, then every EVENTS_REFRESH_MS, and when it has stopped.
 */

enum {
	EVENTS_MAX = 1000,		/* kept at a time; the rest is dropped */
	EVENTS_KEPT_MS = 6 * 60 * 1000, /* after the last occurrence, or the refusal */
	EVENTS_REFRESH_MS = 30 * 60 * 1000,
	EVENTS_PACE_MS = 200,	       /* from one request to the next */
	EVENTS_RETRY_MS = 10 * 1000,   /* after a failure, and up to a quarter more */
	EVENTS_TIMEOUT_MS = 30 * 1000, /* for one answer */
};

/* Two that differ in nothing but the note are occurrences of one event. */
struct kube_event {
	bool warning;	       /* its type is Warning; else Normal */
	const char *reason;    /* for programs, in CamelCase: "FailedToStartServiceHealthcheck" */
	const char *action;    /* what was tried: "Listen" */
	const char *ns, *name; /* of the Service concerned; NULL: this node */
	const char *uid;       /* of the Service; NULL or "": unknown */
	const char *note;      /* for people; cut where it is too long */
};

struct http_client;

struct events_config {
	struct http_client *client;
	const char *node_name;
	/* Called once when the API server does not take events, with NULL when it takes them again.
	 */
	void (*trouble)(const char *message, void *arg);
	void *arg;
};

struct events;
/* `client` and the name must outlive it. */
struct events *events_new(const struct events_config *config);
void events_free(struct events *e);
/* Returns at once. The strings are copied. `e` may be NULL: then nothing happens. */
void events_tell(struct events *e, const struct kube_event *event);

#endif
