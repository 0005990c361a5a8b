/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Reads /proc/sys/<path> and writes it only if it differs. A value that cannot be written is an
 * error only where it is wrong. Returns 1 (changed), 0 (was right), or a negative errno with words.
 */
int sysctl_ensure(const char *path, long value, struct err *err);
/* Returns 0, or a negative errno. */
int sysctl_read(const char *path, long *ret);

/* What an IPVS node needs (ipvsctl-svcd(8), "Kernel settings"); all are tried. Returns 0 or the
 * first failure. */
int sysctl_setup_ipvs(bool strict_arp, bool ipv6, struct err *err);

/* The running kernel's version, e.g. 6.12 as major 6, minor 12. */
void sysctl_kernel_version(unsigned *ret_major, unsigned *ret_minor);

#endif
