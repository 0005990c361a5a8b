/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_EXPLAIN_PORT_H
#define REPORT_EXPLAIN_PORT_H

#include "core/served_port.h"
#include "report/explain.h"

/* What the parts of an explanation share. */
struct explainer {
	const struct report_input *in;
	const struct explain_query *query;
	struct walk walk;
	const struct slot **slots; /* those with a Service, by name */
	size_t n_slots;
};

/* There is a way to tell pods from others. */
bool explain_tells_pods(const struct node_view *view, int family);
/* A new reference to one of "paths". */
json_t *explain_path(const struct explainer *x, const struct walk_packet *p,
	const struct endpoint_list *endpoints, bool local);
/*
 * Adds to the report's entry of a port what explains it. Of its addresses only those that are asked
 * for stay; returns whether there are any.
 */
bool explain_port(const struct explainer *x, const struct served_ports *served,
	const struct service_port *port, json_t *report);

#endif
