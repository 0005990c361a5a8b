// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/text.h"
#include "world.h"

static void a_text_is_there_as_long_as_somebody_refers_to_it(void **state)
{
	struct text_pool p = { 0 };
	uint64_t a = text_put(&p, "a"), b = text_put(&p, "b");

	(void)state;
	assert_int_equal(a, text_hash("a"));
	assert_int_equal(text_put(&p, "a"), a);
	text_ref(&p, a);
	text_unref(&p, a);
	text_unref(&p, a);
	assert_string_equal(text_get(&p, a), "a");
	text_unref(&p, a);
	assert_null(text_get(&p, a));
	assert_string_equal(text_get(&p, b), "b");
	text_done(&p);
}

static void a_text_can_come_back(void **state)
{
	struct text_pool p = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		uint64_t hash = text_put(&p, "again");

		assert_string_equal(text_get(&p, hash), "again");
		text_unref(&p, hash);
		assert_int_equal(p.map.count, 0);
	}
	text_done(&p);
}

static void the_texts_of_the_engine_are_those_of_now(void **state)
{
	struct world *w = *state;
	size_t n;

	world_start(w, "service a/web ip=10.96.0.1 port=p80:80/TCP\n");
	n = engine_texts(w->engine)->map.count;
	assert_true(n > 0);
	for (uint8_t bit = 1; bit < 16; bit++) {
		w->node.options.masquerade_bit = bit;
		engine_node_changed(w->engine);
		world_step(w);
		assert_int_equal(engine_texts(w->engine)->map.count, n);
	}
	engine_release_all(w->engine);
	world_step(w);
	assert_int_equal(engine_texts(w->engine)->map.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_there_as_long_as_somebody_refers_to_it),
		cmocka_unit_test(a_text_can_come_back),
		WORLD_TEST(the_texts_of_the_engine_are_those_of_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
