// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/metrics.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "exposition.h"
#include "process.h"

/* Buckets */

static const double exponential_bounds[] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
	0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384 };

/* kube-proxy's, with the 0 that it has by accident */
static const double programming_bounds[] = { 0, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
	13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
	36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58,
	59, 60, 65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 115, 120, 150, 180, 210, 240, 270, 300 };

/* Most changes take less than a millisecond. */
static const double latency_bounds[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
	0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 };

/* client-go's */
static const double request_bounds[] = { 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60 };

static const double size_bounds[] = { 64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576,
	4194304, 16777216 };

static_assert(
	ARRAY_SIZE(programming_bounds) == HISTOGRAM_MAX_BUCKETS, "every bucket has its counter");

void histogram_observe(struct histogram *h, double value)
{
	size_t i = 0;

	while (i < h->n && value > h->bounds[i])
		i++;
	h->count[i]++;
	h->sum += value;
}

#define HISTOGRAM(buckets) ((struct histogram){ .bounds = (buckets), .n = ARRAY_SIZE(buckets) })

void metrics_init(struct metrics *m)
{
	*m = (struct metrics){
		.event_to_kernel = HISTOGRAM(latency_bounds),
		.audit = HISTOGRAM(latency_bounds),
	};
	for (size_t i = 0; i < ARRAY_SIZE(m->families); i++) {
		struct metrics_family *f = &m->families[i];

		f->sync = HISTOGRAM(exponential_bounds);
		f->sync_full = HISTOGRAM(exponential_bounds);
		f->sync_partial = HISTOGRAM(exponential_bounds);
		f->programming = HISTOGRAM(programming_bounds);
		f->conntrack = HISTOGRAM(exponential_bounds);
	}
	for (size_t i = 0; i < METRICS_METHODS; i++) {
		m->requests[i].duration = HISTOGRAM(request_bounds);
		m->requests[i].request_size = HISTOGRAM(size_bounds);
		m->requests[i].response_size = HISTOGRAM(size_bounds);
	}
}

static const char *const request_methods[METRICS_METHODS] = { "GET", "POST", "PATCH" };

struct metrics_requests *metrics_requests_of(struct metrics *m, const char *method)
{
	for (size_t i = 0; i < METRICS_METHODS; i++)
		if (!strcmp(request_methods[i], method))
			return &m->requests[i];
	abort();
}

/* kube-proxy's metrics: pkg/proxy/metrics/metrics.go */

enum family_metric_kind { FAMILY_HISTOGRAM, FAMILY_TIME, FAMILY_COUNTER, FAMILY_TABLES };

/* A metric that each IP family has. */
struct family_metric {
	const char *name, *help;
	enum family_metric_kind kind;
	size_t offset; /* in struct metrics_family */
	bool iptables; /* only in that mode */
};

#define FIELD(member) offsetof(struct metrics_family, member)

