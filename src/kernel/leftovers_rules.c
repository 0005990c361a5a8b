// SPDX-License-Identifier: GPL-2.0-or-later
#include "leftovers_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "iptables_tree.h"
#include "kernel/iptables_text.h"

/* pkg/proxy/iptables/proxier.go and pkg/proxy/ipvs/proxier.go, of all releases. */
static const struct {
	enum table table;
	const char *name;
	bool prefix;
} names[] = {
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
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i].name) + !names[i].prefix;

		if (names[i].table == table && !strncmp(chain, names[i].name, len))
			return true;
	}
	return false;
}

/* By ipvsctl-svcd, with any backend. */
static bool is_used(enum table table, const char *chain)
{
	return chain_is_ours(table, chain) || (table == TABLE_NAT && tree_has_chain(chain));
}

void leftovers_note(
	struct leftovers *l, int family, enum table table, const char *chain, bool spare_ours)
{
	struct leftover one = { .family = family, .table = table };

	if (!leftovers_is_kube_proxys(table, chain) || (spare_ours && is_used(table, chain)))
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

/* One table's chains that are to go, by name. */
struct chains {
	struct chain {
		const char *name;
		bool referred; /* by a rule that stays */
	} * v;
	size_t n;
};

static int cmp_chain(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct chain *find(const struct chains *c, const char *name)
{
	const struct chain key = { .name = name };

	return c->n ? bsearch(&key, c->v, c->n, sizeof(*c->v), cmp_chain) : NULL;
}

static struct chains pick(const struct leftovers *l, int family, enum table table)
{
	struct chains c = { .v = mem_zalloc(l->n, sizeof(*c.v)) };

	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].nft && l->v[i].family == family && l->v[i].table == table)
			c.v[c.n++].name = l->v[i].name;
	if (c.n)
		qsort(c.v, c.n, sizeof(*c.v), cmp_chain);
	return c;
}

/* A rule that leads to one of the chains goes from a built-in chain; elsewhere it is somebody
 * else's, and the chain stays for it. */
static void add_reference(const struct chains *c, const struct iptables_line *line, int family,
	struct iptables_rule *rule, struct buf *doc)
{
	struct chain *target;
	enum hook hook;

	iptables_parse_rule(line->rule, line->len, family, rule);
	target = find(c, rule->target);
	if (!target || find(c, line->name))
		return;
	if (hook_parse(line->name, &hook))
		buf_addf(doc, "-D %s %.*s\n", line->name, (int)line->len, line->rule);
	else
		target->referred = true;
}

void leftovers_document(
	const struct leftovers *l, const char *text, int family, enum table table, struct buf *doc)
{
	_cleanup_(iptables_rule_done) struct iptables_rule rule = { 0 };
	struct chains c = pick(l, family, table);
	struct iptables_line line;

	if (c.n)
		buf_addf(doc, "*%s\n", table_name(table));
	for (size_t i = 0; i < c.n; i++)
		buf_addf(doc, ":%s - [0:0]\n", c.v[i].name);
	while (c.n && iptables_next_line(&text, &line))
		if (line.type == IPTABLES_LINE_RULE)
			add_reference(&c, &line, family, &rule, doc);
	for (size_t i = 0; i < c.n; i++)
		if (!c.v[i].referred)
			buf_addf(doc, "-X %s\n", c.v[i].name);
	if (c.n)
		buf_adds(doc, "COMMIT\n");
	free(c.v);
}
