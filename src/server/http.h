/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"

/*
 * What the HTTP servers share: an evhttp with the limits of server/server.h, and answers. Who
 * connects while as many connections are open as may be gets his answer all the same: the oldest
 * connection is closed for it, so that nobody can keep others out by keeping connections open.
 */

struct http;

struct http_config {
	/* Answers with http_reply(), at once. */
	void (*handle)(struct evhttp_request *req, void *arg);
	void *arg;
	int timeout; /* seconds that a connection may stand still */
};

struct http *http_new(struct event_base *base, const struct http_config *config);
void http_free(struct http *h); /* closes its connections, and the sockets that it listens on */

/*
 * Serves what connects to this listening socket, which it takes over unless it fails. Returns NULL
 * where memory is short.
 */
struct evhttp_bound_socket *http_serve(struct http *h, int fd);
/* Closes that listening socket; connections stay. */
void http_stop(struct http *h, struct evhttp_bound_socket *socket);

/*
 * A socket that listens on this address. `both` makes the unspecified address of either family
 * stand for both, as in Go: where there is no IPv6, IPv4 alone. Returns the descriptor, or a
 * negative errno with words.
 */
int http_listen(const struct ip *ip, uint16_t port, bool both, struct err *err);
/* The port that the socket is bound to. */
uint16_t http_port(int fd);

/* The path that was asked for, without the query; NULL where it has none. */
const char *http_path(struct evhttp_request *req);
void http_header(struct evhttp_request *req, const char *name, const char *value);
/* Answers; takes the body over. */
void http_reply(struct evhttp_request *req, int code, const char *type, char *body);

/*
 * An answer that is made in pieces, each when the client has taken the one before: a long one never
 * stops the loop, nor does it lie in memory as a whole.
 */
struct http_pieces {
	/* Appends the next piece, which is not empty; false: it was the last. */
	bool (*next)(void *arg, struct buf *out);
	/* Frees what makes them: called once, also where the client went away in the middle. */
	void (*end)(void *arg);
	void *arg;
};
/* Answers with status 200. */
void http_reply_pieces(
	struct evhttp_request *req, const char *type, const struct http_pieces *pieces);

#endif
