// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/fact_text.h"
#include "world.h"

#define WEB                                            \
	"service a/web ip=10.96.0.1 port=p80:80/TCP\n" \
	"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2\n"

#define VS "vs 10.96.0.1:80/TCP rr\n"
#define RS1 "rs 10.96.0.1:80/TCP 10.244.1.1:8080 weight=1\n"
#define RS2 "rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1\n"
#define CIP "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80\n"
#define IPS "member KUBE-IPVS-IPS 10.96.0.1\n"
#define ROUTE "route 10.96.0.1 src=100.101.102.103\n"
#define HELD "member KUBE-NO-LOCAL 10.96.0.1,tcp:80\n"

#define FOREIGN_VS "vs 192.0.2.1:80/TCP wlc"
#define FOREIGN_RS "rs 192.0.2.1:80/TCP 192.0.2.9:80 weight=1"
#define FOREIGN FOREIGN_VS "\n" FOREIGN_RS "\n"

#define SET_CIP "set KUBE-CLUSTER-IP hash:ip,port maxelem=65536"
#define SET_IPS "set KUBE-IPVS-IPS hash:ip maxelem=65536"

static void put(struct world *w, const char *lines)
{
	_cleanup_free_ char *copy = mem_strdup(lines);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		fake_kernel_put(&w->kernel, l);
}

/* What happened is noticed by the next audit, repaired by exactly these operations and counted. */
static void expect_repair(struct world *w, size_t drift, const char *ops)
{
	uint64_t before = engine_stats(w->engine)->drift;

	world_forget(w);
	world_audit(w);
	assert_string_equal(world_log(w), ops);
	assert_int_equal(engine_stats(w->engine)->drift - before, drift);
	world_expect(w, CIP IPS VS RS1 RS2 ROUTE);
	world_forget(w);
	world_audit(w);
	assert_int_equal(w->kernel.n_ops, 0);
}

static void audits_come_in_their_interval_and_on_request(void **state)
{
	struct world *w = *state;

	world_restart_with(w, (struct engine_config){ .audit_interval = 60000 });
	fixture_load(&w->store, WEB);
	engine_fed(w->engine);
	assert_int_equal(world_step(w), 60000);
	assert_int_equal(world_sleep(w, 59999), 1);
	assert_int_equal(engine_stats(w->engine)->audits, 1);
	assert_int_equal(world_sleep(w, 1), 60000);
	assert_int_equal(engine_stats(w->engine)->audits, 2);
	assert_int_equal(engine_stats(w->engine)->last_audit, w->now);
	w->now += 10;
	world_audit(w);
	assert_int_equal(engine_stats(w->engine)->audits, 3);
	assert_int_equal(world_step(w), 60000);
}

static void one_of_some_kinds_reads_no_others(void **state)
{
	struct world *w = *state;
	const unsigned kinds = 1u << FACT_ROUTE | 1u << FACT_RS;
	uint64_t drift;

	world_restart_with(w, (struct engine_config){ .audit_interval = 60000 });
	world_start(w, WEB);
	drift = engine_stats(w->engine)->drift;
	world_forget(w);
	fake_kernel_remove(&w->kernel, "route 10.96.0.1");
	fake_kernel_remove(&w->kernel, "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80");
	engine_request_audit(w->engine, kinds);
	assert_int_equal(world_sleep(w, 1000), 59000);
	assert_int_equal(w->kernel.dumps, 2);
	assert_string_equal(world_log(w), "add " ROUTE);
	assert_int_equal(engine_stats(w->engine)->drift, drift + 1);
	assert_int_equal(engine_stats(w->engine)->last_audit, w->now - 1000);
	world_sleep(w, 59000);
	world_expect(w, CIP IPS VS RS1 RS2 ROUTE);
}

static void a_vanished_virtual_server_comes_back_whole(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	fake_kernel_remove(&w->kernel, "vs 10.96.0.1:80/TCP rr");
	expect_repair(w, 3, "add " VS "add " RS1 "add " RS2);
}