static const struct family_metric family_metrics[] = {
	{ "kubeproxy_sync_proxy_rules_duration_seconds",
		"[ALPHA] SyncProxyRules latency in seconds", FAMILY_HISTOGRAM, FIELD(sync), false },
	{ "kubeproxy_sync_full_proxy_rules_duration_seconds",
		"[ALPHA] SyncProxyRules latency in seconds for full resyncs", FAMILY_HISTOGRAM,
		FIELD(sync_full), true },
	{ "kubeproxy_sync_partial_proxy_rules_duration_seconds",
		"[ALPHA] SyncProxyRules latency in seconds for partial resyncs", FAMILY_HISTOGRAM,
		FIELD(sync_partial), true },
	{ "kubeproxy_network_programming_duration_seconds",
		"[ALPHA] In Cluster Network Programming Latency in seconds", FAMILY_HISTOGRAM,
		FIELD(programming), false },
	{ "kubeproxy_conntrack_reconciler_sync_duration_seconds",
		"[ALPHA] ReconcileConntrackFlowsLatency latency in seconds", FAMILY_HISTOGRAM,
		FIELD(conntrack), false },
	{ "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
		"[ALPHA] The last time a sync of proxy rules was queued", FAMILY_TIME,
		FIELD(last_queued), false },
	{ "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
		"[ALPHA] The last time proxy rules were successfully synced", FAMILY_TIME,
		FIELD(last_synced), false },
	{ "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
		"[ALPHA] Cumulative proxy iptables restore failures", FAMILY_COUNTER,
		FIELD(restore_failures), false },
	{ "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
		"[ALPHA] Cumulative proxy iptables partial restore failures", FAMILY_COUNTER,
		FIELD(partial_restore_failures), true },
	{ "kubeproxy_conntrack_reconciler_deleted_entries_total",
		"[ALPHA] Cumulative conntrack flows deleted by conntrack reconciler",
		FAMILY_COUNTER, FIELD(conntrack_deleted), false },
	{ "kubeproxy_sync_proxy_rules_iptables_total",
		"[ALPHA] Total number of iptables rules owned by kube-proxy", FAMILY_TABLES,
		FIELD(iptables_rules), true },
	{ "kubeproxy_sync_proxy_rules_iptables_last",
		"[ALPHA] Number of iptables rules written by kube-proxy in last sync",
		FAMILY_TABLES, FIELD(iptables_last), true },
};

static const char *const family_names[] = { "IPv4", "IPv6" };

static void expose_family_metric(
	struct exposition *e, const struct metrics_input *in, const struct family_metric *m)
{
	static const enum exposition_type types[] = {
		[FAMILY_HISTOGRAM] = EXPOSITION_HISTOGRAM,
		[FAMILY_TIME] = EXPOSITION_GAUGE,
		[FAMILY_COUNTER] = EXPOSITION_COUNTER,
		[FAMILY_TABLES] = EXPOSITION_GAUGE,
	};

	exposition_begin(e, m->name, types[m->kind], m->help);
	for (size_t f = 0; f < ARRAY_SIZE(family_names); f++) {
		const void *field = (const char *)&in->metrics->families[f] + m->offset;
		const struct metrics_tables *tables = field;
		const char *family = family_names[f];

		if (!(f ? in->ipv6 : in->ipv4))
			continue;
		switch (m->kind) {
		case FAMILY_HISTOGRAM:
			exposition_histogram(e, field, "ip_family=\"%s\"", family);
			break;
		case FAMILY_TIME:
			/* An event that never happened has no sample: dashboards subtract the
			 * time from now, and 0 would look like decades of delay. */
			if (*(const double *)field > 0)
				exposition_real(
					e, *(const double *)field, "ip_family=\"%s\"", family);
			break;
		case FAMILY_COUNTER:
			exposition_count(e, *(const uint64_t *)field, "ip_family=\"%s\"", family);
			break;
		case FAMILY_TABLES:
			exposition_count(
				e, tables->filter, "ip_family=\"%s\",table=\"filter\"", family);
			exposition_count(e, tables->nat, "ip_family=\"%s\",table=\"nat\"", family);
			break;
		}
	}
}

