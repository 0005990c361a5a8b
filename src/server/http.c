// SPDX-License-Identifier: GPL-2.0-or-later
#include "http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/server.h"

enum { TCP_BACKLOG = 128 };

/* The descriptor may belong to another file by now; the inode tells. */
struct http_connection {
	int fd;
	ino_t inode;
};

struct http {
	struct evhttp *evhttp;
	/*
	 * Accepted in this turn of the loop. evhttp sets the descriptor after on_connection(), so
	 * on_admit() looks at it in the same turn; until then we hold a reference.
	 */
	struct bufferevent **fresh;
	size_t n_fresh, cap_fresh;
	struct event *admit;
	/* The oldest first. Connections that ended are only removed when room is needed. */
	struct http_connection open[SERVER_MAX_CONNECTIONS];
	size_t n_open;
};

/* Connections */

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

/* Makes room for one more connection. */
static void http_make_room(struct http *h)
{
	size_t n = 0;

	if (h->n_open < ARRAY_SIZE(h->open))
		return;
	for (size_t i = 0; i < h->n_open; i++)
		if (inode_of(h->open[i].fd) == h->open[i].inode)
			h->open[n++] = h->open[i];
	h->n_open = n;
	if (h->n_open < ARRAY_SIZE(h->open))
		return;
	/* evhttp reads the end of the connection and frees it. */
	shutdown(h->open[0].fd, SHUT_RDWR);
	memmove(&h->open[0], &h->open[1], --h->n_open * sizeof(h->open[0]));
}

static void on_admit(evutil_socket_t unused, short what, void *arg)
{
	struct http *h = arg;

	(void)unused;
	(void)what;
	for (size_t i = 0; i < h->n_fresh; i++) {
		int fd = bufferevent_getfd(h->fresh[i]);

		bufferevent_decref(h->fresh[i]);
		if (fd < 0)
			continue;
		http_make_room(h);
		h->open[h->n_open++] = (struct http_connection){ .fd = fd, .inode = inode_of(fd) };
	}
	h->n_fresh = 0;
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
	struct http *h = arg;

	if (!bev)
		return NULL;
	/* Its descriptor is set behind our back: see `fresh`. */
	bufferevent_incref(bev);
	mem_grow(h->fresh, h->n_fresh, h->cap_fresh);
	h->fresh[h->n_fresh++] = bev;
	event_active(h->admit, EV_TIMEOUT, 0);
	return bev;
}

struct http *http_new(struct event_base *base, const struct http_config *config)
{
	struct http *h = new0(struct http);

	h->evhttp = evhttp_new(base);
	h->admit = event_new(base, -1, 0, on_admit, h);
	if (!h->evhttp || !h->admit)
		abort(); /* out of memory, as in base/mem.h */
	evhttp_set_max_headers_size(h->evhttp, SERVER_MAX_HEADERS);
	evhttp_set_max_body_size(h->evhttp, SERVER_MAX_BODY);
	evhttp_set_timeout(h->evhttp, config->timeout);
	/* evhttp would answer 501 to the others; the handler decides about methods. */
	evhttp_set_allowed_methods(h->evhttp,
		EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
			EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
			EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(h->evhttp, config->handle, config->arg);
	evhttp_set_bevcb(h->evhttp, on_connection, h);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_fresh; i++)
		bufferevent_decref(h->fresh[i]);
	free(h->fresh);
	event_free(h->admit);
	evhttp_free(h->evhttp);
	free(h);
}

/* Listening */

