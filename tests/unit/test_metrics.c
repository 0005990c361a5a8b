// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/metrics.h"
#include "world.h"

/*
 * A strict reader of the text format: each metric has HELP and then TYPE once and stands in one
 * block, no sample comes twice, counters end in _total, buckets are cumulative and in order, the
 * last one is +Inf and equals the count.
 */

struct sample {
	const char *name, *labels; /* labels with their braces, "" without */
	double value;
};

struct page {
	char *text;
	struct sample *samples;
	size_t n, cap;
	const char **names; /* of metrics, each one once */
	size_t n_names, cap_names;
	const char *last, *type; /* the last of them and its type */
};

static void page_done(struct page *p)
{
	free(p->text);
	free(p->samples);
	free(p->names);
}

static bool is_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

/* "{a="b",c="d"}": names, and values without anything that needs escaping. */
static void check_labels(const char *s)
{
	const char *p = s + 1;

	if (!*s)
		return;
	assert_int_equal(*s, '{');
	while (true) {
		size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");

		if (!n || strncmp(p + n, "=\"", 2) != 0)
			fail_msg("bad labels: %s", s);
		p += n + 2;
		p += strcspn(p, "\"\\\n");
		if (*p != '"')
			fail_msg("bad labels: %s", s);
		p++;
		if (*p != ',')
			break;
		p++;
	}
	assert_string_equal(p, "}");
}

static void read_comment(struct page *p, char *line)
{
	char *name = line + strlen("# HELP "), *rest = strchr(name, ' ');

	if (!rest || !rest[1]) {
		fail_msg("nothing behind the name: %s", line);
		return;
	}
	*rest++ = '\0';
	assert_true(is_name(name));
	if (!strncmp(line, "# HELP ", 7)) {
		for (size_t i = 0; i < p->n_names; i++)
			assert_string_not_equal(p->names[i], name);
		mem_grow(p->names, p->n_names, p->cap_names);
		p->names[p->n_names++] = name;
		p->last = name;
		p->type = NULL;
		return;
	}
	assert_int_equal(strncmp(line, "# TYPE ", 7), 0);
	assert_null(p->type);
	assert_string_equal(p->last, name);
	assert_true(
		!strcmp(rest, "counter") || !strcmp(rest, "gauge") || !strcmp(rest, "histogram"));
	p->type = rest;
}

static bool is_histogram_sample(const char *metric, const char *name)
{
	size_t n = strlen(metric);

	return !strncmp(metric, name, n) &&
		(!strcmp(name + n, "_bucket") || !strcmp(name + n, "_sum") ||
			!strcmp(name + n, "_count"));
}

static void check_name(const struct page *p, const char *name)
{
	const char *total = strstr(name, "_total");

	if (!p->type) {
		fail_msg("%s has no TYPE", name);
		return;
	}
	if (!strcmp(p->type, "histogram") ? !is_histogram_sample(p->last, name)
					  : strcmp(p->last, name) != 0)
		fail_msg("%s stands under %s", name, p->last);
	if (!strcmp(p->type, "counter"))
		assert_true(total && !total[strlen("_total")]);
}

static void read_sample(struct page *p, char *line)
{
	char *value = strrchr(line, ' '), *labels, *end;
	struct sample s;

	if (!value) {
		fail_msg("no value: %s", line);
		return;
	}
	*value++ = '\0';
	s.value = strtod(value, &end);
	assert_true(*value && !*end);
	labels = strchr(line, '{');
	s.labels = mem_strdup(labels ? labels : "");
	if (labels)
		*labels = '\0';
	s.name = line;
	assert_true(is_name(s.name));
	check_name(p, s.name);
	check_labels(s.labels);
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->samples[i].name, s.name) && !strcmp(p->samples[i].labels, s.labels))
			fail_msg("%s%s comes twice", s.name, s.labels);
	mem_grow(p->samples, p->n, p->cap);
	p->samples[p->n++] = s;
}

static double bound_of(const struct sample *s)
{
	const char *le = strstr(s->labels, "le=\"");

	assert_non_null(le);
	return strtod(le + 4, NULL);
}

