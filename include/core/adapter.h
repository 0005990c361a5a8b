/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_ADAPTER_H
#define CORE_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/fact.h"
#include "core/ledger.h"

/*
 * The seam to the kernel. An adapter does not decide: it carries out operations on the kinds that
 * it names, and tells what the kernel holds of them. Implementations embed struct adapter.
 */

/* Connections of one real server, as the kernel counts them. */
struct rs_conns {
	struct fact_key key;
	uint32_t weight, active, inactive, persistent;
};

typedef void (*dump_fn)(const struct fact *f, void *arg);

struct adapter {
	const char *name; /* for messages: "ipvs" */
	unsigned kinds;	  /* mask of 1 << enum fact_kind */
	/*
	 * Carries out n operations of one kind in the given order and writes the answer of each to
	 * its `result`; one failure does not stop the others. All are of one type, but for chains.
	 */
	void (*apply)(struct adapter *a, struct op *ops, size_t n);
	bool whole_queue; /* apply() is best given all operations at once that ledger_take() has */
	/*
	 * An adapter that has others do the work may answer later: it leaves results at
	 * -EINPROGRESS, and the operations stay where they are, until advance() returns true. It is
	 * given nothing else meanwhile. Its owner knows when it is worth to ask. NULL: it always
	 * answers at once.
	 */
	bool (*advance)(struct adapter *a);
	/*
	 * Begins, and goes on, to read what the next dumps of its kinds will tell; returns whether
	 * that is done, well or badly. NULL: dump() does not take long.
	 */
	bool (*read_ahead)(struct adapter *a);
	/*
	 * Calls fn for every fact of one kind in the kernel that could be ours. Returns 0, or a
	 * negative errno with words: the dump is then incomplete. Real servers are told for the
	 * virtual servers that `skip` (which may be NULL) does not refuse; other kinds do not use
	 * it.
	 */
	int (*dump)(struct adapter *a, enum fact_kind kind,
		bool (*skip)(const struct fact_key *vs, void *arg), dump_fn fn, void *arg,
		struct err *err);
	/*
	 * Calls fn for each real server of the virtual server; one that does not exist has none.
	 * NULL where the adapter knows of no connections.
	 */
	int (*conns)(struct adapter *a, const struct fact_key *vs,
		void (*fn)(const struct rs_conns *c, void *arg), void *arg, struct err *err);
	/* Why an operation failed, where errno says less; NULL where it says enough. May be NULL
	 * itself. */
	const char *(*explain)(const struct op *op);
};

#endif
