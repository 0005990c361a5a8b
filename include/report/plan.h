/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_PLAN_H
#define REPORT_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "core/engine.h"
#include "core/resolve.h"

/*
 * What the kernel should hold according to the manifests, and how it differs: the engine without
 * the right to write.
 */

/* One fact that differs; the operation is what would make it true. */
struct difference {
	enum op_type type;
	struct fact fact; /* as wanted; of OP_DEL as it is */
	struct fact have; /* of OP_SET as it is */
};

/* A virtual server that a Service asks for while an older Service has it. */
struct conflict {
	struct fact_key vs;
	const struct slot *slot;
};

struct plan {
	/* iptables_print_rule(): set by the caller before plan_text() or plan_json(). */
	void (*print_rule)(struct buf *b, int family, const struct rule *rule);
	const struct node_view *view;
	struct engine *engine;
	struct slot **slots; /* those with a Service, by name */
	size_t n_slots;
	struct fact_list facts;	    /* wanted, sorted */
	struct conflict *conflicts; /* by Service */
	size_t n_conflicts, cap_conflicts;
	bool compared; /* the kernel was read: differences count */
	struct difference *differences;
	size_t n_differences, cap_differences;
};

/*
 * Resolves what is in the store, which is also the engine's, and with `compare` reads the kernel
 * through the engine's adapters. The arguments outlive the plan. Returns 0, or -EIO if the kernel
 * could not be read, about which the engine's on_audit has the words: the plan is then complete but
 * for the differences.
 */
int plan_make(struct plan *p, struct engine *engine, const struct store *store,
	const struct node_view *view, bool compare);
void plan_done(struct plan *p);

/* The wanted facts of one kind, sorted. */
const struct fact *plan_facts(const struct plan *p, enum fact_kind kind, size_t *ret_n);
/* How many of the n real servers, which begin with those of this virtual server, are its own. */
size_t plan_real_servers(const struct fact_key *vs, const struct fact *rs, size_t n);

/* The port of a Service that this virtual server is for: "namespace/name", or
 * "namespace/name:port" if it has a name. */
void plan_service_port(
	const struct plan *p, const struct slot *slot, const struct fact_key *vs, struct buf *out);
/* The same of the Service that has the virtual server. */
void plan_service(const struct plan *p, const struct fact_key *vs, struct buf *out);

/*
 * Calls fn for each rule of a chain or jump, in order and without "-A CHAIN ".
 */
void plan_each_rule(const struct plan *p, const struct fact *f,
	void (*fn)(const char *rule, size_t len, void *arg), void *arg);

/* What the kernel has instead of a wanted fact, without the key: "rr persistence=10", or "none". */
void plan_print_have(const struct difference *d, struct buf *out);

json_t *plan_json(const struct plan *p);
void plan_text(const struct plan *p, struct buf *out);

#endif
