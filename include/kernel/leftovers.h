/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LEFTOVERS_H
#define KERNEL_LEFTOVERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/fact.h"

/*
 * Leftovers of kube-proxy in netfilter, in any of its modes: chains of iptables with the rules in
 * built-in chains that lead there (pkg/proxy/iptables, pkg/proxy/ipvs), and the tables "kube-proxy"
 * of nf_tables (pkg/proxy/nftables). Chains of the kubelet do not count.
 */

struct leftover {
	int family;
	bool nft; /* a table of nf_tables; else a chain of iptables */
	enum table table;
	char name[CHAIN_NAME_LEN + 1];
};

struct leftovers {
	struct leftover *v;
	size_t n, cap;
};

void leftovers_add(struct leftovers *l, const struct leftover *one);
/* Adds the tables of nf_tables. Returns 0, or a negative errno with words. */
int leftovers_find_tables(struct leftovers *ret, struct err *err);
/*
 * Adds the tables of nf_tables, and the chains of these families; with `spare_ours` only the chains
 * that ipvsctl-svcd never has. Returns 0, or a negative errno with words: the list is then not
 * complete.
 */
int leftovers_find(bool ipv4, bool ipv6, bool spare_ours, struct leftovers *ret, struct err *err);
/*
 * Removes all leftovers of the list. A chain to which rules of others refer is emptied and stays.
 * Returns 0, or the first failure with words; the rest is removed nevertheless.
 */
int leftovers_remove(const struct leftovers *l, struct err *err);
void leftovers_done(struct leftovers *l);

/* "chain IPv4 filter KUBE-EXTERNAL-SERVICES", "nftables table ip kube-proxy" */
void leftover_print(struct buf *b, const struct leftover *l);

/* The functions below need no kernel. `text` is the output of iptables-save for one table. */

/* Some release of kube-proxy makes a chain of that name in that table. */
bool leftovers_is_kube_proxys(enum table table, const char *chain);
/* Adds the chain if it is kube-proxy's. */
void leftovers_note(
	struct leftovers *l, int family, enum table table, const char *chain, bool spare_ours);
/* Adds the chains of kube-proxy in the text. */
void leftovers_parse(
	const char *text, int family, enum table table, bool spare_ours, struct leftovers *ret);
/* Appends the input of iptables-restore that removes the chains of that family and table; nothing
 * where there are none. */
void leftovers_document(
	const struct leftovers *l, const char *text, int family, enum table table, struct buf *doc);

#endif
