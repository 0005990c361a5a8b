// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "core/publication.h"
#include "core/service_chain.h"
#include "plan_members.h"
#include "plan_nftables.h"
#include "report_service.h"
#include "report_words.h"

/* Making the plan */

static void plan_collect(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct plan *p = arg;
	struct fact want = { .key = *key, .val = state->want };
	struct fact have = { .key = *key, .val = state->have };
	struct difference d = { .type = OP_SET, .fact = want, .have = have };

	if (state->wanted)
		fact_list_add(&p->facts, want);
	if (!p->compared || (state->wanted && state->present && fact_val_eq(&want.val, &have.val)))
		return;
	if (!state->wanted && (!state->present || state->foreign || state->kept))
		return;
	if (!state->present)
		d.type = OP_ADD;
	else if (!state->wanted)
		d = (struct difference){ .type = OP_DEL, .fact = have };
	mem_grow(p->differences, p->n_differences, p->cap_differences);
	p->differences[p->n_differences++] = d;
}

static int difference_compare(const void *a, const void *b)
{
	const struct difference *x = a, *y = b;

	return fact_key_cmp(&x->fact.key, &y->fact.key);
}

int plan_make(struct plan *p, struct engine *engine, const struct store *store,
	const struct node_view *view, bool compare)
{
	bool audited;

	/* Until everything is resolved and the kernel was read once. */
	engine_fed(engine);
	while (engine_step(engine, 0) == 0)
		;
	audited = engine_stats(engine)->audits;

	*p = (struct plan){ .view = view, .engine = engine, .compared = compare && audited };
	p->slots = report_slots(store, &p->n_slots);
	ledger_each(engine_ledger(engine), FACT_KINDS, plan_collect, p);
	fact_list_finish(&p->facts);
	if (p->n_differences)
		qsort(p->differences, p->n_differences, sizeof(*p->differences),
			difference_compare);
	return audited ? 0 : -EIO;
}

void plan_done(struct plan *p)
{
	free(p->slots);
	free(p->differences);
	fact_list_done(&p->facts);
	*p = (struct plan){ 0 };
}

/* Which port of a Service has an address */

static int plan_port_compare(const void *a, const void *b)
{
	const struct plan_port *x = a, *y = b;
	int c = fact_key_cmp(&x->key, &y->key);

	if (!c)
		c = strcmp(x->slot->name, y->slot->name);
	/* Two ports of a Service may share an address; the first one gives it its name. */
	return c ? c : (x->port > y->port) - (x->port < y->port);
}

void plan_ports_fill(struct plan_ports *l, const struct plan *p)
{
	_cleanup_(served_ports_done) struct served_ports served = { 0 };

	for (size_t i = 0; i < p->n_slots; i++) {
		served_ports_select(&served, p->slots[i], p->view);
		for (size_t k = 0; k < served.n; k++) {
			const struct served_port *s = &served.ports[k];
			/* iptables has one entry for a NodePort, whatever addresses carry it. */
			const struct frontend node_port = { .kind = FRONTEND_NODE_PORT,
				.ip = { .family = (uint8_t)s->family },
				.port = s->port->node_port };

			const size_t n = s->frontends.n + s->refused.n;

			for (size_t j = 0; j <= n; j++) {
				const struct frontend *fe = j == n ? &node_port
					: j < s->frontends.n	   ? &s->frontends.fes[j]
							     : &s->refused.fes[j - s->frontends.n];

				if (!fe->port)
					continue;
				mem_grow(l->ports, l->n, l->cap);
				l->ports[l->n++] = (struct plan_port){
					.key = resolve_frontend_key(p->view, fe, s->port->proto),
					.slot = s->slot,
					.port = s->port,
				};
			}
		}
	}
	if (l->n)
		qsort(l->ports, l->n, sizeof(*l->ports), plan_port_compare);
}

