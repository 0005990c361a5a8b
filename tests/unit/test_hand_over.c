// SPDX-License-Identifier: GPL-2.0-or-later
/* The way back to kube-proxy: its layout takes the place of ours. tests/kube-proxy compares it with
 * what kube-proxy itself made. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "core/options.h"
#include "world.h"

#define SERVICES                                                                                \
	"service a/web ip=10.96.0.1 type=NodePort port=p80:80/TCP:30001 scheduler=lc "          \
	"external=198.51.100.7\n"                                                               \
	"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1@test-node ep=10.244.2.1@other\n"         \
	"service a/local ip=10.96.0.2 type=LoadBalancer etp=Local lb=1.2.3.4 port=p80:80/TCP"   \
	":30002\n"                                                                              \
	"slice a/local-1 port=p80:8080/TCP ep=10.244.1.1@test-node ep=10.244.2.1@other\n"       \
	"service a/there ip=10.96.0.3 type=LoadBalancer etp=Local lb=1.2.3.5 port=p80:80/TCP\n" \
	"slice a/there-1 port=p80:8080/TCP ep=10.244.2.1@other\n"                               \
	"service a/inner ip=10.96.0.4 itp=Local port=p80:80/TCP\n"                              \
	"slice a/inner-1 port=p80:8080/TCP ep=10.244.2.1@other\n"                               \
	"service a/heavy ip=10.96.0.5 port=p80:80/TCP\n"                                        \
	"slice a/heavy-1 weight=7 port=p80:8080/TCP ep=10.244.2.1@other\n"

/* A kernel with our layout, and a new process that is to hand it over. */
static void prepare(struct world *w, const char *objects)
{
	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, objects);
	world_restart_with(w, (struct engine_config){ .drain = true });
	w->node.options.external_addresses = EXTERNAL_PORTS;
	options_set_layout(&w->node.options, LAYOUT_BOTH);
	world_start(w, objects);
}

static void complete(struct world *w)
{
	options_set_layout(&w->node.options, LAYOUT_KUBE_PROXY);
	engine_node_changed(w->engine);
	world_step(w);
	for (int i = 0; i < 10; i++) /* what has no connections drains no longer */
		world_sleep(w, 1000);
	assert_string_equal(world_told(w), "");
}

static bool kube_proxy_knows(const struct fact *f)
{
	static const unsigned sets_of_ours = 1u << SET_LOCAL_MARK | 1u << SET_NO_LOCAL |
		1u << SET_NO_ENDPOINTS | 1u << SET_EXTERNAL_PORT;

	switch ((enum fact_kind)f->key.kind) {
	case FACT_LINK:
		return !strcmp(f->key.name, LINK_VIPS);
	case FACT_SET:
	case FACT_MEMBER:
		return !(sets_of_ours & 1u << f->key.set);
	case FACT_CHAIN:
	case FACT_JUMP:
		return f->key.set != TABLE_MANGLE;
	case FACT_VS:
		return f->key.proto;
	case FACT_RS:
	case FACT_ADDR:
		return true;
	case FACT_POLICY_RULE:
	case FACT_DISPATCH:
	case FACT_HELD:
	case FACT_ROUTE:
	case FACT_KINDS:
		return false;
	}
	return false;
}

static void assert_kube_proxy_knows_all(struct world *w)
{
	_cleanup_free_ struct fact *have = fake_kernel_list(&w->kernel);

	for (size_t i = 0; i < w->kernel.n_facts; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		fact_print(&line, &have[i]);
		if (!kube_proxy_knows(&have[i]))
			fail_msg("kube-proxy knows no \"%s\"", buf_str(&line));
	}
}

static void nothing_is_left_that_kube_proxy_does_not_know(void **state)
{
	struct world *w = *state;

	prepare(w, SERVICES);
	complete(w);
	assert_kube_proxy_knows_all(w);
	world_expect(w,
		"addr 10.96.0.1\naddr 198.51.100.7\naddr 1.2.3.4\naddr 1.2.3.5\n"
		"member KUBE-IPVS-IPS 198.51.100.7\n"
		"vs 10.96.0.1:80/TCP rr\nvs 198.51.100.7:80/TCP rr\n"
		"rs 10.96.0.5:80/TCP 10.244.2.1:8080 weight=1\n");
}

