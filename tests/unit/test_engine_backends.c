// SPDX-License-Identifier: GPL-2.0-or-later
/* From one backend to the other: what answers stands before packets are led there, and goes after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/op_order.h"
#include "base/mem.h"
#include "rule_text.h"
#include "world.h"

#define SERVICES                                                                              \
	"service a/web ip=10.96.0.1 type=NodePort port=p80:80/TCP:30001\n"                    \
	"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1@test-node ep=10.244.2.1@other\n"       \
	"service a/local ip=10.96.0.2 type=LoadBalancer etp=Local lb=1.2.3.4 port=p80:80/TCP" \
	":30002\n"                                                                            \
	"slice a/local-1 port=p80:8080/TCP ep=10.244.1.1@test-node ep=10.244.2.1@other\n"     \
	"service a/none ip=10.96.0.3 port=p80:80/TCP\n"

static const char *const entrances[] = { "set chain IPv4 nat KUBE-SERVICES",
	"set chain IPv4 nat KUBE-NODE-PORT" };

static void change_backend(struct world *w, enum backend from, enum backend to)
{
	w->node.view.backend = from;
	world_start(w, SERVICES);
	world_restart(w);
	w->node.view.backend = to;
	world_start(w, SERVICES);
	assert_string_equal(world_told(w), "");
}

static void assert_around_entrances(struct world *w, const char *const *before, size_t n_before,
	const char *const *after, size_t n_after)
{
	for (size_t e = 0; e < ARRAY_SIZE(entrances); e++) {
		for (size_t i = 0; i < n_before; i++)
			world_expect_order(w, before[i], entrances[e]);
		for (size_t i = 0; i < n_after; i++)
			world_expect_order(w, entrances[e], after[i]);
	}
}

static void assert_kept(struct world *w)
{
	static const char *const kept[] = { "delete route", "add route", "delete set KUBE-CL",
		"delete member KUBE-CLUSTER-IP", "delete member KUBE-NODE-PORT-TCP",
		"delete member KUBE-IPVS-IPS", "delete jump IPv4 nat" };

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (strstr(world_log(w), kept[i]))
			fail_msg("%s in\n%s", kept[i], world_log(w));
}

static void ipvs_answers_before_it_gets_packets(void **state)
{
	static const char *const before[] = { "add vs", "add rs", "add member KUBE-LOCAL-MARK",
		"add chain IPv4 nat KUBE-LOAD-BALANCER" };
	static const char *const after[] = { "delete dispatch", "delete jump",
		"delete chain IPv4 nat KUBE-SVC-", "delete chain IPv4 nat KUBE-SEP-",
		"delete chain IPv4 filter KUBE-SERVICES" };
	struct world *w = *state;

	change_backend(w, BACKEND_IPTABLES, BACKEND_IPVS);
	assert_around_entrances(w, before, ARRAY_SIZE(before), after, ARRAY_SIZE(after));
	assert_kept(w);
}

/* The kernel refuses to delete a chain that a member leads to. */
static void members_that_lead_to_chains_go_before_these(void **state)
{
	struct world *w = *state;

	change_backend(w, BACKEND_NFTABLES, BACKEND_IPVS);
	world_expect_order(w, "delete dispatch", "delete member KUBE-SPREADS");
	world_expect_order(w, "delete member KUBE-SPREADS", "delete chain IPv4 nat KUBE-SPREAD-");
}

static void iptables_answers_before_it_gets_packets(void **state)
{
	static const char *const before[] = { "add set KUBE-NO-ENDPOINTS",
		"add member KUBE-NO-ENDPOINTS", "add chain IPv4 nat KUBE-SVC-",
		"add chain IPv4 nat KUBE-EXT-", "add chain IPv4 nat KUBE-SEP-", "add dispatch",
		"add jump IPv4 filter" };
	static const char *const after[] = { "delete set KUBE-LOCAL-MARK", "delete vs",
		"delete jump", "delete chain IPv4 nat KUBE-LOAD-BALANCER",
		"delete chain IPv4 filter KUBE-IPVS-FILTER" };
	struct world *w = *state;

	change_backend(w, BACKEND_IPVS, BACKEND_IPTABLES);
	assert_around_entrances(w, before, ARRAY_SIZE(before), after, ARRAY_SIZE(after));
	assert_kept(w);
}

/* Chains of Services in the other interface translate packets until ours lead to virtual servers. */
static void entries_come_last_where_others_translate(void **state)
{
	static const char *const before[] = { "add vs", "add rs", "add route",
		"add member KUBE-LOCAL-MARK", "add jump IPv4 filter",
		"add jump IPv4 nat POSTROUTING" };
	static const char *const entries[] = { "add jump IPv4 nat PREROUTING",
		"add jump IPv4 nat OUTPUT" };
	struct world *w = *state;

	for (int last = 0; last < 2; last++) {
		if (last)
			engine_enter_last(w->engine);
		world_start(w, SERVICES);
		for (size_t e = 0; e < ARRAY_SIZE(entries); e++)
			for (size_t i = 0; last && i < ARRAY_SIZE(before); i++)
				world_expect_order(w, before[i], entries[e]);
		for (size_t e = 0; !last && e < ARRAY_SIZE(entries); e++)
			world_expect_order(w, entries[e], "add vs");
		engine_release_all(w->engine);
		world_step(w);
		world_restart(w);
	}
}

