// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * growth FILE [iptables]: does with a manifest what the daemon and the command line do with foreign
 * input, on a kernel in memory: reads, programs, resolves everything again, audits, reports with
 * connections, explains, plans, and deletes. tests/growth/run counts its instructions.
 */
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/health_checks.h"
#include "core/no_local.h"
#include "fake/kernel.h"
#include "fixture.h"
#include "kernel/iptables_text.h"
#include "kernel/rule_text.h"
#include "manifest/manifest.h"
#include "report/explain.h"
#include "report/plan.h"
#include "report/report.h"

static void settle(struct engine *e, uint64_t now)
{
	while (engine_step(e, now) <= now)
		;
}

static void report_all(const struct report_input *in)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct report *r = report_begin(in);

	while (report_next(r, in, &b))
		;
	report_free(r);
}

static int count_conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *arg, void *adapter)
{
	struct adapter *a = adapter;
	struct err err;

	return a->conns(a, vs, fn, arg, &err);
}

/* As after a change, and for /metrics. */
static void list_local(const struct store *store, const struct node_view *view)
{
	struct health_check_list checks = { 0 };

	health_checks_list(store, view, AF_INET, &checks);
	health_checks_done(&checks);
	no_local_count(store, view, AF_INET);
}

static void explain_one(const struct report_input *in, const char *what)
{
	struct explain_query q;
	struct err err;

	if (!explain_parse(what, NULL, &q, &err))
		json_decref(explain(in, &q));
}

static void plan_all(struct store *store, struct node_view *view, struct adapter *a)
{
	struct engine *e = engine_new(
		&(struct engine_config){ .store = store, .view = view, .dry_run = true });
	_cleanup_(buf_done) struct buf b = { 0 };
	struct plan p;

	engine_add_adapter(e, a);
	plan_make(&p, e, store, view, true);
	p.print_rule = iptables_print_rule;
	plan_text(&p, &b);
	json_decref(plan_json(&p));
	plan_done(&p);
	engine_free(e);
}

static void delete_all(struct store *s)
{
	map_for_each_entry(struct slot, slot, &s->slots, by_name) {
		const struct service *service = slot->service;

		if (service)
			store_delete_service(s, service->ns, service->name);
	}
	map_for_each_entry(struct slot_slice, it, &s->slices, by_key)
		store_delete_slice(s, it->slice->kind, it->slice->ns, it->slice->name);
}

int main(int argc, char **argv)
{
	const char *const paths[] = { argv[1] };
	const struct manifest_problem *const *problems;
	struct fixture_node node;
	struct fake_kernel kernel;
	struct manifests *m;
	struct report_input in;
	struct engine *e;
	struct store store;
	struct err err;

	if (argc < 2)
		return 2;
	fake_kernel_init(&kernel);
	store_init(&store);
	fixture_node_init(&node);
	node.view.ipv6 = false;
	node.view.backend = argc > 2 ? BACKEND_IPTABLES : BACKEND_IPVS;
	e = engine_new(&(struct engine_config){ .store = &store, .view = &node.view });
	engine_add_adapter(e, &kernel.adapter);
	if (manifests_new(
		    &(struct manifests_config){ .paths = paths, .n_paths = 1, .store = &store }, &m,
		    &err) < 0)
		return 1;
	manifests_load(m, &err);
	printf("%zu Services, %zu problems\n", store.n_services, manifests_problems(m, &problems));

	engine_fed(e);
	settle(e, 1000);
	engine_node_changed(e);
	engine_request_audit(e, FACT_ALL_KINDS);
	settle(e, 1000);
	in = (struct report_input){ .store = &store,
		.engine = e,
		.view = &node.view,
		.backend = "ipvs",
		.kernel = "",
		.input = "manifests",
		.now = 1000,
		.conns = count_conns,
		.conns_arg = &kernel.adapter,
		.print_chain = rule_text_print_chain,
		.print_rule = rule_text_print };
	report_all(&in);
	list_local(&store, &node.view);
	explain_one(&in, "10.96.0.1:80/TCP");
	explain_one(&in, "default/web");
	delete_all(&store);
	settle(e, 1000);
	engine_free(e);
	manifests_free(m);

	/* The plan needs the store for itself. */
	manifests_new(&(struct manifests_config){ .paths = paths, .n_paths = 1, .store = &store },
		&m, &err);
	manifests_load(m, &err);
	plan_all(&store, &node.view, &kernel.adapter);
	manifests_free(m);
	store_done(&store);
	fake_kernel_done(&kernel);
	return 0;
}
