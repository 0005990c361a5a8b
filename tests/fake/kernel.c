// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/fact_text.h"

struct held {
	struct map_node by_key;
	struct map_node by_parent; /* of a fact that has one */
	struct fact fact;
};

static struct held *find(const struct fake_kernel *k, const struct fact_key *key)
{
	map_for_each_match_entry(struct held, h, &k->facts, map_hash(key, sizeof(*key)), by_key)
		if (fact_key_eq(&h->fact.key, key))
			return h;
	return NULL;
}

static struct fact parse(const char *line)
{
	struct err err;
	struct fact f;

	if (!fact_parse(line, &f, &err))
		return f;
	fprintf(stderr, "%s\n", err.msg);
	abort();
}

const struct fact *fake_kernel_find(const struct fake_kernel *k, const struct fact_key *key)
{
	const struct held *h = find(k, key);

	return h ? &h->fact : NULL;
}

void fake_kernel_put_fact(struct fake_kernel *k, const struct fact *f)
{
	struct held *h = find(k, &f->key);

	struct fact_key parent;

	if (!h) {
		h = new0(struct held);
		map_add(&k->facts, &h->by_key, map_hash(&f->key, sizeof(f->key)));
		if (fact_parent(&f->key, &parent))
			map_add(&k->children, &h->by_parent, map_hash(&parent, sizeof(parent)));
		k->n_facts++;
	}
	h->fact = *f;
}

static void forget(struct fake_kernel *k, struct held *h)
{
	struct fact_key parent;

	map_del(&k->facts, &h->by_key);
	if (fact_parent(&h->fact.key, &parent))
		map_del(&k->children, &h->by_parent);
	free(h);
	k->n_facts--;
}

static struct held *find_child(const struct fake_kernel *k, const struct fact_key *of)
{
	struct fact_key parent;

	map_for_each_match_entry(struct held, h, &k->children, map_hash(of, sizeof(*of)), by_parent)
		if (fact_parent(&h->fact.key, &parent) && fact_key_eq(&parent, of))
			return h;
	return NULL;
}

void fake_kernel_remove_key(struct fake_kernel *k, const struct fact_key *key)
{
	struct held *h = find(k, key);
	struct fact_key gone;

	if (!h)
		return;
	gone = h->fact.key;
	forget(k, h);
	for (h = find_child(k, &gone); h; h = find_child(k, &gone))
		forget(k, h);
}

void fake_kernel_put(struct fake_kernel *k, const char *line)
{
	struct fact f = parse(line);

	fake_kernel_put_fact(k, &f);
}

void fake_kernel_remove(struct fake_kernel *k, const char *line)
{
	struct fact f = parse(line);

	fake_kernel_remove_key(k, &f.key);
}

bool fake_kernel_has(const struct fake_kernel *k, const char *line)
{
	struct fact f = parse(line);
	const struct held *h = find(k, &f.key);

	return h && fact_val_eq(&h->fact.val, &f.val);
}

static int cmp_fact(const void *a, const void *b)
{
	return fact_key_cmp(&((const struct fact *)a)->key, &((const struct fact *)b)->key);
}

struct fact *fake_kernel_list(const struct fake_kernel *k)
{
	struct fact *list = mem_zalloc(k->n_facts, sizeof(*list));
	size_t i = 0;

	map_for_each_entry(struct held, h, &k->facts, by_key)
		list[i++] = h->fact;
	qsort(list, k->n_facts, sizeof(*list), cmp_fact);
	return list;
}

void fake_kernel_print(const struct fake_kernel *k, struct buf *ret)
{
	_cleanup_free_ struct fact *list = fake_kernel_list(k);

	for (size_t i = 0; i < k->n_facts; i++) {
		fact_print(ret, &list[i]);
		buf_addc(ret, '\n');
	}
}

static int carry_out(struct fake_kernel *k, const struct op *op)
{
	const struct fact *f = &op->fact;
	struct held *h = find(k, &f->key);
	struct fact_key parent;

	if (fact_parent(&f->key, &parent) && !find(k, &parent))
		return -ESRCH;
	if (f->key.kind == FACT_VS && op->type != OP_DEL && k->no_scheduler &&
		!strcmp(f->val.vs.scheduler, k->no_scheduler))
		return -EPROTONOSUPPORT;
	switch (op->type) {
	case OP_ADD:
		if (h)
			return -EEXIST;
		fake_kernel_put_fact(k, f);
		return 0;
	case OP_SET:
		if (!h)
			return -ENOENT;
		h->fact.val = f->val;
		return 0;
	case OP_DEL:
		if (!h)
			return -ENOENT;
		fake_kernel_remove_key(k, &f->key);
		return 0;
	}
	return -EINVAL;
}

