// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carrying out a batch takes several programs, one after another. They stand as tasks on a stack: a
 * task that lacks something puts another task on top of itself.
 *
 * A batch with operations of several kinds is one document, in which each kind has tables of its
 * own: iptables-restore commits one table after the other, so that chains stand before entries lead
 * to them, and both before jumps. It stops at the first table that it refuses; then all is read
 * again, and each kind gets a document of its own.
 *
 * When iptables-restore refuses a document of one kind, the batch is halved until the operations
 * that are at fault stand alone. Their failure is logged with the words of iptables.
 */
#include "kernel/iptables.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "canary.h"
#include "core/fact_text.h"
#include "core/resolve.h"
#include "core/service_chain.h"
#include "iptables_dispatch.h"
#include "iptables_document.h"
#include "iptables_memo.h"
#include "iptables_save.h"
#include "iptables_tool.h"
#include "kernel/exec.h"
#include "legacy_tables.h"
#include "nftables_generation.h"
#include "nl.h"

enum {
	FAMILIES = 2,
	/* Of the time no more than this part is spent on reading where others changed nothing. */
	READING_SHARE = 10,
	/*
	 * In one document. The time that iptables-nft takes grows with the square of the number of
	 * new chains: 0.1 s for 1,000, 13 s for 33,000.
	 */
	NFT_CHAINS = 1024,
};

struct iptables_family {
	int family; /* 0: not served */
	struct iptables_tool tool;
	struct saved snapshot;
	/* The snapshot is what iptables told after the last write; else it must be read. */
	bool read;
	bool jumps; /* its jumps are those of the last reading, and none was written since */
	struct err read_err;	   /* code 0: the snapshot is whole */
	struct leftovers left;	   /* that the last dump met */
	enum gate forward, output; /* of table filter, at the last reading */
	struct dispatch dispatch;
	struct iptables_counts counts; /* all but the tree */
};

/* Operations on one family, of TASK_MIXED in runs of one kind, else all of one kind; of chains those
 * that delete stand last. */
struct iptables_batch {
	struct iptables_family *family;
	enum fact_kind kind;
	struct op **ops;
	size_t n;
};

enum iptables_task_type {
	TASK_READ,    /* the family's snapshot */
	TASK_WRITE,   /* the batch */
	TASK_PREPARE, /* the chains of the batch without their rules */
	TASK_MIXED,   /* the batch in one document */
	TASK_RESUME,  /* the batch, of which a part may have been written */
	TASK_COMPARE, /* how iptables tells what was written of the batch */
};

struct iptables_task {
	enum iptables_task_type type;
	struct iptables_batch batch; /* of TASK_READ: the family only */
	/* Of TASK_READ: the run for all tables has begun, and it is over; tables that exist, but
	 * were not printed, have a run of their own (a mask). */
	bool begun, listed;
	unsigned unread;
};

struct iptables {
	struct adapter adapter;
	const struct rule_pool *pool;
	struct iptables_family families[FAMILIES];
	struct map memos; /* of struct memo */
	bool waits;	  /* apply() and dump() wait for the programs that they run */
	bool ahead;	  /* the snapshots are those of read_ahead() */
	bool early;	  /* and of a time before the engine began, with this number of epoch() */
	uint64_t early_epoch;
	/* What is under way: programs run one after another, for the last task first. */
	struct exec *exec;
	struct iptables_task *tasks;
	size_t n_tasks, cap_tasks;
	struct document document; /* that is being written */
	struct op **ops;	  /* of the batches */
	struct err mixed_err;	  /* of the last TASK_MIXED that failed */
	bool from_memory;	  /* the document was made of jumps read before the last write */
	bool doubtful;		  /* something that was written should be read back */
	struct canary *canary;	  /* NULL: nobody wants to know */
	/* Of nf_tables, where a family uses that variant; else the port is NULL. */
	struct nl_port *port;
	struct nftables_generation generation;
	/* Of the legacy variant: the rules when they were looked at last, and how often they had
	 * changed by then. */
	uint64_t legacy_hash, legacy_epoch;
	uint64_t read_begun, read_ms; /* how long it took to read all, last */
};

/* Tasks */

static void push_task(struct iptables *t, enum iptables_task_type type, struct iptables_batch batch)
{
	mem_grow(t->tasks, t->n_tasks, t->cap_tasks);
	t->tasks[t->n_tasks++] = (struct iptables_task){ .type = type, .batch = batch };
}

