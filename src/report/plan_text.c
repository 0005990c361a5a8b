// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan for people; virtual servers stand as `ipvsadm -Ln` prints them. */
#include <netinet/in.h>

#include "base/mem.h"
#include "core/frontends.h"
#include "report/plan.h"

enum { SERVER_WIDTH = 31 }; /* of the address of a real server */

static void virtual_server(const struct plan *p, const struct fact *vs, struct buf *out)
{
	struct ip ip = fact_ip(&vs->key);
	char s[IP_PORT_STRLEN];

	if (vs->key.proto)
		buf_addf(out, "%-4s %s", proto_name(vs->key.proto),
			ip_print_port(&ip, vs->key.port, s));
	else
		buf_addf(out, "FWM  %u (%s)", fact_fwmark(&vs->key), family_name(vs->key.family));
	buf_addf(out, " %s", vs->val.vs.scheduler);
	if (vs->val.vs.flags & VS_SCHED_MH_PORT)
		buf_adds(out, " (mh-port)");
	if (vs->val.vs.flags & VS_SCHED_SH_FALLBACK)
		buf_adds(out, " (sh-fallback)");
	if (vs->val.vs.flags & VS_PERSISTENT)
		buf_addf(out, " persistent %u", vs->val.vs.timeout);
	buf_adds(out, "  # ");
	plan_service(p, &vs->key, out);
	buf_addc(out, '\n');
}

static void real_server(const struct fact *rs, struct buf *out)
{
	struct ip ip = fact_ip2(&rs->key);
	char s[IP_PORT_STRLEN];

	buf_addf(out, "  -> %-*s Masq    %u\n", SERVER_WIDTH, ip_print_port(&ip, rs->key.port2, s),
		rs->val.rs.weight);
}

static void virtual_servers(const struct plan *p, struct buf *out)
{
	size_t n_vs, n_rs;
	const struct fact *vs = plan_facts(p, FACT_VS, &n_vs);
	const struct fact *rs = plan_facts(p, FACT_RS, &n_rs);

	buf_addf(out, "\nVirtual servers: %zu\n", n_vs);
	if (n_vs)
		buf_addf(out, "Prot LocalAddress:Port Scheduler Flags\n  -> %-*s Forward Weight\n",
			SERVER_WIDTH, "RemoteAddress:Port");
	for (; n_vs; n_vs--, vs++) {
		size_t own = plan_real_servers(&vs->key, rs, n_rs);

		virtual_server(p, vs, out);
		for (n_rs -= own; own; own--)
			real_server(rs++, out);
	}
}

static void dispatch(const struct plan *p, struct buf *out)
{
	size_t n;
	const struct fact *f = plan_facts(p, FACT_DISPATCH, &n);
	char s[IP_PORT_STRLEN], chain[CHAIN_NAME_LEN + 1];

	buf_addf(out, "\nNew connections: %zu\n", n);
	for (; n; n--, f++) {
		struct ip ip = fact_ip(&f->key);

		buf_addf(out, "%-4s ", proto_name(f->key.proto));
		if (ip_is_unspecified(&ip))
			buf_addf(out, "NodePort %u (%s)", f->key.port, family_name(f->key.family));
		else
			buf_adds(out, ip_print_port(&ip, f->key.port, s));
		buf_addf(out, " -> %s  # ",
			service_chain_name(f->val.dispatch.chain, f->val.dispatch.hash, chain));
		plan_service(p, &f->key, out);
		buf_addc(out, '\n');
	}
}

