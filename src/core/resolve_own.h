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
	struct text_pool *texts;
	struct fact_list *out;
};

/* What each backend adds for a served port with its frontends. */
void resolve_ipvs_port(const struct resolver *r, const struct served_port *p);
void resolve_iptables_port(const struct resolver *r, const struct served_port *p);

/* The rules of one chain while they are written, each as iptables-save prints it. */
struct rules {
	const struct node_view *view;
	int family;
	struct buf text;
};

/* Appends " -m comment --comment "..." -m set --match-set NAME DIRS" of one of our sets. */
void rules_match_set(struct rules *r, enum set_id set, const char *dirs, bool comment);
/* "-A HEAD -m set ... -j TARGET", with the comment of the set. */
void rules_set(
	struct rules *r, const char *head, enum set_id set, const char *dirs, const char *target);
/* The same without a comment, as kube-proxy has it for some. */
void rules_bare(
	struct rules *r, const char *head, enum set_id set, const char *dirs, const char *target);
/* Masquerades cluster IP traffic that has to find its way back. */
void rules_cluster_ip(struct rules *r);
/* Appends " ! -s CIDR" or the like: the match for packets of pods of this node, or of all others.
 * False, and nothing: there is no way to tell. */
bool resolve_match_pods(struct buf *b, const struct node_view *p, int family, bool others);
/* "REJECT ...": a target */
const char *rules_refuse(const struct rules *r);
/* Ends a chain: answers ICMP echo to a VIP and refuses everything else that is new there. */
void rules_refuse_vips(struct rules *r, const char *chain);

/* Drops what comes to a Local policy without endpoints here, unless IPVS has it marked; `which`: a
 * match more. */
void rules_drop_no_local(struct rules *r, const char *chain, const char *which);

/* KUBE-FORWARD of both backends */
void rules_filter_forward(struct rules *r);

/* The chains of the iptables backend that are not those of IPVS. */
void iptables_nat_services(struct rules *r);
void iptables_nat_node_port(struct rules *r);
void iptables_nat_source_ranges(struct rules *r);
void iptables_filter_services(struct rules *r);
void iptables_filter_forward(struct rules *r);

#endif
