/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

/* An HTTP client on the event loop of the server that it asks, for tests of servers on TCP. */

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

enum { HTTP_CLIENT_PATIENCE = 60 /* seconds until a test that hangs fails */ };

static inline void http_client_on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	*(short *)arg = what;
}

/* Runs what is ready. */
static inline void http_client_turn(struct event_base *base)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Runs the loop until the descriptor is ready: EV_READ or EV_WRITE. */
static inline void http_client_wait(struct event_base *base, int fd, short events)
{
	static const struct timeval patience = { .tv_sec = HTTP_CLIENT_PATIENCE };
	short what = 0;

	event_base_once(base, fd, events, http_client_on_event, &what, &patience);
	while (!what)
		event_base_loop(base, EVLOOP_ONCE);
	assert_true(what & events);
}

static inline socklen_t http_client_address(
	struct sockaddr_storage *ret, const char *ip, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (strchr(ip, ':')) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, ip, &in6->sin6_addr), 1);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, ip, &in->sin_addr), 1);
	return sizeof(*in);
}

/* A non-blocking socket, or a negative errno: on loopback a refusal comes at once. */
static inline int http_client_connect(const char *ip, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = http_client_address(&sa, ip, port);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (!connect(fd, (struct sockaddr *)&sa, len) || errno == EINPROGRESS) {
		int e = 0;
		socklen_t size = sizeof(e);

		getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size);
		if (!e)
			return fd;
		errno = e;
	}
	close(fd);
	return -errno;
}

static inline void http_client_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Until the server hangs up, or with `enough` until that text has come. */
static inline void http_client_receive(
	struct event_base *base, int fd, const char *enough, struct buf *ret)
{
	while (!enough || !strstr(buf_str(ret), enough)) {
		ssize_t n;

		http_client_wait(base, fd, EV_READ);
		n = recv(fd, buf_reserve(ret, 65536), 65536, 0);
		if (n > 0)
			ret->data[ret->len += (size_t)n] = '\0';
		else if (!n || errno != EAGAIN)
			return;
	}
}

/* The whole answer to "METHOD PATH"; "" where nobody listens. The caller frees. */
static inline char *http_client_ask(
	struct event_base *base, const char *ip, uint16_t port, const char *request)
{
	int fd = http_client_connect(ip, port);
	struct buf text = { 0 }, answer = { 0 };

	if (fd >= 0) {
		buf_addf(&text, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", request);
		http_client_send(fd, buf_str(&text));
		http_client_receive(base, fd, NULL, &answer);
		close(fd);
	}
	buf_done(&text);
	return buf_take(&answer);
}

/* What stands behind the headers. */
static inline const char *http_client_body(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	assert_non_null(body);
	return body + 4;
}

/*
 * A port that nobody uses. It is below the range of ports that the kernel gives to others
 * (net.ipv4.ip_local_port_range), so it stays free until the caller listens on it; the start of the
 * search differs between processes that run at the same time.
 */
static inline uint16_t http_client_free_port(const char *ip)
{
	enum { FIRST = 10000, LAST = 32000 };
	static unsigned next;

	if (!next)
		next = (unsigned)getpid() * 97;
	for (unsigned tries = 0; tries < LAST - FIRST; tries++) {
		uint16_t port = (uint16_t)(FIRST + next++ % (LAST - FIRST));
		struct sockaddr_storage sa;
		socklen_t len = http_client_address(&sa, ip, port);
		int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int r = bind(fd, (struct sockaddr *)&sa, len);

		close(fd);
		if (!r)
			return port;
	}
	fail_msg("no free port on %s", ip);
	return 0;
}

#endif