static void changed_values_are_set_back(void **state)
{
	struct world *w = *state;

	/* The rules by which its connections are dropped meanwhile stand already. */
	world_start(w,
		WEB "service a/nowhere ip=10.96.0.9 itp=Local port=p80:80/TCP\n"
		    "slice a/nowhere-1 port=p80:8080/TCP ep=10.244.1.1@other\n");
	put(w, "vs 10.96.0.1:80/TCP wlc persistence=5");
	put(w, "rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=0");
	put(w, "route 10.96.0.1");
	expect_repair(w, 3, "set " RS2 "set " ROUTE "add " HELD "set " VS "delete " HELD);
}

static void what_others_put_behind_our_address_goes(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	put(w, "rs 10.96.0.1:80/TCP 192.0.2.9:80 weight=1");
	put(w, "member KUBE-CLUSTER-IP 192.0.2.9,tcp:80");
	expect_repair(w, 2,
		"delete rs 10.96.0.1:80/TCP 192.0.2.9:80 weight=1\n"
		"delete member KUBE-CLUSTER-IP 192.0.2.9,tcp:80\n");
}

static void deleted_members_come_back(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	fake_kernel_remove(&w->kernel, "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80");
	expect_repair(w, 1, "add " CIP);
}

static void a_deleted_set_comes_back_with_its_members(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	fake_kernel_remove(&w->kernel, SET_CIP);
	world_expect_gone(w, CIP);
	expect_repair(w, 2, "add " SET_CIP "\nadd " CIP);
}

/* The fact that the engine wants of a chain. */
static struct fact chain_fact(const struct world *w, const char *name)
{
	struct fact f = fact_chain(AF_INET, TABLE_NAT, name, 0);
	const struct fact *k = fake_kernel_find(&w->kernel, &f.key);

	assert_non_null(k);
	return *k;
}

static void flushed_and_deleted_chains_are_filled_again(void **state)
{
	_cleanup_(buf_done) struct buf expected = { 0 };
	struct world *w = *state;
	struct fact good, flushed, gone;

	world_start(w, WEB);
	good = chain_fact(w, "KUBE-SERVICES");
	gone = chain_fact(w, "KUBE-MARK-MASQ");
	flushed = good;
	flushed.val.chain.rules = HASH_EMPTY;
	fake_kernel_put_fact(&w->kernel, &flushed);
	fake_kernel_remove_key(&w->kernel, &gone.key);
	buf_adds(&expected, "add ");
	fact_print(&expected, &gone);
	buf_adds(&expected, "\nset ");
	fact_print(&expected, &good);
	buf_adds(&expected, "\n");
	expect_repair(w, 2, buf_str(&expected));
	assert_non_null(rule_pool_get(engine_rules(w->engine), good.val.chain.rules));
}

static void a_dump_that_fails_later_concludes_nothing(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	fake_kernel_remove(&w->kernel, "vs 10.96.0.1:80/TCP rr");
	w->kernel.dump_error = -EIO;
	w->kernel.dump_error_kind = FACT_VS;
	world_forget(w);
	world_audit(w);
	assert_int_equal(w->kernel.n_ops, 0);
	assert_string_equal(
		world_told(w), "audit: reading vs from the kernel: the dump broke off\n");
	/* Events go on meanwhile: one has succeeded before. */
	assert_true(engine_stats(w->engine)->last_audit > 0);
	world_load(w, "service a/dns ip=10.96.0.2 port=dns:53/UDP");
	world_expect(w, "vs 10.96.0.2:53/UDP rr");
	world_expect_gone(w, VS);
	w->kernel.dump_error = 0;
	world_sleep(w, 1000);
	world_expect(w, VS RS1 RS2);
}

static void real_servers_that_cannot_be_read_hold_up_no_other_repair(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	fake_kernel_remove(&w->kernel, "route 10.96.0.1");
	fake_kernel_remove(&w->kernel, "rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=1");
	w->kernel.dump_error = -EIO;
	w->kernel.dump_error_kind = FACT_RS;
	world_forget(w);
	world_audit(w);
	assert_string_equal(world_log(w), "add " ROUTE);
	assert_string_equal(
		world_told(w), "audit: reading rs from the kernel: the dump broke off\n");
	w->kernel.dump_error = 0;
	world_sleep(w, 1000);
	world_expect(w, VS RS1 RS2 ROUTE);
}

