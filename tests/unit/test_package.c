// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/package.h"

static void modules_are_in_a_package_of_the_kernels_distribution(void **state)
{
	static const struct {
		const char *release, *version, *package;
	} rows[] = {
		{ "6.12.0-55.9.1.el10_0.x86_64", "#1 SMP PREEMPT_DYNAMIC Tue May 13 2025",
			"kernel-modules-extra" },
		{ "4.18.0-553.el8_10.aarch64", "#1 SMP", "kernel-modules-extra" },
		{ "6.8.9-300.fc40.x86_64", "#1 SMP PREEMPT_DYNAMIC", "kernel-modules-extra" },
		{ "6.8.0-40-generic", "#40-Ubuntu SMP PREEMPT_DYNAMIC Fri Jul  5 10:34:03 UTC 2024",
			"linux-modules-extra-6.8.0-40-generic" },
		{ "6.5.0-1022-aws", "#22~22.04.1-Ubuntu SMP",
			"linux-modules-extra-6.5.0-1022-aws" },
		{ "6.1.0-57-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1",
			"linux-image-amd64" },
		{ "6.1.0-57-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1", "" },
		{ "6.12.1-arch1-1", "#1 SMP", "" },
		{ "", "", "" },
	};
	char s[PACKAGE_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct utsname kernel = { 0 };

		snprintf(kernel.release, sizeof(kernel.release), "%s", rows[i].release);
		snprintf(kernel.version, sizeof(kernel.version), "%s", rows[i].version);
		assert_string_equal(package_of_modules(&kernel, s), rows[i].package);
	}
}

static void iptables_is_in_a_package_of_the_systems_distribution(void **state)
{
	static const struct {
		const char *text, *package;
	} rows[] = {
		{ "NAME=\"Debian GNU/Linux\"\nID=debian\n", "iptables" },
		{ "ID=ubuntu\nID_LIKE=debian\n", "iptables" },
		{ "NAME=\"AlmaLinux\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n",
			"iptables-nft" },
		{ "ID=\"rhel\"", "iptables-nft" },
		{ "ID=fedora", "iptables-nft" },
		{ "VARIANT_ID=rhel\nID=rhel-like\nID_LIKE=", "iptables" },
		{ "ID_LIKE=\"\"\n\n", "iptables" },
		{ "", "iptables" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(package_of_iptables(rows[i].text), rows[i].package);
}

static void a_reason_names_the_package(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, -1, "no iptables");
	package_suggest_iptables(&err);
	assert_memory_equal(err.msg, "no iptables; install the package iptables", 41);
	/* On a kernel without such a package nothing is added. */
	err_set(&err, -1, "no module");
	package_suggest_modules(&err);
	assert_memory_equal(err.msg, "no module", 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modules_are_in_a_package_of_the_kernels_distribution),
		cmocka_unit_test(iptables_is_in_a_package_of_the_systems_distribution),
		cmocka_unit_test(a_reason_names_the_package),
	};

	return cmocka_run_group_tests_name("package", tests, NULL, NULL);
}
