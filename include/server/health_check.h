/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HEALTH_CHECK_H
#define SERVER_HEALTH_CHECK_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/health_checks.h"
#include "server/http_pool.h"

/*
 * Answers the health checks of Services of one family (healthCheckNodePort), as kube-proxy does
 * (pkg/proxy/healthcheck/service_health.go): 200 if the Service has endpoints on this node and the
 * node is healthy, else 503. Each Service has a server of its own on all addresses. If another
 * process has the port on one address, the Service's server listens on none, so that a load
 * balancer never reads the answer of a stranger on one address and ours on another.
 */

/* Milliseconds until a port that cannot be bound is tried again */
enum { HEALTH_CHECK_RETRY = 10000 };

struct health_check_config {
	bool (*healthy)(void *arg); /* health_ok() */
	/* The Service does not listen on all addresses; called again only after it did. */
	void (*on_failure)(const struct health_check *check, const struct err *err, void *arg);
	unsigned retry; /* milliseconds; 0: HEALTH_CHECK_RETRY */
	void *arg;
	struct http_pool *pool; /* NULL: each Service has its own limits */
};

struct health_check_server;
struct health_check_server *health_check_server_new(
	struct event_base *base, const struct health_check_config *config);
void health_check_server_free(struct health_check_server *s);

/*
 * Answers exactly these checks on these addresses from now on; the unspecified address stands for
 * all addresses of its own family. Checks that did not change keep their connections. Both lists
 * are copied. Failures are retried by the next call and after the retry time.
 */
void health_check_server_reconcile(struct health_check_server *s, const struct ip *addresses,
	size_t n_addresses, const struct health_check *checks, size_t n_checks);

#endif
