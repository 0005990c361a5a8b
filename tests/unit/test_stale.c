// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of kube-proxy's pkg/proxy/conntrack/cleanup_test.go among others, with made-up flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/stale.h"
#include "fixture.h"

static struct {
	struct store store;
	struct fixture_node node;
	struct stale_list list;
} t;

static int setup(void **state)
{
	(void)state;
	store_init(&t.store);
	fixture_node_init(&t.node);
	t.node.view.ipv4 = t.node.view.ipv6 = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stale_done(&t.list);
	store_done(&t.store);
	return 0;
}

static void add_service(struct stale_list *l, const char *name)
{
	struct served_ports served = { 0 };

	served_ports_select(&served, store_find(&t.store, "ns", name), &t.node.view);
	stale_add_served(l, &served);
	served_ports_done(&served);
}

/* Loads the objects and lists what Service "ns/dns" has. */
static void list(const char *objects)
{
	fixture_load(&t.store, objects);
	add_service(&t.list, "dns");
	stale_finish(&t.list);
}

/* "10.20.0.10:53", "[fd00::1]:53" */
static struct ip parse(const char *s, uint16_t *ret_port)
{
	char ip[IP_STRLEN];
	const char *colon = strrchr(s, ':');
	bool v6 = *s == '[';

	assert_non_null(colon);
	snprintf(ip, sizeof(ip), "%.*s", (int)(colon - s) - 2 * v6, s + v6);
	*ret_port = (uint16_t)atoi(colon + 1);
	return fixture_ip(ip);
}

static struct stale_flow flow(uint8_t proto, const char *to, const char *from)
{
	struct stale_flow f = { .proto = proto };

	f.to = parse(to, &f.to_port);
	f.from = parse(from, &f.from_port);
	return f;
}

static bool stale(const char *to, const char *from)
{
	struct stale_flow f = flow(IPPROTO_UDP, to, from);

	return stale_match(&t.list, &f);
}

/* One line each: "UDP 10.20.0.10:53 10.244.0.1:5353,10.244.0.2:5353" */
static void assert_list(const char *expected)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	char s[IP_PORT_STRLEN];

	for (size_t i = 0; i < t.list.n; i++) {
		const struct stale_frontend *fe = &t.list.frontends[i];

		buf_addf(&b, "%s %s ", proto_name(fe->proto), ip_print_port(&fe->ip, fe->port, s));
		for (size_t k = 0; k < fe->n; k++) {
			const struct stale_endpoint *ep = &t.list.endpoints[fe->first + k];

			buf_addf(&b, "%s%s", k ? "," : "", ip_print_port(&ep->ip, ep->port, s));
		}
		buf_addc(&b, '\n');
	}
	assert_string_equal(buf_str(&b), expected);
}

static const char dns[] =
	"service ns/dns ip=10.20.0.10 port=dns:53/UDP:30053 port=dns-tcp:53/TCP:30053 type=NodePort "
	"external=50.60.70.81 lb=1.2.3.4 lbproxy=1.2.3.5\n"
	"slice ns/dns-a port=dns:5353/UDP port=dns-tcp:5353/TCP ep=10.244.0.2 ep=10.244.0.1\n";

static void every_address_of_a_udp_port_is_listed(void **state)
{
	(void)state;
	list(dns);
	assert_list("UDP 1.2.3.4:53 10.244.0.1:5353,10.244.0.2:5353\n"
		    "UDP 10.20.0.10:53 10.244.0.1:5353,10.244.0.2:5353\n"
		    "UDP 50.60.70.81:53 10.244.0.1:5353,10.244.0.2:5353\n"
		    "UDP 100.101.102.103:30053 10.244.0.1:5353,10.244.0.2:5353\n");
}

static void both_families_are_listed(void **state)
{
	(void)state;
	list("service ns/dns ip=10.20.0.10,2020::a port=dns:53/UDP\n"
	     "slice ns/dns-a port=dns:5353/UDP ep=10.244.0.1\n"
	     "slice ns/dns-b port=dns:5353/UDP ep=2012::1\n");
	assert_list("UDP 10.20.0.10:53 10.244.0.1:5353\n"
		    "UDP [2020::a]:53 [2012::1]:5353\n");
	assert_true(stale("[2020::a]:53", "[2012::2]:5353"));
	assert_false(stale("[2020::a]:53", "[2012::1]:5353"));
}

