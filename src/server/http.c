// SPDX-License-Identifier: GPL-2.0-or-later
#include "http.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/server.h"

enum {
	TCP_BACKLOG = 128,
	ACCEPTS = 16,	 /* in one turn of a listening socket */
	PAUSE_MS = 1000, /* without accepting, when descriptors or memory are short */
	INPUT_SIZE = SERVER_MAX_HEADERS + SERVER_MAX_BODY,
	/* After the answer to what was not read to its end, until the client has received it: closing
	 * at once would reset the connection (RFC 9112, 9.6). */
	LINGER_MS = 1000,
	LINGER_BYTES = 1 << 20,
};

struct http {
	struct http_config config;
	struct event_base *base;
	struct http_pool *pool, *own_pool;
	struct list sockets, connections;
	size_t n_connections;
	struct event *resume;
	bool paused; /* nobody is accepted */
};

struct http_socket {
	struct list in_http;
	struct http *http;
	int fd;
	struct event *readable;
};

/* A connection, with the request that it is about. */
struct http_request {
	struct http_slot slot;
	struct list in_http;
	struct http *http;
	int fd;
	struct event *readable, *writable;
	struct buf input; /* of INPUT_SIZE, so that the head does not move, or empty */
	size_t searched, head_length;
	struct http_head head; /* where head_length is not 0 */
	size_t lingered;       /* bytes */
	bool ended;	       /* the client sends no more */
	bool yields;	       /* it has more to do, when the others had their turn */
	bool close;	       /* after this answer */
	bool unread;	       /* the client may still be sending what is not wanted */
	struct buf fields;     /* that http_add_header() added */
	struct buf output;
	size_t sent;		   /* of the output */
	struct http_pieces pieces; /* with `next` where there are more */
};

/* Connections */

static void request_free(struct http_request *c)
{
	struct http *h = c->http;

	event_free(c->readable);
	event_free(c->writable);
	close(c->fd);
	if (c->pieces.next)
		c->pieces.end(c->pieces.arg);
	http_pool_remove(h->pool, &c->slot);
	list_remove(&c->in_http);
	h->n_connections--;
	buf_done(&c->input);
	buf_done(&c->fields);
	buf_done(&c->output);
	free(c);
	if (h->paused)
		event_active(h->resume, EV_TIMEOUT, 0);
}

static bool evict(struct http_slot *slot)
{
	struct http_request *c = container_of(slot, struct http_request, slot);

	/* What the client has sent may wait in the kernel because this turn of the loop is long. */
	if ((slot->state == HTTP_SLOT_SILENT || slot->state == HTTP_SLOT_SENDS) &&
		!c->head_length &&
		(c->yields || poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN }, 1, 0) == 1))
		return false;
	request_free(c);
	return true;
}

static void wait_for(struct event *ev, uint64_t ms)
{
	const struct timeval t = clock_timeval(ms ? ms : 1);

	event_add(ev, &t);
}

/* Calls the event in the next turn of the loop; event_active() would do so in this one. */
static void yield(struct http_request *c, struct event *ev)
{
	static const struct timeval at_once;

	c->yields = true;
	event_add(ev, &at_once);
}

/* Waits for more of a request, or for a first or another one. */
static void await_input(struct http_request *c)
{
	const struct http *h = c->http;
	uint64_t limit = (uint64_t)h->config.timeout * 1000, past;

	if (c->slot.state == HTTP_SLOT_SENDS) {
		past = http_pool_now(h->pool) - c->slot.since;
		limit = SERVER_TIMEOUT * (uint64_t)1000;
		limit = past < limit ? limit - past : 0;
	}
	wait_for(c->readable, limit);
}

