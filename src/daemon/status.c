// SPDX-License-Identifier: GPL-2.0-or-later
#include "status.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"
#include "kernel/leftovers.h"
#include "kernel/link.h"
#include "kernel/rule_text.h"
#include "kernel/traps.h"
#include "report/explain.h"
#include "report/report.h"

enum { LEFTOVERS_NAMED = 3 /* the rest is counted */ };

static void find_leftovers(const struct daemon *d, struct leftovers *ret)
{
	struct err err;

	iptables_leftovers(d->adapters.iptables, ret);
	if (leftovers_find_tables(ret, &err))
		log_debug("cannot look for what kube-proxy left", "err=\"%s\"", err.msg);
}

static void print_leftovers(const struct leftovers *l, struct buf *b)
{
	for (size_t i = 0; i < l->n && i < LEFTOVERS_NAMED; i++) {
		buf_adds(b, i ? ", " : "");
		leftover_print(b, &l->v[i]);
	}
	if (l->n > LEFTOVERS_NAMED)
		buf_addf(b, " and %zu more", l->n - LEFTOVERS_NAMED);
}

void status_log_leftovers(const struct daemon *d)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };
	_cleanup_(buf_done) struct buf left = { 0 };

	find_leftovers(d, &l);
	for (size_t i = 0; i < d->left_there.n; i++)
		leftovers_add(&l, &d->left_there.v[i]);
	print_leftovers(&l, &left);
	if (left.len)
		log_warn("kube-proxy left state that is not used here and may catch packets to "
			 "Services first; `ipvsctl-svc cleanup --of kube-proxy` removes it",
			"left=\"%s\"", buf_str(&left));
}

void status_find_mixed(struct daemon *d)
{
	struct buf b = { 0 };

	iptables_print_mixed(d->adapters.iptables, &b);
	if (b.len && !d->mixed)
		log_warn("the other variant of iptables has rules for Services, too, and packets "
			 "pass both; remove these rules with that program",
			"program=\"%s\"", buf_str(&b));
	free(d->mixed);
	d->mixed = b.len ? buf_take(&b) : NULL;
	buf_done(&b);
}

struct warnings {
	char **line;
	size_t n, cap;
};

static void add_warning(const char *sentence, void *arg)
{
	struct warnings *w = arg;

	mem_grow(w->line, w->n, w->cap);
	w->line[w->n++] = mem_strdup(sentence);
}

/* Everything that is wrong now, a sentence each. */
static void collect_warnings(struct daemon *d, struct warnings *w)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };
	struct trap_facts traps;
	const struct ledger *ledger = engine_ledger(d->engine);
	size_t start;

	if (d->no_ipvs.code) {
		buf_addf(&b,
			"IPVS cannot be used, so %s is (load the module and restart, or say "
			"--backend=%s): %s",
			backend_name(d->view.backend), backend_name(d->view.backend),
			d->no_ipvs.msg);
		add_warning(buf_str(&b), w);
	}
	if (d->no_iptables.code) {
		buf_reset(&b);
		buf_addf(&b,
			"ipset and iptables cannot be used, so nftables is (say "
			"--netfilter=nftables if that is meant): %s",
			d->no_iptables.msg);
		add_warning(buf_str(&b), w);
	}
	if (engine_stats(d->engine)->fed && !engine_stats(d->engine)->complete) {
		buf_reset(&b);
		buf_addf(&b,
			"the input is incomplete: %zu objects that an earlier run left in the "
			"kernel stay until every manifest could be read",
			ledger_counts(ledger).kept);
		add_warning(buf_str(&b), w);
	}
	inputs_warn(&d->inputs, add_warning, w);

	traps_read(d->view.backend == BACKEND_IPVS ? d->adapters.ipvs : NULL, d->adapters.iptables,
		&d->view,
		ledger_counts_of(ledger, FACT_VS)->present +
			ledger_counts_of(ledger, FACT_RS)->present,
		ledger_counts_of(ledger, FACT_POLICY_RULE)->wanted, &traps);
	traps_judge(&traps, add_warning, w);
	if (d->reservation.ports.n_lacking) {
		buf_reset(&b);
		buf_addf(&b,
			"source-ports: ports at which this node serves Services (%zu of them) are "
			"in net.ipv4.ip_local_port_range and cannot be reserved, so connections of "
			"the node from such a port get no answer: %s",
			d->reservation.ports.n_lacking, d->reservation.failure.msg);
		add_warning(buf_str(&b), w);
	}

	buf_reset(&b);
	buf_adds(&b, "kube-proxy left ");
	start = b.len;
	find_leftovers(d, &l);
	print_leftovers(&l, &b);
	if (b.len > start) {
		buf_adds(&b, ": see ipvsctl-svc cleanup");
		add_warning(buf_str(&b), w);
	}
	if (d->mixed) {
		buf_reset(&b);
		buf_addf(&b,
			"%s: the other variant of iptables has rules for Services, too, and "
			"packets pass both",
			d->mixed);
		add_warning(buf_str(&b), w);
	}
}