/* Returns a listening TCP socket or a negative errno. */
static int tcp_listen(const struct ip *ip, uint16_t port, bool v6only)
{
	const struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = { .in = in };
	socklen_t len = sizeof(a.in);
	const int on = 1, only = v6only;
	int fd, r;

	if (ip->family == AF_INET6) {
		a.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		memcpy(&a.in6.sin6_addr, ip->bytes, sizeof(a.in6.sin6_addr));
		len = sizeof(a.in6);
	} else {
		memcpy(&a.in.sin_addr, ip->bytes, sizeof(a.in.sin_addr));
	}

	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Set either way: the sysctl net.ipv6.bindv6only must not decide. */
	if (!r && ip->family == AF_INET6)
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (!r)
		r = bind(fd, &a.sa, len);
	if (!r)
		r = listen(fd, TCP_BACKLOG);
	if (!r)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int http_listen(struct http *h, const struct ip *ip, uint16_t port, bool both,
	struct evhttp_bound_socket **ret, struct err *err)
{
	static const struct ip any6 = { .family = AF_INET6 }, any4 = { .family = AF_INET };
	struct evhttp_bound_socket *socket;
	char text[IP_PORT_STRLEN];
	int fd;

	both = both && ip_kind(ip) == IP_UNSPECIFIED;
	fd = tcp_listen(both ? &any6 : ip, port, !both);
	if (fd == -EAFNOSUPPORT && both)
		fd = tcp_listen(&any4, port, false);
	if (fd < 0)
		return err_errno(err, fd, "cannot listen on %s", ip_print_port(ip, port, text));
	socket = http_serve(h, fd);
	if (!socket) {
		close(fd);
		return err_set(
			err, -ENOMEM, "cannot serve HTTP on %s", ip_print_port(ip, port, text));
	}
	*ret = socket;
	return 0;
}

struct evhttp_bound_socket *http_serve(struct http *h, int fd)
{
	return evhttp_accept_socket_with_handle(h->evhttp, fd);
}

void http_stop(struct http *h, struct evhttp_bound_socket *socket)
{
	evhttp_del_accept_socket(h->evhttp, socket);
}

/* Answers */

void http_target(struct evhttp_request *req, const char **ret_path, const char **ret_query)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;

	*ret_path = path ? path : "";
	*ret_query = query ? query : "";
}

static void free_body(const void *data, size_t len, void *arg)
{
	(void)len;
	(void)arg;
	free((void *)data);
}

void http_reply(struct evhttp_request *req, int code, const char *type, char *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	size_t len = strlen(body);
	char text[24];

	evhttp_add_header(headers, "Content-Type", type);
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
		/* evhttp would send the body, and the client read it as the next answer. */
		snprintf(text, sizeof(text), "%zu", len);
		evhttp_add_header(headers, "Content-Length", text);
		free(body);
	} else {
		evbuffer_add_reference(
			evhttp_request_get_output_buffer(req), body, len, free_body, NULL);
	}
	evhttp_send_reply(req, code, NULL, NULL);
}

struct reply_stream {
	struct http_pieces pieces;
	struct evhttp_request *req;
};

/* If evhttp has let go of the request, evhttp_send_reply_end() frees it; otherwise evhttp does
 * (evhttp_connection_incoming_fail()). */
static void on_client_gone(struct evhttp_connection *conn, void *arg)
{
	struct reply_stream *s = arg;

	(void)conn;
	if (!evhttp_request_get_connection(s->req))
		evhttp_send_reply_end(s->req);
	s->pieces.end(s->pieces.arg);
	free(s);
}

static void send_piece(struct evhttp_connection *conn, void *arg)
{
	_cleanup_(buf_done) struct buf piece = { 0 };
	struct evbuffer *out = evbuffer_new();
	struct reply_stream *s = arg;
	bool more = s->pieces.next(s->pieces.arg, &piece);

	if (!out)
		abort(); /* out of memory, as in base/mem.h */
	evbuffer_add(out, buf_str(&piece), piece.len);
	if (more) {
		evhttp_send_reply_chunk_with_cb(s->req, out, send_piece, s);
	} else {
		evhttp_connection_set_closecb(conn, NULL, NULL);
		evhttp_send_reply_chunk(s->req, out);
		evhttp_send_reply_end(s->req);
		s->pieces.end(s->pieces.arg);
		free(s);
	}
	evbuffer_free(out);
}

void http_reply_pieces(
	struct evhttp_request *req, const char *type, const struct http_pieces *pieces)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct reply_stream *s = new0(struct reply_stream);

	*s = (struct reply_stream){ .pieces = *pieces, .req = req };
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", type);
	evhttp_connection_set_closecb(conn, on_client_gone, s);
	evhttp_send_reply_start(req, HTTP_OK, NULL);
	send_piece(conn, s);
}
