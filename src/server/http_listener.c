// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/http_listener.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

static void on_route(struct http_request *req, const struct http_head *head, void *arg)
{
	const struct http_listener *l = arg;
	struct http_answer answer = { .code = 200 };
	const struct http_route *route = NULL;

	for (size_t i = 0; i < l->config.n_routes && !route; i++)
		if (!strcmp(head->path, l->config.routes[i].path))
			route = &l->config.routes[i];
	http_add_header(req, "X-Content-Type-Options", "nosniff");
	if (route) {
		route->get(head->path, head->query, &answer, l->config.arg);
	} else {
		answer.code = 404;
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
	struct http_socket *socket;
	char text[IP_PORT_STRLEN];
	struct err err;

	(void)unused;
	(void)what;
	if (!http_listen(l->http, &c->address.ip, c->address.port, true, &socket, &err)) {
		l->port = http_socket_port(socket);
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
		&(struct http_config){ .name = l->config.name,
			.handle = on_route,
			.arg = l,
			.timeout = SERVER_TCP_TIMEOUT,
			.pool = l->config.pool });
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
