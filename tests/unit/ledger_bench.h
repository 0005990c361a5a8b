/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LEDGER_BENCH_H
#define LEDGER_BENCH_H

#include "core/ledger.h"
#include "fixture.h"

/* A ledger and the operations that were taken last. Facts are given as lines of fact_print(). */

#define VS "vs 10.96.0.1:80/TCP rr"
#define VS_WRR "vs 10.96.0.1:80/TCP wrr"
#define VS2 "vs 10.96.0.2:80/TCP rr"
#define RS1 "rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=1"
#define RS1_HEAVY "rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=9"
#define RS1_DRAINED "rs 10.96.0.1:80/TCP 10.1.0.1:8080 weight=0"
#define RS2 "rs 10.96.0.1:80/TCP 10.1.0.2:8080 weight=1"
#define RS3 "rs 10.96.0.1:80/TCP 10.1.0.3:8080 weight=1"
#define SET "set KUBE-CLUSTER-IP hash:ip,port maxelem=65536"
#define MEMBER "member KUBE-CLUSTER-IP 10.96.0.1,tcp:80"
#define MEMBER2 "member KUBE-CLUSTER-IP 10.96.0.2,tcp:80"
#define LINK "link kube-ipvs0"
#define ADDR "addr 10.96.0.1"
#define ROUTE "route 10.96.0.1"
#define CHAIN "chain IPv4 nat KUBE-SERVICES text=0000000000000001"
#define JUMP "jump IPv4 nat OUTPUT KUBE-SERVICES text=0000000000000001"

struct bench {
	struct ledger *l;
	struct op ops[64];
	size_t n;
	uint64_t next;
	struct buf text;
};

enum { ALL_KINDS = (1u << FACT_KINDS) - 1 };

/* From old to young; the twin is as old as the younger one. */
extern const struct claimant older, younger, twin, last;

int bench_setup(void **state);
int bench_teardown(void **state);
#define LEDGER_TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

void bench_claim(struct bench *b, const char *line, const struct claimant *who);
void bench_release(struct bench *b, const char *line, const struct claimant *who);
/* Claims and brings up VS with RS1 to RS3. */
void bench_up(struct bench *b);

/* Takes a batch and returns it, a line for each operation; bench_settle() must follow. */
const char *bench_take(struct bench *b, uint64_t now);
/* Gives all of the batch the same answer. */
void bench_settle(struct bench *b, uint64_t now, int result);
/* Takes one batch, which must be `ops`, and gives all of it the same answer. */
void bench_expect(struct bench *b, uint64_t now, const char *ops, int result);
/* Takes and settles all operations that are due; returns them, a line each. */
const char *bench_run(struct bench *b, uint64_t now);

void bench_observe(struct bench *b, const char *line, bool ours);
/* An audit of all kinds that finds these facts, which are ours; returns the drift. */
size_t bench_audit(struct bench *b, const char *const lines[], size_t n);
#define BENCH_AUDIT(b, ...)                                  \
	bench_audit(b, (const char *const[]){ __VA_ARGS__ }, \
		ARRAY_SIZE(((const char *[]){ __VA_ARGS__ })))

/* The ledger must know the fact. */
struct fact_state bench_state(const struct bench *b, const char *line);
bool bench_unknown(const struct bench *b, const char *line);
size_t bench_pending(const struct bench *b);

#endif
