// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/health_checks.h"
#include "core/no_local.h"
#include "fixture.h"

/* A Service of type LoadBalancer with externalTrafficPolicy Local. */
#define LOCAL "type=LoadBalancer etp=Local lb=1.2.3.4 port=p80:80/TCP:30080 "

struct fixture {
	struct store store;
	struct fixture_node node;
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	store_init(&f->store);
	fixture_node_init(&f->node);
	f->node.view.store = &f->store;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_done(&f->store);
	free(f);
	return 0;
}

/* Each check as "ns/name port count". */
static void expect(const struct fixture *f, int family, const char *lines)
{
	struct health_check_list list = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };

	/* The list may have been filled before. */
	for (int i = 0; i < 2; i++)
		health_checks_list(&f->store, &f->node.view, family, &list);
	for (size_t i = 0; i < list.n; i++)
		buf_addf(&b, "%s/%s %u %u\n", list.checks[i].ns, list.checks[i].name,
			list.checks[i].port, list.checks[i].local_ready);
	assert_string_equal(buf_str(&b), lines);
	health_checks_done(&list);
}

static void only_local_load_balancers_with_a_port_are_checked(void **state)
{
	struct fixture *f = *state;

	fixture_load(&f->store,
		"service a/no-port ip=10.96.0.1 " LOCAL "\n"
		"service a/web ip=10.96.0.2 healthcheck=32000 " LOCAL "\n"
		"service a/cluster ip=10.96.0.3 healthcheck=32001 type=LoadBalancer port=p:80/TCP\n"
		"service a/nodeport ip=10.96.0.4 healthcheck=32002 type=NodePort etp=Local "
		"port=p:80/TCP:30001\n"
		"service a/headless headless healthcheck=32003 " LOCAL "\n"
		"service a/other ip=10.96.0.5 otherproxy healthcheck=32004 " LOCAL "\n"
		"slice a/alone-1 port=p80:8080/TCP ep=10.1.0.1@test-node");
	expect(f, AF_INET, "a/web 32000 0\n");
	expect(f, AF_INET6, "");
}

static void addresses_are_counted_once_over_all_ports(void **state)
{
	struct fixture *f = *state;

	fixture_load(&f->store,
		"service a/web ip=10.96.0.1 healthcheck=32000 type=LoadBalancer etp=Local "
		"port=p80:80/TCP port=p443:443/TCP\n"
		"slice a/web-1 port=p80:80/TCP port=p443:443/TCP ep=10.1.0.1@test-node "
		"ep=10.1.0.2@test-node\n"
		"slice a/web-2 port=p443:8443/TCP ep=10.1.0.2@test-node ep=10.1.0.3@test-node\n"
		"slice a/web-3 port=other:1/TCP ep=10.1.0.4@test-node");
	expect(f, AF_INET, "a/web 32000 3\n");
}

static void only_ready_endpoints_on_this_node_count(void **state)
{
	struct fixture *f = *state;

	fixture_load(&f->store,
		"service a/web ip=10.96.0.1 healthcheck=32000 " LOCAL "\n"
		"slice a/web-1 port=p80:8080/TCP ep=10.1.0.1@test-node,st "
		"ep=10.1.0.2@test-node,s ep=10.1.0.3@test-node,- ep=10.2.0.1@other");
	expect(f, AF_INET, "a/web 32000 0\n");
	/* Here and elsewhere at once: a pod's address that is used again. */
	fixture_load(&f->store,
		"slice a/web-2 port=p80:8080/TCP ep=10.1.0.9@test-node ep=10.1.0.1@test-node");
	expect(f, AF_INET, "a/web 32000 2\n");
}

static void each_family_counts_its_own(void **state)
{
	struct fixture *f = *state;

	fixture_load(&f->store,
		"service a/dual ip=10.96.0.1,fd00::1 healthcheck=32000 " LOCAL "\n"
		"service a/six ip=fd00::2 healthcheck=32001 " LOCAL "\n"
		"slice a/dual-1 port=p80:8080/TCP ep=10.1.0.1@test-node\n"
		"slice a/dual-2 port=p80:8080/TCP ep=fd01::1@test-node ep=fd01::2@test-node");
	expect(f, AF_INET, "a/dual 32000 1\n");
	expect(f, AF_INET6, "a/dual 32000 2\na/six 32001 0\n");
	f->node.view.ipv6 = false;
	expect(f, AF_INET6, "");
}

