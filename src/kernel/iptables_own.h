/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_OWN_H
#define KERNEL_IPTABLES_OWN_H

#include "base/buf.h"
#include "base/map.h"
#include "core/adapter.h"
#include "core/rule_pool.h"
#include "iptables_dispatch.h"
#include "iptables_save.h"
#include "iptables_tool.h"
#include "kernel/exec.h"

/* What the files of the iptables adapter share. */

enum { FAMILIES = 2 };

/* The tables that have chains of ours, in the order of a document. */
extern const enum table iptables_tables[3];

struct family {
	int family; /* 0: not served */
	struct iptables_tool tool;
	struct saved snapshot;
	/* The snapshot is what iptables told after the last write; else it must be read. */
	bool read;
	bool jumps; /* its jumps are those of the last reading, and none was written since */
	struct err read_err;   /* code 0: the snapshot is whole */
	struct leftovers left; /* that the last dump met */
	struct dispatch dispatch;
	struct iptables_counts counts; /* all but the tree */
};

/* Some operations on one family, all of one kind; of chains those that delete stand last. */
struct batch {
	struct family *family;
	struct op **ops;
	size_t n;
};

enum task_type {
	TASK_READ,    /* the family's snapshot */
	TASK_WRITE,   /* the batch */
	TASK_PREPARE, /* the chains of the batch without their rules */
	TASK_COMPARE, /* how iptables tells what was written of the batch */
};

struct task {
	enum task_type type;
	struct batch batch; /* of TASK_READ: the family only */
	size_t table;	    /* of TASK_READ: the next one to read */
};

struct iptables {
	struct adapter adapter;
	const struct rule_pool *pool;
	struct family families[FAMILIES];
	struct map memos; /* of struct memo */
	bool waits;	  /* apply() and dump() wait for the programs that they run */
	bool ahead;	  /* the snapshots are those of read_ahead() */
	/* What is under way: programs run one after another, for the last task first. */
	struct exec *exec;
	struct task *tasks;
	size_t n_tasks, cap_tasks;
	struct buf document;   /* that is being written */
	struct op **ops;       /* of the batches */
	bool from_memory;      /* the document was made of jumps read before the last write */
	bool doubtful;	       /* something that was written should be read back */
	struct canary *canary; /* NULL: nobody wants to know */
	uint64_t read_begun, read_ms; /* how long it took to read all, last */
};

/* iptables_document.c: the input of iptables-restore. */
void document_of_batch(const struct iptables *t, const struct batch *b, struct buf *ret);
/* Makes the new chains of the batch; of one that only deletes, empties the chains. */
void document_of_headers(const struct batch *b, struct buf *ret);
/* Adds how many rules it appends to chains. */
void document_count(const struct buf *document, struct iptables_counts *counts);

/* iptables_job.c */
void job_read(struct iptables *t, struct family *f);
/* The batch's operations get their results. */
void job_write(struct iptables *t, const struct batch *b);
/* Goes on; returns whether all is done. */
bool job_advance(struct iptables *t);
void job_wait(struct iptables *t);

#endif
