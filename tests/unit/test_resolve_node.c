// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "fixture.h"
#include "rule_text.h"

struct node_facts {
	struct fact_list facts;
	struct rule_pool pool;
	struct buf text; /* of the chain that was asked for last */
};

static void node_facts_resolve_for(struct node_facts *n, void (*change)(struct fixture_node *p),
	const struct node_needs *needs)
{
	struct fixture_node node;

	*n = (struct node_facts){ 0 };
	fixture_node_init(&node);
	node.options.mark_mask = 0xfff00000;
	if (change)
		change(&node);
	resolve_node(&node.view, needs, &n->pool, &n->facts);
	fact_list_finish(&n->facts);
}

static void node_facts_resolve(struct node_facts *n, void (*change)(struct fixture_node *p))
{
	struct node_needs needs = node_needs_all();

	memset(needs.takes_ports, false, sizeof(needs.takes_ports));
	memset(needs.leads_ports, false, sizeof(needs.leads_ports));
	node_facts_resolve_for(n, change, &needs);
}

static void node_facts_done(struct node_facts *n)
{
	fact_list_done(&n->facts);
	rule_pool_done(&n->pool);
	buf_done(&n->text);
}

static const char *chain(struct node_facts *n, int family, enum table table, const char *name)
{
	struct fact f = fact_chain(family, table, name, 0);

	for (size_t i = 0; i < n->facts.n; i++)
		if (fact_key_eq(&n->facts.facts[i].key, &f.key)) {
			buf_reset(&n->text);
			rule_text_print(&n->text, &n->pool, &n->facts.facts[i]);
			return buf_str(&n->text);
		}
	fail_msg("no chain %s", name);
	return NULL;
}

static size_t count(const struct node_facts *n, enum fact_kind kind, int family)
{
	size_t c = 0;

	for (size_t i = 0; i < n->facts.n; i++)
		c += n->facts.facts[i].key.kind == kind && n->facts.facts[i].key.family == family;
	return c;
}

static void ipv4_only(struct fixture_node *p)
{
	p->view.ipv6 = false;
}

static void the_node_has_its_device_sets_chains_and_jumps(void **state)
{
	struct node_facts n;

	(void)state;
	node_facts_resolve(&n, NULL);
	assert_int_equal(count(&n, FACT_LINK, 0), 1);
	for (int i = 0; i < 2; i++) {
		int family = i ? AF_INET6 : AF_INET;

		assert_int_equal(count(&n, FACT_SET, family), SET_IPSETS - 2);
		assert_int_equal(count(&n, FACT_CHAIN, family), 13);
		assert_int_equal(count(&n, FACT_JUMP, family), 10);
	}
	assert_int_equal(n.facts.n, 1 + 2 * (SET_IPSETS - 2 + 13 + 10));
	node_facts_done(&n);
	node_facts_resolve(&n, ipv4_only);
	assert_int_equal(n.facts.n, 1 + SET_IPSETS - 2 + 13 + 10);
	node_facts_done(&n);
}

static void every_chain_of_the_node_is_known_as_ours(void **state)
{
	struct node_facts n;

	(void)state;
	node_facts_resolve(&n, NULL);
	for (size_t i = 0; i < n.facts.n; i++) {
		const struct fact_key *k = &n.facts.facts[i].key;

		if (k->kind == FACT_CHAIN || k->kind == FACT_JUMP)
			assert_true(chain_is_ours(k->set, k->name));
	}
	node_facts_done(&n);
	assert_true(chain_is_ours(TABLE_FILTER, "KUBE-NODE-PORT"));
	assert_true(chain_is_ours(TABLE_NAT, "KUBE-SVC-XPGD46QRK7WJZT7O"));
	assert_true(chain_is_ours(TABLE_NAT, "KUBE-FW-XPGD46QRK7WJZT7O"));
	assert_true(chain_is_ours(TABLE_FILTER, "KUBE-EXTERNAL-SERVICES"));
	assert_false(chain_is_ours(TABLE_FILTER, "KUBE-SVC-XPGD46QRK7WJZT7O"));
	assert_false(chain_is_ours(TABLE_NAT, "KUBE-SVC-MINE"));
	assert_false(chain_is_ours(TABLE_FILTER, "KUBE-FIREWALL"));
	assert_false(chain_is_ours(TABLE_NAT, "KUBE-MARK-DROP"));
	assert_false(chain_is_ours(TABLE_NAT, "PREROUTING"));
}