/* The connection's work is done. */
static void request_end(struct http_request *c)
{
	if (c->ended || !(c->unread || c->input.len)) {
		request_free(c);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	http_pool_enter(c->http->pool, &c->slot, HTTP_SLOT_CLOSES);
	wait_for(c->readable, LINGER_MS);
}

static void request_answered(struct http_request *c)
{
	buf_done(&c->output);
	c->sent = 0;
	http_pool_set_pending(c->http->pool, &c->slot, 0);
	if (c->close) {
		request_end(c);
		return;
	}
	http_pool_enter(c->http->pool, &c->slot, c->input.len ? HTTP_SLOT_SENDS : HTTP_SLOT_RESTS);
	if (c->input.len || c->ended) {
		yield(c, c->readable);
		return;
	}
	buf_done(&c->input);
	await_input(c);
}

static void add_piece(struct http_request *c)
{
	_cleanup_(buf_done) struct buf piece = { 0 };
	const bool chunked = c->head.minor;
	bool more = c->pieces.next(c->pieces.arg, &piece);

	if (chunked)
		buf_addf(&c->output, "%zx\r\n", piece.len);
	buf_add(&c->output, buf_str(&piece), piece.len);
	if (chunked)
		buf_adds(&c->output, more ? "\r\n" : "\r\n0\r\n\r\n");
	if (more)
		return;
	c->pieces.end(c->pieces.arg);
	c->pieces = (struct http_pieces){ 0 };
}

static void request_write(struct http_request *c)
{
	while (c->sent < c->output.len) {
		ssize_t n = send(c->fd, c->output.data + c->sent, c->output.len - c->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			request_free(c);
			return;
		}
		if (n < 0) {
			http_pool_set_pending(c->http->pool, &c->slot, c->output.len - c->sent);
			wait_for(c->writable, SERVER_TIMEOUT * (uint64_t)1000);
			return;
		}
		c->sent += (size_t)n;
	}
	if (!c->pieces.next) {
		request_answered(c);
		return;
	}
	buf_reset(&c->output);
	c->sent = 0;
	http_pool_set_pending(c->http->pool, &c->slot, 0);
	add_piece(c);
	yield(c, c->writable);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_request *c = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) && !c->yields) {
		request_free(c);
		return;
	}
	c->yields = false;
	request_write(c);
}

static void refuse(struct http_request *c, int status, const char *words)
{
	struct buf body = { 0 };
	const char *type = c->http->config.explain(status, words, &body);

	c->head = (struct http_head){ .method = "", .minor = 1 };
	c->close = c->unread = true;
	http_pool_enter(c->http->pool, &c->slot, HTTP_SLOT_TAKES);
	http_reply(c, status, type, buf_take(&body));
	request_write(c);
}

/* Takes the head at the beginning of the input apart. Returns 1, 0 (more must come), or -1: it was
 * refused. */
static int read_head(struct http_request *c)
{
	size_t n;
	int status;

	if (c->head_length)
		return 1;
	n = http_head_length(buf_str(&c->input), c->input.len, &c->searched);
	if (n > SERVER_MAX_HEADERS || (!n && c->input.len >= SERVER_MAX_HEADERS)) {
		refuse(c, 431, "the head of the request is too long");
		return -1;
	}
	if (!n)
		return 0;
	status = http_head_parse(c->input.data, n, SERVER_MAX_BODY, &c->head);
	if (status) {
		refuse(c, status, "this is no proper HTTP/1.1 request");
		return -1;
	}
	c->head_length = n;
	return 1;
}

/* Answers the request at the beginning of the input, if it is there as a whole. */
static void request_serve(struct http_request *c)
{
	struct http *h = c->http;
	size_t used;
	int r = read_head(c);

	if (r < 0)
		return;
	used = r ? c->head_length + (c->head.expects ? 0 : c->head.content_length) : 0;
	if (!r || c->input.len < used) {
		if (c->ended) {
			request_free(c);
			return;
		}
		if (c->input.len && c->slot.state != HTTP_SLOT_SENDS)
			http_pool_enter(h->pool, &c->slot, HTTP_SLOT_SENDS);
		await_input(c);
		return;
	}

	http_pool_enter(h->pool, &c->slot, HTTP_SLOT_TAKES);
	c->unread = c->head.expects; /* its body may be on its way all the same */
	c->close = !c->head.keep_alive || c->head.expects;
	h->config.handle(c, &c->head, h->config.arg);
	assert(c->output.len);
	c->input.len -= used;
	memmove(c->input.data, c->input.data + used, c->input.len);
	c->input.data[c->input.len] = '\0';
	c->searched = c->head_length = 0;
	request_write(c);
}

