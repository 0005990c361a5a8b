// SPDX-License-Identifier: GPL-2.0-or-later
/* Which entries of the connection table the engine wants deleted, and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

#define DNS "service a/dns ip=10.96.0.53 port=dns:53/UDP\n"
#define BOTH "slice a/dns-1 port=dns:5353/UDP ep=10.244.1.1 ep=10.244.1.2\n"
#define ONE "slice a/dns-1 port=dns:5353/UDP ep=10.244.1.1\n"
#define NONE "slice a/dns-1 port=dns:5353/UDP\n"
#define RS2 "rs 10.96.0.53:53/UDP 10.244.1.2:5353 weight=1\n"

enum { SECOND = 1000, RETRY = 10000 };

static struct {
	struct buf lists; /* a line for each frontend that it was called with */
	size_t calls;
	int answer;
	bool more;
} flows;

static void print_frontend(
	struct buf *b, const struct stale_list *l, const struct stale_frontend *fe)
{
	char s[IP_PORT_STRLEN];

	buf_addf(b, "%s:", ip_print_port(&fe->ip, fe->port, s));
	for (size_t i = 0; i < fe->n; i++) {
		const struct stale_endpoint *ep = &l->endpoints[fe->first + i];

		buf_addf(b, " %s", ip_print_port(&ep->ip, ep->port, s));
	}
	buf_addc(b, '\n');
}

static int delete_flows(const struct stale_list *stale, bool *ret_more, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < stale->n; i++)
		print_frontend(&flows.lists, stale, &stale->frontends[i]);
	flows.calls++;
	*ret_more = flows.more;
	return flows.answer;
}

static int setup(void **state)
{
	flows.answer = 0;
	flows.more = false;
	flows.calls = 0;
	return world_setup(state);
}

static int teardown(void **state)
{
	buf_done(&flows.lists);
	return world_teardown(state);
}

static void begin(struct world *w, const char *objects)
{
	world_restart_with(w, (struct engine_config){ .delete_flows = delete_flows });
	world_start(w, objects);
}

/* What it was called with since the last time. */
static void assert_asked(const char *expected)
{
	assert_string_equal(buf_str(&flows.lists), expected);
	buf_reset(&flows.lists);
}

static void at_the_start_all_udp_ports_are_looked_for(void **state)
{
	begin(*state,
		DNS BOTH "service a/web ip=10.96.0.1 port=web:80/TCP\n"
			 "slice a/web-1 port=web:8080/TCP ep=10.244.1.1\n"
			 "service a/ntp ip=10.96.0.123 external=192.0.2.1 port=ntp:123/UDP\n"
			 "slice a/ntp-1 port=ntp:123/UDP ep=10.244.1.3\n");
	assert_asked("10.96.0.53:53: 10.244.1.1:5353 10.244.1.2:5353\n"
		     "10.96.0.123:123: 10.244.1.3:123\n"
		     "192.0.2.1:123: 10.244.1.3:123\n");
	assert_int_equal(flows.calls, 1);
}

static void an_endpoint_that_leaves_is_looked_for_after_it_left(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	world_sleep(w, SECOND);
	assert_int_equal(flows.calls, 1);
	buf_reset(&flows.lists);
	fixture_load(&w->store, ONE);
	world_step(w);
	world_expect_gone(w, RS2);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353\n");
	assert_int_equal(world_sleep(w, SECOND), UINT64_MAX);
	assert_int_equal(flows.calls, 2);
}

static void changes_that_never_end_keep_no_flow(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	world_sleep(w, SECOND);
	buf_reset(&flows.lists);
	w->kernel.slow = true;
	fixture_load(&w->store, ONE);
	world_step(w);
	for (int i = 0; i < 30; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		buf_addf(&line, "service a/s%d ip=10.96.1.%d port=p80:80/TCP\n", i, i + 1);
		world_load(w, buf_str(&line));
		fake_kernel_answer(&w->kernel);
		w->now += SECOND;
		engine_step(w->engine, w->now);
	}
	assert_asked("10.96.0.53:53: 10.244.1.1:5353\n");
}

static void what_is_not_about_udp_endpoints_is_nothing_to_look_for(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	world_sleep(w, SECOND);
	world_load(w, "service a/dns ip=10.96.0.53 port=dns:53/UDP affinity=10\n");
	world_load(w,
		"service a/web ip=10.96.0.1 port=web:80/TCP\n"
		"slice a/web-1 port=web:8080/TCP ep=10.244.1.1\n");
	engine_node_changed(w->engine);
	world_sleep(w, SECOND);
	assert_int_equal(flows.calls, 1);
}