static void on_iptables(struct fixture_node *p)
{
	p->view.backend = BACKEND_IPTABLES;
}

static bool chain_is_there(const struct node_facts *n, enum table table, const char *name)
{
	const struct fact f = fact_chain(AF_INET, table, name, 0);

	for (size_t i = 0; i < n->facts.n; i++)
		if (fact_key_eq(&n->facts.facts[i].key, &f.key))
			return true;
	return false;
}

static void rules_that_look_into_empty_sets_are_left_out(void **state)
{
	struct node_needs needs = { 0 };
	struct node_facts n;

	(void)state;
	needs.has_members[0][SET_CLUSTER_IP] = needs.has_members[0][SET_IPVS_IPS] = true;
	needs.has_members[1][SET_NO_LOCAL] = true; /* of the other family */
	node_facts_resolve_for(&n, NULL, &needs);
	assert_string_equal(chain(&n, AF_INET, TABLE_FILTER, "KUBE-IPVS-FILTER"),
		"-A KUBE-IPVS-FILTER -m conntrack --ctstate RELATED,ESTABLISHED -m set --match-set "
		"KUBE-IPVS-IPS dst -j ACCEPT\n"
		"-A KUBE-IPVS-FILTER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
		"-A KUBE-IPVS-FILTER -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\n"
		"-A KUBE-IPVS-FILTER -p icmp -m icmp --icmp-type 8 -j RETURN\n"
		"-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst "
		"-j REJECT --reject-with icmp-port-unreachable\n");
	assert_false(chain_is_there(&n, TABLE_FILTER, "KUBE-PROXY-FIREWALL"));
	assert_false(chain_is_there(&n, TABLE_FILTER, "KUBE-NODE-PORT"));
	assert_false(chain_is_there(&n, TABLE_FILTER, CHAIN_SOURCE_RANGES));
	assert_false(chain_is_there(&n, TABLE_MANGLE, "KUBE-IPVS-PODS"));
	assert_false(chain_is_there(&n, TABLE_MANGLE, "KUBE-IPVS-NODE"));
	assert_null(strstr(
		chain(&n, AF_INET, TABLE_NAT, "KUBE-SERVICES"), "KUBE-LOAD-BALANCER dst,dst"));
	assert_string_equal(chain(&n, AF_INET, TABLE_NAT, "KUBE-NODE-PORT"), "");
	assert_int_equal(count(&n, FACT_JUMP, AF_INET), 5);
	assert_int_equal(count(&n, FACT_JUMP, AF_INET6), 7);
	node_facts_done(&n);
	/* In time when the first member comes: here the entrance changes late. */
	node_facts_resolve_for(&n, on_iptables, &needs);
	assert_non_null(strstr(
		chain(&n, AF_INET, TABLE_NAT, "KUBE-SERVICES"), "KUBE-LOAD-BALANCER dst,dst"));
	node_facts_done(&n);
}

static const char *jump_text(
	struct node_facts *n, enum table table, enum hook hook, const char *name)
{
	struct fact f = fact_jump(AF_INET, table, hook, name, 0);

	for (size_t i = 0; i < n->facts.n; i++)
		if (fact_key_eq(&n->facts.facts[i].key, &f.key)) {
			buf_reset(&n->text);
			rule_text_print(&n->text, &n->pool, &n->facts.facts[i]);
			return buf_str(&n->text);
		}
	return "";
}

