// SPDX-License-Identifier: GPL-2.0-or-later
#include "explain_port.h"

#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "core/publication.h"
#include "core/resolve.h"
#include "report_words.h"

/* One port of a Service, in one family. */
struct context {
	const struct explainer *x;
	const struct slot *slot;
	const struct served_port *p;
};

/* Who has the virtual server, and who else would like to. */

static json_t *held_by(const struct context *c, const struct fact_key *vs)
{
	struct fact_state state;

	if (!ledger_state(c->x->walk.ledger, vs, &state) || !state.claimant ||
		(c->slot->published && state.claimant == &c->slot->published->claimant) ||
		state.claimant->born == CLAIMANT_LAST)
		return json_null();
	return json_string(state.claimant->name);
}

static json_t *rivals(const struct context *c, const struct fact_key *vs)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < c->x->n_slots; i++)
		if (c->x->slots[i] != c->slot && publication_claims(c->x->slots[i]->published, vs))
			json_array_append_new(ret, json_string(c->x->slots[i]->name));
	return ret;
}

/* What the kernel does not hold of it */

static bool belongs(const struct context *c, const struct frontend *fe, const struct fact_key *key)
{
	uint32_t mark = c->p->mark;
	struct ip ip = fact_ip(key);
	struct fact_key vs;

	switch ((enum fact_kind)key->kind) {
	case FACT_VS:
	case FACT_RS:
		if (!key->proto)
			return fe->local && mark && key->family == fe->ip.family &&
				fact_fwmark(key) == mark;
		return ip_eq(&ip, &fe->ip) && key->port == fe->port &&
			key->proto == c->p->port->proto;
	case FACT_DISPATCH:
		vs = resolve_frontend_key(c->x->in->view, fe, c->p->port->proto);
		return fact_key_eq(key, &vs);
	case FACT_MEMBER:
		return ip_eq(&ip, &fe->ip) &&
			(!key->port || (key->port == fe->port && key->proto == c->p->port->proto));
	case FACT_ROUTE:
	case FACT_ADDR:
		return ip_eq(&ip, &fe->ip);
	case FACT_LINK:
	case FACT_SET:
	case FACT_CHAIN:
	case FACT_JUMP:
	case FACT_KINDS:
		return false;
	}
	return false;
}

static json_t *problems(const struct context *c, const struct frontend *fe)
{
	const struct publication *pub = c->slot->published;
	json_t *ret = json_array();

	for (size_t i = 0; pub && i < pub->n_facts && !c->x->in->dry; i++) {
		const struct fact_key *key = &pub->facts[i].key;
		_cleanup_(buf_done) struct buf words = { 0 };
		struct fact_state state = { 0 };

		if (!belongs(c, fe, key))
			continue;
		ledger_state(c->x->walk.ledger, key, &state);
		if (report_fault(&words, key, &state, c->x->in) != FAULT_NONE)
			json_array_append_new(ret, json_string(buf_str(&words)));
	}
	return ret;
}

/* What drains */

struct draining {
	const struct context *c;
	json_t *list;
};

static void add_draining(const struct rs_conns *conns, void *arg)
{
	const struct draining *d = arg;
	struct ip ip = fact_ip2(&conns->key);
	struct fact_state state;
	char s[IP_STRLEN];

	if (ledger_state(d->c->x->walk.ledger, &conns->key, &state) && state.claimant &&
		state.claimant->born == CLAIMANT_LAST)
		json_array_append_new(d->list,
			json_pack("{s:s, s:i, s:I, s:I}", "address", ip_print(&ip, s), "port",
				(int)conns->key.port2, "active", (json_int_t)conns->active,
				"inactive", (json_int_t)conns->inactive));
}

static json_t *draining(const struct context *c, const struct fact_key *vs)
{
	const struct report_input *in = c->x->in;
	struct draining d = { .c = c, .list = json_array() };

	if (in->conns)
		in->conns(vs, add_draining, &d, in->conns_arg);
	return d.list;
}

/* Where packets come from */

/* Stands for any client far away (RFC 5737, RFC 3849). */
static struct ip outside_ip(int family)
{
	static const uint8_t v4[16] = { 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

	return ip_make(family, family == AF_INET6 ? v6 : v4);
}

/* The last one of the range, which no pod has. */
static struct ip pod_ip(const struct node_view *view, int family)
{
	const struct cidr *range = node_view_local_cidr(view, family);
	struct ip ip = range ? range->ip : outside_ip(family);

