/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_TEXT_H
#define KERNEL_IPTABLES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "core/fact.h"
#include "core/rule.h"

/*
 * Rules as iptables-save prints them and iptables-restore reads them. Nothing else in this program
 * takes the text of a rule apart.
 */

/*
 * Appends a rule of that family: "-A CHAIN -s 10.0.0.0/8 -j RETURN", or without "-A CHAIN" where
 * that is NULL. The form is that of iptables 1.8.9, in which a comment stands before all matches of
 * modules.
 */
void iptables_print_rule(struct buf *b, int family, const char *chain, const struct rule *rule);
/* Appends "-A CHAIN RULE" and a newline for each rule. */
void iptables_print_rules(
	struct buf *b, int family, const char *chain, const struct rule_list *rules);

/* A rule that was read. A zeroed one is empty and ready, and may be used again and again. */
struct iptables_rule {
	/* Whether struct rule can express all of it; else `rule` means nothing. */
	bool readable;
	struct rule rule; /* its texts are in `words` */
	/* Where the rule leads, readable or not: a chain or the name of a target; "" where it has
	 * none, or one with a longer name. */
	char target[CHAIN_NAME_LEN + 1];
	struct buf words;
};

/*
 * Reads a rule of that family without "-A CHAIN ". All forms are accepted in which iptables 1.8.7
 * to 1.8.11, nft and legacy, tell a rule of ours.
 */
void iptables_parse_rule(const char *text, size_t len, int family, struct iptables_rule *ret);
void iptables_rule_done(struct iptables_rule *r);

/* One line of what iptables-save prints. */
enum iptables_line_type {
	IPTABLES_LINE_TABLE,  /* "*nat" */
	IPTABLES_LINE_CHAIN,  /* ":KUBE-SERVICES - [0:0]" */
	IPTABLES_LINE_RULE,   /* "-A KUBE-SERVICES -j RETURN" */
	IPTABLES_LINE_COMMIT, /* the end of the table */
	IPTABLES_LINE_OTHER,
};
struct iptables_line {
	enum iptables_line_type type;
	char name[CHAIN_NAME_LEN + 1]; /* of the table or chain; "" where it is longer */
	const char *rule;	       /* behind "-A CHAIN ", up to the end of the line */
	size_t len;		       /* of the rule */
};
/* Reads the line at *text and moves on to the next one. False: there are no more. */
bool iptables_next_line(const char **text, struct iptables_line *ret);

#endif