/* The samples of one histogram with one set of labels: buckets, sum, count. Returns the next. */
static size_t check_histogram(const struct page *p, size_t i)
{
	double bound = -INFINITY, n = 0;

	for (; strstr(p->samples[i].name, "_bucket"); i++) {
		assert_true(bound_of(&p->samples[i]) > bound);
		assert_true(p->samples[i].value >= n);
		bound = bound_of(&p->samples[i]);
		n = p->samples[i].value;
	}
	assert_true(isinf(bound));
	assert_non_null(strstr(p->samples[i].name, "_sum"));
	assert_non_null(strstr(p->samples[i + 1].name, "_count"));
	assert_true(p->samples[i + 1].value == n);
	return i + 2;
}

static void page_read(struct page *p, const char *text)
{
	char *save = NULL;

	*p = (struct page){ .text = mem_strdup(text), .last = "" };
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_null(strstr(text, "\n\n"));
	for (char *l = strtok_r(p->text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (*l == '#')
			read_comment(p, l);
		else
			read_sample(p, l);
	for (size_t i = 0; i < p->n;)
		i = strstr(p->samples[i].name, "_bucket") ? check_histogram(p, i) : i + 1;
}

static void page_free(struct page *p)
{
	for (size_t i = 0; i < p->n; i++)
		free((char *)p->samples[i].labels);
	page_done(p);
}

static bool has(const struct page *p, const char *name)
{
	for (size_t i = 0; i < p->n_names; i++)
		if (!strcmp(p->names[i], name))
			return true;
	return false;
}

static double value(const struct page *p, const char *name, const char *labels)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->samples[i].name, name) && !strcmp(p->samples[i].labels, labels))
			return p->samples[i].value;
	fail_msg("no %s%s", name, labels);
	return 0;
}

/* What is to be rendered */

struct fixture {
	struct world *world;
	struct metrics metrics;
	struct health health;
	struct metrics_input in;
	struct page page;
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	world_setup((void **)&f->world);
	metrics_init(&f->metrics);
	health_init(&f->health, 1000, false);
	f->in = (struct metrics_input){
		.metrics = &f->metrics,
		.health = &f->health,
		.engine = f->world->engine,
		.backend = "ipvs",
		.netfilter = "nftables",
		.ipv4 = true,
		.ipv6 = true,
		.conntrack_entries = 7,
		.conntrack_max = 262144,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	page_free(&f->page);
	world_teardown((void **)&f->world);
	free(f);
	return 0;
}

static const struct page *render(struct fixture *f)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	page_free(&f->page);
	metrics_render(&f->in, &b);
	page_read(&f->page, buf_str(&b));
	return &f->page;
}

static void what_is_rendered_is_well_formed(void **state)
{
	struct fixture *f = *state;

	render(f);
	f->in.iptables = true;
	render(f);
}

static void kube_proxys_metrics_are_there(void **state)
{
	static const char *const names[] = { "kubeproxy_sync_proxy_rules_duration_seconds",
		"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
		"kubeproxy_sync_proxy_rules_last_timestamp_seconds",
		"kubeproxy_sync_proxy_rules_endpoint_changes_pending",
		"kubeproxy_sync_proxy_rules_endpoint_changes_total",
		"kubeproxy_sync_proxy_rules_service_changes_pending",
		"kubeproxy_sync_proxy_rules_service_changes_total",
		"kubeproxy_network_programming_duration_seconds",
		"kubeproxy_sync_proxy_rules_no_local_endpoints_total",
		"kubeproxy_proxy_healthz_total", "kubeproxy_proxy_livez_total",
		"kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
		"kubeproxy_conntrack_reconciler_sync_duration_seconds",
		"kubeproxy_conntrack_reconciler_deleted_entries_total", "kubernetes_build_info",
		"kubernetes_feature_enabled", "process_cpu_seconds_total", "process_max_fds",
		"process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds",
		"process_virtual_memory_bytes" };
	static const char *const of_iptables[] = {
		"kubeproxy_sync_full_proxy_rules_duration_seconds",
		"kubeproxy_sync_partial_proxy_rules_duration_seconds",
		"kubeproxy_sync_proxy_rules_iptables_total",
		"kubeproxy_sync_proxy_rules_iptables_last",
		"kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
	};
	struct fixture *f = *state;
	const struct page *p = render(f);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(has(p, names[i]));
	for (size_t i = 0; i < ARRAY_SIZE(of_iptables); i++)
		assert_false(has(p, of_iptables[i]));
	f->in.iptables = true;
	p = render(f);
	for (size_t i = 0; i < ARRAY_SIZE(of_iptables); i++)
		assert_true(has(p, of_iptables[i]));
}

