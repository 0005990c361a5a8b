/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_KERNEL_VIEW_H
#define CLI_KERNEL_VIEW_H

#include <jansson.h>

#include "base/err.h"

/*
 * What the kernel holds, for the time without a daemon: a Status of ipvsctl-svc(1) with "source":
 * "kernel", which knows virtual servers and no Services. Returns 0 with a new reference, -ENOENT
 * (the kernel has no ip_vs), -EPERM, or another errno, each with words.
 */
int kernel_view(json_t **ret, struct err *err);

#endif
