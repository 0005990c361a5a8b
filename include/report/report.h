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

/* The state of the daemon and of all Services: the JSON of ipvsctl-svc-api(7), "Status". */

/* At most so many failures that belong to no Service are listed. */
enum { REPORT_MAX_FAILURES = 100 };
/* At most so many frontends of an earlier run are listed. */
enum { REPORT_MAX_UNKNOWN = 1000 };

struct report_input {
	const struct store *store;
	struct engine *engine;
	const struct node_view *view;
	const char *backend; /* "ipvs" */
	const char *kernel;  /* "6.1.0-56-amd64" */
	const char *input;   /* "manifests" or "apiserver" */
	bool no_endpoints;   /* "endpoints" of ports are left out; they are counted */
	bool dry;	     /* the engine never reads the kernel: its state is unknown */
	uint64_t now;	     /* ms of the engine's clock */
	/* The time that the last change took from the input to the kernel, in us; 0: unknown. */
	uint64_t last_sync_us;
	/* Problems of the inputs and warnings about the node, a sentence each; may be NULL. */
	const char *const *warnings;
	size_t n_warnings;
	/*
	 * Calls fn with the connections of each real server of a virtual server: ipvs_conns().
	 * Returns 0, or a negative errno; NULL: connections are not counted.
	 */
	int (*conns)(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
		void *arg, void *conns_arg);
	void *conns_arg;
	/* For explain() only: appends where packets to the address go, "via 10.0.0.1 dev eth0".
	 * NULL: it is unknown. */
	void (*print_route)(struct buf *b, const struct ip *dst);
	/* Appends the name of a chain as the node's interface of netfilter has it:
	 * rule_text_print_chain(). */
	void (*print_chain)(
		struct buf *b, const struct node_view *view, enum table table, const char *chain);
	/* Appends a rule with the chain that it stands in: rule_text_print(). For explain() only. */
	void (*print_rule)(struct buf *b, const struct node_view *view, int family,
		enum table table, const char *chain, const struct rule *rule);
};

/*
 * {"apiVersion": "ipvsctl.io/v1", "kind": "Status", ...}, in pieces of some Services each, so that
 * many Services do not keep the loop for a second. Between two pieces anything may change: each
 * Service is reported as it is then, a deleted one is left out, and so is a new one.
 */
enum { REPORT_PIECE = 50 /* Services */ };

struct report;
struct report *report_begin(const struct report_input *in);
/* Appends the next piece; false: it was the last. */
bool report_next(struct report *r, const struct report_input *in, struct buf *out);
void report_free(struct report *r);

#endif
