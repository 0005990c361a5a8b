// SPDX-License-Identifier: GPL-2.0-or-later
/* Two Services on one address, port and protocol. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

#define OLD "service a/old created=100 ip=10.96.0.7 external=1.2.3.4 port=p80:80/TCP\n"
#define OLD_EPS "slice a/old-1 port=p80:80/TCP ep=10.244.1.7\n"
#define YOUNG \
	"service b/young created=200 etp=Local ip=10.96.0.8 external=1.2.3.4 port=p80:80/TCP\n"
#define YOUNG_EPS "slice b/young-1 port=p80:80/TCP ep=10.244.1.8@test-node\n"

#define OLD_WINS                                     \
	"member KUBE-EXTERNAL-IP 1.2.3.4,tcp:80\n"   \
	"vs 1.2.3.4:80/TCP rr\n"                     \
	"rs 1.2.3.4:80/TCP 10.244.1.7:80 weight=1\n" \
	"route 1.2.3.4 src=100.101.102.103\n"
#define YOUNG_WINS                                       \
	"member KUBE-EXTERNAL-IP-LOCAL 1.2.3.4,tcp:80\n" \
	"vs 1.2.3.4:80/TCP rr\n"                         \
	"rs 1.2.3.4:80/TCP 10.244.1.8:80 weight=1\n"     \
	"route 1.2.3.4 src=100.101.102.103\n"
#define NOT_OLD                                    \
	"member KUBE-EXTERNAL-IP 1.2.3.4,tcp:80\n" \
	"rs 1.2.3.4:80/TCP 10.244.1.7:80 weight=1\n"
#define NOT_YOUNG                                        \
	"member KUBE-EXTERNAL-IP-LOCAL 1.2.3.4,tcp:80\n" \
	"rs 1.2.3.4:80/TCP 10.244.1.8:80 weight=1\n"

static void of_two_services_on_one_address_the_older_wins(void **state)
{
	static const char *const orders[] = { OLD OLD_EPS YOUNG YOUNG_EPS,
		YOUNG_EPS YOUNG OLD OLD_EPS };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		world_restart(w);
		world_start(w, orders[i]);
		world_expect(w, OLD_WINS "rs 10.96.0.8:80/TCP 10.244.1.8:80 weight=1\n");
		world_expect_gone(w, NOT_YOUNG);
	}
}

static void an_older_service_that_comes_late_takes_over(void **state)
{
	struct world *w = *state;

	world_start(w, YOUNG YOUNG_EPS);
	world_expect(w, YOUNG_WINS);
	world_load(w, OLD OLD_EPS);
	world_expect(w, OLD_WINS);
	world_expect_gone(w, NOT_YOUNG);
}

static void the_loser_is_promoted_when_the_winner_goes(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	store_delete_service(&w->store, "a", "old");
	world_step(w);
	world_expect(w, YOUNG_WINS);
	world_expect_gone(w, NOT_OLD);
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).pending, 0);
}

static void the_loser_is_promoted_when_the_winner_moves(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	world_load(w, "service a/old created=100 ip=10.96.0.7 external=1.2.3.5 port=p80:80/TCP");
	world_expect(w, YOUNG_WINS "rs 1.2.3.5:80/TCP 10.244.1.7:80 weight=1\n");
	world_expect_gone(w, NOT_OLD);
}

static void a_service_made_anew_is_as_old_as_it_is(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	world_load(w, "service a/old created=300 ip=10.96.0.7 external=1.2.3.4 port=p80:80/TCP");
	world_expect(w, YOUNG_WINS);
	world_expect_gone(w, NOT_OLD);
	world_load(w, OLD);
	world_expect(w, OLD_WINS);
	world_expect_gone(w, NOT_YOUNG);
}

/* Nothing would lead to it, nor tell the next daemon whose it is. */
static void the_loser_has_no_virtual_server_by_mark(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	assert_null(strstr(world_log(w), "fwmark"));
	store_delete_service(&w->store, "a", "old");
	world_step(w);
	assert_non_null(strstr(world_log(w), "add vs fwmark"));
	world_forget(w);
	world_load(w, OLD);
	assert_non_null(strstr(world_log(w), "delete vs fwmark"));
}

#define TOLD "1.2.3.4:80/TCP: b/young loses to a/old\n"

static void expect_told(struct world *w, const char *told)
{
	assert_string_equal(world_told(w), told);
	world_forget(w);
}

static void told_once(struct world *w, enum backend backend, const char *objects)
{
	world_restart(w);
	w->node.view.backend = backend;
	world_start(w, objects);
	expect_told(w, TOLD);
	world_load(w, YOUNG_EPS "slice a/old-1 port=p80:80/TCP ep=10.244.1.9\n");
	engine_node_changed(w->engine);
	world_step(w);
	world_audit(w);
	expect_told(w, "");
}

static void a_conflict_is_told_once(void **state)
{
	told_once(*state, BACKEND_IPVS, OLD OLD_EPS YOUNG YOUNG_EPS);
	told_once(*state, BACKEND_IPVS, YOUNG_EPS YOUNG OLD OLD_EPS);
	told_once(*state, BACKEND_IPTABLES, OLD OLD_EPS YOUNG YOUNG_EPS);
	told_once(*state, BACKEND_IPTABLES, YOUNG_EPS YOUNG OLD OLD_EPS);
}

static void a_conflict_that_comes_again_is_told_again(void **state)
{
	struct world *w = *state;

	world_start(w, OLD OLD_EPS YOUNG YOUNG_EPS);
	world_forget(w);
	store_delete_service(&w->store, "a", "old");
	world_step(w);
	expect_told(w, "");
	world_load(w, OLD);
	expect_told(w, TOLD);
	world_load(w, "service b/young created=200 ip=10.96.0.8 port=p80:80/TCP");
	expect_told(w, "");
	world_load(w, YOUNG);
	expect_told(w, TOLD);
}

static void each_address_port_and_protocol_is_told(void **state)
{
	struct world *w = *state;

	world_start(w,
		"service a/old created=100 ip=10.96.0.7 external=1.2.3.4 port=p80:80/TCP "
		"port=dns:53/UDP port=alt:81/TCP\n"
		"service b/young created=200 ip=10.96.0.8 external=1.2.3.4 port=p80:80/TCP "
		"port=dns:53/UDP port=other:53/TCP\n");
	expect_told(w, "1.2.3.4:53/UDP: b/young loses to a/old and 1 more\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(of_two_services_on_one_address_the_older_wins),
		WORLD_TEST(an_older_service_that_comes_late_takes_over),
		WORLD_TEST(the_loser_is_promoted_when_the_winner_goes),
		WORLD_TEST(the_loser_is_promoted_when_the_winner_moves),
		WORLD_TEST(the_loser_has_no_virtual_server_by_mark),
		WORLD_TEST(a_service_made_anew_is_as_old_as_it_is),
		WORLD_TEST(a_conflict_is_told_once),
		WORLD_TEST(a_conflict_that_comes_again_is_told_again),
		WORLD_TEST(each_address_port_and_protocol_is_told),
	};

	return cmocka_run_group_tests_name("engine_conflict", tests, NULL, NULL);
}