/* "namespace/name", or "namespace/name:port" if the port that has this address has a name. */
static json_t *plan_port_name(
	const struct plan_ports *l, const struct slot *slot, const struct fact_key *key)
{
	const struct plan_port first = { *key, slot, slot->service->ports };
	_cleanup_(buf_done) struct buf name = { 0 };
	size_t from = 0, to = l->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (plan_port_compare(&l->ports[middle], &first) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	buf_adds(&name, slot->name);
	if (from < l->n && l->ports[from].slot == slot && fact_key_eq(&l->ports[from].key, key) &&
		*l->ports[from].port->name)
		buf_addf(&name, ":%s", l->ports[from].port->name);
	return json_string(buf_str(&name));
}

/* The port that gets what comes to this address, as plan_port_name(); "": none. */
static json_t *plan_owner(
	const struct plan *p, const struct plan_ports *ports, const struct fact_key *key)
{
	const struct publication *owner = publication_owner(engine_ledger(p->engine), key);

	return owner ? plan_port_name(ports, owner->slot, key) : json_string("");
}

/* The first of the desired facts that is not of a kind before this one. */
static size_t plan_first_fact(const struct plan *p, unsigned kind)
{
	size_t from = 0, to = p->facts.n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (p->facts.facts[middle].key.kind < kind)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* The desired facts of one kind, sorted. */
const struct fact *plan_facts(const struct plan *p, enum fact_kind kind, size_t *ret_n)
{
	const size_t first = plan_first_fact(p, kind);

	*ret_n = plan_first_fact(p, kind + 1U) - first;
	return p->facts.facts + first;
}

/* The tree: a contract, to which keys may be added */

static void take_into_array(json_t *member, void *arg)
{
	json_array_append_new(arg, member);
}

static json_t *plan_list(plan_each_fn each, const struct plan *p, const struct plan_ports *ports)
{
	json_t *list = json_array();

	each(p, ports, take_into_array, list);
	return list;
}

void plan_each_virtual_server(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg)
{
	size_t n, n_rs;
	const struct fact *vs = plan_facts(p, FACT_VS, &n);
	const struct fact *rs = plan_facts(p, FACT_RS, &n_rs), *end = rs + n_rs;
	struct fact_key parent;
	char s[IP_STRLEN];

	for (; n; n--, vs++) {
		const uint32_t flags = vs->val.vs.flags;
		json_t *o = report_vs_json(&vs->key), *servers = json_array();

		json_object_set_new(o, "scheduler", json_string(vs->val.vs.scheduler));
		if (flags & (VS_SCHED_MH_PORT | VS_SCHED_SH_FALLBACK))
			json_object_set_new(o, "flags",
				json_pack("[s]",
					flags & VS_SCHED_MH_PORT ? "mh-port" : "sh-fallback"));
		json_object_set_new(o, "persistenceSeconds",
			json_integer(flags & VS_PERSISTENT ? vs->val.vs.timeout : 0));
		json_object_set_new(o, "service", plan_owner(p, ports, &vs->key));
		json_object_set_new(o, "realServers", servers);
		/* Real servers are sorted by their virtual server first. */
		for (; rs < end && fact_parent(&rs->key, &parent) && fact_key_eq(&parent, &vs->key);
			rs++) {
			struct ip ip = fact_ip2(&rs->key);

			json_array_append_new(servers,
				json_pack("{s:s, s:i, s:I}", "address", ip_print(&ip, s), "port",
					(int)rs->key.port2, "weight",
					(json_int_t)rs->val.rs.weight));
		}
		fn(o, arg);
	}
}

void plan_each_dispatch(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg)
{
	size_t n;
	const struct fact *f = plan_facts(p, FACT_DISPATCH, &n);
	char chain[CHAIN_NAME_LEN + 1];

	for (; n; n--, f++) {
		struct ip ip = fact_ip(&f->key);
		json_t *o = ip_kind(&ip) == IP_UNSPECIFIED
			? json_pack("{s:i, s:s, s:s}", "nodePort", (int)f->key.port, "family",
				  family_name(f->key.family), "protocol", proto_name(f->key.proto))
			: report_vs_json(&f->key);

		if (fact_has_spread(f))
			spread_chain_name(&f->val.spread, chain);
		else
			service_chain_name(f->val.dispatch.chain, f->val.dispatch.hash, chain);
		json_object_set_new(o, "chain", json_string(chain));
		json_object_set_new(o, "service", plan_owner(p, ports, &f->key));
		fn(o, arg);
	}
}

/* Each VIP with the preferred source of the node's own packets to it, or "", and with the thing
 * that makes it local. */
void plan_each_vip(const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg)
{
	/* --vip-mode selects one of the two kinds. */
	static const enum fact_kind kinds[] = { FACT_ROUTE, FACT_ADDR };
	char vip_text[IP_STRLEN], source_text[IP_STRLEN];

	(void)ports;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n;
		const struct fact *f = plan_facts(p, kinds[i], &n);

		for (; n; n--, f++) {
			struct ip vip = fact_ip(&f->key);
			struct ip source = ip_make(f->key.family, f->val.route.source);
			bool has_source =
				kinds[i] == FACT_ROUTE && ip_kind(&source) != IP_UNSPECIFIED;

			if (kinds[i] == FACT_ROUTE && f->key.port)
				continue; /* plan_taken_by_port() */

			fn(json_pack("{s:s, s:s, s:s}", "address", ip_print(&vip, vip_text),
				   "source", has_source ? ip_print(&source, source_text) : "", "by",
				   kinds[i] == FACT_ROUTE ? "a route on lo"
							  : "an address on kube-ipvs0"),
				arg);
		}
	}
}

static void take_address(json_t *vip, void *arg)
{
	json_array_append(arg, json_object_get(vip, "address"));
	json_decref(vip);
}

/* Calls fn with {NAME: {"type", "family", "entries"}} of each ipset; of none with nftables. */
void plan_each_ipset(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg)
{
	size_t n, n_members;
	const struct fact *set = plan_facts(p, FACT_SET, &n);
	const struct fact *member = plan_facts(p, FACT_MEMBER, &n_members);
	const struct fact *end = member + n_members;
	struct fact_key parent;
	char name[SET_NAME_LEN + 1];

	(void)ports;
	for (; n && !node_view_on_nftables(p->view); n--, set++) {
		json_t *entries = json_array();

		for (; member < end && fact_parent(&member->key, &parent) &&
			fact_key_eq(&parent, &set->key);
			member++) {
			_cleanup_(buf_done) struct buf text = { 0 };

			fact_print_element(&text, member);
			json_array_append_new(entries, json_string(buf_str(&text)));
		}
		fn(json_pack("{s:{s:s, s:s, s:o}}", set_name(set->key.set, set->key.family, name),
			   "type", set_type_name(set->val.set.type), "family",
			   set->key.family == AF_INET6 ? "inet6" : "inet", "entries", entries),
			arg);
	}
}

static void take_into_object(json_t *member, void *arg)
{
	json_object_update(arg, member);
	json_decref(member);
}

/* The member of that name, which is `otherwise` if there was none. Takes the reference. */
static json_t *child_or(json_t *object, const char *name, json_t *otherwise)
{
	json_t *child = json_object_get(object, name);

	if (child) {
		json_decref(otherwise);
		return child;
	}
	json_object_set_new(object, name, otherwise);
	return otherwise;
}

/* The chain that the rules of a chain or jump stand in. */
const char *plan_rules_chain(const struct fact *f)
{
	return f->key.kind == FACT_JUMP ? hook_name(f->key.port) : f->key.name;
}

/* The rules of the chains or jumps of one family, by table and by the chain that they stand in. */
static json_t *plan_rules(const struct plan *p, enum fact_kind kind, int family)
{
	const struct rule_pool *pool = engine_rules(p->engine);
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t n;
	const struct fact *f = plan_facts(p, kind, &n);
	json_t *tables = json_object();

	for (; n; n--, f++) {
		const struct rule_list *rules = rule_pool_get(pool, f->val.chain.rules);
		struct rule rule;
		json_t *list;

		if (f->key.family != family || node_view_on_nftables(p->view))
			continue;
		list = child_or(child_or(tables, table_name(f->key.set), json_object()),
			plan_rules_chain(f), json_array());
		for (size_t at = 0; rules && rule_list_next(rules, &at, &rule);) {
			buf_reset(&text);
			p->print_rule(&text, family, NULL, &rule);
			json_array_append_new(list, json_string(buf_str(&text)));
		}
	}
	return tables;
}

json_t *plan_not_proxied(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_slots; i++) {
		const char *reason = service_not_proxied(p->slots[i]->service);

		if (*reason)
			json_array_append_new(list,
				json_pack("{s:s, s:s}", "service", p->slots[i]->name, "reason",
					reason));
	}
	return list;
}