/* For entrances in the other interface of netfilter, which no operation changes. */
static void entrances_elsewhere_may_change_in_between(void **state)
{
	static const struct {
		enum backend from, to;
		const char *made[3], *broken;
	} rows[] = {
		{ BACKEND_IPVS, BACKEND_IPTABLES,
			{ "add dispatch", "add chain IPv4 nat KUBE-SVC-", "set chain IPv4 nat" },
			"delete vs" },
		{ BACKEND_IPTABLES, BACKEND_IPVS, { "add vs", "add rs", "set chain IPv4 nat" },
			"delete dispatch" },
		{ BACKEND_IPVS, BACKEND_IPVS, { "", "", "" }, "delete vs" }, /* of no Service */
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		w->node.view.backend = rows[i].from;
		world_start(w, SERVICES);
		world_restart(w);
		w->node.view.backend = rows[i].to;
		world_start(w, i == 2 ? "" : SERVICES);
		world_audit(w);
		assert_int_equal(w->n_made, 1);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].made); k++)
			if (!strstr(buf_str(&w->made), rows[i].made[k]))
				fail_msg("%s is not in\n%s", rows[i].made[k], buf_str(&w->made));
		assert_null(strstr(buf_str(&w->made), "delete "));
		assert_non_null(strstr(world_log(w), rows[i].broken));
		world_restart(w);
	}
}

/* Ours leave it to the entrance to mark what is masqueraded, kube-proxy's do that themselves. */
static void chains_of_kube_proxy_change_after_the_entrances(void **state)
{
	static const char *const after[] = { "set chain IPv4 nat KUBE-SVC-",
		"set chain IPv4 nat KUBE-EXT-", "set chain IPv4 nat KUBE-SEP-" };
	struct world *w = *state;

	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, SERVICES);
	_cleanup_free_ struct fact *all = fake_kernel_list(&w->kernel);

	for (size_t i = 0, n = w->kernel.n_facts; i < n; i++)
		if (op_class_of(&all[i].key) == OP_CLASS_SERVICE_CHAIN ||
			op_class_of(&all[i].key) == OP_CLASS_ENTRANCE) {
			all[i].val.chain.rules++;
			fake_kernel_put_fact(&w->kernel, &all[i]);
		}
	world_restart(w);
	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, SERVICES);
	assert_around_entrances(w, NULL, 0, after, ARRAY_SIZE(after));
}

/* A batch of chains is one run of iptables-restore. */
static void an_endpoint_changes_in_one_batch_of_chains(void **state)
{
	struct world *w = *state;
	uint64_t before;

	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, SERVICES);
	before = engine_stats(w->engine)->batches;
	world_forget(w);
	world_load(
		w, "slice a/web-1 port=p80:8080/TCP ep=10.244.1.1@test-node ep=10.244.2.9@other\n");
	assert_non_null(strstr(world_log(w), "add chain IPv4 nat KUBE-SEP-"));
	assert_non_null(strstr(world_log(w), "set chain IPv4 nat KUBE-SVC-"));
	assert_non_null(strstr(world_log(w), "delete chain IPv4 nat KUBE-SEP-"));
	assert_non_null(strstr(world_log(w), "add member KUBE-LOOP-BACK"));
	assert_int_equal(engine_stats(w->engine)->batches - before, 2); /* the member is one */
}

/* In between, rules of both stand: none may refuse what the other one answers. */
static void nothing_is_refused_that_a_service_has(void **state)
{
	static const enum backend backends[] = { BACKEND_IPVS, BACKEND_IPTABLES };
	static const char *const chains[] = { "-A KUBE-IPVS-FILTER", "-A KUBE-SERVICES" };
	static const char *const portals[] = { "KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP",
		"KUBE-EXTERNAL-IP-LOCAL", "KUBE-LOAD-BALANCER" };
	const struct node_needs needs = node_needs_all();
	struct world *w = *state;

	for (size_t b = 0; b < ARRAY_SIZE(backends); b++) {
		struct fact_list facts = { 0 };
		_cleanup_(buf_done) struct buf text = { 0 };
		struct rule_pool pool = { 0 };
		const char *filter;
		char rule[128];

		w->node.view.backend = backends[b];
		resolve_node(&w->node.view, &needs, &pool, &facts);
		for (size_t i = 0; i < facts.n; i++)
			if (facts.facts[i].key.kind == FACT_CHAIN &&
				facts.facts[i].key.set == TABLE_FILTER &&
				!strcmp(facts.facts[i].key.name, chains[b] + strlen("-A ")))
				rule_text_print(&text, &pool, &facts.facts[i]);
		filter = buf_str(&text);
		for (size_t i = 0; i < ARRAY_SIZE(portals); i++) {
			snprintf(rule, sizeof(rule), "%s -m set --match-set %s dst,dst -j %s\n",
				chains[b], portals[i], b ? "RETURN" : "ACCEPT");
			assert_non_null(strstr(filter, rule));
			assert_true(strstr(filter, rule) <
				strstr(filter, "NEW -m set --match-set KUBE-IPVS-IPS"));
		}
		fact_list_done(&facts);
		rule_pool_done(&pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(ipvs_answers_before_it_gets_packets),
		WORLD_TEST(members_that_lead_to_chains_go_before_these),
		WORLD_TEST(iptables_answers_before_it_gets_packets),
		WORLD_TEST(entries_come_last_where_others_translate),
		WORLD_TEST(entrances_elsewhere_may_change_in_between),
		WORLD_TEST(chains_of_kube_proxy_change_after_the_entrances),
		WORLD_TEST(an_endpoint_changes_in_one_batch_of_chains),
		WORLD_TEST(nothing_is_refused_that_a_service_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
