// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/health_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "http.h"
#include "server/server.h"

struct check_listener {
	struct ip ip;
	struct http_socket *socket;
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

static void on_health_check(struct http_request *req, const struct http_head *head, void *arg)
{
	const struct service_check *c = arg;
	const struct health_check_config *config = &c->server->config;
	bool healthy = config->healthy(config->arg);
	struct buf body = { 0 };
	char weight[12];

	(void)head;
	snprintf(weight, sizeof(weight), "%" PRIu32, c->local_ready);
	http_add_header(req, "X-Content-Type-Options", "nosniff");
	http_add_header(req, "X-Load-Balancing-Endpoint-Weight", weight);
	buf_addf(&body,
		"{\n\t\"service\": {\n\t\t\"namespace\": \"%s\",\n\t\t\"name\": \"%s\"\n\t},\n"
		"\t\"localEndpoints\": %" PRIu32 ",\n\t\"serviceProxyHealthy\": %s\n}",
		c->ns, c->name, c->local_ready, healthy ? "true" : "false");
	http_reply(req, c->local_ready && healthy ? 200 : 503, "application/json", buf_take(&body));
}

/* Listening */

/*
 * Returns 0 or:
 * -EADDRNOTAVAIL: one address cannot be bound yet, as while the kernel checks that no other host
 *   has it (IPv6 duplicate address detection). The other addresses answer.
 * another errno: the port is not ours on one address. No address answers.
 */
static int service_check_listen(struct service_check *c, struct err *err)
{
	const struct health_check_server *s = c->server;
	size_t kept = 0;
	int missing = 0;

	if (!c->http)
		c->http = http_new(s->base,
			&(struct http_config){ .name = "health check",
				.handle = on_health_check,
				.arg = c,
				.timeout = SERVER_TCP_TIMEOUT,
				.pool = s->config.pool });

	/* Close before opening: an address and the unspecified one exclude each other. */
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct check_listener *l = &c->listeners[i];
		size_t at = 0;

		while (at < s->n_addresses && !ip_eq(&s->addresses[at], &l->ip))
			at++;
		if (at < s->n_addresses)
			c->listeners[kept++] = *l;
		else
			http_stop(l->socket);
	}
	c->n_listeners = kept;

	for (size_t i = 0; i < s->n_addresses; i++) {
		const struct ip *ip = &s->addresses[i];
		struct http_socket *socket;
		size_t at = 0;
		int r;

		while (at < c->n_listeners && !ip_eq(&c->listeners[at].ip, ip))
			at++;
		if (at < c->n_listeners)
			continue;
		r = http_listen(c->http, ip, c->port, false, &socket, err);
		if (r == -EADDRNOTAVAIL) {
			missing = r;
			continue;
		}
		if (r < 0) {
			http_free(take(c->http));
			c->n_listeners = 0;
			return r;
		}
		mem_grow(c->listeners, c->n_listeners, c->cap_listeners);
		c->listeners[c->n_listeners++] =
			(struct check_listener){ .ip = *ip, .socket = socket };
	}
	return missing;
}

/* Reports a failure once, until it listens on all addresses again; tries again until it does. */
static void service_check_open(struct service_check *c)
{
	const struct health_check_config *config = &c->server->config;
	const struct timeval retry = clock_timeval(config->retry);
	const struct health_check check = {
		.ns = c->ns, .name = c->name, .port = c->port, .local_ready = c->local_ready
	};
	bool failed = c->failed;
	struct err err;

	c->failed = service_check_listen(c, &err) < 0;
	if (!c->failed)
		return;
	if (!failed)
		config->on_failure(&check, &err, config->arg);
	event_add(c->server->retry, &retry);
}

static void on_check_retry(evutil_socket_t fd, short what, void *arg)
{
	struct health_check_server *s = arg;

	(void)fd;
	(void)what;
	map_for_each_entry(struct service_check, c, &s->services, by_name)
		if (c->failed)
			service_check_open(c);
}

/* Services */

/* Finds the Service's check, or makes one that does not listen. */
static struct service_check *service_check_of(
	struct health_check_server *s, const struct health_check *h)
{
	const uint32_t hash = map_hash_str(h->ns) * 31 + map_hash_str(h->name);
	struct service_check *new;

	map_for_each_match_entry(struct service_check, c, &s->services, hash, by_name)
		if (!strcmp(c->ns, h->ns) && !strcmp(c->name, h->name))
			return c;

	new = new0(struct service_check);
	new->server = s;
	new->ns = mem_strdup(h->ns);
	new->name = mem_strdup(h->name);
	map_add(&s->services, &new->by_name, hash);
	return new;
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
	for (size_t i = 0; i < n_checks; i++) {
		struct service_check *c = service_check_of(s, &checks[i]);

		if (c->port != checks[i].port) {
			http_free(take(c->http));
			c->n_listeners = 0;
			c->failed = false;
		}
		c->port = checks[i].port;
		c->local_ready = checks[i].local_ready;
		c->list = s->list;
	}

	/* Close before opening: a port may pass from one Service to another. */
	map_for_each_entry(struct service_check, c, &s->services, by_name) {
		if (c->list == s->list)
			continue;
		map_del(&s->services, &c->by_name);
		http_free(c->http);
		free(c->listeners);
		free(c->ns);
		free(c->name);
		free(c);
	}

	for (size_t i = 0; i < n_checks; i++) {
		struct service_check *c = service_check_of(s, &checks[i]);

		if (moved || !c->http || c->failed)
			service_check_open(c);
	}
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
	health_check_server_reconcile(s, NULL, 0, NULL, 0);
	map_done(&s->services);
	event_free(s->retry);
	free(s->addresses);
	free(s);
}
