// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/reserved_ports.h"

static void ports_that_others_reserve_are_never_ours(void **state)
{
	static const struct {
		const char *found, *noted;
		bool theirs;
		const char *wanted, *ours, *list;
	} cases[] = {
		{ "", "", false, "", "", "" },
		{ "", "", false, "40001", "40001", "40001" },
		{ "8080", "", false, "40001", "40001", "8080,40001" },
		/* a restart, and a Service that is deleted */
		{ "8080,40001", "40001", false, "40001", "40001", "8080,40001" },
		{ "8080,40001", "40001", false, "", "", "8080" },
		/* it was theirs before the Service came */
		{ "40000-40010", "", false, "40001", "", "40000-40010" },
		{ "40000-40010", "", false, "", "", "40000-40010" },
		{ "40000-40001", "40001", false, "40000-40001", "40001", "40000-40001" },
		/* killed after it was noted: before it was reserved, or given back */
		{ "8080", "40001", false, "40001", "40001", "8080,40001" },
		{ "8080", "40001", false, "", "", "8080" },
		/* others have written the list: without our port, and with it */
		{ "8080", "40001", true, "40001", "40001", "8080,40001" },
		{ "40000-40010", "40001", true, "40001", "", "40000-40010" },
		{ "40000-40010", "40001", true, "", "", "40000-40010" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf told = { 0 }, expected = { 0 };
		struct port_set found, noted, wanted, ours, list;

		assert_int_equal(port_set_parse(cases[i].found, &found), 0);
		assert_int_equal(port_set_parse(cases[i].noted, &noted), 0);
		assert_int_equal(port_set_parse(cases[i].wanted, &wanted), 0);
		reserved_ports_decide(&found, &noted, cases[i].theirs, &wanted, &ours, &list);
		buf_addf(&expected, "%zu: ours %s list %s", i, cases[i].ours, cases[i].list);
		buf_addf(&told, "%zu: ours ", i);
		port_set_print(&told, &ours);
		buf_adds(&told, " list ");
		port_set_print(&told, &list);
		assert_string_equal(buf_str(&told), buf_str(&expected));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_that_others_reserve_are_never_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
