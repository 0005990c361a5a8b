/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HEALTH_CHECK_H
#define SERVER_HEALTH_CHECK_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/health_checks.h"

/*
 * Answers the health checks of Services of one family (healthCheckNodePort), as kube-proxy does
 * (pkg/proxy/healthcheck/service_health.go): 200 where there are endpoints for the Service on this
 * node and its rules are kept up to date, else 503. Each Service has a server of its own, on all
 * addresses that can be had or, where somebody else has the port of one, on none: so that its port
 * is either free or answers everywhere.
 */

/* Milliseconds, after which a port that cannot be had is tried again */
enum { HEALTH_CHECK_RETRY = 10000 };

struct health_check_config {
	bool (*healthy)(void *arg); /* health_ok() */
	/* The Service's health checks cannot be answered everywhere; told once, until they were in
	 * between. */
	void (*on_failure)(const struct health_check *check, const struct err *err, void *arg);
	unsigned retry; /* milliseconds; 0: HEALTH_CHECK_RETRY */
	void *arg;
};

struct health_check_server;
struct health_check_server *health_check_server_new(
	struct event_base *base, const struct health_check_config *config);
void health_check_server_free(struct health_check_server *s);

/*
 * Makes it answer exactly these, on these addresses; the unspecified one stands for all of its
 * family, not for those of the other. What does not change is not touched: connections live on.
 * Both lists are copied. What fails is tried again the next time, and by itself from time to time.
 */
void health_check_server_reconcile(struct health_check_server *s, const struct ip *addresses,
	size_t n_addresses, const struct health_check *checks, size_t n_checks);

#endif