/* The port that has a frontend which is refused to another; "": none. */
static json_t *plan_holder(const struct plan *p, const struct plan_ports *ports,
	const struct frontend *fe, uint8_t proto, const struct fact_key *key)
{
	const struct publication *holder =
		publication_holder(engine_ledger(p->engine), p->view, fe, proto);

	return holder ? plan_port_name(ports, holder->slot, key) : json_string("");
}

/* Addresses that a Service asks for and does not get: those that another one or another program has
 * (`conflicts`), or the others. */
json_t *plan_refused(const struct plan *p, const struct plan_ports *ports, bool conflicts)
{
	json_t *list = json_array();
	char s[IP_STRLEN];

	for (size_t i = 0; i < p->n_slots; i++) {
		const struct publication *pub = p->slots[i]->published;

		for (size_t j = 0; pub && j < pub->n_wishes; j++) {
			const struct wish *w = &pub->wishes[j];
			const struct fact_key key = resolve_frontend_key(p->view, &w->fe, w->proto);
			const bool held = w->fe.refusal == REFUSAL_HELD;
			json_t *o;

			if (!w->fe.refusal ||
				conflicts != (held || w->fe.refusal == REFUSAL_FOREIGN))
				continue;
			o = json_pack("{s:o, s:s, s:i, s:s}", "service",
				plan_port_name(ports, p->slots[i], &key), "address",
				ip_print(&w->fe.ip, s), "port", (int)w->fe.port, "protocol",
				proto_name(w->proto));
			if (held)
				json_object_set_new(
					o, "heldBy", plan_holder(p, ports, &w->fe, w->proto, &key));
			else if (conflicts)
				json_object_set_new(o, "heldBy", json_string("another program"));
			else
				json_object_set_new(
					o, "reason", json_string(refusal_text(w->fe.refusal)));
			json_array_append_new(list, o);
		}
	}
	return list;
}

