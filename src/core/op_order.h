/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_OP_ORDER_H
#define CORE_OP_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ledger.h"

/*
 * The order in which operations reach the kernel, as one table; op_order.c explains each step. The
 * ledger walks the table from the top and carries out the first row that has operations waiting.
 */

/* A class of facts has a place of its own in the order. Each kind is a class. The classes below are
 * members and chains that have another place than the rest of their kind. */
enum op_class {
	OP_CLASS_DIVERSION = FACT_KINDS,
	OP_CLASS_ENTRANCE,
	OP_CLASS_SERVICE_CHAIN,
	OP_CLASS_EXPOSURE, /* members of KUBE-EXTERNAL-PORT */
	OP_CLASS_SPREAD,   /* members of KUBE-SPREADS */
	OP_CLASS_DISPATCH, /* members of KUBE-DISPATCH-POD and -NODE */
	OP_CLASS_REVIVAL,  /* of a real server: its weight leaves 0; only a change is one */
	OP_CLASS_ENTRY,	   /* into nat, after ledger_enter_last(); only an add is one */
	OP_CLASSES
};
enum op_class op_class_of(const struct fact_key *key);

enum { OP_TYPES = 3, OP_STEPS = OP_TYPES * OP_CLASSES - 4 };

/* A row of the table: all operations of one type on facts of one class. */
struct op_step {
	enum op_type type;
	uint8_t class; /* enum op_class, or enum fact_kind */
	bool vital;    /* vital claimants have this step in a pass before all others */
	bool joins;    /* goes into one batch with the rows of that sort around it */
	bool mixes;    /* goes into one batch with the rows of that sort around it, if one adapter
			  takes several kinds at once */
	bool slow;     /* 10 ms and more for each operation; carried out by core/hold */
	bool breaks;   /* comes after all that is made */
};
extern const struct op_step op_order[OP_STEPS];

/* The row of this operation is marked slow. */
bool op_is_slow(const struct op *op);
/* The operation takes an old path down: what is new exists by then, as far as the kernel took it. */
bool op_breaks(const struct op *op);
bool op_step_is_of_kind(const struct op_step *step, enum fact_kind kind);

#endif
