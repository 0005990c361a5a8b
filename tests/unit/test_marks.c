// SPDX-License-Identifier: GPL-2.0-or-later
/* Which Service gets which firewall mark. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/marks.h"
#include "fixture.h"

/* Eight indices: three for TCP, 2, 4 and 6. */
enum { MASK = 0x700, SHIFT = 8 };

struct nodes_marks {
	struct store store;
	struct fixture_node node;
	struct marks *marks;
};

static int setup(void **state)
{
	struct nodes_marks *t = new0(struct nodes_marks);

	store_init(&t->store);
	fixture_node_init(&t->node);
	t->node.options.mark_mask = MASK;
	t->marks = marks_new(MASK);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct nodes_marks *t = *state;

	marks_free(t->marks);
	store_done(&t->store);
	free(t);
	return 0;
}

/* The mark that "a/NAME" gets for its external address 1.2.3.BYTE; 0: none. */
static uint32_t assign(struct nodes_marks *t, const char *name, int byte)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct served_ports served = { 0 };
	struct port_marks marks = { 0 };
	uint32_t mark;

	buf_addf(&b, "service a/%s etp=Local external=1.2.3.%d ip=10.96.0.%d port=p80:80/TCP\n",
		name, byte, byte);
	fixture_load(&t->store, buf_str(&b));
	served_ports_select(&served, store_find(&t->store, "a", name), &t->node.view);
	marks_assign(t->marks, &marks, name, &served);
	mark = served.ports[0].mark;
	served_ports_done(&served);
	free(marks.marks);
	return mark;
}

static void adopt(struct nodes_marks *t, int byte, uint32_t index)
{
	struct ip ip = ip_make(AF_INET, (uint8_t[]){ 1, 2, 3, (uint8_t)byte });

	marks_adopt(t->marks, &ip, IPPROTO_TCP, 80, index << SHIFT);
}

static void marks_are_of_the_mask_and_even_for_tcp(void **state)
{
	static const char *const names[] = { "x", "y", "z" };
	uint32_t all = 0;

	for (int i = 0; i < 3; i++) {
		uint32_t mark = assign(*state, names[i], i + 1);

		assert_true(mark);
		assert_false(mark & ~(uint32_t)MASK);
		assert_true(marks_is_tcp(MASK, mark));
		all |= 1u << (mark >> SHIFT);
	}
	assert_int_equal(all, 1 << 2 | 1 << 4 | 1 << 6);
	assert_int_equal(assign(*state, "one-too-many", 4), 0);
}

static void a_restart_changes_no_mark(void **state)
{
	adopt(*state, 1, 4);
	assert_int_equal(assign(*state, "old", 1), 4 << SHIFT);
}

/* Whatever its name hashes to. */
static void new_services_leave_the_marks_of_old_ones_alone(void **state)
{
	for (uint32_t index = 2; index <= 6; index += 2) {
		adopt(*state, 1, index);
		assert_int_not_equal(assign(*state, "new", 2), index << SHIFT);
		assert_int_not_equal(assign(*state, "newer", 3), index << SHIFT);
		assert_int_equal(assign(*state, "old", 1), index << SHIFT);
		teardown(state);
		setup(state);
	}
}

static void they_are_taken_when_all_others_are(void **state)
{
	adopt(*state, 1, 2);
	adopt(*state, 2, 4);
	assert_int_equal(assign(*state, "new", 3), 6 << SHIFT);
	assert_int_not_equal(assign(*state, "newer", 4), 0);
	assert_int_not_equal(assign(*state, "newest", 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(marks_are_of_the_mask_and_even_for_tcp),
		TEST(a_restart_changes_no_mark),
		TEST(new_services_leave_the_marks_of_old_ones_alone),
		TEST(they_are_taken_when_all_others_are),
#undef TEST
	};

	return cmocka_run_group_tests_name("marks", tests, NULL, NULL);
}
