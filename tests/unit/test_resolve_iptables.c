// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "core/resolve.h"
#include "fixture.h"
#include "rule_text.h"

/*
 * The Service a/web with the port p80 in the environment of fixture_node_init(). Names of chains
 * are shortened: SVC, SVL and EXT stand for those of that port, SEP(10.244.0.5:8080) for that of an
 * endpoint, so that the tables say what matters.
 */
struct row {
	const char *name, *objects, *expected;
	void (*change)(struct fixture_node *n);
};

#define SERVICE "service a/web ip=10.20.30.41 "
#define PORT "port=p80:80/TCP"
#define NODE_PORT "type=NodePort port=p80:80/TCP:30001 "
#define SLICE "\nslice a/web-1 port=p80:8080/TCP "
#define LOCAL_EP "ep=10.244.0.5@test-node "
#define REMOTE_EP "ep=10.244.1.7@other "
#define EPS SLICE LOCAL_EP REMOTE_EP

#define SEP_LOCAL "SEP(10.244.0.5:8080) -p tcp -j DNAT --to-destination 10.244.0.5:8080\n"
#define SEP_REMOTE "SEP(10.244.1.7:8080) -p tcp -j DNAT --to-destination 10.244.1.7:8080\n"
#define TO_LOCAL " -m comment --comment \"a/web:p80 -> 10.244.0.5:8080\""
#define TO_REMOTE " -m comment --comment \"a/web:p80 -> 10.244.1.7:8080\""
#define SHARE " -m statistic --mode random --probability "
#define SVC_BOTH                                                       \
	"SVC" TO_LOCAL SHARE "0.50000000000 -j SEP(10.244.0.5:8080)\n" \
	"SVC" TO_REMOTE " -j SEP(10.244.1.7:8080)\n"
#define SVC_EMPTY "SVC\n"
#define SVL_LOCAL "SVL" TO_LOCAL " -j SEP(10.244.0.5:8080)\n"
#define CLUSTER_IP "dispatch 10.20.30.41:80/TCP SVC\n"
#define EXT_CLUSTER                                                                            \
	"EXT -m comment --comment \"masquerade traffic for a/web:p80 external destinations\" " \
	"-j KUBE-MARK-MASQ\nEXT -j SVC\n"
#define EXT_LOCAL                                                                         \
	"EXT -s 10.244.0.0/16 -m comment --comment \"pod traffic for a/web:p80 external " \
	"destinations\" -j SVC\n" EXT_LOCAL_REST
#define EXT_LOCAL_REST                                                                          \
	"EXT -m comment --comment \"masquerade LOCAL traffic for a/web:p80 external "           \
	"destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n"                       \
	"EXT -m comment --comment \"route LOCAL traffic for a/web:p80 external destinations\" " \
	"-m addrtype --src-type LOCAL -j SVC\n"                                                 \
	"EXT -j SVL\n"
#define NODE_PORT_ENTRY "dispatch 0.0.0.0:30001/TCP EXT\n"

/* What the names of kube-proxy stand for; the hashes are held by test_service_chain.c. */
static const char *const names[][2] = {
	{ "KUBE-SVC-O473HPWEPGHPT4XO", "SVC" },
	{ "KUBE-SVL-O473HPWEPGHPT4XO", "SVL" },
	{ "KUBE-EXT-O473HPWEPGHPT4XO", "EXT" },
	{ "KUBE-SEP-GL257Y6RYP6MEZQM", "SEP(10.244.0.5:8080)" },
	{ "KUBE-SEP-NFTSESV5ICOTJGX2", "SEP(10.244.1.7:8080)" },
	{ "KUBE-SEP-XODXZWE53RISJK7F", "SEP(10.244.2.9:8080)" },
	{ "KUBE-SEP-AZNIR7XGAYMW3P2Y", "SEP([2012::1]:8080)" },
};

static void shorten(struct buf *out, const char *text)
{
	while (*text) {
		size_t i = 0, len;

		for (; i < ARRAY_SIZE(names); i++)
			if (!strncmp(text, names[i][0], strlen(names[i][0])))
				break;
		len = i < ARRAY_SIZE(names) ? strlen(names[i][0]) : 1;
		if (i < ARRAY_SIZE(names))
			buf_adds(out, names[i][1]);
		else
			buf_addc(out, *text);
		text += len;
	}
}

static void print_chain(struct buf *out, const struct fact *f, const struct rule_pool *pool)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *line, *end;

	rule_text_print(&text, pool, f);
	line = buf_str(&text);
	if (!*line)
		buf_addf(out, "%s\n", f->key.name);
	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_int_equal(strncmp(line, "-A ", 3), 0);
		buf_addf(out, "%.*s\n", (int)(end - line - 3), line + 3);
	}
}

