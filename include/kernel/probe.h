/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_PROBE_H
#define KERNEL_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/policy.h"

/* Which of the things that the daemon needs this kernel has, found out by doing, in a scratch
 * network namespace. */

/* Returns 0, or -EPERM with a first line that names the capability which is missing. */
int probe_capabilities(struct err *err);

/*
 * Makes a virtual server and a real server and removes them again, modules loaded as needed.
 * Returns 0, -ENOENT (no ip_vs) or another errno, with the reason in words. Runs in a child
 * process: the caller's namespace is not touched.
 */
int probe_ipvs(struct err *err);

/*
 * Which of policy_known_schedulers this kernel has; bit i for the i-th. With `extra` other than
 * NULL, *ret_extra says whether it has that one too. Returns 0, or a negative errno with words.
 */
int probe_schedulers(const char *extra, unsigned *ret_mask, bool *ret_extra, struct err *err);

/* Whether a family can be served: iptables works for it, and IPv6 is not disabled. */
bool probe_family(int family);

#endif
