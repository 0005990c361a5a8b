// SPDX-License-Identifier: GPL-2.0-or-later
/* client-go's metrics: component-base/metrics/prometheus/restclient/metrics.go. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "exposition.h"
#include "metrics_parts.h"

static const char *const methods[METRICS_METHODS] = { "GET", "POST", "PATCH" };

struct metrics_requests *metrics_requests_of(struct metrics *m, const char *method)
{
	for (size_t i = 0; i < METRICS_METHODS; i++)
		if (!strcmp(methods[i], method))
			return &m->requests[i];
	abort();
}

static void add_answers(const struct metrics_input *in, size_t method, struct buf *b)
{
	const struct metrics_requests *requests = &in->metrics->requests[method];

	for (unsigned status = 0; status < ARRAY_SIZE(requests->answers); status++) {
		_cleanup_(buf_done) struct buf labels = { 0 };

		if (!requests->answers[status])
			continue; /* nor has it a sample there */
		if (status)
			buf_addf(&labels, "code=\"%u\"", status);
		else
			buf_adds(&labels, "code=\"<error>\"");
		buf_addf(&labels, ",host=\"%s\",method=\"%s\"", in->api_host, methods[method]);
		exposition_count(b, "rest_client_requests_total", buf_str(&labels),
			requests->answers[status]);
	}
}

static void add_duration(const struct metrics_input *in, size_t method, struct buf *b)
{
	const struct histogram *h = &in->metrics->requests[method].duration;
	_cleanup_(buf_done) struct buf labels = { 0 };

	buf_addf(&labels, "host=\"%s\",verb=\"%s\"", in->api_host, methods[method]);
	exposition_histogram(b, "rest_client_request_duration_seconds", buf_str(&labels), h);
}

void metrics_render_client(const struct metrics_input *in, struct buf *b)
{
	if (!in->api_host)
		return;
	exposition_begin(b, "rest_client_requests_total", EXPOSITION_COUNTER,
		"[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.");
	for (size_t i = 0; i < METRICS_METHODS; i++)
		add_answers(in, i, b);
	exposition_begin(b, "rest_client_request_duration_seconds", EXPOSITION_HISTOGRAM,
		"[ALPHA] Request latency in seconds. Broken down by verb, and host.");
	for (size_t i = 0; i < METRICS_METHODS; i++)
		add_duration(in, i, b);
}
