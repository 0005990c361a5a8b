// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_large [SERVICES ENDPOINTS]
 *
 * What a large cluster costs the daemon and "plan", on a kernel in memory: CPU time as a whole, and the
 * longest turn, in which nothing else runs. Prints a table in Markdown. Without arguments: 10,000
 * and 50,000 Services of 10 endpoints, 1 Service with 50,000 endpoints, and 1 Service with 2,000
 * ports.
 */
#include <err.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "allocated.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/engine.h"
#include "core/health_checks.h"
#include "core/no_local.h"
#include "kernel/iptables_text.h"
#include "report/plan.h"
#include "report/report.h"
#include "server/health.h"
#include "server/metrics.h"

enum { SLICE_ENDPOINTS_MAX = 100 };

/* A kernel that is content with everything and tells of the real servers that it was given. */

struct bench_server {
	struct map_node by_vs;
	struct fact_key key;
	uint32_t weight;
};

struct bench_kernel {
	struct adapter adapter;
	struct map servers;
	size_t n_ops;
};

static uint32_t vs_hash(const struct fact_key *vs)
{
	return map_hash(vs, sizeof(*vs));
}

static void bench_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct bench_kernel *k = container_of(a, struct bench_kernel, adapter);

	k->n_ops += n;
	for (size_t i = 0; i < n; i++) {
		struct bench_server *s;
		struct fact_key vs;

		ops[i].result = 0;
		if (ops[i].type != OP_ADD || ops[i].fact.key.kind != FACT_RS)
			continue;
		fact_parent(&ops[i].fact.key, &vs);
		s = new0(struct bench_server);
		s->key = ops[i].fact.key;
		s->weight = (uint32_t)ops[i].fact.val.rs.weight;
		map_add(&k->servers, &s->by_vs, vs_hash(&vs));
	}
}

static int bench_dump(
	struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	(void)a;
	(void)kind;
	(void)fn;
	(void)arg;
	(void)err;
	return 0;
}

/* Those that it was given are known to be there, and there are no others. */
static int bench_dump_real_servers(
	struct adapter *a, const struct fact_key *vs, dump_fn fn, void *arg, struct err *err)
{
	(void)a;
	(void)vs;
	(void)fn;
	(void)arg;
	(void)err;
	return 0;
}

static int bench_conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *arg, void *conns_arg)
{
	const struct bench_kernel *k = conns_arg;

	map_for_each_match_entry(struct bench_server, s, &k->servers, vs_hash(vs), by_vs) {
		const struct rs_conns c = { .key = s->key, .weight = s->weight };
		struct fact_key parent;

		if (fact_parent(&s->key, &parent) && fact_key_eq(&parent, vs))
			fn(&c, arg);
	}
	return 0;
}

/* The model */

static struct ip address(unsigned net, unsigned i)
{
	const uint8_t bytes[16] = { (uint8_t)net, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
		(uint8_t)i };

	return ip_make(AF_INET, bytes);
}

static const char *arena_name(struct arena *a, const char *prefix, unsigned i)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%u", prefix, i);
	return arena_strdup(a, name);
}

static void put_service(struct store *store, unsigned i, unsigned n_ports)
{
	struct service *s = service_new();
	struct service_port *ports = arena_alloc(&s->arena, n_ports, sizeof(*ports));

	s->ns = arena_strdup(&s->arena, "default");
	s->name = arena_name(&s->arena, "web", i);
	s->cluster_ips[0] = address(9, i + 1);
	s->n_cluster_ips = 1;
	for (unsigned k = 0; k < n_ports; k++)
		ports[k] = (struct service_port){ .name = arena_name(&s->arena, "p", k),
			.proto = IPPROTO_TCP,
			.port = (uint16_t)(k + 80) };
	s->ports = ports;
	s->n_ports = n_ports;
	store_put_service(store, s);
}

static void put_slice(struct store *store, unsigned service, unsigned number, unsigned n,
	unsigned n_ports, unsigned n_ready)
{
	static const struct endpoint_place place = { .node_name = "node-2" };
	struct slice *s = slice_new();
	struct subset *subset = arena_alloc(&s->arena, 1, sizeof(*subset));
	struct endpoint *eps = arena_alloc(&s->arena, n, sizeof(*eps));
	struct endpoint_port *ports = arena_alloc(&s->arena, n_ports, sizeof(*ports));
	char name[48];

	snprintf(name, sizeof(name), "web%u-%06u", service, number);
	s->ns = arena_strdup(&s->arena, "default");
	s->name = arena_strdup(&s->arena, name);
	s->service = arena_name(&s->arena, "web", service);
	for (unsigned k = 0; k < n; k++) {
		const bool ready = k < n_ready;

		eps[k] = (struct endpoint){
			.ip = address(12, number * SLICE_ENDPOINTS_MAX + k + service * 10 + 1),
			.ready = ready,
			.serving = ready,
			.place = &place,
		};
	}
	for (unsigned k = 0; k < n_ports; k++)
		ports[k] = (struct endpoint_port){
			.name = arena_name(&s->arena, "p", k), .proto = IPPROTO_TCP, .port = 8080
		};
	*subset = (struct subset){ eps, n, ports, n_ports };
	s->subsets = subset;
	s->n_subsets = 1;
	store_put_slice(store, s);
}

