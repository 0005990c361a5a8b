/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_PROBE_H
#define KERNEL_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/adapter.h"
#include "core/options.h"
#include "core/rule_pool.h"

/*
 * Tries what the daemon needs of this kernel, in a scratch network namespace. Creating one takes
 * CAP_SYS_ADMIN; without it, the trials take place in our own namespace, with a virtual server for
 * a firewall mark that no packet has, and are undone at once. A trial that is killed in between
 * leaves it: probe_clean() deletes it, and another trial is not disturbed by it. What a trial of
 * iptables leaves is in kernel/iptables_trial.h.
 */

/*
 * CAP_NET_ADMIN, and CAP_NET_RAW, which iptables needs for rules that refer to sets; where we are
 * not root, also whether the programs that we run inherit them. Returns 0, or -EPERM with words
 * that begin with the missing capability.
 */
int probe_capabilities(struct err *err);

/*
 * Loads ip_vs, creates a virtual server with that scheduler and a real server, and deletes them.
 * Returns 0, -ENOENT (no ip_vs), -EPROTONOSUPPORT (no such scheduler) or another errno, with the
 * reason and the package that has the module in words.
 */
int probe_ipvs(const char *scheduler, struct err *err);

/* The same trial in the namespace of the adapter. */
int probe_servers(struct adapter *ipvs, const char *scheduler, struct err *err);
/*
 * Deletes the virtual servers of trials that were killed, in the namespace of the adapter. One with
 * a real server that is none of a trial is somebody else's and stays. Returns 0, or a negative errno
 * with words.
 */
int probe_clean(struct adapter *ipvs, struct err *err);

/* Whether this kernel has that scheduler (it loads the module): 1, 0, or a negative errno with
 * words. */
int probe_scheduler(const char *scheduler, struct err *err);

/*
 * The known_schedulers that this kernel has; bit i for the i-th. It loads all of their modules, so
 * it is only for the error about a scheduler that does not exist. Returns 0, or a negative errno
 * with words.
 */
int probe_schedulers(unsigned *ret_mask, struct err *err);

/* Whether a family can be served with that interface: iptables works for it, and IPv6 is not
 * disabled. Returns 1, 0, or a shortage (base/err.h) with words. */
int probe_family(enum netfilter netfilter, int family, struct err *err);
/* Whether the programs of iptables work for that family. Returns 0, or a negative errno with words:
 * -ENOENT (no program that can be used), a shortage (base/err.h), or another errno: it fails. */
int probe_iptables(int family, struct err *err);
/* As iptables_trial() (kernel/iptables_trial.h). */
int probe_iptables_rules(const struct adapter *iptables, const struct fact *facts, size_t n,
	const struct rule_pool *pool, struct err *err);
/* Both families. Returns 0, or a shortage with words. */
int probe_families(enum netfilter netfilter, bool *ret_ipv4, bool *ret_ipv6, struct err *err);

#endif
