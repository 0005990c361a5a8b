// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One document a batch: the tables in the order nat, filter, mangle; in each first the headers of
 * all chains, which make or empty them, so that rules may refer to any; then the rules; then what
 * is deleted. iptables-restore commits a table as a whole or not at all, but each table for itself.
 *
 * When a document is refused, the batch is halved until the operations that are at fault stand
 * alone. Their failure is logged with the words of iptables.
 *
 * A jump's rules are deleted as iptables-save tells them at that moment, because what somebody else
 * inserted may look different from what we would.
 */
#include "kernel/iptables.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "iptables_memo.h"
#include "iptables_save.h"
#include "iptables_tool.h"

enum {
	FAMILIES = 2,
	/* What was read for the chains serves for the jumps that are asked for right after them. */
	SNAPSHOT_MS = 500,
};

struct family {
	int family; /* 0: not served */
	struct iptables_tool tool;
	struct saved snapshot;
	uint64_t snapshot_at; /* 0: there is none */
};

struct iptables {
	struct adapter adapter;
	const struct text_pool *texts;
	struct family families[FAMILIES];
	struct map memos; /* of struct memo */
};

/* Some operations on one family; all of one kind and type. */
struct batch {
	struct iptables *iptables;
	struct family *family;
	struct op *ops;	     /* of the call */
	const size_t *index; /* of the batch's among them */
	size_t n;
};

/* The tables that have chains of ours, in the order of a document. */
static const enum table tables[] = { TABLE_NAT, TABLE_FILTER, TABLE_MANGLE };

static struct iptables *iptables_of(struct adapter *a)
{
	return container_of(a, struct iptables, adapter);
}

static int read_tables(const struct family *f, struct saved *ret, struct err *err)
{
	_cleanup_(saved_done) struct saved s = { .family = f->family };
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		int r = iptables_tool_save(&f->tool, tables[i], &text, err);

		if (!r)
			r = saved_add(&s, tables[i], buf_str(&text), err);
		if (r) {
			err_prefix(err, "%s", f->tool.name);
			return r;
		}
	}
	saved_done(ret);
	*ret = s;
	s = (struct saved){ 0 };
	return 0;
}

static void forget_snapshot(struct family *f)
{
	saved_done(&f->snapshot);
	f->snapshot_at = 0;
}

static int take_snapshot(struct family *f, bool fresh, struct err *err)
{
	int r;

	if (!fresh && f->snapshot_at && clock_ms() - f->snapshot_at < SNAPSHOT_MS)
		return 0;
	forget_snapshot(f);
	r = read_tables(f, &f->snapshot, err);
	if (!r)
		f->snapshot_at = clock_ms();
	return r;
}

static void tell(const struct iptables *t, const struct family *f, enum fact_kind kind, dump_fn fn,
	void *arg)
{
	map_for_each(n, &f->snapshot.chains) {
		const struct saved_chain *c = container_of(n, struct saved_chain, by_key);
		struct fact fact = { .key = c->key };

		if (c->key.kind != kind)
			continue;
		memset(&fact.val, 0, sizeof(fact.val));
		fact.val.chain.text =
			memo_translate(&t->memos, &c->key, text_hash(buf_str(&c->text)));
		fn(&fact, arg);
	}
}

static int iptables_dump(struct adapter *a, enum fact_kind kind,
	bool (*skip)(const struct fact_key *vs, void *arg), dump_fn fn, void *arg, struct err *err)
{
	struct iptables *t = iptables_of(a);

	(void)skip;
	for (size_t i = 0; i < FAMILIES; i++) {
		struct family *f = &t->families[i];
		int r;

		if (!f->family)
			continue;
		r = take_snapshot(f, kind == FACT_CHAIN, err);
		if (r)
			return r;
		tell(t, f, kind, fn, arg);
		if (kind == FACT_JUMP)
			forget_snapshot(f);
	}
	return 0;
}

static struct op *op_of(const struct batch *b, size_t i)
{
	return &b->ops[b->index[i]];
}

