/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/override.h"
#include "server/http_pool.h"

/*
 * HTTP on a UNIX socket (mode 0660): GET /v1/status, GET /v1/explain?what=WHAT[&from=FROM], see
 * report/explain.h, and POST or DELETE /v1/overrides?endpoint=ENDPOINT[&service=NAMESPACE/NAME]; POST
 * has weight=NUMBER[&seconds=NUMBER], too. All answers are JSON; an error is {"error": "..."}.
 *
 * The socket's directory is created (mode 0755). A socket that no process listens on is replaced;
 * if another process listens on it, the result is -EADDRINUSE.
 *
 * The caller ignores SIGPIPE, so that a client that hangs up does not end the process.
 */

/* Limits on clients, for this server and for the TCP servers, beside those of http_pool.h */
enum {
	SERVER_MAX_HEADERS = 8192, /* bytes of one request's headers */
	SERVER_MAX_BODY = 4096,	   /* bytes */
	/* seconds that a connection may be idle, that a request may take to come, and that an answer
	 * may wait for its client to read on */
	SERVER_TIMEOUT = 10,
	/* idle on TCP: longer than a load balancer's time between two checks */
	SERVER_TCP_TIMEOUT = 120,
};

/* A request of an operator: POST sets the weight of an endpoint, DELETE ends that. */
struct server_override {
	bool ends;
	struct override wish; /* without `until` */
	uint64_t seconds;     /* until it ends by itself; 0: it does not */
};

struct server;
struct server_config {
	const char *socket_path;
	/*
	 * The status is written in pieces: each call of status_next appends one, and returns false
	 * with the last. status_end is called exactly once, also when the client hangs up.
	 * `endpoints`: each of them is wanted.
	 */
	void *(*status_begin)(bool endpoints, void *arg);
	bool (*status_next)(void *status, struct buf *out);
	void (*status_end)(void *status);
	/* Returns a new reference, or NULL with a text if the question makes no sense. `from` may
	 * be NULL. */
	json_t *(*explain)(const char *what, const char *from, struct err *err, void *arg);
	/* The same: -ENOENT, where there is nothing like that; -ENOSPC. */
	json_t *(*override)(const struct server_override *ask, struct err *err, void *arg);
	void *arg;
	struct http_pool *pool; /* NULL: one of its own */
};

/*
 * Listens, and serves on the event loop `base`, which must outlive the server. Returns 0,
 * -EADDRINUSE, -EEXIST (the path is not a socket), or another errno, each with a text.
 */
int server_new(struct event_base *base, const struct server_config *config, struct server **ret,
	struct err *err);
void server_free(struct server *s); /* removes the socket */

#endif