struct cluster {
	unsigned services, endpoints, ports;
};

static void put_cluster(struct store *store, const struct cluster *c)
{
	for (unsigned i = 0; i < c->services; i++) {
		put_service(store, i, c->ports);
		for (unsigned from = 0, k = 0; from < c->endpoints;
			from += SLICE_ENDPOINTS_MAX, k++) {
			unsigned n = c->endpoints - from;

			n = n < SLICE_ENDPOINTS_MAX ? n : SLICE_ENDPOINTS_MAX;
			put_slice(store, i, k, n, c->ports, n);
		}
	}
}

/* Measures */

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double allocated(void)
{
	return (double)allocated_bytes() / 1e6;
}

/* The most that this process ever had, in MB. */
static double peak(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	double kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmHWM:", 6))
			kb = atof(line + 6);
	if (f)
		fclose(f);
	return kb * 1024 / 1e6;
}

struct turns {
	double start, total, longest;
	size_t n;
};

static void turn_begin(struct turns *t)
{
	t->start = cpu_ms();
}

static void turn_end(struct turns *t)
{
	const double ms = cpu_ms() - t->start;

	t->total += ms;
	t->longest = ms > t->longest ? ms : t->longest;
	t->n++;
}

static void row(const char *what, const struct turns *t, const char *more)
{
	printf("| %s | %.2f ms | %zu | %.2f ms | %s |\n", what, t->total, t->n, t->longest, more);
	fflush(stdout);
}

struct bench {
	struct bench_kernel kernel;
	struct store store;
	struct options options;
	struct node_view view;
	struct engine *engine;
};

static void bench_init(struct bench *b)
{
	static struct ip node;

	*b = (struct bench){ .kernel.adapter = { .name = "none",
				     .kinds = (1u << FACT_KINDS) - 1,
				     .apply = bench_apply,
				     .dump = bench_dump,
				     .dump_real_servers = bench_dump_real_servers } };
	store_init(&b->store);
	options_init(&b->options);
	node = address(192, 1);
	strcpy(b->options.node_name, "node-1");
	node_view_init(&b->view, &b->options);
	b->view.ipv6 = false;
	b->view.node_ip[0] = node;
	b->view.local = &node;
	b->view.n_local = 1;
	b->view.store = &b->store;
}

/* As the daemon does when it is in sync again. */
static void list_health_checks(const struct bench *b)
{
	struct health_check_list checks = { 0 };

	health_checks_list(&b->store, &b->view, AF_INET, &checks);
	health_checks_done(&checks);
}

static void settle(struct bench *b, const char *what)
{
	const size_t before = b->kernel.n_ops;
	struct turns t = { 0 };
	uint64_t next;
	char more[64];

	do {
		turn_begin(&t);
		next = engine_step(b->engine, 1);
		if (next > 1)
			list_health_checks(b);
		turn_end(&t);
	} while (next <= 1);
	snprintf(more, sizeof(more), "%zu operations, %.1f MB in use", b->kernel.n_ops - before,
		allocated());
	row(what, &t, more);
}

static void bench_status(struct bench *b, bool endpoints)
{
	const struct report_input in = { .store = &b->store,
		.engine = b->engine,
		.view = &b->view,
		.backend = "ipvs",
		.kernel = "",
		.input = "apiserver",
		.now = 1,
		.conns = bench_conns,
		.conns_arg = &b->kernel,
		.no_endpoints = !endpoints };
	struct turns t = { 0 };
	struct buf piece = { 0 };
	size_t bytes = 0, most = 0;
	struct report *r;
	char more[96];
	bool again;

	turn_begin(&t);
	r = report_begin(&in);
	turn_end(&t);
	do {
		turn_begin(&t);
		buf_reset(&piece);
		again = report_next(r, &in, &piece);
		turn_end(&t);
		bytes += piece.len;
		most = piece.len > most ? piece.len : most;
	} while (again);
	report_free(r);
	buf_done(&piece);
	snprintf(more, sizeof(more), "%.1f MB, the largest piece %.1f KB", (double)bytes / 1e6,
		(double)most / 1e3);
	row(endpoints ? "/v1/status" : "/v1/status?endpoints=false", &t, more);
}

