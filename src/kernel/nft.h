/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFT_H
#define KERNEL_NFT_H

#include "base/err.h"

/* Finds and deletes tables of nf_tables over netlink: those that kube-proxy left behind. */

#define NFT_KUBE_PROXY "kube-proxy"

/* 1: there is such a table of that family, 0: there is none, or a negative errno with words. A
 * kernel without nf_tables has none. */
int nft_has_table(int family, const char *name, struct err *err);
/* With its chains, rules and sets. Returns 0, also where there is no such table, or a negative
 * errno with words. */
int nft_delete_table(int family, const char *name, struct err *err);

#endif