static void real_servers_are_read_between_other_work(void **state)
{
	static const char first[] = "rs 10.96.0.0:80/TCP 10.244.1.1:8080 weight=1",
			  last[] = "rs 10.96.3.231:80/TCP 10.244.1.1:8080 weight=1",
			  new[] = "rs 10.96.0.7:80/TCP 10.244.1.3:8080 weight=1";
	struct world *w = *state;
	uint64_t drift;

	world_start_many(w, 1000);
	drift = engine_stats(w->engine)->drift;
	fake_kernel_remove(&w->kernel, first);
	fake_kernel_remove(&w->kernel, last);
	engine_request_audit(w->engine, FACT_ALL_KINDS);
	assert_int_equal(engine_step(w->engine, w->now), w->now);
	assert_true(engine_stats(w->engine)->synced);
	/* A change is applied before the audit ends, which does not take it for drift. */
	fixture_load(&w->store,
		"slice a/s7-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2 ep=10.244.1.3");
	assert_int_equal(engine_step(w->engine, w->now), w->now);
	assert_true(fake_kernel_has(&w->kernel, new));
	assert_int_equal(engine_stats(w->engine)->audits, 1);
	world_step(w);
	assert_int_equal(engine_stats(w->engine)->audits, 2);
	assert_int_equal(engine_stats(w->engine)->drift, drift + 2);
	assert_true(fake_kernel_has(&w->kernel, first));
	assert_true(fake_kernel_has(&w->kernel, last));
}

/* Others' real servers are gone with it, and ours come back. */
static void a_virtual_server_may_vanish_between_two_steps(void **state)
{
	static const char vs[] = "vs 10.96.3.231:80/TCP rr";
	struct world *w = *state;

	world_start_many(w, 1000);
	engine_request_audit(w->engine, FACT_ALL_KINDS);
	assert_int_equal(engine_step(w->engine, w->now), w->now);
	for (unsigned i = 0; i < 1000; i++) {
		char line[64];

		snprintf(line, sizeof(line), "vs 10.96.%u.%u:80/TCP rr", i >> 8, i & 255);
		fake_kernel_remove(&w->kernel, line);
	}
	world_step(w);
	world_audit(w);
	assert_true(fake_kernel_has(&w->kernel, vs));
	world_expect(w,
		"rs 10.96.3.231:80/TCP 10.244.1.1:8080 weight=1\n"
		"rs 10.96.0.0:80/TCP 10.244.1.2:8080 weight=1\n");
}

static int lose(const struct op *op, void *arg)
{
	(void)op;
	(void)arg;
	return FAKE_ANSWER_LOST;
}

static uint64_t a_clock(void)
{
	static uint64_t us;

	return us += 250;
}

static void expect_dumps(struct world *w, size_t n)
{
	const uint64_t audits = engine_stats(w->engine)->audits;

	w->kernel.dumps = w->kernel.epochs_asked = 0;
	assert_int_equal(world_sleep(w, 60000), 60000);
	assert_int_equal(w->kernel.dumps, n);
	assert_int_equal(w->kernel.epochs_asked, 1);
	assert_int_equal(engine_stats(w->engine)->audits, audits + 1);
	assert_int_equal(engine_stats(w->engine)->last_audit, w->now);
}

static void what_nobody_has_changed_is_not_read(void **state)
{
	struct world *w = *state;

	w->kernel.epoch = 1;
	world_restart_with(w, (struct engine_config){ .audit_interval = 60000 });
	world_start(w, WEB);
	assert_true(w->kernel.dumps >= FAKE_AUDIT_DUMPS);
	expect_dumps(w, 0);
	/* Our own operations are no reason. */
	world_load(w, "service a/dns ip=10.96.0.2 port=dns:53/UDP");
	expect_dumps(w, 0);
	world_expect(w, VS "vs 10.96.0.2:53/UDP rr");
	/* Others. */
	fake_kernel_remove(&w->kernel, "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80");
	w->kernel.epoch++;
	world_forget(w);
	expect_dumps(w, FAKE_AUDIT_DUMPS);
	assert_string_equal(world_log(w), "add " CIP);
	expect_dumps(w, 0);
	/* Nobody knows. */
	w->kernel.epoch = 0;
	expect_dumps(w, FAKE_AUDIT_DUMPS);
	expect_dumps(w, FAKE_AUDIT_DUMPS);
}