	for (int bit = range ? range->len : ip_bits(family); bit < ip_bits(family); bit++)
		ip.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	return ip;
}

/* An address on an interface is what the kernel takes as the source of the node's own packets. */
static struct ip node_source(const struct node_view *view, const struct frontend *fe)
{
	if (fe->vip && view->options->vip_mode == VIP_ADDRESS)
		return fe->ip;
	return view->node_ip[fe->ip.family == AF_INET6];
}

static struct ip source_ip(
	const struct node_view *view, enum walk_source source, const struct frontend *fe)
{
	switch (source) {
	case WALK_POD:
		return pod_ip(view, fe->ip.family);
	case WALK_NODE:
		return node_source(view, fe);
	case WALK_OUTSIDE:
		return outside_ip(fe->ip.family);
	}
	return outside_ip(fe->ip.family);
}

bool explain_tells_pods(const struct node_view *view, int family)
{
	return view->options->detect_local == DETECT_BRIDGE_INTERFACE ||
		view->options->detect_local == DETECT_INTERFACE_NAME_PREFIX ||
		node_view_local_cidr(view, family);
}

static json_t *paths(const struct context *c, const struct frontend *fe)
{
	const struct explain_query *q = c->x->query;
	const struct node_view *view = c->x->in->view;
	struct walk_packet p = { .dst = fe->ip, .port = fe->port, .proto = c->p->port->proto };
	json_t *ret = json_array();

	if (q->from == FROM_ADDRESS) {
		p.src = q->from_ip;
		p.source = walk_source_of(view, &p.src);
		if (p.src.family == p.dst.family)
			json_array_append_new(
				ret, explain_path(c->x, &p, &c->p->endpoints, fe->local));
		return ret;
	}
	for (enum walk_source s = WALK_POD; s <= WALK_OUTSIDE; s++) {
		if (q->from == FROM_SOURCE
				? s != q->source
				: s == WALK_POD && !explain_tells_pods(view, fe->ip.family))
			continue;
		p.source = s;
		p.src = source_ip(view, s, fe);
		if (p.src.family)
			json_array_append_new(
				ret, explain_path(c->x, &p, &c->p->endpoints, fe->local));
	}
	return ret;
}

/* The answer */

static bool asked_for(const struct explainer *x, const struct frontend *fe)
{
	const struct explain_query *q = x->query;

	return *q->name || (ip_eq(&fe->ip, &q->ip) && fe->port == q->port);
}

static void add_address(const struct context *c, const struct frontend *fe, json_t *address)
{
	const struct fact_key vs = resolve_frontend_key(c->x->in->view, fe, c->p->port->proto);
	json_t *owner = held_by(c, &vs);
	bool lost = json_is_string(owner);

	json_object_set_new(address, "trafficPolicy", json_string(fe->local ? "Local" : "Cluster"));
	json_object_set_new(address, "heldBy", owner);
	json_object_set_new(address, "alsoWantedBy", lost ? json_array() : rivals(c, &vs));
	json_object_set_new(address, "problems", lost ? json_array() : problems(c, fe));
	json_object_set_new(address, "draining", lost ? json_array() : draining(c, &vs));
	json_object_set_new(address, "paths", lost ? json_array() : paths(c, fe));
	if (c->x->in->dry)
		json_object_set_new(address, "present", json_null());
}

/* The report has the addresses of both families in the same order. */
bool explain_port(const struct explainer *x, const struct served_ports *served,
	const struct service_port *port, json_t *report)
{
	json_t *all = json_object_get(report, "addresses"), *some = json_array();
	size_t at = 0, n;

	for (size_t k = 0; k < served->n; k++) {
		const struct served_port *p = &served->ports[k];
		const struct context c = { .x = x, .slot = p->slot, .p = p };

		for (size_t i = 0; p->port == port && i < p->frontends.n; i++) {
			json_t *address = json_array_get(all, at++);

			if (!asked_for(x, &p->frontends.fes[i]))
				continue;
			add_address(&c, &p->frontends.fes[i], address);
			json_array_append(some, address);
		}
	}
	n = json_array_size(some);
	json_object_set_new(report, "addresses", some);
	return n;
}
