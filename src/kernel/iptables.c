// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/iptables.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "iptables_canary.h"
#include "iptables_memo.h"
#include "iptables_own.h"

enum {
	/* Of the time no more than this part is spent on reading where others changed nothing. */
	READING_SHARE = 10,
};

static struct iptables *iptables_of(struct adapter *a)
{
	return container_of(a, struct iptables, adapter);
}

/* Reading */

static bool iptables_advance(struct adapter *a)
{
	return job_advance(iptables_of(a));
}

static bool iptables_read_ahead(struct adapter *a)
{
	struct iptables *t = iptables_of(a);

	if (t->ahead)
		return true;
	if (!t->n_tasks) {
		t->read_begun = clock_ms();
		for (size_t i = FAMILIES; i-- > 0;)
			if (t->families[i].family)
				job_read(t, &t->families[i]);
	}
	if (t->waits)
		job_wait(t);
	t->ahead = job_advance(t);
	if (t->ahead)
		t->read_ms = clock_ms() - t->read_begun;
	return t->ahead;
}

static void forget_snapshot(struct family *f)
{
	leftovers_done(&f->left);
	f->left = f->snapshot.left;
	f->snapshot.left = (struct leftovers){ 0 };
	saved_keep_jumps(&f->snapshot);
	f->read = false;
}

static bool has_read(const struct iptables *t)
{
	for (size_t i = 0; i < FAMILIES; i++)
		if (t->families[i].family && !t->families[i].read)
			return false;
	return true;
}

static void tell_chains(const struct iptables *t, const struct family *f, enum fact_kind kind,
	dump_fn fn, void *arg)
{
	map_for_each(n, &f->snapshot.chains) {
		const struct saved_chain *c = container_of(n, struct saved_chain, by_key);
		struct fact fact = { .key = c->key };

		if (c->key.kind != kind)
			continue;
		memset(&fact.val, 0, sizeof(fact.val));
		fact.val.chain.rules = memo_translate(&t->memos, &c->key, c->hash);
		fn(&fact, arg);
	}
}

static int iptables_dump(struct adapter *a, enum fact_kind kind,
	bool (*skip)(const struct fact_key *vs, void *arg), dump_fn fn, void *arg, struct err *err)
{
	struct iptables *t = iptables_of(a);

	(void)skip;
	if (kind == FACT_CHAIN ? !t->ahead : !has_read(t)) {
		t->ahead = false;
		iptables_read_ahead(a);
		job_wait(t);
	}
	t->ahead = false;
	for (size_t i = 0; i < FAMILIES; i++) {
		struct family *f = &t->families[i];

		if (!f->family)
			continue;
		if (f->read_err.code)
			return err_set(err, f->read_err.code, "%s", f->read_err.msg);
		if (kind == FACT_CHAIN)
			dispatch_learn(&f->dispatch, &f->snapshot);
		if (kind == FACT_DISPATCH)
			dispatch_tell(&f->dispatch, fn, arg);
		else
			tell_chains(t, f, kind, fn, arg);
		if (kind == FACT_JUMP) /* the last one */
			forget_snapshot(f);
	}
	return 0;
}

/* Writing */

/*
 * Rules may refer only to chains that are there. In the order of these numbers chains refer to
 * those before them, so that a batch can be cut anywhere.
 */
static int rank(const struct fact_key *key)
{
	static const int ranks[SERVICE_CHAINS] = {
		[SERVICE_CHAIN_SEP] = 1,
		[SERVICE_CHAIN_SVC] = 2,
		[SERVICE_CHAIN_SVL] = 2,
		[SERVICE_CHAIN_EXT] = 3,
		[SERVICE_CHAIN_FW] = 4,
	};
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;

	return service_chain_parse(key->name, &chain, hash) ? ranks[chain] : 0;
}

/* By name, because iptables takes new chains fastest in the order in which it keeps them. */
static int cmp_chain(const void *a, const void *b)
{
	const struct op *x = *(struct op *const *)a, *y = *(struct op *const *)b;
	int c = rank(&x->fact.key) - rank(&y->fact.key);

	if ((x->type == OP_DEL) != (y->type == OP_DEL))
		return x->type == OP_DEL ? 1 : -1;
	if (x->type == OP_DEL)
		c = -c;
	return c ? c : strcmp(x->fact.key.name, y->fact.key.name);
}

