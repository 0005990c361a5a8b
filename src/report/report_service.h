/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_REPORT_SERVICE_H
#define REPORT_REPORT_SERVICE_H

#include "core/served_port.h"
#include "report/report.h"

/* The reason of the state Unknown. */
#define REPORT_INCOMPLETE "input incomplete"

/* One Service of the report: its addresses, its endpoints, and whether the kernel is in sync. */

/* The n slots that have a Service, by name; freed by the caller. */
const struct slot **report_slots(const struct store *store, size_t *ret_n);

struct report_sums {
	size_t ports, endpoints; /* of the Services that are proxied */
};

/*
 * Appends one member of "services"; the slot has a Service. Fills `served` with its
 * served ports (served_ports_select()), and adds to *sums. "ports" has every port of the Service in
 * its order, and none if the Service is not proxied; the "addresses" of a port are the frontends
 * of its served ports and, after those of a family, the refused ones.
 */
void report_service(const struct report_input *in, const struct slot *slot,
	struct served_ports *served, struct report_sums *sums, struct buf *out);

/* The name of the Service that has this frontend, which is refused to another; NULL: none. */
const char *report_holder(const struct report_input *in, const struct frontend *fe, uint8_t proto);

#endif