static void help_is_kube_proxys_too(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf b = { 0 };

	metrics_render(&f->in, &b);
	assert_non_null(strstr(buf_str(&b),
		"# HELP kubeproxy_sync_proxy_rules_duration_seconds [ALPHA] SyncProxyRules latency in "
		"seconds\n# TYPE kubeproxy_sync_proxy_rules_duration_seconds histogram\n"
		"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0.001\"} "
		"0\n"));
	render(f);
}

static void syncs_fall_into_kube_proxys_buckets(void **state)
{
	static const char name[] = "kubeproxy_sync_proxy_rules_duration_seconds_bucket";
	struct fixture *f = *state;
	struct metrics_family *m = &f->metrics.families[1];
	const struct page *p;

	histogram_observe(&m->sync, 0.001); /* a bound belongs to its bucket */
	histogram_observe(&m->sync, 0.0011);
	histogram_observe(&m->sync, 16.384);
	histogram_observe(&m->sync, 100);
	p = render(f);
	assert_true(value(p, name, "{ip_family=\"IPv6\",le=\"0.001\"}") == 1);
	assert_true(value(p, name, "{ip_family=\"IPv6\",le=\"0.002\"}") == 2);
	assert_true(value(p, name, "{ip_family=\"IPv6\",le=\"8.192\"}") == 2);
	assert_true(value(p, name, "{ip_family=\"IPv6\",le=\"16.384\"}") == 3);
	assert_true(value(p, name, "{ip_family=\"IPv6\",le=\"+Inf\"}") == 4);
	assert_true(value(p, name, "{ip_family=\"IPv4\",le=\"+Inf\"}") == 0);
	assert_true(value(p, "kubeproxy_sync_proxy_rules_duration_seconds_sum",
			    "{ip_family=\"IPv6\"}") == 0.001 + 0.0011 + 16.384 + 100);
}

/* Linear by 0.25, by 1, by 5 and by 30, and the 0 that stands there by accident. */
static void programming_has_kube_proxys_buckets(void **state)
{
	struct fixture *f = *state;
	const struct histogram *h = &f->metrics.families[0].programming;
	size_t i = 0;

	assert_true(h->bounds[i++] == 0);
	assert_true(h->bounds[i++] == 0.25);
	assert_true(h->bounds[i++] == 0.5);
	for (int s = 1; s < 60; s++)
		assert_true(h->bounds[i++] == s);
	for (int s = 60; s < 120; s += 5)
		assert_true(h->bounds[i++] == s);
	for (int s = 120; s <= 300; s += 30)
		assert_true(h->bounds[i++] == s);
	assert_int_equal(i, h->n);
	/* Clocks of two machines differ. */
	histogram_observe(&f->metrics.families[0].programming, -0.5);
	assert_int_equal(h->count[0], 1);
	render(f);
}

