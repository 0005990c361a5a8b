// SPDX-License-Identifier: GPL-2.0-or-later
#include "observe.h"

#include <netinet/in.h>
#include <time.h>

#include "announce.h"
#include "api/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/no_local.h"
#include "rules.h"
#include "sync.h"

static const int families[] = { AF_INET, AF_INET6 };

static struct timespec wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts;
}

static double unix_time(void)
{
	struct timespec ts = wall_clock();

	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool served(const struct daemon *d, int family)
{
	return node_view_serves(&d->view, family);
}

static void take_counts(struct daemon *d)
{
	const struct store *s = &d->store;
	struct observe *o = &d->observe;

	o->metrics.service_changes = s->service_changes;
	o->metrics.service_changes_pending = s->service_changes - o->service_changes;
	o->metrics.endpoint_changes = s->slice_changes;
	o->metrics.endpoint_changes_pending = s->slice_changes - o->slice_changes;
}

static void take_watches(const struct daemon *d, struct metrics_watch ret[static KUBE_WATCHES])
{
	struct kube_watch watches[KUBE_WATCHES];

	kube_watches(d->kube, watches);
	for (size_t i = 0; i < ARRAY_SIZE(watches); i++)
		ret[i] = (struct metrics_watch){ watches[i].resource, watches[i].healthy };
}

static void render_metrics(struct buf *ret, void *arg)
{
	struct daemon *d = arg;
	struct metrics_watch watches[KUBE_WATCHES];
	struct metrics_input in = {
		.metrics = &d->observe.metrics,
		.health = &d->observe.health,
		.engine = d->engine,
		.backend = backend_name(d->view.backend),
		.iptables = d->view.backend == BACKEND_IPTABLES,
		.fallback = d->no_ipvs.code,
		.ipv4 = d->view.ipv4,
		.ipv6 = d->view.ipv6,
		.watches = watches,
		.n_watches = d->kube ? ARRAY_SIZE(watches) : 0,
	};

	if (d->kube) {
		take_watches(d, watches);
		in.api_host = http_client_host(kube_client(d->kube));
	}
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct no_local n = no_local_count(&d->store, &d->view, families[i]);
		struct metrics_family *f = metrics_of(&d->observe.metrics, families[i]);

		f->no_local_internal = n.internal;
		f->no_local_external = n.external;
	}
	take_counts(d);
	if (in.iptables)
		rules_count(d);
	metrics_render(&in, ret);
}

static void on_answered(const char *method, unsigned status, void *arg)
{
	struct daemon *d = arg;
	struct metrics_requests *r = metrics_requests_of(&d->observe.metrics, method);

	if (status < ARRAY_SIZE(r->answers))
		r->answers[status]++;
}

static void on_request_end(const char *method, uint64_t took_ms, void *arg)
{
	struct daemon *d = arg;

	histogram_observe(
		&metrics_requests_of(&d->observe.metrics, method)->duration, (double)took_ms / 1e3);
}

static json_t *configz(void *arg)
{
	const struct daemon *d = arg;

	return config_tree(d->config);
}

/* Time for the event to leave. */
static const struct timeval last_words = { .tv_sec = 1 };

static void on_address_failure(enum monitor_server server, const struct err *err, void *arg)
{
	struct daemon *d = arg;

	log_error("cannot listen, giving up as --bind-address-hard-fail demands",
		"server=%s err=\"%s\"", server == MONITOR_METRICS ? "metrics" : "healthz",
		err->msg);
	announce_node(d, true,
		server == MONITOR_METRICS ? "FailedToStartMetricServer"
					  : "FailedToStartProxierHealthcheck",
		"StartKubeProxy", "%s", err->msg);
	d->failure = "an address cannot be had";
	event_base_loopexit(d->base, d->events ? &last_words : NULL);
}

static bool healthy(void *arg)
{
	const struct daemon *d = arg;

	return health_ok(&d->observe.health, clock_ms());
}

static void on_check_failure(const struct health_check *check, const struct err *err, void *arg)
{
	struct daemon *d = arg;

	log_warn("cannot answer the health checks of a Service, retrying",
		"service=%s/%s port=%u err=\"%s\"", check->ns, check->name, check->port, err->msg);
	announce_service(d, check->ns, check->name, "FailedToStartServiceHealthcheck", "Listen",
		"node %s failed to start healthcheck \"%s/%s\" on port %u: %s",
		d->config->options.node_name, check->ns, check->name, check->port, err->msg);
}

static struct http_address address_of(const struct listen_address *a)
{
	return (struct http_address){ .ip = a->ip, .port = a->port };
}

