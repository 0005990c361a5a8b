/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_TREE_H
#define KERNEL_IPTABLES_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/fact.h"
#include "core/rule.h"

/*
 * Which chains of table nat lead a connection to the chain of its Service: a pure function of the
 * set of dispatch entries, so that a restart finds what it would write.
 *
 * Entries with an address hang under KUBE-DISPATCH, node ports under KUBE-PORT-DISPATCH. A chain
 * with no more than TREE_LEAF entries has a rule for each; one with more has a rule for each value of
 * the first digit in which they differ: the protocol, then the address and the port, each in groups
 * of four bits from its beginning. So masks are prefixes: iptables 1.8.7 of the nf_tables variant
 * refuses others, or stores something else. The name of a chain is made of the digits that its
 * entries begin with.
 */
enum { TREE_LEAF = 16 };
#define TREE_PREFIX "KUBE-DISPATCH-"

/* Of table nat: a root or a chain under one. */
bool tree_has_chain(const char *name);
bool tree_is_root(const char *name);
/* A chain of the tree, or one of chain_is_ours(). */
bool iptables_chain_is_ours(enum table table, const char *name);

/* The roots: of entries with an address, and of node ports. */
extern const char *const tree_roots[2];

/* Compares two facts for qsort(): the order in which the functions below want the entries of one
 * family. */
int tree_cmp(const void *entry, const void *other);
/* How many of them have an address; these come first. */
size_t tree_count_vips(const struct fact *entries, size_t n);

/*
 * Turns the tree of the old entries into that of the new ones: `write` for each chain which may be
 * another one than before, `remove` for each that is not needed any more. A root is never removed.
 */
struct tree_changes {
	void (*write)(const char *name, const struct rule_list *rules, void *arg);
	void (*remove)(const char *name, void *arg);
	void *arg;
};
void tree_diff(const struct fact *old, size_t n_old, const struct fact *new, size_t n_new,
	const struct tree_changes *changes);

/*
 * Asks for each chain of the tree whether it is right, and tells each entry to which right chains
 * lead.
 */
struct tree_check {
	bool (*right)(const char *name, const struct rule_list *rules, void *arg);
	void (*found)(const struct fact *entry, void *arg);
	void *arg;
};
void tree_walk(const struct fact *entries, size_t n, const struct tree_check *check);

/* Reads a rule of a leaf; false: it is something else. */
bool tree_read_entry(const struct rule *rule, int family, struct fact *ret);

#endif
