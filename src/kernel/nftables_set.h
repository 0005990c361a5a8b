/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_SET_H
#define KERNEL_NFTABLES_SET_H

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/port_set.h"
#include "core/fact.h"
#include "nl.h"

/*
 * Messages of nf_tables about sets and maps, their members, and notes, and facts in its answers. A
 * set has the name of its ipset and the key of its fact: each field is padded to 4 bytes, in network
 * order.
 */

/* Requests of a transaction, but for those with NLM_F_DUMP in `flags`. */
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

/* What an answer tells about. Each returns 0 or -EBADMSG, where nothing else is said. */
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

#endif
