// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/health_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "http.h"
#include "server/server.h"

struct listener {
	struct ip ip;
	struct evhttp_bound_socket *socket;
};

/* One Service. */
struct service_check {
	struct map_node by_name;
	struct health_check_server *server;
	char *ns, *name;
	uint16_t port;
	uint32_t local_ready;
	uint32_t told;	   /* the last list that it stood in */
	struct http *http; /* NULL: does not listen */
	struct listener *listeners;
	size_t n_listeners, cap_listeners;
	bool failed;
};

struct health_check_server {
	struct health_check_config config;
	struct event_base *base;
	struct map services;
	struct ip *addresses;
	size_t n_addresses;
	uint32_t list; /* number of the last one */
	struct event *retry;
};

/* Answers */

static void on_request(struct evhttp_request *req, void *arg)
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

static void check_close(struct service_check *c)
{
	http_free(take(c->http));
	c->n_listeners = 0;
}

static bool has_address(const struct health_check_server *s, const struct ip *ip)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (ip_eq(&s->addresses[i], ip))
			return true;
	return false;
}

static void drop_addresses(struct service_check *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_listeners; i++)
		if (has_address(c->server, &c->listeners[i].ip))
			c->listeners[n++] = c->listeners[i];
		else
			http_stop(c->http, c->listeners[i].socket);
	c->n_listeners = n;
}

static bool listens_on(const struct service_check *c, const struct ip *ip)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (ip_eq(&c->listeners[i].ip, ip))
			return true;
	return false;
}

static int add_address(struct service_check *c, const struct ip *ip, struct err *err)
{
	int fd = http_listen(ip, c->port, false, err);
	struct evhttp_bound_socket *socket;

	if (fd < 0)
		return fd;
	socket = http_serve(c->http, fd);
	if (!socket) {
		close(fd);
		return err_set(err, -ENOMEM, "cannot serve HTTP");
	}
	mem_grow(c->listeners, c->n_listeners, c->cap_listeners);
	c->listeners[c->n_listeners++] = (struct listener){ .ip = *ip, .socket = socket };
	return 0;
}

/*
 * An address that cannot be bound yet (the kernel is still looking whether another host has it) is
 * waited for: -EADDRNOTAVAIL, and the others answer. Any other failure means that the port is not
 * ours.
 */
static int check_listen(struct service_check *c, struct err *err)
{
	const struct health_check_server *s = c->server;
	int missing = 0;

	if (!c->http)
		c->http = http_new(s->base,
			&(struct http_config){
				.handle = on_request, .arg = c, .timeout = SERVER_TCP_TIMEOUT });
	drop_addresses(c);
	for (size_t i = 0; i < s->n_addresses; i++) {
		int r = listens_on(c, &s->addresses[i]) ? 0 : add_address(c, &s->addresses[i], err);

		if (r < 0 && r != -EADDRNOTAVAIL) {
			check_close(c);
			return r;
		}
		missing = r ? r : missing;
	}
	return missing;
}

static void check_open(struct service_check *c)
{
	const struct health_check_config *config = &c->server->config;
	const struct health_check check = {
		.ns = c->ns, .name = c->name, .port = c->port, .local_ready = c->local_ready
	};
	bool failed = c->failed;
	struct err err;

	c->failed = check_listen(c, &err) < 0;
	if (c->failed && !failed)
		config->on_failure(&check, &err, config->arg);
}

/* Services */

static uint32_t hash_name(const char *ns, const char *name)
{
	return map_hash_str(ns) * 31 + map_hash_str(name);
}

static struct service_check *find(const struct health_check_server *s, const struct health_check *h)
{
	map_for_each_match(n, &s->services, hash_name(h->ns, h->name)) {
		struct service_check *c = container_of(n, struct service_check, by_name);

		if (!strcmp(c->ns, h->ns) && !strcmp(c->name, h->name))
			return c;
	}
	return NULL;
}

static struct service_check *check_new(struct health_check_server *s, const struct health_check *h)
{
	struct service_check *c = new0(struct service_check);

	c->server = s;
	c->ns = mem_strdup(h->ns);
	c->name = mem_strdup(h->name);
	map_add(&s->services, &c->by_name, hash_name(h->ns, h->name));
	return c;
}

static void check_free(struct service_check *c)
{
	check_close(c);
	free(c->listeners);
	free(c->ns);
	free(c->name);
	free(c);
}

static void update(struct health_check_server *s, const struct health_check *h)
{
	struct service_check *c = find(s, h);

	if (!c)
		c = check_new(s, h);
	if (c->port != h->port) {
		check_close(c);
		c->failed = false;
	}
	c->port = h->port;
	c->local_ready = h->local_ready;
	c->told = s->list;
}

static void remove_others(struct health_check_server *s)
{
	map_for_each(n, &s->services) {
		struct service_check *c = container_of(n, struct service_check, by_name);

		if (c->told == s->list)
			continue;
		map_del(&s->services, n);
		check_free(c);
	}
}

static void schedule_retry(struct health_check_server *s)
{
	const unsigned ms = s->config.retry;
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	map_for_each(n, &s->services)
		if (container_of(n, struct service_check, by_name)->failed) {
			event_add(s->retry, &tv);
			return;
		}
	event_del(s->retry);
}

static bool set_addresses(struct health_check_server *s, const struct ip *addresses, size_t n)
{
	if (s->n_addresses == n && (!n || !memcmp(s->addresses, addresses, n * sizeof(*addresses))))
		return false;
	s->addresses = mem_realloc(s->addresses, n, sizeof(*addresses));
	if (n)
		memcpy(s->addresses, addresses, n * sizeof(*addresses));
	s->n_addresses = n;
	return true;
}

void health_check_server_reconcile(struct health_check_server *s, const struct ip *addresses,
	size_t n_addresses, const struct health_check *checks, size_t n_checks)
{
	bool moved = set_addresses(s, addresses, n_addresses);

	s->list++;
	for (size_t i = 0; i < n_checks; i++)
		update(s, &checks[i]);
	/* Before others open: a port may go from one Service to another. */
	remove_others(s);
	for (size_t i = 0; i < n_checks; i++) {
		struct service_check *c = find(s, &checks[i]);

		if (moved || !c->http || c->failed)
			check_open(c);
	}
	schedule_retry(s);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct health_check_server *s = arg;

	(void)fd;
	(void)what;
	map_for_each(n, &s->services) {
		struct service_check *c = container_of(n, struct service_check, by_name);

		if (c->failed)
			check_open(c);
	}
	schedule_retry(s);
}

struct health_check_server *health_check_server_new(
	struct event_base *base, const struct health_check_config *config)
{
	struct health_check_server *s = new0(struct health_check_server);

	s->config = *config;
	if (!s->config.retry)
		s->config.retry = HEALTH_CHECK_RETRY;
	s->base = base;
	s->retry = evtimer_new(base, on_retry, s);
	if (!s->retry)
		abort(); /* out of memory, as in base/mem.h */
	return s;
}

void health_check_server_free(struct health_check_server *s)
{
	if (!s)
		return;
	map_for_each(n, &s->services)
		check_free(container_of(n, struct service_check, by_name));
	map_done(&s->services);
	event_free(s->retry);
	free(s->addresses);
	free(s);
}
