/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KUBE_BENCH_H
#define KUBE_BENCH_H

#include "api/kube.h"
#include "api/timer.h"
#include "base/buf.h"
#include "fake/api.h"

/* A store that follows a fake API server, and what was told on the way. */
struct kube_bench {
	struct fake_api api;
	struct event_base *base;
	struct auth *auth;
	struct kube *kube;
	struct timers *timers; /* of `kube`; frozen: see fake/settle.h */
	struct store store;
	bool needs_pod_cidrs;
	unsigned fed, troubles, recovered, relists, problems;
	struct buf told; /* messages of troubles and relists, a line each */
};

int kube_bench_setup(void **state);
/* With a server that speaks TLS. */
int kube_bench_setup_tls(void **state);
int kube_bench_teardown(void **state);
#define KUBE_TEST(f) cmocka_unit_test_setup_teardown(f, kube_bench_setup, kube_bench_teardown)
#define KUBE_TEST_TLS(f) \
	cmocka_unit_test_setup_teardown(f, kube_bench_setup_tls, kube_bench_teardown)

/* Services "web" and "dns", a slice of "web", the Node. */
void kube_bench_cluster(struct kube_bench *b);
/* With that as its spec and its addresses, in JSON. */
void kube_bench_put_node(struct kube_bench *b, const char *spec, const char *addresses);
#define NODE_IP "{\"type\": \"InternalIP\", \"address\": \"192.168.50.1\"}"
void kube_bench_put_service(struct kube_bench *b, const char *name, unsigned port);
void kube_bench_put_slice(struct kube_bench *b, const char *service, const char *ip);
void kube_bench_put_endpoints(struct kube_bench *b, const char *service, const char *ip);
void kube_bench_delete_service(struct kube_bench *b, const char *name);

/* Without credentials, or with those of the fake's kubeconfig where there is one. */
void kube_bench_start(struct kube_bench *b, bool json, enum endpoints_source endpoints);
void kube_bench_stop(struct kube_bench *b);

/* Lets time pass until it is true; a test whose patience is over has failed. */
void kube_bench_await(struct kube_bench *b, bool (*what)(struct kube_bench *b, const void *arg),
	const void *arg, const char *name);
#define AWAIT(b, what, arg) kube_bench_await(b, what, arg, #what)
/* Everything has happened that happens without time passing. */
void kube_bench_settle(struct kube_bench *b);
void kube_bench_elapse(struct kube_bench *b, uint64_t ms);

/* Conditions for AWAIT: kube_config.fed was called; all watches are healthy. */
bool is_fed(struct kube_bench *b, const void *arg);
bool is_healthy(struct kube_bench *b, const void *arg);
/* The Service has that port in the store. */
struct port_of {
	const char *name;
	unsigned port; /* 0: the Service is gone */
};
bool has_port(struct kube_bench *b, const void *arg);
/* The only endpoint of "web" has that address; NULL: there is none. */
bool has_endpoint(struct kube_bench *b, const void *arg);

/* How many Services changed since the last call. */
unsigned kube_bench_changes(struct kube_bench *b);

#endif
