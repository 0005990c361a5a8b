/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_OWNERSHIP_H
#define CORE_OWNERSHIP_H

#include <stdbool.h>

#include "core/fact.h"
#include "core/ledger.h"
#include "core/node_view.h"

/* What tells who made a fact. */
struct ownership {
	const struct ledger *ledger;
	const struct node_view *view;
	/* Members of sets that are in the kernel and in no ledger, sorted; see
	 * engine_add_earlier_members(). */
	const struct fact *earlier;
	size_t n_earlier;
};

/*
 * Whether a fact that an audit found, and that nobody wants, was made by us or by the kube-proxy
 * that we replace; everything else is foreign and never touched. All kinds but real servers must be
 * observed before virtual servers are asked about.
 */
bool ownership_is_ours(const struct ownership *o, const struct fact_key *key);

/*
 * The same of a fact that a Service wants. A virtual server of others at its address and port stays
 * theirs. Ours is a member of a set; or it is as it should be, and its address is a cluster IP or a
 * VIP that we, or kube-proxy, have made local; or all sets have been flushed, and its address is such
 * a VIP. The sets
 * of node ports tell no address: another program's virtual server at a port that is a node port of a
 * Service counts as ours on every address of the node.
 */
bool ownership_of_wanted(
	const struct ownership *o, const struct fact *found, const struct fact_val *wanted);

#endif