static void without_endpoints_flows_stay_until_there_are_some(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	world_sleep(w, SECOND);
	buf_reset(&flows.lists);
	world_load(w, NONE);
	assert_asked("");
	world_sleep(w, SECOND);
	world_load(w, ONE);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353\n");
}

/* IPVS ends such flows itself (expire_nodest_conn). */
static void on_iptables_flows_go_with_the_last_endpoint(void **state)
{
	struct world *w = *state;

	world_restart_with(w, (struct engine_config){ .delete_flows = delete_flows });
	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, DNS BOTH);
	world_sleep(w, SECOND);
	buf_reset(&flows.lists);
	world_load(w, NONE);
	assert_asked("10.96.0.53:53:\n");
}

static void a_service_that_goes_takes_its_flows_along(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	world_sleep(w, SECOND);
	buf_reset(&flows.lists);
	store_delete_service(&w->store, "a", "dns");
	world_step(w);
	assert_asked("10.96.0.53:53:\n");
}

static void so_does_one_that_went_while_nobody_looked(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	buf_reset(&flows.lists);
	begin(w, "");
	assert_asked("10.96.0.53:53:\n");
}

static void of_two_services_on_one_address_the_older_decides(void **state)
{
	struct world *w = *state;

	begin(w,
		"service a/old ip=10.96.0.1 external=192.0.2.1 port=a:53/UDP created=10\n"
		"service a/new ip=10.96.0.2 external=192.0.2.1 port=b:53/UDP created=20\n"
		"slice a/old-1 port=a:53/UDP ep=10.244.1.1\n"
		"slice a/new-1 port=b:53/UDP ep=10.244.1.2\n");
	assert_asked("10.96.0.1:53: 10.244.1.1:53\n"
		     "10.96.0.2:53: 10.244.1.2:53\n"
		     "192.0.2.1:53: 10.244.1.1:53\n");
	world_sleep(w, SECOND);
	world_load(w, "slice a/new-1 port=b:53/UDP ep=10.244.1.3\n");
	assert_asked("10.96.0.2:53: 10.244.1.3:53\n");
	world_sleep(w, SECOND);
	store_delete_service(&w->store, "a", "old");
	world_step(w);
	assert_asked("10.96.0.1:53:\n"
		     "192.0.2.1:53: 10.244.1.3:53\n");
}

static void the_table_is_read_at_most_once_a_second(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	buf_reset(&flows.lists);
	for (int i = 0; i < 10; i++) {
		w->now += 10;
		world_load(w, i % 2 ? BOTH : ONE);
	}
	assert_int_equal(flows.calls, 1);
	world_sleep(w, SECOND);
	assert_int_equal(flows.calls, 2);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353 10.244.1.2:5353\n");
}

static void a_failure_is_retried_with_all_that_is_left(void **state)
{
	struct world *w = *state;

	flows.answer = -EIO;
	begin(w, DNS BOTH);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353 10.244.1.2:5353\n");
	world_load(w,
		"service a/ntp ip=10.96.0.123 port=ntp:123/UDP\n"
		"slice a/ntp-1 port=ntp:123/UDP ep=10.244.1.3\n");
	assert_int_equal(flows.calls, 1);
	flows.answer = 7;
	assert_int_equal(world_sleep(w, RETRY), UINT64_MAX);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353 10.244.1.2:5353\n"
		     "10.96.0.123:123: 10.244.1.3:123\n");
	assert_int_equal(engine_stats(w->engine)->flows_deleted, 7);
	world_sleep(w, RETRY);
	assert_int_equal(flows.calls, 2);
}

static void what_was_too_much_for_one_call_goes_on(void **state)
{
	struct world *w = *state;

	flows.more = true;
	begin(w, DNS BOTH);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353 10.244.1.2:5353\n");
	flows.more = false;
	assert_int_equal(world_sleep(w, SECOND), UINT64_MAX);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353 10.244.1.2:5353\n");
	world_sleep(w, RETRY);
	assert_int_equal(flows.calls, 2);
}

static void a_reload_retries_at_once(void **state)
{
	struct world *w = *state;

	flows.answer = -EIO;
	begin(w, DNS BOTH);
	flows.answer = 2;
	engine_reload(w->engine);
	world_step(w);
	assert_int_equal(flows.calls, 2);
}

static int refuse_deletes(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_DEL ? -EIO : 0;
}

