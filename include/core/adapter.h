/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_ADAPTER_H
#define CORE_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/port_set.h"
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
	bool mixes;	  /* apply() takes several kinds and types at once, in the order given */
	bool whole_queue; /* apply() is best given all operations at once that ledger_take() has */
	/*
	 * For an adapter that runs other programs: apply() leaves results at -EINPROGRESS, and
	 * advance() returns true once all of them are written. Until then `ops` stay valid, and
	 * the adapter gets no other call. Its owner knows when to call engine_step() again. NULL:
	 * apply() always answers at once.
	 */
	bool (*advance)(struct adapter *a);
	/*
	 * Starts or continues to read the kernel for the next dumps of all its kinds. Returns true
	 * when dump() can answer at once; it reports a failure to read. NULL: dump() is fast.
	 */
	bool (*read_ahead)(struct adapter *a);
	/*
	 * Calls fn for every fact of one kind in the kernel that could be ours. Returns 0, or a
	 * negative errno with words: the dump is then incomplete. Not for FACT_RS.
	 */
	int (*dump)(struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err);
	/* As dump(), for the real servers of one virtual server; none if it does not exist.
	 * NULL: FACT_RS is none of the kinds. */
	int (*dump_real_servers)(struct adapter *a, const struct fact_key *vs, dump_fn fn,
		void *arg, struct err *err);
	/*
	 * A number that stays the same only while nothing but this adapter's successful operations
	 * changes the kernel's facts of its kinds; 0: unknown. An audit then need not read them. All
	 * facts of the kinds are ours. Asked before read_ahead(). NULL: every audit reads them.
	 */
	uint64_t (*epoch)(struct adapter *a);
	/*
	 * Whether the kernel's real servers of the virtual server are those of their last dump,
	 * and no operation has met them since. An audit then need not be told. False where that is
	 * unknown. NULL: it always is.
	 */
	bool (*unchanged)(struct adapter *a, const struct fact_key *vs);
	/*
	 * Calls fn for each real server of the virtual server. If the virtual server does not
	 * exist, it has no real servers. Returns 0, or a negative errno with words. NULL: the
	 * adapter does not count connections.
	 */
	int (*conns)(struct adapter *a, const struct fact_key *vs,
		void (*fn)(const struct rs_conns *c, void *arg), void *arg, struct err *err);
	/*
	 * A note for later runs in this network namespace: a set of ports that is no fact and that
	 * no rule refers to. A note that was never written is empty. Return 0, or a negative errno
	 * with words. NULL: the adapter keeps no notes.
	 */
	int (*read_note)(
		struct adapter *a, const char *name, struct port_set *ret, struct err *err);
	int (*write_note)(
		struct adapter *a, const char *name, const struct port_set *ports, struct err *err);
	/* Returns a constant text that explains a failure better than its errno, or NULL if there
	 * is none. The pointer may be NULL. */
	const char *(*explain)(const struct op *op);
};

#endif