/* Throws away what a client sends whose answer was the last. */
static void request_linger(struct http_request *c)
{
	const uint64_t past = http_pool_now(c->http->pool) - c->slot.since;
	char data[4096];
	ssize_t n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);

	c->lingered += n > 0 ? (size_t)n : 0;
	if (!n || (n < 0 && errno != EAGAIN) || c->lingered > LINGER_BYTES || past >= LINGER_MS)
		request_free(c);
	else
		wait_for(c->readable, LINGER_MS - past);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_request *c = arg;
	ssize_t n;

	if (c->yields) {
		c->yields = false;
		request_serve(c);
		return;
	}
	if (what & EV_TIMEOUT) {
		request_free(c);
		return;
	}
	if (c->slot.state == HTTP_SLOT_CLOSES) {
		request_linger(c);
		return;
	}
	if (!c->input.data)
		buf_reserve(&c->input, INPUT_SIZE);
	n = recv(fd, c->input.data + c->input.len, INPUT_SIZE - c->input.len, MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		request_free(c);
		return;
	}
	if (n < 0) {
		await_input(c);
		return;
	}
	c->ended = !n;
	c->input.len += (size_t)n;
	c->input.data[c->input.len] = '\0';
	request_serve(c);
}

static void request_new(struct http *h, int fd)
{
	struct http_request *c = new0(struct http_request);
	const int on = 1;

	/* Small answers do not wait for each other; a UNIX socket refuses this. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->http = h;
	c->fd = fd;
	c->slot.server = h;
	c->slot.evict = evict;
	c->readable = event_new(h->base, fd, EV_READ, on_readable, c);
	c->writable = event_new(h->base, fd, EV_WRITE, on_writable, c);
	if (!c->readable || !c->writable)
		abort(); /* out of memory, as in base/mem.h */
	list_insert(&h->connections, &c->in_http);
	h->n_connections++;
	http_pool_add(h->pool, &c->slot);
	await_input(c);
}

uint32_t http_peer(const struct http_request *req)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	return getsockopt(req->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ? UINT32_MAX
									     : peer.uid;
}

/* Accepting */

static void http_pause(struct http *h, uint64_t ms)
{
	list_for_each_entry(struct http_socket, s, &h->sockets, in_http)
		event_del(s->readable);
	h->paused = true;
	wait_for(h->resume, ms);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	(void)fd;
	(void)what;
	h->paused = false;
	list_for_each_entry(struct http_socket, s, &h->sockets, in_http)
		event_add(s->readable, NULL);
}

static void http_run_short(struct http *h, int error)
{
	log_warn("cannot accept a connection, those that come wait", "server=%s err=\"%s\"",
		h->config.name, strerror(error));
	http_pause(h, PAUSE_MS);
}

/* Makes room for the descriptor of a new connection below those that are for other things. Returns
 * the descriptor, or -1: it was closed. */
static int lower_descriptor(struct http *h, int fd)
{
	const int max = http_pool_max_fd(h->pool);
	int lower;

	if (fd < max)
		return fd;
	lower = http_pool_free_descriptor(h->pool) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	close(fd);
	if (lower < max)
		return lower;
	close(lower);
	return -1;
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = ((struct http_socket *)arg)->http;

	(void)what;
	for (int i = 0; i < ACCEPTS; i++) {
		unsigned wait;
		int client;

		/* Nobody goes for a connection that does not come. */
		if (i && poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) != 1)
			return;
		wait = http_pool_make_room(h->pool, h, h->n_connections);
		if (wait) {
			http_pause(h, wait);
			return;
		}
		client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client >= 0) {
			client = lower_descriptor(h, client);
			if (client < 0) {
				http_run_short(h, EMFILE);
				return;
			}
			request_new(h, client);
			continue;
		}
		switch (errno) {
		case EAGAIN:
			return;
		case EMFILE:
			if (!http_pool_free_descriptor(h->pool))
				break;
			http_run_short(h, EMFILE);
			return;
		case ENFILE:
		case ENOMEM:
		case ENOBUFS:
			http_run_short(h, errno);
			return;
		default: /* of that one connection, see accept(2) */
			break;
		}
	}
}

static const char *explain_as_text(int status, const char *words, struct buf *ret)
{
	buf_addf(ret, "%d %s: %s\n", status, http_reason(status), words);
	return "text/plain; charset=utf-8";
}

struct http *http_new(struct event_base *base, const struct http_config *config)
{
	struct http *h = new0(struct http);

