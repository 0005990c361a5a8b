// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/http_pool.h"

enum { START = 1000000 };

static uint64_t now;

static uint64_t test_clock(void)
{
	return now;
}

/* A connection without a socket. */
struct client {
	struct http_slot slot;
	struct http_pool *pool;
	bool sends; /* at this moment */
	bool gone;
};

static bool evict(struct http_slot *slot)
{
	struct client *c = container_of(slot, struct client, slot);

	assert_false(c->gone);
	if (c->sends)
		return false;
	c->gone = true;
	http_pool_remove(c->pool, slot);
	return true;
}

struct fixture {
	struct http_pool *pool;
	struct client *clients;
	size_t n;
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	now = START;
	f->pool = http_pool_new(&(struct http_pool_config){ .clock = test_clock });
	f->clients = mem_zalloc(2 * HTTP_POOL_OF_ALL, sizeof(*f->clients));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_pool_free(f->pool);
	free(f->clients);
	free(f);
	return 0;
}

static struct client *connect_to(struct fixture *f, const void *server, enum http_slot_state as)
{
	struct client *c = &f->clients[f->n++];

	c->pool = f->pool;
	c->slot.server = server;
	c->slot.evict = evict;
	http_pool_add(f->pool, &c->slot);
	if (as != HTTP_SLOT_SILENT)
		http_pool_enter(f->pool, &c->slot, as);
	return c;
}

/* How many of them are still there. */
static size_t left(const struct fixture *f, const void *server)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->clients[i].slot.server == server && !f->clients[i].gone;
	return n;
}

static unsigned make_room(struct fixture *f, const void *server)
{
	return http_pool_make_room(f->pool, server, left(f, server));
}

static void below_the_limits_nobody_goes(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < HTTP_POOL_OF_SERVER; i++) {
		assert_int_equal(make_room(f, "a"), 0);
		connect_to(f, "a", HTTP_SLOT_RESTS);
	}
	assert_int_equal(left(f, "a"), HTTP_POOL_OF_SERVER);
}

static void who_had_an_answer_goes_first(void **state)
{
	struct fixture *f = *state;
	struct client *silent, *rests, *younger;

	silent = connect_to(f, "a", HTTP_SLOT_SILENT);
	now += 100000;
	rests = connect_to(f, "a", HTTP_SLOT_RESTS);
	now++;
	younger = connect_to(f, "a", HTTP_SLOT_CLOSES);
	while (f->n < HTTP_POOL_OF_SERVER)
		connect_to(f, "a", HTTP_SLOT_SENDS);
	assert_int_equal(make_room(f, "a"), 0);
	assert_true(rests->gone);
	connect_to(f, "a", HTTP_SLOT_SENDS);
	assert_int_equal(make_room(f, "a"), 0);
	assert_true(younger->gone);
	connect_to(f, "a", HTTP_SLOT_SENDS);
	assert_int_equal(make_room(f, "a"), 0);
	assert_true(silent->gone);
}

/* However many come: those that were there a moment ago stay, and the new ones wait. */
static void a_flood_ends_nobody_who_is_about_to_be_answered(void **state)
{
	struct fixture *f = *state;
	struct client *probe = connect_to(f, "a", HTTP_SLOT_SENDS);
	struct client *silent = connect_to(f, "a", HTTP_SLOT_SILENT);
	struct client *takes = connect_to(f, "a", HTTP_SLOT_TAKES);

	while (f->n < HTTP_POOL_OF_SERVER)
		connect_to(f, "a", HTTP_SLOT_SILENT);
	assert_int_equal(make_room(f, "a"), HTTP_POOL_SILENT);
	now += HTTP_POOL_SILENT - 1;
	assert_int_equal(make_room(f, "a"), 1);
	assert_int_equal(left(f, "a"), HTTP_POOL_OF_SERVER);
	now++;
	for (int i = 3; i < HTTP_POOL_OF_SERVER; i++)
		assert_int_equal(make_room(f, "a"), 0);
	while (left(f, "a") < HTTP_POOL_OF_SERVER) {
		assert_int_equal(make_room(f, "a"), 0);
		connect_to(f, "a", HTTP_SLOT_SILENT);
	}
	assert_false(probe->gone);
	assert_true(silent->gone);
	assert_false(takes->gone);
}

static void one_that_is_just_sending_is_spared(void **state)
{
	struct fixture *f = *state;
	struct client *probe = connect_to(f, "a", HTTP_SLOT_SILENT);

	while (f->n < HTTP_POOL_OF_SERVER)
		connect_to(f, "a", HTTP_SLOT_SILENT);
	now += 10000;
	probe->sends = true;
	assert_int_equal(make_room(f, "a"), 0);
	assert_false(probe->gone);
	assert_true(f->clients[1].gone);
	for (size_t i = 2; i < f->n; i++)
		f->clients[i].sends = true;
	connect_to(f, "a", HTTP_SLOT_SILENT);
	assert_int_equal(make_room(f, "a"), HTTP_POOL_SILENT);
	probe->sends = false;
	assert_int_equal(make_room(f, "a"), 0);
	assert_true(probe->gone);
}

