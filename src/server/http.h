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
 * The base of all HTTP servers here: an evhttp with the limits of server/server.h, and ways to
 * answer. A client that connects while the maximum of connections is open is served all the same:
 * the oldest connection is closed instead, so that idle clients cannot keep others out.
 */

struct http;

struct http_config {
	/* Must answer at once, with http_reply() or http_reply_pieces(). */
	void (*handle)(struct evhttp_request *req, void *arg);
	void *arg;
	int timeout; /* seconds that a connection may be idle */
};

struct http *http_new(struct event_base *base, const struct http_config *config);
/* Closes its connections and its listening sockets too. */
void http_free(struct http *h);

/*
 * Serves connections to this listening socket, which it owns unless it fails. Returns NULL when
 * memory is short.
 */
struct evhttp_bound_socket *http_serve(struct http *h, int fd);
/*
 * Listens on a TCP address and serves it. With `both` the unspecified address of either family
 * stands for both families, as in Go; on a node without IPv6 for IPv4 alone. Returns 0, or a
 * negative errno with a text.
 */
int http_listen(struct http *h, const struct ip *ip, uint16_t port, bool both,
	struct evhttp_bound_socket **ret, struct err *err);
/* Closes that listening socket; open connections stay. */
void http_stop(struct http *h, struct evhttp_bound_socket *socket);

/* The requested path, and the text behind the '?'; "" if there is none. */
void http_target(struct evhttp_request *req, const char **ret_path, const char **ret_query);
/* Answers; takes ownership of the body. */
void http_reply(struct evhttp_request *req, int code, const char *type, char *body);

/*
 * An answer in pieces: each is made when the client has received the one before, so that a long
 * answer neither blocks the loop nor lies in memory as a whole.
 */
struct http_pieces {
	/* Appends the next piece, which must not be empty; false: it was the last. */
	bool (*next)(void *arg, struct buf *out);
	/* Frees `arg`: called exactly once, also when the client hangs up before the end. */
	void (*end)(void *arg);
	void *arg;
};
/* Answers with status 200. */
void http_reply_pieces(
	struct evhttp_request *req, const char *type, const struct http_pieces *pieces);

#endif
