// SPDX-License-Identifier: GPL-2.0-or-later
/* A Service with many slices, of which some are resolved by themselves: the result is that of an
 * engine that sees the same objects for the first time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/publication.h"
#include "world.h"

enum { SLICES = 12, ENDPOINTS = 5, CHANGES = 400 };

static unsigned seed;

static unsigned draw(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* What is drawn of the endpoints, in so many of a hundred. */
struct odds {
	const char *service;
	const char *ports; /* of most slices */
	unsigned shared;   /* an address that any slice may have */
	unsigned unready, here, hinted, other_ports, gone;
	bool ipv6; /* as well: of every third slice */
};

/* An empty line: the slice does not exist. */
static void draw_slice(const struct odds *o, unsigned number, struct buf *ret)
{
	static const char *const states[] = { "-", "s", "st", "r", "rst" };

	buf_reset(ret);
	if (draw(100) < o->gone)
		return;
	buf_addf(ret, "slice a/web-%02u service=web %s", number,
		draw(100) < o->other_ports ? "port=p0:9090/TCP" : o->ports);
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		const bool shared = draw(100) < o->shared;

		if (draw(3) == 0)
			continue;
		buf_addf(ret,
			o->ipv6 && number % 3 == 0 ? " ep=2012::%u:%u@%s" : " ep=10.244.%u.%u@%s",
			shared ? 200 : number, shared ? draw(20) + 1 : i + 1,
			draw(100) < o->here ? "test-node" : "other");
		if (draw(100) < o->unready)
			buf_addf(ret, ",%s", states[draw(ARRAY_SIZE(states))]);
		else
			buf_adds(ret, ",rs");
		if (draw(100) < o->hinted)
			buf_addf(ret, ",z=%s", draw(2) ? "zone-a" : "zone-b");
	}
}

static const struct publication *published(const struct world *w)
{
	return store_find(&w->store, "a", "web")->published;
}

/* The kernel's state without the sizes of sets, which depend on what they once had. */
static void print_world(const struct world *w, struct buf *ret)
{
	_cleanup_(buf_done) struct buf all = { 0 };
	const struct publication *pub = published(w);

	fake_kernel_print(&w->kernel, &all);
	buf_reset(ret);
	for (const char *line = buf_str(&all); *line;) {
		const size_t len = strcspn(line, "\n") + 1;

		if (strncmp(line, "set ", 4) != 0)
			buf_add(ret, line, len);
		line += len;
	}
	for (size_t i = 0; i < pub->n_unready; i++) {
		char s[IP_PORT_STRLEN];

		buf_addf(ret, "not ready %s\n",
			ip_print_port(&pub->unready[i].ip, pub->unready[i].port, s));
	}
}

static void assert_as_new(const struct world *w, const char *service, const struct buf *slices)
{
	_cleanup_(buf_done) struct buf lines = { 0 }, got = { 0 }, want = { 0 };
	const struct endpoint_sum *a, *b;
	void *state;
	struct world *fresh;

	buf_addf(&lines, "%s\n", service);
	for (unsigned i = 0; i < SLICES; i++)
		if (slices[i].len)
			buf_addf(&lines, "%s\n", buf_str(&slices[i]));
	assert_int_equal(world_setup(&state), 0);
	fresh = state;
	fresh->node.view.ipv6 = w->node.view.ipv6;
	world_start(fresh, buf_str(&lines));
	print_world(w, &got);
	print_world(fresh, &want);
	assert_string_equal(buf_str(&got), buf_str(&want));
	assert_int_equal(published(w)->claims.n, published(fresh)->claims.n);
	assert_int_equal(engine_stats(w->engine)->unserved, engine_stats(fresh->engine)->unserved);
	a = published(w)->sums;
	b = published(fresh)->sums;
	if (a && b)
		assert_memory_equal(a, b, 2 * sizeof(*a));
	world_teardown(&state);
}

