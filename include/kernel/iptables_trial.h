/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_TRIAL_H
#define KERNEL_IPTABLES_TRIAL_H

#include "base/err.h"
#include "core/adapter.h"
#include "core/fact.h"
#include "core/rule_pool.h"

/* Chain of a trial. Nothing leads to it; one that was left is emptied by the next trial. */
#define IPTABLES_TRIAL_CHAIN "IPVSCTL-TRIAL"

/*
 * Whether ipset and iptables, programs and kernel, take these sets and the rules of these chains and
 * jumps. Sets that are missing are created, the rules go into a chain of their own in each table, to
 * which nothing leads, and both are removed at the end. Nothing that is in force changes. Rules are
 * left out if all that they need is in rules that the adapter has read: those were accepted before.
 *
 * Returns a mask of the families of the adapter that work, of the constants below, also where another
 * program holds the lock of iptables, or iptables takes too long: that tells nothing. Else a
 * negative errno with words: -EOPNOTSUPP, with the kind of set, match or target that is refused and
 * its kernel module; -ENOENT (no ip_set); a shortage (base/err.h); another errno.
 */
enum { IPTABLES_IPV4 = 1, IPTABLES_IPV6 = 2 };
int iptables_trial(const struct adapter *iptables, const struct fact *facts, size_t n,
	const struct rule_pool *pool, struct err *err);

#endif