/* The task on top has read its snapshot, or failed to. */
static void end_reading(struct iptables *t, const struct err *err)
{
	struct iptables_family *f = t->tasks[--t->n_tasks].batch.family;

	f->read = true;
	f->jumps = !err;
	f->read_err = err ? *err : (struct err){ 0 };
	if (!err)
		return;
	err_prefix(&f->read_err, "%s", f->tool.name);
	saved_done(&f->snapshot);
}

static unsigned existing_tables(const struct iptables_family *f)
{
	unsigned tables = 0;

	for (enum table table = 0; table <= TABLE_MANGLE; table++)
		if (iptables_tool_may_have(&f->tool, f->family, table))
			tables |= 1u << table;
	return tables;
}

static enum table first_table(unsigned tables)
{
	enum table table = 0;

	while (!(tables & 1u << table))
		table++;
	return table;
}

/* One program prints all tables. Where the kernel has none there is nothing to print. */
static void begin_reading(struct iptables *t)
{
	struct iptables_task *task = &t->tasks[t->n_tasks - 1];
	struct iptables_family *f = task->batch.family;
	const bool whole = !task->begun;
	struct err err = { 0 };

	if (whole) {
		saved_done(&f->snapshot);
		f->snapshot.family = f->family;
		f->forward = f->output = GATE_OPEN;
		task->unread = existing_tables(f);
		task->begun = true;
	}
	if (!task->unread)
		end_reading(t, NULL);
	else if (iptables_tool_start_save(&f->tool, t->exec,
			 whole ? NULL : table_name(first_table(task->unread)), &err))
		end_reading(t, &err);
}

static int take_saved_table(
	struct iptables_family *f, enum table table, const char *text, struct err *err)
{
	int r = saved_add(&f->snapshot, table, text, err);

	if (!r && table == TABLE_FILTER) {
		f->forward = iptables_gate_read(text, f->family,
			&(struct gate_packets){ HOOK_FORWARD, .translated = true });
		f->output =
			iptables_gate_read(text, f->family, &(struct gate_packets){ HOOK_OUTPUT });
	}
	return r;
}

/* All tables were printed, or one that the run for all has left out, so that its words tell why. */
static void take_saved(struct iptables *t, int status, const struct buf *out, struct err *words)
{
	struct iptables_task *task = &t->tasks[t->n_tasks - 1];
	struct iptables_family *f = task->batch.family;
	const enum table wanted = first_table(task->unread);
	struct err err = { 0 };
	int r = iptables_tool_result(status, words, &err);

	if (task->listed && r)
		err_prefix(&err, "cannot read table %s", table_name(wanted));
	else if (task->listed)
		r = take_saved_table(f, wanted, buf_str(out), &err);
	if (task->listed || r == -ETIMEDOUT || err_is_shortage(r)) {
		task->unread &= ~(1u << wanted);
		if (r)
			end_reading(t, &err);
		return;
	}
	task->listed = true;
	for (enum table table = 0; !r && table <= TABLE_MANGLE; table++) {
		size_t len;
		const char *section = saved_section(buf_str(out), table, &len);
		_cleanup_free_ char *text = section ? mem_strndup(section, len) : NULL;

		if (text && !take_saved_table(f, table, text, &err))
			task->unread &= ~(1u << table);
	}
}

/* The same words about the same chain are logged once. */
static void log_failure(struct iptables *t, const struct iptables_batch *b, const struct err *err)
{
	struct memo *m = memo_get(&t->memos, &b->ops[0]->fact.key);
	uint64_t complaint = hash_text(err->msg);
	_cleanup_(buf_done) struct buf fact = { 0 };

	if (m->complaint == complaint)
		return;
	m->complaint = complaint;
	fact_print(&fact, &b->ops[0]->fact);
	log_warn("cannot change iptables rules, retrying later",
		"program=%s fact=\"%s\" err=\"%s\"", b->family->tool.name, buf_str(&fact),
		err->msg);
}

/* All operations of the batch get their result. */
static void conclude(
	struct iptables *t, const struct iptables_batch *b, int r, const struct err *err)
{
	const bool dispatch = b->kind == FACT_DISPATCH;
	const bool refused = r == -EINVAL || r == -EPERM || r == -EAGAIN;

