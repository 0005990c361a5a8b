/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_NETFILTER_H
#define DAEMON_NETFILTER_H

#include "base/err.h"
#include "config/config.h"
#include "core/node_view.h"
#include "kernel/adapters.h"

/* The interface for sets and rules: ipset with iptables, or nftables. */

/*
 * Finds out which one the backend of the view can use, and the families that work with it, for the
 * view. Where iptables does not work and was not asked for, its backend becomes the one of nftables.
 * Says loudly where `auto` became something else: not IPVS, because of *no_ipvs (code 0: it is), or
 * nftables, because of *ret_no_iptables (its code is 0 otherwise). Where iptables was tried and works,
 * its adapter stays open for adapters_open(). Returns 0, or a negative errno with words.
 */
int netfilter_choose(const struct config *c, struct node_view *view, const struct err *no_ipvs,
	struct adapters *opened, struct err *ret_no_iptables, struct err *err);

/*
 * Removes what an earlier run of ours, or kube-proxy, left by the other interface: for a node whose
 * own rules are in force by then. `other` is of adapters_open_other(). Waits until it is done.
 * Returns 0, or a negative errno after logging what is left.
 */
int netfilter_remove_other(const struct adapters *other, const struct node_view *view);

/* Chains of Services stand in the other interface, of the iptables backend or of kube-proxy's
 * iptables mode. Where it cannot be read there are none. */
bool netfilter_translates(const struct adapters *other);

/*
 * For the iptables backend, whose rules are in force by now, while virtual servers of an earlier run
 * still stand: rules in nftables that keep new connections for them are at no hook any more. A
 * failure is a warning.
 */
void netfilter_give_way(const struct adapters *other, const struct node_view *view);

/* What an earlier run noted by the other interface is noted by ours. A failure is a warning. */
void netfilter_move_notes(const struct adapters *ours, const struct adapters *other);

#endif
