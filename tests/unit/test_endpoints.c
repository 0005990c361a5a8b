// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/endpoints.h"
#include "core/served_port.h"
#include "fixture.h"

/*
 * The endpoints of port p80 of the Service a/web, on node "test-node" in zone "zone-a". Slices
 * stand without "slice a/" and, but for their ports, without "port=p80:8080/TCP". The result has a
 * line for each endpoint: its address, "C" if it belongs to the cluster-wide list, "L" if to the
 * local one, and the reason; and "none" at the end if no endpoint could serve anywhere.
 */
struct row {
	const char *name;
	const char *slices; /* separated by newlines */
	const char *expected;
};

static void print(struct buf *b, const struct endpoint_list *l)
{
	char s[IP_PORT_STRLEN];
	size_t n_cluster = 0, n_local = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct candidate *c = &l->eps[i];

		buf_addf(b, "%s %s%s %s", ip_print_port(&c->ip, c->port, s),
			c->in_cluster ? "C" : "-", c->in_local ? "L" : "-",
			endpoint_reason_text(c->reason));
		if (c->weight != 1)
			buf_addf(b, " *%u", c->weight);
		buf_addc(b, '\n');
		n_cluster += c->in_cluster;
		n_local += c->in_local;
	}
	if (!l->any)
		buf_adds(b, "none\n");
	assert_int_equal(l->n_cluster, n_cluster);
	assert_int_equal(l->n_local, n_local);
}

static void load(struct store *store, const char *slices)
{
	_cleanup_free_ char *copy = mem_strdup(slices);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		_cleanup_(buf_done) struct buf b = { 0 };

		if (!strncmp(l, "node ", 5))
			buf_adds(&b, l);
		else
			buf_addf(&b, "slice a/%s%s", l,
				strstr(l, "port=") ? "" : " port=p80:8080/TCP");
		fixture_load(store, buf_str(&b));
	}
}

static void check(const struct row *row, int family, const struct fixture_node *base)
{
	struct service_port port = { .name = "p80", .proto = IPPROTO_TCP, .port = 80 };
	_cleanup_(buf_done) struct buf b = { 0 };
	struct endpoint_list list = { 0 };
	struct slice_ports ports = { 0 };
	struct fixture_node node;
	struct store store;

	fixture_node_copy(&node, base);
	store_init(&store);
	node.view.store = &store;
	fixture_load(&store, "service a/web ip=10.96.0.1");
	load(&store, row->slices);
	/* The list may have been filled before. */
	for (int i = 0; i < 2; i++) {
		slice_ports_list(store_find(&store, "a", "web"), &ports);
		endpoints_select(&ports, &port, family, &node.view, &list);
	}
	print(&b, &list);
	if (strcmp(buf_str(&b), row->expected) != 0)
		fail_msg("%s: expected\n%sbut got\n%s", row->name, row->expected, buf_str(&b));
	endpoints_done(&list);
	slice_ports_done(&ports);
	store_done(&store);
}

static void check_all(const struct row *rows, size_t n)
{
	struct fixture_node node;

	fixture_node_init(&node);
	for (size_t i = 0; i < n; i++)
		check(&rows[i], AF_INET, &node);
}

