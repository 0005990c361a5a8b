// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/metrics.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "exposition.h"
#include "metrics_parts.h"
#include "process.h"

/* Buckets */

static const double exponential[] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256,
	0.512, 1.024, 2.048, 4.096, 8.192, 16.384 };

/* kube-proxy's, with the 0 that it has by accident */
static const double programming[] = { 0, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,
	38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60,
	65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 115, 120, 150, 180, 210, 240, 270, 300 };

/* Most changes take less than a millisecond. */
static const double latency[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
	0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 };

/* client-go's */
static const double requests[] = { 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60 };

static_assert(ARRAY_SIZE(programming) == HISTOGRAM_MAX_BUCKETS, "all buckets have a place");

void histogram_observe(struct histogram *h, double value)
{
	size_t i = 0;

	while (i < h->n && value > h->bounds[i])
		i++;
	h->count[i]++;
	h->sum += value;
}

static void histogram_init(struct histogram *h, const double *bounds, size_t n)
{
	*h = (struct histogram){ .bounds = bounds, .n = n };
}

void metrics_init(struct metrics *m)
{
	*m = (struct metrics){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(m->families); i++) {
		struct metrics_family *f = &m->families[i];

		histogram_init(&f->sync, exponential, ARRAY_SIZE(exponential));
		histogram_init(&f->sync_full, exponential, ARRAY_SIZE(exponential));
		histogram_init(&f->sync_partial, exponential, ARRAY_SIZE(exponential));
		histogram_init(&f->programming, programming, ARRAY_SIZE(programming));
		histogram_init(&f->conntrack, exponential, ARRAY_SIZE(exponential));
	}
	histogram_init(&m->event_to_kernel, latency, ARRAY_SIZE(latency));
	histogram_init(&m->audit, latency, ARRAY_SIZE(latency));
	for (size_t i = 0; i < METRICS_METHODS; i++)
		histogram_init(&m->requests[i].duration, requests, ARRAY_SIZE(requests));
}

struct metrics_family *metrics_of(struct metrics *m, int family)
{
	return &m->families[family == AF_INET6];
}

/* What every Kubernetes component and every process has */

/* The number at the front of VERSION, or behind its first dot. */
static void add_version_part(struct buf *b, const char *name, const char *digits)
{
	buf_addf(b, "%s=\"%.*s\",", name, (int)strspn(digits, "0123456789"), digits);
}

#ifdef __clang__
#define COMPILER "clang"
#else
#define COMPILER "gcc"
#endif

static void add_build_info(struct buf *b)
{
	_cleanup_(buf_done) struct buf labels = { 0 };
	const char *dot = strchr(VERSION, '.');
	struct utsname machine;

	if (uname(&machine) < 0)
		machine.machine[0] = '\0';
	buf_adds(&labels,
		"build_date=\"\",compiler=\"" COMPILER "\",git_commit=\"\","
		"git_tree_state=\"\",git_version=\"v" VERSION "\",go_version=\"\",");
	add_version_part(&labels, "major", VERSION);
	add_version_part(&labels, "minor", dot ? dot + 1 : "");
	buf_addf(&labels, "platform=\"linux/%s\"", machine.machine);
	exposition_begin(b, "kubernetes_build_info", EXPOSITION_GAUGE,
		"[ALPHA] The version that runs here, of ipvsctl-svcd and not of Kubernetes");
	exposition_count(b, "kubernetes_build_info", buf_str(&labels), 1);
}

static void add_process(struct buf *b)
{
	struct process p;

	if (process_read(&p) < 0)
		return;
	exposition_begin(b, "process_cpu_seconds_total", EXPOSITION_COUNTER,
		"Total user and system CPU time spent in seconds.");
	exposition_real(b, "process_cpu_seconds_total", "", p.cpu_seconds);
	exposition_single(b, "process_max_fds", EXPOSITION_GAUGE,
		"Maximum number of open file descriptors.", p.max_fds);
	exposition_single(b, "process_open_fds", EXPOSITION_GAUGE,
		"Number of open file descriptors.", p.open_fds);
	exposition_single(b, "process_resident_memory_bytes", EXPOSITION_GAUGE,
		"Resident memory size in bytes.", p.resident);
	exposition_begin(b, "process_start_time_seconds", EXPOSITION_GAUGE,
		"Start time of the process since unix epoch in seconds.");
	exposition_real(b, "process_start_time_seconds", "", p.start_time);
	exposition_single(b, "process_virtual_memory_bytes", EXPOSITION_GAUGE,
		"Virtual memory size in bytes.", p.virtual);
}

void metrics_render(const struct metrics_input *in, struct buf *ret)
{
	metrics_render_kube_proxy(in, ret);
	metrics_render_client(in, ret);
	metrics_render_own(in, ret);
	add_build_info(ret);
	add_process(ret);
}
