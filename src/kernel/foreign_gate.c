// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/foreign_gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "iptables_tool.h"
#include "kernel/nftables.h"
#include "nft_gate_rule.h"
#include "nl.h"

enum {
	MAX_FOLLOWED = 32,	  /* chains; with more the gate is open */
	MAX_RULES_LEN = 1 << 20,  /* bytes of the rules of one chain; the same */
	MAX_ELEMENTS_ASKED = 256, /* messages about one set; the same */
	IPVS_IN_INPUT = 99,	  /* the priority at which IPVS takes packets (ip_vs_ops) */
	TABLE_DORMANT = 1,	  /* NFT_TABLE_F_DORMANT: its chains are not asked */
};

static struct nl_msg *ask_for(int message, int family)
{
	return nl_request_netfilter(NFNL_SUBSYS_NFTABLES << 8 | message, NLM_F_DUMP, family);
}

/* A string attribute, or "" if it is missing, not terminated or too long. */
static const char *name_of(struct nlattr *a)
{
	const int len = a ? nla_len(a) : 0;

	return len > 0 && len <= FOREIGN_NAME_SIZE && !((const char *)nla_data(a))[len - 1]
		? nla_data(a)
		: "";
}

static uint32_t be32_of(struct nlattr *a, uint32_t otherwise)
{
	return a && nla_len(a) == sizeof(uint32_t) ? ntohl(nla_get_u32(a)) : otherwise;
}

/* Base chains */

struct foreign_chain {
	int nfproto;
	struct foreign_gate gate;
	bool policy; /* drops */
};

struct chain_list {
	const struct foreign_query *query;
	struct foreign_chain *v;
	size_t n, cap;
};

static bool hook_of_number(uint32_t number, enum hook *ret)
{
	static const enum hook hooks[] = {
		[NF_INET_PRE_ROUTING] = HOOK_PREROUTING,
		[NF_INET_LOCAL_IN] = HOOK_INPUT,
		[NF_INET_FORWARD] = HOOK_FORWARD,
		[NF_INET_LOCAL_OUT] = HOOK_OUTPUT,
		[NF_INET_POST_ROUTING] = HOOK_POSTROUTING,
	};

	if (number >= ARRAY_SIZE(hooks))
		return false;
	*ret = hooks[number];
	return true;
}

static const struct gate_packets *packets_at(const struct foreign_query *q, enum hook hook)
{
	for (size_t i = 0; i < q->n_packets; i++)
		if (q->packets[i].hook == hook)
			return &q->packets[i];
	return NULL;
}

static bool family_counts(const struct foreign_query *q, int nfproto)
{
	return nfproto == NFPROTO_INET || (nfproto == NFPROTO_IPV4 && q->ipv4) ||
		(nfproto == NFPROTO_IPV6 && q->ipv6);
}

static bool is_table_of_iptables(const struct foreign_gate *g)
{
	static const char *const tables[] = { "filter", "mangle", "raw", "security" };

	for (size_t i = 0; g->family && i < ARRAY_SIZE(tables); i++)
		if (!strcmp(g->table, tables[i]))
			return !strcmp(g->chain, hook_name(g->hook));
	return false;
}