/* Each is inserted at the head: what an audit misses comes back in the order in which it stood. */
static int cmp_jump(const void *a, const void *b)
{
	const struct op *x = *(struct op *const *)a, *y = *(struct op *const *)b;

	return fact_key_cmp(&x->fact.key, &y->fact.key);
}

static void begin_batch(struct iptables *t, const struct batch *b)
{
	if (b->ops[0]->fact.key.kind == FACT_CHAIN)
		qsort(b->ops, b->n, sizeof(struct op *), cmp_chain);
	if (b->ops[0]->fact.key.kind == FACT_JUMP)
		qsort(b->ops, b->n, sizeof(struct op *), cmp_jump);
	for (size_t i = 0; i < b->n; i++)
		b->ops[i]->result = -EINPROGRESS;
	job_write(t, b);
}

static void iptables_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct iptables *t = iptables_of(a);
	size_t used = 0;

	t->ahead = false;
	t->ops = mem_realloc(t->ops, n, sizeof(struct op *));
	for (size_t i = 0; i < n; i++)
		ops[i].result = -EOPNOTSUPP; /* where the family is not served */
	for (size_t f = FAMILIES; f-- > 0;) {
		struct batch b = { &t->families[f], t->ops + used, 0 };

		for (size_t i = 0; i < n; i++)
			if (ops[i].fact.key.family == b.family->family)
				b.ops[b.n++] = &ops[i];
		used += b.n;
		if (b.n)
			begin_batch(t, &b);
	}
	if (t->waits)
		job_wait(t);
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

static int open_family(struct iptables *t, size_t i, int family, struct err *err)
{
	int r = iptables_tool_find(family, &t->families[i].tool, err);

	if (!r)
		t->families[i].family = t->families[i].dispatch.family = family;
	return r;
}

int iptables_new(
	const struct rule_pool *pool, bool ipv4, bool ipv6, struct adapter **ret, struct err *err)
{
	struct iptables *t = new0(struct iptables);
	int r;

	t->pool = pool;
	t->waits = true;
	t->adapter = (struct adapter){
		.name = "iptables",
		.kinds = 1u << FACT_CHAIN | 1u << FACT_DISPATCH | 1u << FACT_JUMP,
		.whole_queue = true,
		.apply = iptables_apply,
		.advance = iptables_advance,
		.read_ahead = iptables_read_ahead,
		.dump = iptables_dump,
		.explain = iptables_explain,
	};
	r = exec_new(&t->exec, err);
	if (!r && ipv4)
		r = open_family(t, 0, AF_INET, err);
	if (!r && ipv6)
		r = open_family(t, 1, AF_INET6, err);
	if (r) {
		iptables_free(&t->adapter);
		return r;
	}
	*ret = &t->adapter;
	return 0;
}

void iptables_free(struct adapter *a)
{
	struct iptables *t;

	if (!a)
		return;
	t = iptables_of(a);
	for (size_t i = 0; i < FAMILIES; i++) {
		saved_done(&t->families[i].snapshot);
		leftovers_done(&t->families[i].left);
		dispatch_done(&t->families[i].dispatch);
	}
	canary_free(t->canary);
	exec_free(t->exec);
	memo_done(&t->memos);
	buf_done(&t->document);
	free(t->tasks);
	free(t->ops);
	free(t);
}

int iptables_watch(struct adapter *a)
{
	struct iptables *t = iptables_of(a);

	t->waits = false;
	return exec_fd(t->exec);
}

int iptables_watch_others(struct adapter *a, struct err *err)
{
	struct iptables *t = iptables_of(a);
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
	struct iptables *t = iptables_of(a);

	return canary_disturbed(t->canary, now, READING_SHARE * t->read_ms, repairs);
}

const struct iptables_info *iptables_info(const struct adapter *a)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);

	return &t->families[t->families[0].family ? 0 : 1].tool.info;
}

struct iptables_counts iptables_counts(const struct adapter *a, int family)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);
	struct iptables_counts counts = { 0 };

	for (size_t i = 0; i < FAMILIES; i++)
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

	for (size_t i = 0; i < FAMILIES; i++) {
		const struct family *f = &t->families[i];

		if (f->family && iptables_tool_mixed(f->family, &f->tool, name))
			buf_addf(b, "%s%s", n++ ? ", " : "", name);
	}
}

void iptables_leftovers(const struct adapter *a, struct leftovers *ret)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);

	for (size_t i = 0; i < FAMILIES; i++)
		for (size_t k = 0; k < t->families[i].left.n; k++)
			leftovers_add(ret, &t->families[i].left.v[k]);
}