void fake_kernel_apply(struct fake_kernel *k, struct op *op)
{
	int fault = k->fault ? k->fault(op, k->arg) : 0;

	k->n_ops++;
	if (fault < 0) {
		op->result = fault;
		return;
	}
	op->result = carry_out(k, op);
	if (!op->result) {
		k->done[op->fact.key.kind][op->type]++;
		buf_addf(&k->log, "%s ", op_type_name(op->type));
		fact_print(&k->log, &op->fact);
		buf_addc(&k->log, '\n');
	}
	if (fault == FAKE_ANSWER_LOST)
		op->result = -ENOBUFS;
}

static struct fake_kernel *kernel_of(struct adapter *a)
{
	return container_of(a, struct fake_kernel, adapter);
}

static void apply(struct adapter *a, struct op *ops, size_t n)
{
	struct fake_kernel *k = kernel_of(a);

	if (k->slow) {
		k->waiting = ops;
		k->n_waiting = n;
	}
	for (size_t i = 0; i < n; i++)
		if (k->slow)
			ops[i].result = -EINPROGRESS;
		else
			fake_kernel_apply(k, &ops[i]);
}

static bool advance(struct adapter *a)
{
	return !kernel_of(a)->waiting;
}

static bool read_ahead(struct adapter *a)
{
	struct fake_kernel *k = kernel_of(a);

	k->reading = k->slow && !k->has_read;
	return !k->reading;
}

void fake_kernel_answer(struct fake_kernel *k)
{
	for (size_t i = 0; i < k->n_waiting; i++)
		fake_kernel_apply(k, &k->waiting[i]);
	k->waiting = NULL;
	k->n_waiting = 0;
	k->has_read = k->reading;
	k->reading = false;
}

static int dump(struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	struct fake_kernel *k = kernel_of(a);

	k->dumps++;
	if (kind == FACT_VS)
		k->has_read = false;
	if (k->before_dump)
		k->before_dump(k, kind, k->arg);
	map_for_each_entry(struct held, h, &k->facts, by_key) {
		if (h->fact.key.kind == kind)
			fn(&h->fact, arg);
	}
	/* Late, as a dump that breaks off has told a part already. */
	if (k->dump_error && kind == k->dump_error_kind)
		return err_set(err, k->dump_error, "the dump broke off");
	return 0;
}

static int dump_real_servers(
	struct adapter *a, const struct fact_key *vs, dump_fn fn, void *arg, struct err *err)
{
	struct fake_kernel *k = kernel_of(a);

	if (k->before_dump)
		k->before_dump(k, FACT_RS, k->arg);
	map_for_each_match_entry(
		struct held, h, &k->children, map_hash(vs, sizeof(*vs)), by_parent) {
		struct fact_key parent;

		if (fact_parent(&h->fact.key, &parent) && fact_key_eq(&parent, vs))
			fn(&h->fact, arg);
	}
	if (k->dump_error && k->dump_error_kind == FACT_RS)
		return err_set(err, k->dump_error, "the dump broke off");
	return 0;
}

static uint64_t epoch(struct adapter *a)
{
	struct fake_kernel *k = kernel_of(a);

	k->epochs_asked++;
	return k->epoch;
}

static bool unchanged(struct adapter *a, const struct fact_key *vs)
{
	(void)vs;
	return kernel_of(a)->unchanged;
}

static int conns(struct adapter *a, const struct fact_key *vs,
	void (*fn)(const struct rs_conns *c, void *arg), void *arg, struct err *err)
{
	struct fake_kernel *k = kernel_of(a);

	if (k->conns_error)
		return err_set(err, k->conns_error, "connections cannot be counted");
	map_for_each_match_entry(
		struct held, h, &k->children, map_hash(vs, sizeof(*vs)), by_parent) {
		const struct fact *f = &h->fact;
		struct rs_conns c = { .key = f->key, .weight = f->val.rs.weight };
		struct fact_key parent;

		if (!fact_parent(&f->key, &parent) || !fact_key_eq(&parent, vs))
			continue;
		c.active = k->active ? k->active(&f->key, k->arg) : 0;
		fn(&c, arg);
	}
	return 0;
}

void fake_kernel_init(struct fake_kernel *k)
{
	*k = (struct fake_kernel){
		.adapter = { .name = "fake",
			.kinds = (1u << FACT_KINDS) - 1,
			.apply = apply,
			.advance = advance,
			.read_ahead = read_ahead,
			.dump = dump,
			.dump_real_servers = dump_real_servers,
			.epoch = epoch,
			.unchanged = unchanged,
			.conns = conns },
	};
}

void fake_kernel_done(struct fake_kernel *k)
{
	map_for_each_entry(struct held, h, &k->facts, by_key)
		free(h);
	map_done(&k->facts);
	map_done(&k->children);
	buf_done(&k->log);
}

void fake_kernel_reset_log(struct fake_kernel *k)
{
	memset(k->done, 0, sizeof(k->done));
	k->n_ops = 0;
	k->dumps = k->epochs_asked = 0;
	buf_reset(&k->log);
}
