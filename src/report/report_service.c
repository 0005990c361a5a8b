// SPDX-License-Identifier: GPL-2.0-or-later
#include "report_service.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/limits.h"
#include "core/publication.h"
#include "core/resolve.h"
#include "core/service_chain.h"
#include "json_text.h"
#include "report_words.h"

static int slot_compare_names(const void *a, const void *b)
{
	const struct slot *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

const struct slot **report_slots(const struct store *store, size_t *ret_n)
{
	const struct slot **slots = mem_zalloc(store->n_services, sizeof(void *));
	size_t n = 0;

	map_for_each_entry(const struct slot, slot, &store->slots, by_name) {
		if (slot->service)
			slots[n++] = slot;
	}
	if (n)
		qsort(slots, n, sizeof(void *), slot_compare_names);
	*ret_n = n;
	return slots;
}

const char *report_holder(const struct report_input *in, const struct frontend *fe, uint8_t proto)
{
	const struct publication *holder = fe->refusal == REFUSAL_HELD
		? publication_holder(engine_ledger(in->engine), in->view, fe, proto)
		: NULL;

	return holder ? holder->slot->name : NULL;
}

/* The state of a port or a Service */

/* From the best to the worst. */
enum service_state {
	STATE_OK,
	STATE_NOT_PROXIED,
	STATE_DRAINING,
	STATE_NO_ENDPOINTS,
	STATE_DEGRADED,
	STATE_UNKNOWN,
	STATE_PENDING,
	STATE_CONFLICT,
	STATE_REFUSED,
	STATE_FAILING
};

static const char *const state_names[] = {
	[STATE_OK] = "OK",
	[STATE_NOT_PROXIED] = "NotProxied",
	[STATE_DRAINING] = "Draining",
	[STATE_NO_ENDPOINTS] = "NoEndpoints",
	[STATE_DEGRADED] = "Degraded",
	[STATE_UNKNOWN] = "Unknown",
	[STATE_PENDING] = "Pending",
	[STATE_CONFLICT] = "Conflict",
	[STATE_REFUSED] = "Refused",
	[STATE_FAILING] = "Failing",
};

/* The worst state so far, with the first reason for it. */
struct service_verdict {
	enum service_state state;
	struct buf reason;
};

static void verdict_done(struct service_verdict *v)
{
	buf_done(&v->reason);
}

static void verdict_raise(struct service_verdict *v, enum service_state state, const char *reason)
{
	if (state <= v->state)
		return;
	v->state = state;
	buf_reset(&v->reason);
	buf_adds(&v->reason, reason);
}

/* Raises the verdict if a fact that the Service claims is not in sync. Returns whether the kernel
 * has it. */
static bool judge_fact(
	const struct report_input *in, const struct fact_key *key, struct service_verdict *v)
{
	_cleanup_(buf_done) struct buf words = { 0 };
	struct fact_state state = { 0 };
	enum report_fault fault;

	if (in->dry)
		return false;
	ledger_state(engine_ledger(in->engine), key, &state);
	fault = report_fault(&words, key, &state, in);
	if (fault != FAULT_NONE)
		verdict_raise(
			v, fault == FAULT_FAILING ? STATE_FAILING : STATE_PENDING, buf_str(&words));
	return state.present;
}

/* One port of a Service */

/* One endpoint, summed over the virtual servers of its port. */
struct endpoint_tally {
	bool used;
	unsigned wanted, present; /* in so many virtual servers */
	uint64_t active, inactive;
};

struct port_report {
	const struct report_input *in;
	/* In the family at hand; the rest is of both families. */
	const struct served_port *served;
	struct endpoint_tally *tallies; /* beside its endpoints */

	struct service_verdict verdict;
	struct buf addresses, endpoints, fwmarks; /* JSON: the members of arrays */
	size_t ready, total;
	size_t draining; /* endpoints, in the virtual server that has most of them */
	uint64_t active;
	bool counted; /* the connections are known */
	bool beyond;  /* see struct served_port */
};

/* The connections of one virtual server. */
struct conns_count {
	struct port_report *r;
	bool local_policy; /* its real servers are of that policy's list */
	size_t draining;   /* endpoints */
};

static void count_server_conns(const struct rs_conns *c, void *arg)
{
	struct conns_count *count = arg;
	struct port_report *r = count->r;
	const struct endpoint_list *l = &r->served->endpoints;
	const struct ip ip = fact_ip2(&c->key);
	const struct candidate *ep = endpoints_find(l, &ip, c->key.port2);
	struct fact_state state;

	r->active += c->active;
	/* An endpoint in use does not drain: its Service outranks whoever waits for connections. */
	if (!(ep && candidate_is_in(ep, count->local_policy)) &&
		ledger_state(engine_ledger(r->in->engine), &c->key, &state) && state.claimant &&
		state.claimant->born == CLAIMANT_LAST)
		count->draining++;
	if (ep) {
		r->tallies[ep - l->eps].active += c->active;
		r->tallies[ep - l->eps].inactive += c->inactive;
	}
}

static void report_conns(struct port_report *r, const struct fact_key *vs, bool local_policy)
{
	const struct report_input *in = r->in;
	struct conns_count count = { .r = r, .local_policy = local_policy };

	if (in->conns && in->conns(vs, count_server_conns, &count, in->conns_arg) < 0)
		r->counted = false;
	if (count.draining > r->draining)
		r->draining = count.draining;
}

/* Judges what leads from the virtual server to its endpoint. Returns whether all of it is there. */
static bool judge_real_server(struct port_report *r, const struct fact_key *vs,
	const struct candidate *ep, struct service_verdict *v)
{
	const struct served_port *p = r->served;
	char hash[SERVICE_HASH_LEN], chain[CHAIN_NAME_LEN + 1];
	struct fact f;

	if (r->in->view->backend == BACKEND_IPTABLES) {
		service_chain_hash(p->service, p->port, &ep->ip, ep->port, hash);
		service_chain_name(SERVICE_CHAIN_SEP, hash, chain);
		f = fact_chain(ep->ip.family, TABLE_NAT, chain, 0);
	} else {
		f = fact_rs(vs, &ep->ip, ep->port, ep->weight);
	}
	return judge_fact(r->in, &f.key, v);
}

/* The same on nftables, of `n` slots from `first` on. */
static bool judge_slots(struct port_report *r, const struct fact_key *vs, bool local_policy,
	uint16_t first, uint16_t n, struct service_verdict *v)
{
	const enum set_id set = local_policy ? SET_ENDPOINTS_LOCAL : SET_ENDPOINTS;
	const struct ip vip = fact_ip(vs), unknown = { 0 };
	bool present = true;

	for (uint16_t k = 0; k < n; k++) {
		const struct fact f = fact_slot(
			set, &vip, vs->port, vs->proto, (uint16_t)(first + k), &unknown, 0);

		present = judge_fact(r->in, &f.key, v) && present;
	}
	return present;
}

/* The endpoints of one virtual server. */
static void report_real_servers(struct port_report *r, const struct fact_key *vs, bool local_policy,
	struct service_verdict *v)
{
	const bool nftables = r->in->view->backend == BACKEND_NFTABLES;
	const struct endpoint_list *l = &r->served->endpoints;
	_cleanup_free_ uint16_t *slots = mem_zalloc(nftables ? l->n : 0, sizeof(*slots));
	uint16_t slot = 0;

	if (nftables)
		spread_share(l, local_policy, slots);
	for (size_t i = 0; i < l->n; i++) {
		const struct candidate *ep = &l->eps[i];
		struct endpoint_tally *t = &r->tallies[i];

		if (!candidate_is_in(ep, local_policy))
			continue;
		t->used = true;
		/* Without IPVS nothing leads to an endpoint of weight 0. */
		if (!ep->weight && node_view_translates(r->in->view))
			continue;
		t->wanted++;
		t->present += nftables ? judge_slots(r, vs, local_policy, slot, slots[i], v)
				       : judge_real_server(r, vs, ep, v);
		slot = (uint16_t)(slot + (nftables ? slots[i] : 0));
	}
}

/* On nftables: an entry that leads to a spread, if it is wanted, and the spread's chain. */
static bool judge_entry(
	struct port_report *r, const struct fact_key *entry, struct service_verdict *v)
{
	struct fact_state state = { 0 };
	struct fact chain, leads;
	char name[CHAIN_NAME_LEN + 1];
	bool present;

	ledger_state(engine_ledger(r->in->engine), entry, &state);
	if (!state.wanted)
		return true;
	present = judge_fact(r->in, entry, v);
	if (!state.want.spread.slots)
		return present;
	chain = fact_chain(
		entry->family, TABLE_NAT, spread_chain_name(&state.want.spread, name), 0);
	leads = fact_member_spread(entry->family, &state.want.spread);
	present = judge_fact(r->in, &chain.key, v) && present;
	return judge_fact(r->in, &leads.key, v) && present;
}

/* The entries that pods and the node have for a frontend, and its own. */
static bool judge_entries(
	struct port_report *r, const struct fact_key *entry, struct service_verdict *v)
{
	static const enum set_id others[] = { SET_DISPATCH_POD, SET_DISPATCH_NODE };
	const struct ip ip = fact_ip(entry);
	bool present = judge_entry(r, entry, v);

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const struct fact f =
			fact_member(others[i], ip.family, &ip, entry->proto, entry->port, NULL);

		present = judge_entry(r, &f.key, v) && present;
	}
	return present;
}