static const struct fact_key *key_of(const struct batch *b, size_t i)
{
	return &op_of(b, i)->fact.key;
}

static enum op_type type_of(const struct batch *b)
{
	return op_of(b, 0)->type;
}

static const char *text_of(const struct batch *b, size_t i)
{
	const char *text = text_get(b->iptables->texts, op_of(b, i)->fact.val.chain.text);

	assert(text);
	return text;
}

static void add_header(struct buf *doc, const struct fact_key *key)
{
	buf_addf(doc, ":%s - [0:0]\n", key->name);
}

static void add_headers(const struct batch *b, enum table table, struct buf *doc)
{
	for (size_t i = 0; i < b->n; i++)
		if (key_of(b, i)->set == table)
			add_header(doc, key_of(b, i));
}

static void add_chains(const struct batch *b, enum table table, struct buf *doc)
{
	add_headers(b, table, doc);
	for (size_t i = 0; i < b->n; i++) {
		if (key_of(b, i)->set != table)
			continue;
		if (type_of(b) == OP_DEL)
			buf_addf(doc, "-X %s\n", key_of(b, i)->name);
		else
			buf_adds(doc, text_of(b, i));
	}
}

/* All rules that lead from the hook to the chain. */
static void add_deletions(const struct batch *b, const struct fact_key *key, struct buf *doc)
{
	const struct saved_chain *c = saved_find(&b->family->snapshot, key);

	if (!c)
		return;
	for (const char *line = buf_str(&c->literal), *end; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		buf_addf(doc, "-D %s %.*s\n", hook_name(key->port), (int)(end - line), line);
	}
}

/* "-A HOOK RULE" becomes "-I HOOK 1 RULE". */
static void add_insertion(const struct fact_key *key, const char *text, struct buf *doc)
{
	const char *hook = hook_name(key->port), *rule = text + strlen("-A ") + strlen(hook);

	assert(!strncmp(text, "-A ", 3) && !strncmp(text + 3, hook, strlen(hook)));
	buf_addf(doc, "-I %s 1%s", hook, rule);
}

