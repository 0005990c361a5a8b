/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_WATCH_H
#define API_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "api/http.h"
#include "api/pace.h"

/*
 * Follows one resource of a Kubernetes API server for as long as it lives: list, watch, list again
 * when the server has forgotten where we were. The algorithm is client-go's Reflector
 * (k8s.io/client-go/tools/cache): a streaming list where the server has it, a list in pages where
 * it has not.
 *
 * The owner is told of single objects as they come, which are each true in themselves, and of the
 * two ends of a complete view: between `begin` and `complete` everything that exists is told, so
 * what was not is gone. A view that fails midway is begun again.
 */

enum {
	WATCH_PAGE = 500,      /* objects of a list in one answer */
	WATCH_TIMEOUT_S = 300, /* how long a watch is asked to last: up to twice this, at random */
	WATCH_BACKOFF_FIRST_MS = 800, /* doubled up to the next, each drawn from [d, 2d) */
	WATCH_BACKOFF_LAST_MS = 30000,
	WATCH_BACKOFF_RESET_MS = 120000, /* without use of it */
	WATCH_SILENT_MS = 10000,	 /* a view that stands still for so long is listed */
	WATCH_SHORT_MS = 1000, /* a watch that ends sooner without an event is no good sign */
};

enum watch_event { WATCH_PUT, WATCH_DELETE };
enum watch_encoding { WATCH_JSON, WATCH_PROTOBUF };

struct watch_object {
	enum watch_event event;
	enum watch_encoding encoding;
	const char *data; /* JSON text, or the bytes of the object's own message; valid during the
			     call */
	size_t len;
};

struct watch_config {
	struct event_base *base;
	struct http_client *client;
	const char *path;			     /* "/api/v1/services" */
	const char *label_selector, *field_selector; /* escaped, "metadata.name%3Dx"; "" */
	/* A server that does not know these fields (400) is asked for all objects. */
	bool optional_fields;
	bool json;	     /* ask for JSON only */
	unsigned timeout_s;  /* 0: WATCH_TIMEOUT_S */
	unsigned silent_ms;  /* 0: WATCH_SILENT_MS */
	unsigned backoff_ms; /* 0: WATCH_BACKOFF_FIRST_MS; else the others in proportion, too */
	struct pace *pace;   /* of lists; watches are exempt */

	void (*begin)(void *arg);
	/*
	 * Returns 0, or a negative errno with words: the object is passed over and the view goes on
	 * without it; but with -EBADMSG the bytes were no object, and everything is asked for
	 * again.
	 */
	int (*object)(const struct watch_object *o, void *arg, struct err *err);
	void (*complete)(void *arg);
	/* Something went wrong and is tried again in so many ms. `status` is HTTP's, or 0. NULL
	 * message: it goes on. */
	void (*trouble)(const char *message, unsigned status, unsigned retry_ms, void *arg);
	void *arg;
};

struct watch;
/* Begins at once. Strings are copied; `base` and `client` must outlive it. */
struct watch *watch_new(const struct watch_config *config);
void watch_free(struct watch *w);
/* A complete view has been told since the start. */
bool watch_synced(const struct watch *w);
/* The events of this watch come now: no trouble since it was opened. */
bool watch_healthy(const struct watch *w);
uint64_t watch_received(const struct watch *w); /* bytes of all bodies */

#endif
