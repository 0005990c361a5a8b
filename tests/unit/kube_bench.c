// SPDX-License-Identifier: GPL-2.0-or-later
#include "kube_bench.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "api/http.h"
#include "base/mem.h"
#include "fake/settle.h"

static void on_changed(void *arg)
{
	(void)arg;
}

static void on_fed(void *arg)
{
	((struct kube_bench *)arg)->fed++;
}

static void on_trouble(const char *resource, const char *message, unsigned retry_ms, void *arg)
{
	struct kube_bench *b = arg;

	(void)retry_ms;
	if (message)
		b->troubles++;
	else
		b->recovered++;
	buf_addf(&b->told, "%s: %s\n", resource, message ? message : "well");
}

static void on_relist(const char *resource, const char *why, void *arg)
{
	struct kube_bench *b = arg;

	b->relists++;
	buf_addf(&b->told, "%s: again: %s\n", resource, why);
}

static void on_problem(const char *message, void *arg)
{
	(void)message;
	((struct kube_bench *)arg)->problems++;
}

void kube_bench_start(struct kube_bench *b, bool json, enum endpoints_source endpoints)
{
	char url[64], path[128];
	struct auth_config who = { .kubeconfig = fake_api_path(&b->api, "kubeconfig", path) };
	struct err err;
	struct kube_config config = {
		.base = b->base,
		.store = &b->store,
		.node_name = "node-a",
		.endpoints = endpoints,
		.json = json,
		.needs_pod_cidrs = b->needs_pod_cidrs,
		.changed = on_changed,
		.fed = on_fed,
		.trouble = on_trouble,
		.relist = on_relist,
		.problem = on_problem,
		.arg = b,
	};

	if (access(path, R_OK) < 0)
		who = (struct auth_config){ .master = fake_api_url(&b->api, url) };
	if (auth_load(&who, &b->auth, &err))
		fail_msg("%s", err.msg);
	config.auth = b->auth;
	if (kube_new(&config, &b->kube, &err))
		fail_msg("%s", err.msg);
	b->timers = http_client_timers(kube_client(b->kube));
	timers_freeze(b->timers);
}

void kube_bench_stop(struct kube_bench *b)
{
	kube_free(take(b->kube));
	auth_free(take(b->auth));
	b->fed = 0;
}

static int set_up(void **state, bool tls)
{
	struct kube_bench *b = new0(struct kube_bench);

	signal(SIGPIPE, SIG_IGN);
	fake_api_start(&b->api, tls);
	b->base = event_base_new();
	store_init(&b->store);
	*state = b;
	return 0;
}

int kube_bench_setup(void **state)
{
	return set_up(state, false);
}

int kube_bench_setup_tls(void **state)
{
	return set_up(state, true);
}

int kube_bench_teardown(void **state)
{
	struct kube_bench *b = *state;

	kube_bench_stop(b);
	event_base_free(b->base);
	store_done(&b->store);
	fake_api_stop(&b->api);
	buf_done(&b->told);
	free(b);
	return 0;
}

void kube_bench_settle(struct kube_bench *b)
{
	fake_api_settle(&b->api, b->base);
}

void kube_bench_elapse(struct kube_bench *b, uint64_t ms)
{
	fake_api_elapse(&b->api, b->base, b->timers, ms);
}

struct condition {
	struct kube_bench *bench;
	bool (*what)(struct kube_bench *b, const void *arg);
	const void *arg;
};

static bool is_met(void *arg)
{
	const struct condition *c = arg;

	return c->what(c->bench, c->arg);
}

void kube_bench_await(struct kube_bench *b, bool (*what)(struct kube_bench *b, const void *arg),
	const void *arg, const char *name)
{
	struct condition c = { b, what, arg };

	if (!fake_api_await(&b->api, b->base, b->timers, is_met, &c))
		fail_msg("waited for: %s\n%s", name, buf_str(&b->told));
}

bool is_fed(struct kube_bench *b, const void *arg)
{
	(void)arg;
	return b->fed;
}

bool is_healthy(struct kube_bench *b, const void *arg)
{
	struct kube_watch watches[KUBE_WATCHES];

	(void)arg;
	kube_watches(b->kube, watches);
	return watches[0].healthy && watches[1].healthy && watches[2].healthy;
}

void kube_bench_put_service(struct kube_bench *b, const char *name, unsigned port)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Service\", \"metadata\": {\"name\": \"%s\", \"namespace\": "
		"\"d\"}, \"spec\": {\"clusterIP\": \"10.96.0.9\", \"ports\": [{\"port\": %u, "
		"\"protocol\": \"TCP\"}]}}}",
		name, port);
}

void kube_bench_put_slice(struct kube_bench *b, const char *service, const char *ip)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"EndpointSlice\", \"metadata\": {\"name\": \"%s-1\", "
		"\"namespace\": \"d\", \"labels\": {\"kubernetes.io/service-name\": \"%s\"}}, "
		"\"addressType\": \"IPv4\", \"ports\": [{\"name\": \"\", \"port\": 8080, \"protocol\": "
		"\"TCP\"}], \"endpoints\": [{\"addresses\": [\"%s\"]}]}}",
		service, service, ip);
}

void kube_bench_put_endpoints(struct kube_bench *b, const char *service, const char *ip)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Endpoints\", \"metadata\": {\"name\": \"%s\", \"namespace\": "
		"\"d\"}, \"subsets\": [{\"addresses\": [{\"ip\": \"%s\"}], \"ports\": [{\"port\": "
		"8080}]}]}}",
		service, ip);
}

void kube_bench_delete_service(struct kube_bench *b, const char *name)
{
	fake_api_order(&b->api,
		"{\"delete\": {\"kind\": \"Service\", \"metadata\": {\"name\": \"%s\", \"namespace\": "
		"\"d\"}}}",
		name);
}

void kube_bench_put_node(struct kube_bench *b, const char *spec, const char *addresses)
{
	fake_api_order(&b->api,
		"{\"put\": {\"kind\": \"Node\", \"metadata\": {\"name\": \"node-a\"}, \"spec\": {%s}, "
		"\"status\": {\"addresses\": [%s]}}}",
		spec, addresses);
}

void kube_bench_cluster(struct kube_bench *b)
{
	kube_bench_put_service(b, "web", 80);
	kube_bench_put_service(b, "dns", 53);
	kube_bench_put_slice(b, "web", "10.244.1.1");
	kube_bench_put_node(b, "", NODE_IP);
}

bool has_port(struct kube_bench *b, const void *arg)
{
	const struct port_of *want = arg;
	const struct slot *slot = store_find(&b->store, "d", want->name);

	if (!want->port)
		return !slot || !slot->service;
	return slot && slot->service && slot->service->ports[0].port == want->port;
}

bool has_endpoint(struct kube_bench *b, const void *arg)
{
	const struct slot *slot = store_find(&b->store, "d", "web");
	const struct slice *slice;
	struct ip ip;

	if (!arg || !slot || slot->n_slices != 1)
		return !arg && (!slot || !slot->n_slices);
	slice = container_of(slot->slices.next, struct slot_slice, link)->slice;
	return !ip_parse(arg, &ip) && ip_eq(&slice->subsets[0].endpoints[0].ip, &ip);
}

unsigned kube_bench_changes(struct kube_bench *b)
{
	unsigned n = 0;

	while (store_next_dirty(&b->store))
		n++;
	return n;
}