	if (r) {
		b->family->counts.failures++;
		log_failure(t, b, err);
	}
	/* Nobody knows what the kernel has of a tree that was neither accepted nor refused. */
	if (r && dispatch && !refused)
		r = -ENOBUFS;
	for (size_t i = 0; i < b->n; i++) {
		b->ops[i]->result = r;
		if (!r && !dispatch)
			t->doubtful |= memo_written(&t->memos, b->ops[i]);
	}
}

/*
 * Rules may refer only to chains that exist. In the order of these numbers chains refer to chains
 * before them, so that a batch can be cut anywhere.
 */
static int chain_rank(const struct fact_key *key)
{
	enum { RANK_ENTRANCE = 5 };
	static const int ranks[SERVICE_CHAINS] = {
		[SERVICE_CHAIN_SEP] = 1,
		[SERVICE_CHAIN_SVC] = 2,
		[SERVICE_CHAIN_SVL] = 2,
		[SERVICE_CHAIN_EXT] = 3,
		[SERVICE_CHAIN_FW] = 4,
	};
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;

	if (chain_is_entrance(key->set, key->name))
		return RANK_ENTRANCE;
	return service_chain_parse(key->name, &chain, hash) ? ranks[chain] : 0;
}

/*
 * Chains go by name, because iptables takes new chains fastest in the order in which it keeps them.
 * Jumps are each inserted at the head: those that an audit misses come back in the order in which
 * they stood.
 */
static int compare_op(const void *a, const void *b)
{
	const struct op *x = *(struct op *const *)a, *y = *(struct op *const *)b;
	int c;

	if (x->fact.key.kind != FACT_CHAIN)
		return fact_key_cmp(&x->fact.key, &y->fact.key);
	if ((x->type == OP_DEL) != (y->type == OP_DEL))
		return x->type == OP_DEL ? 1 : -1;
	c = chain_rank(&x->fact.key) - chain_rank(&y->fact.key);
	if (x->type == OP_DEL)
		c = -c;
	return c ? c : strcmp(x->fact.key.name, y->fact.key.name);
}

/* How many operations of that kind one document takes. */
static size_t run_max(const struct iptables_batch *run)
{
	return run->kind == FACT_CHAIN && run->family->tool.info.nft ? NFT_CHAINS : SIZE_MAX;
}

/* The next run of operations of one kind, from *at on; false: there is none. */
static bool next_run(const struct iptables_batch *b, size_t *at, struct iptables_batch *ret)
{
	const size_t from = *at;

	if (from == b->n)
		return false;
	*ret = (struct iptables_batch){
		.family = b->family, .kind = b->ops[from]->fact.key.kind, .ops = b->ops + from
	};
	while (*at < b->n && b->ops[*at]->fact.key.kind == ret->kind)
		++*at;
	ret->n = *at - from;
	return true;
}

/* Each run in documents of its own. */
static void push_runs(struct iptables *t, const struct iptables_batch *b)
{
	const size_t first = t->n_tasks;
	struct iptables_batch run;

	for (size_t at = 0; next_run(b, &at, &run);)
		for (size_t n = 0; n < run.n;) {
			struct iptables_batch part = run;

			part.ops += n;
			part.n = run.n - n < run_max(&run) ? run.n - n : run_max(&run);
			n += part.n;
			push_task(t, TASK_WRITE, part);
		}
	/* The first part is written first. */
	for (size_t i = first, j = t->n_tasks; i + 1 < j; i++) {
		const struct iptables_task last = t->tasks[--j];

		t->tasks[j] = t->tasks[i];
		t->tasks[i] = last;
	}
}

static bool has_jumps(const struct iptables_batch *b)
{
	struct iptables_batch run;

	for (size_t at = 0; next_run(b, &at, &run);)
		if (run.kind == FACT_JUMP)
			return true;
	return false;
}

static void add_to_document(struct iptables *t, const struct iptables_batch *b)
{
	struct iptables_family *f = b->family;

	if (b->kind == FACT_CHAIN)
		document_add_chains(&t->document, t->pool, &f->dispatch, b->ops, b->n);
	else if (b->kind == FACT_DISPATCH)
		document_add_dispatch(&t->document, &f->dispatch, b->ops, b->n);
	else
		document_add_jumps(&t->document, t->pool, &f->snapshot, b->ops, b->n);
}