/* Ends the entry of an address, and raises the verdict of its port. */
static void add_address(struct port_report *r, const struct frontend *fe, bool present,
	const struct service_verdict *v)
{
	struct buf *b = &r->addresses;
	char s[IP_STRLEN];

	json_text_open(b, NULL, '{');
	json_text_string(b, "address", ip_print(&fe->ip, s));
	json_text_int(b, "port", fe->port);
	json_text_string(b, "kind", frontend_kind_name(fe->kind));
	json_text_bool(b, "vip", fe->reach == REACH_WHOLE);
	json_text_string(b, "taken", frontend_reach_name(fe->reach));
	json_text_bool(b, "present", present);
	json_text_string(b, "state", state_names[v->state]);
	json_text_string(b, "reason", buf_str(&v->reason));
	json_text_close(b, '}');
	verdict_raise(&r->verdict, v->state, buf_str(&v->reason));
}

static void report_frontend(struct port_report *r, const struct frontend *fe)
{
	_cleanup_(verdict_done) struct service_verdict v = { 0 };
	const struct node_view *view = r->in->view;
	const struct fact_key vs = resolve_frontend_key(view, fe, r->served->port->proto);
	const struct ip no_source = { 0 };
	const struct publication *pub = r->served->slot->published;
	bool present;

	/* What the kernel holds is of an earlier run. */
	if (pub && pub->withheld) {
		struct fact_state state = { 0 };

		ledger_state(engine_ledger(r->in->engine), &vs, &state);
		verdict_raise(&v, STATE_UNKNOWN, REPORT_INCOMPLETE);
		add_address(r, fe, state.present, &v);
		return;
	}
	present = judge_fact(r->in, &vs, &v);
	if (present)
		report_conns(r, &vs, fe->local);
	report_real_servers(r, &vs, fe->local, &v);
	if (view->backend == BACKEND_NFTABLES)
		present = judge_entries(r, &vs, &v) && present;
	/* In spite of the policy Local, pods and the node reach all endpoints of external ones. */
	if (view->backend == BACKEND_NFTABLES && fe->local && fe->kind != FRONTEND_CLUSTER_IP)
		report_real_servers(r, &vs, false, &v);
	if (fe->reach == REACH_WHOLE) {
		const struct fact vip = view->options->vip_mode == VIP_ADDRESS
			? fact_addr(&fe->ip)
			: fact_route(&fe->ip, &no_source);

		present = judge_fact(r->in, &vip.key, &v) && present;
	} else if (fe->reach == REACH_PORTS && !node_view_translates(view)) {
		const struct fact route =
			fact_route_in_table(&fe->ip, view->options->external_table);
		const struct fact held = fact_held(&fe->ip);

		present = judge_fact(r->in, &route.key, &v) && present;
		if (fe->ip.family == AF_INET)
			present = judge_fact(r->in, &held.key, &v) && present;
	}
	add_address(r, fe, present, &v);
}

