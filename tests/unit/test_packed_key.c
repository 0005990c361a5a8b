// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/core/packed_key.h"
#include "base/mem.h"
#include "fixture.h"

static void each_key_is_unpacked_as_it_was(void **state)
{
	static const struct {
		const char *fact;
		size_t words;
	} rows[] = {
		{ "vs 10.96.0.1:80/TCP rr", 3 },
		{ "vs [fd00::1]:80/TCP rr", 4 },
		{ "rs 10.96.0.1:80/TCP 10.244.0.1:8080 weight=1", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fact f = fixture_fact(rows[i].fact);
		const struct packed_key packed = packed_key(&f.key);
		const struct fact_key key = packed_key_unpack(packed.used, packed.words);

		assert_true(fact_key_eq(&key, &f.key));
		assert_int_equal(packed_key_words(packed.used), rows[i].words);
	}
}

static void a_key_may_use_all_words_or_none(void **state)
{
	struct fact_key full, empty, key;
	struct packed_key packed;

	(void)state;
	memset(&full, 0xff, sizeof(full));
	memset(&empty, 0, sizeof(empty));
	packed = packed_key(&full);
	key = packed_key_unpack(packed.used, packed.words);
	assert_true(fact_key_eq(&key, &full));
	assert_int_equal(packed_key_words(packed.used), KEY_WORDS);
	packed = packed_key(&empty);
	key = packed_key_unpack(packed.used, packed.words);
	assert_true(fact_key_eq(&key, &empty));
	assert_int_equal(packed_key_words(packed.used), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_unpacked_as_it_was),
		cmocka_unit_test(a_key_may_use_all_words_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
