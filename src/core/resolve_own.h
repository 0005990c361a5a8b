/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_RESOLVE_OWN_H
#define CORE_RESOLVE_OWN_H

#include "core/endpoints.h"
#include "core/fact.h"
#include "core/frontends.h"
#include "core/node_view.h"
#include "core/resolve.h"

/* Between the parts of resolving. */

/* Where the facts of Services come from and go to. */
struct resolver {
	const struct node_view *view;
	struct rule_pool *pool;
	struct fact_list *out;
};

/* What each backend adds for a served port with its frontends. */
void resolve_ipvs_port(const struct resolver *r, const struct served_port *p);
void resolve_iptables_port(const struct resolver *r, const struct served_port *p);

/* The match for packets of pods of this node; MATCH_ANY: pods cannot be told from others. Its text
 * is that of the options. */
struct rule_match resolve_match_pods(const struct node_view *view, int family);

#endif
