/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_MSG_H
#define KERNEL_NFTABLES_MSG_H

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/fact.h"
#include "core/rule.h"
#include "kernel/nftables.h"
#include "nftables_rule.h"
#include "nl.h"

/*
 * Messages of nf_tables about our table of a family, its chains and rules, and what its answers tell
 * about them. Those about sets are in nftables_set.h.
 */

/* Flags of a table that our kernel headers may not know: only its owner, a socket, may change it,
 * and it stays when the owner closes. */
enum { NFTABLES_OWNER = 0x2, NFTABLES_PERSIST = 0x4 };

/* What all messages have. */
struct nl_msg *nftables_msg_new(int message, int flags, int family);
/* Frees a message that is not whole, and returns NULL then. */
struct nl_msg *nftables_msg_end(struct nl_msg *msg, int failed);
int nftables_put_number(struct nl_msg *msg, int type, uint32_t value);
/* All messages name the table first, by the attribute 1 (NFTA_TABLE_NAME, NFTA_SET_TABLE, ...). */
int nftables_put_table(struct nl_msg *msg);
/* AF_UNSPEC: the message is too short to tell. */
int nftables_family_of(struct nlmsghdr *msg);
/* Dumps tell about all tables where the kernel does not filter. */
bool nftables_is_of_our_table(struct nlattr *table);

/* Requests of a transaction, but for those with NLM_F_DUMP in `flags`. */
/* NFT_MSG_*, about the table of that family and nothing else in it: of a dump, all in it. */
struct nl_msg *nftables_msg_of_table(int message, int flags, int family);
struct nl_msg *nftables_msg_table(int family, uint32_t flags);
/* A chain of ours: `name` as nftables_chain_name() makes it. */
struct nl_msg *nftables_msg_chain(int message, int family, const char *name);
/* A chain where a hook enters the table, with what belongs to it there. */
struct nl_msg *nftables_msg_base_chain(int family, enum table table, enum hook hook);
/* Deletes all rules of the chain. */
struct nl_msg *nftables_msg_flush(int family, const char *name);
/* Appends a rule; `hash` is that of all rules of the fact. NULL: see nftables_rule_put(). */
struct nl_msg *nftables_msg_rule(const struct nftables_dialect *d, const char *chain,
	const struct rule *rule, uint64_t hash);

/* What an answer tells about. The strings are in the message. */
struct nftables_chain {
	int family;
	const char *name;
	bool base;
	uint32_t hook; /* NF_INET_* */
	int32_t priority;
	const char *type;
};
struct nftables_rule {
	int family;
	const char *chain;
	struct nlattr *expressions; /* NULL: none */
	uint64_t hash;		    /* 0: not told */
};
/* Each returns 0 or -EBADMSG. */
int nftables_read_table(struct nlmsghdr *msg, const char **ret_name, uint32_t *ret_flags);
int nftables_read_chain(struct nlmsghdr *msg, struct nftables_chain *ret);
int nftables_read_rule(struct nlmsghdr *msg, struct nftables_rule *ret);

/* Where the hook enters the table; false: nothing of ours stands there. */
struct nftables_hook {
	const char *type;
	uint32_t hook;
	int32_t priority;
};
bool nftables_hook_of(enum table table, enum hook hook, struct nftables_hook *ret);

#endif
