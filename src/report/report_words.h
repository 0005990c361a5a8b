/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_REPORT_WORDS_H
#define REPORT_REPORT_WORDS_H

#include "base/buf.h"
#include "report/report.h"

/*
 * A new reference to {"address", "port", "protocol"} of a virtual server or dispatch entry, or to
 * {"fwmark", "family"}.
 */
json_t *report_vs_json(const struct fact_key *vs);
/* Names a fact for people: "virtual server 10.96.0.10:80/TCP". */
void report_describe(struct buf *b, const struct fact_key *key);
/*
 * What the kernel refuses: "DESCRIPTION: Operation not permitted, for the last 12 s", with what
 * in->explain() has to say about it.
 */
void report_failure(struct buf *b, const struct fact_key *key, const struct fact_state *state,
	const struct report_input *in);

enum report_fault { FAULT_NONE, FAULT_PENDING, FAULT_FAILING };
/* What is wrong with a fact that a Service wants, in words. */
enum report_fault report_fault(struct buf *b, const struct fact_key *key,
	const struct fact_state *state, const struct report_input *in);

#endif
