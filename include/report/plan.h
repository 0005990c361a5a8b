/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_PLAN_H
#define REPORT_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "core/engine.h"
#include "core/resolve.h"

/*
 * The desired state of a node's kernel, and its differences to the observed state: an engine that
 * may read the kernel and never writes.
 */

/* One fact that differs; the operation would bring it in sync. */
struct difference {
	enum op_type type;
	struct fact fact; /* as desired; of OP_DEL as observed */
	struct fact have; /* of OP_SET as observed */
};

/* How objects of nftables are named and printed: kernel/nftables_text.h. */
struct plan_nftables_words {
	const char *table;
	void (*print_rule)(struct buf *b, int family, enum table table, uint32_t mark_mask,
		const struct rule *rule);
	void (*print_chain)(struct buf *b, enum table table, const char *chain);
	void (*print_set_type)(struct buf *b, const struct fact_key *set);
	void (*print_element)(struct buf *b, const struct fact *member);
	bool (*base_chain)(enum table table, enum hook hook, const char **ret_type,
		const char **ret_hook, int *ret_priority);
};

struct plan {
	/*
	 * Appends a rule, with the chain that it stands in unless that is NULL:
	 * iptables_print_rule(). Set by the caller before plan_text() or plan_json().
	 */
	void (*print_rule)(struct buf *b, int family, const char *chain, const struct rule *rule);
	/* By the caller as well, where the view's interface for sets and rules is nftables. */
	const struct plan_nftables_words *nftables;
	const struct node_view *view;
	struct engine *engine;
	const struct slot **slots; /* those with a Service, by name */
	size_t n_slots;
	struct fact_list facts; /* desired, sorted */
	bool compared;		/* the kernel was read: `differences` is complete */
	struct difference *differences;
	size_t n_differences, cap_differences;
};

/*
 * Resolves all Services of the store, which is also the engine's. `compare`: the engine has
 * adapters, through which it reads the kernel. The arguments outlive the plan. Returns 0, or -EIO
 * if the kernel could not be read; the engine's on_audit gets the reason, and the plan lacks only
 * the differences. plan_done() in both cases.
 */
int plan_make(struct plan *p, struct engine *engine, const struct store *store,
	const struct node_view *view, bool compare);
void plan_done(struct plan *p);

/* A new reference to the JSON of ipvsctl-svc-api(7), "Plan JSON". */
json_t *plan_json(const struct plan *p);
/* The same for people; virtual servers look as `ipvsadm -Ln` prints them. */
void plan_text(const struct plan *p, struct buf *out);

#endif
