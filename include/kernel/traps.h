/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_TRAPS_H
#define KERNEL_TRAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/adapter.h"
#include "core/node_view.h"
#include "kernel/foreign_gate.h"
#include "kernel/iptables_gate.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"

/*
 * Settings of the node with which IPVS fails in ways that are hard to find; see "Traps" in
 * ipvsctl-svc-status(1). Reading and judging are apart, so that the judgement can be tested.
 */

enum { TRAP_UNKNOWN = -1, TRAP_MAX_RULES = 16, TRAP_MAX_GATES = 16 };

/* Numbers are TRAP_UNKNOWN where the kernel does not tell. */
struct trap_facts {
	unsigned major, minor; /* of the kernel */
	struct sysctl wanted[SYSCTL_MAX_WANTED];
	long found[SYSCTL_MAX_WANTED]; /* the value of each */
	size_t n_wanted;
	long ipvs_tcp_timeout, tcp_keepalive_time; /* seconds */
	long rp_filter;				   /* of all interfaces */
	long conntrack_count, conntrack_max;
	int bridge_family;   /* AF_INET, AF_INET6: of pods on a bridge; 0: there are none */
	long bridge_nf_call; /* of that family */
	long run_estimation; /* 0: IPVS estimates no rates */
	size_t n_estimated;  /* virtual and real servers */
	uint32_t external_mark, external_priority; /* of our policy rules; 0: there are none */
	struct link_rule rules[TRAP_MAX_RULES];	   /* of others, the first that disturb ours */
	size_t n_rules;
	enum hook gate_hook;		  /* of table filter, that packets to endpoints pass */
	enum gate gates[2];		  /* of this hook, IPv4 and IPv6 */
	bool ipvs;			  /* balances */
	bool serves[2];			  /* IPv4, IPv6 */
	struct cidr services[2], pods[2]; /* the same; family 0: unknown */
	/* Chains in which none of ours can accept packets: the first that drop those of Services. */
	struct foreign_gate foreign[TRAP_MAX_GATES];
	size_t n_foreign;
};

/*
 * Reads some small files, IPVS's timeouts where `ipvs` is not NULL, what `iptables` knows of the rules
 * of others where that is not NULL, their chains elsewhere, and their policy rules where ours exist,
 * for ports of external addresses (`external`). Without a view (NULL) nothing is known of pods and of
 * our rules.
 */
void traps_read(struct adapter *ipvs, const struct adapter *iptables, const struct node_view *view,
	size_t n_estimated, bool external, struct trap_facts *ret);
/* Calls fn with a sentence for each trap; it begins with the name of its paragraph in the man page.
 */
void traps_judge(
	const struct trap_facts *f, void (*fn)(const char *sentence, void *arg), void *arg);

#endif
