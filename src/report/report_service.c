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

	map_for_each_entry(struct slot, slot, &store->slots, by_name) {
		if (slot->service)
			slots[n++] = slot;
	}
	if (n)
		qsort(slots, n, sizeof(void *), slot_compare_names);
	*ret_n = n;
	return slots;
}

/* From the best to the worst: of several the last one is told. */
enum state {
	STATE_OK,
	STATE_NOT_PROXIED,
	STATE_DRAINING,
	STATE_NO_ENDPOINTS,
	STATE_DEGRADED,
	STATE_PENDING,
	STATE_CONFLICT,
	STATE_FAILING
};

static const char *state_name(enum state state)
{
	static const char *const names[] = {
		[STATE_OK] = "OK",
		[STATE_NOT_PROXIED] = "NotProxied",
		[STATE_DRAINING] = "Draining",
		[STATE_NO_ENDPOINTS] = "NoEndpoints",
		[STATE_DEGRADED] = "Degraded",
		[STATE_PENDING] = "Pending",
		[STATE_CONFLICT] = "Conflict",
		[STATE_FAILING] = "Failing",
	};

	return names[state];
}

struct verdict {
	enum state state;
	struct buf reason;
};

/* The first reason for the worst state stays. */
static void raise_state(struct verdict *v, enum state state, const char *reason)
{
	if (state <= v->state)
		return;
	v->state = state;
	buf_reset(&v->reason);
	buf_adds(&v->reason, reason);
}

static void verdict_done(struct verdict *v)
{
	buf_done(&v->reason);
}

/* One port of a Service, or in one family what it needs to be told */

/* What the virtual servers of a port make of one endpoint. */
struct tally {
	bool used;
	unsigned wanted, present; /* in so many virtual servers */
	uint64_t active, inactive;
};

struct port_report {
	const struct report_input *in;
	const struct ledger *ledger;
	const struct slot *slot;
	const struct service_port *port;
	struct verdict verdict;
	json_t *addresses, *endpoints, *fwmarks;
	size_t ready, total;
	size_t draining; /* endpoints, in the virtual server that has most of them */
	size_t draining_here;
	uint64_t active;
	bool counted; /* the connections are */
	/* Of the family that is being told */
	const struct served_port *p;
	struct tally *tallies; /* beside its endpoints */
};

/* What is wrong with a fact that the Service wants goes to the verdict. Returns whether it is in
 * the kernel. */
static bool judge(const struct port_report *p, const struct fact_key *key, struct verdict *v)
{
	_cleanup_(buf_done) struct buf words = { 0 };
	struct fact_state s = { 0 };

	if (p->in->dry)
		return false;
	ledger_state(p->ledger, key, &s);
	switch (report_fault(&words, key, &s, p->in)) {
	case FAULT_NONE:
		break;
	case FAULT_PENDING:
		raise_state(v, STATE_PENDING, buf_str(&words));
		break;
	case FAULT_FAILING:
		raise_state(v, STATE_FAILING, buf_str(&words));
		break;
	}
	return s.present;
}

static bool on_iptables(const struct port_report *p)
{
	return p->in->view->backend == BACKEND_IPTABLES;
}

/* What the kernel has for an endpoint; on iptables one of weight 0 gets nothing. */
static bool endpoint_key(const struct port_report *p, const struct fact_key *vs,
	const struct candidate *ep, struct fact_key *ret)
{
	char hash[SERVICE_HASH_LEN], name[CHAIN_NAME_LEN + 1];

	if (!on_iptables(p)) {
		*ret = fact_rs(vs, &ep->ip, ep->port, ep->weight).key;
		return true;
	}
	service_endpoint_hash(p->slot->service, p->port, &ep->ip, ep->port, hash);
	service_chain_name(SERVICE_CHAIN_SEP, hash, name);
	*ret = fact_chain(ep->ip.family, TABLE_NAT, name, 0).key;
	return ep->weight;
}

/* Whether another Service owns what leads to the endpoints. */
static bool in_conflict(const struct port_report *p, const struct fact_key *vs, struct verdict *v)
{
	_cleanup_(buf_done) struct buf words = { 0 };
	struct fact_state s = { 0 };

	if (!ledger_state(p->ledger, vs, &s) || !s.wanted ||
		(p->slot->published && s.claimant == &p->slot->published->claimant) ||
		s.claimant->born == CLAIMANT_LAST)
		return false;
	report_describe(&words, vs);
	buf_addf(&words, " belongs to Service %s", s.claimant->name);
	raise_state(v, STATE_CONFLICT, buf_str(&words));
	return true;
}

static void count_conns(const struct rs_conns *c, void *arg)
{
	struct port_report *p = arg;
	const struct ip ip = fact_ip2(&c->key);
	const struct candidate *ep = endpoints_find(&p->p->endpoints, &ip, c->key.port2);
	struct fact_state s;

	p->active += c->active;
	if (ledger_state(p->ledger, &c->key, &s) && s.claimant && s.claimant->born == CLAIMANT_LAST)
		p->draining_here++;
	if (!ep)
		return;
	p->tallies[ep - p->p->endpoints.eps].active += c->active;
	p->tallies[ep - p->p->endpoints.eps].inactive += c->inactive;
}

