/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/engine.h"
#include "server/health.h"

/*
 * Metrics in the text format of Prometheus: kube-proxy's, with its names, labels and buckets, so
 * that its dashboards and alerts go on working, and our own, which begin with "ipvsctl_".
 */

enum { HISTOGRAM_MAX_BUCKETS = 81 };

struct histogram {
	const double *bounds; /* upper ones, inclusive */
	size_t n;
	uint64_t count[HISTOGRAM_MAX_BUCKETS + 1]; /* by bucket; [n]: above all bounds */
	double sum;
};

void histogram_observe(struct histogram *h, double value);

/* Rules of iptables mode by table. */
struct metrics_tables {
	uint64_t nat, filter;
};

struct metrics_family {
	/*
	 * Seconds, from the first operation of a sync until everything was true; failed ones too.
	 * In iptables mode only: of these the first, and the others.
	 */
	struct histogram sync, sync_full, sync_partial;
	/* Seconds, from last-change-trigger-time of a slice until it was in the kernel. */
	struct histogram programming;
	struct histogram conntrack;	 /* seconds that looking for stale flows took */
	double last_queued, last_synced; /* Unix time; 0: never */
	uint64_t conntrack_deleted;
	uint64_t restore_failures, partial_restore_failures; /* of iptables-restore */
	/* Services whose Local policy finds no endpoint here: no_local_count(). */
	uint64_t no_local_internal, no_local_external;
	struct metrics_tables iptables_rules, iptables_last; /* iptables mode only */
};

/* Requests to the API server with one method. */
struct metrics_requests {
	uint64_t answers[1000];	   /* by status; 0: none came */
	struct histogram duration; /* seconds; not of watches */
};

enum { METRICS_METHODS = 3 };

/* What somebody has to feed. */
struct metrics {
	struct metrics_family families[2]; /* see metrics_of() */
	/* Changes that the sources told, ever, and since the last sync. */
	uint64_t service_changes, service_changes_pending;
	uint64_t endpoint_changes, endpoint_changes_pending;
	struct histogram event_to_kernel; /* seconds, from a change of the store until it is true */
	struct histogram audit;		  /* seconds, of one audit */
	struct metrics_requests requests[METRICS_METHODS]; /* see metrics_requests_of() */
};

void metrics_init(struct metrics *m);
struct metrics_family *metrics_of(struct metrics *m, int family);
/* "GET", "POST" or "PATCH" */
struct metrics_requests *metrics_requests_of(struct metrics *m, const char *method);

/* A source that is followed. */
struct metrics_watch {
	const char *resource; /* "services" */
	bool healthy;
};

struct metrics_input {
	const struct metrics *metrics;
	const struct health *health;
	struct engine *engine;
	const char *backend;  /* "ipvs" or "iptables" */
	bool iptables;	      /* the backend is iptables, which has some metrics more */
	bool fallback;	      /* it is, because IPVS could not be had */
	bool ipv4, ipv6;      /* families that are served */
	const char *api_host; /* "10.0.0.1:6443"; NULL: there is no API server */
	const struct metrics_watch *watches;
	size_t n_watches;
};

/* Appends all of them; the process's own are read from /proc. */
void metrics_render(const struct metrics_input *in, struct buf *ret);

#endif
