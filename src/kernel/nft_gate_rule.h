/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFT_GATE_RULE_H
#define KERNEL_NFT_GATE_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/iptables_gate.h"
#include "nl.h"

/*
 * What rules of others mean for packets of Services, as far as their expressions of nf_tables tell.
 * These are understood: states and status of connections, protocols, ports, names of interfaces, sets
 * and verdict maps of them, and the matches of iptables about the same. Any other condition may
 * hold.
 */

struct gate_elements;
struct gate_reader {
	const struct gate_packets *packets;
	/* Calls gate_elements_take() with the answers that have the elements of a set of the rule's
	 * table. false: they are unknown, or too many. */
	bool (*ask)(const char *set, struct gate_elements *elements, void *arg);
	/* The packets may go on in that chain. */
	void (*follow)(const char *chain, void *arg);
	void *arg;
	bool accepts; /* a rule that was read lets them pass, or may do so */
};

/* What a rule does with every packet. */
enum gate_end { GATE_GOES_ON, GATE_DROPS, GATE_ENDS };
/* `expressions`: NFTA_RULE_EXPRESSIONS; NULL: none. */
enum gate_end gate_read_rule(struct gate_reader *r, struct nlattr *expressions);
/* Returns 0, or -EBADMSG. */
int gate_elements_take(struct gate_elements *elements, struct nlmsghdr *msg);

#endif
