// SPDX-License-Identifier: GPL-2.0-or-later
#include "iptables_tree.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "core/service_chain.h"

enum { NONE = -1, RADIX = 16, PORT_DIGITS = 4, NAME_SIZE = CHAIN_NAME_LEN + 1 };

const char *const tree_roots[2] = { CHAIN_DISPATCH, CHAIN_DISPATCH_PORTS };

/* Entries that follow each other. */
struct tree_range {
	const struct fact *e;
	size_t n;
};

struct tree_node {
	uint64_t path; /* hash of the digits that its entries begin with */
	int depth;     /* how many these are */
	char name[NAME_SIZE];
};

static bool is_node_port(const struct fact_key *key)
{
	struct ip ip = fact_ip(key);

	return ip_kind(&ip) == IP_UNSPECIFIED;
}

/* Digit 0 is the protocol, then come those of the address, then those of the port. */
static unsigned entry_digit(const struct fact_key *key, int d)
{
	const int n = ip_bits(key->family) / 4, at = d - 1;

	if (!d)
		return key->proto == IPPROTO_TCP ? 0 : key->proto == IPPROTO_UDP ? 1 : 2;
	if (at < n)
		return (unsigned)key->addr[at / 2] >> (at % 2 ? 0 : 4) & 0xfu;
	return (unsigned)key->port >> (4 * (PORT_DIGITS - 1 - (at - n))) & 0xfu;
}

int tree_cmp(const void *entry, const void *other)
{
	const struct fact_key *a = &((const struct fact *)entry)->key;
	const struct fact_key *b = &((const struct fact *)other)->key;
	const int digits = 1 + ip_bits(a->family) / 4 + PORT_DIGITS;
	int c = is_node_port(a) - is_node_port(b);

	for (int d = 0; !c && d < digits; d++)
		c = (int)entry_digit(a, d) - (int)entry_digit(b, d);
	return c;
}

bool tree_is_root(const char *name)
{
	return !strcmp(name, CHAIN_DISPATCH) || !strcmp(name, CHAIN_DISPATCH_PORTS);
}

bool tree_has_chain(const char *name)
{
	return tree_is_root(name) || !strncmp(name, TREE_PREFIX, strlen(TREE_PREFIX));
}

bool iptables_chain_is_ours(enum table table, const char *name)
{
	return chain_is_ours(table, name) || (table == TABLE_NAT && tree_has_chain(name));
}

/* The digit by which the entries are divided, or NONE: they fit into one chain. */
static int split_digit(struct tree_range r)
{
	int d = 0;

	if (r.n <= TREE_LEAF)
		return NONE;
	while (entry_digit(&r.e[0].key, d) == entry_digit(&r.e[r.n - 1].key, d))
		d++;
	return d;
}

/* The entries with this value of the digit, by which they are sorted. */
static struct tree_range range_part(struct tree_range r, int d, unsigned value)
{
	struct tree_range p;
	size_t i = 0;

	while (i < r.n && entry_digit(&r.e[i].key, d) < value)
		i++;
	p = (struct tree_range){ r.e + i, 0 };
	while (i + p.n < r.n && entry_digit(&p.e[p.n].key, d) == value)
		p.n++;
	return p;
}

/*
 * The node of the entries that begin with the digits of this one, up to and with digit d. Its name
 * does not depend on the digits by which the nodes above it are divided: an address far from all
 * others changes those, and leaves the chains below them alone.
 */
static struct tree_node child_node(
	const struct tree_node *parent, const struct fact_key *entry, int d)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	struct tree_node n = { .path = parent->path, .depth = d + 1 };
	size_t at = strlen(TREE_PREFIX);

	for (int i = parent->depth; i <= d; i++) {
		const char step[] = { (char)('A' + i), (char)('a' + entry_digit(entry, i)) };

		n.path = hash_more(n.path, step, sizeof(step));
	}
	memcpy(n.name, TREE_PREFIX, at);
	for (unsigned bits = 0; bits < 64; bits += 5)
		n.name[at++] = alphabet[n.path >> bits & 31];
	return n;
}