static void a_local_policy_has_the_endpoints_of_kube_proxy(void **state)
{
	struct world *w = *state;

	prepare(w, SERVICES);
	world_expect_gone(w, "rs 1.2.3.5:80/TCP 10.244.2.1:8080 weight=1\n");
	complete(w);
	world_expect(w,
		"rs 1.2.3.4:80/TCP 10.244.1.1:8080 weight=1\n"
		"rs 100.101.102.103:30002/TCP 10.244.1.1:8080 weight=1\n"
		"rs 1.2.3.5:80/TCP 10.244.2.1:8080 weight=1\n");
	world_expect_gone(w,
		"rs 1.2.3.4:80/TCP 10.244.2.1:8080 weight=1\n"
		"rs 10.96.0.4:80/TCP 10.244.2.1:8080 weight=1\n");
}

static void an_address_is_added_before_what_made_it_local_goes(void **state)
{
	struct world *w = *state;

	prepare(w, SERVICES);
	world_forget(w);
	complete(w);
	world_expect_order(w, "add addr ", "delete route ");
	world_expect_order(w, "add addr ", "delete link kube-ipvs1");
	world_expect_order(w, "add addr ", "delete member KUBE-EXTERNAL-PORT");
	world_expect_order(w, "delete member KUBE-EXTERNAL-PORT", "delete route 198.51.100.7");
	world_expect_order(w, "delete route 198.51.100.7", "delete policy-rule");
	world_expect_order(w, "delete member KUBE-LOCAL-MARK", "delete vs fwmark");
	world_expect_order(w, "add rs 1.2.3.5:80/TCP", "delete jump IPv4 mangle");
}

/* While the guard against refused connections still stands. */
static void schedulers_are_changed_before_our_layout_goes(void **state)
{
	struct world *w = *state;

	prepare(w, SERVICES);
	assert_non_null(strstr(world_log(w), "set vs 10.96.0.1:80/TCP rr\n"));
	world_expect(w, "set KUBE-NO-LOCAL hash:ip,port maxelem=65536\n");
	world_forget(w);
	complete(w);
	assert_null(strstr(world_log(w), "set vs "));
}

static uint32_t one_connection(const struct fact_key *rs, void *arg)
{
	(void)rs;
	(void)arg;
	return 1;
}

static void connections_of_an_endpoint_that_drains_stay(void **state)
{
	struct world *w = *state;

	world_start(w, SERVICES);
	fake_kernel_put(&w->kernel, "rs 10.96.0.1:80/TCP 10.244.9.9:8080 weight=0");
	w->kernel.active = one_connection;
	prepare(w, SERVICES);
	complete(w);
	world_expect(w, "rs 10.96.0.1:80/TCP 10.244.9.9:8080 weight=0\n");
}

/* Nothing in kube-proxy's layout leads to it; IPVS knows the packets of its connections. */
static void connections_behind_a_mark_have_the_time_to_drain(void **state)
{
	struct world *w = *state;

	w->kernel.active = one_connection;
	prepare(w, SERVICES);
	world_forget(w);
	complete(w);
	world_expect_gone(w, "set KUBE-LOCAL-MARK hash:ip,port maxelem=65536 skbinfo=1\n");
	world_expect_order(w, "delete member KUBE-LOCAL-MARK", "set rs fwmark");
	assert_null(strstr(world_log(w), "delete rs fwmark"));
	assert_null(strstr(world_log(w), "delete vs fwmark"));
	world_sleep(w, (uint64_t)w->node.options.drain_timeout);
	world_sleep(w, 10000);
	assert_kube_proxy_knows_all(w);
}

/* The iptables backend: kube-proxy's iptables mode has no sets and no local addresses. */

static const char *const chains_of_ours[] = { "nat KUBE-NODE-PORT",
	"nat KUBE-SOURCE-RANGES-FIREWALL", "filter KUBE-NODE-PORT",
	"filter KUBE-SOURCE-RANGES-FIREWALL" };

static void assert_iptables_mode(struct world *w)
{
	_cleanup_free_ struct fact *have = fake_kernel_list(&w->kernel);

	for (size_t i = 0; i < w->kernel.n_facts; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		fact_print(&line, &have[i]);
		if (have[i].key.kind != FACT_CHAIN && have[i].key.kind != FACT_JUMP)
			fail_msg("kube-proxy's iptables mode knows no \"%s\"", buf_str(&line));
		for (size_t k = 0; k < ARRAY_SIZE(chains_of_ours); k++)
			if (strstr(buf_str(&line), chains_of_ours[k]))
				fail_msg(
					"kube-proxy's iptables mode has no \"%s\"", buf_str(&line));
	}
}

static void prepare_iptables(struct world *w, const char *objects)
{
	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, objects);
	world_restart_with(w, (struct engine_config){ .drain = true });
	w->node.view.backend = BACKEND_IPTABLES;
	options_set_layout(&w->node.options, LAYOUT_BOTH);
	world_start(w, objects);
}

