/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_EXPLAIN_H
#define REPORT_EXPLAIN_H

#include <jansson.h>

#include "base/err.h"
#include "core/model.h"
#include "core/walk.h"
#include "report/report.h"

/* Where packets to an address or a Service go, and why: the Explanation of ipvsctl-svc-api(7). */

enum explain_from { EXPLAIN_FROM_ANYWHERE, EXPLAIN_FROM_SOURCE, EXPLAIN_FROM_ADDRESS };

struct explain_query {
	char ns[NAME_MAX_LEN + 1], name[NAME_MAX_LEN + 1]; /* name "": by address */
	char port_name[NAME_MAX_LEN + 1];		   /* ""; of a Service */
	struct ip ip;
	uint16_t port; /* 0: all ports of the Service */
	uint8_t proto; /* 0: any */
	enum explain_from from;
	enum packet_source source; /* with EXPLAIN_FROM_SOURCE */
	struct ip from_ip;	   /* with EXPLAIN_FROM_ADDRESS */
};

/*
 * `what` is IP:PORT[/PROTOCOL], [IPv6]:PORT[/PROTOCOL] or NAMESPACE/NAME[:PORT], the port by number
 * or by name; `from` is "pod", "node", "outside", an address, or NULL for anywhere. Returns 0, or
 * -EINVAL with a text.
 */
int explain_parse(const char *what, const char *from, struct explain_query *ret, struct err *err);

/*
 * A new reference to {"kind": "Explanation", ...}. With in->dry it says nothing about the state of
 * the kernel.
 */
json_t *explain(const struct report_input *in, const struct explain_query *q);

#endif
