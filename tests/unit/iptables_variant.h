/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_IPTABLES_VARIANT_H
#define TEST_IPTABLES_VARIANT_H

#include <unistd.h>

#include "kernel_test.h"

/*
 * For tests that run once for each variant of iptables that works: a directory before PATH has the
 * variant under the plain names, and its lock.
 */
enum { PATH_SIZE = 128 };

struct variant {
	const char *test; /* the program's name */
	const char *name; /* "nft", "legacy" */
	char dir[PATH_SIZE];
};

static const char *const variant_programs[] = { "iptables", "iptables-save", "iptables-restore",
	"ip6tables", "ip6tables-save", "ip6tables-restore" };

static inline void variant_link(const struct variant *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(variant_programs); i++) {
		const char *program = variant_programs[i];
		const char *rest = program + strcspn(program, "-");
		char from[PATH_SIZE], to[PATH_SIZE + 24];

		snprintf(from, sizeof(from), "/usr/sbin/%.*s-%s%s", (int)(rest - program), program,
			v->name, rest);
		snprintf(to, sizeof(to), "%s/%s", v->dir, program);
		unlink(to);
		if (symlink(from, to))
			fprintf(stderr, "cannot link %s\n", to);
	}
}

static inline void variant_remove_dir(const struct variant *v)
{
	char path[PATH_SIZE + 24];

	for (size_t i = 0; i < ARRAY_SIZE(variant_programs); i++) {
		snprintf(path, sizeof(path), "%s/%s", v->dir, variant_programs[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/lock", v->dir);
	unlink(path);
	rmdir(v->dir);
}

static inline void variant_make_dir(struct variant *v)
{
	char path[2 * PATH_SIZE], lock[PATH_SIZE + 8];

	strcpy(v->dir, "/tmp/test_iptables.XXXXXX");
	if (!mkdtemp(v->dir))
		abort();
	snprintf(path, sizeof(path), "%s:/usr/sbin:/usr/bin:/sbin:/bin", v->dir);
	snprintf(lock, sizeof(lock), "%s/lock", v->dir);
	setenv("PATH", path, 1);
	setenv("XTABLES_LOCKFILE", lock, 1);
}

static inline void variant_skip_all(const struct variant *v, const char *why)
{
	kernel_skip_all(v->test, why);
}

/* Whether the variant works here; says so where it does not. */
static inline bool variant_use(struct variant *v, const char *name)
{
	struct err err = { 0 };
	int r;

	v->name = name;
	variant_link(v);
	r = exec_run((const char *const[]){ "iptables-save", "-t", "nat", NULL }, NULL, 0,
		TIMEOUT_MS, NULL, &err);
	if (r)
		fprintf(stderr, "\nSKIPPED: %s without iptables-%s: %s\n\n", v->test, name,
			err.msg);
	return !r;
}

/* Runs the tests with each; what main() returns. */
static inline int variant_each(struct variant *v, int (*test)(void))
{
	static const char *const variants[] = { "nft", "legacy" };
	int tested = 0, failed = 0;

	variant_make_dir(v);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		if (variant_use(v, variants[i])) {
			tested++;
			failed += test();
		}
	variant_remove_dir(v);
	if (!tested)
		variant_skip_all(v, "neither variant of iptables works");
	return failed;
}

#endif