/* The document goes to iptables-restore; if that cannot be run the task on top has failed. */
static void start_document(struct iptables *t)
{
	const struct iptables_task task = t->tasks[t->n_tasks - 1];
	const struct iptables_batch b = task.batch;
	struct err err = { 0 };
	int r;

	canary_before_write(t->canary, b.family->family);
	r = iptables_tool_start_restore(&b.family->tool, t->exec, &t->document.text, &err);
	t->from_memory = !b.family->read;
	b.family->read = false;
	b.family->jumps &= !has_jumps(&b);
	if (!r) {
		canary_written_by(t->canary, (uint32_t)exec_running(t->exec));
		return;
	}
	t->n_tasks--;
	if (task.type == TASK_MIXED) {
		t->mixed_err = err;
		push_task(t, TASK_RESUME, b);
		return;
	}
	if (task.type == TASK_WRITE)
		conclude(t, &b, r, &err);
	dispatch_end(&b.family->dispatch, false);
}

/* Jumps are replaced as they stand, so that they must be known. */
static void begin_writing(struct iptables *t)
{
	const struct iptables_batch b = t->tasks[t->n_tasks - 1].batch;
	const enum fact_kind kind = b.kind;
	struct iptables_family *f = b.family;

	if (kind == FACT_JUMP && !f->read && !f->jumps) {
		push_task(t, TASK_READ, (struct iptables_batch){ f });
		return;
	}
	if (kind == FACT_JUMP && f->read && f->read_err.code) {
		conclude(t, &b, f->read_err.code, &f->read_err);
		t->n_tasks--;
		return;
	}

	document_reset(&t->document);
	add_to_document(t, &b);
	if (t->document.text.len) {
		start_document(t);
		return;
	}
	dispatch_end(&f->dispatch, true);
	conclude(t, &b, 0, NULL);
	t->n_tasks--;
}

static void count_written(struct iptables *t, struct iptables_family *f)
{
	for (enum table table = 0; table <= TABLE_MANGLE; table++)
		f->counts.written[table] += t->document.rules[table];
}

static void end_writing(struct iptables *t, int status, struct err *words)
{
	const struct iptables_batch b = t->tasks[--t->n_tasks].batch;
	const struct iptables_batch first = { b.family, b.kind, b.ops, b.n / 2 };
	const struct iptables_batch second = { b.family, b.kind, b.ops + b.n / 2, b.n - b.n / 2 };
	struct err err = { 0 };
	int r = iptables_tool_result(status, words, &err);

	/* How many transactions the program has made is its own affair. */
	nftables_generation_forget(&t->generation);
	dispatch_end(&b.family->dispatch, !r);
	if (r == -EINVAL && b.kind == FACT_JUMP && t->from_memory) {
		push_task(t, TASK_WRITE, b); /* somebody else has changed the jumps */
		return;
	}
	/* Chains refer to each other, so that a part of a refused batch may need its other parts:
	 * chains that are new are made first, and where all others are through, chains that are to
	 * go are emptied. Chains that exist already keep their rules until they get others. */
	if (r == -EINVAL && b.n > 1) {
		push_task(t, TASK_WRITE, second);
		push_task(t, TASK_WRITE, first);
		if (b.kind == FACT_CHAIN)
			push_task(t, TASK_PREPARE, b);
		return;
	}

	/* iptables names the number of the line that it refuses; people want to see the line. */
	if (r) {
		const char *number = strstr(err.msg, "line"), *line = buf_str(&t->document.text);
		const struct err told = err;
		unsigned long n = 0;

		if (number)
			n = strtoul(number + strcspn(number, "0123456789"), NULL, 10);
		for (; n > 1 && *line; n--)
			line = strchrnul(line, '\n') + 1;
		if (n && *line == '-')
			err_set(&err, r, "%s, in: %.*s", told.msg, (int)strcspn(line, "\n"), line);
	}
	if (!r)
		count_written(t, b.family);
	conclude(t, &b, r, &err);
}

