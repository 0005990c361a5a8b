/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_RESOLVE_H
#define CORE_RESOLVE_H

#include "core/fact.h"
#include "core/node_view.h"
#include "core/served_port.h"
#include "core/text.h"

/* From what the sources told to what the kernel should hold: pure functions, no previous result. */

struct fact_list {
	struct fact *facts;
	size_t n, cap;
};

void fact_list_add(struct fact_list *l, struct fact f);
/* Sorts by key; all but the first of equal keys move behind the end, facts[n]. */
void fact_list_finish(struct fact_list *l);
void fact_list_done(struct fact_list *l);

/* Appends the facts of one Service; finish the list afterwards. The rules' text goes to the pool.
 */
void resolve_service(const struct served_ports *served, const struct node_view *view,
	struct text_pool *texts, struct fact_list *ret);

/*
 * Appends the facts of the node that no Service brings: the device, the sets, the chains and the
 * jumps to them. Each chain and jump has a reference to its text in the pool.
 */
void resolve_node(const struct node_view *view, struct text_pool *texts, struct fact_list *ret);

/* A chain of that name is made by resolve_node() or resolve_service(), or was by kube-proxy. */
bool chain_is_ours(enum table table, const char *name);

/* The scheduler that this Service gets: its own if it asked for one that the kernel has. */
const char *resolve_scheduler(const struct service *s, const struct node_view *view);

/* The entry for an address that a port of a Service answers on. Node ports are one entry for all
 * addresses on iptables. */
struct fact_key resolve_frontend_key(
	const struct node_view *view, const struct frontend *fe, uint8_t proto);

#endif
