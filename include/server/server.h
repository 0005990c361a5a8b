/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * HTTP on a UNIX socket (mode 0660): GET /v1/status and GET /v1/explain?what=WHAT[&from=FROM], see
 * server/explain.h. The directory of the socket is made (mode
 * 0755); a socket that nobody listens on any more is replaced, one that somebody does listen on is
 * -EADDRINUSE. Every answer is JSON; an error is {"error": "..."}.
 *
 * A client that goes away must not end the process: the caller ignores SIGPIPE.
 */

/* Limits on what comes from a client, here and on the TCP servers */
enum {
	SERVER_MAX_CONNECTIONS = 100, /* of one server; one more closes the oldest */
	SERVER_MAX_HEADERS = 8192,    /* bytes of one request's headers */
	SERVER_MAX_BODY = 4096,
	SERVER_TIMEOUT = 10,	  /* seconds that a connection may stand still */
	SERVER_TCP_TIMEOUT = 120, /* longer than a load balancer's time between two checks */
};

struct server;
struct server_config {
	const char *socket_path;
	/*
	 * The status is told in pieces: each call of status_next appends one and returns false with
	 * the last. status_end is called once, also where the client went away before.
	 */
	void *(*status_begin)(void *arg);
	bool (*status_next)(void *status, struct buf *out);
	void (*status_end)(void *status);
	/* A new reference; NULL with words: what was asked for makes no sense. `from` may be NULL.
	 */
	json_t *(*explain)(const char *what, const char *from, struct err *err, void *arg);
	void *arg;
};

/*
 * Listens, and serves on the event loop `base`, which must outlive the server. Returns 0,
 * -EADDRINUSE, -EEXIST (the path is no socket), or another errno, each with words.
 */
int server_new(struct event_base *base, const struct server_config *config, struct server **ret,
	struct err *err);
void server_free(struct server *s); /* removes the socket */

#endif
