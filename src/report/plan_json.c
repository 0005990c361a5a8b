// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON of ipvsctl-svc(1), "Plan": a contract, to which keys may be added. */
#include <netinet/in.h>

#include "base/mem.h"
#include "core/frontends.h"
#include "report/plan.h"

static void put(json_t *object, const char *key, const char *s)
{
	json_object_set_new(object, key, json_string(s));
}

static void put_ip(json_t *object, const char *key, const struct ip *ip)
{
	char s[IP_STRLEN];

	put(object, key, ip_print(ip, s));
}

static void put_int(json_t *object, const char *key, json_int_t v)
{
	json_object_set_new(object, key, json_integer(v));
}

static json_t *real_server(const struct fact *rs)
{
	json_t *o = json_object();
	struct ip ip = fact_ip2(&rs->key);

	put_ip(o, "address", &ip);
	put_int(o, "port", rs->key.port2);
	put_int(o, "weight", rs->val.rs.weight);
	return o;
}

static void put_vs_key(json_t *o, const struct fact_key *key)
{
	struct ip ip = fact_ip(key);

	if (!key->proto) {
		put_int(o, "fwmark", fact_fwmark(key));
		put(o, "family", family_name(key->family));
		return;
	}
	put_ip(o, "address", &ip);
	put_int(o, "port", key->port);
	put(o, "protocol", proto_name(key->proto));
}

static json_t *virtual_server(
	const struct plan *p, const struct fact *vs, const struct fact *rs, size_t n_rs)
{
	json_t *o = json_object(), *list = json_array();
	_cleanup_(buf_done) struct buf service = { 0 };

	put_vs_key(o, &vs->key);
	put(o, "scheduler", vs->val.vs.scheduler);
	if (vs->val.vs.flags & VS_SCHED_MH_PORT)
		json_object_set_new(o, "flags", json_pack("[s]", "mh-port"));
	if (vs->val.vs.flags & VS_SCHED_SH_FALLBACK)
		json_object_set_new(o, "flags", json_pack("[s]", "sh-fallback"));
	put_int(o, "persistenceSeconds", vs->val.vs.flags & VS_PERSISTENT ? vs->val.vs.timeout : 0);
	plan_service(p, &vs->key, &service);
	put(o, "service", buf_str(&service));
	for (size_t i = 0; i < n_rs; i++)
		json_array_append_new(list, real_server(&rs[i]));
	json_object_set_new(o, "realServers", list);
	return o;
}

static json_t *virtual_servers(const struct plan *p)
{
	json_t *list = json_array();
	size_t n_vs, n_rs;
	const struct fact *vs = plan_facts(p, FACT_VS, &n_vs);
	const struct fact *rs = plan_facts(p, FACT_RS, &n_rs);

	for (; n_vs; n_vs--, vs++) {
		size_t own = plan_real_servers(&vs->key, rs, n_rs);

		json_array_append_new(list, virtual_server(p, vs, rs, own));
		rs += own;
		n_rs -= own;
	}
	return list;
}

static json_t *dispatch_entry(const struct plan *p, const struct fact *f)
{
	_cleanup_(buf_done) struct buf service = { 0 };
	struct ip ip = fact_ip(&f->key);
	char chain[CHAIN_NAME_LEN + 1];
	json_t *o = json_object();

	if (ip_is_unspecified(&ip)) {
		put_int(o, "nodePort", f->key.port);
		put(o, "family", family_name(f->key.family));
		put(o, "protocol", proto_name(f->key.proto));
	} else {
		put_vs_key(o, &f->key);
	}
	put(o, "chain", service_chain_name(f->val.dispatch.chain, f->val.dispatch.hash, chain));
	plan_service(p, &f->key, &service);
	put(o, "service", buf_str(&service));
	return o;
}

static json_t *dispatch(const struct plan *p)
{
	json_t *list = json_array();
	size_t n;
	const struct fact *f = plan_facts(p, FACT_DISPATCH, &n);

	for (; n; n--, f++)
		json_array_append_new(list, dispatch_entry(p, f));
	return list;
}

/* In either --vip-mode: one of the two kinds is not there. */
static json_t *addresses(const struct plan *p)
{
	static const enum fact_kind kinds[] = { FACT_ROUTE, FACT_ADDR };
	json_t *list = json_array();
	char s[IP_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n;
		const struct fact *f = plan_facts(p, kinds[i], &n);

		for (; n; n--, f++) {
			struct ip ip = fact_ip(&f->key);

			json_array_append_new(list, json_string(ip_print(&ip, s)));
		}
	}
	return list;
}