/* Each kind is written as if those before it were; if they are not, TASK_RESUME reads what is. */
static void begin_mixed(struct iptables *t)
{
	const struct iptables_batch b = t->tasks[t->n_tasks - 1].batch;
	struct iptables_family *f = b.family;
	struct iptables_batch run;

	if (has_jumps(&b) && !f->read && !f->jumps) {
		push_task(t, TASK_READ, (struct iptables_batch){ f });
		return;
	}
	if (f->read && f->read_err.code) {
		t->n_tasks--;
		push_runs(t, &b);
		return;
	}
	document_reset(&t->document);
	for (size_t at = 0; next_run(&b, &at, &run);) {
		add_to_document(t, &run);
		dispatch_end(&f->dispatch, true);
	}
	start_document(t);
}

static void end_mixed(struct iptables *t, int status, struct err *words)
{
	const struct iptables_batch b = t->tasks[--t->n_tasks].batch;
	struct iptables_batch run;
	int r = iptables_tool_result(status, words, &t->mixed_err);

	nftables_generation_forget(&t->generation);
	if (r) {
		push_task(t, TASK_RESUME, b);
		return;
	}
	count_written(t, b.family);
	for (size_t at = 0; next_run(&b, &at, &run);)
		conclude(t, &run, 0, NULL);
}

/* What was refused may be any part, so each kind is tried by itself. Other failures are those of all.
 */
static void resume_mixed(struct iptables *t)
{
	const struct iptables_batch b = t->tasks[t->n_tasks - 1].batch;
	struct iptables_family *f = b.family;
	struct iptables_batch run;

	if (!f->read) {
		push_task(t, TASK_READ, (struct iptables_batch){ f });
		return;
	}
	t->n_tasks--;
	if (!f->read_err.code)
		dispatch_learn(&f->dispatch, &f->snapshot);
	if (!f->read_err.code && t->mixed_err.code == -EINVAL) {
		push_runs(t, &b);
		return;
	}
	for (size_t at = 0; next_run(&b, &at, &run);)
		conclude(t, &run, f->read_err.code ? -ENOBUFS : t->mixed_err.code, &t->mixed_err);
}

/*
 * iptables tells rules in its own form, but each of them as one. Another number of rules is the work
 * of somebody who changed the chain since we wrote it, such as a firewall that flushes all tables.
 */
static bool is_rendering(const struct iptables *t, const struct saved_chain *c, uint64_t written)
{
	const struct rule_list *rules = rule_pool_get(t->pool, written);

	return rules && c->n_rules == rules->n;
}

/* Where something that was written is doubtful, remembers how iptables tells it. */
static void compare_written(struct iptables *t)
{
	const struct iptables_batch b = t->tasks[t->n_tasks - 1].batch;
	struct iptables_family *f = b.family;

	if (t->doubtful && !f->read) {
		push_task(t, TASK_READ, (struct iptables_batch){ f });
		return;
	}
	for (size_t i = 0; t->doubtful && !f->read_err.code && i < b.n; i++) {
		const struct fact_key *key = &b.ops[i]->fact.key;
		const struct saved_chain *c = saved_find(&f->snapshot, key);
		struct memo *m = memo_find(&t->memos, key);

		if (!c || !m || b.ops[i]->result || !is_rendering(t, c, m->written))
			continue;
		m->rendered = c->hash;
		if (c->hash != m->written)
			log_debug("iptables tells rules in another form than they were written",
				"chain=%s", c->key.name);
	}
	t->doubtful = false;
	t->n_tasks--;
}

/* Goes on; returns whether all tasks are done. */
static bool advance_tasks(struct iptables *t)
{
	while (t->n_tasks) {
		const struct iptables_task task = t->tasks[t->n_tasks - 1];
		const struct iptables_batch *b = &task.batch;
		_cleanup_(buf_done) struct buf out = { 0 };
		struct err words = { 0 };
		int status;

		if (!exec_running(t->exec)) {
			switch (task.type) {
			case TASK_READ:
				begin_reading(t);
				break;
			case TASK_WRITE:
				begin_writing(t);
				break;
			case TASK_PREPARE:
				document_reset(&t->document);
				document_add_headers(&t->document, b->ops, b->n);
				if (t->document.text.len)
					start_document(t);
				else
					t->n_tasks--;
				break;
			case TASK_MIXED:
				begin_mixed(t);
				break;
			case TASK_RESUME:
				resume_mixed(t);
				break;
			case TASK_COMPARE:
				compare_written(t);
				break;
			}
			continue;
		}

		status = exec_advance(t->exec, &out, &words);
		if (status == -EINPROGRESS)
			return false;
		if (task.type == TASK_READ) {
			take_saved(t, status, &out, &words);
			continue;
		}
		canary_after_write(t->canary, b->family->family);
		if (task.type == TASK_WRITE)
			end_writing(t, status, &words);
		else if (task.type == TASK_MIXED)
			end_mixed(t, status, &words);
		else /* TASK_PREPARE: if it failed, the parts will fail in their turn */
			t->n_tasks--;
	}
	return true;
}

