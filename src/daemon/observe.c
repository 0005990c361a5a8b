// SPDX-License-Identifier: GPL-2.0-or-later
#include "observe.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "api/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/no_local.h"
#include "kernel/iptables.h"
#include "kernel/sysctl.h"

static const int observed_families[] = { AF_INET, AF_INET6 };

/* The families that this node serves. */
#define for_each_family(o, i)                                      \
	for (size_t i = 0; i < ARRAY_SIZE(observed_families); i++) \
		if (node_view_serves((o)->config.view, observed_families[i]))

static double unix_time(const struct timespec *ts)
{
	return (double)ts->tv_sec + (double)ts->tv_nsec / 1e9;
}

/* Metrics */

/* A chain that others changed has no rules here; it is about to be repaired. */
static void count_rules(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct observe *o = arg;
	struct metrics_tables *rules = &o->metrics.families[key->family == AF_INET6].iptables_rules;
	const struct rule_list *l =
		rule_pool_get(engine_rules(o->config.engine), state->have.chain.rules);

	if (!state->present || !l)
		return;
	if (key->set == TABLE_NAT)
		rules->nat += l->n;
	else if (key->set == TABLE_FILTER)
		rules->filter += l->n;
}

static void render_metrics(struct buf *ret, void *arg)
{
	struct observe *o = arg;
	const struct observe_config *c = &o->config;
	struct kube_watch watches[KUBE_WATCHES];
	struct metrics_watch metrics_watches[KUBE_WATCHES];
	struct config_gate gates[CONFIG_MAX_GATES];
	struct metrics_feature features[CONFIG_MAX_GATES];
	struct metrics_input in = {
		.metrics = &o->metrics,
		.health = &o->health,
		.engine = c->engine,
		.backend = backend_name(c->view->backend),
		.netfilter = netfilter_name(c->view->netfilter),
		.iptables = c->view->backend == BACKEND_IPTABLES,
		.fallback = c->fallback,
		.ipv4 = c->view->ipv4,
		.ipv6 = c->view->ipv6,
		.overrides = c->view->overrides.n,
		.watches = metrics_watches,
		.n_watches = c->kube ? KUBE_WATCHES : 0,
		.features = features,
		.n_features = config_gates(c->config, gates),
		.conntrack_entries = -1,
		.conntrack_max = -1,
	};

	sysctl_read("net/netfilter/nf_conntrack_count", &in.conntrack_entries);
	sysctl_read("net/netfilter/nf_conntrack_max", &in.conntrack_max);
	for (size_t i = 0; i < in.n_features; i++)
		features[i] =
			(struct metrics_feature){ gates[i].name, gates[i].stage, gates[i].on };

	if (c->kube) {
		kube_watches(c->kube, watches);
		for (size_t i = 0; i < KUBE_WATCHES; i++)
			metrics_watches[i] =
				(struct metrics_watch){ watches[i].resource, watches[i].healthy };
		in.api_host = http_client_host(kube_client(c->kube));
	}
	for (size_t i = 0; i < ARRAY_SIZE(observed_families); i++) {
		struct no_local n = no_local_count(c->store, c->view, observed_families[i]);
		struct metrics_family *f = &o->metrics.families[i];

		f->no_local_internal = n.internal;
		f->no_local_external = n.external;
		if (in.iptables)
			f->iptables_rules = (struct metrics_tables){
				.nat = iptables_counts(c->iptables, observed_families[i]).tree
			};
	}
	if (in.iptables)
		ledger_each(engine_ledger(c->engine), FACT_CHAIN, count_rules, o);
	o->metrics.service_changes = c->store->service_changes;
	o->metrics.service_changes_pending = c->store->service_changes - o->service_changes;
	o->metrics.endpoint_changes = c->store->slice_changes;
	o->metrics.endpoint_changes_pending = c->store->slice_changes - o->slice_changes;
	metrics_render(&in, ret);
}

static void on_answered(const char *method, unsigned status, void *arg)
{
	struct observe *o = arg;
	struct metrics_requests *r = metrics_requests_of(&o->metrics, method);

	if (status < ARRAY_SIZE(r->answers))
		r->answers[status]++;
}

