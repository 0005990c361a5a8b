// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets have room for their members, and otherwise the size with which kube-proxy creates them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

enum { ADDRESSES = 32, RANGES = 32, MEMBERS = ADDRESSES * RANGES /* of each Service */ };

#define SET "set KUBE-LOAD-BALANCER-SOURCE-CIDR hash:ip,port,net maxelem="

/* A set in the fake kernel that is as strict as one in the kernel. */
struct strict_set {
	size_t room, members;
};

static bool is_of_set(const struct fact_key *key, enum fact_kind kind)
{
	return key->kind == kind && key->set == SET_LOAD_BALANCER_SOURCE_CIDR;
}

static int refuse_what_has_no_room(const struct op *op, void *arg)
{
	struct strict_set *s = arg;
	const struct fact_key *key = &op->fact.key;

	if (is_of_set(key, FACT_SET) && op->type != OP_DEL) {
		if (op->fact.val.set.max_members < s->members)
			return -ENOSPC;
		s->room = op->fact.val.set.max_members;
	}
	if (is_of_set(key, FACT_MEMBER) && op->type == OP_ADD && s->members++ == s->room)
		return -ENOSPC;
	if (is_of_set(key, FACT_MEMBER) && op->type == OP_DEL)
		s->members--;
	return 0;
}

/* Services with load balancer addresses and ranges: a member of the set for each pair of these. */
static void load_services(struct world *w, int first, int last, int ranges)
{
	for (int i = first; i <= last; i++) {
		_cleanup_(buf_done) struct buf b = { 0 };

		buf_addf(&b, "service a/s%d type=LoadBalancer ip=10.96.0.%d port=p:80/TCP", i, i);
		for (int k = 0; k < ADDRESSES; k++)
			buf_addf(&b, "%s203.0.%d.%d", k ? "," : " lb=", i, k);
		for (int k = 0; k < ranges; k++)
			buf_addf(&b, "%s10.0.%d.0/24", k ? "," : " ranges=", k);
		fixture_load(&w->store, buf_str(&b));
	}
}

static void the_room_of_a_set_is_that_of_kube_proxy_or_a_power_of_two(void **state)
{
	static const struct {
		size_t n;
		uint32_t now, room;
	} cases[] = {
		{ 0, 0, 65536 },
		{ 65536, 0, 65536 },
		{ 65537, 0, 131072 },
		{ 65537, 65536, 131072 },
		{ 1048577, 0, 2097152 },
		/* What is larger than it has to be stays so while it would soon grow again. */
		{ 65536, 131072, 131072 },
		{ 57345, 131072, 131072 },
		{ 57344, 131072, 65536 },
		{ 57344, 1048576, 65536 },
		{ 60000, 1048576, 131072 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(set_room(cases[i].n, cases[i].now), cases[i].room);
		assert_int_equal(set_room(cases[i].n, cases[i].room), cases[i].room);
	}
}

static void a_set_grows_before_its_members_come_and_shrinks_after_they_go(void **state)
{
	struct world *w = *state;
	struct strict_set strict = { 0 };

	w->kernel.fault = refuse_what_has_no_room;
	w->kernel.arg = &strict;
	load_services(w, 1, 60, RANGES);
	world_start(w, "");
	world_expect(w, SET "65536");
	load_services(w, 61, 70, RANGES);
	world_step(w);
	world_expect(w, SET "131072");
	load_services(w, 60, 70, 0);
	world_step(w);
	world_expect(w, SET "131072");
	load_services(w, 50, 59, 0);
	world_step(w);
	world_expect(w, SET "65536");
	assert_int_equal(strict.members, 49 * MEMBERS);
	assert_string_equal(world_told(w), "");
}

static void a_restart_keeps_the_size_that_is_needed(void **state)
{
	struct world *w = *state;

	load_services(w, 1, 66, RANGES);
	world_start(w, "");
	world_expect(w, SET "131072");
	world_restart(w);
	load_services(w, 1, 66, RANGES);
	world_forget(w);
	world_start(w, "");
	assert_string_equal(world_log(w), "");
}

/* Nobody wants the members that an earlier run left. */
static void a_set_shrinks_after_a_restart_once_its_members_are_gone(void **state)
{
	struct world *w = *state;
	struct strict_set strict = { .room = 131072, .members = 66 * MEMBERS };

	load_services(w, 1, 66, RANGES);
	world_start(w, "");
	world_restart(w);
	w->kernel.fault = refuse_what_has_no_room;
	w->kernel.arg = &strict;
	load_services(w, 1, 1, RANGES);
	load_services(w, 2, 66, 0);
	world_start(w, "");
	world_expect(w, SET "65536");
	assert_int_equal(strict.members, MEMBERS);
	assert_string_equal(world_told(w), "");
}

/* An earlier version made all sets with room for 1048576 members. */
static void the_sets_of_an_earlier_version_become_those_of_kube_proxy(void **state)
{
	struct world *w = *state;

	fake_kernel_put(&w->kernel, SET "1048576");
	world_start(w, "");
	world_expect(w, SET "65536");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_room_of_a_set_is_that_of_kube_proxy_or_a_power_of_two),
		WORLD_TEST(a_set_grows_before_its_members_come_and_shrinks_after_they_go),
		WORLD_TEST(a_restart_keeps_the_size_that_is_needed),
		WORLD_TEST(a_set_shrinks_after_a_restart_once_its_members_are_gone),
		WORLD_TEST(the_sets_of_an_earlier_version_become_those_of_kube_proxy),
	};

	return cmocka_run_group_tests_name("sets", tests, NULL, NULL);
}