static void expose_kube_proxy(struct exposition *e, const struct metrics_input *in)
{
	static const struct {
		const char *name, *help;
	} probes[] = {
		[HEALTH_HEALTHZ] = { "kubeproxy_proxy_healthz_total",
			"[ALPHA] Cumulative proxy healthz HTTP status" },
		[HEALTH_LIVEZ] = { "kubeproxy_proxy_livez_total",
			"[ALPHA] Cumulative proxy livez HTTP status" },
	};
	const struct metrics *m = in->metrics;

	for (size_t i = 0; i < ARRAY_SIZE(family_metrics); i++)
		if (!family_metrics[i].iptables || in->iptables)
			expose_family_metric(e, in, &family_metrics[i]);

	exposition_begin(e, "kubeproxy_sync_proxy_rules_no_local_endpoints_total", EXPOSITION_GAUGE,
		"[ALPHA] Number of services with a Local traffic policy and no endpoints");
	for (size_t f = 0; f < ARRAY_SIZE(family_names); f++) {
		if (!(f ? in->ipv6 : in->ipv4))
			continue;
		exposition_count(e, m->families[f].no_local_external,
			"ip_family=\"%s\",traffic_policy=\"external\"", family_names[f]);
		exposition_count(e, m->families[f].no_local_internal,
			"ip_family=\"%s\",traffic_policy=\"internal\"", family_names[f]);
	}

	exposition_single(e, "kubeproxy_sync_proxy_rules_endpoint_changes_pending",
		EXPOSITION_GAUGE, "[ALPHA] Pending proxy rules Endpoint changes",
		m->endpoint_changes_pending);
	exposition_single(e, "kubeproxy_sync_proxy_rules_endpoint_changes_total",
		EXPOSITION_COUNTER, "[ALPHA] Cumulative proxy rules Endpoint changes",
		m->endpoint_changes);
	exposition_single(e, "kubeproxy_sync_proxy_rules_service_changes_pending", EXPOSITION_GAUGE,
		"[ALPHA] Pending proxy rules Service changes", m->service_changes_pending);
	exposition_single(e, "kubeproxy_sync_proxy_rules_service_changes_total", EXPOSITION_COUNTER,
		"[ALPHA] Cumulative proxy rules Service changes", m->service_changes);

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		exposition_begin(e, probes[i].name, EXPOSITION_COUNTER, probes[i].help);
		exposition_count(e, in->health->answers[i][0], "code=\"200\"");
		exposition_count(e, in->health->answers[i][1], "code=\"503\"");
	}
}

/* client-go's metrics: component-base/metrics/prometheus/restclient/metrics.go */
static void expose_client(struct exposition *e, const struct metrics_input *in)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} histograms[] = {
		{ "rest_client_request_duration_seconds",
			"[ALPHA] Request latency in seconds. Broken down by verb, and host.",
			offsetof(struct metrics_requests, duration) },
		{ "rest_client_request_size_bytes",
			"[ALPHA] Request size in bytes. Broken down by verb and host.",
			offsetof(struct metrics_requests, request_size) },
		{ "rest_client_response_size_bytes",
			"[ALPHA] Response size in bytes. Broken down by verb and host.",
			offsetof(struct metrics_requests, response_size) },
	};

	if (!in->api_host)
		return;

	/* As in client-go, a status that never came has no sample. */
	exposition_begin(e, "rest_client_requests_total", EXPOSITION_COUNTER,
		"[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.");
	for (size_t i = 0; i < METRICS_METHODS; i++) {
		const uint64_t *answers = in->metrics->requests[i].answers;

		if (answers[0])
			exposition_count(e, answers[0],
				"code=\"<error>\",host=\"%s\",method=\"%s\"", in->api_host,
				request_methods[i]);
		for (unsigned status = 1; status < METRICS_STATUSES; status++)
			if (answers[status])
				exposition_count(e, answers[status],
					"code=\"%u\",host=\"%s\",method=\"%s\"", status,
					in->api_host, request_methods[i]);
	}

	for (size_t k = 0; k < ARRAY_SIZE(histograms); k++) {
		exposition_begin(e, histograms[k].name, EXPOSITION_HISTOGRAM, histograms[k].help);
		for (size_t i = 0; i < METRICS_METHODS; i++) {
			const char *r = (const char *)&in->metrics->requests[i];

			exposition_histogram(e, (const void *)(r + histograms[k].offset),
				"host=\"%s\",verb=\"%s\"", in->api_host, request_methods[i]);
		}
	}
}

/* Our own */

static void expose_facts(struct exposition *e, const struct ledger *ledger)
{
	exposition_begin(e, "ipvsctl_facts", EXPOSITION_GAUGE,
		"Kernel objects: desired, observed, failing to be programmed, and foreign");
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		const struct ledger_counts *counts = ledger_counts_of(ledger, kind);
		const struct {
			const char *state;
			size_t n;
		} states[] = {
			{ "wanted", counts->wanted },
			{ "present", counts->present },
			{ "failing", counts->failing },
			{ "foreign", counts->foreign },
			{ "kept", counts->kept },
		};

		for (size_t i = 0; i < ARRAY_SIZE(states); i++)
			exposition_count(e, states[i].n, "kind=\"%s\",state=\"%s\"",
				fact_kind_name(kind), states[i].state);
	}
	exposition_single(e, "ipvsctl_foreign_virtual_servers", EXPOSITION_GAUGE,
		"Virtual servers that other programs made; they are never touched",
		ledger_counts_of(ledger, FACT_VS)->foreign);
}