static int status_conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *arg, void *conns_arg)
{
	struct daemon *d = conns_arg;
	struct err err;

	return ipvs_conns(d->adapters.ipvs, vs, fn, arg, &err);
}

/* Nothing where the kernel does not tell. */
static void status_print_route(struct buf *b, const struct ip *dst)
{
	link_route_get(dst, b, NULL);
}

static struct report_input report_input(struct daemon *d)
{
	return (struct report_input){
		.store = &d->store,
		.engine = d->engine,
		.view = &d->view,
		.backend = backend_name(d->view.backend),
		.kernel = d->kernel,
		.input = d->inputs.kube ? "apiserver" : "manifests",
		.now = clock_ms(),
		.last_sync_us = d->observe.last_sync_us,
		.conns = d->view.backend == BACKEND_IPVS ? status_conns : NULL,
		.conns_arg = d,
		.print_route = status_print_route,
		.print_chain = rule_text_print_chain,
		.print_rule = rule_text_print,
	};
}

/* A status under way: it is written in pieces, between other work. */
struct status_answer {
	struct daemon *d;
	struct report *report;
	struct warnings warnings;
	bool endpoints;
};

static void *status_begin(bool endpoints, void *arg)
{
	struct status_answer *s = new0(struct status_answer);
	struct report_input in = report_input(arg);

	s->d = arg;
	s->endpoints = endpoints;
	collect_warnings(s->d, &s->warnings);
	s->report = report_begin(&in);
	return s;
}

static bool status_next(void *arg, struct buf *out)
{
	struct status_answer *s = arg;
	struct report_input in = report_input(s->d);

	in.warnings = (const char *const *)s->warnings.line;
	in.n_warnings = s->warnings.n;
	in.no_endpoints = !s->endpoints;
	return report_next(s->report, &in, out);
}

static void status_end(void *arg)
{
	struct status_answer *s = arg;

	for (size_t i = 0; i < s->warnings.n; i++)
		free(s->warnings.line[i]);
	free(s->warnings.line);
	report_free(s->report);
	free(s);
}

static json_t *status_explain(const char *what, const char *from, struct err *err, void *arg)
{
	struct report_input in = report_input(arg);
	struct explain_query q;

	return explain_parse(what, from, &q, err) < 0 ? NULL : explain(&in, &q);
}

static json_t *status_override(const struct server_override *ask, struct err *err, void *arg)
{
	return overriding_ask(&((struct daemon *)arg)->overriding, ask, err);
}

int status_serve(struct daemon *d, struct err *err)
{
	struct server_config config = {
		.socket_path = d->config->status_socket,
		.status_begin = status_begin,
		.status_next = status_next,
		.status_end = status_end,
		.explain = status_explain,
		.override = status_override,
		.arg = d,
		.pool = d->pool,
	};

	return *config.socket_path ? server_new(d->base, &config, &d->server, err) : 0;
}
