// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/http_listener.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http.h"
#include "server/server.h"

struct http_listener {
	struct http_listener_config config;
	struct http *http;
	struct event *retry;
	uint16_t port; /* 0: does not listen */
	bool failed;
};

static void on_route(struct evhttp_request *req, void *arg)
{
	const struct http_listener *l = arg;
	struct http_answer answer = { .code = HTTP_OK };
	const struct http_route *route = NULL;
	const char *path, *query;

	http_target(req, &path, &query);
	for (size_t i = 0; i < l->config.n_routes && !route; i++)
		if (!strcmp(path, l->config.routes[i].path))
			route = &l->config.routes[i];
	evhttp_add_header(
		evhttp_request_get_output_headers(req), "X-Content-Type-Options", "nosniff");
	if (route) {
		route->get(path, query, &answer, l->config.arg);
	} else {
		answer.code = HTTP_NOTFOUND;
		answer.type = "text/plain; charset=utf-8";
		buf_adds(&answer.body, "404 page not found\n");
	}
	http_reply(req, answer.code, answer.type, buf_take(&answer.body));
}

/* A callback of the retry timer too. */
static void listener_start(evutil_socket_t unused, short what, void *arg)
{
	struct http_listener *l = arg;
	const struct http_listener_config *c = &l->config;
	const struct timeval retry = clock_timeval(c->retry);
	struct evhttp_bound_socket *socket;
	struct sockaddr_in6 in6 = { 0 };
	socklen_t len = sizeof(in6);
	char text[IP_PORT_STRLEN];
	struct err err;

	(void)unused;
	(void)what;
	if (!http_listen(l->http, &c->address.ip, c->address.port, true, &socket, &err)) {
		getsockname(evhttp_bound_socket_get_fd(socket), (struct sockaddr *)&in6, &len);
		l->port = ntohs(in6.sin6_port); /* an IPv4 address has it in the same place */
		l->failed = false;
		log_info("serving HTTP", "server=%s address=%s", c->name,
			ip_print_port(&c->address.ip, l->port, text));
		return;
	}
	if (c->on_failure) {
		c->on_failure(c->name, &err, c->arg);
		return;
	}
	if (!l->failed)
		log_error("an HTTP server cannot listen, retrying until it can",
			"server=%s ms=%u err=\"%s\"", c->name, c->retry, err.msg);
	l->failed = true;
	event_add(l->retry, &retry);
}

struct http_listener *http_listener_new(
	struct event_base *base, const struct http_listener_config *config)
{
	struct http_listener *l = new0(struct http_listener);

	l->config = *config;
	if (!l->config.retry)
		l->config.retry = HTTP_LISTENER_RETRY;
	l->http = http_new(base,
		&(struct http_config){
			.handle = on_route, .arg = l, .timeout = SERVER_TCP_TIMEOUT });
	l->retry = evtimer_new(base, listener_start, l);
	if (!l->retry)
		abort(); /* out of memory, as in base/mem.h */
	listener_start(-1, 0, l);
	return l;
}

void http_listener_free(struct http_listener *l)
{
	if (!l)
		return;
	event_free(l->retry);
	http_free(l->http);
	free(l);
}

uint16_t http_listener_port(const struct http_listener *l)
{
	return l->port;
}
