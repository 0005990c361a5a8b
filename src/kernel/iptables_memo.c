// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_memo.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

static struct memo *memo_of(struct map_node *n)
{
	return container_of(n, struct memo, by_key);
}

static uint32_t key_hash(const struct fact_key *key)
{
	return map_hash(key, sizeof(*key));
}

struct memo *memo_find(const struct map *memos, const struct fact_key *key)
{
	map_for_each_match(n, memos, key_hash(key))
		if (fact_key_eq(&memo_of(n)->key, key))
			return memo_of(n);
	return NULL;
}

struct memo *memo_get(struct map *memos, const struct fact_key *key)
{
	struct memo *m = memo_find(memos, key);

	if (m)
		return m;
	m = new0(struct memo);
	m->key = *key;
	map_add(memos, &m->by_key, key_hash(key));
	return m;
}

void memo_done(struct map *memos)
{
	map_for_each(n, memos)
		free(memo_of(n));
	map_done(memos);
}

static void forget(struct map *memos, const struct fact_key *key)
{
	struct memo *m = memo_find(memos, key);

	if (!m)
		return;
	map_del(memos, &m->by_key);
	free(m);
}

bool memo_written(struct map *memos, const struct op *op)
{
	uint64_t text = op->fact.val.chain.rules;
	struct memo *m;
	bool doubtful;

	if (op->type == OP_DEL) {
		forget(memos, &op->fact.key);
		return false;
	}
	m = op->type == OP_ADD ? memo_find(memos, &op->fact.key) : memo_get(memos, &op->fact.key);
	if (!m)
		return false;
	doubtful = op->type == OP_SET && m->written == text;
	if (m->written != text)
		m->rendered = 0;
	m->written = text;
	m->complaint = 0;
	return doubtful;
}

uint64_t memo_translate(const struct map *memos, const struct fact_key *key, uint64_t told)
{
	const struct memo *m = memo_find(memos, key);

	return m && m->rendered == told ? m->written : told;
}
