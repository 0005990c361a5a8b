// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/health_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "http.h"
#include "server/server.h"

struct check_listener {
	struct ip ip;
	struct evhttp_bound_socket *socket;
};

/* One Service */
struct service_check {
	struct map_node by_name;
	struct health_check_server *server;
	char *ns, *name;
	uint16_t port;
	uint32_t local_ready;
	uint32_t list;	   /* number of the last list that named it */
	struct http *http; /* NULL: does not listen */
	struct check_listener *listeners;
	size_t n_listeners, cap_listeners;
	bool failed; /* does not listen on all addresses */
};

struct health_check_server {
	struct health_check_config config;
	struct event_base *base;
	struct map services;
	struct ip *addresses;
	size_t n_addresses;
	uint32_t list; /* number of the last reconcile */
	struct event *retry;
};

static void on_health_check(struct evhttp_request *req, void *arg)
{
	const struct service_check *c = arg;
	const struct health_check_config *config = &c->server->config;
	bool healthy = config->healthy(config->arg);
	struct buf body = { 0 };
	char weight[12];

	snprintf(weight, sizeof(weight), "%" PRIu32, c->local_ready);
	http_header(req, "X-Content-Type-Options", "nosniff");
	http_header(req, "X-Load-Balancing-Endpoint-Weight", weight);
	buf_addf(&body,
		"{\n\t\"service\": {\n\t\t\"namespace\": \"%s\",\n\t\t\"name\": \"%s\"\n\t},\n"
		"\t\"localEndpoints\": %" PRIu32 ",\n\t\"serviceProxyHealthy\": %s\n}",
		c->ns, c->name, c->local_ready, healthy ? "true" : "false");
	http_reply(req, c->local_ready && healthy ? HTTP_OK : HTTP_SERVUNAVAIL, "application/json",
		buf_take(&body));
}

/* Listening */

static void service_check_close(struct service_check *c)
{
	http_free(take(c->http));
	c->n_listeners = 0;
}

static bool service_check_listens_on(const struct service_check *c, const struct ip *ip)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (ip_eq(&c->listeners[i].ip, ip))
			return true;
	return false;
}

static bool server_has_address(const struct health_check_server *s, const struct ip *ip)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (ip_eq(&s->addresses[i], ip))
			return true;
	return false;
}

/*
 * Returns 0 or:
 * -EADDRNOTAVAIL: one address cannot be bound yet, as while the kernel checks that no other host
 *   has it (IPv6 duplicate address detection). The other addresses answer.
 * another errno: the port is not ours on one address. No address answers.
 */
static int service_check_listen(struct service_check *c, struct err *err)
{
	const struct health_check_server *s = c->server;
	struct evhttp_bound_socket *socket;
	size_t kept = 0;
	int missing = 0;

	if (!c->http)
		c->http = http_new(s->base,
			&(struct http_config){ .handle = on_health_check,
				.arg = c,
				.timeout = SERVER_TCP_TIMEOUT });

	for (size_t i = 0; i < c->n_listeners; i++)
		if (server_has_address(s, &c->listeners[i].ip))
			c->listeners[kept++] = c->listeners[i];
		else
			http_stop(c->http, c->listeners[i].socket);
	c->n_listeners = kept;

	for (size_t i = 0; i < s->n_addresses; i++) {
		const struct ip *ip = &s->addresses[i];
		int r;

		if (service_check_listens_on(c, ip))
			continue;
		r = http_listen(c->http, ip, c->port, false, &socket, err);
		if (r == -EADDRNOTAVAIL) {
			missing = r;
			continue;
		}
		if (r < 0) {
			service_check_close(c);
			return r;
		}
		mem_grow(c->listeners, c->n_listeners, c->cap_listeners);
		c->listeners[c->n_listeners++] =
			(struct check_listener){ .ip = *ip, .socket = socket };
	}
	return missing;
}

