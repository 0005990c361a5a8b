/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include "base/buf.h"
#include "base/map.h"
#include "core/adapter.h"

/*
 * A kernel in memory behind the seam that core knows: it holds facts of all kinds, drops the
 * children with their parent, answers as struct op demands, fails and loses answers on request, and
 * counts what it was told to do. Facts are given as lines of fact_print(); a mistake in one ends
 * the program.
 */

enum { FAKE_ANSWER_LOST = 1 };

struct fake_kernel {
	struct adapter adapter; /* of all kinds */
	struct map facts;
	size_t n_facts;
	size_t n_ops;			/* told to do, whatever came of them */
	size_t done[FACT_KINDS][3];	/* carried out, by kind and enum op_type */
	struct buf log;			/* a line for each one carried out: "add vs ..." */
	size_t dumps;			/* of one kind each */
	const char *no_scheduler;	/* the one that this kernel lacks; NULL: none */
	int dump_error;			/* negative errno of the next dumps; 0: they work */
	enum fact_kind dump_error_kind; /* the kind that cannot be read */
	/*
	 * Asked before each operation; NULL: all work. Returns 0: it works; a negative errno: that
	 * is the answer and nothing is done; FAKE_ANSWER_LOST: it is done and the answer is lost.
	 */
	int (*fault)(const struct op *op, void *arg);
	/* How many connections a real server has; NULL: none has any. */
	uint32_t (*active)(const struct fact_key *rs, void *arg);
	int conns_error; /* negative errno of counting connections; 0: it works */
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

/* Behind the daemon's back: what others do with their own tools. */
void fake_kernel_put_fact(struct fake_kernel *k, const struct fact *f);
/* With its children; nothing happens where it is not there. */
void fake_kernel_remove_key(struct fake_kernel *k, const struct fact_key *key);
void fake_kernel_put(struct fake_kernel *k, const char *line);
void fake_kernel_remove(struct fake_kernel *k, const char *line); /* the value does not matter */

/* NULL where it is not there. */
const struct fact *fake_kernel_find(const struct fake_kernel *k, const struct fact_key *key);
/* It is there with that value. */
bool fake_kernel_has(const struct fake_kernel *k, const char *line);
/* All facts in their order, a line each. */
void fake_kernel_print(const struct fake_kernel *k, struct buf *ret);
/* All facts in their order; the caller frees. */
struct fact *fake_kernel_list(const struct fake_kernel *k);

/* Carries out one operation and writes its result. */
void fake_kernel_apply(struct fake_kernel *k, struct op *op);
/* Does what a slow one was asked to do. */
void fake_kernel_answer(struct fake_kernel *k);
/* Forgets what was counted and logged. */
void fake_kernel_reset_log(struct fake_kernel *k);

#endif