static void report_refused(struct port_report *r, const struct frontend *fe)
{
	_cleanup_(verdict_done) struct service_verdict v = { 0 };
	_cleanup_(buf_done) struct buf words = { 0 };
	const uint8_t proto = r->served->port->proto;
	const char *holder = report_holder(r->in, fe, proto);
	const bool conflict = fe->refusal == REFUSAL_HELD || fe->refusal == REFUSAL_FOREIGN;
	char s[IP_PORT_STRLEN];

	buf_addf(&words, "%s/%s ", ip_print_port(&fe->ip, fe->port, s), proto_name(proto));
	if (fe->refusal == REFUSAL_HELD)
		buf_addf(&words, "belongs to Service %s", holder ? holder : "");
	else
		buf_addf(&words, "is refused: %s", refusal_text(fe->refusal));
	verdict_raise(&v, conflict ? STATE_CONFLICT : STATE_REFUSED, buf_str(&words));
	add_address(r, fe, false, &v);
}

static void add_conns(struct buf *b, const char *key, bool counted, uint64_t n)
{
	if (counted)
		json_text_int(b, key, (int64_t)n);
	else
		json_text_null(b, key);
}

static void add_endpoint(
	struct port_report *r, const struct candidate *ep, const struct endpoint_tally *t)
{
	struct buf *b = &r->endpoints;
	char s[IP_STRLEN];

