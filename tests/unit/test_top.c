// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cli/top.h"
#include "base/mem.h"
#include "fixture.h"

enum { MAX_SAMPLES = 8 };

struct row {
	const char *vs; /* "vs 10.96.0.1:80/TCP rr" */
	unsigned connections, packets, bytes, active;
};

static struct top_samples samples(
	struct top_sample list[static MAX_SAMPLES], const struct row *rows, size_t n)
{
	struct top_samples s = { .list = list, .n = n };

	for (size_t i = 0; i < n; i++)
		list[i] = (struct top_sample){
			.stats = { .key = fixture_fact(rows[i].vs).key,
				.connections = rows[i].connections,
				.in_packets = rows[i].packets,
				.out_packets = (uint64_t)rows[i].packets * 2,
				.in_bytes = rows[i].bytes,
				.out_bytes = (uint64_t)rows[i].bytes * 10 },
			.active = rows[i].active,
			.inactive = rows[i].active + 1,
		};
	qsort(list, n, sizeof(*list), top_sample_cmp);
	return s;
}

static void assert_table(const struct row *a, size_t n_a, const struct row *b, size_t n_b,
	double seconds, const char *status, const char *want)
{
	struct top_sample before[MAX_SAMPLES], after[MAX_SAMPLES];
	const struct top_samples x = samples(before, a, n_a), y = samples(after, b, n_b);
	json_t *tree = status ? json_loads(status, 0, NULL) : NULL;
	json_t *top = top_json(&x, &y, seconds, tree);
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(show_done) struct show t;

	assert_true(!status || tree);
	top_table(top, &t);
	show_print(&t, false, false, &out);
	assert_string_equal(buf_str(&out), want);
	json_decref(top);
	json_decref(tree);
}

#define A "vs 10.96.0.1:80/TCP rr"
#define B "vs 203.0.113.1:80/TCP rr"
#define MARK "vs fwmark:1048576/IPv4 rr"

static void rates_are_what_was_counted_in_the_time(void **state)
{
	static const struct row before[] = { { A, 100, 1000, 50000, 5 } };
	static const struct row after[] = { { A, 120, 1400, 52000, 7 } };

	(void)state;
	assert_table(before, 1, after, 1, 2.0, NULL,
		"-  -  10.96.0.1:80/TCP  7  8  10  200  400  1000  10000\n");
}

static void a_virtual_server_that_is_new_or_was_made_again_begins_at_zero(void **state)
{
	static const struct row before[] = { { A, 100, 1000, 50000, 5 } };
	static const struct row after[] = { { A, 4, 40, 400, 1 }, { B, 3, 30, 300, 2 } };

	(void)state;
	assert_table(before, 1, after, 2, 1.0, NULL,
		"-  -  10.96.0.1:80/TCP    1  2  4  40  80  400  4000\n"
		"-  -  203.0.113.1:80/TCP  2  3  3  30  60  300  3000\n");
}

static const char status[] =
	"{\"services\": [{\"namespace\": \"shop\", \"name\": \"web\", \"ports\": [{\"name\": \"\","
	" \"port\": 80, \"protocol\": \"TCP\", \"addresses\": ["
	"  {\"address\": \"10.96.0.1\", \"port\": 80, \"present\": true},"
	"  {\"address\": \"203.0.113.1\", \"port\": 80, \"present\": %s}],"
	" \"fwmarks\": [{\"fwmark\": 1048576, \"family\": \"IPv4\"}]}]}]}";

static void a_service_port_is_the_sum_of_its_virtual_servers(void **state)
{
	static const struct row after[] = { { A, 1, 10, 100, 1 }, { B, 2, 20, 200, 2 },
		{ MARK, 4, 40, 400, 4 } };
	char text[sizeof(status) + 8];

	(void)state;
	snprintf(text, sizeof(text), status, "true");
	assert_table(
		NULL, 0, after, 3, 1.0, text, "shop  web  80/TCP  7  10  7  70  140  700  7000\n");
}

static void what_it_does_not_have_stands_alone(void **state)
{
	static const struct row after[] = { { A, 1, 10, 100, 1 }, { B, 2, 20, 200, 2 },
		{ "vs [fd00::1]:53/UDP rr", 3, 30, 300, 3 } };
	char text[sizeof(status) + 8];

	(void)state;
	snprintf(text, sizeof(text), status, "false");
	assert_table(NULL, 0, after, 3, 1.0, text,
		"shop  web  80/TCP              1  2  1  10  20  100  1000\n"
		"-     -    203.0.113.1:80/TCP  2  3  2  20  40  200  2000\n"
		"-     -    [fd00::1]:53/UDP    3  4  3  30  60  300  3000\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_what_was_counted_in_the_time),
		cmocka_unit_test(a_virtual_server_that_is_new_or_was_made_again_begins_at_zero),
		cmocka_unit_test(a_service_port_is_the_sum_of_its_virtual_servers),
		cmocka_unit_test(what_it_does_not_have_stands_alone),
	};

	return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}