static void on_request_end(const char *method, const struct http_traffic *t, void *arg)
{
	struct observe *o = arg;
	struct metrics_requests *r = metrics_requests_of(&o->metrics, method);

	histogram_observe(&r->duration, (double)t->ms / 1e3);
	histogram_observe(&r->request_size, (double)t->sent);
	if (t->status)
		histogram_observe(&r->response_size, (double)t->received);
}

/* Servers */

static json_t *render_configz(void *arg)
{
	const struct observe *o = arg;
	struct config effective = *o->config.config;

	effective.options.backend = o->config.view->backend;
	return config_tree(&effective);
}

static void on_bind_failure(const char *server, const struct err *err, void *arg)
{
	struct observe *o = arg;
	const bool metrics = !strcmp(server, "metrics");

	log_error("cannot listen, ending as --bind-address-hard-fail demands",
		"server=%s err=\"%s\"", server, err->msg);
	announce_node(o->config.announcer, true,
		metrics ? "FailedToStartMetricServer" : "FailedToStartProxierHealthcheck",
		"StartKubeProxy", "%s", err->msg);
	o->config.on_address_failure(o->config.arg);
}

static bool node_is_healthy(void *arg)
{
	const struct observe *o = arg;

	return health_ok(&o->health, clock_ms());
}

static void on_check_failure(const struct health_check *check, const struct err *err, void *arg)
{
	struct observe *o = arg;

	log_warn("cannot listen for the health checks of a Service, retrying",
		"service=%s/%s port=%u err=\"%s\"", check->ns, check->name, check->port, err->msg);
	announce_service(o->config.announcer, true, check->ns, check->name,
		"FailedToStartServiceHealthcheck", "Listen",
		"node %s failed to start healthcheck \"%s/%s\" on port %u: %s",
		o->config.view->options->node_name, check->ns, check->name, check->port, err->msg);
}

void observe_fed(struct observe *o)
{
	health_fed(&o->health);
}

void observe_init(struct observe *o, const struct observe_config *config)
{
	const struct config *c = config->config;
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	*o = (struct observe){ .config = *config };
	config->store->triggers_since = wall.tv_sec * (int64_t)1000000;
	health_init(&o->health, 2 * (uint64_t)c->sync_period, config->kube);
	metrics_init(&o->metrics);
	if (config->kube)
		http_client_observe(kube_client(config->kube),
			&(struct http_observer){
				.answered = on_answered, .ended = on_request_end, .arg = o });
	for_each_family(o, i)
	{
		health_updated(&o->health, observed_families[i], &wall);
		o->health_checks[i] = health_check_server_new(config->base,
			&(struct health_check_config){ .healthy = node_is_healthy,
				.on_failure = on_check_failure,
				.arg = o,
				.pool = config->pool });
	}
	if (engine_stats(config->engine)->fed)
		observe_fed(o);
	o->monitor = monitor_new(config->base,
		&(struct monitor_config){
			.address = { [MONITOR_HEALTHZ] = { c->healthz.ip, c->healthz.port },
				[MONITOR_METRICS] = { c->metrics.ip, c->metrics.port } },
			.health = &o->health,
			.mode = backend_name(config->view->backend),
			.metrics = render_metrics,
			.configz = render_configz,
			.on_failure = c->bind_address_hard_fail ? on_bind_failure : NULL,
			.arg = o,
			.pool = config->pool });
}

void observe_done(struct observe *o)
{
	monitor_free(take(o->monitor));
	for (size_t i = 0; i < ARRAY_SIZE(o->health_checks); i++)
		health_check_server_free(take(o->health_checks[i]));
	health_checks_done(&o->checks);
	address_list_done(&o->addresses);
}

/* What happens */

void observe_change(struct observe *o)
{
	struct timespec wall;

	if (!o->config.engine)
		return;
	clock_gettime(CLOCK_REALTIME, &wall);
	if (!o->changed_at)
		o->changed_at = clock_us();
	for_each_family(o, i)
	{
		health_queued(&o->health, observed_families[i], clock_ms());
		o->metrics.families[i].last_queued = unix_time(&wall);
	}
}

