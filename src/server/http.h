/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "http_request.h"
#include "server/http_pool.h"

/*
 * The base of all HTTP servers here: HTTP/1.0 and HTTP/1.1 on stream sockets, with the limits of
 * server/server.h and server/http_pool.h. Of a connection one request is answered at a time, and one
 * in a turn of the loop; what the client sends meanwhile waits in the kernel. A client that ends its
 * side of the connection still gets its answers.
 */

struct http;
struct http_request;

struct http_config {
	const char *name; /* for the log: "healthz" */
	/* Must answer at once, with http_reply() or http_reply_pieces(). */
	void (*handle)(struct http_request *req, const struct http_head *head, void *arg);
	/* Appends the body of an answer to what is no proper request, and returns its type. */
	const char *(*explain)(int status, const char *words, struct buf *ret);
	void *arg;
	int timeout;		/* seconds that a connection may wait for a request */
	struct http_pool *pool; /* NULL: one of its own */
};

struct http *http_new(struct event_base *base, const struct http_config *config);
/* Closes its connections and its listening sockets too. */
void http_free(struct http *h);

/* A listening socket. */
struct http_socket;
/* Serves connections to this listening socket, which it owns from now on. */
struct http_socket *http_serve(struct http *h, int fd);
/*
 * Listens on a TCP address and serves it. With `both` the unspecified address of either family
 * stands for both families, as in Go; on a node without IPv6 for IPv4 alone. Returns 0, or a
 * negative errno with a text; -EMFILE also where the descriptors are needed for other things.
 */
int http_listen(struct http *h, const struct ip *ip, uint16_t port, bool both,
	struct http_socket **ret, struct err *err);
/* The port of a TCP socket. */
uint16_t http_socket_port(const struct http_socket *socket);
/* Closes that listening socket; open connections stay. */
void http_stop(struct http_socket *socket);

/* The user at the other end of a UNIX socket, as the kernel knows it (SO_PEERCRED); UINT32_MAX where
 * it does not. */
uint32_t http_peer(const struct http_request *req);

/* Answers */

/* Adds a header field to the answer that comes. */
void http_add_header(struct http_request *req, const char *name, const char *value);
/* Answers; takes ownership of the body. */
void http_reply(struct http_request *req, int status, const char *type, char *body);

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
	struct http_request *req, const char *type, const struct http_pieces *pieces);

#endif