static void while_an_operation_fails_it_is_done_again(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	world_sleep(w, SECOND);
	w->kernel.fault = refuse_deletes;
	world_load(w, ONE);
	w->kernel.fault = NULL;
	buf_reset(&flows.lists);
	world_sleep(w, RETRY);
	world_expect_gone(w, RS2);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353\n");
	world_sleep(w, RETRY);
	assert_int_equal(flows.calls, 3);
}

static int refuse_members_to_go(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_DEL && op->fact.key.kind == FACT_MEMBER ? -EIO : 0;
}

/* On nftables, as long as KUBE-AFFINITY has the endpoint. */
static void a_known_client_may_return_there(void **state)
{
	struct world *w = *state;

	world_restart_with(w, (struct engine_config){ .delete_flows = delete_flows });
	w->node.view.backend = BACKEND_NFTABLES;
	world_start(w, "service a/dns ip=10.96.0.53 affinity=60 port=dns:53/UDP\n" BOTH);
	world_sleep(w, SECOND);
	w->kernel.fault = refuse_members_to_go;
	world_load(w, ONE);
	w->kernel.fault = NULL;
	buf_reset(&flows.lists);
	world_sleep(w, RETRY);
	world_expect_gone(
		w, "member KUBE-AFFINITY 10.96.0.53,udp:53,10.244.1.2 to=10.244.1.2:5353\n");
	assert_asked("10.96.0.53:53: 10.244.1.1:5353\n");
}

static int refuse_chains_to_go(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_DEL && op->fact.key.kind == FACT_CHAIN ? -EIO : 0;
}

static void what_fails_without_leading_anywhere_changes_nothing(void **state)
{
	struct world *w = *state;

	w->kernel.fault = refuse_chains_to_go;
	fake_kernel_put(&w->kernel, "chain IPv4 nat KUBE-MARK-DROP text=0000000000000001");
	begin(w, DNS BOTH);
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).failing, 1);
	assert_int_equal(flows.calls, 1);
	world_sleep(w, RETRY);
	world_sleep(w, RETRY);
	assert_int_equal(flows.calls, 1);
}

static int refuse_chains_to_change(const struct op *op, void *arg)
{
	(void)arg;
	return op->type == OP_SET && op->fact.key.kind == FACT_CHAIN ? -EIO : 0;
}

static void a_chain_that_stays_as_it_was_may_lead_there(void **state)
{
	struct world *w = *state;

	world_restart_with(w, (struct engine_config){ .delete_flows = delete_flows });
	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, DNS BOTH);
	world_sleep(w, SECOND);
	w->kernel.fault = refuse_chains_to_change;
	world_load(w, ONE);
	w->kernel.fault = NULL;
	buf_reset(&flows.lists);
	world_sleep(w, RETRY);
	assert_asked("10.96.0.53:53: 10.244.1.1:5353\n");
}

static void a_cleanup_takes_all_flows_along(void **state)
{
	struct world *w = *state;

	begin(w, DNS BOTH);
	world_sleep(w, SECOND);
	buf_reset(&flows.lists);
	engine_release_all(w->engine);
	world_step(w);
	assert_asked("10.96.0.53:53:\n");
}

static void a_dry_run_deletes_nothing(void **state)
{
	struct world *w = *state;

	world_restart_with(
		w, (struct engine_config){ .delete_flows = delete_flows, .dry_run = true });
	world_start(w, DNS BOTH);
	world_sleep(w, SECOND);
	assert_int_equal(flows.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(at_the_start_all_udp_ports_are_looked_for),
		TEST(an_endpoint_that_leaves_is_looked_for_after_it_left),
		TEST(changes_that_never_end_keep_no_flow),
		TEST(what_is_not_about_udp_endpoints_is_nothing_to_look_for),
		TEST(without_endpoints_flows_stay_until_there_are_some),
		TEST(on_iptables_flows_go_with_the_last_endpoint),
		TEST(a_service_that_goes_takes_its_flows_along),
		TEST(so_does_one_that_went_while_nobody_looked),
		TEST(of_two_services_on_one_address_the_older_decides),
		TEST(the_table_is_read_at_most_once_a_second),
		TEST(a_failure_is_retried_with_all_that_is_left),
		TEST(what_was_too_much_for_one_call_goes_on),
		TEST(a_reload_retries_at_once),
		TEST(while_an_operation_fails_it_is_done_again),
		TEST(a_known_client_may_return_there),
		TEST(what_fails_without_leading_anywhere_changes_nothing),
		TEST(a_chain_that_stays_as_it_was_may_lead_there),
		TEST(a_cleanup_takes_all_flows_along),
		TEST(a_dry_run_deletes_nothing),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
