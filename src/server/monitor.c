// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

struct monitor {
	struct monitor_config config;
	struct http_listener *listeners[MONITOR_SERVERS];
};

static const char type_json[] = "application/json";
static const char type_plain[] = "text/plain; charset=utf-8";

static const char path_livez[] = "/livez";

static void get_probe(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	const struct monitor *m = arg;
	const enum health_probe probe = strcmp(path, path_livez) ? HEALTH_HEALTHZ : HEALTH_LIVEZ;
	struct timespec wall;

	(void)query;
	clock_gettime(CLOCK_REALTIME, &wall);
	ret->type = type_json;
	ret->code = health_answer(m->config.health, probe, clock_ms(), &wall, &ret->body);
}

static const struct http_route healthz_routes[] = {
	{ "/healthz", get_probe },
	{ path_livez, get_probe },
};

/* k8s.io/apiserver/pkg/server/healthz, with the one check that is always there */
static void get_ping(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	static const char name[] = "verbose";
	const size_t len = strlen(name);
	bool verbose = false;

	(void)path;
	(void)arg;
	for (const char *p = query; *p; p += strcspn(p, "&"), p += *p == '&')
		if (!strncmp(p, name, len) && strchr("=&", p[len]))
			verbose = true;
	ret->type = type_plain;
	buf_adds(&ret->body, verbose ? "[+]ping ok\nhealthz check passed\n" : "ok");
}

static void get_metrics(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	const struct monitor *m = arg;

	(void)path;
	(void)query;
	ret->type = "text/plain; version=0.0.4; charset=utf-8";
	m->config.metrics(&ret->body, m->config.arg);
}

static void get_proxy_mode(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	const struct monitor *m = arg;

	(void)path;
	(void)query;
	ret->type = type_plain;
	buf_adds(&ret->body, m->config.mode);
}

static void get_configz(const char *path, const char *query, struct http_answer *ret, void *arg)
{
	const struct monitor *m = arg;
	json_t *body =
		json_pack("{s:o}", "kubeproxy.config.k8s.io", m->config.configz(m->config.arg));
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	(void)path;
	(void)query;
	ret->type = type_json;
	if (text)
		buf_adds(&ret->body, text);
	else
		ret->code = 500;
	json_decref(body);
}

static const struct http_route metrics_routes[] = {
	{ "/metrics", get_metrics },
	{ "/proxyMode", get_proxy_mode },
	{ "/configz", get_configz },
	{ "/healthz", get_ping },
	{ "/healthz/ping", get_ping },
};

static void on_monitor_failure(const char *name, const struct err *err, void *arg)
{
	const struct monitor *m = arg;

	m->config.on_failure(name, err, m->config.arg);
}

static const struct http_listener_config monitor_servers[MONITOR_SERVERS] = {
	[MONITOR_HEALTHZ] = { .name = "healthz",
		.routes = healthz_routes,
		.n_routes = ARRAY_SIZE(healthz_routes) },
	[MONITOR_METRICS] = { .name = "metrics",
		.routes = metrics_routes,
		.n_routes = ARRAY_SIZE(metrics_routes) },
};

struct monitor *monitor_new(struct event_base *base, const struct monitor_config *config)
{
	struct monitor *m = new0(struct monitor);

	m->config = *config;
	for (size_t i = 0; i < MONITOR_SERVERS; i++) {
		struct http_listener_config c = monitor_servers[i];

		c.address = config->address[i];
		c.arg = m;
		c.pool = config->pool;
		c.on_failure = config->on_failure ? on_monitor_failure : NULL;
		if (c.address.ip.family)
			m->listeners[i] = http_listener_new(base, &c);
	}
	return m;
}

void monitor_free(struct monitor *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < MONITOR_SERVERS; i++)
		http_listener_free(m->listeners[i]);
	free(m);
}

uint16_t monitor_port(const struct monitor *m, enum monitor_server server)
{
	return m->listeners[server] ? http_listener_port(m->listeners[server]) : 0;
}
