/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_EXPLAIN_H
#define REPORT_EXPLAIN_H

#include <jansson.h>

#include "base/err.h"
#include "core/model.h"
#include "core/walk.h"
#include "report/report.h"

/* Why packets to an address or a Service go where they go: the Explanation of ipvsctl-svc(1). */

struct explain_query {
	char ns[NAME_MAX_LEN + 1], name[NAME_MAX_LEN + 1]; /* name "": by address */
	char port_name[NAME_MAX_LEN + 1];		   /* ""; of a Service */
	struct ip ip;
	uint16_t port; /* 0: every one of the Service */
	uint8_t proto; /* 0: any */
	enum { FROM_ANYWHERE, FROM_SOURCE, FROM_ADDRESS } from;
	enum walk_source source; /* with FROM_SOURCE */
	struct ip from_ip;	 /* with FROM_ADDRESS */
};

/*
 * `what` is IP:PORT[/PROTOCOL], [IPv6]:PORT[/PROTOCOL] or NAMESPACE/NAME[:PORT], the port by number
 * or by name; `from` (may be NULL) is "pod", "node", "outside" or an address. Returns 0, or -EINVAL
 * with words.
 */
int explain_parse(const char *what, const char *from, struct explain_query *ret, struct err *err);

/*
 * A new reference to {"kind": "Explanation", ...}. With in->dry the engine never reads the kernel,
 * and nothing is told of what the kernel holds.
 */
json_t *explain(const struct report_input *in, const struct explain_query *q);

#endif