static struct tree_node root_node(size_t i)
{
	/* Names of chains do not change with the version. The root of node ports had this name. */
	static const char *const seeds[] = { CHAIN_DISPATCH, CHAIN_NODE_PORTS };
	struct tree_node n = { .path = hash_text(seeds[i]) };

	strcpy(n.name, tree_roots[i]);
	return n;
}

/* Leads to the child that has the entries with the key's value of digit d. */
static void add_branch_rule(
	struct rule_list *l, const struct fact_key *key, int d, const char *child)
{
	const int n = ip_bits(key->family) / 4;
	const struct rule_match protocol = { MATCH_PROTOCOL, .protocol = key->proto };
	struct rule rule = { .match = { protocol }, .target = jump_to(child) };

	if (d > n) {
		/* "-p tcp -m tcp --dport 4096:8191": the ports that begin with the same digits. */
		unsigned shift = 4 * (unsigned)(n + PORT_DIGITS - d);
		unsigned first = (unsigned)key->port >> shift << shift;
		unsigned last = first + (1u << shift) - 1;

		rule.match[1] = (struct rule_match){ MATCH_PORTS,
			.ports = { (uint16_t)first, (uint16_t)last } };
	} else if (d) {
		/* "-d 10.96.0.0/12": the addresses that begin with the same digits. */
		struct cidr to = { .ip = fact_ip(key), .len = (uint8_t)(4 * d) };

		for (int i = d; i < n; i++)
			to.ip.bytes[i / 2] = (uint8_t)(to.ip.bytes[i / 2] & (i % 2 ? 0xf0 : 0x0f));
		rule.match[0] = match_net(MATCH_DESTINATION, &to);
	}
	rule_list_add(l, &rule);
}

/* A chain with few entries leads to the chain of each, any other one to its children. */
static void add_node_rules(struct rule_list *l, const struct tree_node *node, struct tree_range r)
{
	const int d = split_digit(r);

	for (unsigned v = 0; d != NONE && v < RADIX; v++) {
		const struct tree_range p = range_part(r, d, v);
		struct tree_node child;

		if (!p.n)
			continue;
		child = child_node(node, &p.e[0].key, d);
		add_branch_rule(l, &p.e[0].key, d, child.name);
	}
	for (size_t i = 0; d == NONE && i < r.n; i++) {
		const struct fact_key *key = &r.e[i].key;
		const struct cidr to = { .ip = fact_ip(key), .len = ip_bits(key->family) };
		const struct rule_match address = match_net(MATCH_DESTINATION, &to);
		char chain[NAME_SIZE];

		service_chain_name(r.e[i].val.dispatch.chain, r.e[i].val.dispatch.hash, chain);
		rule_list_add(l,
			&(struct rule){
				.match = { is_node_port(key) ? match_any : address,
					{ MATCH_PROTOCOL, .protocol = key->proto },
					{ MATCH_PORTS, .ports = { key->port, key->port } } },
				.target = jump_to(chain) });
	}
}

/* The entries of one node, before or after a change. */
struct tree_side {
	struct tree_range entries;
	bool chain; /* it has a chain of its own: its parent is divided by the last digit */
};

/*
 * The depth is bounded by the number of digits. Where only one side is divided by a digit, the other
 * one is divided all the same, into parts without chains: their chains are further up or down.
 */
