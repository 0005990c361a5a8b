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

static void answer_probe(struct monitor *m, enum health_probe probe, struct http_answer *ret)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	ret->type = type_json;
	ret->code = health_answer(m->config.health, probe, clock_ms(), &wall, &ret->body);
}

static void get_healthz(const char *query, struct http_answer *ret, void *arg)
{
	(void)query;
	answer_probe(arg, HEALTH_HEALTHZ, ret);
}

static void get_livez(const char *query, struct http_answer *ret, void *arg)
{
	(void)query;
	answer_probe(arg, HEALTH_LIVEZ, ret);
}

static const struct http_route healthz_routes[] = {
	{ "/healthz", get_healthz },
	{ "/livez", get_livez },
};

static bool has_parameter(const char *query, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = query; *p; p += strcspn(p, "&"), p += *p == '&')
		if (!strncmp(p, name, len) && strchr("=&", p[len]))
			return true;
	return false;
}

/* k8s.io/apiserver/pkg/server/healthz, with the one check that is always there */
static void get_ping(const char *query, struct http_answer *ret, void *arg)
{
	(void)arg;
	ret->type = type_plain;
	buf_adds(&ret->body,
		has_parameter(query, "verbose") ? "[+]ping ok\nhealthz check passed\n" : "ok");
}

static void get_metrics(const char *query, struct http_answer *ret, void *arg)
{
	const struct monitor *m = arg;

	(void)query;
	ret->type = "text/plain; version=0.0.4; charset=utf-8";
	m->config.metrics(&ret->body, m->config.arg);
}

static void get_proxy_mode(const char *query, struct http_answer *ret, void *arg)
{
	const struct monitor *m = arg;

	(void)query;
	ret->type = type_plain;
	buf_adds(&ret->body, m->config.mode);
}

static void get_configz(const char *query, struct http_answer *ret, void *arg)
{
	const struct monitor *m = arg;
	json_t *body =
		json_pack("{s:o}", "kubeproxy.config.k8s.io", m->config.configz(m->config.arg));
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

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

static void on_healthz_failure(const struct err *err, void *arg)
{
	const struct monitor *m = arg;

	m->config.on_failure(MONITOR_HEALTHZ, err, m->config.arg);
}

static void on_metrics_failure(const struct err *err, void *arg)
{
	const struct monitor *m = arg;

	m->config.on_failure(MONITOR_METRICS, err, m->config.arg);
}

static const struct http_listener_config monitor_servers[MONITOR_SERVERS] = {
	[MONITOR_HEALTHZ] = { .name = "healthz",
		.routes = healthz_routes,
		.n_routes = ARRAY_SIZE(healthz_routes),
		.on_failure = on_healthz_failure },
	[MONITOR_METRICS] = { .name = "metrics",
		.routes = metrics_routes,
		.n_routes = ARRAY_SIZE(metrics_routes),
		.on_failure = on_metrics_failure },
};

struct monitor *monitor_new(struct event_base *base, const struct monitor_config *config)
{
	struct monitor *m = new0(struct monitor);

	m->config = *config;
	for (size_t i = 0; i < MONITOR_SERVERS; i++) {
		struct http_listener_config c = monitor_servers[i];

		c.address = config->address[i];
		c.arg = m;
		if (!config->on_failure)
			c.on_failure = NULL;
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
