/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/options.h"

/* One kernel setting, as a path below /proc/sys, or an absolute one. */
struct sysctl {
	const char *path;
	int64_t value;
	bool at_least; /* a greater value in the kernel is right as well */
};

enum { SYSCTL_MAX_WANTED = 8, SYSCTL_MAX_CONNTRACK = 7 };

/* Returns 0, or a negative errno: -ENOENT (the kernel has no such setting), -EINVAL (not a number).
 */
int sysctl_read(const char *path, long *ret);

/* Opens the setting's file; returns the descriptor, or a negative errno. */
int sysctl_open(const char *path, int flags);

/*
 * Reads the setting and writes it only if it is wrong, because /proc/sys may be read-only in a
 * container. Returns 1 (changed), 0 (was right), or a negative errno with words.
 */
int sysctl_ensure(const struct sysctl *s, struct err *err);

/* The settings that an IPVS node needs on a kernel of that version (ipvsctl-svc-kernel(7), "Kernel
 * settings"); returns how many. */
size_t sysctl_wanted(unsigned major, unsigned minor, bool strict_arp, bool ipv6,
	struct sysctl ret[static SYSCTL_MAX_WANTED]);

/* The same for the backends iptables and nftables. */
size_t sysctl_wanted_without_ipvs(bool strict_arp, bool ipv6, bool localhost_node_ports,
	struct sysctl ret[static SYSCTL_MAX_WANTED]);

/* Ensures all of them. Returns 0, or the first failure with words; the others are tried as well. */
int sysctl_setup(const struct sysctl *wanted, size_t n, struct err *err);

/* The conntrack settings in the order in which they are to be written; returns how many. */
size_t sysctl_wanted_conntrack(const struct conntrack_settings *c, unsigned cpus,
	struct sysctl ret[static SYSCTL_MAX_CONNTRACK]);

/*
 * Ensures all of them; nf_conntrack must be loaded if there are any. The limits are only ever raised.
 * A limit that cannot be written is told to `warn`, with a remedy, and is no failure if it is not
 * ours to write: nf_conntrack_max outside of the initial network namespace, and the size of the
 * hash table in any case, as /sys is read-only in containers.
 */
int sysctl_setup_conntrack(const struct conntrack_settings *c,
	void (*warn)(const struct err *why, void *arg), void *arg, struct err *err);

/* The running kernel's version, e.g. 6.12 as major 6, minor 12. */
void sysctl_kernel_version(unsigned *ret_major, unsigned *ret_minor);

bool sysctl_kernel_before(unsigned major, unsigned minor, unsigned than_major, unsigned than_minor);

#endif
