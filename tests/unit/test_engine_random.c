// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Churn: random changes of Services and endpoints through the whole engine, with conflicts over
 * addresses and node ports, operations that fail, answers that are lost, dumps that break off, a
 * daemon that is killed in the middle, and others who delete and change what is ours. Whenever it
 * is let alone, the kernel must come to hold exactly what a new engine makes of the same objects on
 * an empty one, besides what belongs to others, and nothing may be left over in memory.
 *
 * An argument is the number of changes, a second one the seed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "world.h"

enum {
	CHANGES = 20000,
	CHANGES_A_ROUND = 500, /* between two looks at the result */
	SERVICES = 30,
	SLICES = 2, /* of each */
	ALL_OBJECTS = SERVICES * (1 + SLICES),
	DAY = 86400000, /* longer than any draining or back-off, ms */
	INTERVAL = 30000,
};

#define OTHERS                                          \
	"vs 198.51.100.9:80/TCP rr\n"                   \
	"rs 198.51.100.9:80/TCP 10.9.9.9:80 weight=3\n" \
	"vs 100.101.102.103:8888/UDP wlc\n"

/* A line each; empty: does not exist. */
static struct buf objects[ALL_OBJECTS];

struct churn {
	struct world *world;
	uint64_t random;
	size_t fails_from; /* operations that are left until all fail: the daemon is about to die */
	bool faults, marks, ports, let_alone;
	/* Of sets and chains in the world's kernel, where regular audits shall skip what nobody has
	 * changed; without an apply() there are no regular audits. */
	struct adapter counting;
	uint64_t epoch;
	bool sets_broken; /* members may be missing from our sets, or be gone before what they stand
			     for */
	struct {
		size_t kills, deletions, faults;
	} count;
};

static unsigned long changes = CHANGES, seed = 1;

/* splitmix64 */
static unsigned rnd(struct churn *c, unsigned n)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) >> 32) % n;
}

static bool chance(struct churn *c, unsigned one_in)
{
	return !rnd(c, one_in);
}

static int fault(const struct op *op, void *arg)
{
	static const int answers[] = { -EIO, -ENOMEM, -EBUSY, FAKE_ANSWER_LOST };
	struct churn *c = arg;

	(void)op;
	if (c->fails_from && !--c->fails_from) {
		c->fails_from = 1;
		return -EIO;
	}
	if (!c->faults || !chance(c, 30))
		return 0;
	c->count.faults++;
	c->sets_broken = true;
	return answers[rnd(c, ARRAY_SIZE(answers))];
}

static uint32_t active(const struct fact_key *rs, void *arg)
{
	struct churn *c = arg;

	(void)rs;
	return c->let_alone ? 0 : rnd(c, 2);
}

/* ---- The cluster ---- */

static void make_service(struct churn *c, unsigned i, struct buf *b)
{
	static const char *const types[] = { "ClusterIP", "NodePort", "LoadBalancer" };
	static const char *const schedulers[] = { "wrr", "mh", "lc" };

	buf_addf(b, "service n/s%u ip=10.96.0.%u type=%s created=%u", i, i + 1, types[rnd(c, 3)],
		1 + rnd(c, 50));
	buf_addf(b, " port=a:%u/TCP", 80 + rnd(c, 3));
	if (chance(c, 2))
		buf_addf(b, ":%u", 30000 + rnd(c, 20));
	if (chance(c, 2))
		buf_addf(b, " port=b:53/UDP");
	if (chance(c, 3))
		buf_addf(b, " external=192.0.2.%u", 1 + rnd(c, 4));
	/* Addresses of others: a cluster IP, an endpoint, the node. */
	if (chance(c, 6))
		buf_addf(b, " external=10.96.0.%u", 1 + rnd(c, SERVICES));
	if (chance(c, 6))
		buf_addf(b, " external=198.18.0.%u", 1 + rnd(c, 3));
	if (chance(c, 6))
		buf_addf(b, " external=100.101.102.103 port=c:%u/TCP", 30000 + rnd(c, 20));
	if (chance(c, 6))
		buf_addf(b, " type=LoadBalancer etp=Local healthcheck=%u", 30000 + rnd(c, 20));
	if (chance(c, 3))
		buf_addf(b, " lb=203.0.113.%u", 1 + rnd(c, 8));
	if (chance(c, 4))
		buf_adds(b, " etp=Local");
	if (chance(c, 6))
		buf_adds(b, " itp=Local");
	if (chance(c, 6))
		buf_adds(b, " ranges=10.0.0.0/8,172.16.0.0/12");
	if (chance(c, 4))
		buf_addf(b, " scheduler=%s", schedulers[rnd(c, ARRAY_SIZE(schedulers))]);
	if (chance(c, 6))
		buf_addf(b, " affinity=%u", 10 + rnd(c, 3));
	if (chance(c, 4))
		buf_addf(b, " drain=%u", 1000 * rnd(c, 3));
	buf_addc(b, '\n');
}