static void other_protocols_are_left_alone(void **state)
{
	(void)state;
	list("service ns/dns ip=10.20.0.10 port=a:53/TCP port=b:53/SCTP\n"
	     "slice ns/dns-a port=a:5353/TCP port=b:5353/SCTP ep=10.244.0.1\n");
	assert_list("");
}

static void what_goes_to_a_serving_endpoint_stays(void **state)
{
	static const char *const frontends[] = { "10.20.0.10:53", "50.60.70.81:53", "1.2.3.4:53",
		"100.101.102.103:30053" };

	(void)state;
	list(dns);
	for (size_t i = 0; i < ARRAY_SIZE(frontends); i++) {
		assert_false(stale(frontends[i], "10.244.0.1:5353"));
		assert_false(stale(frontends[i], "10.244.0.2:5353"));
	}
}

static void what_goes_to_an_endpoint_that_left_is_stale(void **state)
{
	static const char *const frontends[] = { "10.20.0.10:53", "50.60.70.81:53", "1.2.3.4:53",
		"100.101.102.103:30053" };

	(void)state;
	list(dns);
	for (size_t i = 0; i < ARRAY_SIZE(frontends); i++) {
		assert_true(stale(frontends[i], "10.244.0.3:5353"));
		assert_true(stale(frontends[i], "10.244.0.0:5353"));
	}
}

static void another_port_of_an_endpoint_is_stale(void **state)
{
	(void)state;
	list(dns);
	assert_true(stale("10.20.0.10:53", "10.244.0.1:53"));
	assert_true(stale("10.20.0.10:53", "10.244.0.1:5354"));
}

/* The client sent it before the Service was there, and never reached an endpoint. */
static void what_was_never_translated_is_stale(void **state)
{
	(void)state;
	list(dns);
	assert_true(stale("10.20.0.10:53", "10.20.0.10:53"));
	assert_true(stale("100.101.102.103:30053", "100.101.102.103:30053"));
}

static void unrelated_flows_stay(void **state)
{
	static const struct {
		const char *to, *from;
	} cases[] = {
		/* to the node port's number on another host: kube-proxy deletes this one */
		{ "203.0.113.7:30053", "203.0.113.7:30053" },
		{ "10.244.0.9:30053", "10.244.0.9:30053" },
		/* to the Service's port number, elsewhere */
		{ "8.8.8.8:53", "8.8.8.8:53" },
		{ "10.20.0.11:53", "10.244.0.9:5353" },
		/* to the Service's address, another port */
		{ "10.20.0.10:54", "10.244.0.9:5353" },
		{ "100.101.102.103:53", "100.101.102.103:53" },
		/* an endpoint without the Service */
		{ "10.244.0.1:5353", "10.244.0.1:5353" },
		/* to what the load balancer answers itself (ipMode Proxy) */
		{ "1.2.3.5:53", "1.2.3.5:53" },
	};

	(void)state;
	list(dns);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_false(stale(cases[i].to, cases[i].from));
}

static void flows_of_other_protocols_stay(void **state)
{
	struct stale_flow tcp = flow(IPPROTO_TCP, "10.20.0.10:53", "10.244.0.9:5353"),
			  sctp = flow(IPPROTO_SCTP, "10.20.0.10:53", "10.244.0.9:5353");

	(void)state;
	list(dns);
	assert_false(stale_match(&t.list, &tcp));
	assert_false(stale_match(&t.list, &sctp));
}

/* They were IPVS's, and with it nothing translates them any more. */
static void with_iptables_what_it_does_not_translate_is_stale(void **state)
{
	struct stale_flow f = flow(IPPROTO_UDP, "10.20.0.10:53", "10.244.0.1:5353");

	(void)state;
	list(dns);
	assert_false(stale_match(&t.list, &f));
	t.list.translated = true;
	assert_true(stale_match(&t.list, &f));
	f.translated = true;
	assert_false(stale_match(&t.list, &f));
	f.to_port = 54;
	f.translated = false;
	assert_false(stale_match(&t.list, &f));
}