static json_t *entries(const struct fact *set, const struct fact **member, size_t *n)
{
	json_t *list = json_array();
	struct fact_key parent;

	for (; *n && fact_parent(&(*member)->key, &parent) && fact_key_eq(&parent, &set->key);
		++*member, --*n) {
		_cleanup_(buf_done) struct buf text = { 0 };

		fact_print_element(&text, *member);
		json_array_append_new(list, json_string(buf_str(&text)));
	}
	return list;
}

static json_t *ipsets(const struct plan *p)
{
	json_t *all = json_object();
	size_t n_sets, n_members;
	const struct fact *set = plan_facts(p, FACT_SET, &n_sets);
	const struct fact *member = plan_facts(p, FACT_MEMBER, &n_members);
	char name[SET_NAME_LEN + 1];

	for (; n_sets; n_sets--, set++) {
		json_t *o = json_object();

		put(o, "type", set_type_name(set->val.set.type));
		put(o, "family", set->key.family == AF_INET6 ? "inet6" : "inet");
		json_object_set_new(o, "entries", entries(set, &member, &n_members));
		json_object_set_new(all, set_name(set->key.set, set->key.family, name), o);
	}
	return all;
}

static void append_rule(const char *rule, size_t len, void *list)
{
	json_array_append_new(list, json_stringn(rule, len));
}

/* The member of that name, made if it is not there. */
static json_t *child(json_t *object, const char *key, json_t *(*make)(void))
{
	json_t *o = json_object_get(object, key);

	if (!o) {
		o = make();
		json_object_set_new(object, key, o);
	}
	return o;
}

/* Chains or jumps of one family, by table and by the chain that the rules stand in. */
static json_t *rules(const struct plan *p, enum fact_kind kind, int family)
{
	json_t *tables = json_object();
	size_t n;
	const struct fact *f = plan_facts(p, kind, &n);

	for (; n; n--, f++) {
		const char *chain = kind == FACT_JUMP ? hook_name(f->key.port) : f->key.name;
		json_t *table;

		if (f->key.family != family)
			continue;
		table = child(tables, table_name(f->key.set), json_object);
		plan_each_rule(p, f, append_rule, child(table, chain, json_array));
	}
	return tables;
}

static json_t *not_proxied(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_slots; i++) {
		const char *reason = service_not_proxied(p->slots[i]->service);
		json_t *o;

		if (!*reason)
			continue;
		o = json_object();
		put(o, "service", p->slots[i]->name);
		put(o, "reason", reason);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *conflicts(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_conflicts; i++) {
		const struct conflict *c = &p->conflicts[i];
		_cleanup_(buf_done) struct buf loser = { 0 }, winner = { 0 };
		json_t *o = json_object();

		plan_service_port(p, c->slot, &c->vs, &loser);
		plan_service(p, &c->vs, &winner);
		put(o, "service", buf_str(&loser));
		put_vs_key(o, &c->vs);
		put(o, "heldBy", buf_str(&winner));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *differences(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_differences; i++) {
		const struct difference *d = &p->differences[i];
		_cleanup_(buf_done) struct buf fact = { 0 }, have = { 0 };
		json_t *o = json_object();

		fact_print(&fact, &d->fact);
		put(o, "change", op_type_name(d->type));
		put(o, "fact", buf_str(&fact));
		if (d->type == OP_SET) {
			plan_print_have(d, &have);
			put(o, "is", buf_str(&have));
		}
		json_array_append_new(list, o);
	}
	return list;
}

json_t *plan_json(const struct plan *p)
{
	bool iptables = p->view->backend == BACKEND_IPTABLES;
	json_t *o = json_object();

	put(o, "apiVersion", "ipvsctl.io/v1");
	put(o, "kind", "Plan");
	put(o, "node", p->view->options->node_name);
	put(o, "backend", iptables ? "iptables" : "ipvs");
	json_object_set_new(o, "virtualServers", virtual_servers(p));
	if (iptables)
		json_object_set_new(o, "dispatch", dispatch(p));
	json_object_set_new(o, "addresses", addresses(p));
	json_object_set_new(o, "ipsets", ipsets(p));
	json_object_set_new(o, "chains", rules(p, FACT_CHAIN, AF_INET));
	json_object_set_new(o, "jumps", rules(p, FACT_JUMP, AF_INET));
	json_object_set_new(o, "chains6", rules(p, FACT_CHAIN, AF_INET6));
	json_object_set_new(o, "jumps6", rules(p, FACT_JUMP, AF_INET6));
	json_object_set_new(o, "notProxied", not_proxied(p));
	json_object_set_new(o, "conflicts", conflicts(p));
	if (p->compared)
		json_object_set_new(o, "differences", differences(p));
	return o;
}
