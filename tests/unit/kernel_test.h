/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_KERNEL_TEST_H
#define TEST_KERNEL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "core/adapter.h"
#include "core/fact_text.h"
#include "core/resolve.h"
#include "kernel/exec.h"

/* For tests that work on the running kernel: programs as witnesses, and adapters. */
enum { SKIPPED = 77, TIMEOUT_MS = 60000 };

static inline void kernel_skip_all(const char *test, const char *why)
{
	fprintf(stderr, "\nSKIPPED: %s did not test anything: %s\n\n", test, why);
	exit(SKIPPED);
}

#define RUN(input, ...) run(input, (const char *const[]){ __VA_ARGS__, NULL })

/* The standard output of a program that must succeed; the caller frees. */
static inline char *run(const char *input, const char *const argv[])
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err = { 0 };
	int r = exec_run(argv, input, input ? strlen(input) : 0, TIMEOUT_MS, &out, &err);

	if (r)
		fail_msg("%s: %s", argv[0], err.msg);
	return buf_take(&out);
}

static inline struct fact kernel_fact(const char *line)
{
	struct err err = { 0 };
	struct fact f;

	if (fact_parse(line, &f, &err))
		fail_msg("%s", err.msg);
	return f;
}

static inline void kernel_apply(struct adapter *a, enum op_type type, struct fact f, int expected)
{
	struct op op = { .type = type, .fact = f, .result = 1 };
	_cleanup_(buf_done) struct buf line = { 0 };

	a->apply(a, &op, 1);
	fact_print(&line, &f);
	if (op.result != expected)
		fail_msg("%s %s: %d instead of %d", op_type_name(type), buf_str(&line), op.result,
			expected);
}

static inline void kernel_collect(const struct fact *f, void *arg)
{
	fact_list_add(arg, *f);
}

/* The facts of one kind in order. */
static inline struct fact_list kernel_dump(struct adapter *a, enum fact_kind kind)
{
	_cleanup_(fact_list_done) struct fact_list parents = { 0 };
	struct fact_list l = { 0 };
	struct err err;

	if (a->dump(a, kind == FACT_RS ? FACT_VS : kind, kernel_collect,
		    kind == FACT_RS ? &parents : &l, &err))
		fail_msg("dump: %s", err.msg);
	for (size_t i = 0; i < parents.n; i++)
		if (a->dump_real_servers(a, &parents.facts[i].key, kernel_collect, &l, &err))
			fail_msg("dump: %s", err.msg);
	fact_list_finish(&l);
	return l;
}

/* The facts of one kind are these, one a line. */
static inline void kernel_assert_facts(struct adapter *a, enum fact_kind kind, const char *expected)
{
	_cleanup_(fact_list_done) struct fact_list l = kernel_dump(a, kind);
	_cleanup_(buf_done) struct buf b = { 0 };

	for (size_t i = 0; i < l.n; i++) {
		fact_print(&b, &l.facts[i]);
		buf_addc(&b, '\n');
	}
	assert_string_equal(buf_str(&b), expected);
}

#endif
