/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_CONNS_TALLY_H
#define CLI_CONNS_TALLY_H

#include <jansson.h>

#include "base/buf.h"
#include "kernel/connection.h"
#include "show.h"

/*
 * The connections of ipvsctl-svc-conns(1). They come one after another from the kernel, get the name of
 * the Service port that has their VIP, and are either printed at once or added to the totals of
 * their endpoint: memory is in proportion to the endpoints, not to the connections.
 */

struct conns;

/* `status` is the daemon's and must outlive it; NULL: addresses stay without names. */
struct conns *conns_new(const json_t *status);
void conns_free(struct conns *c);

/*
 * Selects. Of the calls of conns_select() one must match: "ADDRESS" or "ADDRESS:PORT" of a client,
 * a VIP or an endpoint, "NAME" or "NAMESPACE/NAME" of a Service. Returns 0, -ENOENT (no such Service,
 * with a text), or -EOPNOTSUPP (a name, but there is no status).
 */
int conns_select(struct conns *c, const char *what, struct err *err);
void conns_select_namespace(struct conns *c, const char *ns);
/* Only what netfilter translates for a Service of the daemon, or without a status for anybody. */
void conns_select_translated(struct conns *c);

/* A connection_fn, with struct conns: adds it to the totals. */
void conns_count(const struct connection *c, void *conns);
/* The Connections of ipvsctl-svc-api(7), a new reference; the busiest endpoint first. */
json_t *conns_totals_json(const struct conns *c);
/* The lines above the table, and the table; show_done() afterwards. */
void conns_totals_head(const json_t *totals, struct buf *out);
void conns_totals_table(const json_t *totals, struct show *ret);

/* Prints the list to a file, beginning with the titles of its columns. */
void conns_list(struct conns *c, FILE *file, bool json, bool headers);
/* A connection_fn, with struct conns: prints it after conns_list(). */
void conns_print(const struct connection *c, void *conns);
/* The end of the list. */
void conns_flush(struct conns *c);

#endif
