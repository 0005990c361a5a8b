/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_BACKEND_H
#define DAEMON_BACKEND_H

#include "base/err.h"
#include "config/config.h"
#include "core/node_view.h"

/*
 * Decides what is programmed on this node: IPVS if it works here, which is found out by doing; else
 * iptables, which netfilter_choose() may change, unless --backend demanded another one. Afterwards
 * view.backend is no more BACKEND_AUTO, and *ret_no_ipvs says why it is not IPVS though it was (else
 * its code is 0). Returns 0, or a negative errno with words that say what to do.
 */
int backend_choose(
	const struct config *c, struct node_view *view, struct err *ret_no_ipvs, struct err *err);

/*
 * Makes the kernel settings that the backend of the view needs for the families of the view, and
 * finds out what the kernel can do for it. Returns 0, or a negative errno with words.
 */
int backend_setup(const struct config *c, struct node_view *view, struct err *err);

/* Refuses a default scheduler that the kernel does not have, and names those that it has. Returns 0,
 * or a negative errno with words. */
int backend_check_scheduler(const struct options *options, struct err *err);

/* Fills in what the configuration says about the node, beside the options: its address, and the
 * ports of the daemon's own servers. */
void backend_view_config(const struct config *c, struct node_view *view);

#endif
