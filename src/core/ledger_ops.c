// SPDX-License-Identifier: GPL-2.0-or-later
/* The operations that make the two equal: which come next, and what becomes of the answers. */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "ledger_own.h"

enum { BACKOFF_FIRST = 100, BACKOFF_MAX_SHIFT = 8 };

/* Those whose time has come go back to their queues. */
static void wake_delayed(struct ledger *l, uint64_t now)
{
	if (now < l->next_due)
		return;
	l->next_due = UINT64_MAX;
	list_for_each_safe(n, &l->delayed) {
		struct entry *e = entry_queued(n);

		if (e->failure->retry_at <= now) {
			e->failure->retry_at = 0;
			ledger_requeue(l, e);
		} else if (e->failure->retry_at < l->next_due) {
			l->next_due = e->failure->retry_at;
		}
	}
}

void ledger_retry_now(struct ledger *l)
{
	wake_delayed(l, UINT64_MAX);
}

/* What was queued first is added first and deleted last. */
static size_t fill_ops(struct list *queue, enum op_type type, struct op *ops, size_t max)
{
	size_t n = 0;

	for (struct list *it = queue; n < max;) {
		const struct entry *e;

		it = type == OP_DEL ? it->prev : it->next;
		if (it == queue)
			break;
		e = entry_queued(it);
		ops[n++] = (struct op){
			.type = type,
			.fact = { .key = e->key,
				.val = type == OP_DEL ? e->have : entry_decides(e)->val },
		};
	}
	return n;
}

/*
 * Guards first, and complete: where chains and sets of kube-proxy's stand in our place, what makes
 * them ours changes them and does not add them. Then what answers, then what leads packets there,
 * or away from what is about to lose its weight; the rest of the changes; and what goes, backwards.
 * What leads from one backend to the other waits until both sides answer.
 * Changes of virtual servers take the kernel long, so that nothing waits for them.
 */
static const struct step {
	enum op_type type;
	int queue;
} steps[] = {
	{ OP_ADD, FACT_LINK },
	{ OP_SET, FACT_LINK },
	{ OP_ADD, FACT_SET },
	{ OP_SET, FACT_SET },
	{ OP_ADD, FACT_MEMBER },
	{ OP_SET, FACT_MEMBER },
	{ OP_ADD, FACT_CHAIN },
	{ OP_ADD, QUEUE_SERVICE_CHAIN },
	{ OP_SET, FACT_CHAIN },
	{ OP_ADD, QUEUE_ENTRANCE },
	{ OP_ADD, FACT_DISPATCH },
	{ OP_SET, FACT_DISPATCH },
	{ OP_ADD, FACT_JUMP },
	{ OP_SET, FACT_JUMP },
	{ OP_ADD, FACT_VS },
	{ OP_ADD, FACT_RS },
	{ OP_ADD, QUEUE_DIVERSION },
	{ OP_SET, QUEUE_DIVERSION },
	{ OP_SET, QUEUE_ENTRANCE },
	{ OP_SET, QUEUE_SERVICE_CHAIN },
	{ OP_DEL, QUEUE_DIVERSION },
	{ OP_ADD, FACT_ROUTE },
	{ OP_ADD, FACT_ADDR },
	{ OP_SET, FACT_RS },
	{ OP_SET, FACT_ROUTE },
	{ OP_SET, FACT_ADDR },
	{ OP_DEL, FACT_ADDR },
	{ OP_DEL, FACT_ROUTE },
	{ OP_DEL, FACT_RS },
	{ OP_DEL, FACT_VS },
	{ OP_DEL, FACT_JUMP },
	{ OP_DEL, FACT_DISPATCH },
	{ OP_DEL, QUEUE_SERVICE_CHAIN },
	{ OP_DEL, QUEUE_ENTRANCE },
	{ OP_DEL, FACT_CHAIN },
	{ OP_DEL, FACT_MEMBER },
	{ OP_DEL, FACT_SET },
	{ OP_DEL, FACT_LINK },
	{ OP_SET, FACT_VS },
};
static_assert(ARRAY_SIZE(steps) == (size_t)OP_TYPES * QUEUES, "every queue has its turn");