	json_text_open(b, NULL, '{');
	json_text_string(b, "address", ip_print(&ep->ip, s));
	json_text_int(b, "port", ep->port);
	json_text_string(b, "node", ep->endpoint->place->node_name);
	json_text_int(b, "weight", ep->weight);
	json_text_bool(b, "used", t->used);
	/* Unused only because all frontends here have the policy Local. */
	json_text_string(b, "reason", report_endpoint_reason(ep, t->used, ep->in_cluster));
	json_text_bool(b, "present", t->wanted && t->present == t->wanted);
	add_conns(b, "active", r->counted, t->active);
	add_conns(b, "inactive", r->counted, t->inactive);
	json_text_close(b, '}');
}

static void report_served_port(struct port_report *r, const struct served_port *p)
{
	_cleanup_free_ struct endpoint_tally *tallies =
		mem_zalloc(p->endpoints.n, sizeof(*tallies));

	r->served = p;
	r->tallies = tallies;
	r->beyond |= p->beyond;
	for (size_t i = 0; i < p->frontends.n; i++)
		report_frontend(r, &p->frontends.fes[i]);
	for (size_t i = 0; i < p->refused.n; i++)
		report_refused(r, &p->refused.fes[i]);
	/* Packets from inside the cluster have a virtual server of their own. */
	if (p->mark) {
		const struct fact_key vs = fact_vs_fwmark(p->family, p->mark).key;

		if (judge_fact(r->in, &vs, &r->verdict))
			report_conns(r, &vs, false);
		report_real_servers(r, &vs, false, &r->verdict);
		json_text_open(&r->fwmarks, NULL, '{');
		json_text_int(&r->fwmarks, "fwmark", p->mark);
		json_text_string(&r->fwmarks, "family", family_name(p->family));
		json_text_close(&r->fwmarks, '}');
	}

	for (size_t i = 0; i < p->endpoints.n; i++) {
		r->total++;
		r->ready += tallies[i].used;
		if (!r->in->no_endpoints)
			add_endpoint(r, &p->endpoints.eps[i], &tallies[i]);
	}
}