/* Addresses of which only the ports of Services are taken. */
json_t *plan_taken_by_port(const struct plan *p)
{
	size_t n;
	const struct fact *f = plan_facts(p, FACT_ROUTE, &n);
	json_t *list = json_array();
	char s[IP_STRLEN];

	for (; n; n--, f++) {
		const struct ip vip = fact_ip(&f->key);

		if (f->key.port)
			json_array_append_new(list, json_string(ip_print(&vip, s)));
	}
	return list;
}

json_t *plan_policy_rules(const struct plan *p)
{
	size_t n;
	const struct fact *f = plan_facts(p, FACT_POLICY_RULE, &n);
	json_t *list = json_array();

	for (; n; n--, f++)
		json_array_append_new(list,
			json_pack("{s:s, s:I, s:I, s:I, s:I}", "family", family_name(f->key.family),
				"priority", (json_int_t)f->key.policy_rule.priority, "mark",
				(json_int_t)f->key.policy_rule.mark, "mask",
				(json_int_t)f->key.policy_rule.mask, "table",
				(json_int_t)f->key.policy_rule.table));
	return list;
}

/* `is`: the observed value without the key, "rr persistence=10", or "none". */
void plan_each_difference(
	const struct plan *p, const struct plan_ports *ports, plan_take_fn fn, void *arg)
{
	/* The words of a fact's line before its value. */
	static const int key_words[FACT_KINDS] = {
		[FACT_LINK] = 2,
		[FACT_POLICY_RULE] = 6,
		[FACT_SET] = 2,
		[FACT_MEMBER] = 3,
		[FACT_CHAIN] = 4,
		[FACT_DISPATCH] = 2,
		[FACT_JUMP] = 5,
		[FACT_VS] = 2,
		[FACT_RS] = 3,
		[FACT_HELD] = 2,
		[FACT_ROUTE] = 2,
		[FACT_ADDR] = 2,
	};

	(void)ports;
	for (size_t i = 0; i < p->n_differences; i++) {
		const struct difference *d = &p->differences[i];
		_cleanup_(buf_done) struct buf fact = { 0 }, have = { 0 };
		json_t *o;

		fact_print(&fact, &d->fact);
		o = json_pack(
			"{s:s, s:s}", "change", op_type_name(d->type), "fact", buf_str(&fact));
		if (d->type == OP_SET) {
			const char *value;

			fact_print(&have, &d->have);
			value = buf_str(&have);
			for (int n = key_words[d->have.key.kind]; n && *value; n--) {
				value += strcspn(value, " ");
				value += strspn(value, " ");
			}
			json_object_set_new(o, "is", json_string(*value ? value : "none"));
		}
		fn(o, arg);
	}
}