static void make_slice(struct churn *c, unsigned i, unsigned part, struct buf *b)
{
	static const char *const states[] = { "", ",-", ",st", ",s", ",r" };

	buf_addf(b, "slice n/s%u-%u port=a:%u/TCP port=b:5353/UDP", i, part, 8080 + rnd(c, 2));
	if (chance(c, 4))
		buf_addf(b, " port=c:%u/TCP ep=198.18.0.%u", 80 + rnd(c, 3), 1 + rnd(c, 3));
	for (unsigned k = rnd(c, 5); k; k--)
		buf_addf(b, " ep=10.244.%u.%u@%s%s", part, 1 + rnd(c, 6),
			chance(c, 2) ? "test-node" : "other",
			states[chance(c, 2) ? 0 : rnd(c, ARRAY_SIZE(states))]);
	if (chance(c, 5))
		buf_addf(b, " weight=%u", rnd(c, 3));
	buf_addc(b, '\n');
}

static void delete_object(struct churn *c, unsigned i, unsigned part)
{
	char name[16];

	snprintf(name, sizeof(name), part ? "s%u-%u" : "s%u", i, part);
	if (part)
		store_delete_slice(&c->world->store, SLICE_ENDPOINT_SLICE, "n", name);
	else
		store_delete_service(&c->world->store, "n", name);
}

static void change_object(struct churn *c)
{
	unsigned i = rnd(c, SERVICES), part = chance(c, 4) ? 0 : 1 + rnd(c, SLICES);
	struct buf *b = &objects[i * (1 + SLICES) + part];

	buf_reset(b);
	if (chance(c, 4)) {
		delete_object(c, i, part);
		return;
	}
	if (part)
		make_slice(c, i, part, b);
	else
		make_service(c, i, b);
	fixture_load(&c->world->store, buf_str(b));
}

static void load_all(struct world *w)
{
	for (size_t i = 0; i < ALL_OBJECTS; i++)
		fixture_load(&w->store, buf_str(&objects[i]));
	engine_fed(w->engine);
}

/* ---- The kernel and the daemon ---- */

static bool is_others(const struct fact *f)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	fact_print(&line, f);
	return strstr(OTHERS, buf_str(&line));
}

/* Somebody deletes something of ours, or changes a weight. */
static void meddle(struct churn *c)
{
	struct fake_kernel *k = &c->world->kernel;
	_cleanup_free_ struct fact *facts = fake_kernel_list(k);
	struct fact f;
	bool of_a_set;

	f = facts[rnd(c, (unsigned)k->n_facts)];
	of_a_set = f.key.kind == FACT_SET || f.key.kind == FACT_MEMBER;
	/* A daemon that has not read the kernel yet knows from the sets alone what is its own. */
	if (is_others(&f) || (of_a_set && !engine_stats(c->world->engine)->last_audit))
		return;
	c->count.deletions++;
	if (f.key.kind == FACT_RS && chance(c, 2)) {
		f.val.rs.weight += 5;
		fake_kernel_put_fact(k, &f);
		return;
	}
	c->sets_broken |= of_a_set;
	c->epoch++;
	fake_kernel_remove_key(k, &f.key);
}

static void counting_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct churn *c = container_of(a, struct churn, counting);
	struct adapter *kernel = &c->world->kernel.adapter;

	kernel->apply(kernel, ops, n);
	for (size_t i = 0; i < n; i++)
		c->epoch += ops[i].result != 0;
}

static int counting_dump(
	struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	struct churn *c = container_of(a, struct churn, counting);
	struct adapter *kernel = &c->world->kernel.adapter;

	return kernel->dump(kernel, kind, fn, arg, err);
}

static uint64_t counting_epoch(struct adapter *a)
{
	return container_of(a, struct churn, counting)->epoch;
}

static void begin_counting(struct churn *c)
{
	c->epoch = 1;
	c->counting = (struct adapter){
		.name = "counting",
		.kinds = 1u << FACT_SET | 1u << FACT_MEMBER | 1u << FACT_CHAIN | 1u << FACT_JUMP,
		.apply = counting_apply,
		.dump = counting_dump,
		.epoch = counting_epoch,
	};
}

static void start(struct churn *c, struct world *w)
{
	const bool counts = c->counting.apply && w == c->world;

	world_restart_with(w,
		(struct engine_config){ .drain = true, .audit_interval = counts ? INTERVAL : 0 });
	if (counts)
		engine_add_adapter(w->engine, &c->counting);
	w->node.options.drain_timeout = 3000;
	w->node.options.mark_mask = c->marks ? 0xfff00000 : 0;
	w->node.options.external_addresses = c->ports ? EXTERNAL_PORTS : EXTERNAL_LOCAL;
	load_all(w);
}

/*
 * It dies after some more operations. Whose virtual servers are is written in the sets alone: where
 * members are missing, because somebody took them or an operation failed, and nobody remembers,
 * what they stood for stays.
 */
static void kill_daemon(struct churn *c)
{
	if (c->sets_broken)
		return;
	c->fails_from = 1 + rnd(c, 40);
	engine_step(c->world->engine, c->world->now);
	c->fails_from = 0;
	c->count.kills++;
	start(c, c->world);
}