/* Reading */

/* The variant nf_tables leaves its rules where one number counts all changes. Rules of the legacy
 * variant are compared with what they were. */
static uint64_t iptables_epoch(struct adapter *a)
{
	struct iptables *t = container_of(a, struct iptables, adapter);
	uint64_t legacy = HASH_EMPTY, nft = 0;

	for (size_t i = 0; i < FAMILIES; i++) {
		const struct iptables_family *f = &t->families[i];
		uint64_t hash;

		if (!f->family)
			continue;
		if (f->tool.info.nft && !t->port)
			return 0;
		hash = f->tool.info.nft ? HASH_EMPTY
					: legacy_tables_hash(f->family, existing_tables(f));
		if (!hash)
			return 0;
		legacy = hash_more(legacy, &hash, sizeof(hash));
	}
	if (t->port) {
		nft = nftables_generation_epoch(&t->generation, t->port);
		if (!nft)
			return 0;
	}
	t->legacy_epoch += !t->legacy_epoch || legacy != t->legacy_hash;
	t->legacy_hash = legacy;
	return nft + t->legacy_epoch;
}

static bool iptables_advance(struct adapter *a)
{
	return advance_tasks(container_of(a, struct iptables, adapter));
}

/* What was read early may be of another day. */
static void forget_stale_snapshots(struct iptables *t)
{
	if (t->early && t->ahead)
		t->ahead = t->early_epoch && iptables_epoch(&t->adapter) == t->early_epoch;
	t->early = false;
}

static bool iptables_read_ahead(struct adapter *a)
{
	struct iptables *t = container_of(a, struct iptables, adapter);

	if (t->pool)
		forget_stale_snapshots(t);
	else if (!t->n_tasks)
		t->early_epoch = iptables_epoch(a);
	t->early = !t->pool;
	if (t->ahead)
		return true;
	if (!t->n_tasks) {
		t->read_begun = clock_ms();
		for (size_t i = FAMILIES; i-- > 0;)
			if (t->families[i].family)
				push_task(t, TASK_READ, (struct iptables_batch){ &t->families[i] });
	}
	while (!(t->ahead = advance_tasks(t)) && t->waits)
		exec_wait(t->exec);
	if (t->ahead)
		t->read_ms = clock_ms() - t->read_begun;
	return t->ahead;
}

static int iptables_dump(
	struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	struct iptables *t = container_of(a, struct iptables, adapter);
	bool read = true;

	forget_stale_snapshots(t);
	for (size_t i = 0; i < FAMILIES; i++)
		read &= !t->families[i].family || t->families[i].read;
	if (kind == FACT_CHAIN ? !t->ahead : !read) {
		t->ahead = false;
		iptables_read_ahead(a);
		while (!advance_tasks(t))
			exec_wait(t->exec);
	}
	t->ahead = false;

	for (size_t i = 0; i < FAMILIES; i++) {
		struct iptables_family *f = &t->families[i];

		if (!f->family)
			continue;
		if (f->read_err.code)
			return err_set(err, f->read_err.code, "%s", f->read_err.msg);
		if (kind == FACT_CHAIN)
			dispatch_learn(&f->dispatch, &f->snapshot);
		if (kind == FACT_DISPATCH) {
			dispatch_tell(&f->dispatch, fn, arg);
			continue;
		}

		map_for_each_entry(struct saved_chain, c, &f->snapshot.chains, by_key) {
			const struct memo *m = memo_find(&t->memos, &c->key);
			struct fact fact = { .key = c->key };

			if (c->key.kind != kind)
				continue;
			memset(&fact.val, 0, sizeof(fact.val));
			fact.val.chain.rules = m && m->rendered == c->hash ? m->written : c->hash;
			fn(&fact, arg);
		}
		if (kind != FACT_JUMP)
			continue;

		/* The last kind: of the snapshot only the jumps are needed from now on. */
		leftovers_done(&f->left);
		f->left = f->snapshot.left;
		f->snapshot.left = (struct leftovers){ 0 };
		saved_keep_jumps(&f->snapshot);
		f->read = false;
	}
	return 0;
}