static void conditions_decide_who_may_serve(void **state)
{
	static const struct row rows[] = {
		{ "no slices", "", "none\n" },
		{ "an empty slice", "web-1", "none\n" },
		{ "ready", "web-1 ep=10.1.0.1,rs", "10.1.0.1:8080 C- ready\n" },
		{ "ready, not serving", "web-1 ep=10.1.0.1,r", "10.1.0.1:8080 C- ready\n" },
		{ "ready, terminating", "web-1 ep=10.1.0.1,rst", "10.1.0.1:8080 C- ready\n" },
		{ "ready, terminating, not serving", "web-1 ep=10.1.0.1,rt",
			"10.1.0.1:8080 C- ready\n" },
		{ "serving, terminating", "web-1 ep=10.1.0.1,st",
			"10.1.0.1:8080 C- terminating, used because no endpoint is ready\n" },
		{ "serving only", "web-1 ep=10.1.0.1,s", "10.1.0.1:8080 -- not ready\nnone\n" },
		{ "terminating only", "web-1 ep=10.1.0.1,t", "10.1.0.1:8080 -- not ready\nnone\n" },
		{ "nothing", "web-1 ep=10.1.0.1,-", "10.1.0.1:8080 -- not ready\nnone\n" },
		{ "one ready one keeps the terminating out",
			"web-1 ep=10.1.0.1,st ep=10.1.0.2 ep=10.1.0.3,s",
			"10.1.0.1:8080 -- terminating\n"
			"10.1.0.2:8080 C- ready\n"
			"10.1.0.3:8080 -- not ready\n" },
		{ "all terminating ones are the fallback",
			"web-1 ep=10.1.0.1,st ep=10.1.0.2,st ep=10.1.0.3,t",
			"10.1.0.1:8080 C- terminating, used because no endpoint is ready\n"
			"10.1.0.2:8080 C- terminating, used because no endpoint is ready\n"
			"10.1.0.3:8080 -- not ready\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

/* ipvs-mode, the table of local and remote endpoints; 10.1.0.x is here, 10.2.0.x elsewhere. */
static void the_local_list_falls_back_to_local_endpoints_only(void **state)
{
	static const struct row rows[] = {
		{ "local and remote ready", "web-1 ep=10.1.0.1@test-node ep=10.2.0.1@other",
			"10.1.0.1:8080 CL ready\n"
			"10.2.0.1:8080 C- ready\n" },
		{ "local ready only", "web-1 ep=10.1.0.1@test-node ep=10.2.0.1@other,st",
			"10.1.0.1:8080 CL ready\n"
			"10.2.0.1:8080 -- terminating\n" },
		{ "local ready and local terminating",
			"web-1 ep=10.1.0.1@test-node ep=10.1.0.2@test-node,st",
			"10.1.0.1:8080 CL ready\n"
			"10.1.0.2:8080 -- terminating\n" },
		{ "a remote ready one does not end the local fallback",
			"web-1 ep=10.1.0.1@test-node,st ep=10.2.0.1@other",
			"10.1.0.1:8080 -L terminating\n"
			"10.2.0.1:8080 C- ready\n" },
		{ "all terminating", "web-1 ep=10.1.0.1@test-node,st ep=10.2.0.1@other,st",
			"10.1.0.1:8080 CL terminating, used because no endpoint is ready\n"
			"10.2.0.1:8080 C- terminating, used because no endpoint is ready\n" },
		{ "local terminating only", "web-1 ep=10.1.0.1@test-node,st ep=10.2.0.1@other,s",
			"10.1.0.1:8080 CL terminating, used because no endpoint is ready\n"
			"10.2.0.1:8080 -- not ready\n" },
		{ "remote ready only", "web-1 ep=10.1.0.1@test-node,s ep=10.2.0.1@other",
			"10.1.0.1:8080 -- not ready\n"
			"10.2.0.1:8080 C- ready\n" },
		{ "remote terminating only", "web-1 ep=10.2.0.1@other,st",
			"10.2.0.1:8080 C- terminating, used because no endpoint is ready\n" },
		{ "no node named", "web-1 ep=10.1.0.1", "10.1.0.1:8080 C- ready\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void node_hints_are_followed_if_all_have_one_and_one_is_ours(void **state)
{
	static const struct row rows[] = {
		{ "ours and another's", "web-1 ep=10.1.0.1,n=test-node ep=10.1.0.2,n=other",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- hinted for another node\n" },
		{ "several nodes hinted", "web-1 ep=10.1.0.1,n=other|test-node ep=10.1.0.2,n=other",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- hinted for another node\n" },
		{ "one without a hint", "web-1 ep=10.1.0.1,n=test-node ep=10.1.0.2",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 C- ready\n" },
		{ "none ours", "web-1 ep=10.1.0.1,n=b ep=10.1.0.2,n=c",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 C- ready\n" },
		{ "hints of those not ready do not count",
			"web-1 ep=10.1.0.1,n=test-node ep=10.1.0.2,st ep=10.1.0.3,s,n=test-node",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- terminating\n"
			"10.1.0.3:8080 -- not ready\n" },
		{ "our hint on one that is not ready",
			"web-1 ep=10.1.0.1,n=other ep=10.1.0.2,st,n=test-node",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- terminating\n" },
		{ "before zone hints",
			"web-1 ep=10.1.0.1,n=test-node,z=zone-b ep=10.1.0.2,n=other,z=zone-a",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- hinted for another node\n" },
		{ "zone hints where node hints do not do",
			"web-1 ep=10.1.0.1,n=test-node,z=zone-b ep=10.1.0.2,z=zone-a",
			"10.1.0.1:8080 -- hinted for another zone\n"
			"10.1.0.2:8080 C- ready\n" },
		{ "the local list does not look at them",
			"web-1 ep=10.1.0.1@test-node,n=other ep=10.2.0.1@other,n=test-node",
			"10.1.0.1:8080 -L hinted for another node\n"
			"10.2.0.1:8080 C- ready\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void zone_hints_are_followed_if_all_have_one_and_one_is_ours(void **state)
{
	static const struct row rows[] = {
		{ "ours and another's", "web-1 ep=10.1.0.1,z=zone-a ep=10.1.0.2,z=zone-b",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- hinted for another zone\n" },
		{ "several zones hinted",
			"web-1 ep=10.1.0.1,z=zone-b|zone-a ep=10.1.0.2,z=zone-b|zone-c",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- hinted for another zone\n" },
		{ "one without a hint",
			"web-1 ep=10.1.0.1,z=zone-a ep=10.1.0.2,z=zone-b\n"
			"web-2 ep=10.1.0.3",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 C- ready\n"
			"10.1.0.3:8080 C- ready\n" },
		{ "none ours", "web-1 ep=10.1.0.1,z=zone-b ep=10.1.0.2,z=zone-c",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 C- ready\n" },
		{ "one that is not ready needs none",
			"web-1 ep=10.1.0.1,z=zone-a ep=10.1.0.2,z=zone-b ep=10.1.0.3,-",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.2:8080 -- hinted for another zone\n"
			"10.1.0.3:8080 -- not ready\n" },
		{ "the fallback does not look at them",
			"web-1 ep=10.1.0.1,st,z=zone-a ep=10.1.0.2,st,z=zone-b",
			"10.1.0.1:8080 C- terminating, used because no endpoint is ready\n"
			"10.1.0.2:8080 C- terminating, used because no endpoint is ready\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void without_a_zone_or_a_name_of_our_own_there_is_no_topology(void **state)
{
	static const struct row zone = { "no zone", "web-1 ep=10.1.0.1,z=zone-a ep=10.1.0.2,z=",
		"10.1.0.1:8080 C- ready\n"
		"10.1.0.2:8080 C- ready\n" };
	static const struct row unnamed = { "no node name",
		"web-1 ep=10.1.0.1@test-node,n=test-node ep=10.1.0.2,n=other",
		"10.1.0.1:8080 C- ready\n"
		"10.1.0.2:8080 C- ready\n" };
	struct fixture_node node;

	(void)state;
	fixture_node_init(&node);
	*node.view.zone = '\0';
	check(&zone, AF_INET, &node);
	fixture_node_init(&node);
	*node.options.node_name = '\0';
	check(&unnamed, AF_INET, &node);
}

static void the_better_of_two_with_one_address_and_port_counts(void **state)
{
	static const struct row rows[] = {
		{ "the same twice", "web-1 ep=10.1.0.1\nweb-2 ep=10.1.0.1",
			"10.1.0.1:8080 C- ready\n" },
		{ "a new pod with the address of one that goes",
			"web-1 ep=10.1.0.1,st\nweb-2 ep=10.1.0.1", "10.1.0.1:8080 C- ready\n" },
		{ "in the other order", "web-1 ep=10.1.0.1\nweb-2 ep=10.1.0.1,st",
			"10.1.0.1:8080 C- ready\n" },
		{ "one that starts beats one that ends",
			"web-1 ep=10.1.0.1,st\nweb-2 ep=10.1.0.1,-",
			"10.1.0.1:8080 -- not ready\nnone\n" },
		{ "ready beats not ready", "web-1 ep=10.1.0.1,-\nweb-2 ep=10.1.0.1",
			"10.1.0.1:8080 C- ready\n" },
		{ "one that does not end beats one that is ready and ends",
			"web-1 ep=10.1.0.1,rst\nweb-2 ep=10.1.0.1,-",
			"10.1.0.1:8080 -- not ready\nnone\n" },
		{ "of two that end the ready one", "web-1 ep=10.1.0.1,st\nweb-2 ep=10.1.0.1,rst",
			"10.1.0.1:8080 C- ready\n" },
		{ "of equals that in the first slice",
			"web-b ep=10.1.0.1@other\nweb-a ep=10.1.0.1@test-node",
			"10.1.0.1:8080 CL ready\n" },
		{ "another port is another endpoint",
			"web-1 ep=10.1.0.1\nweb-2 ep=10.1.0.1 port=p80:8081/TCP",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.1:8081 C- ready\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

/* With publishNotReadyAddresses an endpoint is ready until it is gone. */
static void ready_counts_before_terminating(void **state)
{
	static const struct row rows[] = {
		{ "alone", "web-1 ep=10.1.0.1@test-node,rst", "10.1.0.1:8080 CL ready\n" },
		{ "beside one that serves while it ends",
			"web-1 ep=10.1.0.1@test-node,rst ep=10.1.0.2@test-node,st",
			"10.1.0.1:8080 CL ready\n"
			"10.1.0.2:8080 -- terminating\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void ports_are_found_by_name_and_protocol(void **state)
{
	static const struct row rows[] = {
		{ "another name", "web-1 ep=10.1.0.1 port=p81:8080/TCP", "none\n" },
		{ "no name", "web-1 ep=10.1.0.1 port=:8080/TCP", "none\n" },
		{ "another protocol", "web-1 ep=10.1.0.1 port=p80:8080/UDP", "none\n" },
		{ "one of several", "web-1 ep=10.1.0.1 port=x:1/TCP port=p80:2/TCP port=p80:3/UDP",
			"10.1.0.1:2 C- ready\n" },
		{ "slices may differ in the number",
			"web-1 ep=10.1.0.1 port=p80:1/TCP\nweb-2 ep=10.1.0.2 port=p80:2/TCP",
			"10.1.0.1:1 C- ready\n"
			"10.1.0.2:2 C- ready\n" },
		{ "Endpoints objects, too",
			"web kind=Endpoints service=web ep=10.1.0.9\nweb-1 ep=10.1.0.1",
			"10.1.0.1:8080 C- ready\n"
			"10.1.0.9:8080 C- ready\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void the_order_is_that_of_the_addresses(void **state)
{
	static const struct row rows[] = {
		{ "not of the text", "web-1 ep=10.1.0.10 ep=10.1.0.9\nweb-0 ep=10.1.0.100",
			"10.1.0.9:8080 C- ready\n"
			"10.1.0.10:8080 C- ready\n"
			"10.1.0.100:8080 C- ready\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void families_are_never_crossed(void **state)
{
	static const struct row v4 = { "IPv4", "web-1 ep=10.1.0.1 ep=fd00::1",
		"10.1.0.1:8080 C- ready\n" };
	static const struct row v6 = { "IPv6", "web-1 ep=10.1.0.1 ep=fd00::1",
		"[fd00::1]:8080 C- ready\n" };
	/* Hints of the other family's endpoints do not count either. */
	static const struct row hints = { "hints",
		"web-1 ep=10.1.0.1,z=zone-a ep=10.1.0.2,z=b ep=fd00::1",
		"10.1.0.1:8080 C- ready\n"
		"10.1.0.2:8080 -- hinted for another zone\n" };
	struct fixture_node node;

	(void)state;
	fixture_node_init(&node);
	check(&v4, AF_INET, &node);
	check(&v6, AF_INET6, &node);
	check(&hints, AF_INET, &node);
}

static void weights_come_from_the_slice_then_from_the_node(void **state)
{
	static const struct row rows[] = {
		{ "none", "web-1 ep=10.1.0.1@a", "10.1.0.1:8080 C- ready\n" },
		{ "of the slice", "web-1 weight=7 ep=10.1.0.1@a", "10.1.0.1:8080 C- ready *7\n" },
		{ "zero", "web-1 weight=0 ep=10.1.0.1@a", "10.1.0.1:8080 C- ready *0\n" },
		{ "of the node", "node a weight=3\nweb-1 ep=10.1.0.1@a ep=10.1.0.2@b",
			"10.1.0.1:8080 C- ready *3\n"
			"10.1.0.2:8080 C- ready\n" },
		{ "a node without", "node a\nweb-1 ep=10.1.0.1@a", "10.1.0.1:8080 C- ready\n" },
		{ "the slice first", "node a weight=3\nweb-1 weight=7 ep=10.1.0.1@a",
			"10.1.0.1:8080 C- ready *7\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void a_service_has_a_limit_of_real_servers(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct served_ports served = { 0 };
	struct fixture_node node;
	struct store store;

	/* 30 ports, 300 slices of 30 endpoints: 9000 real servers a port */
	(void)state;
	fixture_node_init(&node);
	store_init(&store);
	buf_adds(&b, "service a/web ip=10.96.0.1");
	for (int i = 0; i < 30; i++)
		buf_addf(&b, " port=p%d:%d/TCP", i, i + 1);
	buf_addc(&b, '\n');
	for (int k = 0; k < 300; k++) {
		buf_addf(&b, "slice a/web-%d", k);
		for (int i = 0; i < 30; i++)
			buf_addf(&b, " port=p%d:80/TCP ep=10.%d.%d.%d", i, 100 + (k >> 8), k & 255,
				i + 1);
		buf_addc(&b, '\n');
	}
	fixture_load(&store, buf_str(&b));
	for (int again = 0; again < 2; again++) {
		served_ports_select(&served, store_find(&store, "a", "web"), &node.view);
		assert_int_equal(served.n, 30);
		for (int i = 0; i < 30; i++) {
			const bool beyond = (i + 1) * 9000 > SERVICE_MAX_REAL_SERVERS;

			assert_int_equal(served.ports[i].beyond, beyond);
			assert_int_equal(served.ports[i].endpoints.n, beyond ? 0 : 9000);
			assert_int_equal(served.ports[i].endpoints.any, !beyond);
		}
	}
	served_ports_done(&served);
	store_done(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_decide_who_may_serve),
		cmocka_unit_test(the_local_list_falls_back_to_local_endpoints_only),
		cmocka_unit_test(node_hints_are_followed_if_all_have_one_and_one_is_ours),
		cmocka_unit_test(zone_hints_are_followed_if_all_have_one_and_one_is_ours),
		cmocka_unit_test(without_a_zone_or_a_name_of_our_own_there_is_no_topology),
		cmocka_unit_test(the_better_of_two_with_one_address_and_port_counts),
		cmocka_unit_test(ready_counts_before_terminating),
		cmocka_unit_test(ports_are_found_by_name_and_protocol),
		cmocka_unit_test(the_order_is_that_of_the_addresses),
		cmocka_unit_test(families_are_never_crossed),
		cmocka_unit_test(a_service_has_a_limit_of_real_servers),
		cmocka_unit_test(weights_come_from_the_slice_then_from_the_node),
	};

	return cmocka_run_group_tests_name("endpoints", tests, NULL, NULL);
}
