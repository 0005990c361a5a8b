/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HTTP_LISTENER_H
#define SERVER_HTTP_LISTENER_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "server/http_pool.h"

/*
 * An HTTP server on one TCP address with a table of paths; other paths are 404. All methods get the
 * same answer. Its limits are those of server/server.h.
 */

/* Milliseconds until an address that cannot be bound is tried again */
enum { HTTP_LISTENER_RETRY = 5000 };

struct http_address {
	struct ip ip; /* family 0: none */
	uint16_t port;
};

struct http_answer {
	int code;	  /* 200 unless set */
	const char *type; /* Content-Type, a constant; must be set */
	struct buf body;
};

struct http_route {
	const char *path;
	/* `query` is the text behind the '?', "" if there is none. */
	void (*get)(const char *path, const char *query, struct http_answer *ret, void *arg);
};

struct http_listener_config {
	const char *name; /* for the log: "healthz" */
	/* The unspecified address of either family stands for both families, as in Go. */
	struct http_address address;
	const struct http_route *routes; /* valid as long as the listener */
	size_t n_routes;
	/* Called with the name instead of a retry when the address cannot be bound; NULL: retry. */
	void (*on_failure)(const char *name, const struct err *err, void *arg);
	unsigned retry;		/* milliseconds; 0: HTTP_LISTENER_RETRY */
	void *arg;		/* for the routes too */
	struct http_pool *pool; /* NULL: one of its own */
};

struct http_listener;
/* Listens at once if it can; failures are logged. */
struct http_listener *http_listener_new(
	struct event_base *base, const struct http_listener_config *config);
void http_listener_free(struct http_listener *l);
/* The port that it listens on; 0: it does not (yet). */
uint16_t http_listener_port(const struct http_listener *l);

#endif