/* But for UDP, IPVS never chooses another endpoint for them. */
static void packets_that_go_on_pass_few_rules(void **state)
{
	static const char on[] = "-A KUBE-IPVS-PODS ! -p udp -m conntrack --ctstate "
				 "RELATED,ESTABLISHED -j RETURN\n-A KUBE-IPVS-PODS -s";
	static const char state_new[] = "-m conntrack ! --ctstate RELATED,ESTABLISHED -j ";
	struct node_facts n;

	(void)state;
	node_facts_resolve(&n, NULL);
	assert_int_equal(
		strncmp(chain(&n, AF_INET, TABLE_MANGLE, "KUBE-IPVS-PODS"), on, strlen(on)), 0);
	assert_non_null(
		strstr(jump_text(&n, TABLE_FILTER, HOOK_INPUT, "KUBE-PROXY-FIREWALL"), state_new));
	assert_non_null(strstr(
		jump_text(&n, TABLE_FILTER, HOOK_FORWARD, "KUBE-PROXY-FIREWALL"), state_new));
	assert_string_equal(jump_text(&n, TABLE_FILTER, HOOK_OUTPUT, "KUBE-IPVS-OUT-FILTER"), "");
	node_facts_done(&n);
	node_facts_resolve(&n, on_iptables);
	assert_non_null(
		strstr(jump_text(&n, TABLE_FILTER, HOOK_FORWARD, "KUBE-SERVICES"), state_new));
	node_facts_done(&n);
}

static void handing_over(struct fixture_node *p)
{
	options_set_layout(&p->options, LAYOUT_KUBE_PROXY);
}

static void handing_over_leaves_every_rule_of_kube_proxy(void **state)
{
	const struct node_needs nothing = { 0 };
	struct node_facts n;

	(void)state;
	node_facts_resolve_for(&n, handing_over, &nothing);
	assert_string_equal(chain(&n, AF_INET, TABLE_FILTER, "KUBE-IPVS-OUT-FILTER"), "");
	assert_non_null(strstr(chain(&n, AF_INET, TABLE_FILTER, "KUBE-PROXY-FIREWALL"),
		"KUBE-LOAD-BALANCER-FW dst,dst"));
	assert_string_equal(jump_text(&n, TABLE_FILTER, HOOK_INPUT, "KUBE-PROXY-FIREWALL"),
		"-A INPUT -m comment --comment \"kube-proxy firewall rules\" -j "
		"KUBE-PROXY-FIREWALL\n");
	assert_true(chain_is_there(&n, TABLE_FILTER, CHAIN_SOURCE_RANGES));
	assert_false(chain_is_there(&n, TABLE_MANGLE, "KUBE-IPVS-PODS"));
	node_facts_done(&n);
}