/* Reports a failure once, until it listens on all addresses again. */
static void service_check_open(struct service_check *c)
{
	const struct health_check_config *config = &c->server->config;
	const struct health_check check = {
		.ns = c->ns, .name = c->name, .port = c->port, .local_ready = c->local_ready
	};
	bool failed = c->failed;
	struct err err;

	c->failed = service_check_listen(c, &err) < 0;
	if (c->failed && !failed)
		config->on_failure(&check, &err, config->arg);
}

static void schedule_check_retry(struct health_check_server *s)
{
	const unsigned ms = s->config.retry;
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	map_for_each_entry(struct service_check, c, &s->services, by_name)
		if (c->failed) {
			event_add(s->retry, &tv);
			return;
		}
	event_del(s->retry);
}

static void on_check_retry(evutil_socket_t fd, short what, void *arg)
{
	struct health_check_server *s = arg;

	(void)fd;
	(void)what;
	map_for_each_entry(struct service_check, c, &s->services, by_name)
		if (c->failed)
			service_check_open(c);
	schedule_check_retry(s);
}

/* Services */

static uint32_t service_check_hash(const struct health_check *h)
{
	return map_hash_str(h->ns) * 31 + map_hash_str(h->name);
}

static struct service_check *service_check_find(
	const struct health_check_server *s, const struct health_check *h)
{
	map_for_each_match_entry(
		struct service_check, c, &s->services, service_check_hash(h), by_name)
		if (!strcmp(c->ns, h->ns) && !strcmp(c->name, h->name))
			return c;
	return NULL;
}

static void service_check_update(struct health_check_server *s, const struct health_check *h)
{
	struct service_check *c = service_check_find(s, h);

	if (!c) {
		c = new0(struct service_check);
		c->server = s;
		c->ns = mem_strdup(h->ns);
		c->name = mem_strdup(h->name);
		map_add(&s->services, &c->by_name, service_check_hash(h));
	}
	if (c->port != h->port) {
		service_check_close(c);
		c->failed = false;
	}
	c->port = h->port;
	c->local_ready = h->local_ready;
	c->list = s->list;
}

static void service_check_free(struct service_check *c)
{
	service_check_close(c);
	free(c->listeners);
	free(c->ns);
	free(c->name);
	free(c);
}

void health_check_server_reconcile(struct health_check_server *s, const struct ip *addresses,
	size_t n_addresses, const struct health_check *checks, size_t n_checks)
{
	const size_t bytes = n_addresses * sizeof(*addresses);
	bool moved = s->n_addresses != n_addresses ||
		(n_addresses && memcmp(s->addresses, addresses, bytes) != 0);

	if (moved) {
		s->addresses = mem_realloc(s->addresses, n_addresses, sizeof(*addresses));
		if (n_addresses)
			memcpy(s->addresses, addresses, bytes);
		s->n_addresses = n_addresses;
	}

	s->list++;
	for (size_t i = 0; i < n_checks; i++)
		service_check_update(s, &checks[i]);
	/* Close before opening: a port may pass from one Service to another. */
	map_for_each_entry(struct service_check, c, &s->services, by_name)
		if (c->list != s->list) {
			map_del(&s->services, &c->by_name);
			service_check_free(c);
		}
	for (size_t i = 0; i < n_checks; i++) {
		struct service_check *c = service_check_find(s, &checks[i]);

		if (moved || !c->http || c->failed)
			service_check_open(c);
	}
	schedule_check_retry(s);
}

struct health_check_server *health_check_server_new(
	struct event_base *base, const struct health_check_config *config)
{
	struct health_check_server *s = new0(struct health_check_server);

	s->config = *config;
	if (!s->config.retry)
		s->config.retry = HEALTH_CHECK_RETRY;
	s->base = base;
	s->retry = evtimer_new(base, on_check_retry, s);
	if (!s->retry)
		abort(); /* out of memory, as in base/mem.h */
	return s;
}

void health_check_server_free(struct health_check_server *s)
{
	if (!s)
		return;
	map_for_each_entry(struct service_check, c, &s->services, by_name)
		service_check_free(c);
	map_done(&s->services);
	event_free(s->retry);
	free(s->addresses);
	free(s);
}