/* Writing */

static void push_batch(struct iptables *t, const struct iptables_batch *b)
{
	bool mixed = b->ops[0]->fact.key.kind != b->ops[b->n - 1]->fact.key.kind;
	struct iptables_batch run;

	for (size_t i = 0; i < b->n; i++)
		b->ops[i]->result = -EINPROGRESS;
	for (size_t at = 0; next_run(b, &at, &run);) {
		mixed &= run.n <= run_max(&run);
		if (run.kind != FACT_DISPATCH)
			qsort(run.ops, run.n, sizeof(struct op *), compare_op);
	}
	push_task(t, TASK_COMPARE, *b);
	if (mixed)
		push_task(t, TASK_MIXED, *b);
	else
		push_runs(t, b);
}

static void iptables_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct iptables *t = container_of(a, struct iptables, adapter);
	size_t used = 0;

	t->ahead = false;
	t->ops = mem_realloc(t->ops, n, sizeof(struct op *));
	for (size_t i = 0; i < n; i++)
		ops[i].result = -EOPNOTSUPP; /* where the family is not served */
	for (size_t f = FAMILIES; f-- > 0;) {
		struct iptables_batch b = { .family = &t->families[f], .ops = t->ops + used };

		for (size_t i = 0; i < n; i++)
			if (ops[i].fact.key.family == b.family->family)
				b.ops[b.n++] = &ops[i];
		used += b.n;
		if (b.n)
			push_batch(t, &b);
	}
	while (t->waits && !advance_tasks(t))
		exec_wait(t->exec);
}

const char *iptables_explain(const struct op *op)
{
	switch (op->result) {
	case -EPERM:
		return "CAP_NET_ADMIN or CAP_NET_RAW is missing";
	case -EAGAIN:
		return "another program holds the lock of iptables";
	case -EINVAL:
		return op->type == OP_DEL ? "iptables refuses it, perhaps because rules of others "
					    "refer to the chain; its words are in the log"
					  : "iptables refuses the rules; its words are in the log";
	case -EOPNOTSUPP:
		return "iptables cannot be run";
	default:
		return NULL;
	}
}

int iptables_open(bool *ipv4, bool *ipv6, struct adapter **ret, struct err *err)
{
	static const int families[FAMILIES] = { AF_INET, AF_INET6 };
	bool *const serves[FAMILIES] = { ipv4, ipv6 };
	struct iptables *t = new0(struct iptables);
	bool nft = false;
	int r;

	t->waits = true;
	t->adapter = (struct adapter){
		.name = "iptables",
		.kinds = 1u << FACT_CHAIN | 1u << FACT_DISPATCH | 1u << FACT_JUMP,
		.mixes = true,
		.whole_queue = true,
		.apply = iptables_apply,
		.advance = iptables_advance,
		.read_ahead = iptables_read_ahead,
		.dump = iptables_dump,
		.explain = iptables_explain,
		.epoch = iptables_epoch,
	};
	r = exec_new(&t->exec, err);
	for (size_t i = 0; !r && i < FAMILIES; i++) {
		struct iptables_family *f = &t->families[i];
		int found = *serves[i] ? iptables_tool_find(families[i], &f->tool, err) : -ENOENT;

		*serves[i] = !found;
		if (err_is_shortage(found))
			r = found;
		if (found)
			continue;
		f->family = f->dispatch.family = families[i];
		nft |= f->tool.info.nft;
	}
	/* Without it every audit reads. */
	if (!r && nft)
		nl_port_open(NETLINK_NETFILTER, &t->port, NULL);
	if (r) {
		iptables_free(&t->adapter);
		return r;
	}
	*ret = &t->adapter;
	return 0;
}

void iptables_use_rules(struct adapter *a, const struct rule_pool *pool)
{
	container_of(a, struct iptables, adapter)->pool = pool;
}

