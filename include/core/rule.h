/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_RULE_H
#define CORE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "core/fact.h"

/*
 * A netfilter rule as a value: matches that must all hold, a target, and a comment, which only
 * people read. core makes rules and interprets them (core/walk.h); how they are written down
 * belongs to the kernel's adapters (kernel/iptables_text.h).
 *
 * There are two forms: struct rule, to be made and looked at, and the packed form of struct
 * rule_list, which is kept, compared and hashed as bytes. Two rules are equal exactly when their
 * packed bytes are; the order of matches counts.
 */

enum match {
	MATCH_ANY, /* a free place among the matches of a rule: always holds */
	MATCH_SOURCE,
	MATCH_DESTINATION,
	MATCH_INTERFACE, /* through which the packet came in */
	MATCH_PROTOCOL,
	MATCH_PORTS,	 /* the destination port; MATCH_PROTOCOL stands before it */
	MATCH_ICMP_ECHO, /* an echo request; MATCH_PROTOCOL stands before it */
	MATCH_SET,
	MATCH_MARK,
	MATCH_STATES,		 /* of connection tracking */
	MATCH_SOURCE_LOCAL,	 /* the source is an address of this node */
	MATCH_DESTINATION_LOCAL, /* the destination is one */
	MATCH_SHARE,		 /* a random part of the packets */
	MATCH_REMEMBER,		 /* always holds, and notes the source in a record */
	MATCH_REMEMBERED,	 /* the source was noted in the record not long ago */
	MATCHES
};

/* Which fields of a packet are looked up in a set: addresses and, for "dst" in second place or
 * alone in a set of ports, the destination port. */
enum set_dirs { DIRS_DST, DIRS_DST_DST, DIRS_DST_DST_SRC, DIRS_SRC, DIRS_SRC_DST, SET_DIRS };

/* States of connection tracking: bits of rule_match.states. */
enum {
	STATE_INVALID = 1,
	STATE_NEW = 2,
	STATE_RELATED = 4,
	STATE_ESTABLISHED = 8,
	STATE_UNTRACKED = 16,
	STATE_SNAT = 32,
	STATE_DNAT = 64,
	STATES = 7 /* how many bits */
};

/* MATCH_SHARE counts in parts of this, as the kernel does (xt_statistic.c, nft_numgen.c). */
#define RULE_SHARE_ALL UINT32_C(0x80000000)

struct rule_match {
	uint8_t type; /* enum match */
	bool negated; /* holds where it would not */
	union {
		/* MATCH_SOURCE, MATCH_DESTINATION: the bits of the mask are those of the address.
		 * The mask need not be a prefix. */
		struct {
			struct ip ip;
			uint8_t mask[16];
		} net;
		const char *interface; /* a "+" at its end stands for any ending, as in iptables */
		uint8_t protocol;      /* IPPROTO_* */
		struct {
			uint16_t first, last; /* both included */
		} ports;
		struct {
			uint8_t id;   /* enum set_id */
			uint8_t dirs; /* enum set_dirs */
		} set;
		struct {
			uint32_t value, mask;
		} mark;
		uint16_t states;
		uint32_t share; /* of RULE_SHARE_ALL */
		struct {
			const char *record;
			uint32_t seconds; /* MATCH_REMEMBERED: how long ago at most */
		} client;
	};
};

enum target {
	TARGET_NONE, /* counts packets, at most */
	TARGET_JUMP,
	TARGET_GOTO,
	TARGET_RETURN,
	TARGET_ACCEPT,
	TARGET_DROP,
	TARGET_REJECT,	 /* with "port unreachable" */
	TARGET_MARK,	 /* mark = (mark & ~mask) ^ value, and on with the next rule */
	TARGET_MAP_MARK, /* the mark of the set's element, and on with the next rule */
	TARGET_MASQUERADE,
	TARGET_DNAT,
	/* Only the nftables backend has these. Where the first two find no entry or client, the next
	 * rule follows. */
	TARGET_SPREAD, /* goto the chain of the spread that SET_DISPATCH, or one like it, has */
	TARGET_RECALL, /* to the endpoint in SET_CLIENTS, if it is still one; prolongs that */
	TARGET_FORGET, /* takes the client out of SET_CLIENTS, and on with the next rule */
	TARGET_SLOT,   /* to the endpoint of a slot by chance; with affinity, notes the client */
	TARGETS
};

struct rule_target {
	uint8_t type; /* enum target */
	union {
		const char *chain; /* TARGET_JUMP, TARGET_GOTO */
		struct {
			uint32_t value, mask;
		} mark;
		struct {
			uint8_t id, dirs; /* as in struct rule_match */
		} set;
		bool random_fully; /* TARGET_MASQUERADE: random ports */
		struct {
			struct ip ip;
			uint16_t port;
		} to; /* TARGET_DNAT */
		struct {
			uint8_t set; /* SET_DISPATCH, SET_DISPATCH_POD, SET_DISPATCH_NODE */
			bool node_port;
		} dispatch;	      /* TARGET_SPREAD */
		struct spread spread; /* TARGET_RECALL, TARGET_FORGET, TARGET_SLOT */
	};
};

enum { RULE_MATCHES = 8 };

struct rule {
	struct rule_match match[RULE_MATCHES]; /* free places count nothing, wherever they are */
	struct rule_target target;
	const char *comment; /* NULL: none */
	bool comment_last;   /* it stands behind the matches, as in jumps of kube-proxy */
};

/* All but the free places. */
#define rule_for_each_match(it, rule)                                                              \
	for (const struct rule_match *it = (rule)->match; it < (rule)->match + RULE_MATCHES; it++) \
		if (it->type != MATCH_ANY)

extern const struct rule_match match_any;
struct rule_match match_net(enum match source_or_destination, const struct cidr *net);
struct rule_match match_set(enum set_id set, enum set_dirs dirs);
extern const struct rule_target to_return, to_accept, to_drop, to_reject;
struct rule_target jump_to(const char *chain);
/* In the first free place; false: there is none. */
bool rule_add_match(struct rule *rule, struct rule_match m);
/* Whether one of the matches looks packets up in that set. */
bool rule_has_set(const struct rule *rule, enum set_id set);

/* Rules in their order, packed. A zeroed one is empty and ready. */
struct rule_list {
	struct buf packed;
	size_t n;
};

/* Texts of the rule are copied. */
void rule_list_add(struct rule_list *l, const struct rule *rule);
void rule_list_append(struct rule_list *l, const struct rule_list *other);
/* Empties it and keeps the memory. */
void rule_list_reset(struct rule_list *l);
void rule_list_done(struct rule_list *l);
/* hash_more() of the packed bytes: HASH_EMPTY, or the hash of the rules that stand before these, so
 * that lists one behind the other have the hash of all their rules. */
uint64_t rule_list_hash(uint64_t before, const struct rule_list *l);
/*
 * Reads the rule at *at, a position that begins as 0, and moves on. Texts of the rule stay valid as
 * long as the list is not changed. False: there are no more.
 */
bool rule_list_next(const struct rule_list *l, size_t *at, struct rule *ret);
/* Whether a rule jumps or goes to the chain. */
bool rule_list_leads_to(const struct rule_list *l, const char *chain);

#endif
