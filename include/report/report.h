/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/engine.h"
#include "core/node_view.h"
#include "core/store.h"

/* What the daemon knows, as the JSON of ipvsctl-svc(1), "Status". */

/* Of the failures that belong to no Service, so many are told one by one. */
enum { REPORT_MAX_FAILURES = 100 };

struct report_input {
	const struct store *store;
	struct engine *engine;
	const struct node_view *view;
	const char *backend; /* "ipvs" */
	const char *kernel;  /* "6.1.0-56-amd64" */
	const char *input;   /* "manifests" or "apiserver" */
	bool dry;	     /* the engine never reads the kernel: nothing is told of it */
	uint64_t now;	     /* ms of the engine's clock */
	/* How long the last change took from the input to the kernel, microseconds; 0: unknown. */
	uint64_t last_sync_us;
	/* Problems of the inputs and warnings about the node, each one sentence; may be NULL. */
	const char *const *warnings;
	size_t n_warnings;
	/* Counts connections of one virtual server's real servers: ipvs_conns(); may be NULL. */
	int (*conns)(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
		void *arg, void *conns_arg);
	void *conns_arg;
	/* Prints rules for people: iptables_print_rule(). For explain() only. */
	void (*print_rule)(struct buf *b, int family, const char *chain, const struct rule *rule);
};

/*
 * {"apiVersion": "ipvsctl.io/v1", "kind": "Status", ...}, in pieces of some Services each: making
 * the whole at once would keep the loop for a second where there are many. Between two pieces
 * anything may change: each Service is told as it is then, in its place; one that is new is told
 * the next time.
 */
enum { REPORT_PIECE = 50 /* Services */ };

struct report;
struct report *report_begin(const struct report_input *in);
/* Appends the next piece; false: it was the last. */
bool report_next(struct report *r, const struct report_input *in, struct buf *out);
void report_free(struct report *r);

#endif
