// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/leftovers.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "iptables_document.h"
#include "iptables_tool.h"
#include "iptables_tree.h"
#include "kernel/exec.h"
#include "kernel/iptables_text.h"
#include "nft.h"

static const int leftover_families[] = { AF_INET, AF_INET6 };

/* pkg/proxy/iptables/proxier.go and pkg/proxy/ipvs/proxier.go, of all releases. */
static const struct {
	enum table table;
	const char *name;
	bool prefix;
} kube_proxy_chains[] = {
	{ TABLE_NAT, "KUBE-SERVICES" },
	{ TABLE_NAT, "KUBE-NODEPORTS" },
	{ TABLE_NAT, "KUBE-NODE-PORT" },
	{ TABLE_NAT, "KUBE-LOAD-BALANCER" },
	{ TABLE_NAT, "KUBE-POSTROUTING" },
	{ TABLE_NAT, "KUBE-MARK-MASQ" },
	{ TABLE_NAT, "KUBE-PROXY-CANARY" },
	{ TABLE_NAT, "KUBE-SVC-", true },
	{ TABLE_NAT, "KUBE-SVL-", true },
	{ TABLE_NAT, "KUBE-SEP-", true },
	{ TABLE_NAT, "KUBE-EXT-", true },
	{ TABLE_NAT, "KUBE-XLB-", true },
	{ TABLE_NAT, "KUBE-FW-", true },
	{ TABLE_FILTER, "KUBE-SERVICES" },
	{ TABLE_FILTER, "KUBE-EXTERNAL-SERVICES" },
	{ TABLE_FILTER, "KUBE-NODEPORTS" },
	{ TABLE_FILTER, "KUBE-NODE-PORT" },
	{ TABLE_FILTER, "KUBE-FORWARD" },
	{ TABLE_FILTER, "KUBE-PROXY-FIREWALL" },
	{ TABLE_FILTER, "KUBE-SOURCE-RANGES-FIREWALL" },
	{ TABLE_FILTER, "KUBE-IPVS-FILTER" },
	{ TABLE_FILTER, "KUBE-IPVS-OUT-FILTER" },
	{ TABLE_FILTER, "KUBE-PROXY-CANARY" },
	{ TABLE_MANGLE, "KUBE-PROXY-CANARY" },
};

bool leftovers_is_kube_proxys(enum table table, const char *chain)
{
	for (size_t i = 0; i < ARRAY_SIZE(kube_proxy_chains); i++) {
		const char *name = kube_proxy_chains[i].name;
		size_t len = strlen(name) + !kube_proxy_chains[i].prefix;

		if (kube_proxy_chains[i].table == table && !strncmp(chain, name, len))
			return true;
	}
	return false;
}

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

/* Text: what iptables-save prints and iptables-restore reads */

void leftovers_note(
	struct leftovers *l, int family, enum table table, const char *chain, bool spare_ours)
{
	struct leftover one = { .family = family, .table = table };

	if (!leftovers_is_kube_proxys(table, chain) ||
		(spare_ours && iptables_chain_is_ours(table, chain)))
		return;
	snprintf(one.name, sizeof(one.name), "%s", chain);
	leftovers_add(l, &one);
}

void leftovers_parse(
	const char *text, int family, enum table table, bool spare_ours, struct leftovers *ret)
{
	struct iptables_line line;

	while (iptables_next_line(&text, &line))
		if (line.type == IPTABLES_LINE_CHAIN)
			leftovers_note(ret, family, table, line.name, spare_ours);
}

/* A chain of the table at hand that is to go. */
struct doomed_chain {
	const char *name;
	bool referred; /* by a rule that stays */
};