/* Of chains, what comes one after the other goes into the kernel together. */
static bool joins(int queue)
{
	return queue == FACT_CHAIN || queue == QUEUE_SERVICE_CHAIN;
}

size_t ledger_take(struct ledger *l, uint64_t now, struct op *ops, size_t max, uint64_t *ret_next)
{
	size_t n = 0;

	wake_delayed(l, now);
	for (enum turn turn = TURN_VITAL; turn < TURNS; turn++)
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			struct list *queue = &l->queue[turn][steps[i].type][steps[i].queue];

			if (list_empty(queue))
				continue;
			if (n && !joins(steps[i].queue))
				return n;
			n += fill_ops(queue, steps[i].type, ops + n, max - n);
			if (!joins(steps[i].queue) || n == max)
				return n;
		}
	*ret_next = l->next_due;
	return n;
}

static void set_done(struct ledger *l, struct entry *e, const struct op *op)
{
	entry_forget_failure(e);
	if (op->type == OP_DEL) {
		ledger_set_absent(l, e);
		return;
	}
	e->present = e->known = true;
	e->have = op->fact.val;
	ledger_requeue(l, e);
	if (op->type == OP_ADD)
		ledger_set_childless(l, e);
}

static void failed(struct entry *e, int error, uint64_t now)
{
	unsigned shift;

	if (!e->failure) {
		e->failure = new0(struct failure);
		e->failure->since = now;
	}
	e->failure->error = error;
	e->failure->tries++;
	shift = e->failure->tries < BACKOFF_MAX_SHIFT ? e->failure->tries : BACKOFF_MAX_SHIFT;
	e->failure->retry_at = now + ((uint64_t)BACKOFF_FIRST << shift);
}

/* Somebody was faster; neither its value nor what hangs on it is known. */
static void found_present(struct ledger *l, struct entry *e, const struct op *op)
{
	e->present = true;
	e->known = false;
	e->have = op->fact.val; /* most likely */
	l->unsure |= 1u << e->key.kind;
	ledger_requeue(l, e);
	ledger_requeue_children(l, e);
}

/*
 * It may be there or not, with the old value or the new one. Taken for present, whatever is wanted
 * next finds out; taken for absent, one that we made would not be known as ours any more when it
 * is released before the next audit.
 */
static void lost_answer(struct ledger *l, struct entry *e, const struct op *op, uint64_t now)
{
	bool was_present = e->present;

	e->present = true;
	e->known = false;
	e->have = op->fact.val; /* most likely */
	l->unsure |= 1u << e->key.kind;
	failed(e, op->result, now);
	ledger_requeue(l, e);
	if (!was_present)
		ledger_requeue_children(l, e);
}

/*
 * What the kernel said is not there. The first time that is news and acted on at once; a kernel
 * that keeps saying so is retried with back-off.
 */
static void found_absent(
	struct ledger *l, struct entry *e, struct entry *gone, const struct op *op, uint64_t now)
{
	if (op->type != OP_DEL) {
		failed(e, op->result, now);
		if (e->failure->tries == 1) {
			e->failure->error = 0;
			e->failure->retry_at = 0;
		}
	}
	ledger_set_absent(l, gone);
	ledger_requeue(l, e);
}

void ledger_settle(struct ledger *l, const struct op *op, uint64_t now)
{
	struct entry *e = entry_find(l, &op->fact.key);

	/* Nobody wants it any more, but now it is there, or may be. */
	if (!e && op->type == OP_ADD && (!op->result || op->result == -ENOBUFS))
		e = entry_get(l, &op->fact.key);
	/* An answer before it in the same batch told that it went with its parent. */
	if (!e)
		return;
	if (!op->result) {
		set_done(l, e, op);
	} else if (op->result == -EEXIST && op->type == OP_ADD) {
		found_present(l, e, op);
	} else if (op->result == -ESRCH && e->parent) {
		found_absent(l, e, e->parent, op, now);
	} else if (op->result == -ENOENT && op->type != OP_ADD) {
		found_absent(l, e, e, op, now);
	} else if (op->result == -ENOBUFS) {
		lost_answer(l, e, op, now);
	} else {
		failed(e, op->result, now);
		ledger_requeue(l, e);
	}
	ledger_collect(l);
}