static void tell_conns(struct port_report *p, const struct fact_key *vs)
{
	p->draining_here = 0;
	if (p->in->conns && p->in->conns(vs, count_conns, p, p->in->conns_arg) < 0)
		p->counted = false;
	if (p->draining_here > p->draining)
		p->draining = p->draining_here;
}

static void tell_real_servers(
	struct port_report *p, const struct frontend *fe, const struct fact_key *vs, bool ours)
{
	for (size_t i = 0; i < p->p->endpoints.n; i++) {
		const struct candidate *ep = &p->p->endpoints.eps[i];
		struct tally *t = &p->tallies[i];
		struct fact_key key;

		if (fe->local ? !ep->in_local : !ep->in_cluster)
			continue;
		t->used = true;
		if (!ours || !endpoint_key(p, vs, ep, &key))
			continue;
		t->wanted++;
		t->present += judge(p, &key, &p->verdict);
	}
}

static bool judge_vip(struct port_report *p, const struct ip *vip)
{
	const struct ip none = { 0 };
	struct fact f = p->in->view->options->vip_mode == VIP_ADDRESS ? fact_addr(vip)
								      : fact_route(vip, &none);

	return judge(p, &f.key, &p->verdict);
}

static void tell_frontend(struct port_report *p, const struct frontend *fe)
{
	struct fact_key vs = resolve_frontend_key(p->in->view, fe, p->port->proto);
	bool ours = !in_conflict(p, &vs, &p->verdict);
	bool present = ours && judge(p, &vs, &p->verdict);
	char s[IP_STRLEN];

	if (present)
		tell_conns(p, &vs);
	tell_real_servers(p, fe, &vs, ours);
	if (fe->vip)
		present = judge_vip(p, &fe->ip) && present;
	json_array_append_new(p->addresses,
		json_pack("{s:s, s:i, s:s, s:b, s:b}", "address", ip_print(&fe->ip, s), "port",
			(int)fe->port, "kind", frontend_kind_name(fe->kind), "vip", (int)fe->vip,
			"present", (int)present));
}

static const char *endpoint_reason(const struct candidate *ep, const struct tally *t)
{
	if (t->used)
		return endpoint_reason_text(
			ep->endpoint->ready ? ENDPOINT_USED : ENDPOINT_USED_FALLBACK);
	/* The list of the whole cluster would have it, but nothing here uses that list. */
	if (ep->in_cluster)
		return "on another node, and the traffic policy is Local";
	return endpoint_reason_text(ep->reason);
}

static json_t *count(bool counted, uint64_t n)
{
	return counted ? json_integer((json_int_t)n) : json_null();
}

static void tell_endpoint(struct port_report *p, const struct candidate *ep, const struct tally *t)
{
	char s[IP_STRLEN];

	p->total++;
	p->ready += t->used;
	json_array_append_new(p->endpoints,
		json_pack("{s:s, s:i, s:s, s:I, s:b, s:s, s:b, s:o, s:o}", "address",
			ip_print(&ep->ip, s), "port", (int)ep->port, "node",
			ep->endpoint->node_name, "weight", (json_int_t)ep->weight, "used",
			(int)t->used, "reason", endpoint_reason(ep, t), "present",
			(int)(t->wanted && t->present == t->wanted), "active",
			count(p->counted, t->active), "inactive", count(p->counted, t->inactive)));
}

/* The virtual server of packets from inside of the cluster, where it has one. */
static void tell_mark(struct port_report *p, int family)
{
	const uint32_t mark = p->p->mark;
	const struct frontend all = { .kind = FRONTEND_CLUSTER_IP };
	struct fact vs = fact_vs_fwmark(family, mark);

	if (!mark)
		return;
	if (judge(p, &vs.key, &p->verdict))
		tell_conns(p, &vs.key);
	tell_real_servers(p, &all, &vs.key, true);
	json_array_append_new(p->fwmarks,
		json_pack("{s:I, s:s}", "fwmark", (json_int_t)mark, "family", family_name(family)));
}

static void tell_family(struct port_report *p, const struct served_ports *served, int family)
{
	p->p = served_ports_find(served, p->port, family);
	if (!p->p)
		return;
	p->tallies = mem_zalloc(p->p->endpoints.n, sizeof(*p->tallies));
	for (size_t i = 0; i < p->p->frontends.n; i++)
		tell_frontend(p, &p->p->frontends.fes[i]);
	tell_mark(p, family);
	for (size_t i = 0; i < p->p->endpoints.n; i++)
		tell_endpoint(p, &p->p->endpoints.eps[i], &p->tallies[i]);
	free(take(p->tallies));
}

