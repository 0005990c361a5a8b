/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_OBSERVE_H
#define DAEMON_OBSERVE_H

#include <event2/event.h>
#include <stdbool.h>

#include "announce.h"
#include "api/kube.h"
#include "config/config.h"
#include "core/engine.h"
#include "server/health.h"
#include "server/health_check.h"
#include "server/metrics.h"
#include "server/monitor.h"

/* What others observe of the daemon: health, metrics, and the health checks of Services. */

struct observe_config {
	const struct config *config;
	struct event_base *base;
	struct store *store;
	const struct node_view *view;
	struct engine *engine;
	const struct adapter *iptables;
	struct kube *kube; /* NULL: there is no API server */
	bool fallback;	   /* the backend is iptables because IPVS cannot be used */
	struct announcer *announcer;
	struct http_pool *pool;
	/* --bind-address-hard-fail: the daemon must end. */
	void (*on_address_failure)(void *arg);
	void *arg;
};

struct observe {
	struct observe_config config;
	struct health health;
	struct metrics metrics;
	struct monitor *monitor;
	struct health_check_server *health_checks[2]; /* IPv4, IPv6 */
	struct health_check_list checks;
	struct address_list addresses;
	bool synced_once;      /* the first sync is through: it is a full one, others are partial */
	uint64_t sync_at;      /* us, of the first operation of this sync; 0: in sync */
	uint64_t last_sync_us; /* how long the last sync took */
	uint64_t changed_at;   /* us, of the oldest change that is not in the kernel yet; 0: none */
	uint64_t audits;       /* of the engine, that were measured */
	uint64_t service_changes, slice_changes; /* of the store, that are in the kernel */
	struct metrics_tables rules_written[2];	 /* IPv4, IPv6; ever, until the last sync */
	uint64_t resolves; /* of the engine, when the health checks were reconciled last */
};

/* Starts the servers. Copies `config`, but not what it points to. */
void observe_init(struct observe *o, const struct observe_config *config);
/* This and the functions below do nothing on a zeroed struct, as with --once. */
void observe_done(struct observe *o);
/* The store is complete for the first time. */
void observe_fed(struct observe *o);
/* The store changed. */
void observe_change(struct observe *o);
/* A step is through that began at start_us; `wrote`: it began operations. */
void observe_step(struct observe *o, uint64_t start_us, bool wrote);
/* That many stale entries of one family were deleted from the connection table, from start_us on.
 */
void observe_flows(struct observe *o, int family, uint64_t start_us, unsigned deleted);

#endif
