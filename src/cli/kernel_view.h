/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_KERNEL_VIEW_H
#define CLI_KERNEL_VIEW_H

#include <jansson.h>

#include "base/err.h"

/*
 * A Status of ipvsctl-svc-api(7) from the kernel alone, for when no daemon runs: "source" is "kernel",
 * and it has virtual servers but no Services. Returns 0 with a new reference, -ENOENT (the kernel
 * has no ip_vs), -EPERM, or another errno, each with a text.
 */
int kernel_view(json_t **ret, struct err *err);

#endif