static const char *requested_scheduler(const struct service *s, const struct node_view *view)
{
	return *s->scheduler ? s->scheduler : view->options->scheduler;
}

/* The iptables backend has the one. */
static const char *used_scheduler(const struct port_report *p)
{
	return on_iptables(p) ? "random" : resolve_scheduler(p->slot->service, p->in->view);
}

static void judge_scheduler(struct port_report *p)
{
	const struct node_view *view = p->in->view;
	const char *wanted = requested_scheduler(p->slot->service, view);
	_cleanup_(buf_done) struct buf words = { 0 };

	if (on_iptables(p) ? !limits_scheduler(p->slot->service, view)
			   : !strcmp(wanted, used_scheduler(p)))
		return;
	buf_addf(&words, "%s has no scheduler \"%s\"; \"%s\" is used instead",
		on_iptables(p) ? "iptables" : "the kernel", wanted, used_scheduler(p));
	raise_state(&p->verdict, STATE_DEGRADED, buf_str(&words));
}

/* Set entries and whatever else the Service wants that no address of a port stands for. */
static void judge_rest(struct port_report *p)
{
	const struct publication *pub = p->slot->published;

	for (size_t i = 0; pub && i < pub->n_facts; i++) {
		const struct fact_key *key = &pub->facts[i].key;

		switch ((enum fact_kind)key->kind) {
		case FACT_VS:
		case FACT_RS:
		case FACT_ROUTE:
		case FACT_ADDR:
			break;
		case FACT_LINK:
		case FACT_SET:
		case FACT_MEMBER:
		case FACT_CHAIN:
		case FACT_DISPATCH:
		case FACT_JUMP:
		case FACT_KINDS:
			judge(p, key, &p->verdict);
			break;
		}
	}
}

static json_t *port_json(struct port_report *p)
{
	const struct service *s = p->slot->service;

	return json_pack(
		"{s:s, s:i, s:s, s:i, s:s, s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:s, s:s}",
		"name", p->port->name, "port", (int)p->port->port, "protocol",
		proto_name(p->port->proto), "nodePort", (int)p->port->node_port, "scheduler",
		used_scheduler(p), "requestedScheduler", requested_scheduler(s, p->in->view),
		"persistenceSeconds", (json_int_t)(s->affinity_client_ip ? s->affinity_timeout : 0),
		"addresses", take(p->addresses), "fwmarks", take(p->fwmarks), "endpoints",
		take(p->endpoints), "ready", (json_int_t)p->ready, "total", (json_int_t)p->total,
		"draining", (json_int_t)p->draining, "activeConnections",
		count(p->counted, p->active), "state", state_name(p->verdict.state), "reason",
		buf_str(&p->verdict.reason));
}

/* A new reference; the worst of the ports goes to `worst`. */
static json_t *tell_port(struct port_report *p, const struct served_ports *served,
	struct verdict *worst, struct report_sums *sums)
{
	json_t *ret;

	p->addresses = json_array();
	p->endpoints = json_array();
	p->fwmarks = json_array();
	tell_family(p, served, AF_INET);
	tell_family(p, served, AF_INET6);
	if (!json_array_size(p->addresses)) {
		raise_state(&p->verdict, STATE_NOT_PROXIED,
			"no address of a family that this node serves");
	} else {
		if (p->draining)
			raise_state(&p->verdict, STATE_DRAINING, "");
		if (!p->ready)
			raise_state(&p->verdict, STATE_NO_ENDPOINTS, "");
		judge_scheduler(p);
		judge_rest(p);
	}
	sums->ports++;
	sums->endpoints += p->total;
	raise_state(worst, p->verdict.state, buf_str(&p->verdict.reason));
	ret = port_json(p);
	verdict_done(&p->verdict);
	return ret;
}

static void add_limit(const char *words, void *arg)
{
	json_array_append_new(arg, json_string(words));
}

json_t *report_service(const struct report_input *in, const struct slot *slot,
	struct served_ports *served, struct report_sums *sums)
{
	_cleanup_(verdict_done) struct verdict worst = { 0 };
	const struct service *s = slot->service;
	const char *why = service_not_proxied(s);
	json_t *ports = json_array(), *limits = json_array();

	served_ports_select(served, slot, in->view);
	if (slot->published)
		port_marks_fill(&slot->published->marks, served);
	if (*why)
		raise_state(&worst, STATE_NOT_PROXIED, why);
	for (size_t i = 0; !*why && i < s->n_ports; i++) {
		struct port_report p = {
			.in = in,
			.ledger = engine_ledger(in->engine),
			.slot = slot,
			.port = &s->ports[i],
			.counted = in->conns,
		};

		json_array_append_new(ports, tell_port(&p, served, &worst, sums));
	}
	if (!*why)
		limits_tell(slot, in->view, add_limit, limits);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "namespace", s->ns, "name", s->name,
		"type", service_type_name(s->type), "state", state_name(worst.state), "reason",
		buf_str(&worst.reason), "limits", limits, "ports", ports);
}
