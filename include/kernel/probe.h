/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_PROBE_H
#define KERNEL_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/options.h"

/*
 * Which of the things that the daemon needs this kernel has, found out by doing, in a scratch
 * network namespace. Making one takes CAP_SYS_ADMIN; without it, the trials are made in our own
 * namespace with a virtual server for a firewall mark that no packet has, and taken back at once.
 */

/*
 * CAP_NET_ADMIN, and CAP_NET_RAW, which iptables needs for rules that refer to sets; where we are
 * not root, also that the programs that we run inherit them. Returns 0, or -EPERM with words that
 * begin with the capability which is missing.
 */
int probe_capabilities(struct err *err);

/*
 * Makes a virtual server and a real server and removes them again, modules loaded as needed.
 * Returns 0, -ENOENT (no ip_vs) or another errno, with the reason in words.
 */
int probe_ipvs(struct err *err);

/* Whether this kernel has that scheduler (it loads the module): 1, 0, or a negative errno with
 * words. */
int probe_scheduler(const char *scheduler, struct err *err);

/*
 * Which of policy_known_schedulers this kernel has; bit i for the i-th. Loads all of their modules,
 * so it is for telling somebody who asked for one that is not there. Returns 0, or a negative errno
 * with words.
 */
int probe_schedulers(unsigned *ret_mask, struct err *err);

/* Whether a family can be served: iptables works for it, and IPv6 is not disabled. */
bool probe_family(int family);

#endif
