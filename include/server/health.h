/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HEALTH_H
#define SERVER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "core/model.h"

/*
 * Whether this node programs Services in time, as kube-proxy reports it to the kubelet and to load
 * balancers (pkg/proxy/healthcheck/proxy_health.go):
 *
 * 1. A family is unhealthy while a change waits longer than the time-out to reach the kernel.
 * 2. Without changes it stays healthy for ever.
 * 3. While the API server cannot be reached at start it is healthy: what an earlier run left in the
 *    kernel is in force.
 * 4. From then until the first sync is through, load balancers are told to wait; kube-proxy does not.
 *
 * `now` is milliseconds on a monotonic clock, `wall` the time of day.
 */

enum health_probe { HEALTH_HEALTHZ, HEALTH_LIVEZ, HEALTH_PROBES };

struct health_family {
	bool updated; /* ever; a family that never was is reported neither healthy nor unhealthy */
	bool queued;
	uint64_t queued_at; /* the oldest change that waits */
	struct timespec last_updated;
};

struct health {
	uint64_t timeout;		    /* milliseconds */
	struct health_family families[2];   /* IPv4, IPv6 */
	bool eligible;			    /* load balancers may send to this node */
	bool starting;			    /* the first sync has begun, and is not through */
	uint64_t answers[HEALTH_PROBES][2]; /* number of answers with 200, with 503 */
};

/*
 * The time-out is kube-proxy's: twice the sync period. With `follows_node` the node is not eligible
 * until its object was seen; without, as when there is no API server, it is eligible at once.
 */
void health_init(struct health *h, uint64_t timeout, bool follows_node);
/* All objects have been read, and the first sync begins. */
void health_fed(struct health *h);
/* A change was received that has to reach the kernel. */
void health_queued(struct health *h, int family, uint64_t now);
/* The family is in sync; call it once at start too, for each family that is served. */
void health_updated(struct health *h, int family, const struct timespec *wall);
/* This node's object. NULL (it was deleted) changes nothing, as in kube-proxy. */
void health_set_node(struct health *h, const struct node *node);

bool health_ok(const struct health *h, uint64_t now);
/* Appends the JSON answer to a probe and counts it. Returns the HTTP status: 200 or 503. */
int health_answer(struct health *h, enum health_probe probe, uint64_t now,
	const struct timespec *wall, struct buf *ret);

#endif