/* Chains with their rules, and where connections enter; members are those of IPVS but for two. */
static void print(struct buf *out, const struct fact_list *l, const struct rule_pool *pool)
{
	_cleanup_(buf_done) struct buf full = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		const struct fact *f = &l->facts[i];
		bool refused = f->key.kind == FACT_MEMBER &&
			(f->key.set == SET_NO_LOCAL || f->key.set == SET_NO_ENDPOINTS);

		assert_int_not_equal(f->key.kind, FACT_VS);
		assert_int_not_equal(f->key.kind, FACT_RS);
		if (f->key.kind == FACT_CHAIN) {
			print_chain(&full, f, pool);
		} else if (f->key.kind == FACT_DISPATCH || refused) {
			fact_print(&full, f);
			buf_addc(&full, '\n');
		}
	}
	shorten(out, buf_str(&full));
}

static void check(const struct row *row)
{
	_cleanup_(fact_list_done) struct fact_list list = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };
	struct rule_pool pool = { 0 };
	struct fixture_node node;
	struct store store;

	store_init(&store);
	fixture_load(&store, row->objects);
	fixture_node_init(&node);
	node.view.backend = BACKEND_IPTABLES;
	node.view.store = &store;
	if (row->change)
		row->change(&node);
	fixture_resolve(&store, "a", "web", &node.view, &pool, &list);
	fact_list_finish(&list);
	print(&b, &list, &pool);
	if (strcmp(buf_str(&b), row->expected) != 0)
		fail_msg("%s: expected\n%sbut got\n%s", row->name, row->expected, buf_str(&b));
	store_done(&store);
	rule_pool_done(&pool);
}

static void check_all(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&rows[i]);
}

