// SPDX-License-Identifier: GPL-2.0-or-later
#include "reservation.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { RATE_MS = 1000 /* the virtual servers are walked */ };

void reservation_init(struct reservation *r, struct engine *e, const struct node_view *view,
	struct adapter *notes)
{
	*r = (struct reservation){ .engine = e, .view = view, .ports = { .adapter = notes } };
}

struct reservation_search {
	const struct node_view *view;
	struct port_set found;
};

static void find_own_port(const struct fact_key *vs, const struct fact_state *state, void *arg)
{
	struct reservation_search *s = arg;
	const struct ip ip = fact_ip(vs);

	if (vs->proto && (state->wanted || (state->present && !state->foreign)) &&
		node_view_is_local(s->view, &ip))
		port_set_add(&s->found, vs->port);
}

uint64_t reservation_step(struct reservation *r, uint64_t now)
{
	const struct engine_stats *stats = engine_stats(r->engine);
	const uint64_t changes = stats->ops[FACT_VS][OP_ADD] + stats->ops[FACT_VS][OP_DEL];
	struct reservation_search s = { .view = r->view };
	struct err err = { 0 };

	if (!stats->synced || (r->begun && changes == r->changes && stats->last_audit == r->audit))
		return UINT64_MAX;
	if (now < r->next)
		return r->next;
	r->begun = true;
	r->changes = changes;
	r->audit = stats->last_audit;
	r->next = now + RATE_MS;
	if (r->view->backend == BACKEND_IPVS)
		ledger_each(engine_ledger(r->engine), FACT_VS, find_own_port, &s);
	if (reserved_ports_sync(&r->ports, &s.found, &err) < 0 &&
		strcmp(err.msg, r->failure.msg) != 0)
		log_warn("cannot reserve ports of Services that the kernel may choose as source "
			 "ports: connections of the node from such a port get no answer; reserve "
			 "them on the host",
			"ports=%zu err=\"%s\"", r->ports.n_lacking, err.msg);
	r->failure = err;
	return UINT64_MAX;
}

int reservation_release(struct reservation *r)
{
	static const struct port_set none;
	struct err err;
	/* Without sets there is no note of what is ours. */
	int e = r->ports.adapter ? reserved_ports_sync(&r->ports, &none, &err) : 0;

	if (e < 0)
		log_error("cannot give back reserved source ports", "err=\"%s\"", err.msg);
	return e;
}