static void expose_engine(struct exposition *e, struct engine *engine, size_t overrides)
{
	const struct engine_stats *stats = engine_stats(engine);

	exposition_begin(e, "ipvsctl_kernel_operations_total", EXPOSITION_COUNTER,
		"Successful changes of kernel objects, by kind of object");
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		for (enum op_type type = 0; type <= OP_DEL; type++)
			exposition_count(e, stats->ops[kind][type], "kind=\"%s\",op=\"%s\"",
				fact_kind_name(kind), op_type_name(type));
	exposition_single(e, "ipvsctl_kernel_failures_total", EXPOSITION_COUNTER,
		"Failed changes of kernel objects", stats->failures);
	exposition_single(e, "ipvsctl_kernel_batches_total", EXPOSITION_COUNTER,
		"Batches of changes sent to the kernel", stats->batches);
	exposition_single(e, "ipvsctl_resolves_total", EXPOSITION_COUNTER,
		"Resolves of a Service into its desired state", stats->resolves);
	exposition_single(e, "ipvsctl_drift_total", EXPOSITION_COUNTER,
		"Kernel objects that an audit found changed or removed by another program",
		stats->drift);
	exposition_single(e, "ipvsctl_audits_total", EXPOSITION_COUNTER,
		"Audits, which compare the observed with the desired state", stats->audits);
	exposition_single(e, "ipvsctl_audit_failures_total", EXPOSITION_COUNTER,
		"Audits that could not read the whole state of the kernel", stats->audit_failures);
	exposition_single(e, "ipvsctl_draining", EXPOSITION_GAUGE,
		"Real servers that drain: they keep their connections and get no new ones",
		stats->draining);
	exposition_single(e, "ipvsctl_overrides", EXPOSITION_GAUGE,
		"Endpoints whose weight an operator set by hand", overrides);
	exposition_single(e, "ipvsctl_services_without_endpoints", EXPOSITION_GAUGE,
		"Services that have no endpoint, on this node or elsewhere", stats->unserved);
	exposition_single(e, "ipvsctl_services_without_scheduler", EXPOSITION_GAUGE,
		"Services that have another scheduler, because the kernel lacks theirs",
		stats->degraded);
	exposition_begin(e, "ipvsctl_refused_frontends", EXPOSITION_GAUGE,
		"Addresses and ports that Services ask for and do not get, by reason");
	for (enum refusal r = REFUSAL_NONE + 1; r < REFUSALS; r++)
		exposition_count(e, stats->refused[r], "reason=\"%s\"", refusal_name(r));
	exposition_single(e, "ipvsctl_input_complete", EXPOSITION_GAUGE,
		"Whether all objects could be read since the start; if not, old state is kept",
		stats->fed && stats->complete);
	expose_facts(e, engine_ledger(engine));
}

