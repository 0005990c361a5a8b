// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/frontends.h"
#include "fixture.h"

/*
 * A Service without its name "a/web" and its port "port=p80:80/TCP", which is there where the text
 * names none. The result has a line for each address: kind, address and port; "vip" if it has to be
 * made local, "local" if endpoints of this node only may answer.
 */
struct row {
	const char *name, *service, *expected;
};

static struct service *make(const char *text)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	buf_addf(&b, "a/web %s%s", text, strstr(text, "port=") ? "" : " port=p80:80/TCP");
	return fixture_service(buf_str(&b));
}

static void print(struct buf *b, const struct frontend_list *l)
{
	char s[IP_PORT_STRLEN];

	for (size_t i = 0; i < l->n; i++)
		buf_addf(b, "%s %s%s%s\n", frontend_kind_name(l->fes[i].kind),
			ip_print_port(&l->fes[i].ip, l->fes[i].port, s),
			l->fes[i].reach == REACH_WHOLE ? " vip" : "",
			l->fes[i].local ? " local" : "");
}

static void check(const struct row *row, int family, const struct fixture_node *node)
{
	struct service *s = make(row->service);
	_cleanup_(buf_done) struct buf b = { 0 };
	struct frontend_list list = { 0 };

	for (int i = 0; i < 2; i++) /* the list may have been filled before */
		frontends_list(s, &s->ports[0], family, &node->view, &list);
	print(&b, &list);
	if (strcmp(buf_str(&b), row->expected) != 0)
		fail_msg("%s: expected\n%sbut got\n%s", row->name, row->expected, buf_str(&b));
	frontends_done(&list);
	service_free(s);
}

static void check_all(const struct row *rows, size_t n)
{
	struct fixture_node node;

	fixture_node_init(&node);
	for (size_t i = 0; i < n; i++)
		check(&rows[i], AF_INET, &node);
}