static void rules_look_as_iptables_save_prints_them(void **state)
{
	static const struct {
		enum table table;
		const char *name, *rules;
	} rows[] = {
		{ TABLE_NAT, "KUBE-POSTROUTING",
			"-A KUBE-POSTROUTING -m comment --comment \"Kubernetes endpoints dst "
			"ip:port, source ip for solving hairpin purpose\" -m set --match-set "
			"KUBE-LOOP-BACK dst,dst,src -j MASQUERADE\n"
			"-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
			"-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n"
			"-A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic "
			"requiring SNAT\" -j MASQUERADE --random-fully\n" },
		{ TABLE_NAT, "KUBE-MARK-MASQ",
			"-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n" },
		{ TABLE_NAT, "KUBE-LOAD-BALANCER",
			"-A KUBE-LOAD-BALANCER -m comment --comment \"Kubernetes service load "
			"balancer ip + port with externalTrafficPolicy=local\" -m set --match-set "
			"KUBE-LOAD-BALANCER-LOCAL dst,dst -j RETURN\n"
			"-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ\n" },
		{ TABLE_FILTER, "KUBE-FORWARD",
			"-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack "
			"rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
			"-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m "
			"mark --mark 0x4000/0x4000 -j ACCEPT\n" },
		{ TABLE_FILTER, "KUBE-IPVS-FILTER",
			"-A KUBE-IPVS-FILTER -m conntrack --ctstate RELATED,ESTABLISHED -m set "
			"--match-set KUBE-IPVS-IPS dst -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m set --match-set KUBE-NODE-PORT-SCTP-HASH dst,dst -j "
			"ACCEPT\n"
			"-A KUBE-IPVS-FILTER -p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -m "
			"addrtype --dst-type LOCAL -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -p udp -m set --match-set KUBE-NODE-PORT-UDP dst -m "
			"addrtype --dst-type LOCAL -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m conntrack --ctstate RELATED,ESTABLISHED -m set "
			"--match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m conntrack --ctstate RELATED,ESTABLISHED -m set "
			"--match-set KUBE-EXTERNAL-IP dst,dst -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m conntrack --ctstate RELATED,ESTABLISHED -m set "
			"--match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
			"-A KUBE-IPVS-FILTER -m comment --comment \"Kubernetes service load "
			"balancer ip + port for load balancer with sourceRange\" -m set "
			"--match-set KUBE-LOAD-BALANCER-FW dst,dst -j "
			"KUBE-SOURCE-RANGES-FIREWALL\n"
			"-A KUBE-IPVS-FILTER -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m set --match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP dst,dst -j ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -j "
			"ACCEPT\n"
			"-A KUBE-IPVS-FILTER -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j "
			"RETURN\n"
			"-A KUBE-IPVS-FILTER -p icmp -m icmp --icmp-type 8 -j RETURN\n"
			"-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set "
			"KUBE-IPVS-IPS dst -j REJECT --reject-with icmp-port-unreachable\n" },
	};
	struct node_facts n;

	(void)state;
	node_facts_resolve(&n, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(chain(&n, AF_INET, rows[i].table, rows[i].name), rows[i].rules);
	assert_non_null(strstr(chain(&n, AF_INET6, TABLE_FILTER, "KUBE-IPVS-FILTER"),
		"-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j RETURN\n"));
	assert_non_null(strstr(chain(&n, AF_INET6, TABLE_FILTER, "KUBE-IPVS-FILTER"),
		"KUBE-6-IPVS-IPS dst -j REJECT --reject-with icmp6-port-unreachable\n"));
	assert_non_null(strstr(chain(&n, AF_INET6, TABLE_NAT, "KUBE-SERVICES"),
		"-A KUBE-SERVICES -s ::1/128 -j RETURN\n"));
	/* Quotes within a comment are escaped. */
	assert_non_null(strstr(
		chain(&n, AF_INET, TABLE_NAT, "KUBE-NODE-PORT"), "with type \\'hash ip:port\\'\""));
	node_facts_done(&n);
}

static void detect_nothing(struct fixture_node *p)
{
	p->options.cluster_cidr[0] = (struct cidr){ 0 };
}

static void masquerade_all(struct fixture_node *p)
{
	p->options.masquerade_all = true;
}

static void detect_node_cidr(struct fixture_node *p)
{
	static const struct cidr cidrs[] = {
		{ .ip = { .family = AF_INET6, .bytes = { 0x20, 0x12 } }, .len = 80 },
		{ .ip = { .family = AF_INET, .bytes = { 10, 244, 7 } }, .len = 24 },
	};

	p->options.detect_local = DETECT_NODE_CIDR;
	memcpy(p->view.pod_cidrs, cidrs, sizeof(cidrs));
	p->view.n_pod_cidrs = ARRAY_SIZE(cidrs);
}

static void detect_bridge(struct fixture_node *p)
{
	p->options.detect_local = DETECT_BRIDGE_INTERFACE;
	strcpy(p->options.interface, "cni0");
}

static void detect_prefix(struct fixture_node *p)
{
	p->options.detect_local = DETECT_INTERFACE_NAME_PREFIX;
	strcpy(p->options.interface, "veth+");
}

#define COMMENT \
	" -m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\""

static void what_counts_as_local_decides_who_is_masqueraded(void **state)
{
	static const struct {
		void (*policy)(struct fixture_node *p);
		const char *rule;
	} rows[] = {
		{ NULL,
			" ! -s 10.244.0.0/16" COMMENT
			" -m set --match-set KUBE-CLUSTER-IP dst,dst" },
		{ detect_nothing, COMMENT " -m set --match-set KUBE-CLUSTER-IP src,dst" },
		{ masquerade_all, COMMENT " -m set --match-set KUBE-CLUSTER-IP dst,dst" },
		{ detect_node_cidr,
			" ! -s 10.244.7.0/24" COMMENT
			" -m set --match-set KUBE-CLUSTER-IP dst,dst" },
		{ detect_bridge,
			" ! -i cni0" COMMENT " -m set --match-set KUBE-CLUSTER-IP dst,dst" },
		{ detect_prefix,
			" ! -i veth+" COMMENT " -m set --match-set KUBE-CLUSTER-IP dst,dst" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf rule = { 0 };
		struct node_facts n;

		buf_addf(&rule, "-A KUBE-SERVICES%s -j KUBE-MARK-MASQ\n", rows[i].rule);
		node_facts_resolve(&n, rows[i].policy);
		assert_non_null(
			strstr(chain(&n, AF_INET, TABLE_NAT, "KUBE-SERVICES"), buf_str(&rule)));
		node_facts_done(&n);
	}
}

static void highest_bit(struct fixture_node *p)
{
	p->options.masquerade_bit = 31;
	p->view.random_fully = false;
}

static void the_masquerade_bit_can_be_any(void **state)
{
	struct node_facts n;

	(void)state;
	node_facts_resolve(&n, highest_bit);
	assert_string_equal(chain(&n, AF_INET, TABLE_NAT, "KUBE-MARK-MASQ"),
		"-A KUBE-MARK-MASQ -j MARK --set-xmark 0x80000000/0x80000000\n");
	assert_non_null(strstr(chain(&n, AF_INET, TABLE_NAT, "KUBE-POSTROUTING"),
		"requiring SNAT\" -j MASQUERADE\n"));
	node_facts_done(&n);
}

static void all_ways(struct fixture_node *p)
{
	p->options.detect_local = DETECT_INTERFACE_NAME_PREFIX;
	strcpy(p->options.interface, "cali+");
	p->options.vip_mode = VIP_ADDRESS;
}

/* iptables-restore refuses a whole table for one rule of a module that the kernel lacks. */
static void no_rule_needs_what_some_kernels_lack(void **state)
{
	static const char *const modules[] = { "-m ipvs", "-m physdev", "-m connmark",
		"-m statistic", "-m recent", "-m nfacct" };
	void (*const policies[])(struct fixture_node *) = { NULL, all_ways };

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		struct node_facts n;

		node_facts_resolve(&n, policies[p]);
		for (size_t i = 0; i < n.facts.n; i++) {
			const struct fact *f = &n.facts.facts[i];

			if (f->key.kind != FACT_CHAIN && f->key.kind != FACT_JUMP)
				continue;
			buf_reset(&n.text);
			rule_text_print(&n.text, &n.pool, f);
			for (size_t m = 0; m < ARRAY_SIZE(modules); m++)
				assert_null(strstr(buf_str(&n.text), modules[m]));
		}
		node_facts_done(&n);
	}
}

/* iptables */

static void addresses_on_iptables(struct fixture_node *p)
{
	on_iptables(p);
	p->options.vip_mode = VIP_ADDRESS;
}

static bool has(const struct node_facts *n, const struct fact_key *key)
{
	for (size_t i = 0; i < n->facts.n; i++)
		if (fact_key_eq(&n->facts.facts[i].key, key))
			return true;
	return false;
}

static void iptables_has_what_it_refers_to_and_no_device(void **state)
{
	const struct fact refused = fact_set(SET_NO_ENDPOINTS, AF_INET),
			  marks = fact_set(SET_LOCAL_MARK, AF_INET);
	struct node_facts n;

	(void)state;
	node_facts_resolve(&n, on_iptables);
	assert_int_equal(count(&n, FACT_LINK, 0), 0);
	assert_int_equal(count(&n, FACT_SET, AF_INET6), SET_IPSETS - 2);
	assert_true(has(&n, &refused.key));
	assert_false(has(&n, &marks.key));
	for (size_t i = 0; i < n.facts.n; i++) {
		const struct fact_key *k = &n.facts.facts[i].key;

		if (k->kind == FACT_CHAIN || k->kind == FACT_JUMP) {
			assert_true(chain_is_ours(k->set, k->name));
			assert_int_not_equal(k->set, TABLE_MANGLE);
		}
	}
	node_facts_done(&n);
	node_facts_resolve(&n, addresses_on_iptables);
	assert_int_equal(count(&n, FACT_LINK, 0), 1);
	node_facts_done(&n);
}

static void without_localhost(struct fixture_node *p)
{
	on_iptables(p);
	p->options.localhost_nodeports = false;
}

static void one_address(struct fixture_node *p)
{
	static struct ip local[] = {
		{ .family = AF_INET, .bytes = { 100, 101, 102, 103 } },
		{ .family = AF_INET, .bytes = { 192, 168, 1, 2 } },
	};

	on_iptables(p);
	p->view.local = local;
	p->view.n_local = ARRAY_SIZE(local);
	p->options.nodeport_addresses[p->options.n_nodeport_addresses++] =
		(struct cidr){ .ip = { .family = AF_INET, .bytes = { 192, 168 } }, .len = 16 };
}

static void one_address_and_localhost(struct fixture_node *p)
{
	one_address(p);
	p->options.nodeport_addresses[p->options.n_nodeport_addresses++] =
		(struct cidr){ .ip = { .family = AF_INET, .bytes = { 127 } }, .len = 8 };
}

static void primary(struct fixture_node *p)
{
	one_address(p);
	p->options.nodeport_primary = true;
}

#define ALL "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT\n"
#define TO(address) "-A KUBE-SERVICES -d " address " -j KUBE-NODE-PORT\n"

static void node_ports_answer_where_they_should(void **state)
{
	static const struct {
		void (*policy)(struct fixture_node *p);
		int family;
		const char *rules;
		bool localhost;
	} rows[] = {
		{ on_iptables, AF_INET, ALL, true },
		{ on_iptables, AF_INET6,
			"-A KUBE-SERVICES ! -d ::1/128 -m addrtype --dst-type LOCAL -j "
			"KUBE-NODE-PORT\n" },
		{ without_localhost, AF_INET,
			"-A KUBE-SERVICES ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j "
			"KUBE-NODE-PORT\n" },
		{ one_address, AF_INET, TO("192.168.1.2/32") },
		{ one_address_and_localhost, AF_INET, TO("192.168.1.2/32") TO("127.0.0.0/8"),
			true },
		{ primary, AF_INET, TO("100.101.102.103/32") },
	};
	static const char before[] = "-A KUBE-SERVICES -m set --match-set KUBE-IPVS-IPS dst -j "
				     "RETURN\n",
			  before6[] = "-A KUBE-SERVICES -m set --match-set KUBE-6-IPVS-IPS dst -j "
				      "RETURN\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool v6 = rows[i].family == AF_INET6;
		struct node_facts n;
		const char *rules, *at;

		node_facts_resolve(&n, rows[i].policy);
		rules = chain(&n, rows[i].family, TABLE_NAT, "KUBE-SERVICES");
		at = strstr(rules, v6 ? before6 : before);
		assert_non_null(at);
		assert_string_equal(strchr(at, '\n') + 1, rows[i].rules);
		rules = chain(&n, rows[i].family, TABLE_FILTER, "KUBE-SERVICES");
		assert_int_equal(strstr(rules, "block incoming localnet connections") != NULL,
			rows[i].localhost);
		node_facts_done(&n);
	}
}