/* Policies, topology and the state of termination do not. */
static void endpoints_that_serve_or_are_ready_count(void **state)
{
	(void)state;
	list("service ns/dns ip=10.20.0.10 port=dns:53/UDP itp=Local\n"
	     "slice ns/dns-a port=dns:5353/UDP ep=10.244.0.1@other,rs,z=zone-b ep=10.244.0.2,st "
	     "ep=10.244.0.3,- ep=10.244.0.4,t ep=10.244.0.5,s ep=10.244.0.6@test-node\n");
	assert_list("UDP 10.20.0.10:53 10.244.0.1:5353,10.244.0.2:5353,10.244.0.5:5353,"
		    "10.244.0.6:5353\n");
}

/* With publishNotReadyAddresses the API says ready and not serving, and packets are led there:
 * kube-proxy deletes their entries again and again. */
static void endpoints_published_before_they_are_ready_count(void **state)
{
	(void)state;
	list("service ns/dns ip=10.20.0.10 port=dns:53/UDP\n"
	     "slice ns/dns-a port=dns:5353/UDP ep=10.244.0.1,r ep=10.244.0.2,rs\n");
	assert_false(stale("10.20.0.10:53", "10.244.0.1:5353"));
	assert_true(stale("10.20.0.10:53", "10.244.0.3:5353"));
}

static void without_endpoints_all_flows_are_stale(void **state)
{
	(void)state;
	list("service ns/dns ip=10.20.0.10 port=dns:53/UDP\n"
	     "slice ns/dns-a port=dns:5353/UDP ep=10.244.0.1,-\n");
	assert_list("UDP 10.20.0.10:53 \n");
	assert_true(stale("10.20.0.10:53", "10.244.0.1:5353"));
	assert_true(stale("10.20.0.10:53", "10.20.0.10:53"));
	assert_false(stale("10.20.0.11:53", "10.20.0.11:53"));
}

static void ports_have_endpoints_of_their_own(void **state)
{
	(void)state;
	list("service ns/dns ip=10.20.0.10 port=a:53/UDP port=b:54/UDP port=c:55/UDP\n"
	     "slice ns/dns-a port=a:5353/UDP port=b:5454/UDP ep=10.244.0.1\n"
	     "slice ns/dns-b port=b:5454/UDP ep=10.244.0.2\n");
	assert_list("UDP 10.20.0.10:53 10.244.0.1:5353\n"
		    "UDP 10.20.0.10:54 10.244.0.1:5454,10.244.0.2:5454\n"
		    "UDP 10.20.0.10:55 \n");
	assert_true(stale("10.20.0.10:53", "10.244.0.2:5454"));
	assert_false(stale("10.20.0.10:54", "10.244.0.2:5454"));
}

static void services_that_are_not_proxied_have_nothing(void **state)
{
	static const char *const services[] = {
		"service ns/dns headless port=dns:53/UDP\n",
		"service ns/dns ip=10.20.0.10 otherproxy port=dns:53/UDP\n",
		"service ns/dns type=ExternalName port=dns:53/UDP\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		list(services[i]);
		assert_list("");
	}
}

static void slices_without_a_service_have_nothing(void **state)
{
	(void)state;
	list("slice ns/dns-a port=dns:5353/UDP ep=10.244.0.1\n");
	assert_list("");
}

static void a_family_that_is_not_served_is_not_listed(void **state)
{
	(void)state;
	t.node.view.ipv6 = false;
	list("service ns/dns ip=10.20.0.10,2020::a port=dns:53/UDP\n");
	assert_list("UDP 10.20.0.10:53 \n");
}

