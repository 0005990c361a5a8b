// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/http_listener.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

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
	const char *path = http_path(req);
	const struct http_route *route = NULL;

	for (size_t i = 0; path && i < l->config.n_routes && !route; i++)
		if (!strcmp(path, l->config.routes[i].path))
			route = &l->config.routes[i];
	http_header(req, "X-Content-Type-Options", "nosniff");
	if (route) {
		route->get(http_query(req), &answer, l->config.arg);
	} else {
		answer.code = HTTP_NOTFOUND;
		answer.type = "text/plain; charset=utf-8";
		buf_adds(&answer.body, "404 page not found\n");
	}
	http_reply(req, answer.code, answer.type, buf_take(&answer.body));
}

static void listener_start(struct http_listener *l)
{
	const struct http_listener_config *c = &l->config;
	const struct timeval retry = { .tv_sec = c->retry / 1000,
		.tv_usec = (suseconds_t)(c->retry % 1000) * 1000 };
	struct evhttp_bound_socket *socket;
	char text[IP_PORT_STRLEN];
	struct err err;

	if (!http_listen(l->http, &c->address.ip, c->address.port, true, &socket, &err)) {
		l->port = http_port(socket);
		l->failed = false;
		log_info("serving HTTP", "server=%s address=%s", c->name,
			ip_print_port(&c->address.ip, l->port, text));
		return;
	}
	if (c->on_failure) {
		c->on_failure(&err, c->arg);
		return;
	}
	if (!l->failed)
		log_error("an HTTP server cannot listen, retrying until it can",
			"server=%s ms=%u err=\"%s\"", c->name, c->retry, err.msg);
	l->failed = true;
	event_add(l->retry, &retry);
}

static void on_listener_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	listener_start(arg);
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
	l->retry = evtimer_new(base, on_listener_retry, l);
	if (!l->retry)
		abort(); /* out of memory, as in base/mem.h */
	listener_start(l);
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
