/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_KUBE_H
#define API_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/auth.h"
#include "base/err.h"
#include "core/node_view.h"
#include "core/options.h"
#include "core/store.h"

/*
 * A Kubernetes API server as a source: Services, EndpointSlices (or Endpoints) and one Node are
 * followed into the store, with the selectors that kube-proxy uses.
 *
 * Of all Nodes only this one is followed, as in kube-proxy: if each node followed all of them, their
 * heartbeats would grow with the square of the cluster. So the weight of a Node does not count. If
 * each node knew its own alone, all would balance differently.
 *
 * When all Services and endpoints are known, `fed` waits up to KUBE_NODE_WAIT_MS for a Node object
 * with addresses and then, if pod CIDRs are needed, up to KUBE_POD_CIDRS_WAIT_MS for these. After
 * that it is called without them. (kube-proxy exits without pod CIDRs, so that no Service works.)
 */
enum { KUBE_NODE_WAIT_MS = 30000, KUBE_POD_CIDRS_WAIT_MS = 300000 };

struct event_base;

struct kube_config {
	struct event_base *base;
	struct auth *auth;
	struct store *store;
	const char *node_name;
	enum endpoints_source endpoints;
	bool json;	/* ask for JSON only */
	double qps;	/* of requests that are no watch; 0 or less: no limit */
	unsigned burst; /* of those at once */
	bool needs_pod_cidrs;

	/* The store changed. Called for each change, so work is best put off to the next turn of
	 * the loop. */
	void (*changed)(void *arg);
	/* The store holds everything that exists for the first time; the Node may be missing. */
	void (*fed)(void *arg);
	/* A resource cannot be followed; NULL message: it is followed again. */
	void (*trouble)(const char *resource, const char *message, unsigned retry_ms, void *arg);
	/* A resource is requested as a whole again, because our version is outdated or unknown. */
	void (*relist)(const char *resource, const char *why, void *arg);
	/* kube_servers() has changed; addresses in the URL are told before anything else. NULL:
	 * nobody listens. */
	void (*servers_changed)(void *arg);
	/* An object is invalid and ignored, wholly or in part. */
	void (*problem)(const char *message, void *arg);
	void *arg;
};

struct kube;
/* Begins to connect. Strings must outlive it. Returns 0, or a negative errno with words. */
int kube_new(const struct kube_config *config, struct kube **ret, struct err *err);
void kube_free(struct kube *k);
/* Everything is requested again. Objects that are the same do not count as changed. */
void kube_resync(struct kube *k);
/* One kind of object that is followed. */
struct kube_watch {
	const char *resource; /* "services"; valid for ever */
	bool healthy;	      /* followed without a gap right now */
};
enum { KUBE_WATCHES = 3 };
/* Services, slices or Endpoints, and nodes, in this order. */
void kube_watches(const struct kube *k, struct kube_watch ret[static KUBE_WATCHES]);
/* The Node has an annotation with a weight: kube_ignored_weight says what is wrong with it. */
bool kube_ignores_weight(const struct kube *k);
extern const char kube_ignored_weight[];
uint64_t kube_received(const struct kube *k); /* bytes of all answers */
/* Where the API server is now, as server_addresses_get(). */
const struct node_socket *kube_servers(const struct kube *k, size_t *ret_n);
/* For other requests to the same server. */
struct http_client *kube_client(struct kube *k);

#endif
