// SPDX-License-Identifier: GPL-2.0-or-later
#include "leftovers_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "iptables_save.h"
#include "iptables_tree.h"

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

static void read_word(const char *p, char ret[static CHAIN_NAME_LEN + 1])
{
	size_t len = strcspn(p, " \n");

	snprintf(ret, CHAIN_NAME_LEN + 1, "%.*s", len > CHAIN_NAME_LEN ? 0 : (int)len, p);
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n');
}

void leftovers_parse(
	const char *text, int family, enum table table, bool spare_ours, struct leftovers *ret)
{
	char chain[CHAIN_NAME_LEN + 1];

	for (const char *line = text; *line; line = next_line(line)) {
		if (*line != ':')
			continue;
		read_word(line + 1, chain);
		leftovers_note(ret, family, table, chain, spare_ours);
	}
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

static bool is_built_in(const char *chain)
{
	for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_POSTROUTING; hook++)
		if (!strcmp(chain, hook_name(hook)))
			return true;
	return false;
}

/* "-A CHAIN RULE": a rule that leads to one of the chains goes from a built-in chain; elsewhere it
 * is somebody else's, and the chain stays for it. */
static void add_reference(const struct chains *c, const char *line, struct buf *doc)
{
	char from[CHAIN_NAME_LEN + 1], to[CHAIN_NAME_LEN + 1];
	size_t len = strcspn(line, "\n");
	struct chain *target;

	read_word(line + strlen("-A "), from);
	saved_target(line, len, to);
	target = find(c, to);
	if (!target || find(c, from))
		return;
	if (is_built_in(from))
		buf_addf(doc, "-D %.*s\n", (int)(len - strlen("-A ")), line + strlen("-A "));
	else
		target->referred = true;
}

void leftovers_document(
	const struct leftovers *l, const char *text, int family, enum table table, struct buf *doc)
{
	struct chains c = pick(l, family, table);

	if (c.n)
		buf_addf(doc, "*%s\n", table_name(table));
	for (size_t i = 0; i < c.n; i++)
		buf_addf(doc, ":%s - [0:0]\n", c.v[i].name);
	for (const char *line = text; c.n && *line; line = next_line(line))
		if (!strncmp(line, "-A ", strlen("-A ")))
			add_reference(&c, line, doc);
	for (size_t i = 0; i < c.n; i++)
		if (!c.v[i].referred)
			buf_addf(doc, "-X %s\n", c.v[i].name);
	if (c.n)
		buf_adds(doc, "COMMIT\n");
	free(c.v);
}
