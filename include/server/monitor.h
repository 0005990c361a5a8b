/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_MONITOR_H
#define SERVER_MONITOR_H

#include <event2/event.h>
#include <jansson.h>

#include "server/health.h"
#include "server/http_listener.h"

/*
 * The HTTP servers of kube-proxy for probes and monitoring: /healthz and /livez on one address;
 * /metrics, /proxyMode, /configz and a /healthz that always answers "ok" on another.
 */

enum monitor_server { MONITOR_HEALTHZ, MONITOR_METRICS, MONITOR_SERVERS };

struct monitor_config {
	struct http_address address[MONITOR_SERVERS]; /* family 0: no such server */
	struct health *health;			      /* counts the answers */
	const char *mode;			      /* "ipvs", "iptables" */
	void (*metrics)(struct buf *ret, void *arg);
	/* Returns a new reference: the configuration in effect, served as the member
	 * "kubeproxy.config.k8s.io" of /configz; NULL makes it status 500. */
	json_t *(*configz)(void *arg);
	/* --bind-address-hard-fail: the address of that server, "healthz" or "metrics", cannot be
	 * bound; NULL: it is tried again. */
	void (*on_failure)(const char *server, const struct err *err, void *arg);
	void *arg;
	struct http_pool *pool; /* NULL: each server has its own limits */
};

struct monitor;
struct monitor *monitor_new(struct event_base *base, const struct monitor_config *config);
void monitor_free(struct monitor *m);
/* The port in use; 0: it does not listen (yet). */
uint16_t monitor_port(const struct monitor *m, enum monitor_server server);

#endif
