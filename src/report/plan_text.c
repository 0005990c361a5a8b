// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "base/printable.h"
#include "plan_members.h"
#include "plan_nftables.h"
#include "report/clean.h"

enum { SERVER_WIDTH = 31 /* of a real server's address and port */ };

static const char *member_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_int_t member_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "10.0.0.1:80" or "[fd00::1]:80" */
static void plan_print_address_port(const json_t *o, struct buf *out)
{
	const char *address = member_text(o, "address");

	buf_addf(out, strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address,
		member_number(o, "port"));
}

/* Each of these prints a member of a list into the buffer `arg`, and drops it. */

static void print_virtual_server(json_t *vs, void *arg)
{
	const json_t *servers = json_object_get(vs, "realServers"), *rs;
	const json_t *flags = json_object_get(vs, "flags"), *flag;
	struct buf *out = arg;
	size_t i;

	report_clean(vs);
	if (json_object_get(vs, "fwmark")) {
		buf_addf(out, "FWM  %lld (%s)", member_number(vs, "fwmark"),
			member_text(vs, "family"));
	} else {
		buf_addf(out, "%-4s ", member_text(vs, "protocol"));
		plan_print_address_port(vs, out);
	}
	buf_addf(out, " %s", member_text(vs, "scheduler"));
	json_array_foreach(flags, i, flag) {
		buf_addf(out, " (%s)", json_string_value(flag));
	}
	if (member_number(vs, "persistenceSeconds"))
		buf_addf(out, " persistent %lld", member_number(vs, "persistenceSeconds"));
	buf_addf(out, "  # %s\n", member_text(vs, "service"));

	json_array_foreach(servers, i, rs) {
		_cleanup_(buf_done) struct buf server = { 0 };

		plan_print_address_port(rs, &server);
		buf_addf(out, "  -> %-*s Masq    %lld\n", SERVER_WIDTH, buf_str(&server),
			member_number(rs, "weight"));
	}
	json_decref(vs);
}

static void plan_print_virtual_servers(
	const struct plan *p, const struct plan_ports *ports, struct buf *out)
{
	size_t n;

	plan_facts(p, FACT_VS, &n);
	buf_addf(out, "\nVirtual servers: %zu\n", n);
	if (n)
		buf_addf(out, "Prot LocalAddress:Port Scheduler Flags\n  -> %-*s Forward Weight\n",
			SERVER_WIDTH, "RemoteAddress:Port");
	plan_each_virtual_server(p, ports, print_virtual_server, out);
}

static void print_dispatch(json_t *o, void *arg)
{
	struct buf *out = arg;

	report_clean(o);
	buf_addf(out, "%-4s ", member_text(o, "protocol"));
	if (json_object_get(o, "nodePort"))
		buf_addf(out, "NodePort %lld (%s)", member_number(o, "nodePort"),
			member_text(o, "family"));
	else
		plan_print_address_port(o, out);
	buf_addf(out, " -> %s  # %s\n", member_text(o, "chain"), member_text(o, "service"));
	json_decref(o);
}

static void plan_print_dispatch(
	const struct plan *p, const struct plan_ports *ports, struct buf *out)
{
	size_t n;

	plan_facts(p, FACT_DISPATCH, &n);
	buf_addf(out, "\nNew connections: %zu\n", n);
	plan_each_dispatch(p, ports, print_dispatch, out);
}

static void plan_print_left_out(
	const struct plan *p, const struct plan_ports *ports, struct buf *out)
{
	json_t *not_proxied = plan_not_proxied(p), *conflicts = plan_refused(p, ports, true);
	json_t *refused = plan_refused(p, ports, false);
	const json_t *o;
	size_t i;

	report_clean(not_proxied);
	report_clean(conflicts);
	report_clean(refused);
	if (json_array_size(not_proxied))
		buf_adds(out, "\nNot proxied:\n");
	json_array_foreach(not_proxied, i, o) {
		buf_addf(out, "  %s: %s\n", member_text(o, "service"), member_text(o, "reason"));
	}
	if (json_array_size(conflicts))
		buf_adds(out, "\nConflicts of Services:\n");
	json_array_foreach(conflicts, i, o) {
		buf_addf(out, "  %s does not get ", member_text(o, "service"));
		plan_print_address_port(o, out);
		buf_addf(out, "/%s, which belongs to %s\n", member_text(o, "protocol"),
			member_text(o, "heldBy"));
	}
	if (json_array_size(refused))
		buf_adds(out, "\nRefused:\n");
	json_array_foreach(refused, i, o) {
		buf_addf(out, "  %s does not get ", member_text(o, "service"));
		plan_print_address_port(o, out);
		buf_addf(out, "/%s: %s\n", member_text(o, "protocol"), member_text(o, "reason"));
	}
	json_decref(not_proxied);
	json_decref(conflicts);
	json_decref(refused);
}

/* The ports stand in the set KUBE-EXTERNAL-PORT. */
static void plan_print_taken_by_port(const struct plan *p, struct buf *out)
{
	json_t *addresses = plan_taken_by_port(p), *rules = plan_policy_rules(p);
	const json_t *o;
	size_t i;

	if (json_array_size(addresses))
		buf_addf(out, "\nTaken port by port: %zu\n", json_array_size(addresses));
	json_array_foreach(addresses, i, o) {
		buf_addf(out, "  %s\n", json_string_value(o));
	}
	if (json_array_size(rules))
		buf_adds(out, "\nPolicy rules:\n");
	json_array_foreach(rules, i, o) {
		buf_addf(out, "  %s %lld: from all fwmark 0x%llx/0x%llx lookup %lld\n",
			member_text(o, "family"), member_number(o, "priority"),
			member_number(o, "mark"), member_number(o, "mask"),
			member_number(o, "table"));
	}
	json_decref(addresses);
	json_decref(rules);
}