static void step(struct churn *c)
{
	const struct engine_stats *stats = engine_stats(c->world->engine);
	uint64_t audits = stats->audits;

	c->world->now += rnd(c, 2000);
	c->world->kernel.dump_error = chance(c, 50) ? -EIO : 0;
	c->world->kernel.dump_error_kind = rnd(c, FACT_KINDS);
	engine_step(c->world->engine, c->world->now);
	c->world->kernel.dump_error = 0;
	if (stats->audits != audits && !ledger_counts(engine_ledger(c->world->engine)).pending &&
		!engine_stats(c->world->engine)->draining)
		c->sets_broken = false;
}

static void do_something(struct churn *c)
{
	switch (rnd(c, 40)) {
	case 0:
		meddle(c);
		break;
	case 1:
		engine_request_audit(c->world->engine, FACT_ALL_KINDS);
		break;
	case 2:
		kill_daemon(c);
		break;
	default:
		break;
	}
	change_object(c);
	if (chance(c, 3))
		step(c);
}

/* ---- The result ---- */

/* No faults any more, and time for everything that waits. */
static void let_alone(struct churn *c)
{
	struct world *w = c->world;

	c->faults = false;
	c->let_alone = true;
	if (!c->counting.apply)
		world_audit(w);
	for (uint64_t until = w->now + DAY, wait; w->now < until; w->now += wait) {
		wait = world_step(w);
		if (wait == UINT64_MAX)
			break;
	}
	if (!c->counting.apply)
		world_audit(w);
	c->sets_broken = c->let_alone = false;
}

static char *print(const struct fake_kernel *k)
{
	struct buf b = { 0 };

	fake_kernel_print(k, &b);
	return buf_take(&b);
}

static void put_others(struct world *w)
{
	_cleanup_free_ char *copy = mem_strdup(OTHERS);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		fake_kernel_put(&w->kernel, l);
}

/* Which marks were given to whom is history; how many facts there are is not. */
static void assert_like_new(struct churn *c, unsigned long done)
{
	struct world *w = c->world, *new;
	_cleanup_free_ char *found = NULL, *wanted = NULL;

	world_setup((void **)&new);
	put_others(new);
	start(c, new);
	world_step(new);
	found = print(&w->kernel);
	wanted = print(&new->kernel);
	if (w->kernel.n_facts != new->kernel.n_facts || (!c->marks && strcmp(found, wanted) != 0)) {
		fprintf(stderr, "after %lu changes, seed %lu: found\n%s\nwanted\n%s\n", done, seed,
			found, wanted);
		fail_msg("the kernel does not hold what it should");
	}
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).facts,
		ledger_counts(engine_ledger(new->engine)).facts);
	assert_int_equal(ledger_counts(engine_ledger(w->engine)).pending, 0);
	assert_int_equal(engine_stats(w->engine)->draining, 0);
	world_teardown((void **)&new);
}

/* Two Services on one address may change their marks, as the set knows that of one only. */
static void assert_nothing_to_do_after_restart(struct churn *c)
{
	world_forget(c->world);
	start(c, c->world);
	world_step(c->world);
	if (!c->marks)
		assert_string_equal(world_log(c->world), "");
}

static void one_round(struct churn *c, unsigned long done)
{
	c->faults = chance(c, 2);
	for (int i = 0; i < CHANGES_A_ROUND; i++)
		do_something(c);
	let_alone(c);
	assert_like_new(c, done);
	assert_nothing_to_do_after_restart(c);
	world_expect(c->world, OTHERS);
}

static void churn(void **state, bool marks, bool ports, bool counting)
{
	struct churn c = { .world = *state, .random = seed, .marks = marks, .ports = ports };

	if (counting)
		begin_counting(&c);
	c.world->kernel.fault = fault;
	c.world->kernel.active = active;
	c.world->kernel.arg = &c;
	put_others(c.world);
	start(&c, c.world);
	for (unsigned long done = 0; done < changes / 4; done += CHANGES_A_ROUND)
		one_round(&c, done);
	print_message("# %zu kills, %zu foreign deletions and changes, %zu faults\n", c.count.kills,
		c.count.deletions, c.count.faults);
}

static void without_marks(void **state)
{
	churn(state, false, false, false);
}

static void with_marks(void **state)
{
	churn(state, true, true, false);
}

static void with_ports_of_external_addresses(void **state)
{
	churn(state, false, true, false);
}

static void with_audits_of_what_has_changed(void **state)
{
	churn(state, false, true, true);
}

static int teardown(void **state)
{
	for (size_t i = 0; i < ALL_OBJECTS; i++)
		buf_done(&objects[i]);
	return world_teardown(state);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_marks, world_setup, teardown),
		cmocka_unit_test_setup_teardown(with_marks, world_setup, teardown),
		cmocka_unit_test_setup_teardown(
			with_ports_of_external_addresses, world_setup, teardown),
		cmocka_unit_test_setup_teardown(
			with_audits_of_what_has_changed, world_setup, teardown),
	};

	if (argc > 1)
		changes = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