static int compare_doomed(const void *a, const void *b)
{
	const struct doomed_chain *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void leftovers_document(
	const struct leftovers *l, const char *text, int family, enum table table, struct buf *doc)
{
	_cleanup_free_ struct doomed_chain *chains = mem_zalloc(l->n, sizeof(*chains));
	_cleanup_(iptables_rule_done) struct iptables_rule rule = { 0 };
	struct iptables_line line;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].nft && l->v[i].family == family && l->v[i].table == table)
			chains[n++].name = l->v[i].name;
	if (!n)
		return;
	qsort(chains, n, sizeof(*chains), compare_doomed);

	buf_addf(doc, "*%s\n", table_name(table));
	for (size_t i = 0; i < n; i++)
		buf_addf(doc, ":%s - [0:0]\n", chains[i].name);
	/* A rule that leads to one of the chains goes from a built-in chain. Elsewhere it belongs
	 * to somebody else, and the chain stays for it. */
	while (iptables_next_line(&text, &line)) {
		const struct doomed_chain from = { .name = line.name },
					  to = { .name = rule.target };
		struct doomed_chain *target;
		enum hook hook;

		if (line.type != IPTABLES_LINE_RULE ||
			bsearch(&from, chains, n, sizeof(from), compare_doomed))
			continue;
		iptables_parse_rule(line.rule, line.len, family, &rule);
		target = bsearch(&to, chains, n, sizeof(to), compare_doomed);
		if (target && hook_parse(line.name, &hook))
			buf_addf(doc, "-D %s %.*s\n", line.name, (int)line.len, line.rule);
		else if (target)
			target->referred = true;
	}
	for (size_t i = 0; i < n; i++)
		if (!chains[i].referred)
			buf_addf(doc, "-X %s\n", chains[i].name);
	buf_adds(doc, "COMMIT\n");
}

/* Programs and the kernel */

/* Waits for the program that was started. */
static int wait_for_tool(struct exec *x, struct buf *ret, struct err *err)
{
	struct err words = { 0 };
	int r;

	while ((r = exec_advance(x, ret, &words)) == -EINPROGRESS)
		exec_wait(x);
	return iptables_tool_result(r, &words, err);
}

int leftovers_find_tables(struct leftovers *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(leftover_families); i++) {
		const struct leftover l = {
			.family = leftover_families[i],
			.nft = true,
			.name = NFT_KUBE_PROXY,
		};
		int r = nft_has_table(l.family, l.name, err);

		if (r < 0)
			return r;
		if (r)
			leftovers_add(ret, &l);
	}
	return 0;
}

int leftovers_find(bool ipv4, bool ipv6, bool spare_ours, struct leftovers *ret, struct err *err)
{
	const bool served[] = { ipv4, ipv6 };
	struct exec *x = NULL;
	int r = 0;

	for (size_t f = 0; !r && f < ARRAY_SIZE(leftover_families); f++) {
		struct iptables_tool tool;

		if (!served[f])
			continue;
		r = iptables_tool_find(leftover_families[f], &tool, err);
		if (!r && !x)
			r = exec_new(&x, err);
		for (size_t i = 0; !r && i < ARRAY_SIZE(document_tables); i++) {
			const enum table table = document_tables[i];
			_cleanup_(buf_done) struct buf text = { 0 };

			r = iptables_tool_start_save(&tool, x, table_name(table), err);
			if (!r)
				r = wait_for_tool(x, &text, err);
			if (!r)
				leftovers_parse(buf_str(&text), leftover_families[f], table,
					spare_ours, ret);
		}
	}
	exec_free(x);
	return r ? r : leftovers_find_tables(ret, err);
}

/* Reads the table once more, because the rules that lead to the chains must go as they stand now.
 */
static int remove_chains(const struct leftovers *l, int family, enum table table, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, doc = { 0 };
	struct iptables_tool tool;
	struct exec *x = NULL;
	bool any = false;
	int r;

	for (size_t i = 0; i < l->n; i++)
		any |= !l->v[i].nft && l->v[i].family == family && l->v[i].table == table;
	if (!any)
		return 0;
	r = iptables_tool_find(family, &tool, err);
	if (!r)
		r = exec_new(&x, err);
	if (!r)
		r = iptables_tool_start_save(&tool, x, table_name(table), err);
	if (!r)
		r = wait_for_tool(x, &text, err);
	if (!r) {
		leftovers_document(l, buf_str(&text), family, table, &doc);
		r = iptables_tool_start_restore(&tool, x, &doc, err);
	}
	if (!r)
		r = wait_for_tool(x, NULL, err);
	exec_free(x);
	if (r)
		err_prefix(err, "removing chains from the %s table %s", family_name(family),
			table_name(table));
	return r;
}

int leftovers_remove(const struct leftovers *l, struct err *err)
{
	struct err later; /* only the first failure is told */
	int result = 0;

	for (size_t f = 0; f < ARRAY_SIZE(leftover_families); f++)
		for (size_t i = 0; i < ARRAY_SIZE(document_tables); i++) {
			int r = remove_chains(
				l, leftover_families[f], document_tables[i], result ? &later : err);

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