struct vips_text {
	struct buf *out;
	size_t n, at;
};

static void count_vip(json_t *vip, void *arg)
{
	struct vips_text *t = arg;

	t->n++;
	json_decref(vip);
}

static void print_vip(json_t *vip, void *arg)
{
	struct vips_text *t = arg;

	if (!t->at++)
		buf_addf(t->out, "\nMade local by %s: %zu\n", member_text(vip, "by"), t->n);
	buf_addf(t->out, "  %s", member_text(vip, "address"));
	if (*member_text(vip, "source"))
		buf_addf(t->out, " src %s", member_text(vip, "source"));
	buf_addc(t->out, '\n');
	json_decref(vip);
}

struct ipsets_text {
	struct buf *out;
	size_t n_empty;
};

static void print_ipset(json_t *named, void *arg)
{
	struct ipsets_text *t = arg;
	const json_t *entry;
	const char *name;
	json_t *set;
	size_t i;

	report_clean(named);
	json_object_foreach(named, name, set) {
		const json_t *entries = json_object_get(set, "entries");

		json_array_foreach(entries, i, entry) {
			if (!i)
				buf_addf(t->out, "  %s %s\n", name, member_text(set, "type"));
			buf_addf(t->out, "    %s\n", json_string_value(entry));
		}
		t->n_empty += !json_array_size(entries);
	}
	json_decref(named);
}

static void plan_print_ipsets(const struct plan *p, struct buf *out)
{
	struct ipsets_text t = { .out = out };
	size_t n;

	plan_facts(p, FACT_SET, &n);
	buf_addf(out, "\nipsets: %zu\n", n);
	plan_each_ipset(p, NULL, print_ipset, &t);
	if (t.n_empty)
		buf_addf(out, "  and %zu empty one%s\n", t.n_empty, t.n_empty == 1 ? "" : "s");
}

/* In the form of iptables-save, table by table, and the jumps of each before its chains. */
static void plan_print_rules(const struct plan *p, int family, struct buf *out)
{
	static const enum fact_kind kinds[] = { FACT_JUMP, FACT_CHAIN };
	const struct rule_pool *pool = engine_rules(p->engine);
	_cleanup_(buf_done) struct buf text = { 0 };

	for (enum table t = TABLE_NAT; t <= TABLE_MANGLE; t++) {
		bool any = false;

		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			size_t n;
			const struct fact *f = plan_facts(p, kinds[k], &n);

			for (; n; n--, f++) {
				const struct rule_list *rules =
					rule_pool_get(pool, f->val.chain.rules);
				struct rule rule;

				if (f->key.family != family || f->key.set != t)
					continue;
				for (size_t at = 0; rules && rule_list_next(rules, &at, &rule);) {
					if (!any)
						buf_addf(out, "\nRules in %s, table %s:\n",
							family == AF_INET6 ? "ip6tables"
									   : "iptables",
							table_name(t));
					any = true;
					buf_reset(&text);
					p->print_rule(&text, family, plan_rules_chain(f), &rule);
					buf_adds(out, "  ");
					printable_add(out, buf_str(&text));
					buf_addc(out, '\n');
				}
			}
		}
	}
}

static void print_difference(json_t *o, void *arg)
{
	const char *change = member_text(o, "change");
	struct buf *out = arg;

	report_clean(o);
	buf_addf(out, "%c %s",
		!strcmp(change, "add")		 ? '+'
			: !strcmp(change, "set") ? '~'
						 : '-',
		member_text(o, "fact"));
	if (json_object_get(o, "is"))
		buf_addf(out, " (is %s)", member_text(o, "is"));
	buf_addc(out, '\n');
	json_decref(o);
}

void plan_text(const struct plan *p, struct buf *out)
{
	const bool translates = node_view_translates(p->view);
	const bool nftables = node_view_on_nftables(p->view);
	_cleanup_(plan_ports_done) struct plan_ports ports = { 0 };
	struct vips_text vips = { .out = out };

	plan_ports_fill(&ports, p);
	buf_adds(out, "Node: ");
	printable_add(out, p->view->options->node_name);
	buf_addf(out, "   Backend: %s%s   Services: %zu\n",
		backend_name(node_view_backend(p->view)),
		nftables && !translates ? " with nftables" : "", p->n_slots);
	if (translates)
		plan_print_dispatch(p, &ports, out);
	else
		plan_print_virtual_servers(p, &ports, out);
	plan_print_left_out(p, &ports, out);
	plan_each_vip(p, &ports, count_vip, &vips);
	plan_each_vip(p, &ports, print_vip, &vips);
	plan_print_taken_by_port(p, out);
	if (nftables) {
		json_t *objects = plan_nftables(p);

		report_clean(objects);
		plan_print_nftables(objects, out);
		json_decref(objects);
	} else {
		plan_print_ipsets(p, out);
		plan_print_rules(p, AF_INET, out);
		plan_print_rules(p, AF_INET6, out);
	}
	if (p->compared) {
		buf_addf(out, "\nDifferences to the kernel: %zu\n", p->n_differences);
		plan_each_difference(p, &ports, print_difference, out);
	}
}