	h->config = *config;
	if (!h->config.explain)
		h->config.explain = explain_as_text;
	h->base = base;
	if (!config->pool)
		h->own_pool = http_pool_new(&(struct http_pool_config){ 0 });
	h->pool = config->pool ? config->pool : h->own_pool;
	list_init(&h->sockets);
	list_init(&h->connections);
	h->resume = evtimer_new(base, on_resume, h);
	if (!h->resume)
		abort(); /* out of memory, as in base/mem.h */
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	h->paused = false;
	list_for_each_entry_safe(struct http_socket, s, &h->sockets, in_http)
		http_stop(s);
	list_for_each_entry_safe(struct http_request, c, &h->connections, in_http)
		request_free(c);
	event_free(h->resume);
	http_pool_free(h->own_pool);
	free(h);
}

/* Listening */

/* Returns a listening TCP socket or a negative errno. */
static int tcp_listen(const struct ip *ip, uint16_t port, bool v6only, int max_fd)
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
	if (fd >= max_fd) {
		close(fd);
		return -EMFILE;
	}
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
	struct http_socket **ret, struct err *err)
{
	static const struct ip any6 = { .family = AF_INET6 }, any4 = { .family = AF_INET };
	const int max_fd = http_pool_max_fd(h->pool);
	char text[IP_PORT_STRLEN];
	int fd;

	both = both && ip_kind(ip) == IP_UNSPECIFIED;
	fd = tcp_listen(both ? &any6 : ip, port, !both, max_fd);
	if (fd == -EAFNOSUPPORT && both)
		fd = tcp_listen(&any4, port, false, max_fd);
	if (fd < 0)
		return err_errno(err, fd, "cannot listen on %s", ip_print_port(ip, port, text));
	*ret = http_serve(h, fd);
	return 0;
}

struct http_socket *http_serve(struct http *h, int fd)
{
	struct http_socket *s = new0(struct http_socket);

	s->http = h;
	s->fd = fd;
	s->readable = event_new(h->base, fd, EV_READ | EV_PERSIST, on_connection, s);
	if (!s->readable)
		abort(); /* out of memory, as in base/mem.h */
	list_insert(&h->sockets, &s->in_http);
	if (!h->paused)
		event_add(s->readable, NULL);
	return s;
}

uint16_t http_socket_port(const struct http_socket *s)
{
	struct sockaddr_in6 in6 = { 0 };
	socklen_t len = sizeof(in6);

	getsockname(s->fd, (struct sockaddr *)&in6, &len);
	return ntohs(in6.sin6_port); /* an IPv4 address has it in the same place */
}

void http_stop(struct http_socket *s)
{
	event_free(s->readable);
	close(s->fd);
	list_remove(&s->in_http);
	free(s);
}

/* Answers */

void http_add_header(struct http_request *c, const char *name, const char *value)
{
	buf_addf(&c->fields, "%s: %s\r\n", name, value);
}

/* The head of an answer, whose empty line the caller adds. */
static void begin_answer(struct http_request *c, int status, const char *type)
{
	time_t now = time(NULL);
	char date[64];
	struct tm tm;

	/* RFC 9110, 5.6.7; we never set a locale with other names of days and months. */
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_addf(&c->output, "HTTP/1.%d %d %s\r\nDate: %s\r\nContent-Type: %s\r\n%s", c->head.minor,
		status, http_reason(status), date, type, buf_str(&c->fields));
	buf_done(&c->fields);
	if (c->close)
		buf_adds(&c->output, "Connection: close\r\n");
	else if (!c->head.minor)
		buf_adds(&c->output, "Connection: keep-alive\r\n");
}

void http_reply(struct http_request *c, int status, const char *type, char *body)
{
	const size_t len = strlen(body);

	begin_answer(c, status, type);
	buf_addf(&c->output, "Content-Length: %zu\r\n\r\n", len);
	if (strcmp(c->head.method, "HEAD") != 0)
		buf_add(&c->output, body, len);
	free(body);
}

void http_reply_pieces(struct http_request *c, const char *type, const struct http_pieces *pieces)
{
	/* Without chunks only the end of the connection tells the end of the answer. */
	c->close = c->close || !c->head.minor;
	c->pieces = *pieces;
	begin_answer(c, 200, type);
	buf_adds(&c->output, c->head.minor ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
	add_piece(c);
}