static void a_port_answers_where_the_service_says(void **state)
{
	static const struct row rows[] = {
		{ "cluster IP", "ip=10.20.30.41", "ClusterIP 10.20.30.41:80 vip\n" },
		{ "all of them",
			"ip=10.20.30.41 port=p80:80/TCP:30001 external=50.60.70.81,50.60.70.82 "
			"lb=1.2.3.4",
			"ClusterIP 10.20.30.41:80 vip\n"
			"ExternalIP 50.60.70.81:80 vip\n"
			"ExternalIP 50.60.70.82:80 vip\n"
			"LoadBalancer 1.2.3.4:80 vip\n"
			"NodePort 100.101.102.103:30001\n" },
		{ "the type is not asked", "ip=10.20.30.41 type=ClusterIP lb=1.2.3.4",
			"ClusterIP 10.20.30.41:80 vip\n"
			"LoadBalancer 1.2.3.4:80 vip\n" },
		{ "a load balancer that proxies", "ip=10.20.30.41 lbproxy=1.2.3.4 lb=1.2.3.5",
			"ClusterIP 10.20.30.41:80 vip\n"
			"LoadBalancer 1.2.3.5:80 vip\n" },
		{ "an address on an interface is local already",
			"ip=10.20.30.41 external=100.101.102.103 lb=100.101.102.103",
			"ClusterIP 10.20.30.41:80 vip\n"
			"LoadBalancer 100.101.102.103:80\n" },
		{ "one address twice", "ip=10.20.30.41 external=1.2.3.4,1.2.3.4 lb=1.2.3.4",
			"ClusterIP 10.20.30.41:80 vip\n"
			"LoadBalancer 1.2.3.4:80 vip\n" },
		{ "other families stay out", "ip=10.20.30.41 external=2012::51 lb=2012::52,1.2.3.4",
			"ClusterIP 10.20.30.41:80 vip\n"
			"LoadBalancer 1.2.3.4:80 vip\n" },
		{ "no cluster IP of the family, nothing of the family",
			"ip=2020::1 external=1.2.3.4", "" },
		{ "headless", "headless", "" },
		{ "ExternalName", "ip=10.20.30.41 type=ExternalName", "" },
		{ "for another proxy", "ip=10.20.30.41 otherproxy", "" },
		{ "no cluster IP yet", "port=p80:80/TCP:30001", "" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void external_ips_can_be_left_out(void **state)
{
	static const struct row row = { "the gate AllowServiceExternalIPs is off",
		"ip=10.20.30.41 external=50.60.70.81 lb=1.2.3.4",
		"ClusterIP 10.20.30.41:80 vip\n"
		"LoadBalancer 1.2.3.4:80 vip\n" };
	struct fixture_node node;

	(void)state;
	fixture_node_init(&node);
	node.options.external_ips = false;
	check(&row, AF_INET, &node);
}

static void policies_apply_where_traffic_comes_from(void **state)
{
	static const struct row rows[] = {
		{ "internal", "ip=10.20.30.41 itp=Local port=p80:80/TCP:30001 external=1.2.3.4",
			"ClusterIP 10.20.30.41:80 vip local\n"
			"ExternalIP 1.2.3.4:80 vip\n"
			"NodePort 100.101.102.103:30001\n" },
		{ "external on a NodePort Service",
			"ip=10.20.30.41 type=NodePort etp=Local port=p80:80/TCP:30001",
			"ClusterIP 10.20.30.41:80 vip\n"
			"NodePort 100.101.102.103:30001 local\n" },
		{ "external on a LoadBalancer Service",
			"ip=10.20.30.41 type=LoadBalancer etp=Local lb=1.2.3.4 external=1.2.3.5",
			"ClusterIP 10.20.30.41:80 vip\n"
			"ExternalIP 1.2.3.5:80 vip local\n"
			"LoadBalancer 1.2.3.4:80 vip local\n" },
		{ "external on a ClusterIP Service with an external IP",
			"ip=10.20.30.41 etp=Local external=1.2.3.5",
			"ClusterIP 10.20.30.41:80 vip\n"
			"ExternalIP 1.2.3.5:80 vip local\n" },
		{ "neither", "ip=10.20.30.41 type=NodePort port=p80:80/TCP:30001",
			"ClusterIP 10.20.30.41:80 vip\n"
			"NodePort 100.101.102.103:30001\n" },
		{ "internal only, on one that nothing outside reaches", "ip=10.20.30.41 itp=Local",
			"ClusterIP 10.20.30.41:80 vip local\n" },
		{ "both on one that nothing outside reaches",
			"ip=10.20.30.41 type=LoadBalancer itp=Local etp=Local",
			"ClusterIP 10.20.30.41:80 vip local\n" },
		{ "both",
			"ip=10.20.30.41 type=LoadBalancer itp=Local etp=Local "
			"port=p80:80/TCP:30001 external=1.2.3.5 lb=1.2.3.4",
			"ClusterIP 10.20.30.41:80 vip local\n"
			"ExternalIP 1.2.3.5:80 vip local\n"
			"LoadBalancer 1.2.3.4:80 vip local\n"
			"NodePort 100.101.102.103:30001 local\n" },
		{ "external on one without", "ip=10.20.30.41 etp=Local lb=1.2.3.4",
			"ClusterIP 10.20.30.41:80 vip\n"
			"LoadBalancer 1.2.3.4:80 vip\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void a_node_without_a_family_answers_nothing_in_it(void **state)
{
	static const struct row v6 = { "IPv6", "ip=10.20.30.41,2020::1 port=p80:80/TCP:30001",
		"ClusterIP [2020::1]:80 vip\n"
		"NodePort [2001:db8::1:1]:30001\n" };
	static const struct row nothing = { "no IPv6 here", "ip=10.20.30.41,2020::1", "" };
	struct fixture_node node;

	(void)state;
	fixture_node_init(&node);
	check(&v6, AF_INET6, &node);
	node.view.ipv6 = false;
	check(&nothing, AF_INET6, &node);
}

struct selection {
	const char *name;
	const char *cidrs; /* separated by blanks */
	bool primary;
	const char *expected_v4, *expected_v6;
};

/* Three addresses of each family; the first is the node's own. */
static void select_node_ports(const struct selection *sel)
{
	struct ip local[] = { fixture_ip("10.0.0.9"), fixture_ip("100.101.102.103"),
		fixture_ip("100.101.102.104"), fixture_ip("2001:db8::1:1"),
		fixture_ip("2001:db8::1:2"), fixture_ip("fd00::9") };
	_cleanup_free_ char *copy = mem_strdup(sel->cidrs);
	char *save = NULL;
	struct fixture_node node;
	const struct row v4 = { sel->name, "ip=10.20.30.41 port=p80:80/TCP:30001",
		sel->expected_v4 };
	const struct row v6 = { sel->name, "ip=2020::1 port=p80:80/TCP:30001", sel->expected_v6 };

	fixture_node_init(&node);
	node.view.local = local;
	node.view.n_local = ARRAY_SIZE(local);
	node.options.nodeport_primary = sel->primary;
	for (char *c = strtok_r(copy, " ", &save); c; c = strtok_r(NULL, " ", &save))
		node.options.nodeport_addresses[node.options.n_nodeport_addresses++] =
			fixture_cidr(c);
	check(&v4, AF_INET, &node);
	check(&v6, AF_INET6, &node);
}

#define VIP4 "ClusterIP 10.20.30.41:80 vip\n"
#define VIP6 "ClusterIP [2020::1]:80 vip\n"
#define ALL4                                    \
	VIP4 "NodePort 10.0.0.9:30001\n"        \
	     "NodePort 100.101.102.103:30001\n" \
	     "NodePort 100.101.102.104:30001\n"
#define ALL6                                    \
	VIP6 "NodePort [2001:db8::1:1]:30001\n" \
	     "NodePort [2001:db8::1:2]:30001\n" \
	     "NodePort [fd00::9]:30001\n"

static void node_ports_open_on_the_chosen_addresses(void **state)
{
	static const struct selection rows[] = {
		{ "all", "", false, ALL4, ALL6 },
		{ "one range, and every address of the other family", "100.101.0.0/16", false,
			VIP4 "NodePort 100.101.102.103:30001\n"
			     "NodePort 100.101.102.104:30001\n",
			ALL6 },
		{ "ranges of both families", "10.0.0.0/8 fd00::/8", false,
			VIP4 "NodePort 10.0.0.9:30001\n", VIP6 "NodePort [fd00::9]:30001\n" },
		{ "a range of nothing", "203.0.113.0/24 ::/0", false, VIP4, ALL6 },
		{ "everything", "0.0.0.0/0 10.0.0.0/8", false, ALL4, ALL6 },
		{ "primary", "", true, VIP4 "NodePort 100.101.102.103:30001\n",
			VIP6 "NodePort [2001:db8::1:1]:30001\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		select_node_ports(&rows[i]);
}

static void primary_opens_nothing_where_the_node_has_no_address(void **state)
{
	static const struct row v6 = { "no node IP", "ip=2020::1 port=p80:80/TCP:30001", VIP6 };
	static const struct row gone = { "a node IP that is on no interface",
		"ip=10.20.30.41 port=p80:80/TCP:30001", VIP4 };
	struct fixture_node node;

	(void)state;
	fixture_node_init(&node);
	node.options.nodeport_primary = true;
	node.view.node_ip[1] = (struct ip){ 0 };
	check(&v6, AF_INET6, &node);
	node.view.node_ip[0] = fixture_ip("100.101.102.99");
	check(&gone, AF_INET, &node);
}

static void services_that_are_not_proxied_say_why(void **state)
{
	static const struct {
		const char *service, *why;
	} rows[] = {
		{ "ip=10.20.30.41", "" },
		{ "ip=10.20.30.41 type=ExternalName", "ExternalName" },
		{ "type=ExternalName", "ExternalName" },
		{ "headless", "Headless" },
		{ "ip=10.20.30.41 otherproxy", "Label service.kubernetes.io/service-proxy-name" },
		{ "type=LoadBalancer lb=1.2.3.4", "No clusterIP" },
	};
	struct service *none = fixture_service("a/web ip=10.20.30.41");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service *s = make(rows[i].service);

		assert_string_equal(service_not_proxied(s), rows[i].why);
		service_free(s);
	}
	assert_string_equal(service_not_proxied(none), "No ports");
	service_free(none);
}

static void external_access_is_by_family(void **state)
{
	static const struct {
		const char *service;
		bool v4, v6;
	} rows[] = {
		{ "ip=10.20.30.41,2020::1", false, false },
		{ "ip=10.20.30.41,2020::1 port=p80:80/TCP:30001", true, true },
		{ "ip=10.20.30.41,2020::1 external=1.2.3.4", true, false },
		{ "ip=10.20.30.41,2020::1 lb=2012::5", false, true },
		{ "ip=10.20.30.41,2020::1 lbproxy=1.2.3.4", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service *s = make(rows[i].service);

		assert_int_equal(
			service_externally_accessible(s, &s->ports[0], AF_INET), rows[i].v4);
		assert_int_equal(
			service_externally_accessible(s, &s->ports[0], AF_INET6), rows[i].v6);
		service_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_answers_where_the_service_says),
		cmocka_unit_test(external_ips_can_be_left_out),
		cmocka_unit_test(policies_apply_where_traffic_comes_from),
		cmocka_unit_test(a_node_without_a_family_answers_nothing_in_it),
		cmocka_unit_test(node_ports_open_on_the_chosen_addresses),
		cmocka_unit_test(primary_opens_nothing_where_the_node_has_no_address),
		cmocka_unit_test(services_that_are_not_proxied_say_why),
		cmocka_unit_test(external_access_is_by_family),
	};

	return cmocka_run_group_tests_name("frontends", tests, NULL, NULL);
}
