// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carrying out a batch takes several programs, one after another. They stand as tasks on a stack;
 * a task that lacks something puts what brings it on top of itself.
 *
 * When a document is refused, the batch is halved until the operations that are at fault stand
 * alone. Their failure is logged with the words of iptables.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "iptables_canary.h"
#include "iptables_memo.h"
#include "iptables_own.h"

enum {
	/*
	 * In one document. The time that iptables-nft takes grows with the square of the number of
	 * new chains: 0.1 s for 1,000, 13 s for 33,000.
	 */
	NFT_CHAINS = 1024,
};

static void push(struct iptables *t, enum task_type type, const struct batch *b)
{
	mem_grow(t->tasks, t->n_tasks, t->cap_tasks);
	t->tasks[t->n_tasks++] = (struct task){ .type = type, .batch = *b };
}

static struct task pop(struct iptables *t)
{
	return t->tasks[--t->n_tasks];
}

static struct task *top(struct iptables *t)
{
	return &t->tasks[t->n_tasks - 1];
}

void job_read(struct iptables *t, struct family *f)
{
	push(t, TASK_READ, &(struct batch){ .family = f });
}

/* The first part is written first. */
void job_write(struct iptables *t, const struct batch *b)
{
	bool cut = b->ops[0]->fact.key.kind == FACT_CHAIN && b->family->tool.info.nft;
	size_t max = cut ? NFT_CHAINS : b->n;

	push(t, TASK_COMPARE, b);
	for (size_t n = b->n; n;) {
		size_t size = n % max ? n % max : max;

		n -= size;
		push(t, TASK_WRITE,
			&(struct batch){ .family = b->family, .ops = b->ops + n, .n = size });
	}
}

static void end_reading(struct iptables *t, const struct err *err)
{
	struct family *f = pop(t).batch.family;

	f->read = true;
	f->jumps = !err;
	f->read_err = err ? *err : (struct err){ 0 };
	if (!err)
		return;
	err_prefix(&f->read_err, "%s", f->tool.name);
	saved_done(&f->snapshot);
}

static void begin_reading(struct iptables *t)
{
	struct task *task = top(t);
	struct family *f = task->batch.family;
	struct err err = { 0 };

	if (!task->table) {
		saved_done(&f->snapshot);
		f->snapshot.family = f->family;
	}
	if (task->table == ARRAY_SIZE(iptables_tables))
		end_reading(t, NULL);
	else if (iptables_tool_start_save(&f->tool, t->exec, iptables_tables[task->table], &err))
		end_reading(t, &err);
}

static void end_saving(struct iptables *t, int status, const struct buf *out, struct err *words)
{
	struct task *task = top(t);
	struct family *f = task->batch.family;
	enum table table = iptables_tables[task->table++];
	struct err err = { 0 };
	int r = iptables_tool_result(status, words, &err);

	if (r)
		err_prefix(&err, "cannot read table %s", table_name(table));
	else
		r = saved_add(&f->snapshot, table, buf_str(out), &err);
	if (r)
		end_reading(t, &err);
}

static void log_failure(struct iptables *t, const struct batch *b, const struct err *err)
{
	const struct fact_key *key = &b->ops[0]->fact.key;
	struct memo *m = memo_get(&t->memos, key);
	uint64_t complaint = hash_text(err->msg);
	_cleanup_(buf_done) struct buf fact = { 0 };
	struct err words = *err;

	if (m->complaint == complaint)
		return;
	m->complaint = complaint;
	for (char *p = words.msg; (p = strchr(p, '"'));)
		*p = '\'';
	fact_print(&fact, &b->ops[0]->fact);
	log_warn("cannot change iptables rules, retrying later",
		"program=%s fact=\"%s\" err=\"%s\"", b->family->tool.name, buf_str(&fact),
		words.msg);
}

static bool is_dispatch(const struct batch *b)
{
	return b->ops[0]->fact.key.kind == FACT_DISPATCH;
}

/* Whether the kernel has a tree that was neither accepted nor refused, nobody knows. */
static int result_for(const struct batch *b, int r)
{
	bool refused = r == -EINVAL || r == -EPERM || r == -EAGAIN;

	return r && !refused && is_dispatch(b) ? -ENOBUFS : r;
}

static void conclude(struct iptables *t, const struct batch *b, int r, const struct err *err)
{
	if (r) {
		b->family->counts.failures++;
		log_failure(t, b, err);
	}
	for (size_t i = 0; i < b->n; i++) {
		b->ops[i]->result = result_for(b, r);
		if (!r)
			t->doubtful |= !is_dispatch(b) && memo_written(&t->memos, b->ops[i]);
	}
}

/* iptables names the line of the document that it refuses; a reader wants to see it. */
static void quote_line(const struct buf *doc, struct err *err)
{
	const char *number = strstr(err->msg, "line"), *line = buf_str(doc);
	const struct err words = *err;
	unsigned long n = 0;

	if (number)
		n = strtoul(number + strcspn(number, "0123456789"), NULL, 10);
	for (; n > 1 && *line; n--)
		line = strchrnul(line, '\n') + 1;
	if (n && *line == '-')
		err_set(err, words.code, "%s, in: %.*s", words.msg, (int)strcspn(line, "\n"), line);
}

