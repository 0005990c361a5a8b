/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_OWNERSHIP_H
#define CORE_OWNERSHIP_H

#include <stdbool.h>

#include "core/fact.h"
#include "core/ledger.h"
#include "core/node_view.h"

/*
 * Whether a fact that an audit found, and that nobody wants, was made by us or by the kube-proxy
 * that we replace; everything else is foreign and never touched. All other kinds must be observed
 * before virtual servers are asked about.
 */
bool ownership_is_ours(
	const struct ledger *l, const struct node_view *view, const struct fact_key *key);

/*
 * The same of a fact that a Service wants. A virtual server of others at its address and port stays
 * theirs: ours is a member of a set or, where all sets have been flushed, its address is a VIP that
 * we, or kube-proxy, have made local.
 */
bool ownership_of_wanted(
	const struct ledger *l, const struct node_view *view, const struct fact_key *key);

#endif
