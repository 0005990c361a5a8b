// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/http_listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Addresses */

static int port_parse(const char *s, uint16_t *ret)
{
	unsigned long port;
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	port = strtoul(s, &end, 10);
	if (errno || *end || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

int http_address_parse(const char *s, struct http_address *ret)
{
	const char *colon = strrchr(s, ':');
	bool bracket = *s == '[';
	struct http_address a;
	char ip[IP_STRLEN];
	size_t len;

	if (!colon || (bracket && (colon == s || colon[-1] != ']')))
		return -EINVAL;
	len = (size_t)(colon - s) - (bracket ? 2 : 0);
	if (len >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, s + bracket, len);
	ip[len] = '\0';
	if (!bracket == !!strchr(ip, ':') || ip_parse(ip, &a.ip) || port_parse(colon + 1, &a.port))
		return -EINVAL;
	*ret = a;
	return 0;
}

/* Answers */

static const struct http_route *find_route(const struct http_listener *l, const char *path)
{
	for (size_t i = 0; path && i < l->config.n_routes; i++)
		if (!strcmp(path, l->config.routes[i].path))
			return &l->config.routes[i];
	return NULL;
}

static const char *query_of(struct evhttp_request *req)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));

	return query ? query : "";
}

static void on_request(struct evhttp_request *req, void *arg)
{
	const struct http_listener *l = arg;
	const struct http_route *route = find_route(l, http_path(req));
	struct http_answer answer = { .code = HTTP_OK };

	http_header(req, "X-Content-Type-Options", "nosniff");
	if (route) {
		route->get(query_of(req), &answer, l->config.arg);
	} else {
		answer.code = HTTP_NOTFOUND;
		answer.type = "text/plain; charset=utf-8";
		buf_adds(&answer.body, "404 page not found\n");
	}
	http_reply(req, answer.code, answer.type, buf_take(&answer.body));
}

/* Listening */

static int try_listen(struct http_listener *l, struct err *err)
{
	const struct http_address *a = &l->config.address;
	int fd = http_listen(&a->ip, a->port, true, err);

	if (fd < 0)
		return fd;
	if (!http_serve(l->http, fd)) {
		close(fd);
		return err_set(err, -ENOMEM, "cannot serve HTTP");
	}
	l->port = http_port(fd);
	return 0;
}

static void told_failure(struct http_listener *l, const struct err *err)
{
	const unsigned ms = l->config.retry;
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (l->config.on_failure) {
		l->config.on_failure(err, l->config.arg);
		return;
	}
	if (!l->failed)
		log_error("an HTTP server cannot listen, retrying until it can",
			"server=%s ms=%u err=\"%s\"", l->config.name, ms, err->msg);
	l->failed = true;
	event_add(l->retry, &tv);
}

static void start(struct http_listener *l)
{
	char text[IP_PORT_STRLEN];
	struct err err;

	if (try_listen(l, &err) < 0) {
		told_failure(l, &err);
		return;
	}
	l->failed = false;
	log_info("serving HTTP", "server=%s address=%s", l->config.name,
		ip_print_port(&l->config.address.ip, l->port, text));
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start(arg);
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
			.handle = on_request, .arg = l, .timeout = SERVER_TCP_TIMEOUT });
	l->retry = evtimer_new(base, on_retry, l);
	if (!l->retry)
		abort(); /* out of memory, as in base/mem.h */
	start(l);
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
