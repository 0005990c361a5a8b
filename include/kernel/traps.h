/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_TRAPS_H
#define KERNEL_TRAPS_H

#include <stddef.h>

#include "core/adapter.h"
#include "core/node_view.h"
#include "kernel/sysctl.h"

/*
 * Settings of the node with which IPVS fails in ways that are hard to find; see "Traps" in
 * ipvsctl-svc(1). Reading and judging are apart, so that the judgement can be tested.
 */

enum { TRAP_UNKNOWN = -1 };

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
};

/* Reads some small files, and IPVS's timeouts where `ipvs` is not NULL. Without a view (NULL)
 * nothing is known of pods. */
void traps_read(struct adapter *ipvs, const struct node_view *view, size_t n_estimated,
	struct trap_facts *ret);
/* Calls fn with a sentence for each trap; it begins with the name of its paragraph in the man page.
 */
void traps_judge(
	const struct trap_facts *f, void (*fn)(const char *sentence, void *arg), void *arg);

#endif
