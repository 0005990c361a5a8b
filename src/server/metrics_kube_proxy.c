// SPDX-License-Identifier: GPL-2.0-or-later
/* kube-proxy's metrics: pkg/proxy/metrics/metrics.go. */
#include <stddef.h>
#include <stdio.h>

#include "base/mem.h"
#include "exposition.h"
#include "metrics_parts.h"

static bool served(const struct metrics_input *in, size_t family)
{
	return family ? in->ipv6 : in->ipv4;
}

static const char *const family_label[] = { "ip_family=\"IPv4\"", "ip_family=\"IPv6\"" };

/* A metric that each family has. */
struct per_family {
	const char *name, *help;
	size_t offset; /* in struct metrics_family */
	bool iptables; /* in that mode only */
};

static const void *field(const struct metrics_input *in, size_t family, const struct per_family *p)
{
	return (const char *)&in->metrics->families[family] + p->offset;
}

#define FIELD(member) offsetof(struct metrics_family, member)

static const struct per_family histograms[] = {
	{ "kubeproxy_sync_proxy_rules_duration_seconds",
		"[ALPHA] SyncProxyRules latency in seconds", FIELD(sync), false },
	{ "kubeproxy_sync_full_proxy_rules_duration_seconds",
		"[ALPHA] SyncProxyRules latency in seconds for full resyncs", FIELD(sync_full),
		true },
	{ "kubeproxy_sync_partial_proxy_rules_duration_seconds",
		"[ALPHA] SyncProxyRules latency in seconds for partial resyncs",
		FIELD(sync_partial), true },
	{ "kubeproxy_network_programming_duration_seconds",
		"[ALPHA] In Cluster Network Programming Latency in seconds", FIELD(programming),
		false },
	{ "kubeproxy_conntrack_reconciler_sync_duration_seconds",
		"[ALPHA] ReconcileConntrackFlowsLatency latency in seconds", FIELD(conntrack),
		false },
};

static const struct per_family times[] = {
	{ "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
		"[ALPHA] The last time a sync of proxy rules was queued", FIELD(last_queued),
		false },
	{ "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
		"[ALPHA] The last time proxy rules were successfully synced", FIELD(last_synced),
		false },
};

static const struct per_family counters[] = {
	{ "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
		"[ALPHA] Cumulative proxy iptables restore failures", FIELD(restore_failures),
		false },
	{ "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
		"[ALPHA] Cumulative proxy iptables partial restore failures",
		FIELD(partial_restore_failures), true },
	{ "kubeproxy_conntrack_reconciler_deleted_entries_total",
		"[ALPHA] Cumulative conntrack flows deleted by conntrack reconciler",
		FIELD(conntrack_deleted), false },
};

static const struct per_family tables[] = {
	{ "kubeproxy_sync_proxy_rules_iptables_total",
		"[ALPHA] Total number of iptables rules owned by kube-proxy", FIELD(iptables_rules),
		true },
	{ "kubeproxy_sync_proxy_rules_iptables_last",
		"[ALPHA] Number of iptables rules written by kube-proxy in last sync",
		FIELD(iptables_last), true },
};

static void add_histograms(
	const struct metrics_input *in, const struct per_family *p, struct buf *b)
{
	exposition_begin(b, p->name, EXPOSITION_HISTOGRAM, p->help);
	for (size_t f = 0; f < 2; f++)
		if (served(in, f))
			exposition_histogram(b, p->name, family_label[f], field(in, f, p));
}

/* What never happened has no sample: the time 0 would look like decades of delay. */
static void add_times(const struct metrics_input *in, const struct per_family *p, struct buf *b)
{
	exposition_begin(b, p->name, EXPOSITION_GAUGE, p->help);
	for (size_t f = 0; f < 2; f++) {
		double time = *(const double *)field(in, f, p);

		if (served(in, f) && time > 0)
			exposition_real(b, p->name, family_label[f], time);
	}
}

static void add_counters(const struct metrics_input *in, const struct per_family *p, struct buf *b)
{
	exposition_begin(b, p->name, EXPOSITION_COUNTER, p->help);
	for (size_t f = 0; f < 2; f++)
		if (served(in, f))
			exposition_count(
				b, p->name, family_label[f], *(const uint64_t *)field(in, f, p));
}

