/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_OWNERSHIP_H
#define CORE_OWNERSHIP_H

#include <stdbool.h>

#include "core/fact.h"
#include "core/ledger.h"
#include "core/node_view.h"

/*
 * Whether a fact that an audit found, and that nobody wants, was made by us or by the kube-proxy
 * that we replace; everything else is foreign and never touched. Sets must be observed before
 * virtual servers and addresses are asked about, as the order of the kinds has it.
 */
bool ownership_is_ours(
	const struct ledger *l, const struct node_view *view, const struct fact_key *key);

#endif
