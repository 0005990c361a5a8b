// SPDX-License-Identifier: GPL-2.0-or-later
#include "http.h"

#include <arpa/inet.h>
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

enum { BACKLOG = 128 };

/* A descriptor may be another one's by now, its inode tells. */
struct connection {
	int fd;
	ino_t inode;
};

/*
 * Accepted in this turn of the loop. evhttp gives it its descriptor after it asked for it, so it is
 * looked at when evhttp is done; until then it has a reference of ours.
 */
struct fresh {
	struct bufferevent *bev;
};

struct http {
	struct evhttp *evhttp;
	struct fresh *fresh;
	size_t n_fresh, cap_fresh;
	struct event *admit;
	/* The oldest first; of those that were closed since, it is noticed when room is needed. */
	struct connection open[SERVER_MAX_CONNECTIONS];
	size_t n_open;
};

/* Connections */

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

static void forget_closed(struct http *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_open; i++)
		if (inode_of(h->open[i].fd) == h->open[i].inode)
			h->open[n++] = h->open[i];
	h->n_open = n;
}

/* evhttp sees the end of the connection and frees it. */
static void close_oldest(struct http *h)
{
	shutdown(h->open[0].fd, SHUT_RDWR);
	memmove(&h->open[0], &h->open[1], --h->n_open * sizeof(h->open[0]));
}

static void admit(struct http *h, int fd)
{
	if (fd < 0)
		return;
	if (h->n_open == ARRAY_SIZE(h->open))
		forget_closed(h);
	if (h->n_open == ARRAY_SIZE(h->open))
		close_oldest(h);
	h->open[h->n_open++] = (struct connection){ .fd = fd, .inode = inode_of(fd) };
}

static void on_admit(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < h->n_fresh; i++) {
		admit(h, bufferevent_getfd(h->fresh[i].bev));
		bufferevent_decref(h->fresh[i].bev);
	}
	h->n_fresh = 0;
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
	struct http *h = arg;

	if (!bev)
		return NULL;
	bufferevent_incref(bev);
	mem_grow(h->fresh, h->n_fresh, h->cap_fresh);
	h->fresh[h->n_fresh++].bev = bev;
	event_active(h->admit, EV_TIMEOUT, 0);
	return bev;
}

/* The server */

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
	/* All of them: what is allowed is the handler's matter, and evhttp would answer 501. */
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
		bufferevent_decref(h->fresh[i].bev);
	free(h->fresh);
	event_free(h->admit);
	evhttp_free(h->evhttp);
	free(h);
}

struct evhttp_bound_socket *http_serve(struct http *h, int fd)
{
	return evhttp_accept_socket_with_handle(h->evhttp, fd);
}

void http_stop(struct http *h, struct evhttp_bound_socket *socket)
{
	evhttp_del_accept_socket(h->evhttp, socket);
}

/* Listening */

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

static struct address make_address(const struct ip *ip, uint16_t port)
{
	struct address a = { 0 };

	if (ip->family == AF_INET6) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(port);
		memcpy(&a.in6.sin6_addr, ip->bytes, sizeof(a.in6.sin6_addr));
		a.len = sizeof(a.in6);
	} else {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(port);
		memcpy(&a.in.sin_addr, ip->bytes, sizeof(a.in.sin_addr));
		a.len = sizeof(a.in);
	}
	return a;
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* The sysctl net.ipv6.bindv6only must not decide what an IPv6 socket answers to. */
static int set_up(int fd, const struct address *a, bool v6only)
{
	int r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (!r && a->sa.sa_family == AF_INET6)
		r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	if (!r && bind(fd, &a->sa, a->len) < 0)
		r = -errno;
	if (!r && listen(fd, BACKLOG) < 0)
		r = -errno;
	return r;
}

static int listen_on(const struct address *a, bool v6only)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	r = set_up(fd, a, v6only);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

int http_listen(const struct ip *ip, uint16_t port, bool both, struct err *err)
{
	const struct ip any6 = { .family = AF_INET6 };
	const struct ip any4 = { .family = AF_INET };
	char text[IP_PORT_STRLEN];
	struct address a;
	int fd;

	both = both && ip_is_unspecified(ip);
	a = make_address(both ? &any6 : ip, port);
	fd = listen_on(&a, !both);
	if (fd == -EAFNOSUPPORT && both) {
		a = make_address(&any4, port);
		fd = listen_on(&a, false);
	}
	if (fd < 0)
		return err_errno(err, fd, "cannot listen on %s", ip_print_port(ip, port, text));
	return fd;
}

uint16_t http_port(int fd)
{
	struct address a = { .len = sizeof(a.in6) };

	if (getsockname(fd, &a.sa, &a.len) < 0)
		return 0;
	return ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

/* Answers */

const char *http_path(struct evhttp_request *req)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);

	return uri ? evhttp_uri_get_path(uri) : NULL;
}

void http_header(struct evhttp_request *req, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

static void free_body(const void *data, size_t len, void *arg)
{
	(void)len;
	(void)arg;
	free((void *)data);
}

static void add_body(struct evhttp_request *req, char *body)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(req);
	size_t len = strlen(body);
	char text[24];

	/* evhttp would send it here too, and the client take it for the next answer. */
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
		snprintf(text, sizeof(text), "%zu", len);
		http_header(req, "Content-Length", text);
		free(body);
	} else {
		evbuffer_add_reference(out, body, len, free_body, NULL);
	}
}

void http_reply(struct evhttp_request *req, int code, const char *type, char *body)
{
	http_header(req, "Content-Type", type);
	add_body(req, body);
	evhttp_send_reply(req, code, NULL, NULL);
}

struct stream {
	struct http_pieces pieces;
	struct evhttp_request *req;
};

static void stream_free(struct stream *s)
{
	s->pieces.end(s->pieces.arg);
	free(s);
}

/* A request that evhttp has let go of is freed by its end, one that it still has by itself
 * (evhttp_connection_incoming_fail()). */
static void on_client_gone(struct evhttp_connection *conn, void *arg)
{
	struct stream *s = arg;

	(void)conn;
	if (!evhttp_request_get_connection(s->req))
		evhttp_send_reply_end(s->req);
	stream_free(s);
}

static void send_piece(struct evhttp_connection *conn, void *arg)
{
	_cleanup_(buf_done) struct buf piece = { 0 };
	struct evbuffer *out = evbuffer_new();
	struct stream *s = arg;
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
		stream_free(s);
	}
	evbuffer_free(out);
}

void http_reply_pieces(
	struct evhttp_request *req, const char *type, const struct http_pieces *pieces)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct stream *s = new0(struct stream);

	*s = (struct stream){ .pieces = *pieces, .req = req };
	http_header(req, "Content-Type", type);
	evhttp_connection_set_closecb(conn, on_client_gone, s);
	evhttp_send_reply_start(req, HTTP_OK, NULL);
	send_piece(conn, s);
}