static void add_jumps(const struct batch *b, enum table table, struct buf *doc)
{
	for (size_t i = 0; i < b->n; i++) {
		if (key_of(b, i)->set != table)
			continue;
		add_deletions(b, key_of(b, i), doc);
		if (type_of(b) != OP_DEL)
			add_insertion(key_of(b, i), text_of(b, i), doc);
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

typedef void (*add_fn)(const struct batch *b, enum table table, struct buf *doc);

static int restore(const struct batch *b, add_fn add, struct err *err)
{
	_cleanup_(buf_done) struct buf doc = { 0 };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		_cleanup_(buf_done) struct buf section = { 0 };

		add(b, tables[i], &section);
		if (section.len)
			buf_addf(&doc, "*%s\n%sCOMMIT\n", table_name(tables[i]), buf_str(&section));
	}
	if (!doc.len)
		return 0;
	r = iptables_tool_restore(&b->family->tool, &doc, err);
	if (r)
		quote_line(&doc, err);
	return r;
}

static int write_chains(const struct batch *b, struct err *err)
{
	return restore(b, add_chains, err);
}

static int write_jumps(const struct batch *b, struct err *err)
{
	int r = take_snapshot(b->family, true, err);

	return r ? r : restore(b, add_jumps, err);
}

static void log_failure(const struct batch *b, const struct err *err)
{
	const struct fact_key *key = key_of(b, 0);
	struct memo *m = memo_get(&b->iptables->memos, key);
	uint64_t complaint = text_hash(err->msg);
	struct err words = *err;

	if (m->complaint == complaint)
		return;
	m->complaint = complaint;
	for (char *p = words.msg; (p = strchr(p, '"'));)
		*p = '\'';
	log_warn("cannot change iptables rules, retrying later",
		"program=%s table=%s chain=%s err=\"%s\"", b->family->tool.name,
		table_name(key->set), key->name, words.msg);
}

static void conclude(const struct batch *b, int result, const struct err *err)
{
	if (result)
		log_failure(b, err);
	for (size_t i = 0; i < b->n; i++)
		op_of(b, i)->result = result;
}

/*
 * Chains refer to each other, so that a part of a refused batch may need its other parts: chains
 * that are new are made first, and chains that are to go emptied. Those that stand already keep
 * their rules until they get others.
 */
static void prepare_parts(const struct batch *b)
{
	struct err err; /* the parts will fail in their turn */

	if (key_of(b, 0)->kind == FACT_CHAIN && type_of(b) != OP_SET)
		restore(b, add_headers, &err);
}

/* A batch that iptables refuses is halved until what is at fault stands alone. */
static void write_batch(const struct batch *b)
{
	struct batch first = *b, second = *b;
	struct err err = { 0 };
	int r = key_of(b, 0)->kind == FACT_JUMP ? write_jumps(b, &err) : write_chains(b, &err);

	if (r != -EINVAL || b->n == 1) {
		conclude(b, r, &err);
		return;
	}
	prepare_parts(b);
	first.n = b->n / 2;
	second.index += first.n;
	second.n -= first.n;
	write_batch(&first);
	write_batch(&second);
}

/* How iptables tells what was just written. */
static void read_back(const struct batch *b)
{
	if (take_snapshot(b->family, true, NULL))
		return;
	for (size_t i = 0; i < b->n; i++) {
		const struct saved_chain *c = saved_find(&b->family->snapshot, key_of(b, i));
		struct memo *m = memo_find(&b->iptables->memos, key_of(b, i));
		uint64_t hash = c ? text_hash(buf_str(&c->text)) : 0;

		if (!c || !m || op_of(b, i)->result)
			continue;
		m->rendered = hash;
		if (hash == m->written)
			continue;
		log_debug("iptables tells rules in another form than they were written",
			"chain=%s rules=\"%s\"", c->key.name, buf_str(&c->text));
	}
}

static void apply_batch(const struct batch *b)
{
	bool doubtful = false;

	forget_snapshot(b->family);
	write_batch(b);
	for (size_t i = 0; i < b->n; i++)
		if (!op_of(b, i)->result)
			doubtful |= memo_written(&b->iptables->memos, op_of(b, i));
	if (doubtful)
		read_back(b);
	forget_snapshot(b->family);
}

static void iptables_apply(struct adapter *a, struct op *ops, size_t n)
{
	struct iptables *t = iptables_of(a);
	_cleanup_free_ size_t *index = mem_zalloc(n, sizeof(*index));

	for (size_t i = 0; i < n; i++)
		ops[i].result = -EOPNOTSUPP; /* where the family is not served */
	for (size_t f = 0; f < FAMILIES; f++) {
		struct family *family = &t->families[f];
		struct batch b = { t, family, ops, index };

		for (size_t i = 0; i < n; i++)
			if (ops[i].fact.key.family == family->family)
				index[b.n++] = i;
		if (b.n)
			apply_batch(&b);
	}
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
		t->families[i].family = t->families[i].snapshot.family = family;
	return r;
}

int iptables_new(
	const struct text_pool *texts, bool ipv4, bool ipv6, struct adapter **ret, struct err *err)
{
	struct iptables *t = new0(struct iptables);
	int r = 0;

	t->texts = texts;
	t->adapter = (struct adapter){
		.name = "iptables",
		.kinds = 1u << FACT_CHAIN | 1u << FACT_JUMP,
		.apply = iptables_apply,
		.dump = iptables_dump,
		.explain = iptables_explain,
	};
	if (ipv4)
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
	for (size_t i = 0; i < FAMILIES; i++)
		saved_done(&t->families[i].snapshot);
	memo_done(&t->memos);
	free(t);
}

const struct iptables_info *iptables_info(const struct adapter *a)
{
	const struct iptables *t = container_of(a, struct iptables, adapter);

	return &t->families[t->families[0].family ? 0 : 1].tool.info;
}