static int take_foreign_chain(struct nlmsghdr *msg, void *arg)
{
	const struct nfgenmsg *header = nlmsg_data(msg);
	struct nlattr *tb[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	struct chain_list *l = arg;
	struct foreign_chain c = { 0 };
	struct foreign_gate *g = &c.gate;

	if (nlmsg_parse(msg, sizeof(*header), tb, NFTA_CHAIN_MAX, NULL))
		return -EBADMSG;
	c.nfproto = header->nfgen_family;
	if (!tb[NFTA_CHAIN_HOOK] || !family_counts(l->query, c.nfproto) ||
		nla_parse(hook, NFTA_HOOK_MAX, nla_data(tb[NFTA_CHAIN_HOOK]),
			nla_len(tb[NFTA_CHAIN_HOOK]), NULL) ||
		!hook_of_number(be32_of(hook[NFTA_HOOK_HOOKNUM], UINT32_MAX), &g->hook) ||
		!packets_at(l->query, g->hook) || !strcmp(name_of(tb[NFTA_CHAIN_TYPE]), "nat"))
		return 0;
	g->family = c.nfproto == NFPROTO_INET ? 0 : c.nfproto;
	snprintf(g->table, sizeof(g->table), "%s", name_of(tb[NFTA_CHAIN_TABLE]));
	snprintf(g->chain, sizeof(g->chain), "%s", name_of(tb[NFTA_CHAIN_NAME]));
	g->place = is_table_of_iptables(g) ? PLACE_IPTABLES_NFT : PLACE_NFTABLES;
	c.policy = be32_of(tb[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP;
	if (!*g->table || !*g->chain || (g->family && !strcmp(g->table, NFTABLES_TABLE)) ||
		(g->hook == HOOK_INPUT &&
			(int32_t)be32_of(hook[NFTA_HOOK_PRIORITY], 0) > IPVS_IN_INPUT) ||
		(l->query->skip_nft_filter && g->place == PLACE_IPTABLES_NFT &&
			!strcmp(g->table, "filter")))
		return 0;
	mem_grow(l->v, l->n, l->cap);
	l->v[l->n++] = c;
	return 0;
}

/* Rules */

struct foreign_search {
	struct nl_port *port;
	const struct foreign_chain *base;
	bool doubtful;
	char followed[MAX_FOLLOWED][FOREIGN_NAME_SIZE]; /* the first is the base chain */
	size_t n_followed;
};

struct rules_copy {
	const char *table, *chain;
	size_t n; /* 0 again where an interrupted dump begins anew */
	struct buf expressions;
};

/* The kernel tells all tables where it does not know to select. */
static int copy_rule(struct nlmsghdr *msg, void *arg)
{
	static const char padding[NLA_ALIGNTO];
	struct nlattr *tb[NFTA_RULE_MAX + 1], *expressions;
	struct rules_copy *copy = arg;

	if (nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX, NULL))
		return -EBADMSG;
	if (strcmp(name_of(tb[NFTA_RULE_TABLE]), copy->table) != 0 ||
		strcmp(name_of(tb[NFTA_RULE_CHAIN]), copy->chain) != 0)
		return 0;
	if (!copy->n++)
		buf_reset(&copy->expressions);
	expressions = tb[NFTA_RULE_EXPRESSIONS];
	if (!expressions)
		return 0;
	if (copy->expressions.len > MAX_RULES_LEN)
		return -E2BIG;
	buf_add(&copy->expressions, expressions, expressions->nla_len);
	buf_add(&copy->expressions, padding, (size_t)nla_padlen(nla_len(expressions)));
	return 0;
}

struct elements_reading {
	struct gate_elements *elements;
	size_t n;
};

static int take_elements(struct nlmsghdr *msg, void *arg)
{
	struct elements_reading *r = arg;

	return r->n++ < MAX_ELEMENTS_ASKED ? gate_elements_take(r->elements, msg) : -E2BIG;
}

static struct nl_msg *ask_about(
	const struct foreign_search *s, int message, int name_attribute, const char *name)
{
	struct nl_msg *msg = ask_for(message, s->base->nfproto);

	/* NFTA_RULE_TABLE is NFTA_SET_ELEM_LIST_TABLE. */
	if (nlmsg_expand(msg, (size_t)3 * FOREIGN_NAME_SIZE) ||
		nla_put_string(msg, NFTA_RULE_TABLE, s->base->gate.table) ||
		nla_put_string(msg, name_attribute, name)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* What a dump told before it was interrupted may count twice: elements only ever open. */
static bool ask_elements(const char *set, struct gate_elements *elements, void *arg)
{
	struct foreign_search *s = arg;
	struct elements_reading reading = { elements, 0 };

	return !nl_port_ask(s->port, ask_about(s, NFT_MSG_GETSETELEM, NFTA_SET_ELEM_LIST_SET, set),
		take_elements, NULL, &reading);
}

static void follow_chain(const char *chain, void *arg)
{
	struct foreign_search *s = arg;

	for (size_t i = 0; i < s->n_followed; i++)
		if (!strcmp(s->followed[i], chain))
			return;
	s->doubtful |= s->n_followed == MAX_FOLLOWED;
	if (s->n_followed < MAX_FOLLOWED)
		snprintf(s->followed[s->n_followed++], FOREIGN_NAME_SIZE, "%s", chain);
}

/* Reads the rules of a chain up to one that no packet passes. */
static enum gate_end read_foreign_rules(
	struct foreign_search *s, const char *chain, struct gate_reader *reader)
{
	struct rules_copy copy = { .table = s->base->gate.table, .chain = chain };
	enum gate_end end = GATE_GOES_ON;
	const int r = nl_port_ask(s->port, ask_about(s, NFT_MSG_GETRULE, NFTA_RULE_CHAIN, chain),
		copy_rule, &copy.n, &copy);
	struct nlattr *at = (struct nlattr *)copy.expressions.data;
	int left = copy.n ? (int)copy.expressions.len : 0;

	s->doubtful |= r && r != -ENOENT;
	for (; !r && end == GATE_GOES_ON && nla_ok(at, left); at = nla_next(at, &left))
		end = gate_read_rule(reader, at);
	buf_done(&copy.expressions);
	return end;
}

static enum gate find_closed(struct foreign_search *s, const struct gate_packets *packets)
{
	struct gate_reader reader = {
		.packets = packets, .ask = ask_elements, .follow = follow_chain, .arg = s
	};
	enum gate_end end;

	follow_chain(s->base->gate.chain, s);
	end = read_foreign_rules(s, s->base->gate.chain, &reader);
	if (end != GATE_DROPS && !s->base->policy)
		return GATE_OPEN;
	for (size_t i = 1; i < s->n_followed && !reader.accepts && !s->doubtful; i++)
		read_foreign_rules(s, s->followed[i], &reader);
	if (reader.accepts || s->doubtful)
		return GATE_OPEN;
	return end == GATE_DROPS ? GATE_RULE : GATE_POLICY;
}

struct dormant_search {
	const struct foreign_chain *chain;
	bool found;
};

static int take_dormant(struct nlmsghdr *msg, void *arg)
{
	const struct nfgenmsg *header = nlmsg_data(msg);
	struct nlattr *tb[NFTA_TABLE_MAX + 1];
	struct dormant_search *d = arg;

	if (nlmsg_parse(msg, sizeof(*header), tb, NFTA_TABLE_MAX, NULL))
		return -EBADMSG;
	d->found |= header->nfgen_family == d->chain->nfproto &&
		!strcmp(name_of(tb[NFTA_TABLE_NAME]), d->chain->gate.table) &&
		(be32_of(tb[NFTA_TABLE_FLAGS], 0) & TABLE_DORMANT);
	return 0;
}

static bool is_dormant(struct nl_port *port, const struct foreign_chain *c)
{
	struct dormant_search d = { .chain = c };

	nl_port_ask(port, ask_for(NFT_MSG_GETTABLE, c->nfproto), take_dormant, NULL, &d);
	return d.found;
}

static int read_nft_gates(const struct foreign_query *q, struct foreign_gate *ret, size_t max,
	size_t *n, struct err *err)
{
	struct chain_list chains = { .query = q };
	struct nl_port *port;
	int r = nl_port_open(NETLINK_NETFILTER, &port, err);

	if (r)
		return r;
	r = nl_port_ask(
		port, ask_for(NFT_MSG_GETCHAIN, AF_UNSPEC), take_foreign_chain, &chains.n, &chains);
	for (size_t i = 0; !r && i < chains.n && *n < max; i++) {
		struct foreign_chain *c = &chains.v[i];
		struct foreign_search *s = new0(struct foreign_search);

		s->port = port;
		s->base = c;
		c->gate.closed = find_closed(s, packets_at(q, c->gate.hook));
		if (c->gate.closed != GATE_OPEN && !is_dormant(port, c))
			ret[(*n)++] = c->gate;
		free(s);
	}
	free(chains.v);
	nl_port_free(port);
	/* A kernel without nf_tables knows no such subsystem. */
	return r && r != -EINVAL && r != -EOPNOTSUPP
		? err_errno(err, r, "cannot read the chains of nftables")
		: 0;
}

static void read_legacy_gates(
	const struct foreign_query *q, int family, struct foreign_gate *ret, size_t max, size_t *n)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!iptables_tool_save_legacy(family, TABLE_FILTER, &text))
		return;
	for (size_t i = 0; i < q->n_packets && *n < max; i++) {
		struct foreign_gate g = {
			.closed = iptables_gate_read(buf_str(&text), family, &q->packets[i]),
			.place = PLACE_IPTABLES_LEGACY,
			.hook = q->packets[i].hook,
			.family = family,
			.table = "filter",
		};

		snprintf(g.chain, sizeof(g.chain), "%s", hook_name(g.hook));
		if (g.closed != GATE_OPEN)
			ret[(*n)++] = g;
	}
}

int foreign_gates_read(const struct foreign_query *q, struct foreign_gate *ret, size_t max,
	size_t *ret_n, struct err *err)
{
	size_t n = 0;
	const int r = read_nft_gates(q, ret, max, &n, err);

	if (r)
		return r;
	if (!q->skip_legacy && q->ipv4)
		read_legacy_gates(q, AF_INET, ret, max, &n);
	if (!q->skip_legacy && q->ipv6)
		read_legacy_gates(q, AF_INET6, ret, max, &n);
	*ret_n = n;
	return 0;
}