static void add_tables(const struct metrics_input *in, const struct per_family *p, struct buf *b)
{
	exposition_begin(b, p->name, EXPOSITION_GAUGE, p->help);
	for (size_t f = 0; f < 2; f++) {
		const struct metrics_tables *t = field(in, f, p);
		char labels[64];

		if (!served(in, f))
			continue;
		snprintf(labels, sizeof(labels), "%s,table=\"filter\"", family_label[f]);
		exposition_count(b, p->name, labels, t->filter);
		snprintf(labels, sizeof(labels), "%s,table=\"nat\"", family_label[f]);
		exposition_count(b, p->name, labels, t->nat);
	}
}

static void add_all(const struct metrics_input *in, const struct per_family *p, size_t n,
	void (*add)(const struct metrics_input *in, const struct per_family *p, struct buf *b),
	struct buf *b)
{
	for (size_t i = 0; i < n; i++)
		if (!p[i].iptables || in->iptables)
			add(in, &p[i], b);
}

static void add_no_local(const struct metrics_input *in, struct buf *b)
{
	static const char name[] = "kubeproxy_sync_proxy_rules_no_local_endpoints_total";

	exposition_begin(b, name, EXPOSITION_GAUGE,
		"[ALPHA] Number of services with a Local traffic policy and no endpoints");
	for (size_t f = 0; f < 2; f++) {
		const struct metrics_family *m = &in->metrics->families[f];
		char labels[64];

		if (!served(in, f))
			continue;
		snprintf(labels, sizeof(labels), "%s,traffic_policy=\"external\"", family_label[f]);
		exposition_count(b, name, labels, m->no_local_external);
		snprintf(labels, sizeof(labels), "%s,traffic_policy=\"internal\"", family_label[f]);
		exposition_count(b, name, labels, m->no_local_internal);
	}
}

static void add_changes(const struct metrics *m, struct buf *b)
{
	exposition_single(b, "kubeproxy_sync_proxy_rules_endpoint_changes_pending",
		EXPOSITION_GAUGE, "[ALPHA] Pending proxy rules Endpoint changes",
		m->endpoint_changes_pending);
	exposition_single(b, "kubeproxy_sync_proxy_rules_endpoint_changes_total",
		EXPOSITION_COUNTER, "[ALPHA] Cumulative proxy rules Endpoint changes",
		m->endpoint_changes);
	exposition_single(b, "kubeproxy_sync_proxy_rules_service_changes_pending", EXPOSITION_GAUGE,
		"[ALPHA] Pending proxy rules Service changes", m->service_changes_pending);
	exposition_single(b, "kubeproxy_sync_proxy_rules_service_changes_total", EXPOSITION_COUNTER,
		"[ALPHA] Cumulative proxy rules Service changes", m->service_changes);
}

static void add_probes(const struct health *h, struct buf *b)
{
	static const struct {
		const char *name, *help;
	} probes[] = {
		[HEALTH_HEALTHZ] = { "kubeproxy_proxy_healthz_total",
			"[ALPHA] Cumulative proxy healthz HTTP status" },
		[HEALTH_LIVEZ] = { "kubeproxy_proxy_livez_total",
			"[ALPHA] Cumulative proxy livez HTTP status" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		exposition_begin(b, probes[i].name, EXPOSITION_COUNTER, probes[i].help);
		exposition_count(b, probes[i].name, "code=\"200\"", h->answers[i][0]);
		exposition_count(b, probes[i].name, "code=\"503\"", h->answers[i][1]);
	}
}

void metrics_render_kube_proxy(const struct metrics_input *in, struct buf *b)
{
	add_all(in, histograms, ARRAY_SIZE(histograms), add_histograms, b);
	add_all(in, times, ARRAY_SIZE(times), add_times, b);
	add_all(in, counters, ARRAY_SIZE(counters), add_counters, b);
	add_all(in, tables, ARRAY_SIZE(tables), add_tables, b);
	add_no_local(in, b);
	add_changes(in->metrics, b);
	add_probes(in->health, b);
}
