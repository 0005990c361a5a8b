/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_WATCH_EVENT_H
#define API_WATCH_EVENT_H

#include "base/err.h"
#include "api/watch.h"

/* What stands in one event of a watch, one element or the end of a list, and in a Status. */

enum event_type { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED, EVENT_BOOKMARK, EVENT_ERROR };

enum { RESOURCE_VERSION_SIZE = 64 };

struct event {
	enum event_type type;
	const char *data; /* the object; points into what was parsed */
	size_t len;
	char version[RESOURCE_VERSION_SIZE]; /* metadata.resourceVersion; "" */
	bool initial_end; /* a bookmark with the annotation k8s.io/initial-events-end: "true" */
};

/* Why a server refused, from a Status (meta/v1). */
struct status {
	int code;	/* 0: not said */
	bool expired;	/* Expired or Gone: the version is forgotten */
	bool too_large; /* the version is newer than the server's */
	unsigned retry_after_s;
	char message[160];
};

/*
 * Each returns 0, or -EBADMSG with words. Of the object of an event in JSON no more is read than
 * what is in struct event: whether the rest of it is JSON is found out by who decodes it.
 */
int event_parse(
	enum watch_encoding e, const char *data, size_t len, struct event *ret, struct err *err);
int status_parse(
	enum watch_encoding e, const char *data, size_t len, struct status *ret, struct err *err);
/* The rest of a list: its version, which every list has, and, unless it is the last page, the token
 * for the next one ("" else; allocated). */
int list_end_parse(enum watch_encoding e, const char *data, size_t len,
	char version[RESOURCE_VERSION_SIZE], char **ret_continue, struct err *err);

#endif