static void what_was_fed_is_told(void **state)
{
	struct fixture *f = *state;
	struct metrics_family *m = &f->metrics.families[0];
	const struct page *p;

	f->metrics.service_changes = 5;
	f->metrics.service_changes_pending = 2;
	f->metrics.endpoint_changes = 1ull << 60;
	f->metrics.endpoint_changes_pending = 1;
	m->last_queued = 1767323045.123456;
	m->last_synced = 1767323046.25;
	m->restore_failures = 3;
	m->conntrack_deleted = 4;
	m->no_local_internal = 6;
	m->no_local_external = 7;
	m->iptables_rules = (struct metrics_tables){ .nat = 10, .filter = 20 };
	m->iptables_last = (struct metrics_tables){ .nat = 1, .filter = 2 };
	f->health.answers[HEALTH_HEALTHZ][1] = 8;
	f->health.answers[HEALTH_LIVEZ][0] = 9;
	f->in.iptables = true;
	p = render(f);
#define VALUE(name, labels) value(p, "kubeproxy_" name, labels)
	assert_true(VALUE("sync_proxy_rules_service_changes_total", "") == 5);
	assert_true(VALUE("sync_proxy_rules_service_changes_pending", "") == 2);
	assert_true(VALUE("sync_proxy_rules_endpoint_changes_total", "") == 1ull << 60);
	assert_true(VALUE("sync_proxy_rules_endpoint_changes_pending", "") == 1);
	assert_true(VALUE("sync_proxy_rules_last_queued_timestamp_seconds",
			    "{ip_family=\"IPv4\"}") == 1767323045.123456);
	assert_true(VALUE("sync_proxy_rules_last_timestamp_seconds", "{ip_family=\"IPv4\"}") ==
		1767323046.25);
	assert_true(VALUE("sync_proxy_rules_iptables_restore_failures_total",
			    "{ip_family=\"IPv4\"}") == 3);
	assert_true(
		VALUE("conntrack_reconciler_deleted_entries_total", "{ip_family=\"IPv4\"}") == 4);
	assert_true(VALUE("sync_proxy_rules_no_local_endpoints_total",
			    "{ip_family=\"IPv4\",traffic_policy=\"internal\"}") == 6);
	assert_true(VALUE("sync_proxy_rules_no_local_endpoints_total",
			    "{ip_family=\"IPv4\",traffic_policy=\"external\"}") == 7);
	assert_true(VALUE("sync_proxy_rules_iptables_total",
			    "{ip_family=\"IPv4\",table=\"nat\"}") == 10);
	assert_true(VALUE("sync_proxy_rules_iptables_last",
			    "{ip_family=\"IPv4\",table=\"filter\"}") == 2);
	assert_true(VALUE("proxy_healthz_total", "{code=\"503\"}") == 8);
	assert_true(VALUE("proxy_livez_total", "{code=\"200\"}") == 9);
#undef VALUE
}

static void what_never_happened_has_no_time(void **state)
{
	const struct page *p = render(*state);

	assert_true(has(p, "kubeproxy_sync_proxy_rules_last_timestamp_seconds"));
	for (size_t i = 0; i < p->n; i++)
		assert_null(strstr(p->samples[i].name, "_timestamp_seconds"));
}

static void a_family_that_is_not_served_has_no_samples(void **state)
{
	struct fixture *f = *state;
	const struct page *p;

	f->in.iptables = true;
	f->in.ipv6 = false;
	p = render(f);
	for (size_t i = 0; i < p->n; i++)
		assert_null(strstr(p->samples[i].labels, "IPv6"));
	f->in.ipv6 = true;
	f->in.ipv4 = false;
	p = render(f);
	for (size_t i = 0; i < p->n; i++)
		assert_null(strstr(p->samples[i].labels, "IPv4"));
}