static void what_is_in_doubt_is_read(void **state)
{
	struct world *w = *state;

	w->kernel.epoch = 1;
	world_restart_with(w, (struct engine_config){ .audit_interval = 60000 });
	world_start(w, WEB);
	expect_dumps(w, 0);
	/* 1. What somebody asks for. */
	world_forget(w);
	engine_request_audit(w->engine, 1u << FACT_MEMBER | 1u << FACT_CHAIN);
	world_step(w);
	assert_int_equal(w->kernel.dumps, 2);
	world_forget(w);
	world_audit(w);
	assert_int_equal(w->kernel.dumps, FAKE_AUDIT_DUMPS);
	/* 2. After a lost answer. */
	world_forget(w);
	w->kernel.fault = lose;
	world_load(w, "service a/dns ip=10.96.0.2 port=dns:53/UDP");
	w->kernel.fault = NULL;
	world_sleep(w, 1000);
	assert_true(w->kernel.dumps >= FAKE_AUDIT_DUMPS);
	world_expect(w, "vs 10.96.0.2:53/UDP rr");
	/* 3. After an audit that failed, whose successor would not read the kinds before. */
	w->kernel.dump_error = -EIO;
	w->kernel.dump_error_kind = FACT_ROUTE;
	world_audit(w);
	w->kernel.dump_error = 0;
	world_forget(w);
	world_sleep(w, 1000);
	assert_int_equal(w->kernel.dumps, FAKE_AUDIT_DUMPS);
	/* 4. While orphans are kept. */
	expect_dumps(w, 0);
	engine_set_input_complete(w->engine, false);
	world_step(w);
	expect_dumps(w, FAKE_AUDIT_DUMPS);
	engine_set_input_complete(w->engine, true);
	world_step(w);
	expect_dumps(w, 0);
	/* 5. From an adapter that takes the place of another one. */
	engine_add_adapter(w->engine, &w->kernel.adapter);
	expect_dumps(w, FAKE_AUDIT_DUMPS);
}

/* What the kernel has of them is not looked at, as another one shows that only the test knows of. */
static void real_servers_that_nobody_has_changed_are_not_told(void **state)
{
	static const char hidden[] = "rs 10.96.0.1:80/TCP 10.244.1.3:8080 weight=1";
	struct world *w = *state;

	world_start(w, WEB);
	world_forget(w);
	w->kernel.unchanged = true;
	fake_kernel_put(&w->kernel, hidden);
	world_audit(w);
	assert_int_equal(w->kernel.n_ops, 0);
	assert_true(fake_kernel_has(&w->kernel, hidden));
	world_expect(w, VS RS1 RS2);
	/* Orphans are decided anew. */
	engine_set_input_complete(w->engine, false);
	world_audit(w);
	engine_set_input_complete(w->engine, true);
	world_step(w);
	assert_false(fake_kernel_has(&w->kernel, hidden));
	/* A virtual server that vanishes takes them along. */
	fake_kernel_remove(&w->kernel, "vs 10.96.0.1:80/TCP rr");
	world_audit(w);
	world_expect(w, VS RS1 RS2);
	w->kernel.unchanged = false;
	fake_kernel_put(&w->kernel, hidden);
	expect_repair(w, 1, "delete rs 10.96.0.1:80/TCP 10.244.1.3:8080 weight=1\n");
}

static void audits_are_measured(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	assert_int_equal(engine_stats(w->engine)->audit_us, 0);
	world_restart_with(w, (struct engine_config){ .clock_us = a_clock });
	world_start(w, WEB);
	assert_int_equal(engine_stats(w->engine)->audit_us, 250);
}

static void audits_that_fail_are_waited_for_without_haste(void **state)
{
	struct world *w = *state;
	unsigned steps = 0;
	uint64_t end;

	world_start(w, "");
	w->kernel.fault = lose;
	w->kernel.dump_error = -EIO;
	fixture_load(&w->store, WEB);
	end = w->now + 3000;
	for (uint64_t wait = world_step(w); w->now < end; steps++)
		wait = world_sleep(w, wait);
	assert_true(engine_stats(w->engine)->audit_failures <= 4);
	assert_true(steps < 50);
}

/* What belongs to whom */