/* Returns how many changes were resolved slice by slice. */
static unsigned change_at_random(struct world *w, const struct odds *o)
{
	struct buf slices[SLICES] = { { 0 } };
	_cleanup_(buf_done) struct buf lines = { 0 };
	uint64_t before;

	buf_addf(&lines, "%s\n", o->service);
	for (unsigned i = 0; i < SLICES; i++) {
		draw_slice(o, i, &slices[i]);
		if (slices[i].len)
			buf_addf(&lines, "%s\n", buf_str(&slices[i]));
	}
	w->node.view.ipv6 = o->ipv6;
	world_start(w, buf_str(&lines));
	before = engine_stats(w->engine)->part_resolves;
	for (unsigned n = 0; n < CHANGES; n++) {
		buf_reset(&lines);
		for (unsigned k = draw(3) + 1; k; k--) {
			const unsigned i = draw(SLICES);
			char name[16];

			draw_slice(o, i, &slices[i]);
			snprintf(name, sizeof(name), "web-%02u", i);
			if (slices[i].len)
				fixture_load(&w->store, buf_str(&slices[i]));
			else
				store_delete_slice(&w->store, SLICE_ENDPOINT_SLICE, "a", name);
		}
		if (draw(20) == 0)
			store_mark_all_dirty(&w->store);
		world_load(w, draw(20) ? "" : o->service);
		assert_as_new(w, o->service, slices);
	}
	for (unsigned i = 0; i < SLICES; i++)
		buf_done(&slices[i]);
	return (unsigned)(engine_stats(w->engine)->part_resolves - before);
}

static void plain_slices_are_resolved_by_themselves(void **state)
{
	static const struct odds odds[] = {
		{ .service = "service a/web ip=10.20.30.41 port=p0:80/TCP",
			.ports = "port=p0:8080/TCP",
			.unready = 20,
			.here = 20 },
		{ .service = "service a/web ip=10.20.30.41 type=NodePort port=p0:80/TCP:30001 "
			     "port=p1:443/TCP:30002 affinity=60",
			.ports = "port=p0:8080/TCP port=p1:8443/TCP",
			.unready = 50,
			.here = 50 },
		{ .service = "service a/web ip=10.20.30.41,2020::1 port=p0:80/TCP",
			.ports = "port=p0:8080/TCP",
			.unready = 20,
			.here = 20,
			.ipv6 = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(odds); i++) {
		seed = (unsigned)i + 1;
		world_teardown(state);
		world_setup(state);
		assert_true(change_at_random(*state, &odds[i]) > CHANGES / 2);
	}
}

static void other_slices_are_resolved_with_the_rest(void **state)
{
	static const struct odds odds[] = {
		/* Addresses that other slices have, or had */
		{ .service = "service a/web ip=10.20.30.41 port=p0:80/TCP",
			.ports = "port=p0:8080/TCP",
			.shared = 10,
			.unready = 30,
			.here = 20 },
		/* Hints, and slices that come and go or have other ports */
		{ .service = "service a/web ip=10.20.30.41 port=p0:80/TCP",
			.ports = "port=p0:8080/TCP",
			.shared = 2,
			.unready = 20,
			.hinted = 97,
			.gone = 3 },
		{ .service = "service a/web ip=10.20.30.41 port=p0:80/TCP port=p1:443/TCP",
			.ports = "port=p0:8080/TCP port=p1:8080/TCP",
			.other_ports = 2,
			.unready = 90,
			.here = 50,
			.gone = 2 },
		/* Policies, external addresses, UDP */
		{ .service = "service a/web ip=10.20.30.41 itp=Local port=p0:80/TCP",
			.ports = "port=p0:8080/TCP",
			.unready = 20,
			.here = 10 },
		{ .service = "service a/web ip=10.20.30.41 external=50.60.70.81 port=p0:80/TCP",
			.ports = "port=p0:8080/TCP",
			.unready = 20,
			.here = 10 },
		{ .service = "service a/web ip=10.20.30.41 port=p0:53/UDP",
			.ports = "port=p0:53/UDP",
			.unready = 20 },
		/* All of them may be not ready */
		{ .service = "service a/web ip=10.20.30.41 port=p0:80/TCP",
			.ports = "port=p0:8080/TCP",
			.unready = 98,
			.here = 20 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(odds); i++) {
		seed = (unsigned)i + 100;
		world_teardown(state);
		world_setup(state);
		change_at_random(*state, &odds[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(plain_slices_are_resolved_by_themselves),
		WORLD_TEST(other_slices_are_resolved_with_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
