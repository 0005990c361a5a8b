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

static void assert_packed(const struct fact_key *key, const struct fact_key *base, size_t words)
{
	const struct packed_key packed = packed_key(key, base);
	const struct fact_key unpacked = packed_key_unpack(packed.used, packed.words, base);

	assert_true(fact_key_eq(&unpacked, key));
	assert_int_equal(packed_key_words(packed.used), words);
}

static void each_key_is_unpacked_as_it_was(void **state)
{
	static const struct {
		const char *fact;
		size_t words, to_parent;
	} rows[] = {
		{ "vs 10.96.0.1:80/TCP rr", 3, 3 },
		{ "vs [fd00::1]:80/TCP rr", 4, 4 },
		{ "rs 10.96.0.1:80/TCP 10.244.0.1:8080 weight=1", 4, 3 },
		{ "rs [fd00::1]:80/TCP [fd01::1]:8080 weight=1", 6, 4 },
		{ "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80", 3, 3 },
		{ "addr 10.96.0.1", 2, 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fact f = fixture_fact(rows[i].fact);
		const struct fact_key zero = { 0 };
		struct fact_key parent = zero;

		assert_packed(&f.key, &zero, rows[i].words);
		fact_parent(&f.key, &parent);
		assert_packed(&f.key, &parent, rows[i].to_parent);
	}
}

static void a_key_may_use_all_words_or_none(void **state)
{
	struct fact_key full, empty;

	(void)state;
	memset(&full, 0xff, sizeof(full));
	memset(&empty, 0, sizeof(empty));
	assert_packed(&full, &empty, KEY_WORDS);
	assert_packed(&empty, &full, KEY_WORDS);
	assert_packed(&empty, &empty, 0);
	assert_packed(&full, &full, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_unpacked_as_it_was),
		cmocka_unit_test(a_key_may_use_all_words_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
