// SPDX-License-Identifier: GPL-2.0-or-later
#include "ledger_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"

const struct claimant older = { .born = 1, .name = "shop/older" };
const struct claimant younger = { .born = 2, .name = "shop/younger" };
const struct claimant twin = { .born = 2, .name = "shop/twin" };
const struct claimant last = { .born = CLAIMANT_LAST, .name = "draining" };

int bench_setup(void **state)
{
	struct bench *b = new0(struct bench);

	b->l = ledger_new();
	*state = b;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *b = *state;

	ledger_free(b->l);
	buf_done(&b->text);
	free(b);
	return 0;
}

void bench_claim(struct bench *b, const char *line, const struct claimant *who)
{
	struct fact f = fixture_fact(line);

	ledger_claim(b->l, &f, who);
}

void bench_release(struct bench *b, const char *line, const struct claimant *who)
{
	struct fact f = fixture_fact(line);

	ledger_release(b->l, &f.key, who);
}

const char *bench_take(struct bench *b, uint64_t now)
{
	b->n = ledger_take(b->l, now, 0, b->ops, ARRAY_SIZE(b->ops), &b->next);
	buf_reset(&b->text);
	for (size_t i = 0; i < b->n; i++) {
		buf_addf(&b->text, "%s ", op_type_name(b->ops[i].type));
		fact_print(&b->text, &b->ops[i].fact);
		buf_addc(&b->text, '\n');
	}
	return buf_str(&b->text);
}

void bench_settle(struct bench *b, uint64_t now, int result)
{
	for (size_t i = 0; i < b->n; i++) {
		b->ops[i].result = result;
		ledger_settle(b->l, &b->ops[i], now);
	}
	b->n = 0;
}

const char *bench_run(struct bench *b, uint64_t now)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	for (int i = 0; i < 100; i++) {
		buf_adds(&all, bench_take(b, now));
		if (!b->n)
			break;
		bench_settle(b, now, 0);
	}
	assert_int_equal(b->n, 0);
	buf_reset(&b->text);
	buf_adds(&b->text, buf_str(&all));
	return buf_str(&b->text);
}

void bench_expect(struct bench *b, uint64_t now, const char *ops, int result)
{
	assert_string_equal(bench_take(b, now), ops);
	bench_settle(b, now, result);
}

void bench_observe(struct bench *b, const char *line, bool ours)
{
	struct fact f = fixture_fact(line);

	ledger_observe(b->l, &f, ours);
}

size_t bench_audit(struct bench *b, const char *const lines[], size_t n)
{
	ledger_audit_begin(b->l, ALL_KINDS);
	for (size_t i = 0; i < n; i++)
		bench_observe(b, lines[i], true);
	return ledger_audit_end(b->l);
}

struct fact_state bench_state(const struct bench *b, const char *line)
{
	struct fact f = fixture_fact(line);
	struct fact_state s = { 0 };

	assert_true(ledger_state(b->l, &f.key, &s));
	return s;
}

bool bench_unknown(const struct bench *b, const char *line)
{
	struct fact f = fixture_fact(line);
	struct fact_state s;

	return !ledger_state(b->l, &f.key, &s);
}

size_t bench_pending(const struct bench *b)
{
	return ledger_counts(b->l).pending;
}

void bench_up(struct bench *b)
{
	bench_claim(b, VS, &older);
	bench_claim(b, RS1, &older);
	bench_claim(b, RS2, &older);
	bench_claim(b, RS3, &older);
	bench_run(b, 0);
}