static void a_cluster_ip_enters_the_chain_of_all_endpoints(void **state)
{
	static const struct row rows[] = {
		{ "two endpoints", SERVICE PORT EPS, SEP_LOCAL SEP_REMOTE SVC_BOTH CLUSTER_IP },
		{ "one endpoint", SERVICE PORT SLICE REMOTE_EP,
			SEP_REMOTE "SVC" TO_REMOTE " -j SEP(10.244.1.7:8080)\n" CLUSTER_IP },
		{ "no endpoint is refused, and keeps its entry", SERVICE PORT,
			"member KUBE-NO-ENDPOINTS 10.20.30.41,tcp:80\n" SVC_EMPTY CLUSTER_IP },
		{ "terminating ones where no other is left",
			SERVICE PORT SLICE "ep=10.244.1.7@other,st",
			SEP_REMOTE "SVC" TO_REMOTE " -j SEP(10.244.1.7:8080)\n" CLUSTER_IP },
		{ "headless", "service a/web headless " PORT EPS, "" },
		{ "IPv6", "service a/web ip=2020::1 " PORT SLICE "ep=2012::1@test-node",
			"SEP([2012::1]:8080) -p tcp -j DNAT --to-destination [2012::1]:8080\n"
			"SVC -m comment --comment \"a/web:p80 -> [2012::1]:8080\" "
			"-j SEP([2012::1]:8080)\ndispatch [2020::1]:80/TCP SVC\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void no_detector(struct fixture_node *p)
{
	memset(p->options.cluster_cidr, 0, sizeof(p->options.cluster_cidr));
}

static void policies_choose_the_chain(void **state)
{
	static const struct row rows[] = {
		{ "itp Local", SERVICE "itp=Local " PORT EPS,
			SEP_LOCAL SVL_LOCAL "dispatch 10.20.30.41:80/TCP SVL\n" },
		{ "itp Local, none here", SERVICE "itp=Local " PORT SLICE REMOTE_EP,
			"member KUBE-NO-LOCAL 10.20.30.41,tcp:80\nSVL\n"
			"dispatch 10.20.30.41:80/TCP SVL\n" },
		{ "itp Local, none at all", SERVICE "itp=Local " PORT,
			"member KUBE-NO-ENDPOINTS 10.20.30.41,tcp:80\nSVL\n"
			"dispatch 10.20.30.41:80/TCP SVL\n" },
		{ "node port", SERVICE NODE_PORT EPS,
			EXT_CLUSTER SEP_LOCAL SEP_REMOTE SVC_BOTH NODE_PORT_ENTRY CLUSTER_IP },
		{ "node port, no endpoints", SERVICE NODE_PORT,
			"member KUBE-NO-ENDPOINTS 10.20.30.41,tcp:80\n"
			"member KUBE-NO-ENDPOINTS 100.101.102.103,tcp:30001\n" EXT_CLUSTER SVC_EMPTY
				NODE_PORT_ENTRY CLUSTER_IP },
		{ "etp Local", SERVICE "etp=Local " NODE_PORT EPS,
			EXT_LOCAL SEP_LOCAL SEP_REMOTE SVC_BOTH SVL_LOCAL NODE_PORT_ENTRY
				CLUSTER_IP },
		{ "etp Local, none here", SERVICE "etp=Local " NODE_PORT SLICE REMOTE_EP,
			"member KUBE-NO-LOCAL 100.101.102.103,tcp:30001\n" EXT_LOCAL SEP_REMOTE
			"SVC" TO_REMOTE " -j SEP(10.244.1.7:8080)\n"
			"SVL\n" NODE_PORT_ENTRY CLUSTER_IP },
		{ "etp Local, none at all", SERVICE "etp=Local " NODE_PORT,
			"member KUBE-NO-ENDPOINTS 10.20.30.41,tcp:80\n"
			"member KUBE-NO-ENDPOINTS 100.101.102.103,tcp:30001\n" EXT_LOCAL SVC_EMPTY
			"SVL\n" NODE_PORT_ENTRY CLUSTER_IP },
		{ "etp Local, pods cannot be told", SERVICE "etp=Local " NODE_PORT EPS,
			EXT_LOCAL_REST SEP_LOCAL SEP_REMOTE SVC_BOTH SVL_LOCAL NODE_PORT_ENTRY
				CLUSTER_IP,
			no_detector },
		{ "etp and itp Local", SERVICE "etp=Local itp=Local " NODE_PORT EPS,
			EXT_LOCAL SEP_LOCAL SEP_REMOTE SVC_BOTH SVL_LOCAL NODE_PORT_ENTRY
			"dispatch 10.20.30.41:80/TCP SVL\n" },
		{ "itp Local with etp Cluster", SERVICE "itp=Local " NODE_PORT EPS,
			EXT_CLUSTER SEP_LOCAL SEP_REMOTE SVC_BOTH SVL_LOCAL NODE_PORT_ENTRY
			"dispatch 10.20.30.41:80/TCP SVL\n" },
		{ "external and load balancer's addresses",
			SERVICE "type=LoadBalancer external=50.60.70.81 lb=1.2.3.4 " PORT EPS,
			EXT_CLUSTER SEP_LOCAL SEP_REMOTE SVC_BOTH
			"dispatch 1.2.3.4:80/TCP EXT\n" CLUSTER_IP
			"dispatch 50.60.70.81:80/TCP EXT\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

#define RECORD(name) " --name " name " --mask 255.255.255.255 --rsource"

static void clients_come_back_to_their_endpoint(void **state)
{
	static const struct row rows[] = {
		{ "affinity", SERVICE "affinity=10800 " PORT EPS,
			"SEP(10.244.0.5:8080) -p tcp -m recent --set" RECORD(
				"SEP(10.244.0.5:8080)") " -j DNAT --to-destination 10.244.0.5:8080\n"
							"SEP(10.244.1.7:8080) -p tcp -m recent --set" RECORD(
								"SEP(10.244.1.7:8080)") " -j DNAT --to-destination 10.244.1.7:8080\n"
											"SVC" TO_LOCAL
											" -m recent --rcheck --seconds 10800 --reap" RECORD(
												"SEP(10.244.0.5:8080)") " -j SEP(10.244.0.5:8080)\n"
															"SVC" TO_REMOTE
															" -m recent --rcheck --seconds 10800 --reap" RECORD(
																"SEP(10.244.1.7:8080)") " -j SEP(10.244.1.7:8080)\n" SVC_BOTH
																CLUSTER_IP },
		{ "affinity on IPv6",
			"service a/web ip=2020::1 affinity=60 " PORT SLICE "ep=2012::1@other",
			"SEP([2012::1]:8080) -p tcp -m recent --set --name SEP([2012::1]:8080) "
			"--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource "
			"-j DNAT --to-destination [2012::1]:8080\n"
			"SVC -m comment --comment \"a/web:p80 -> [2012::1]:8080\" "
			"-m recent --rcheck --seconds 60 --reap --name SEP([2012::1]:8080) "
			"--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource "
			"-j SEP([2012::1]:8080)\n"
			"SVC -m comment --comment \"a/web:p80 -> [2012::1]:8080\" "
			"-j SEP([2012::1]:8080)\ndispatch [2020::1]:80/TCP SVC\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

#define THIRD_EP "ep=10.244.2.9@other "
#define SEP_THIRD "SEP(10.244.2.9:8080) -p tcp -j DNAT --to-destination 10.244.2.9:8080\n"
#define TO_THIRD " -m comment --comment \"a/web:p80 -> 10.244.2.9:8080\""

static void connections_are_spread_by_weight(void **state)
{
	static const struct row rows[] = {
		/* as iptables-save prints what it reads: multiples of 2^-31 */
		{ "thirds", SERVICE PORT SLICE LOCAL_EP REMOTE_EP THIRD_EP,
			SEP_LOCAL SEP_REMOTE SEP_THIRD
			"SVC" TO_LOCAL SHARE "0.33333333349 -j SEP(10.244.0.5:8080)\n"
			"SVC" TO_REMOTE SHARE "0.50000000000 -j SEP(10.244.1.7:8080)\n"
			"SVC" TO_THIRD " -j SEP(10.244.2.9:8080)\n" CLUSTER_IP },
		{ "three to one",
			SERVICE PORT SLICE "weight=3 " LOCAL_EP
					   "\nslice a/web-2 port=p80:8080/TCP weight=1 " REMOTE_EP,
			SEP_LOCAL SEP_REMOTE
			"SVC" TO_LOCAL SHARE "0.75000000000 -j SEP(10.244.0.5:8080)\n"
			"SVC" TO_REMOTE " -j SEP(10.244.1.7:8080)\n" CLUSTER_IP },
		{ "weight 0 gets nothing",
			SERVICE PORT SLICE LOCAL_EP
			"\nslice a/web-2 port=p80:8080/TCP weight=0 " REMOTE_EP,
			SEP_LOCAL "SVC" TO_LOCAL " -j SEP(10.244.0.5:8080)\n" CLUSTER_IP },
		{ "weight 0 everywhere is as if nobody were there",
			SERVICE PORT SLICE "weight=0 " LOCAL_EP,
			"member KUBE-NO-ENDPOINTS 10.20.30.41,tcp:80\nSVC\n" CLUSTER_IP },
		{ "the least share that there is",
			SERVICE PORT SLICE
			"weight=1 " LOCAL_EP
			"\nslice a/web-2 port=p80:8080/TCP weight=65535 " REMOTE_EP,
			SEP_LOCAL SEP_REMOTE
			"SVC" TO_LOCAL SHARE "0.00001525879 -j SEP(10.244.0.5:8080)\n"
			"SVC" TO_REMOTE " -j SEP(10.244.1.7:8080)\n" CLUSTER_IP },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

/* The guards, sets and VIPs, are the same, so that a node may change its backend under traffic. */
/* Endpoints of other nodes, too, are masqueraded when they reach themselves. */
static bool is_of_both(const struct fact *f)
{
	const struct ip ip = fact_ip(&f->key), remote = fixture_ip("10.244.1.7");

	if (f->key.kind == FACT_MEMBER && f->key.set == SET_LOOP_BACK)
		return !ip_eq(&ip, &remote);
	return f->key.kind == FACT_MEMBER || f->key.kind == FACT_ROUTE;
}

static void members_and_vips_are_those_of_ipvs(void **state)
{
	static const char objects[] = SERVICE
		"type=LoadBalancer etp=Local healthcheck=32000 ranges=10.0.0.0/8 lb=1.2.3.4 "
		"port=p80:80/TCP:30001 external=50.60.70.81" EPS;
	struct fact_list lists[2] = { 0 };
	struct buf text[2] = { 0 };
	struct rule_pool pool = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fixture_node node;
		struct store store;

		store_init(&store);
		fixture_load(&store, objects);
		fixture_node_init(&node);
		node.view.backend = i ? BACKEND_IPTABLES : BACKEND_IPVS;
		fixture_resolve(&store, "a", "web", &node.view, &pool, &lists[i]);
		fact_list_finish(&lists[i]);
		for (size_t k = 0; k < lists[i].n; k++) {
			const struct fact *f = &lists[i].facts[k];

			if (is_of_both(f))
				fixture_print_facts(&text[i], f, 1);
		}
		fact_list_done(&lists[i]);
		store_done(&store);
	}
	assert_string_equal(buf_str(&text[0]), buf_str(&text[1]));
	rule_pool_done(&pool);
	buf_done(&text[0]);
	buf_done(&text[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_ip_enters_the_chain_of_all_endpoints),
		cmocka_unit_test(policies_choose_the_chain),
		cmocka_unit_test(clients_come_back_to_their_endpoint),
		cmocka_unit_test(connections_are_spread_by_weight),
		cmocka_unit_test(members_and_vips_are_those_of_ipvs),
	};

	return cmocka_run_group_tests_name("resolve_iptables", tests, NULL, NULL);
}