static void nothing_is_left_that_the_iptables_mode_does_not_know(void **state)
{
	struct world *w = *state;

	prepare_iptables(w, SERVICES);
	complete(w);
	assert_iptables_mode(w);
	for (enum hook hook = HOOK_INPUT; hook <= HOOK_FORWARD; hook++) {
		const struct fact jump =
			fact_jump(AF_INET, TABLE_FILTER, hook, "KUBE-EXTERNAL-SERVICES", 0);

		assert_non_null(fake_kernel_find(&w->kernel, &jump.key));
	}
}

static void an_entrance_changes_when_all_stands_and_before_anything_goes(void **state)
{
	static const char *const before[] = { "add chain IPv4 nat KUBE-NODEPORTS",
		"add chain IPv4 filter KUBE-EXTERNAL-SERVICES",
		"add jump IPv4 filter INPUT KUBE-EXTERNAL-SERVICES", "set chain IPv4 nat KUBE-SVC",
		"set chain IPv4 nat KUBE-SEP" };
	static const char *const after[] = { "delete dispatch", "delete route", "delete set",
		"delete chain IPv4 nat KUBE-NODE-PORT",
		"delete jump IPv4 filter INPUT KUBE-SERVICES" };
	struct world *w = *state;

	prepare_iptables(w, SERVICES);
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		assert_non_null(strstr(world_log(w), before[i]));
	assert_null(strstr(world_log(w), "set chain IPv4 nat KUBE-SERVICES"));
	assert_null(strstr(world_log(w), "delete "));
	world_forget(w);
	complete(w);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		world_expect_order(w, "set chain IPv4 nat KUBE-SERVICES", after[i]);
	world_expect_order(w, "delete dispatch", "delete chain IPv4 nat KUBE-SVL");
}

/* Else chains are deleted to which rules refer, and each has to be tried again. */
static void what_was_handed_over_is_removed_without_a_retry(void **state)
{
	struct world *w = *state;

	prepare_iptables(w, SERVICES);
	complete(w);
	world_restart(w);
	w->node.view.backend = BACKEND_IPTABLES;
	engine_release_all(w->engine);
	world_start(w, "");
	assert_int_equal(w->kernel.n_facts, 0);
	world_expect_order(w, "delete jump", "delete chain IPv4 nat KUBE-SERVICES");
	world_expect_order(
		w, "delete chain IPv4 nat KUBE-SERVICES", "delete chain IPv4 nat KUBE-EXT-");
	world_expect_order(
		w, "delete chain IPv4 nat KUBE-NODEPORTS", "delete chain IPv4 nat KUBE-EXT-");
	world_expect_order(
		w, "delete chain IPv4 nat KUBE-SVC-", "delete chain IPv4 nat KUBE-MARK-MASQ");
}

static void ipvs_becomes_the_iptables_mode(void **state)
{
	struct world *w = *state;

	world_start(w, SERVICES);
	prepare_iptables(w, SERVICES);
	complete(w);
	assert_iptables_mode(w);
}

static void what_was_handed_over_is_taken_over_again(void **state)
{
	struct world *w = *state;

	prepare(w, SERVICES);
	complete(w);
	world_restart(w);
	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, SERVICES);
	assert_string_equal(world_told(w), "");
	world_expect(w,
		"route 10.96.0.1 src=100.101.102.103\nvs 10.96.0.1:80/TCP lc\n"
		"rs 10.96.0.5:80/TCP 10.244.2.1:8080 weight=7\n");
	world_expect_gone(w, "addr 10.96.0.1\nrs 1.2.3.5:80/TCP 10.244.2.1:8080 weight=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(nothing_is_left_that_kube_proxy_does_not_know),
		WORLD_TEST(a_local_policy_has_the_endpoints_of_kube_proxy),
		WORLD_TEST(an_address_is_added_before_what_made_it_local_goes),
		WORLD_TEST(schedulers_are_changed_before_our_layout_goes),
		WORLD_TEST(connections_of_an_endpoint_that_drains_stay),
		WORLD_TEST(connections_behind_a_mark_have_the_time_to_drain),
		WORLD_TEST(what_was_handed_over_is_taken_over_again),
		WORLD_TEST(nothing_is_left_that_the_iptables_mode_does_not_know),
		WORLD_TEST(an_entrance_changes_when_all_stands_and_before_anything_goes),
		WORLD_TEST(what_was_handed_over_is_removed_without_a_retry),
		WORLD_TEST(ipvs_becomes_the_iptables_mode),
	};

	return cmocka_run_group_tests_name("hand over", tests, NULL, NULL);
}
