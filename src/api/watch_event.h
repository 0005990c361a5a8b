/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_WATCH_EVENT_H
#define API_WATCH_EVENT_H

#include "api/watch.h"
#include "base/err.h"

/* Parses what a list or a watch consists of beside objects: events, the end of a list, a Status. */

enum event_type { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED, EVENT_BOOKMARK, EVENT_ERROR };

enum { RESOURCE_VERSION_SIZE = 64 };

struct event {
	enum event_type type;
	const char *data; /* the object; points into what was parsed */
	size_t len;
	char version[RESOURCE_VERSION_SIZE]; /* metadata.resourceVersion; "" */
	bool initial_end; /* a bookmark with the annotation k8s.io/initial-events-end: "true" */
};

/* Why a server refused a request, from a Status (meta/v1). */
struct status {
	int code;	/* of HTTP; 0: not given */
	bool expired;	/* Expired or Gone: the server does not have the version any more */
	bool too_large; /* the version is newer than the server's */
	unsigned retry_after_s;
	char message[160];
};

/*
 * Each returns 0, or -EBADMSG with words. Of an object in JSON, event_parse() reads only what is in
 * struct event; whoever decodes the object finds out whether the rest of it is JSON.
 */
int event_parse(
	enum watch_encoding e, const char *data, size_t len, struct event *ret, struct err *err);
int status_parse(
	enum watch_encoding e, const char *data, size_t len, struct status *ret, struct err *err);
/* The rest of a list: its version, which every list has, and the token of the next page (allocated;
 * "" on the last page). */
int list_end_parse(enum watch_encoding e, const char *data, size_t len,
	char version[RESOURCE_VERSION_SIZE], char **ret_continue, struct err *err);

#endif