static void our_own_tell_of_the_kernel(void **state)
{
	struct fixture *f = *state;
	const struct page *p;

	world_start(f->world,
		"service a/web ip=10.96.0.1 port=p80:80/TCP\n"
		"slice a/web-1 port=p80:8080/TCP ep=10.1.0.1 ep=10.1.0.2");
	p = render(f);
	assert_true(value(p, "ipvsctl_kernel_operations_total", "{kind=\"rs\",op=\"add\"}") == 2);
	assert_true(
		value(p, "ipvsctl_kernel_operations_total", "{kind=\"vs\",op=\"delete\"}") == 0);
	assert_true(value(p, "ipvsctl_facts", "{kind=\"rs\",state=\"wanted\"}") == 2);
	assert_true(value(p, "ipvsctl_facts", "{kind=\"vs\",state=\"present\"}") == 1);
	assert_true(value(p, "ipvsctl_facts", "{kind=\"vs\",state=\"failing\"}") == 0);
	assert_true(value(p, "ipvsctl_foreign_virtual_servers", "") == 0);
	assert_true(value(p, "ipvsctl_audits_total", "") == 1);
	assert_true(value(p, "ipvsctl_draining", "") == 0);
	assert_true(value(p, "ipvsctl_services_without_endpoints", "") == 0);
	assert_true(value(p, "ipvsctl_services_without_scheduler", "") == 0);
	assert_true(value(p, "ipvsctl_conntrack_entries", "") == 7);
	assert_true(value(p, "ipvsctl_conntrack_max_entries", "") == 262144);
	assert_true(value(p, "ipvsctl_backend_info", "{backend=\"ipvs\"}") == 1);
	assert_true(value(p, "ipvsctl_netfilter_info", "{netfilter=\"nftables\"}") == 1);
	assert_true(value(p, "ipvsctl_backend_fallback", "") == 0);
	assert_false(has(p, "ipvsctl_watch_healthy"));
}

static void services_that_nobody_serves_are_counted(void **state)
{
	struct fixture *f = *state;

	world_start(f->world,
		"service a/web ip=10.96.0.1 port=p80:80/TCP\n"
		"slice a/web-1 port=p80:8080/TCP ep=10.1.0.1\n"
		"service a/none ip=10.96.0.2 port=p80:80/TCP");
	assert_true(value(render(f), "ipvsctl_services_without_endpoints", "") == 1);
	world_load(f->world, "slice a/web-1 port=p80:8080/TCP");
	assert_true(value(render(f), "ipvsctl_services_without_endpoints", "") == 2);
	world_load(f->world, "slice a/none-1 port=p80:8080/TCP ep=10.1.0.2");
	assert_true(value(render(f), "ipvsctl_services_without_endpoints", "") == 1);
	store_delete_service(&f->world->store, "a", "web");
	world_step(f->world);
	assert_true(value(render(f), "ipvsctl_services_without_endpoints", "") == 0);
}

/* Without netfilter's connection table there is nothing to tell. */
static void an_unknown_table_has_no_samples(void **state)
{
	struct fixture *f = *state;
	const struct page *p;

	f->in.conntrack_entries = f->in.conntrack_max = -1;
	p = render(f);
	assert_false(has(p, "ipvsctl_conntrack_entries"));
	assert_false(has(p, "ipvsctl_conntrack_max_entries"));
}

static void an_incomplete_input_is_told(void **state)
{
	struct fixture *f = *state;
	const struct page *p;

	world_start(f->world, "service a/web ip=10.96.0.1 port=p80:80/TCP");
	assert_true(value(render(f), "ipvsctl_input_complete", "") == 1);
	world_restart(f->world);
	f->in.engine = f->world->engine;
	engine_set_input_complete(f->world->engine, false);
	world_start(f->world, "");
	p = render(f);
	assert_true(value(p, "ipvsctl_input_complete", "") == 0);
	assert_true(value(p, "ipvsctl_facts", "{kind=\"vs\",state=\"kept\"}") == 1);
}

static void a_fallback_is_told(void **state)
{
	struct fixture *f = *state;
	const struct page *p;

	f->in.backend = "iptables";
	f->in.fallback = true;
	p = render(f);
	assert_true(value(p, "ipvsctl_backend_info", "{backend=\"iptables\"}") == 1);
	assert_true(value(p, "ipvsctl_backend_fallback", "") == 1);
}

static void sources_are_told_by_resource(void **state)
{
	static const struct metrics_watch watches[] = { { "services", true },
		{ "endpointslices", false } };
	struct fixture *f = *state;
	const struct page *p;

	f->in.watches = watches;
	f->in.n_watches = ARRAY_SIZE(watches);
	p = render(f);
	assert_true(value(p, "ipvsctl_watch_healthy", "{resource=\"services\"}") == 1);
	assert_true(value(p, "ipvsctl_watch_healthy", "{resource=\"endpointslices\"}") == 0);
}