/* Shared by the ports of a Service */

enum { PORTS_NAMED = 3 /* of endpoints; the rest is counted */ };

struct service_common {
	const struct slice_ports *sources; /* all ports of the endpoints */
	const char *scheduler, *requested_scheduler;
	struct service_verdict verdict; /* of the facts that belong to no address of a port */
};

static void service_common_fill(
	struct service_common *c, const struct report_input *in, const struct slot *slot)
{
	static const bool of_an_address[FACT_KINDS] = {
		[FACT_VS] = true,
		[FACT_RS] = true,
		[FACT_HELD] = true,
		[FACT_ROUTE] = true,
		[FACT_ADDR] = true,
	};
	const struct publication *pub = slot->published;
	const struct service *s = slot->service;
	const bool translates = node_view_translates(in->view);

	c->requested_scheduler = *s->scheduler ? s->scheduler : in->view->options->scheduler;
	c->scheduler = translates ? "random" : resolve_scheduler(s, in->view);
	/* Without IPVS a scheduler that takes turns is not degraded: chance comes close to it. */
	if (translates ? !limits_keeps_scheduler(c->requested_scheduler)
		       : strcmp(c->requested_scheduler, c->scheduler) != 0) {
		_cleanup_(buf_done) struct buf words = { 0 };

		buf_addf(&words, "%s has no scheduler \"%s\"; \"%s\" is used instead",
			translates ? backend_name(in->view->backend) : "the kernel",
			c->requested_scheduler, c->scheduler);
		verdict_raise(&c->verdict, STATE_DEGRADED, buf_str(&words));
	}

	for (size_t i = 0; pub && i < pub->claims.n; i++) {
		const struct fact_key key = claims_key(&pub->claims, i);

		if (!of_an_address[key.kind])
			judge_fact(in, &key, &c->verdict);
	}
}

/* Says so if none of the endpoints has a port of that name and protocol. */
static void print_unmatched_port(
	struct buf *b, const struct service_port *port, const struct slice_ports *sources)
{
	const struct slice_port *last = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sources->n; i++) {
		const struct slice_port *it = &sources->ports[i];

		if (!strcmp(it->port->name, port->name) && it->port->proto == port->proto) {
			buf_reset(b);
			return;
		}
		if (!it->subset->n_endpoints ||
			(last && !strcmp(it->port->name, last->port->name) &&
				it->port->proto == last->port->proto))
			continue;
		last = it;
		if (!n)
			buf_addf(b, "no endpoint has a port \"%s\" for %s; they have ", port->name,
				proto_name(port->proto));
		if (++n <= PORTS_NAMED)
			buf_addf(b, "%s\"%s\" for %s", n > 1 ? ", " : "", it->port->name,
				proto_name(it->port->proto));
	}
	if (n > PORTS_NAMED)
		buf_addf(b, " and %zu more", n - PORTS_NAMED);
}

static void add_array(struct buf *b, const char *key, const struct buf *members)
{
	json_text_open(b, key, '[');
	buf_add(b, members->data, members->len);
	json_text_close(b, ']');
}

/* Ends the report of a port: appends its member of "ports". Raises *worst to the port's verdict. */
static void add_port(struct buf *b, struct port_report *r, const struct service *s,
	const struct service_port *port, const struct service_common *common,
	struct service_verdict *worst)
{
	_cleanup_(buf_done) struct buf why = { 0 };
	struct service_verdict *v = &r->verdict;

