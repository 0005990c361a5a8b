/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_PLAN_NFTABLES_H
#define REPORT_PLAN_NFTABLES_H

#include "report/plan.h"

/* A new reference to the desired objects of nftables: {"ip": {"table", "sets", "baseChains",
 * "chains"}, "ip6": ...}, a member for each family that is served. */
json_t *plan_nftables(const struct plan *p);
/* The same for people. */
void plan_print_nftables(const json_t *nftables, struct buf *out);

#endif
