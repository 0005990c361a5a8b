/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_REPORT_WORDS_H
#define REPORT_REPORT_WORDS_H

#include "base/buf.h"
#include "core/endpoints.h"
#include "report/report.h"

/* Facts and their state, in words and as JSON. */

/*
 * A new reference to {"address", "port", "protocol"} of a virtual server or dispatch entry, or to
 * {"fwmark", "family"}.
 */
json_t *report_vs_json(const struct fact_key *vs);
/* Names a fact for people: "virtual server 10.96.0.10:80/TCP". */
void report_describe(struct buf *b, const struct fact_key *key, const struct report_input *in);
/* "DESCRIPTION: Operation not permitted, for the last 12 s": an operation that the kernel refuses,
 * with the words of the adapter's explain(). */
void report_failure(struct buf *b, const struct fact_key *key, const struct fact_state *state,
	const struct report_input *in);

enum report_fault { FAULT_NONE, FAULT_PENDING, FAULT_FAILING };
/* Whether a fact that a Service claims is in sync; if not, appends why. */
enum report_fault report_fault(struct buf *b, const struct fact_key *key,
	const struct fact_state *state, const struct report_input *in);

/* Why an endpoint is used or not; `left_by_policy`: only the policy Local keeps it out. */
const char *report_endpoint_reason(const struct candidate *ep, bool used, bool left_by_policy);

#endif