static void keep_invalid(struct fixture_node *p)
{
	on_iptables(p);
	p->view.drop_invalid = false;
}

static void invalid_packets_are_dropped_before_they_are_forwarded(void **state)
{
	static const char drop[] = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n";
	const char *rules;
	struct node_facts n;

	(void)state;
	node_facts_resolve(&n, on_iptables);
	rules = chain(&n, AF_INET, TABLE_FILTER, "KUBE-FORWARD");
	assert_non_null(strstr(rules, drop));
	assert_true(strstr(rules, drop) < strstr(rules, "--mark 0x4000/0x4000 -j ACCEPT"));
	node_facts_done(&n);
	node_facts_resolve(&n, keep_invalid);
	assert_null(strstr(chain(&n, AF_INET, TABLE_FILTER, "KUBE-FORWARD"), "INVALID"));
	assert_null(strstr(chain(&n, AF_INET, TABLE_FILTER, "KUBE-SERVICES"), "INVALID"));
	node_facts_done(&n);
	node_facts_resolve(&n, NULL);
	assert_null(strstr(chain(&n, AF_INET, TABLE_FILTER, "KUBE-FORWARD"), "INVALID"));
	node_facts_done(&n);
}

/* Those whose order matters: who may come, before who is refused. */
static void what_is_not_translated_is_dropped_or_refused(void **state)
{
	static const char *const order[] = { "--ctstate DNAT -j RETURN",
		"--ctstate INVALID -m set --match-set KUBE-IPVS-IPS dst -j DROP",
		"--ctstate INVALID -m set --match-set KUBE-NODE-PORT-SCTP-HASH dst,dst -j DROP",
		"-p tcp -m conntrack --ctstate INVALID -m set --match-set KUBE-NODE-PORT-TCP dst -j",
		"KUBE-LOAD-BALANCER-FW dst,dst -j KUBE-SOURCE-RANGES-FIREWALL",
		"KUBE-NO-LOCAL dst,dst -m mark --mark 0x0/0xfff00000 -j DROP",
		"KUBE-NO-ENDPOINTS dst,dst -j REJECT", "KUBE-CLUSTER-IP dst,dst -j RETURN",
		"KUBE-HEALTH-CHECK-NODE-PORT dst -j RETURN", "--icmp-type 8 -j RETURN",
		"KUBE-IPVS-IPS dst -j REJECT" };
	struct node_facts n;
	const char *at;

	(void)state;
	node_facts_resolve(&n, on_iptables);
	at = chain(&n, AF_INET, TABLE_FILTER, "KUBE-SERVICES");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const char *next = strstr(at, order[i]);

		if (!next)
			fail_msg("not there, or too early: %s", order[i]);
		else
			at = next;
	}
	node_facts_done(&n);
}