static void one_that_sends_or_takes_slowly_goes_at_last(void **state)
{
	struct fixture *f = *state;
	struct client *sends = connect_to(f, "a", HTTP_SLOT_SENDS), *stalls, *takes;

	stalls = connect_to(f, "a", HTTP_SLOT_TAKES);
	takes = connect_to(f, "a", HTTP_SLOT_TAKES);
	http_pool_set_pending(f->pool, &stalls->slot, 5000);
	http_pool_set_pending(f->pool, &takes->slot, 5000);
	now += HTTP_POOL_STALLED - 1;
	http_pool_set_pending(f->pool, &takes->slot, 4999);
	while (f->n < HTTP_POOL_OF_SERVER)
		connect_to(f, "a", HTTP_SLOT_SENDS);
	assert_int_equal(make_room(f, "a"), 1);
	now++;
	assert_int_equal(make_room(f, "a"), 0);
	assert_true(sends->gone);
	connect_to(f, "a", HTTP_SLOT_SENDS);
	assert_int_equal(make_room(f, "a"), 0);
	assert_true(stalls->gone);
	connect_to(f, "a", HTTP_SLOT_SENDS);
	assert_int_equal(make_room(f, "a"), HTTP_POOL_SILENT); /* or later */
	/* A byte now and then does not keep it for ever. */
	now = START + HTTP_POOL_ANSWER;
	for (size_t i = 0; i < f->n; i++)
		if (!f->clients[i].gone)
			f->clients[i].slot.since = &f->clients[i] == takes ? START : now;
	http_pool_set_pending(f->pool, &takes->slot, 4998);
	assert_int_equal(make_room(f, "a"), 0);
	assert_true(takes->gone);
}

static void a_flood_of_one_server_leaves_the_others_alone(void **state)
{
	struct fixture *f = *state;
	struct client *other = connect_to(f, "b", HTTP_SLOT_RESTS);

	for (int i = 0; i < 3 * HTTP_POOL_OF_SERVER; i++) {
		now += HTTP_POOL_SILENT;
		assert_int_equal(make_room(f, "a"), 0);
		connect_to(f, "a", HTTP_SLOT_SILENT);
	}
	assert_int_equal(left(f, "a"), HTTP_POOL_OF_SERVER);
	assert_false(other->gone);
}

static void all_servers_together_have_a_limit(void **state)
{
	static const char servers[HTTP_POOL_OF_ALL / HTTP_POOL_OF_SERVER + 1];
	struct fixture *f = *state;

	for (size_t i = 0; i < HTTP_POOL_OF_ALL; i++)
		connect_to(f, &servers[i / HTTP_POOL_OF_SERVER], HTTP_SLOT_SILENT);
	assert_int_equal(make_room(f, &servers[10]), HTTP_POOL_SILENT);
	now += HTTP_POOL_SILENT;
	assert_int_equal(make_room(f, &servers[10]), 0);
	assert_true(f->clients[0].gone);
	/* For its descriptor alone. */
	assert_int_equal(http_pool_free_descriptor(f->pool), 0);
	assert_true(f->clients[1].gone);
}

static void answers_under_way_have_a_limit_together(void **state)
{
	enum { SIZE = HTTP_POOL_PENDING / 4 };
	struct fixture *f = *state;
	struct client *reads = connect_to(f, "a", HTTP_SLOT_TAKES), *huge;
	struct client *stalls[4];

	http_pool_set_pending(f->pool, &reads->slot, SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(stalls); i++) {
		stalls[i] = connect_to(f, "a", HTTP_SLOT_TAKES);
		now++;
		http_pool_set_pending(f->pool, &reads->slot, SIZE - i - 1);
		http_pool_set_pending(f->pool, &stalls[i]->slot, SIZE);
	}
	/* Who takes something is not the one to go. */
	assert_false(reads->gone);
	assert_true(stalls[0]->gone);
	for (size_t i = 1; i < ARRAY_SIZE(stalls); i++)
		assert_false(stalls[i]->gone);
	/* Even one that is too long for all is sent. */
	huge = connect_to(f, "a", HTTP_SLOT_TAKES);
	http_pool_set_pending(f->pool, &huge->slot, 2 * HTTP_POOL_PENDING);
	assert_false(huge->gone);
	assert_int_equal(left(f, "a"), 1);
	http_pool_set_pending(f->pool, &huge->slot, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(below_the_limits_nobody_goes),
		TEST(who_had_an_answer_goes_first),
		TEST(a_flood_ends_nobody_who_is_about_to_be_answered),
		TEST(one_that_is_just_sending_is_spared),
		TEST(one_that_sends_or_takes_slowly_goes_at_last),
		TEST(a_flood_of_one_server_leaves_the_others_alone),
		TEST(all_servers_together_have_a_limit),
		TEST(answers_under_way_have_a_limit_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