	if (!r->addresses.len) {
		verdict_raise(v, STATE_NOT_PROXIED, "no address of a family that this node serves");
	} else {
		if (r->draining)
			verdict_raise(v, STATE_DRAINING, "");
		if (r->beyond)
			buf_addf(&why,
				"with this port the Service has more than %d addresses times "
				"endpoints",
				SERVICE_MAX_REAL_SERVERS);
		else if (!r->total)
			print_unmatched_port(&why, port, common->sources);
		if (!r->ready)
			verdict_raise(v, STATE_NO_ENDPOINTS, buf_str(&why));
		verdict_raise(v, common->verdict.state, buf_str(&common->verdict.reason));
	}
	verdict_raise(worst, v->state, buf_str(&v->reason));

	json_text_open(b, NULL, '{');
	json_text_string(b, "name", port->name);
	json_text_int(b, "port", port->port);
	json_text_string(b, "protocol", proto_name(port->proto));
	json_text_int(b, "nodePort", port->node_port);
	json_text_string(b, "scheduler", common->scheduler);
	json_text_string(b, "requestedScheduler", common->requested_scheduler);
	json_text_int(b, "persistenceSeconds", s->affinity_client_ip ? s->affinity_timeout : 0);
	add_array(b, "addresses", &r->addresses);
	add_array(b, "fwmarks", &r->fwmarks);
	if (!r->in->no_endpoints)
		add_array(b, "endpoints", &r->endpoints);
	json_text_int(b, "ready", (int64_t)r->ready);
	json_text_int(b, "total", (int64_t)r->total);
	json_text_int(b, "draining", (int64_t)r->draining);
	add_conns(b, "activeConnections", r->counted, r->active);
	json_text_string(b, "state", state_names[v->state]);
	json_text_string(b, "reason", buf_str(&v->reason));
	json_text_close(b, '}');
	buf_done(&r->addresses);
	buf_done(&r->fwmarks);
	buf_done(&r->endpoints);
	verdict_done(v);
}

/* One Service */

static void add_limit(const char *words, void *arg)
{
	json_text_string(arg, NULL, words);
}

void report_service(const struct report_input *in, const struct slot *slot,
	struct served_ports *served, struct report_sums *sums, struct buf *out)
{
	_cleanup_(verdict_done) struct service_verdict worst = { 0 };
	_cleanup_free_ struct port_report *reports = NULL;
	_cleanup_(buf_done) struct buf limits = { 0 }, ports = { 0 };
	const struct service *s = slot->service;
	const char *why = service_not_proxied(s);
	const size_t n = *why ? 0 : s->n_ports;
	struct service_common common = { .sources = &served->sources };

	served_ports_select(served, slot, in->view);
	if (slot->published)
		port_marks_fill(&slot->published->marks, served);
	if (*why)
		verdict_raise(&worst, STATE_NOT_PROXIED, why);
	else
		limits_tell(s, served, in->view, add_limit, &limits);

	reports = mem_zalloc(n, sizeof(*reports));
	for (size_t i = 0; i < n; i++)
		reports[i] = (struct port_report){ .in = in, .counted = in->conns };
	for (size_t k = 0; k < served->n; k++)
		report_served_port(&reports[served->ports[k].port - s->ports], &served->ports[k]);
	service_common_fill(&common, in, slot);

	for (size_t i = 0; i < n; i++) {
		sums->ports++;
		sums->endpoints += reports[i].total;
		add_port(&ports, &reports[i], s, &s->ports[i], &common, &worst);
	}
	json_text_open(out, NULL, '{');
	json_text_string(out, "namespace", s->ns);
	json_text_string(out, "name", s->name);
	json_text_string(out, "type", service_type_name(s->type));
	json_text_string(out, "state", state_names[worst.state]);
	json_text_string(out, "reason", buf_str(&worst.reason));
	add_array(out, "limits", &limits);
	add_array(out, "ports", &ports);
	json_text_close(out, '}');
	verdict_done(&common.verdict);
}