static void other_bit(struct fixture_node *p)
{
	p->options.mark_mask = 0;
	p->options.external_mark_bit = 3;
}

/* The mark lives from PREROUTING to INPUT, with and without firewall marks of Services. */
static void ports_of_others_addresses_are_marked_and_unmarked(void **state)
{
	struct node_needs only_ipv6 = node_needs_all();
	struct node_facts n;

	(void)state;
	only_ipv6.takes_ports[0] = only_ipv6.leads_ports[0] = false;
	node_facts_resolve_for(&n, other_bit, &only_ipv6);
	assert_string_equal(chain(&n, AF_INET6, TABLE_MANGLE, "KUBE-IPVS-EXTERNAL"),
		"-A KUBE-IPVS-EXTERNAL -m comment --comment \"Kubernetes service ports of addresses "
		"that are not local\" -m set --match-set KUBE-6-EXTERNAL-PORT dst,dst -j MARK "
		"--set-xmark 0x8/0x8\n");
	assert_string_equal(chain(&n, AF_INET6, TABLE_MANGLE, "KUBE-IPVS-TAKEN"),
		"-A KUBE-IPVS-TAKEN -j MARK --set-xmark 0x0/0x8\n");
	/* Only IPv4 needs to know the addresses. */
	assert_int_equal(count(&n, FACT_LINK, 0), 1);
	assert_int_equal(count(&n, FACT_POLICY_RULE, AF_INET6), 1);
	assert_int_equal(count(&n, FACT_POLICY_RULE, AF_INET), 0);
	assert_int_equal(count(&n, FACT_CHAIN, AF_INET) + 2, count(&n, FACT_CHAIN, AF_INET6));
	node_facts_done(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_node_has_its_device_sets_chains_and_jumps),
		cmocka_unit_test(every_chain_of_the_node_is_known_as_ours),
		cmocka_unit_test(rules_that_look_into_empty_sets_are_left_out),
		cmocka_unit_test(packets_that_go_on_pass_few_rules),
		cmocka_unit_test(handing_over_leaves_every_rule_of_kube_proxy),
		cmocka_unit_test(rules_look_as_iptables_save_prints_them),
		cmocka_unit_test(what_counts_as_local_decides_who_is_masqueraded),
		cmocka_unit_test(the_masquerade_bit_can_be_any),
		cmocka_unit_test(no_rule_needs_what_some_kernels_lack),
		cmocka_unit_test(iptables_has_what_it_refers_to_and_no_device),
		cmocka_unit_test(node_ports_answer_where_they_should),
		cmocka_unit_test(invalid_packets_are_dropped_before_they_are_forwarded),
		cmocka_unit_test(what_is_not_translated_is_dropped_or_refused),
		cmocka_unit_test(ports_of_others_addresses_are_marked_and_unmarked),
	};

	return cmocka_run_group_tests_name("resolve_node", tests, NULL, NULL);
}
