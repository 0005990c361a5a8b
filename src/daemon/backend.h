/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_BACKEND_H
#define DAEMON_BACKEND_H

#include "base/err.h"
#include "config/config.h"

/*
 * Decides what is programmed on this node: IPVS if it works here, which is found out by doing; else
 * iptables, unless --backend=ipvs demanded IPVS. Afterwards config.policy.backend is one of the
 * two, and config.no_ipvs says why it is not IPVS where nobody asked for iptables. Makes the kernel
 * settings that it needs. Returns 0, or a negative errno with words that say what to do.
 */
int backend_choose(struct config *c, struct err *err);

#endif