static void foreign_virtual_servers_are_never_touched(void **state)
{
	struct world *w = *state;
	struct fact rs = fixture_fact(FOREIGN_RS);
	struct fact_state s;

	put(w, FOREIGN "vs fwmark:7/IPv4 rr\n");
	world_start(w, WEB);
	put(w, "rs 192.0.2.1:80/TCP 192.0.2.8:80 weight=5");
	world_audit(w);
	world_expect(w, FOREIGN "vs fwmark:7/IPv4 rr\nrs 192.0.2.1:80/TCP 192.0.2.8:80 weight=5");
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).foreign, 2);
	/* Its real servers are not even read. */
	assert_false(ledger_state(engine_ledger(w->engine), &rs.key, &s));
	assert_int_equal(engine_stats(w->engine)->drift, 0);
}

/* Which marks are ours is written in our set, whatever bits we use now. */
static void marks_of_another_mask_are_known_as_ours(void **state)
{
	static const char local[] =
		"service a/web ip=10.96.0.1 type=LoadBalancer etp=Local lb=192.0.2.1 port=p80:80/TCP\n"
		"slice a/web-1 port=p80:8080/TCP ep=10.244.1.1";
	struct world *w = *state;
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };

	w->node.options.mark_mask = 0xff000;
	world_start(w, local);
	fake_kernel_print(&w->kernel, &before);
	world_restart(w);
	w->node.options.mark_mask = 0xfff00000;
	put(w, "vs fwmark:7/IPv4 rr\n");
	world_start(w, local);
	fake_kernel_print(&w->kernel, &after);
	assert_non_null(strstr(buf_str(&before), "mask=0xff000"));
	assert_null(strstr(buf_str(&after), "mask=0xff000"));
	assert_non_null(strstr(buf_str(&after), "mask=0xfff00000"));
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).foreign, 1);
}

/* A daemon that was killed before it added the member, or after it deleted it. */
static void marks_of_our_bits_are_ours(void **state)
{
	struct world *w = *state;

	put(w, "vs fwmark:1048576/IPv4 rr\nvs fwmark:1048577/IPv4 rr\n");
	w->node.options.mark_mask = 0xfff00000;
	world_start(w, WEB);
	world_expect(w, "vs fwmark:1048577/IPv4 rr\n");
	world_expect_gone(w, "vs fwmark:1048576/IPv4 rr\n");
}

static void a_foreign_virtual_server_is_adopted_with_all_that_hangs_on_it(void **state)
{
	struct world *w = *state;

	w->node.options.adopt_foreign = true;
	put(w, FOREIGN);
	world_start(w, WEB);
	world_load(w,
		"service a/ext ip=10.96.0.2 external=192.0.2.1 port=p80:80/TCP\n"
		"slice a/ext-1 port=p80:80/TCP ep=10.244.1.1");
	world_sleep(w, 100);
	world_expect(w,
		"vs 192.0.2.1:80/TCP rr\n"
		"rs 192.0.2.1:80/TCP 10.244.1.1:80 weight=1\n");
	world_expect_gone(w, FOREIGN_RS);
}

#define EXT                                                               \
	"service a/ext ip=10.96.0.2 external=192.0.2.1 port=p80:80/TCP\n" \
	"slice a/ext-1 port=p80:80/TCP ep=10.244.1.1\n"
#define EXT_REFUSED "192.0.2.1:80/TCP: a/ext refused: Foreign\n"

static void expect_refused(struct world *w)
{
	world_expect(w, FOREIGN);
	assert_non_null(strstr(world_told(w), EXT_REFUSED));
	world_expect(w, "vs 10.96.0.2:80/TCP rr\n");
	/* No member tells the next daemon that it is ours. */
	world_expect_gone(w,
		"member KUBE-EXTERNAL-IP 192.0.2.1,tcp:80\n"
		"rs 192.0.2.1:80/TCP 10.244.1.1:80 weight=1\n");
	world_forget(w);
}

/* Whether it was there first, comes before the Service, or before the operation on it. */
static void a_foreign_virtual_server_stays_its_makers(void **state)
{
	struct world *w = *state;

	put(w, FOREIGN);
	world_start(w, WEB EXT);
	expect_refused(w);

	world_restart(w);
	world_start(w, WEB);
	world_load(w, EXT);
	expect_refused(w);

	fake_kernel_remove(&w->kernel, FOREIGN_VS);
	world_restart(w);
	world_start(w, WEB);
	put(w, FOREIGN);
	world_load(w, EXT);
	expect_refused(w);
	world_audit(w);
	world_expect(w, FOREIGN);
}

