/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_EVENT_SERIES_H
#define API_EVENT_SERIES_H

#include "api/events.h"
#include "api/http.h"

/*
 * The event book: all Events that are kept, and the requests that bring them to the API server.
 * `now` is milliseconds of a monotonic clock, `wall` Unix microseconds. One request is under way at
 * a time: event_book_settle() follows event_book_next().
 */

struct event_book;
struct event_book *event_book_new(const char *node_name);
void event_book_free(struct event_book *b);

/* False: there are too many, and this one is dropped. */
bool event_book_add(
	struct event_book *b, const struct kube_event *event, uint64_t now, int64_t wall);

struct event_request {
	enum http_method method; /* POST, or PATCH with a strategic merge patch */
	char *path, *body;	 /* JSON */
};
void event_request_done(struct event_request *r);

/* The time of the next request, past or future, or UINT64_MAX. Forgets events that are over. */
uint64_t event_book_due(struct event_book *b, uint64_t now);
/* The next request that is due; false: none is. */
bool event_book_next(struct event_book *b, uint64_t now, struct event_request *ret);

enum event_answer {
	EVENT_TAKEN,
	EVENT_REFUSED,
	EVENT_GONE,   /* the server has no Event any more that a PATCH could change */
	EVENT_FAILED, /* to be repeated */
};
void event_book_settle(struct event_book *b, enum event_answer answer, uint64_t now);

#endif