void plan_ports_done(struct plan_ports *l)
{
	free(l->ports);
}

json_t *plan_json(const struct plan *p)
{
	_cleanup_(plan_ports_done) struct plan_ports ports = { 0 };
	json_t *o = json_object(), *addresses = json_array(), *ipsets = json_object();
	const bool nftables = node_view_on_nftables(p->view);

	plan_ports_fill(&ports, p);
	plan_each_vip(p, &ports, take_address, addresses);
	plan_each_ipset(p, &ports, take_into_object, ipsets);

	json_object_set_new(o, "apiVersion", json_string("ipvsctl.io/v1"));
	json_object_set_new(o, "kind", json_string("Plan"));
	json_object_set_new(o, "node", json_string(p->view->options->node_name));
	json_object_set_new(o, "backend", json_string(backend_name(node_view_backend(p->view))));
	json_object_set_new(o, "netfilter",
		json_string(netfilter_name(nftables ? NETFILTER_NFTABLES : NETFILTER_IPTABLES)));
	json_object_set_new(o, "virtualServers", plan_list(plan_each_virtual_server, p, &ports));
	if (node_view_translates(p->view))
		json_object_set_new(o, "dispatch", plan_list(plan_each_dispatch, p, &ports));
	json_object_set_new(o, "addresses", addresses);
	json_object_set_new(o, "takenByPort", plan_taken_by_port(p));
	json_object_set_new(o, "policyRules", plan_policy_rules(p));
	json_object_set_new(o, "ipsets", ipsets);
	json_object_set_new(o, "chains", plan_rules(p, FACT_CHAIN, AF_INET));
	json_object_set_new(o, "jumps", plan_rules(p, FACT_JUMP, AF_INET));
	json_object_set_new(o, "chains6", plan_rules(p, FACT_CHAIN, AF_INET6));
	json_object_set_new(o, "jumps6", plan_rules(p, FACT_JUMP, AF_INET6));
	if (nftables)
		json_object_set_new(o, "nftables", plan_nftables(p));
	json_object_set_new(o, "notProxied", plan_not_proxied(p));
	json_object_set_new(o, "conflicts", plan_refused(p, &ports, true));
	json_object_set_new(o, "refused", plan_refused(p, &ports, false));
	if (p->compared)
		json_object_set_new(o, "differences", plan_list(plan_each_difference, p, &ports));
	return o;
}