static bool is_jump(const struct batch *b)
{
	return b->ops[0]->fact.key.kind == FACT_JUMP;
}

static void start_document(struct iptables *t, const struct batch *b)
{
	struct err err = { 0 };
	int r;

	canary_before_write(t->canary, b->family->family);
	r = iptables_tool_start_restore(&b->family->tool, t->exec, &t->document, &err);
	t->from_memory = !b->family->read;
	b->family->read = false;
	b->family->jumps &= !is_jump(b);
	if (!r) {
		canary_written_by(t->canary, exec_running(t->exec));
		return;
	}
	if (pop(t).type == TASK_WRITE)
		conclude(t, b, r, &err);
	dispatch_end(&b->family->dispatch, false);
}

static void begin_writing(struct iptables *t)
{
	const struct batch b = top(t)->batch;

	if (is_jump(&b) && !b.family->read && !b.family->jumps) {
		job_read(t, b.family);
		return;
	}
	if (is_jump(&b) && b.family->read && b.family->read_err.code) {
		conclude(t, &b, b.family->read_err.code, &b.family->read_err);
		pop(t);
		return;
	}
	buf_reset(&t->document);
	document_of_batch(t, &b, &t->document);
	if (t->document.len) {
		start_document(t, &b);
		return;
	}
	dispatch_end(&b.family->dispatch, true);
	conclude(t, &b, 0, NULL);
	pop(t);
}

/*
 * Chains refer to each other, so that a part of a refused batch may need its other parts: chains
 * that are new are made first, and where all others are through, chains that are to go are emptied.
 * Those that stand already keep their rules until they get others.
 */
static void halve(struct iptables *t, const struct batch *b)
{
	struct batch first = *b, second = *b;

	first.n = b->n / 2;
	second.ops += first.n;
	second.n -= first.n;
	push(t, TASK_WRITE, &second);
	push(t, TASK_WRITE, &first);
	if (b->ops[0]->fact.key.kind == FACT_CHAIN)
		push(t, TASK_PREPARE, b);
}

static void end_writing(struct iptables *t, int status, struct err *words)
{
	const struct batch b = pop(t).batch;
	struct err err = { 0 };
	int r = iptables_tool_result(status, words, &err);

	dispatch_end(&b.family->dispatch, !r);
	if (r == -EINVAL && is_jump(&b) && t->from_memory) {
		push(t, TASK_WRITE, &b); /* somebody else has changed them */
		return;
	}
	if (r == -EINVAL && b.n > 1) {
		halve(t, &b);
		return;
	}
	if (r)
		quote_line(&t->document, &err);
	else
		document_count(&t->document, &b.family->counts);
	conclude(t, &b, r, &err);
}

static void begin_preparing(struct iptables *t)
{
	const struct batch b = top(t)->batch;

	buf_reset(&t->document);
	document_of_headers(&b, &t->document);
	if (t->document.len)
		start_document(t, &b);
	else
		pop(t);
}

/* How iptables tells what was just written. */
static void learn_rendering(const struct iptables *t, const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct fact_key *key = &b->ops[i]->fact.key;
		const struct saved_chain *c = saved_find(&b->family->snapshot, key);
		struct memo *m = memo_find(&t->memos, key);

		if (!c || !m || b->ops[i]->result)
			continue;
		m->rendered = c->hash;
		if (c->hash != m->written)
			log_debug("iptables tells rules in another form than they were written",
				"chain=%s", c->key.name);
	}
}

static void compare(struct iptables *t)
{
	const struct batch b = top(t)->batch;

	if (t->doubtful && !b.family->read) {
		job_read(t, b.family);
		return;
	}
	if (t->doubtful && !b.family->read_err.code)
		learn_rendering(t, &b);
	t->doubtful = false;
	pop(t);
}

static void begin(struct iptables *t)
{
	switch (top(t)->type) {
	case TASK_READ:
		begin_reading(t);
		break;
	case TASK_WRITE:
		begin_writing(t);
		break;
	case TASK_PREPARE:
		begin_preparing(t);
		break;
	case TASK_COMPARE:
		compare(t);
		break;
	}
}

/* The program of the task on top has ended. */
static void end(struct iptables *t, int status, const struct buf *out, struct err *words)
{
	if (top(t)->type != TASK_READ)
		canary_after_write(t->canary, top(t)->batch.family->family);
	switch (top(t)->type) {
	case TASK_READ:
		end_saving(t, status, out, words);
		break;
	case TASK_WRITE:
		end_writing(t, status, words);
		break;
	case TASK_PREPARE: /* the parts will fail in their turn */
		pop(t);
		break;
	case TASK_COMPARE: /* runs none itself */
		break;
	}
}

bool job_advance(struct iptables *t)
{
	while (t->n_tasks) {
		_cleanup_(buf_done) struct buf out = { 0 };
		struct err words = { 0 };
		int status;

		if (!exec_running(t->exec)) {
			begin(t);
			continue;
		}
		status = exec_advance(t->exec, &out, &words);
		if (status == -EINPROGRESS)
			return false;
		end(t, status, &out, &words);
	}
	return true;
}

void job_wait(struct iptables *t)
{
	while (!job_advance(t))
		exec_wait(t->exec);
}
