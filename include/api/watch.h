/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_WATCH_H
#define API_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/http.h"
#include "api/pace.h"
#include "api/reach.h"
#include "base/err.h"

/*
 * Follows one resource of a Kubernetes API server: list, watch, and list again when the server does
 * not have our version any more. The algorithm is client-go's Reflector
 * (k8s.io/client-go/tools/cache): a streaming list if the server has it, else a list in pages.
 *
 * The owner gets single objects as they come, and the two ends of a complete view: everything that
 * exists comes between `begin` and `complete`, so an object that did not come was deleted. A view
 * that fails midway begins again.
 */

enum {
	WATCH_PAGE = 500, /* objects of a list in one answer */
	/* Limits of a view, beside those of api/stream.h. A page may be empty only for want of
	 * objects that match. */
	WATCH_MAX_OBJECTS = 1000000,
	WATCH_MAX_EMPTY_PAGES = 100, /* in a row */
	WATCH_MAX_ANSWER_S = 600,    /* duration of an answer that is no open watch */
	WATCH_TIMEOUT_S = 300, /* requested duration of a watch: up to twice this, at random */
	/* After a refusal, doubled up to the next, each drawn from [d, 2d). If the server asks for
	 * more (Retry-After), the last one is the limit, too. No answer at all: see api/reach.h. */
	WATCH_BACKOFF_FIRST_MS = 800,
	WATCH_BACKOFF_LAST_MS = 30000,
	/* A watch that was open for so long begins the back-off anew. A view that has become
	 * outdated is requested at once again if it is at least so old. */
	WATCH_STEADY_MS = 10000,
	/* At random within these, nodes repeat what they all lose in the same moment, and begin what
	 * all have to do next. */
	WATCH_SPREAD_MS = 1000,
	WATCH_RELIST_MS = 500,
	WATCH_SILENT_MS = 10000, /* a stream that stalls before its view is complete is listed */
	/* A watch that ends sooner without an event has failed. One that is open for so long, or
	 * has an event, is followed. */
	WATCH_SHORT_MS = 1000,
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
	struct http_client *client;
	const char *path;			     /* "/api/v1/services" */
	const char *label_selector, *field_selector; /* escaped, "metadata.name%3Dx"; "" */
	/* A server that refuses the field selector (400) is asked for all objects. */
	bool optional_fields;
	bool json;	     /* ask for JSON only */
	struct pace *pace;   /* of lists; watches are exempt */
	struct reach *reach; /* shared by all watches of one server */

	void (*begin)(void *arg);
	/*
	 * Returns 0, or a negative errno with words. After -EBADMSG (malformed bytes) everything is
	 * requested again; after any other error the view goes on without the object.
	 */
	int (*object)(const struct watch_object *o, void *arg, struct err *err);
	void (*complete)(void *arg);
	/* A request failed and is repeated in so many ms. `status` is HTTP's, or 0: there was no
	 * answer. NULL message: the resource is followed again. */
	void (*trouble)(const char *message, unsigned status, unsigned retry_ms, void *arg);
	/* Everything is requested again, because our version is outdated or unknown. */
	void (*relist)(const char *why, void *arg);
	void *arg;
};

struct watch;
/* Begins in the next turn of the loop. Strings are copied; `client` must outlive it. */
struct watch *watch_new(const struct watch_config *config);
/* Requests everything again, as it is now, unless that is being done. */
void watch_resync(struct watch *w);
void watch_free(struct watch *w);

struct watch_state {
	bool synced;	   /* there has been a complete view since the start */
	bool healthy;	   /* the watch is open, and there was no trouble since */
	uint64_t received; /* bytes of all bodies */
};
/* Zeroed for NULL. */
struct watch_state watch_state(const struct watch *w);

#endif