int iptables_new(
	const struct rule_pool *pool, bool ipv4, bool ipv6, struct adapter **ret, struct err *err)
{
	bool four = ipv4, six = ipv6;
	struct err why = { 0 };
	struct adapter *a;
	int r = iptables_open(&four, &six, &a, &why);

	if (!r && (four != ipv4 || six != ipv6)) {
		iptables_free(a);
		r = why.code ? why.code : -ENOENT;
	}
	if (r)
		return err_set(err, r, "%s", why.msg);
	iptables_use_rules(a, pool);
	*ret = a;
	return 0;
}

static const struct iptables_family *find_family(const struct adapter *a, int family)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);

	for (size_t i = 0; i < FAMILIES; i++)
		if (t->families[i].family == family)
			return &t->families[i];
	return NULL;
}

void iptables_leave_family(struct adapter *a, int family)
{
	struct iptables *t = container_of(a, struct iptables, adapter);

	for (size_t i = 0; i < FAMILIES; i++)
		if (t->families[i].family == family)
			t->families[i].family = 0;
}

const struct iptables_tool *iptables_tool_of(const struct adapter *a, int family)
{
	const struct iptables_family *f = find_family(a, family);

	return f ? &f->tool : NULL;
}

struct iptables_proof iptables_proof(const struct adapter *a, int family)
{
	const struct iptables_family *f = find_family(a, family);
	const struct saved *s = f && !f->read_err.code ? &f->snapshot : &(struct saved){ 0 };

	return (struct iptables_proof){ s->tables, s->matches, s->targets };
}

void iptables_free(struct adapter *a)
{
	struct iptables *t;

	if (!a)
		return;
	t = container_of(a, struct iptables, adapter);
	for (size_t i = 0; i < FAMILIES; i++) {
		saved_done(&t->families[i].snapshot);
		leftovers_done(&t->families[i].left);
		dispatch_done(&t->families[i].dispatch);
	}
	canary_free(t->canary);
	nl_port_free(t->port);
	exec_free(t->exec);
	memo_done(&t->memos);
	document_done(&t->document);
	free(t->tasks);
	free(t->ops);
	free(t);
}

int iptables_watch(struct adapter *a)
{
	struct iptables *t = container_of(a, struct iptables, adapter);

	t->waits = false;
	return exec_fd(t->exec);
}

int iptables_watch_others(struct adapter *a, struct err *err)
{
	struct iptables *t = container_of(a, struct iptables, adapter);
	struct canary *c;
	int r = canary_new(&c, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < FAMILIES; i++)
		if (t->families[i].family)
			r = canary_add(c, t->families[i].family, t->families[i].tool.info.nft, err);
	if (r) {
		canary_free(c);
		return r;
	}
	t->canary = c;
	return canary_fd(c);
}

bool iptables_disturbed(struct adapter *a, uint64_t now, uint64_t repairs)
{
	struct iptables *t = container_of(a, struct iptables, adapter);

	return canary_disturbed(t->canary, now, READING_SHARE * t->read_ms, repairs);
}

const struct iptables_info *iptables_info(const struct adapter *a)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);

	return &t->families[t->families[0].family ? 0 : 1].tool.info;
}

enum gate iptables_gate(const struct adapter *a, int family, enum hook hook)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);

	for (size_t i = 0; i < FAMILIES; i++)
		if (t->families[i].family == family)
			return hook == HOOK_FORWARD ? t->families[i].forward
						    : t->families[i].output;
	return GATE_OPEN;
}

struct iptables_counts iptables_counts(const struct adapter *a, int family)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);
	struct iptables_counts counts = { 0 };

	for (size_t i = 0; a && i < FAMILIES; i++)
		if (t->families[i].family == family) {
			counts = t->families[i].counts;
			counts.tree = dispatch_rules(&t->families[i].dispatch);
		}
	return counts;
}

void iptables_print_mixed(const struct adapter *a, struct buf *b)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);
	char name[TOOL_NAME_SIZE];
	size_t n = 0;

	for (size_t i = 0; a && i < FAMILIES; i++) {
		const struct iptables_family *f = &t->families[i];

		if (f->family && iptables_tool_mixed(f->family, &f->tool, name))
			buf_addf(b, "%s%s", n++ ? ", " : "", name);
	}
}

void iptables_leftovers(const struct adapter *a, struct leftovers *ret)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);

	for (size_t i = 0; a && i < FAMILIES; i++)
		for (size_t k = 0; k < t->families[i].left.n; k++)
			leftovers_add(ret, &t->families[i].left.v[k]);
}
