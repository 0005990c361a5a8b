/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_PACKAGE_H
#define KERNEL_PACKAGE_H

#include <sys/utsname.h>

#include "base/err.h"

/* The packages of distributions that bring what the daemon misses. */

enum { PACKAGE_NAME_SIZE = 128 };

/*
 * The package with the modules that are not in the kernel's own one: "kernel-modules-extra". It is the
 * kernel that tells, because the daemon may run in an image of another distribution. "": there is
 * none, or it is unknown.
 */
const char *package_of_modules(const struct utsname *kernel, char s[static PACKAGE_NAME_SIZE]);
/* The package with iptables; `os_release` is the text of /etc/os-release. */
const char *package_of_iptables(const char *os_release);

/* Adds to a reason that the kernel lacks something which package of this machine brings it. */
void package_suggest_modules(struct err *err);
/* Adds to a reason that iptables is missing which package of this machine brings it. */
void package_suggest_iptables(struct err *err);

#endif