/* From the first operation until the node was in sync again, over as many steps as it took. */
static void observe_sync(struct observe *o)
{
	const bool iptables = o->config.view->backend == BACKEND_IPTABLES;

	if (!o->sync_at)
		return;
	o->last_sync_us = clock_us() - o->sync_at;
	o->sync_at = 0;
	for_each_family(o, i)
	{
		struct metrics_family *m = &o->metrics.families[i];
		double seconds = (double)o->last_sync_us / 1e6;

		histogram_observe(&m->sync, seconds);
		if (iptables)
			histogram_observe(
				o->synced_once ? &m->sync_partial : &m->sync_full, seconds);
	}
	/* Rules are counted as kube-proxy counts them: those in our chains, not the jumps. */
	for (size_t i = 0; i < ARRAY_SIZE(observed_families); i++) {
		const struct iptables_counts now =
			iptables_counts(o->config.iptables, observed_families[i]);
		struct metrics_tables *before = &o->rules_written[i];
		struct metrics_tables *last = &o->metrics.families[i].iptables_last;

		last->nat = now.written[TABLE_NAT] - before->nat;
		last->filter = now.written[TABLE_FILTER] - before->filter;
		before->nat = now.written[TABLE_NAT];
		before->filter = now.written[TABLE_FILTER];
	}
}

/* Only what the kernel refuses waits now. */
static void observe_synced(struct observe *o)
{
	const struct observe_config *c = &o->config;
	const uint64_t resolves = engine_stats(c->engine)->resolves;
	struct timespec wall;
	bool node_fails;

	clock_gettime(CLOCK_REALTIME, &wall);
	observe_sync(o);
	o->synced_once = true;
	if (o->changed_at)
		histogram_observe(
			&o->metrics.event_to_kernel, (double)(clock_us() - o->changed_at) / 1e6);
	o->changed_at = 0;
	/* A set or rule that all Services need and that the kernel refuses is a change that waits. */
	node_fails = engine_node_fails(c->engine);
	for_each_family(o, i)
	{
		if (node_fails)
			health_queued(&o->health, observed_families[i], clock_ms());
		else
			health_updated(&o->health, observed_families[i], &wall);
		o->metrics.families[i].last_synced = unix_time(&wall);
	}
	/* From the change of an endpoint, as its slice's annotation has it, until now. */
	for (size_t i = 0; i < c->store->n_triggers; i++) {
		const struct trigger *t = &c->store->triggers[i];

		histogram_observe(&o->metrics.families[t->family == AF_INET6].programming,
			unix_time(&wall) - (double)t->time / 1e6);
	}
	c->store->n_triggers = 0;
	if (!list_empty(&c->store->dirty))
		observe_change(o); /* what came meanwhile waits from now on */
	o->service_changes = c->store->service_changes;
	o->slice_changes = c->store->slice_changes;
	if (o->resolves == resolves)
		return;
	o->resolves = resolves;
	for_each_family(o, i)
	{
		health_checks_list(c->store, c->view, observed_families[i], &o->checks);
		health_checks_addresses(c->view, observed_families[i], &o->addresses);
		health_check_server_reconcile(o->health_checks[i], o->addresses.ips, o->addresses.n,
			o->checks.checks, o->checks.n);
	}
}

void observe_step(struct observe *o, uint64_t start_us, bool wrote)
{
	const struct observe_config *c = &o->config;
	const struct engine_stats *stats;

	if (!c->engine)
		return;
	stats = engine_stats(c->engine);
	if (stats->audits != o->audits)
		histogram_observe(&o->metrics.audit, (double)stats->audit_us / 1e6);
	o->audits = stats->audits;
	if (wrote && !o->sync_at)
		o->sync_at = start_us;
	health_set_node(&o->health, store_node(c->store, c->view->options->node_name));
	for (size_t i = 0; i < ARRAY_SIZE(observed_families); i++) {
		struct metrics_family *m = &o->metrics.families[i];
		uint64_t failures = iptables_counts(c->iptables, observed_families[i]).failures;

		if (o->synced_once)
			m->partial_restore_failures += failures - m->restore_failures;
		m->restore_failures = failures;
	}
	if (stats->synced)
		observe_synced(o);
}

void observe_flows(struct observe *o, int family, uint64_t start_us, unsigned deleted)
{
	struct metrics_family *f = &o->metrics.families[family == AF_INET6];

	if (!o->config.engine)
		return;
	histogram_observe(&f->conntrack, (double)(clock_us() - start_us) / 1e6);
	f->conntrack_deleted += deleted;
}