/* Neither does the cluster IP of a Service that has other ports. */
/* Sets that an earlier run wrote through another interface of the kernel. */
static void earlier_members_tell_what_is_ours(void **state)
{
	struct world *w = *state;
	struct fake_kernel other;

	fake_kernel_init(&other);
	fake_kernel_put(&other, "set KUBE-EXTERNAL-IP hash:ip,port maxelem=65536");
	fake_kernel_put(&other, "member KUBE-EXTERNAL-IP 192.0.2.1,tcp:80");
	put(w, FOREIGN);
	engine_add_earlier_members(w->engine, &other.adapter);
	world_start(w, WEB EXT);
	world_expect(w, "vs 192.0.2.1:80/TCP rr\nmember KUBE-EXTERNAL-IP 192.0.2.1,tcp:80\n");
	assert_string_equal(world_told(w), "");
	engine_forget_earlier_members(w->engine);
	world_audit(w);
	world_expect(w, "vs 192.0.2.1:80/TCP rr\n");
	assert_int_equal(engine_stats(w->engine)->drift, 0);
	fake_kernel_done(&other);
}

static void a_restart_takes_no_foreign_virtual_server(void **state)
{
	static const char objects[] = "service a/two ip=10.96.0.3 port=a:80/TCP port=b:81/TCP\n"
				      "slice a/two-1 port=a:80/TCP port=b:81/TCP ep=10.244.1.1\n";
	struct world *w = *state;

	fake_kernel_put(&w->kernel, "vs 10.96.0.3:80/TCP wlc");
	for (int i = 0; i < 3; i++) {
		world_restart(w);
		world_start(w, objects);
		world_expect(w, "vs 10.96.0.3:80/TCP wlc\nvs 10.96.0.3:81/TCP rr\n");
		world_expect_gone(w, "member KUBE-CLUSTER-IP 10.96.0.3,tcp:80\n");
	}
}

static void a_foreign_virtual_server_that_goes_makes_room(void **state)
{
	struct world *w = *state;

	put(w, FOREIGN);
	world_start(w, WEB EXT);
	expect_refused(w);
	fake_kernel_remove(&w->kernel, FOREIGN_VS);
	world_audit(w);
	world_expect(w,
		"rs 192.0.2.1:80/TCP 10.244.1.1:80 weight=1\n"
		"member KUBE-EXTERNAL-IP 192.0.2.1,tcp:80\n");
}

/* A cluster IP whose sets were flushed while nobody looked still has its VIP. */
static void a_virtual_server_at_a_vip_of_ours_is_ours(void **state)
{
	static const char *const evidence[] = { "route 10.96.0.2 src=100.101.102.103\n",
		"link kube-ipvs0\naddr 10.96.0.2\n",
		"set KUBE-CLUSTER-IP hash:ip,port maxelem=65536\n"
		"member KUBE-CLUSTER-IP 10.96.0.2,tcp:80\n" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(evidence); i++) {
		fake_kernel_done(&w->kernel);
		fake_kernel_init(&w->kernel);
		put(w, "vs 10.96.0.2:80/TCP wlc\n");
		put(w, evidence[i]);
		world_restart(w);
		world_start(w, EXT);
		world_expect(w, "vs 10.96.0.2:80/TCP rr\n");
		assert_string_equal(world_told(w), "");
	}
}

/* Somebody deleted both the member and the VIP while nobody looked. */
static void a_virtual_server_as_it_should_be_at_a_cluster_ip_is_ours(void **state)
{
	struct world *w = *state;

	put(w,
		"set KUBE-CLUSTER-IP hash:ip,port maxelem=65536\n"
		"member KUBE-CLUSTER-IP 10.96.0.9,tcp:80\n"
		"vs 10.96.0.2:80/TCP rr\n");
	world_start(w, EXT);
	assert_string_equal(world_told(w), "");
	world_expect(w,
		"member KUBE-CLUSTER-IP 10.96.0.2,tcp:80\n"
		"route 10.96.0.2 src=100.101.102.103\n");
}

static void add_foreign(struct fake_kernel *k, enum fact_kind kind, void *arg)
{
	(void)arg;
	if (kind != FACT_RS)
		return;
	fake_kernel_put(k, FOREIGN_VS);
	fake_kernel_put(k, FOREIGN_RS);
}

