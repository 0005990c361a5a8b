// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_memo.h"

#include <stdlib.h>

#include "base/mem.h"

struct memo *memo_find(const struct map *memos, const struct fact_key *key)
{
	map_for_each_match_entry(struct memo, m, memos, map_hash(key, sizeof(*key)), by_key)
		if (fact_key_eq(&m->key, key))
			return m;
	return NULL;
}

struct memo *memo_get(struct map *memos, const struct fact_key *key)
{
	struct memo *m = memo_find(memos, key);

	if (m)
		return m;
	m = new0(struct memo);
	m->key = *key;
	map_add(memos, &m->by_key, map_hash(key, sizeof(*key)));
	return m;
}

void memo_done(struct map *memos)
{
	map_for_each_entry(struct memo, m, memos, by_key)
		free(m);
	map_done(memos);
}

bool memo_written(struct map *memos, const struct op *op)
{
	uint64_t rules = op->fact.val.chain.rules;
	struct memo *m = memo_find(memos, &op->fact.key);
	bool doubtful;

	if (m && op->type == OP_DEL) {
		map_del(memos, &m->by_key);
		free(m);
		return false;
	}
	if (op->type == OP_SET)
		m = memo_get(memos, &op->fact.key);
	if (!m)
		return false;
	doubtful = op->type == OP_SET && m->written == rules;
	if (m->written != rules)
		m->rendered = 0;
	m->written = rules;
	m->complaint = 0;
	return doubtful;
}