static void diff_node(const struct tree_node *node, struct tree_side old, struct tree_side new,
	const struct tree_changes *changes)
{
	const struct tree_range o = old.entries, n = new.entries;
	const int od = split_digit(o), nd = split_digit(n);
	const int d = od == NONE || (nd != NONE && nd < od) ? nd : od;

	if (old.chain == new.chain && o.n == n.n && (!o.n || !memcmp(o.e, n.e, o.n * sizeof(*o.e))))
		return;
	if (new.chain) {
		_cleanup_(rule_list_done) struct rule_list rules = { 0 };

		add_node_rules(&rules, node, n);
		changes->write(node->name, &rules, changes->arg);
	} else if (old.chain) {
		changes->remove(node->name, changes->arg);
	}
	for (unsigned v = 0; d != NONE && v < RADIX; v++) {
		const struct tree_range none = { 0 };
		const struct tree_range was = od == NONE ? none : range_part(o, d, v);
		const struct tree_range is = nd == NONE ? none : range_part(n, d, v);
		struct tree_node child;

		if (!was.n && !is.n)
			continue;
		child = child_node(node, was.n ? &was.e[0].key : &is.e[0].key, d);
		diff_node(&child, (struct tree_side){ was, was.n && od == d },
			(struct tree_side){ is, is.n && nd == d }, changes);
	}
}

size_t tree_count_vips(const struct fact *entries, size_t n)
{
	while (n && is_node_port(&entries[n - 1].key))
		n--;
	return n;
}

/* What hangs under the root. */
static struct tree_range root_range(const char *root, const struct fact *e, size_t n)
{
	size_t vips = tree_count_vips(e, n);

	if (!strcmp(root, CHAIN_DISPATCH))
		return (struct tree_range){ e, vips };
	return (struct tree_range){ e + vips, n - vips };
}

void tree_diff(const struct fact *old, size_t n_old, const struct fact *new, size_t n_new,
	const struct tree_changes *changes)
{
	for (size_t i = 0; i < ARRAY_SIZE(tree_roots); i++) {
		const struct tree_node root = root_node(i);

		diff_node(&root, (struct tree_side){ root_range(root.name, old, n_old), true },
			(struct tree_side){ root_range(root.name, new, n_new), true }, changes);
	}
}

static void walk_node(const struct tree_node *node, struct tree_range r, bool reached,
	const struct tree_check *check)
{
	_cleanup_(rule_list_done) struct rule_list rules = { 0 };
	int d = split_digit(r);

	add_node_rules(&rules, node, r);
	reached &= check->right(node->name, &rules, check->arg);
	for (size_t i = 0; reached && d == NONE && i < r.n; i++)
		check->found(&r.e[i], check->arg);
	for (unsigned v = 0; d != NONE && v < RADIX; v++) {
		const struct tree_range p = range_part(r, d, v);
		struct tree_node child;

		if (!p.n)
			continue;
		child = child_node(node, &p.e[0].key, d);
		walk_node(&child, p, reached, check);
	}
}

void tree_walk(const struct fact *entries, size_t n, const struct tree_check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(tree_roots); i++) {
		const struct tree_node root = root_node(i);

		walk_node(&root, root_range(root.name, entries, n), true, check);
	}
}

bool tree_read_entry(const struct rule *rule, int family, struct fact *ret)
{
	const struct rule_match *m = rule->match;
	struct ip to = { .family = (uint8_t)family };
	uint8_t whole[16], protocol;
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;

	memset(whole, 0xff, sizeof(whole));
	rule_for_each_match(any, rule)
		if (any->negated)
			return false;
	if (m->type == MATCH_DESTINATION) {
		if (memcmp(m->net.mask, whole, ip_bits(family) / 8) != 0)
			return false;
		to = m++->net.ip;
	}
	if (m->type != MATCH_PROTOCOL || !proto_lower(m->protocol))
		return false;
	protocol = m++->protocol;
	if (m->type != MATCH_PORTS || m->ports.first != m->ports.last || m[1].type != MATCH_ANY)
		return false;
	if (rule->comment || rule->target.type != TARGET_JUMP ||
		!service_chain_parse(rule->target.chain, &chain, hash))
		return false;
	*ret = fact_dispatch(&to, m->ports.first, protocol, chain, hash);
	return true;
}
