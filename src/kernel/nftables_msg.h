/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_MSG_H
#define KERNEL_NFTABLES_MSG_H

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/port_set.h"
#include "core/fact.h"
#include "core/rule.h"
#include "kernel/nftables.h"
#include "nftables_rule.h"
#include "nl.h"

/*
 * Messages of nf_tables for one table a family, and facts in its answers. A set has the name of its
 * ipset and the key of its fact: each field is padded to 4 bytes, in network order.
 */

/* Flags of a table that our kernel headers may not know: only its owner, a socket, may change it,
 * and it stays when the owner closes. */
enum { NFTABLES_OWNER = 0x2, NFTABLES_PERSIST = 0x4 };

/* Requests of a transaction, but for those with NLM_F_DUMP in `flags`. */
/* NFT_MSG_*, about the table of that family and nothing else in it: of a dump, all in it. */
struct nl_msg *nftables_msg_of_table(int message, int flags, int family);
struct nl_msg *nftables_msg_table(int family, uint32_t flags);
struct nl_msg *nftables_msg_set(int message, const struct fact_key *set);
/* A spread as maps have it: slots, flags and affinity in 12, 3 and 17 bits. 0: there is no
 * endpoint. */
uint32_t nftables_spread_number(const struct spread *s);
/* The set of the member is a map: the member can be there with another value. */
bool nftables_has_values(const struct fact_key *member);
/* Asks for the members of the set. */
struct nl_msg *nftables_msg_members(const struct fact_key *set);
/* NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM, of FACT_MEMBER or FACT_DISPATCH */
struct nl_msg *nftables_msg_member(int message, const struct fact *f);
/* A note: NFT_MSG_NEWSET, NFT_MSG_DELSET, NFT_MSG_DELSETELEM (all its ports), or NFT_MSG_GETSETELEM. */
struct nl_msg *nftables_msg_note(int message, int flags, int family, const char *name);
/* Adds a port to a note. */
struct nl_msg *nftables_msg_noted(int family, const char *name, uint16_t port);
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
/* 1: a set of ours; 0: it is none of ours. A set of another form has another value than
 * fact_set(). */
int nftables_read_set(struct nlmsghdr *msg, struct fact *ret);
/* Adds the ports of a note to `ret`. */
int nftables_read_note(struct nlmsghdr *msg, struct port_set *ret);
/* 1: a set in our table; else 0. */
int nftables_read_any_set(struct nlmsghdr *msg);
/* Calls fn for each member that can be one of the set's. */
int nftables_read_members(struct nlmsghdr *msg, const struct fact_key *set, uint32_t mark_mask,
	void (*fn)(const struct fact *f, void *arg), void *arg);

/* Where the hook enters the table; false: nothing of ours stands there. */
struct nftables_hook {
	const char *type;
	uint32_t hook;
	int32_t priority;
};
bool nftables_hook_of(enum table table, enum hook hook, struct nftables_hook *ret);

#endif
