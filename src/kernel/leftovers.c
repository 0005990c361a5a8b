// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/leftovers.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "iptables_tool.h"
#include "kernel/exec.h"
#include "leftovers_rules.h"
#include "nft.h"

static const enum table tables[] = { TABLE_NAT, TABLE_FILTER, TABLE_MANGLE };
static const int families[] = { AF_INET, AF_INET6 };

void leftover_print(struct buf *b, const struct leftover *l)
{
	if (l->nft)
		buf_addf(b, "nftables table %s %s", l->family == AF_INET6 ? "ip6" : "ip", l->name);
	else
		buf_addf(
			b, "chain %s %s %s", family_name(l->family), table_name(l->table), l->name);
}

void leftovers_done(struct leftovers *l)
{
	free(l->v);
	*l = (struct leftovers){ 0 };
}

void leftovers_add(struct leftovers *l, const struct leftover *one)
{
	mem_grow(l->v, l->n, l->cap);
	l->v[l->n++] = *one;
}

/* Waits for what was started. */
static int finish(struct exec *x, struct buf *ret, struct err *err)
{
	struct err words = { 0 };
	int r;

	while ((r = exec_advance(x, ret, &words)) == -EINPROGRESS)
		exec_wait(x);
	return iptables_tool_result(r, &words, err);
}

static int save(const struct iptables_tool *tool, struct exec *x, enum table table, struct buf *ret,
	struct err *err)
{
	int r = iptables_tool_start_save(tool, x, table, err);

	return r ? r : finish(x, ret, err);
}

static int find_chains(int family, bool spare_ours, struct leftovers *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct iptables_tool tool;
	struct exec *x = NULL;
	int r = iptables_tool_find(family, &tool, err);

	if (!r)
		r = exec_new(&x, err);
	for (size_t i = 0; !r && i < ARRAY_SIZE(tables); i++) {
		r = save(&tool, x, tables[i], &text, err);
		if (!r)
			leftovers_parse(buf_str(&text), family, tables[i], spare_ours, ret);
	}
	exec_free(x);
	return r;
}

static int find_table(int family, struct leftovers *ret, struct err *err)
{
	struct leftover l = { .family = family, .nft = true, .name = NFT_KUBE_PROXY };
	int r = nft_has_table(family, l.name, err);

	if (r > 0)
		leftovers_add(ret, &l);
	return r < 0 ? r : 0;
}

int leftovers_find_tables(struct leftovers *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(families); i++)
		r = find_table(families[i], ret, err);
	return r;
}

int leftovers_find(bool ipv4, bool ipv6, bool spare_ours, struct leftovers *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(families); i++)
		if (families[i] == AF_INET6 ? ipv6 : ipv4)
			r = find_chains(families[i], spare_ours, ret, err);
	return r ? r : leftovers_find_tables(ret, err);
}

static bool has_chains(const struct leftovers *l, int family, enum table table)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].nft && l->v[i].family == family && l->v[i].table == table)
			return true;
	return false;
}

/* Reads the table once more, because what leads to the chains must go as it stands now. */
static int rewrite(const struct leftovers *l, const struct iptables_tool *tool, struct exec *x,
	int family, enum table table, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, doc = { 0 };
	int r = save(tool, x, table, &text, err);

	if (r)
		return r;
	leftovers_document(l, buf_str(&text), family, table, &doc);
	r = iptables_tool_start_restore(tool, x, &doc, err);
	return r ? r : finish(x, NULL, err);
}

static int remove_chains(const struct leftovers *l, int family, enum table table, struct err *err)
{
	struct iptables_tool tool;
	struct exec *x = NULL;
	int r;

	if (!has_chains(l, family, table))
		return 0;
	r = iptables_tool_find(family, &tool, err);
	if (!r)
		r = exec_new(&x, err);
	if (!r)
		r = rewrite(l, &tool, x, family, table, err);
	exec_free(x);
	if (r)
		err_prefix(err, "removing chains from the %s table %s", family_name(family),
			table_name(table));
	return r;
}

int leftovers_remove(const struct leftovers *l, struct err *err)
{
	struct err later;
	int result = 0;

	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
			int r = remove_chains(l, families[f], tables[i], result ? &later : err);

			result = result ? result : r;
		}
	for (size_t i = 0; i < l->n; i++) {
		int r = l->v[i].nft
			? nft_delete_table(l->v[i].family, l->v[i].name, result ? &later : err)
			: 0;

		result = result ? result : r;
	}
	return result;
}
