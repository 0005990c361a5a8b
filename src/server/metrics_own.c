// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "base/mem.h"
#include "exposition.h"
#include "metrics_parts.h"

static void add_operations(const struct engine_stats *stats, struct buf *b)
{
	static const char name[] = "ipvsctl_kernel_operations_total";

	exposition_begin(b, name, EXPOSITION_COUNTER,
		"Changes of the kernel's state that succeeded, by kind of object");
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		for (enum op_type type = 0; type <= OP_DEL; type++) {
			char labels[64];

			snprintf(labels, sizeof(labels), "kind=\"%s\",op=\"%s\"",
				fact_kind_name(kind), op_type_name(type));
			exposition_count(b, name, labels, stats->ops[kind][type]);
		}
}

static void add_fact_counts(struct buf *b, enum fact_kind kind, const struct ledger_counts *counts)
{
	const struct {
		const char *state;
		size_t n;
	} samples[] = {
		{ "wanted", counts->wanted },
		{ "present", counts->present },
		{ "failing", counts->failing },
		{ "foreign", counts->foreign },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char labels[64];

		snprintf(labels, sizeof(labels), "kind=\"%s\",state=\"%s\"", fact_kind_name(kind),
			samples[i].state);
		exposition_count(b, "ipvsctl_facts", labels, samples[i].n);
	}
}

static void add_facts(const struct ledger *ledger, struct buf *b)
{
	exposition_begin(b, "ipvsctl_facts", EXPOSITION_GAUGE,
		"Objects of the kernel: wanted, present, failing to become so, and made by others");
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++)
		add_fact_counts(b, kind, ledger_counts_of(ledger, kind));
	exposition_single(b, "ipvsctl_foreign_virtual_servers", EXPOSITION_GAUGE,
		"Virtual servers that others made, which are never touched",
		ledger_counts_of(ledger, FACT_VS)->foreign);
}

static void add_engine(struct engine *e, struct buf *b)
{
	const struct engine_stats *stats = engine_stats(e);

	add_operations(stats, b);
	exposition_single(b, "ipvsctl_kernel_failures_total", EXPOSITION_COUNTER,
		"Changes of the kernel's state that failed", stats->failures);
	exposition_single(b, "ipvsctl_kernel_batches_total", EXPOSITION_COUNTER,
		"Groups in which changes of the kernel's state were made", stats->batches);
	exposition_single(b, "ipvsctl_resolves_total", EXPOSITION_COUNTER,
		"Services that were worked out again", stats->resolves);
	exposition_single(b, "ipvsctl_drift_total", EXPOSITION_COUNTER,
		"Objects that an audit found changed or removed by somebody else", stats->drift);
	exposition_single(b, "ipvsctl_audits_total", EXPOSITION_COUNTER,
		"Times that the kernel's state, or some kinds of it, was read and compared",
		stats->audits);
	exposition_single(b, "ipvsctl_audit_failures_total", EXPOSITION_COUNTER,
		"Audits that could not read the kernel's whole state", stats->audit_failures);
	exposition_single(b, "ipvsctl_draining", EXPOSITION_GAUGE,
		"Real servers that only keep the connections that they have",
		drain_count(engine_drain(e)));
	add_facts(engine_ledger(e), b);
}

static void add_watches(const struct metrics_input *in, struct buf *b)
{
	static const char name[] = "ipvsctl_watch_healthy";

	if (!in->n_watches)
		return;
	exposition_begin(b, name, EXPOSITION_GAUGE, "Whether a source is followed without a gap");
	for (size_t i = 0; i < in->n_watches; i++) {
		char labels[64];

		snprintf(labels, sizeof(labels), "resource=\"%s\"", in->watches[i].resource);
		exposition_count(b, name, labels, in->watches[i].healthy);
	}
}

void metrics_render_own(const struct metrics_input *in, struct buf *b)
{
	char labels[64];

	add_engine(in->engine, b);
	exposition_begin(b, "ipvsctl_event_to_kernel_seconds", EXPOSITION_HISTOGRAM,
		"From a change of a Service or its endpoints until the kernel has it, in seconds");
	exposition_histogram(
		b, "ipvsctl_event_to_kernel_seconds", "", &in->metrics->event_to_kernel);
	exposition_begin(b, "ipvsctl_audit_duration_seconds", EXPOSITION_HISTOGRAM,
		"How long an audit took, in seconds");
	exposition_histogram(b, "ipvsctl_audit_duration_seconds", "", &in->metrics->audit);
	add_watches(in, b);
	exposition_begin(b, "ipvsctl_backend_info", EXPOSITION_GAUGE, "What is programmed");
	snprintf(labels, sizeof(labels), "backend=\"%s\"", in->backend);
	exposition_count(b, "ipvsctl_backend_info", labels, 1);
	exposition_begin(b, "ipvsctl_backend_fallback", EXPOSITION_GAUGE,
		"Whether iptables is programmed because IPVS cannot be used");
	exposition_count(b, "ipvsctl_backend_fallback", "", in->fallback);
}