void observe_init(struct daemon *d)
{
	const struct config *c = d->config;
	struct observe *o = &d->observe;
	struct timespec wall = wall_clock();

	d->store.triggers_since = wall.tv_sec * (int64_t)1000000;
	health_init(&o->health, 2 * (uint64_t)c->sync_period, d->kube);
	metrics_init(&o->metrics);
	if (d->kube)
		http_client_observe(kube_client(d->kube),
			&(struct http_observer){
				.answered = on_answered, .ended = on_request_end, .arg = d });
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!served(d, families[i]))
			continue;
		health_updated(&o->health, families[i], &wall);
		o->health_checks[i] = health_check_server_new(d->base,
			&(struct health_check_config){
				.healthy = healthy, .on_failure = on_check_failure, .arg = d });
	}
	o->monitor = monitor_new(d->base,
		&(struct monitor_config){ .address = { [MONITOR_HEALTHZ] = address_of(&c->healthz),
						  [MONITOR_METRICS] = address_of(&c->metrics) },
			.health = &o->health,
			.mode = backend_name(d->view.backend),
			.metrics = render_metrics,
			.configz = configz,
			.on_failure = c->bind_address_hard_fail ? on_address_failure : NULL,
			.arg = d });
}

void observe_done(struct daemon *d)
{
	struct observe *o = &d->observe;

	monitor_free(take(o->monitor));
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		health_check_server_free(take(o->health_checks[i]));
	health_checks_done(&o->checks);
	address_list_done(&o->addresses);
}

void observe_change(struct daemon *d)
{
	struct observe *o = &d->observe;

	if (!o->changed_at)
		o->changed_at = clock_us();
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (served(d, families[i])) {
			health_queued(&o->health, families[i], clock_ms());
			metrics_of(&o->metrics, families[i])->last_queued = unix_time();
		}
}

static void reconcile_health_checks(struct daemon *d)
{
	const struct node_view *view = &d->view;
	struct observe *o = &d->observe;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!o->health_checks[i])
			continue;
		health_checks_list(&d->store, view, families[i], &o->checks);
		health_checks_addresses(view, families[i], &o->addresses);
		health_check_server_reconcile(o->health_checks[i], o->addresses.ips, o->addresses.n,
			o->checks.checks, o->checks.n);
	}
}

/* From the change of an endpoint, as the cluster's controllers have noted it, until now. */
static void observe_programming(struct daemon *d)
{
	for (size_t i = 0; i < d->store.n_triggers; i++) {
		const struct trigger *t = &d->store.triggers[i];

		histogram_observe(&metrics_of(&d->observe.metrics, t->family)->programming,
			unix_time() - (double)t->time / 1e6);
	}
	store_forget_triggers(&d->store);
}

/* From the first operation until everything was true, over as many steps as it took. */
static void observe_sync(struct daemon *d)
{
	struct observe *o = &d->observe;
	bool iptables = d->view.backend == BACKEND_IPTABLES;

	if (!o->sync_at)
		return;
	o->last_sync_us = clock_us() - o->sync_at;
	o->sync_at = 0;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct metrics_family *m = metrics_of(&o->metrics, families[i]);
		double seconds = (double)o->last_sync_us / 1e6;

		if (!served(d, families[i]))
			continue;
		histogram_observe(&m->sync, seconds);
		if (iptables)
			histogram_observe(d->ready ? &m->sync_partial : &m->sync_full, seconds);
	}
	rules_synced(d);
}

/* Everything that was known is true: what waits is only what the kernel refuses. */
static void synced(struct daemon *d)
{
	struct timespec wall = wall_clock();
	struct observe *o = &d->observe;

	observe_sync(d);
	if (o->changed_at)
		histogram_observe(
			&o->metrics.event_to_kernel, (double)(clock_us() - o->changed_at) / 1e6);
	o->changed_at = 0;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (served(d, families[i])) {
			health_updated(&o->health, families[i], &wall);
			metrics_of(&o->metrics, families[i])->last_synced = unix_time();
		}
	observe_programming(d);
	if (!list_empty(&d->store.dirty))
		observe_change(d); /* what came meanwhile waits from now on */
	o->service_changes = d->store.service_changes;
	o->slice_changes = d->store.slice_changes;
	if (o->resolves == engine_stats(d->engine)->resolves)
		return;
	o->resolves = engine_stats(d->engine)->resolves;
	reconcile_health_checks(d);
}

void observe_step(struct daemon *d, uint64_t start_us, bool wrote)
{
	const struct engine_stats *stats = engine_stats(d->engine);

	if (stats->audits != d->observe.audits)
		histogram_observe(&d->observe.metrics.audit, (double)stats->audit_us / 1e6);
	d->observe.audits = stats->audits;
	if (wrote && !d->observe.sync_at)
		d->observe.sync_at = start_us;
	health_set_node(&d->observe.health, store_node(&d->store, d->config->options.node_name));
	rules_step(d);
	if (stats->synced)
		synced(d);
}

void observe_flows(struct daemon *d, int family, uint64_t start_us, unsigned deleted)
{
	struct metrics_family *f = metrics_of(&d->observe.metrics, family);

	histogram_observe(&f->conntrack, (double)(clock_us() - start_us) / 1e6);
	f->conntrack_deleted += deleted;
}