static void bench_metrics(struct bench *b)
{
	struct turns t = { 0 };
	struct buf out = { 0 };
	struct metrics metrics;
	struct health health = { 0 };
	char more[64];

	metrics_init(&metrics);
	turn_begin(&t);
	no_local_count(&b->store, &b->view, AF_INET);
	metrics_render(&(struct metrics_input){ .metrics = &metrics,
			       .health = &health,
			       .engine = b->engine,
			       .backend = "ipvs",
			       .netfilter = "iptables",
			       .ipv4 = true },
		&out);
	turn_end(&t);
	snprintf(more, sizeof(more), "%.1f KB", (double)out.len / 1e3);
	row("/metrics", &t, more);
	buf_done(&out);
}

static void bench_daemon(const struct cluster *c)
{
	struct bench b;
	struct turns t = { 0 };

	bench_init(&b);
	turn_begin(&t);
	put_cluster(&b.store, c);
	turn_end(&t);
	b.engine = engine_new(&(struct engine_config){ .store = &b.store, .view = &b.view });
	engine_add_adapter(b.engine, &b.kernel.adapter);
	engine_fed(b.engine);
	settle(&b, "start: all resolved and applied");
	put_slice(&b.store, c->services / 2, 0,
		c->endpoints < SLICE_ENDPOINTS_MAX ? c->endpoints : SLICE_ENDPOINTS_MAX, c->ports,
		(c->endpoints < SLICE_ENDPOINTS_MAX ? c->endpoints : SLICE_ENDPOINTS_MAX) - 1);
	settle(&b, "one endpoint leaves");
	engine_node_changed(b.engine);
	settle(&b, "all resolved again, nothing new");
	bench_status(&b, true);
	bench_status(&b, false);
	bench_metrics(&b);
	exit(0);
}

static void bench_plan(const struct cluster *c)
{
	struct bench b;
	struct turns t = { 0 };
	struct buf out = { 0 };
	struct plan p;
	char more[96];
	double model;

	bench_init(&b);
	put_cluster(&b.store, c);
	model = peak();
	b.engine = engine_new(
		&(struct engine_config){ .store = &b.store, .view = &b.view, .dry_run = true });
	turn_begin(&t);
	plan_make(&p, b.engine, &b.store, &b.view, false);
	p.print_rule = iptables_print_rule;
	turn_end(&t);
	row("plan: resolving", &t, "");
	t = (struct turns){ 0 };
	turn_begin(&t);
	plan_text(&p, &out);
	turn_end(&t);
	snprintf(more, sizeof(more), "%.1f MB, at most %.1f MB in use, the model alone %.1f MB",
		(double)out.len / 1e6, peak(), model);
	row("plan: printing", &t, more);
	exit(0);
}

static void in_a_process(void (*fn)(const struct cluster *c), const struct cluster *c)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		fn(c);
	if (waitpid(pid, &status, 0) < 0 || status)
		errx(1, "a measurement failed");
}

int main(int argc, char **argv)
{
	static const struct cluster all[] = { { 10000, 10, 1 }, { 50000, 10, 1 }, { 1, 50000, 1 },
		{ 1, 25000, 1 }, { 1, 10, 2000 }, { 1, 10, 4000 } };
	struct cluster one = { 0, 0, 1 };

	if (argc == 3 || argc == 4) {
		one.services = (unsigned)atoi(argv[1]);
		one.endpoints = (unsigned)atoi(argv[2]);
		one.ports = argc == 4 ? (unsigned)atoi(argv[3]) : 1;
	} else if (argc != 1) {
		errx(2, "usage: bench_large [SERVICES ENDPOINTS [PORTS]]");
	}
	for (size_t i = 0; i < (one.services ? 1 : ARRAY_SIZE(all)); i++) {
		const struct cluster *c = one.services ? &one : &all[i];

		printf("\n| %u Service%s, %u endpoints and %u port%s each | CPU | turns | longest | |\n"
		       "| --- | --- | --- | --- | --- |\n",
			c->services, c->services == 1 ? "" : "s", c->endpoints, c->ports,
			c->ports == 1 ? "" : "s");
		fflush(stdout);
		in_a_process(bench_daemon, c);
		in_a_process(bench_plan, c);
	}
	return 0;
}