static void one_that_comes_up_in_the_middle_of_an_audit_keeps_its_real_servers(void **state)
{
	struct world *w = *state;

	world_start(w, WEB);
	w->kernel.before_dump = add_foreign;
	world_audit(w);
	w->kernel.before_dump = NULL;
	world_expect(w, FOREIGN);
	world_audit(w);
	world_expect(w, FOREIGN);
}

static void leftovers_are_known_by_their_set_members(void **state)
{
	struct world *w = *state;

	put(w,
		"link kube-ipvs0\n" SET_CIP "\n" SET_IPS "\n"
		"set KUBE-EXTERNAL-IP hash:ip,port maxelem=65536\n"
		"set KUBE-LOAD-BALANCER hash:ip,port maxelem=65536\n"
		"set KUBE-NODE-PORT-TCP bitmap:port\n"
		"set KUBE-NODE-PORT-SCTP-HASH hash:ip,port maxelem=65536\n"
		"member KUBE-CLUSTER-IP 10.96.0.9,tcp:80\n"
		"member KUBE-EXTERNAL-IP 50.60.70.81,udp:53\n"
		"member KUBE-LOAD-BALANCER 1.2.3.4,tcp:443\n"
		"member KUBE-NODE-PORT-TCP 30001\n"
		"member KUBE-NODE-PORT-SCTP-HASH 100.101.102.103,sctp:30002\n"
		"vs 10.96.0.9:80/TCP rr\n"
		"rs 10.96.0.9:80/TCP 10.244.1.1:80 weight=1\n"
		"vs 50.60.70.81:53/UDP rr\n"
		"vs 1.2.3.4:443/TCP rr\n"
		"vs 100.101.102.103:30001/TCP rr\n"
		"vs 100.101.102.103:30002/SCTP rr\n"
		"route 10.96.0.9\n" FOREIGN "vs 10.96.0.9:81/TCP rr\n" /* another port, */
		"vs 10.96.0.9:80/UDP rr\n"			       /* another protocol */
		"vs 192.0.2.7:30001/TCP rr\n" /* and an address that is not the node's */
		"vs 100.101.102.103:30001/UDP rr\n");
	world_start(w, WEB);
	world_expect_gone(w,
		"member KUBE-CLUSTER-IP 10.96.0.9,tcp:80\n"
		"member KUBE-NODE-PORT-TCP 30001\n"
		"vs 10.96.0.9:80/TCP rr\n"
		"rs 10.96.0.9:80/TCP 10.244.1.1:80 weight=1\n"
		"vs 50.60.70.81:53/UDP rr\n"
		"vs 1.2.3.4:443/TCP rr\n"
		"vs 100.101.102.103:30001/TCP rr\n"
		"vs 100.101.102.103:30002/SCTP rr\n"
		"route 10.96.0.9\n");
	world_expect(w,
		FOREIGN "vs 10.96.0.9:81/TCP rr\n"
			"vs 10.96.0.9:80/UDP rr\n"
			"vs 192.0.2.7:30001/TCP rr\n"
			"vs 100.101.102.103:30001/UDP rr\n");
	world_expect(w, CIP IPS VS RS1 RS2 ROUTE);
}

static void excluded_ranges_are_left_alone(void **state)
{
	struct world *w = *state;

	put(w,
		"link kube-ipvs0\n" SET_CIP "\n" SET_IPS "\n"
		"member KUBE-CLUSTER-IP 10.96.9.9,tcp:80\n"
		"member KUBE-IPVS-IPS 10.96.9.9\n"
		"vs 10.96.9.9:80/TCP rr\n"
		"rs 10.96.9.9:80/TCP 10.244.1.1:80 weight=1\n"
		"addr 10.96.9.9\n");
	w->node.options.exclude[w->node.options.n_exclude++] = fixture_cidr("10.96.9.0/24");
	world_start(w, WEB);
	engine_release_all(w->engine);
	world_step(w);
	world_expect(w,
		"link kube-ipvs0\n"
		"vs 10.96.9.9:80/TCP rr\n"
		"rs 10.96.9.9:80/TCP 10.244.1.1:80 weight=1\n"
		"addr 10.96.9.9\n");
	world_expect_gone(w, VS ROUTE);
}

