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
	uint64_t path; /* hash of the digits that lead to it */
	char name[NAME_SIZE];
};

static bool is_node_port(const struct fact_key *key)
{
	struct ip ip = fact_ip(key);

	return ip_kind(&ip) == IP_UNSPECIFIED;
}

/* Digit 0 is the protocol, then come those of the address from its end, then those of the port. */
static unsigned entry_digit(const struct fact_key *key, int d)
{
	const int n = ip_bits(key->family) / 4, from_end = d - 1;

	if (!d)
		return key->proto == IPPROTO_TCP ? 0 : key->proto == IPPROTO_UDP ? 1 : 2;
	if (from_end < n)
		return (unsigned)key->addr[(n - 1 - from_end) / 2] >> (from_end % 2 * 4) & 0xfu;
	return (unsigned)key->port >> (4 * (PORT_DIGITS - 1 - (from_end - n))) & 0xfu;
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

static struct tree_node child_node(const struct tree_node *parent, int d, unsigned value)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char step[] = { (char)('A' + d), (char)('a' + value), '\0' };
	struct tree_node n = { .path = hash_more(parent->path, step, strlen(step)) };
	size_t at = strlen(TREE_PREFIX);

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
		/* "-d 0.0.0.5/0.0.0.15": that digit of the address, whatever the others are. */
		struct rule_match m = { MATCH_DESTINATION, .net.ip.family = key->family };
		int from_end = d - 1, byte = (n - 1 - from_end) / 2;

		m.net.ip.bytes[byte] = (uint8_t)(entry_digit(key, d) << (from_end % 2 * 4));
		m.net.mask[byte] = (uint8_t)(0xfu << (from_end % 2 * 4));
		rule.match[0] = m;
	}
	rule_list_add(l, &rule);
}

/* A chain with few entries leads to the chain of each, any other one to its children. */
static void add_node_rules(struct rule_list *l, const struct tree_node *node, struct tree_range r)
{
	const int d = split_digit(r);

	for (unsigned v = 0; d != NONE && v < RADIX; v++) {
		struct tree_range p = range_part(r, d, v);
		struct tree_node child = child_node(node, d, v);

		if (p.n)
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

/* The depth is bounded by the number of digits. */
static void diff_node(const struct tree_node *node, struct tree_range old, struct tree_range new,
	const struct tree_changes *changes)
{
	int od = split_digit(old), nd = split_digit(new);
	const struct tree_range none = { 0 };

	if (old.n == new.n && (!old.n || !memcmp(old.e, new.e, old.n * sizeof(*old.e))))
		return;
	if (new.n || tree_is_root(node->name)) {
		_cleanup_(rule_list_done) struct rule_list rules = { 0 };

		add_node_rules(&rules, node, new);
		changes->write(node->name, &rules, changes->arg);
	} else {
		changes->remove(node->name, changes->arg);
	}
	for (unsigned v = 0; v < RADIX; v++) {
		struct tree_range was = od == NONE ? none : range_part(old, od, v);
		struct tree_range is = nd == NONE ? none : range_part(new, nd, v);
		struct tree_node child;

		if (od == nd && od != NONE) {
			child = child_node(node, od, v);
			diff_node(&child, was, is, changes);
			continue;
		}
		child = child_node(node, od, v);
		diff_node(&child, was, none, changes);
		child = child_node(node, nd, v);
		diff_node(&child, none, is, changes);
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

		diff_node(&root, root_range(root.name, old, n_old),
			root_range(root.name, new, n_new), changes);
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
		struct tree_node child = child_node(node, d, v);
		struct tree_range p = range_part(r, d, v);

		if (p.n)
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