static void expose_own(struct exposition *e, const struct metrics_input *in)
{
	expose_engine(e, in->engine, in->overrides);

	exposition_begin(e, "ipvsctl_event_to_kernel_seconds", EXPOSITION_HISTOGRAM,
		"Time from a change of a Service or its endpoints until the kernel is in sync");
	exposition_histogram(e, &in->metrics->event_to_kernel, NULL);
	exposition_begin(e, "ipvsctl_audit_duration_seconds", EXPOSITION_HISTOGRAM,
		"Duration of an audit in seconds");
	exposition_histogram(e, &in->metrics->audit, NULL);

	if (in->conntrack_entries >= 0)
		exposition_single(e, "ipvsctl_conntrack_entries", EXPOSITION_GAUGE,
			"Entries of the connection table of netfilter",
			(uint64_t)in->conntrack_entries);
	if (in->conntrack_max >= 0)
		exposition_single(e, "ipvsctl_conntrack_max_entries", EXPOSITION_GAUGE,
			"How many entries the connection table of netfilter takes",
			(uint64_t)in->conntrack_max);

	if (in->n_watches)
		exposition_begin(e, "ipvsctl_watch_healthy", EXPOSITION_GAUGE,
			"Whether the watch of a resource is up to date");
	for (size_t i = 0; i < in->n_watches; i++)
		exposition_count(
			e, in->watches[i].healthy, "resource=\"%s\"", in->watches[i].resource);

	exposition_begin(e, "ipvsctl_backend_info", EXPOSITION_GAUGE, "The backend in use");
	exposition_count(e, 1, "backend=\"%s\"", in->backend);
	exposition_begin(e, "ipvsctl_netfilter_info", EXPOSITION_GAUGE,
		"The interface for sets and rules in use");
	exposition_count(e, 1, "netfilter=\"%s\"", in->netfilter);
	exposition_single(e, "ipvsctl_backend_fallback", EXPOSITION_GAUGE,
		"Whether the backend is another one because IPVS cannot be used", in->fallback);
}

/* Metrics of every Kubernetes component and of every process */

#ifdef __clang__
#define COMPILER "clang"
#else
#define COMPILER "gcc"
#endif

static void expose_build(struct exposition *e)
{
	static const char digits[] = "0123456789";
	const char *dot = strchr(VERSION, '.'), *minor = dot ? dot + 1 : "";
	struct utsname machine;

	if (uname(&machine) < 0)
		machine.machine[0] = '\0';
	exposition_begin(e, "kubernetes_build_info", EXPOSITION_GAUGE,
		"[ALPHA] The version of ipvsctl-svcd, not of Kubernetes");
	exposition_count(e, 1,
		"build_date=\"\",compiler=\"" COMPILER "\",git_commit=\"\",git_tree_state=\"\","
		"git_version=\"v" VERSION
		"\",go_version=\"\",major=\"%.*s\",minor=\"%.*s\",platform=\"linux/%s\"",
		(int)strspn(VERSION, digits), VERSION, (int)strspn(minor, digits), minor,
		machine.machine);
}

static void expose_features(struct exposition *e, const struct metrics_input *in)
{
	exposition_begin(e, "kubernetes_feature_enabled", EXPOSITION_GAUGE,
		"[BETA] This metric records the data about the stage and enablement of a k8s "
		"feature.");
	for (size_t i = 0; i < in->n_features; i++)
		exposition_count(e, in->features[i].on, "name=\"%s\",stage=\"%s\"",
			in->features[i].name, in->features[i].stage);
}

static void expose_process(struct exposition *e)
{
	struct process p;

	if (process_read(&p) < 0)
		return;
	exposition_begin(e, "process_cpu_seconds_total", EXPOSITION_COUNTER,
		"Total user and system CPU time spent in seconds.");
	exposition_real(e, p.cpu_seconds, NULL);
	exposition_single(e, "process_max_fds", EXPOSITION_GAUGE,
		"Maximum number of open file descriptors.", p.max_fds);
	exposition_single(e, "process_open_fds", EXPOSITION_GAUGE,
		"Number of open file descriptors.", p.open_fds);
	exposition_single(e, "process_resident_memory_bytes", EXPOSITION_GAUGE,
		"Resident memory size in bytes.", p.resident);
	exposition_begin(e, "process_start_time_seconds", EXPOSITION_GAUGE,
		"Start time of the process since unix epoch in seconds.");
	exposition_real(e, p.start_time, NULL);
	exposition_single(e, "process_virtual_memory_bytes", EXPOSITION_GAUGE,
		"Virtual memory size in bytes.", p.virtual);
}

void metrics_render(const struct metrics_input *in, struct buf *ret)
{
	struct exposition e = { .out = ret };

	expose_kube_proxy(&e, in);
	expose_client(&e, in);
	expose_own(&e, in);
	expose_build(&e);
	expose_features(&e, in);
	expose_process(&e);
}