/* kube-proxy as it leaves a node, with one Service that is still there and one that is not. */
static void a_node_is_taken_over_from_kube_proxy_in_place(void **state)
{
	struct world *w = *state;
	const char *log;

	put(w,
		"link kube-ipvs0\n"
		"set KUBE-CLUSTER-IP hash:ip,port maxelem=65536\n"
		"set KUBE-IPVS-IPS hash:ip maxelem=65536\n" CIP IPS
		"member KUBE-CLUSTER-IP 10.96.0.9,tcp:80\n"
		"member KUBE-IPVS-IPS 10.96.0.9\n" VS RS1
		"rs 10.96.0.1:80/TCP 10.244.1.2:8080 weight=0\n"
		"vs 10.96.0.9:80/TCP rr\n"
		"addr 10.96.0.1\n"
		"addr 10.96.0.9\n"
		"addr 192.0.2.77\n"); /* somebody else's, on kube-proxy's device */
	world_start(w, WEB);
	world_expect(w, CIP IPS VS RS1 RS2 ROUTE "addr 192.0.2.77\nlink kube-ipvs0\n");
	world_expect_gone(w,
		"addr 10.96.0.1\naddr 10.96.0.9\nvs 10.96.0.9:80/TCP rr\n"
		"member KUBE-IPVS-IPS 10.96.0.9\n");
	log = world_log(w);
	/* No connection is lost: what stays was not touched, and the route came first. */
	assert_null(strstr(log, "add " VS));
	assert_null(strstr(log, "delete " VS));
	assert_null(strstr(log, "delete " RS1));
	assert_null(strstr(log, "delete " CIP));
	assert_true(strstr(log, "add " ROUTE) < strstr(log, "delete addr 10.96.0.1\n"));
	assert_true(strstr(log, "delete addr 10.96.0.9\n") <
		strstr(log, "delete vs 10.96.0.9:80/TCP rr\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(audits_come_in_their_interval_and_on_request),
		WORLD_TEST(one_of_some_kinds_reads_no_others),
		WORLD_TEST(a_vanished_virtual_server_comes_back_whole),
		WORLD_TEST(changed_values_are_set_back),
		WORLD_TEST(what_others_put_behind_our_address_goes),
		WORLD_TEST(deleted_members_come_back),
		WORLD_TEST(a_deleted_set_comes_back_with_its_members),
		WORLD_TEST(flushed_and_deleted_chains_are_filled_again),
		WORLD_TEST(a_dump_that_fails_later_concludes_nothing),
		WORLD_TEST(real_servers_that_cannot_be_read_hold_up_no_other_repair),
		WORLD_TEST(real_servers_are_read_between_other_work),
		WORLD_TEST(a_virtual_server_may_vanish_between_two_steps),
		WORLD_TEST(what_nobody_has_changed_is_not_read),
		WORLD_TEST(what_is_in_doubt_is_read),
		WORLD_TEST(real_servers_that_nobody_has_changed_are_not_told),
		WORLD_TEST(audits_are_measured),
		WORLD_TEST(audits_that_fail_are_waited_for_without_haste),
		WORLD_TEST(foreign_virtual_servers_are_never_touched),
		WORLD_TEST(marks_of_another_mask_are_known_as_ours),
		WORLD_TEST(marks_of_our_bits_are_ours),
		WORLD_TEST(a_foreign_virtual_server_is_adopted_with_all_that_hangs_on_it),
		WORLD_TEST(a_foreign_virtual_server_stays_its_makers),
		WORLD_TEST(earlier_members_tell_what_is_ours),
		WORLD_TEST(a_restart_takes_no_foreign_virtual_server),
		WORLD_TEST(a_foreign_virtual_server_that_goes_makes_room),
		WORLD_TEST(a_virtual_server_at_a_vip_of_ours_is_ours),
		WORLD_TEST(a_virtual_server_as_it_should_be_at_a_cluster_ip_is_ours),
		WORLD_TEST(one_that_comes_up_in_the_middle_of_an_audit_keeps_its_real_servers),
		WORLD_TEST(leftovers_are_known_by_their_set_members),
		WORLD_TEST(excluded_ranges_are_left_alone),
		WORLD_TEST(a_node_is_taken_over_from_kube_proxy_in_place),
	};

	return cmocka_run_group_tests_name("engine_audit", tests, NULL, NULL);
}
