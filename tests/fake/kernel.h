/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include "base/buf.h"
#include "base/map.h"
#include "core/adapter.h"

/*
 * A kernel in memory behind struct adapter. It holds facts of all kinds, drops children with their
 * parent, answers as struct op says, fails and loses answers on request, and counts and logs the
 * operations. Facts are given as lines of fact_print(); a mistake in one ends the program.
 */

enum { FAKE_ANSWER_LOST = 1 };
/* struct fake_kernel's `dumps` of a whole audit: real servers are read by virtual server. */
enum { FAKE_AUDIT_DUMPS = FACT_KINDS - 1 };

struct fake_kernel {
	struct adapter adapter; /* of all kinds */
	struct map facts;
	struct map children; /* the facts that have a parent, by it */
	size_t n_facts;
	size_t n_ops;		    /* asked for, whatever the answer */
	size_t done[FACT_KINDS][3]; /* carried out, by kind and enum op_type */
	struct buf log;		    /* a line for each one carried out: "add vs ..." */
	size_t dumps;		    /* of one kind each, but for real servers */
	size_t epochs_asked;	    /* how often struct adapter's epoch() was asked */
	bool unchanged; /* what the adapter says of the real servers of each virtual server */
	uint64_t epoch; /* its answer; does not change by itself */
	const char *no_scheduler;	/* this kernel lacks it; NULL: it has all */
	int dump_error;			/* negative errno of the next dumps; 0: they work */
	enum fact_kind dump_error_kind; /* the kind that cannot be read */
	/*
	 * Asked before each operation; NULL: all succeed. Returns 0: it succeeds; a negative errno:
	 * it fails with that; FAKE_ANSWER_LOST: it is carried out and the answer is lost.
	 */
	int (*fault)(const struct op *op, void *arg);
	/* How many connections a real server has; NULL: none has any. */
	uint32_t (*active)(const struct fact_key *rs, void *arg);
	int conns_error; /* negative errno of counting connections; 0: it succeeds */
	/* Called before one kind is dumped; may edit. NULL: nothing happens. */
	void (*before_dump)(struct fake_kernel *k, enum fact_kind kind, void *arg);
	/*
	 * Answers later: operations wait, and reading has not ended, until fake_kernel_answer().
	 */
	bool slow;
	struct op *waiting; /* the operations; NULL: none */
	size_t n_waiting;
	bool reading; /* somebody waits for the end of it */
	bool has_read;
	void *arg;
};

void fake_kernel_init(struct fake_kernel *k);
void fake_kernel_done(struct fake_kernel *k);

/* Changes by others, behind the daemon's back. */
void fake_kernel_put_fact(struct fake_kernel *k, const struct fact *f);
/* With its children; nothing happens where it is not there. */
void fake_kernel_remove_key(struct fake_kernel *k, const struct fact_key *key);
void fake_kernel_put(struct fake_kernel *k, const char *line);
void fake_kernel_remove(struct fake_kernel *k, const char *line); /* the value does not matter */

/* NULL: the kernel does not hold it. */
const struct fact *fake_kernel_find(const struct fake_kernel *k, const struct fact_key *key);
/* The kernel holds it, with that value. */
bool fake_kernel_has(const struct fake_kernel *k, const char *line);
/* All facts in their order, a line each. */
void fake_kernel_print(const struct fake_kernel *k, struct buf *ret);
/* All facts in their order; the caller frees. */
struct fact *fake_kernel_list(const struct fake_kernel *k);

/* Carries out one operation and writes its result. */
void fake_kernel_apply(struct fake_kernel *k, struct op *op);
/* A slow kernel carries out the waiting operations and ends its reading. */
void fake_kernel_answer(struct fake_kernel *k);
/* Clears the counters and the log. */
void fake_kernel_reset_log(struct fake_kernel *k);

#endif