static void addresses(const struct plan *p, struct buf *out)
{
	static const struct {
		enum fact_kind kind;
		const char *how;
	} kinds[] = {
		{ FACT_ROUTE, "by a route on lo" },
		{ FACT_ADDR, "by an address on kube-ipvs0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n;
		const struct fact *f = plan_facts(p, kinds[i].kind, &n);

		if (n)
			buf_addf(out, "\nMade local %s: %zu\n", kinds[i].how, n);
		for (; n; n--, f++) {
			struct ip vip = fact_ip(&f->key);
			struct ip source = ip_make(f->key.family, f->val.route.source);
			char s[IP_STRLEN];

			buf_addf(out, "  %s", ip_print(&vip, s));
			if (f->key.kind == FACT_ROUTE && !ip_is_unspecified(&source))
				buf_addf(out, " src %s", ip_print(&source, s));
			buf_addc(out, '\n');
		}
	}
}

static void sets(const struct plan *p, struct buf *out)
{
	size_t n_sets, n, empty = 0;
	const struct fact *set = plan_facts(p, FACT_SET, &n_sets);
	const struct fact *member = plan_facts(p, FACT_MEMBER, &n);
	struct fact_key parent;
	char name[SET_NAME_LEN + 1];

	buf_addf(out, "\nipsets: %zu\n", n_sets);
	for (; n_sets; n_sets--, set++) {
		const struct fact *first = member;

		for (; n && fact_parent(&member->key, &parent) && fact_key_eq(&parent, &set->key);
			member++, n--) {
			if (member == first)
				buf_addf(out, "  %s %s\n",
					set_name(set->key.set, set->key.family, name),
					set_type_name(set->val.set.type));
			buf_adds(out, "    ");
			fact_print_element(out, member);
			buf_addc(out, '\n');
		}
		empty += member == first;
	}
	if (empty)
		buf_addf(out, "  and %zu empty ones\n", empty);
}

struct rule_printer {
	struct buf *out;
	const char *chain;
};

static void print_rule(const char *rule, size_t len, void *arg)
{
	const struct rule_printer *r = arg;

	buf_addf(r->out, "  -A %s %.*s\n", r->chain, (int)len, rule);
}

static void rules(
	const struct plan *p, enum fact_kind kind, int family, enum table table, struct buf *out)
{
	size_t n;
	const struct fact *f = plan_facts(p, kind, &n);

	for (; n; n--, f++) {
		struct rule_printer r = { out,
			kind == FACT_JUMP ? hook_name(f->key.port) : f->key.name };

		if (f->key.family == family && f->key.set == table)
			plan_each_rule(p, f, print_rule, &r);
	}
}

/* As iptables-save does: table by table. */
static void tables(const struct plan *p, struct buf *out)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (enum table t = TABLE_NAT; t <= TABLE_MANGLE; t++) {
			_cleanup_(buf_done) struct buf text = { 0 };

			rules(p, FACT_JUMP, families[f], t, &text);
			rules(p, FACT_CHAIN, families[f], t, &text);
			if (text.len)
				buf_addf(out, "\nRules in %s, table %s:\n%s",
					families[f] == AF_INET6 ? "ip6tables" : "iptables",
					table_name(t), buf_str(&text));
		}
}

static void left_out(const struct plan *p, struct buf *out)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < p->n_slots; i++) {
		const char *reason = service_not_proxied(p->slots[i]->service);

		if (*reason)
			buf_addf(&text, "  %s: %s\n", p->slots[i]->name, reason);
	}
	if (text.len)
		buf_addf(out, "\nNot proxied:\n%s", buf_str(&text));
}

static void conflicts(const struct plan *p, struct buf *out)
{
	if (p->n_conflicts)
		buf_adds(out, "\nConflicts, in which the older Service wins:\n");
	for (size_t i = 0; i < p->n_conflicts; i++) {
		const struct conflict *c = &p->conflicts[i];
		struct ip ip = fact_ip(&c->vs);
		char s[IP_PORT_STRLEN];

		buf_adds(out, "  ");
		plan_service_port(p, c->slot, &c->vs, out);
		buf_addf(out, " does not get %s/%s, which belongs to ",
			ip_print_port(&ip, c->vs.port, s), proto_name(c->vs.proto));
		plan_service(p, &c->vs, out);
		buf_addc(out, '\n');
	}
}

static void differences(const struct plan *p, struct buf *out)
{
	static const char signs[] = { [OP_ADD] = '+', [OP_SET] = '~', [OP_DEL] = '-' };

	if (!p->compared)
		return;
	buf_addf(out, "\nDifferences of the kernel: %zu\n", p->n_differences);
	for (size_t i = 0; i < p->n_differences; i++) {
		const struct difference *d = &p->differences[i];

		buf_addf(out, "%c ", signs[d->type]);
		fact_print(out, &d->fact);
		if (d->type == OP_SET) {
			buf_adds(out, " (is ");
			plan_print_have(d, out);
			buf_addc(out, ')');
		}
		buf_addc(out, '\n');
	}
}

void plan_text(const struct plan *p, struct buf *out)
{
	bool iptables = p->view->backend == BACKEND_IPTABLES;

	buf_addf(out, "Node: %s   Backend: %s   Services: %zu\n", p->view->options->node_name,
		iptables ? "iptables" : "ipvs", p->n_slots);
	if (iptables)
		dispatch(p, out);
	else
		virtual_servers(p, out);
	left_out(p, out);
	conflicts(p, out);
	addresses(p, out);
	sets(p, out);
	tables(p, out);
	differences(p, out);
}
