/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_KUBE_H
#define API_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/options.h"
#include "core/store.h"
#include "api/auth.h"

/*
 * A Kubernetes API server as a source: Services, EndpointSlices (or Endpoints) and one Node are
 * followed into the store, with the selectors that kube-proxy uses.
 */

/*
 * When all Services and endpoints are known, a Node object with addresses is waited for, and then
 * one with pod CIDRs where they are needed. After these times the rest begins without. (kube-proxy
 * ends where there are no pod CIDRs, and nothing works at all.)
 */
enum { KUBE_NODE_WAIT_MS = 30000, KUBE_POD_CIDRS_WAIT_MS = 300000 };

struct event_base;

struct kube_config {
	struct event_base *base;
	struct auth *auth;
	struct store *store;
	const char *node_name;
	enum endpoints_source endpoints;
	bool json;	     /* ask for JSON only */
	double qps;	     /* of requests that are no watch; 0 or less: no limit */
	unsigned burst;	     /* of those at once */
	unsigned timeout_s;  /* of watches; 0: as kube-proxy */
	unsigned backoff_ms; /* the first; 0: as kube-proxy */
	bool needs_pod_cidrs;
	unsigned node_wait_ms, pod_cidrs_wait_ms; /* 0: as above */

	/* The store changed. Called for each change; what follows is best put off to the next turn
	 * of the loop. */
	void (*changed)(void *arg);
	/* Everything that exists has been told for the first time; the Node object, perhaps. */
	void (*fed)(void *arg);
	/* A resource cannot be followed for now; NULL message: it can again. */
	void (*trouble)(const char *resource, const char *message, unsigned retry_ms, void *arg);
	/* An object is not what it should be and is passed over. */
	void (*problem)(const char *message, void *arg);
	void *arg;
};

struct kube;
/* Begins to connect. Strings must outlive it. Returns 0, or a negative errno with words. */
int kube_new(const struct kube_config *config, struct kube **ret, struct err *err);
void kube_free(struct kube *k);
/* Everything is followed right now. */
bool kube_healthy(const struct kube *k);
/* One kind of object that is followed. */
struct kube_watch {
	const char *resource; /* "services"; valid for ever */
	bool healthy;	      /* without a gap, right now */
};
enum { KUBE_WATCHES = 3 };
/* Services, what tells of endpoints, and nodes. */
void kube_watches(const struct kube *k, struct kube_watch ret[static KUBE_WATCHES]);
bool kube_fed(const struct kube *k);
uint64_t kube_received(const struct kube *k); /* bytes of all answers */
/* For other requests to the same server. */
struct http_client *kube_client(struct kube *k);

#endif