static void requests_are_told_as_client_go_tells_them(void **state)
{
	static const char durations[] = "rest_client_request_duration_seconds_bucket";
	struct fixture *f = *state;
	struct metrics_requests *get = metrics_requests_of(&f->metrics, "GET");
	const struct page *p;

	get->answers[0] = 2;
	get->answers[200] = 3;
	metrics_requests_of(&f->metrics, "PATCH")->answers[409] = 4;
	histogram_observe(&get->duration, 0.005);
	histogram_observe(&get->duration, 0.006);
	histogram_observe(&get->duration, 61);
	histogram_observe(&get->request_size, 0);
	histogram_observe(&get->response_size, 1 << 20);
	assert_false(has(render(f), "rest_client_requests_total"));
	f->in.api_host = "10.0.0.1:6443";
	p = render(f);
#define REQUESTS(code, method)                 \
	value(p, "rest_client_requests_total", \
		"{code=\"" code "\",host=\"10.0.0.1:6443\",method=\"" method "\"}")
#define DURATIONS(le) value(p, durations, "{host=\"10.0.0.1:6443\",verb=\"GET\",le=\"" le "\"}")
	assert_true(REQUESTS("<error>", "GET") == 2);
	assert_true(REQUESTS("200", "GET") == 3);
	assert_true(REQUESTS("409", "PATCH") == 4);
	assert_true(DURATIONS("0.005") == 1);
	assert_true(DURATIONS("0.025") == 2);
	assert_true(DURATIONS("60") == 2);
	assert_true(DURATIONS("+Inf") == 3);
#define SIZES(what, le)                                    \
	value(p, "rest_client_" what "_size_bytes_bucket", \
		"{host=\"10.0.0.1:6443\",verb=\"GET\",le=\"" le "\"}")
	assert_true(SIZES("request", "64") == 1);
	assert_true(SIZES("response", "262144") == 0);
	assert_true(SIZES("response", "1.048576e+06") == 1);
	assert_true(SIZES("response", "1.6777216e+07") == 1);
#undef SIZES
#undef DURATIONS
#undef REQUESTS
}

static void feature_gates_are_told(void **state)
{
	static const struct metrics_feature features[] = { { "AllowServiceExternalIPs", "", false },
		{ "WatchListClient", "BETA", true } };
	struct fixture *f = *state;
	const struct page *p;

	f->in.features = features;
	f->in.n_features = ARRAY_SIZE(features);
	p = render(f);
	assert_true(value(p, "kubernetes_feature_enabled",
			    "{name=\"AllowServiceExternalIPs\",stage=\"\"}") == 0);
	assert_true(value(p, "kubernetes_feature_enabled",
			    "{name=\"WatchListClient\",stage=\"BETA\"}") == 1);
}

static void the_process_is_this_one(void **state)
{
	const struct page *p = render(*state);

	assert_true(value(p, "process_open_fds", "") >= 3);
	assert_true(value(p, "process_max_fds", "") >= value(p, "process_open_fds", ""));
	assert_true(value(p, "process_resident_memory_bytes", "") > 1 << 20);
	assert_true(value(p, "process_virtual_memory_bytes", "") >
		value(p, "process_resident_memory_bytes", ""));
	assert_true(value(p, "process_start_time_seconds", "") > 1600000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(what_is_rendered_is_well_formed),
		TEST(kube_proxys_metrics_are_there),
		TEST(help_is_kube_proxys_too),
		TEST(syncs_fall_into_kube_proxys_buckets),
		TEST(programming_has_kube_proxys_buckets),
		TEST(what_was_fed_is_told),
		TEST(what_never_happened_has_no_time),
		TEST(a_family_that_is_not_served_has_no_samples),
		TEST(our_own_tell_of_the_kernel),
		TEST(services_that_nobody_serves_are_counted),
		TEST(an_unknown_table_has_no_samples),
		TEST(an_incomplete_input_is_told),
		TEST(a_fallback_is_told),
		TEST(sources_are_told_by_resource),
		TEST(requests_are_told_as_client_go_tells_them),
		TEST(feature_gates_are_told),
		TEST(the_process_is_this_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
