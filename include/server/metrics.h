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
 * Metrics in the Prometheus text format: kube-proxy's, with its names, labels and buckets, so that
 * its dashboards and alerts keep working, and our own, whose names begin with "ipvsctl_".
 */

enum { HISTOGRAM_MAX_BUCKETS = 81, METRICS_METHODS = 3, METRICS_STATUSES = 1000 };

struct histogram {
	const double *bounds; /* upper bounds, inclusive */
	size_t n;
	uint64_t count[HISTOGRAM_MAX_BUCKETS + 1]; /* by bucket; [n]: above all bounds */
	double sum;
};

void histogram_observe(struct histogram *h, double value);

/* iptables rules by table */
struct metrics_tables {
	uint64_t nat, filter;
};

struct metrics_family {
	/*
	 * Seconds of a sync, from its first operation until the family was in sync; failed syncs
	 * count too. In iptables mode the first sync also counts as full, later ones as partial.
	 */
	struct histogram sync, sync_full, sync_partial;
	/* Seconds from a slice's last-change-trigger-time annotation until it was in the kernel */
	struct histogram programming;
	struct histogram conntrack;	 /* seconds of each search for stale flows */
	double last_queued, last_synced; /* Unix time; 0: never */
	uint64_t conntrack_deleted;
	uint64_t restore_failures, partial_restore_failures; /* of iptables-restore */
	/* Services whose Local policy finds no endpoint on this node: no_local_count() */
	uint64_t no_local_internal, no_local_external;
	struct metrics_tables iptables_rules, iptables_last; /* iptables mode only */
};

/* Requests to the API server with one method */
struct metrics_requests {
	uint64_t answers[METRICS_STATUSES]; /* by HTTP status; [0]: no answer came */
	/* Without watches: seconds, and bytes of bodies */
	struct histogram duration, request_size, response_size;
};

/* The numbers that the daemon counts. */
struct metrics {
	struct metrics_family families[2]; /* IPv4, IPv6 */
	/* Changes received from the sources: in total, and since the last sync */
	uint64_t service_changes, service_changes_pending;
	uint64_t endpoint_changes, endpoint_changes_pending;
	struct histogram event_to_kernel; /* seconds from a change of the store until in sync */
	struct histogram audit;		  /* seconds of one audit */
	struct metrics_requests requests[METRICS_METHODS]; /* see metrics_requests_of() */
};

void metrics_init(struct metrics *m);
/* The method is "GET", "POST" or "PATCH". */
struct metrics_requests *metrics_requests_of(struct metrics *m, const char *method);

/* The watch of one resource */
struct metrics_watch {
	const char *resource; /* "services" */
	bool healthy;
};

/* A feature gate of kube-proxy */
struct metrics_feature {
	const char *name, *stage; /* "ALPHA", "BETA", "" */
	bool on;
};

struct metrics_input {
	const struct metrics *metrics;
	const struct health *health;
	struct engine *engine;
	const char *backend;   /* "ipvs" or "iptables" */
	const char *netfilter; /* "iptables" or "nftables" */
	bool iptables;	       /* the backend is iptables, which has additional metrics */
	bool fallback;	       /* the backend is iptables because IPVS cannot be used */
	bool ipv4, ipv6;       /* families that are served */
	size_t overrides;      /* endpoints whose weight an operator set */
	const char *api_host;  /* "10.0.0.1:6443"; NULL: there is no API server */
	const struct metrics_watch *watches;
	size_t n_watches;
	const struct metrics_feature *features;
	size_t n_features;
	long conntrack_entries, conntrack_max; /* of the connection table; negative: unknown */
};

/* Appends all metrics; those of the process are read from /proc. */
void metrics_render(const struct metrics_input *in, struct buf *ret);

#endif