static void older_services_come_first(void **state)
{
	struct fixture *f = *state;

	fixture_load(&f->store,
		"service a/a ip=10.96.0.1 created=300 healthcheck=32000 " LOCAL "\n"
		"service a/b ip=10.96.0.2 created=100 healthcheck=32000 " LOCAL "\n"
		"service b/c ip=10.96.0.3 created=200 healthcheck=32001 " LOCAL "\n"
		"service a/c ip=10.96.0.4 created=200 healthcheck=32002 " LOCAL);
	expect(f, AF_INET, "a/b 32000 0\na/c 32002 0\nb/c 32001 0\na/a 32000 0\n");
}

static void expect_addresses(const struct fixture_node *node, int family, const char *lines)
{
	struct address_list list = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };
	char s[IP_STRLEN];

	for (int i = 0; i < 2; i++)
		health_checks_addresses(&node->view, family, &list);
	for (size_t i = 0; i < list.n; i++)
		buf_addf(&b, "%s\n", ip_print(&list.ips[i], s));
	assert_string_equal(buf_str(&b), lines);
	address_list_done(&list);
}

static void they_answer_where_node_ports_do(void **state)
{
	struct fixture_node p;

	fixture_node_copy(&p, &((struct fixture *)*state)->node);
	expect_addresses(&p, AF_INET, "0.0.0.0\n");
	expect_addresses(&p, AF_INET6, "::\n");
	p.options.nodeport_addresses[0] = fixture_cidr("100.101.0.0/16");
	p.options.n_nodeport_addresses = 1;
	expect_addresses(&p, AF_INET, "100.101.102.103\n");
	expect_addresses(&p, AF_INET6, "::\n");
	p.options.nodeport_addresses[0] = fixture_cidr("127.0.0.0/8");
	expect_addresses(&p, AF_INET, "");
	p.options.nodeport_addresses[1] = fixture_cidr("0.0.0.0/0");
	p.options.n_nodeport_addresses = 2;
	fixture_node_copy(&p, &((struct fixture *)*state)->node);
	expect_addresses(&p, AF_INET, "0.0.0.0\n");
	p.options.n_nodeport_addresses = 0;
	p.options.nodeport_primary = true;
	p.view.node_ip[0] = fixture_ip("100.101.102.103");
	p.view.node_ip[1] = (struct ip){ 0 };
	expect_addresses(&p, AF_INET, "100.101.102.103\n");
	expect_addresses(&p, AF_INET6, "");
}

static void expect_no_local(
	const struct fixture *f, int family, uint32_t internal, uint32_t external)
{
	struct no_local n = no_local_count(&f->store, &f->node.view, family);

	assert_int_equal(n.internal, internal);
	assert_int_equal(n.external, external);
}

static void local_policies_without_an_endpoint_here_are_counted(void **state)
{
	struct fixture *f = *state;

	fixture_load(&f->store,
		"service a/here ip=10.96.0.1 itp=Local " LOCAL "\n"
		"slice a/here-1 port=p80:80/TCP ep=10.1.0.1@test-node\n"
		"service a/none ip=10.96.0.2 itp=Local " LOCAL "\n"
		"service a/both ip=10.96.0.3 itp=Local " LOCAL "\n"
		"slice a/both-1 port=p80:80/TCP ep=10.2.0.1@other\n"
		"service a/in ip=10.96.0.4 itp=Local port=p80:80/TCP port=p81:81/TCP\n"
		"slice a/in-1 port=p80:80/TCP port=p81:81/TCP ep=10.2.0.2@other\n"
		"service a/out ip=10.96.0.5,fd00::5 " LOCAL "\n"
		"slice a/out-1 port=p80:80/TCP ep=10.2.0.3@other,st\n"
		"service a/nowhere ip=10.96.0.6 etp=Local type=LoadBalancer port=p80:80/TCP\n"
		"slice a/nowhere-1 port=p80:80/TCP ep=10.2.0.4@other\n"
		"service a/any ip=10.96.0.7 port=p80:80/TCP\n"
		"slice a/any-1 port=p80:80/TCP ep=10.2.0.5@other");
	expect_no_local(f, AF_INET, 2, 2);
	expect_no_local(f, AF_INET6, 0, 0);
	fixture_load(&f->store, "slice a/out-2 port=p80:80/TCP ep=fd01::1@other");
	expect_no_local(f, AF_INET6, 0, 1);
	f->node.view.ipv4 = false;
	expect_no_local(f, AF_INET, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(only_local_load_balancers_with_a_port_are_checked),
		TEST(addresses_are_counted_once_over_all_ports),
		TEST(only_ready_endpoints_on_this_node_count),
		TEST(each_family_counts_its_own),
		TEST(older_services_come_first),
		TEST(they_answer_where_node_ports_do),
		TEST(local_policies_without_an_endpoint_here_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