/* Two Services on one external address: whoever answers, none of their flows is stale. */
static void endpoints_of_all_who_are_listed_count(void **state)
{
	(void)state;
	fixture_load(&t.store,
		"service ns/other ip=10.20.0.11 port=x:53/UDP external=50.60.70.81\n"
		"slice ns/other-a port=x:9953/UDP ep=10.244.0.9\n");
	add_service(&t.list, "other");
	list(dns);
	assert_false(stale("50.60.70.81:53", "10.244.0.9:9953"));
	assert_false(stale("50.60.70.81:53", "10.244.0.1:5353"));
	assert_true(stale("50.60.70.81:53", "10.244.0.7:5353"));
	assert_true(stale("10.20.0.10:53", "10.244.0.9:9953"));
	assert_true(stale("10.20.0.11:53", "10.244.0.1:5353"));
}

static void one_frontend_can_be_copied(void **state)
{
	struct stale_list from = { 0 };

	(void)state;
	fixture_load(&t.store, dns);
	add_service(&from, "dns");
	stale_copy(&t.list, &from, 0);
	stale_copy(&t.list, &from, 1);
	stale_done(&from);
	stale_finish(&t.list);
	assert_list("UDP 10.20.0.10:53 10.244.0.1:5353,10.244.0.2:5353\n"
		    "UDP 50.60.70.81:53 10.244.0.1:5353,10.244.0.2:5353\n");
}

static void a_service_that_is_gone_leaves_only_stale_flows(void **state)
{
	struct ip ip = fixture_ip("10.20.0.10");

	(void)state;
	stale_add(&t.list, (struct stale_frontend){ .ip = ip, .port = 53, .proto = IPPROTO_UDP });
	stale_finish(&t.list);
	assert_true(stale("10.20.0.10:53", "10.244.0.1:5353"));
	assert_true(stale("10.20.0.10:53", "10.20.0.10:53"));
	assert_false(stale("10.20.0.10:54", "10.244.0.1:5353"));
}

static void an_empty_list_has_nothing_stale(void **state)
{
	(void)state;
	stale_finish(&t.list);
	assert_false(stale("10.20.0.10:53", "10.20.0.10:53"));
}

static void many_frontends_are_told_apart(void **state)
{
	enum { N = 1000 };
	struct ip ip = fixture_ip("10.20.0.0");

	(void)state;
	for (unsigned i = N; i > 0; i--) {
		ip.bytes[2] = (uint8_t)(i >> 8);
		ip.bytes[3] = (uint8_t)i;
		stale_add(&t.list,
			(struct stale_frontend){
				.ip = ip, .port = (uint16_t)(2 * i), .proto = IPPROTO_UDP });
	}
	stale_finish(&t.list);
	for (unsigned i = 0; i <= N + 1; i++) {
		struct stale_flow f = { .proto = IPPROTO_UDP, .to = ip, .from = ip };

		f.to.bytes[2] = (uint8_t)(i >> 8);
		f.to.bytes[3] = (uint8_t)i;
		f.to_port = (uint16_t)(2 * i);
		assert_int_equal(stale_match(&t.list, &f), i >= 1 && i <= N);
		f.to_port++;
		assert_false(stale_match(&t.list, &f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(every_address_of_a_udp_port_is_listed),
		TEST(both_families_are_listed),
		TEST(other_protocols_are_left_alone),
		TEST(what_goes_to_a_serving_endpoint_stays),
		TEST(what_goes_to_an_endpoint_that_left_is_stale),
		TEST(another_port_of_an_endpoint_is_stale),
		TEST(what_was_never_translated_is_stale),
		TEST(unrelated_flows_stay),
		TEST(flows_of_other_protocols_stay),
		TEST(with_iptables_what_it_does_not_translate_is_stale),
		TEST(endpoints_that_serve_or_are_ready_count),
		TEST(endpoints_published_before_they_are_ready_count),
		TEST(without_endpoints_all_flows_are_stale),
		TEST(ports_have_endpoints_of_their_own),
		TEST(services_that_are_not_proxied_have_nothing),
		TEST(slices_without_a_service_have_nothing),
		TEST(a_family_that_is_not_served_is_not_listed),
		TEST(endpoints_of_all_who_are_listed_count),
		TEST(one_frontend_can_be_copied),
		TEST(a_service_that_is_gone_leaves_only_stale_flows),
		TEST(an_empty_list_has_nothing_stale),
		TEST(many_frontends_are_told_apart),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
