// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may have which address and port; test_engine_conflict.c has Services of equal authority. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/publication.h"
#include "world.h"

#define NODE_IP "100.101.102.103" /* of fixture_node_init() */

static struct node_socket socket_of(const char *ip, uint16_t port)
{
	struct node_socket s;

	memset(&s, 0, sizeof(s));
	s.ip = fixture_ip(ip);
	s.port = port;
	return s;
}

static void expect_told(struct world *w, const char *told)
{
	assert_string_equal(world_told(w), told);
	world_forget(w);
}

static void some_addresses_are_refused_to_everybody(void **state)
{
	static const struct {
		const char *addresses, *port, *reason;
	} rows[] = {
		{ "external=127.0.0.1", "80/TCP", "Special" },
		{ "lb=127.9.9.9", "80/TCP", "Special" },
		{ "external=169.254.169.254", "80/TCP", "Special" },
		{ "lb=169.254.169.254", "80/UDP", "Special" },
		{ "external=224.0.0.251", "5353/UDP", "Special" },
		{ "external=0.0.0.0", "80/TCP", "Special" },
		{ "external=255.255.255.255", "67/UDP", "Special" },
		/* What the URL of the API server resolves to, and an endpoint of its Service. */
		{ "external=192.0.2.6", "6443/TCP", "APIServer" },
		{ "lb=192.0.2.6", "6443/TCP", "APIServer" },
		{ "external=192.0.2.6", "6443/UDP", NULL },
		{ "external=192.0.2.6", "443/TCP", NULL },
		{ "external=192.0.2.7", "6444/TCP", "APIServer" },
		{ "external=192.0.2.7", "80/TCP", NULL },
		{ "external=10.96.200.1", "80/TCP", "ClusterIP" }, /* the range */
		{ "lb=10.96.200.1", "80/TCP", "ClusterIP" },
		{ "external=10.95.0.50", "80/TCP", "ClusterIP" }, /* of b/other */
		{ "external=10.95.0.50", "9999/UDP", "ClusterIP" },
		{ "external=10.244.7.7", "80/TCP", "Pod" }, /* --cluster-cidr */
		{ "lb=10.244.7.7", "80/TCP", "Pod" },
		{ "external=198.18.0.9", "8080/TCP", "Endpoint" }, /* of b/other */
		{ "lb=198.18.0.9", "8080/TCP", NULL },
		{ "external=198.18.0.9", "8081/TCP", NULL },
		{ "external=" NODE_IP, "10250/TCP", "Kubelet" },
		{ "external=" NODE_IP, "10250/UDP", NULL },
		{ "external=192.0.2.10", "10250/TCP", NULL }, /* of another node */
		{ "external=" NODE_IP, "10256/TCP", "Daemon" },
		{ "lb=" NODE_IP, "10249/TCP", "Daemon" },
		{ "external=" NODE_IP, "31234/TCP", "HealthCheck" }, /* of b/other */
		{ "external=" NODE_IP, "80/TCP", NULL },
		{ "external=" NODE_IP, "30080/TCP", "loses to b/other" },
		{ "lb=" NODE_IP, "30080/TCP", "loses to b/other" },
		{ "external=" NODE_IP, "30080/UDP", NULL },
		{ "external=203.0.113.9", "80/TCP", NULL },
	};
	static const enum backend backends[] = { BACKEND_IPVS, BACKEND_IPTABLES };
	const struct node_socket api = socket_of("192.0.2.6", 6443);
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(backends); i++) {
		const enum backend backend = backends[i % ARRAY_SIZE(backends)];
		const char *reason = rows[i / 2].reason;
		_cleanup_(buf_done) struct buf service = { 0 }, told = { 0 };
		const char *address = strchr(rows[i / 2].addresses, '=') + 1;
		const char *port = rows[i / 2].port;
		struct ip primary[2] = { fixture_ip(NODE_IP) };
		struct ip *local = mem_zalloc(1, sizeof(*local));

		local[0] = primary[0];
		world_restart(w);
		w->node.view.backend = backend;
		w->node.options.external_addresses = EXTERNAL_PORTS;
		w->node.options.cluster_ip_ranges[0] = fixture_cidr("10.96.0.0/16");
		w->node.view.own_ports[0] = socket_of("0.0.0.0", 10256);
		memset(&w->node.view.own_ports[0].ip, 0, sizeof(struct ip));
		w->node.view.own_ports[1] = socket_of(NODE_IP, 10249);
		w->node.view.n_own_ports = 2;
		node_view_set_api_in_use(&w->node.view, &api, 1);
		fixture_load(&w->store,
			"service default/kubernetes ip=10.96.0.1 port=https:443/TCP\n"
			"slice default/kubernetes port=https:6444/TCP ep=192.0.2.7 "
			"service=kubernetes\n"
			"service b/other created=900 ip=10.95.0.50 type=LoadBalancer etp=Local "
			"healthcheck=31234 port=p:80/TCP:30080\n"
			"slice b/other-1 port=p:8080/TCP ep=198.18.0.9\n");
		w->node.view.local = NULL; /* the fixture's are not to be freed */
		w->node.view.n_local = 0;
		node_view_update(&w->node.view, local, 1, primary, &w->store);
		buf_addf(&service,
			"service a/web created=1 type=LoadBalancer ip=10.96.0.7 %s "
			"port=p:%s\n",
			rows[i / 2].addresses, port);
		world_start(w, buf_str(&service));
		if (reason && !strncmp(reason, "loses", 5))
			buf_addf(&told, "%s:%s: a/web %s\n", address, port, reason);
		else if (reason)
			buf_addf(&told, "%s:%s: a/web refused: %s\n", address, port, reason);
		if (strcmp(world_told(w), buf_str(&told)) != 0)
			fail_msg("%s%s on %s: %s", buf_str(&service), rows[i / 2].addresses,
				backend_name(backend), world_told(w));
		/* The Service keeps its other addresses. */
		assert_non_null(strstr(world_log(w), " 10.96.0.7"));
		node_view_done(&w->node.view);
		w->node.view.n_local = 0;
	}
}

/* Any port of it would take the whole address. */
static void the_api_servers_address_is_never_taken_as_a_whole(void **state)
{
	static const char *const ports[] = { "80/TCP", "6443/TCP", "6443/UDP" };
	const struct node_socket api = socket_of("192.0.2.6", 6443);
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		struct ip primary[2] = { fixture_ip(NODE_IP) };
		_cleanup_(buf_done) struct buf service = { 0 };

		world_restart(w);
		node_view_set_api_in_use(&w->node.view, &api, 1);
		w->node.view.local = NULL;
		w->node.view.n_local = 0;
		node_view_update(&w->node.view, NULL, 0, primary, &w->store);
		buf_addf(&service, "service a/web ip=10.96.0.7 external=192.0.2.6 port=p:%s\n",
			ports[i]);
		world_start(w, buf_str(&service));
		world_expect_gone(w, "route 192.0.2.6\nmember KUBE-IPVS-IPS 192.0.2.6\n");
		node_view_done(&w->node.view);
	}
}

#define EXTERNAL "service a/tenant created=1 ip=10.95.0.7 external=192.0.2.1 port=p:80/TCP\n"
#define TENANT "rs 192.0.2.1:80/TCP 10.244.1.7:80 weight=1\n"
#define TENANT_EPS "slice a/tenant-1 port=p:80/TCP ep=10.244.1.7\n"

static void a_load_balancer_address_beats_an_older_external_ip(void **state)
{
	static const char status[] =
		"service b/lb created=900 ip=10.95.0.8 type=LoadBalancer lb=192.0.2.1 "
		"port=p:80/TCP\nslice b/lb-1 port=p:80/TCP ep=10.244.1.8\n";
	struct world *w = *state;

	world_start(w, EXTERNAL TENANT_EPS);
	world_expect(w, TENANT);
	world_load(w, status);
	world_expect(w, "rs 192.0.2.1:80/TCP 10.244.1.8:80 weight=1\n");
	world_expect_gone(w, TENANT);
	expect_told(w, "192.0.2.1:80/TCP: a/tenant loses to b/lb\n");
	store_delete_service(&w->store, "b", "lb");
	world_step(w);
	world_expect(w, TENANT);
}

/* The holder keeps naming the address, but as an external IP only. */
static void who_loses_authority_may_lose_the_address(void **state)
{
	struct world *w = *state;

	world_start(w,
		"service a/first created=1 ip=10.95.0.1 type=LoadBalancer lb=192.0.2.1 "
		"port=p:80/TCP\n"
		"service b/second created=2 ip=10.95.0.2 type=LoadBalancer lb=192.0.2.1 "
		"port=p:80/TCP\n"
		"slice a/first-1 port=p:80/TCP ep=10.244.1.1\n"
		"slice b/second-1 port=p:80/TCP ep=10.244.1.2\n");
	world_expect(w, "rs 192.0.2.1:80/TCP 10.244.1.1:80 weight=1\n");
	world_load(w, "service a/first created=1 ip=10.95.0.1 external=192.0.2.1 port=p:80/TCP\n");
	world_expect(w, "rs 192.0.2.1:80/TCP 10.244.1.2:80 weight=1\n");
}

static void a_newer_cluster_ip_beats_an_older_external_ip(void **state)
{
	struct world *w = *state;

	world_start(w, EXTERNAL TENANT_EPS);
	world_load(w,
		"service b/new created=900 ip=192.0.2.1 port=p:443/TCP\n"
		"slice b/new-1 port=p:443/TCP ep=10.244.1.8\n");
	/* No port of it, not even one that its Service does not have. */
	expect_told(w, "192.0.2.1:80/TCP: a/tenant refused: ClusterIP\n");
	world_expect_gone(w, "vs 192.0.2.1:80/TCP none\n");
	world_expect(w, "rs 192.0.2.1:443/TCP 10.244.1.8:443 weight=1\n");
	/* With manifests several Services may have one cluster IP. */
	for (int i = 0; i < 4; i++) {
		char line[80];

		snprintf(line, sizeof(line), "service c/s%d ip=192.0.2.1 port=p:443/TCP\n", i);
		world_load(w, line);
	}
	store_delete_service(&w->store, "b", "new");
	for (int i = 0; i < 4; i++) {
		char name[8];

		world_step(w);
		world_expect_gone(w, TENANT);
		snprintf(name, sizeof(name), "s%d", i);
		store_delete_service(&w->store, "c", name);
	}
	world_step(w);
	world_expect(w, TENANT);
}

static void a_newer_node_port_beats_an_older_external_ip(void **state)
{
	static const char old[] = "service a/tenant created=1 ip=10.95.0.7 external=" NODE_IP
				  " port=p:30080/TCP\n" TENANT_EPS;
	static const char new[] = "service b/new created=900 type=NodePort ip=10.95.0.8 "
				  "port=p:80/TCP:30080\n"
				  "slice b/new-1 port=p:80/TCP ep=10.244.1.8\n";
	static const enum backend backends[] = { BACKEND_IPVS, BACKEND_IPTABLES };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		world_restart(w);
		w->node.view.backend = backends[i];
		world_start(w, old);
		expect_told(w, "");
		world_load(w, new);
		expect_told(w, NODE_IP ":30080/TCP: a/tenant loses to b/new\n");
		world_expect_gone(w, "member KUBE-EXTERNAL-IP " NODE_IP ",tcp:30080\n");
		store_delete_service(&w->store, "b", "new");
		world_step(w);
		expect_told(w, "");
		world_expect(w, "member KUBE-EXTERNAL-IP " NODE_IP ",tcp:30080\n");
		/* In the other order. */
		world_load(w, new);
		store_delete_service(&w->store, "a", "tenant");
		world_step(w);
		world_forget(w);
		world_load(w, old);
		expect_told(w, NODE_IP ":30080/TCP: a/tenant loses to b/new\n");
	}
}

/* The one with the best right is promoted, and when it goes the next. */
static void promotion_goes_by_authority_and_age(void **state)
{
	static const char all[] =
		"service a/first created=10 ip=10.95.0.1 external=192.0.2.1 port=p:80/TCP\n"
		"service a/second created=20 ip=10.95.0.2 external=192.0.2.1 port=p:80/TCP\n"
		"service a/status created=30 ip=10.95.0.3 type=LoadBalancer lb=192.0.2.1 "
		"port=p:80/TCP\n"
		"slice a/first-1 port=p:80/TCP ep=10.244.1.1\n"
		"slice a/second-1 port=p:80/TCP ep=10.244.1.2\n"
		"slice a/status-1 port=p:80/TCP ep=10.244.1.3\n";
	static const struct {
		const char *gone, *rs;
	} rows[] = {
		{ "status", "rs 192.0.2.1:80/TCP 10.244.1.1:80 weight=1\n" },
		{ "first", "rs 192.0.2.1:80/TCP 10.244.1.2:80 weight=1\n" },
	};
	struct world *w = *state;

	world_start(w, all);
	world_expect(w, "rs 192.0.2.1:80/TCP 10.244.1.3:80 weight=1\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		store_delete_service(&w->store, "a", rows[i].gone);
		world_step(w);
		world_expect(w, rows[i].rs);
	}
	store_delete_service(&w->store, "a", "second");
	world_step(w);
	world_expect_gone(w, "vs 192.0.2.1:80/TCP none\n");
}

/* Whoever was to be promoted may no longer want it. */
static void promotion_finds_the_next_who_still_asks(void **state)
{
	struct world *w = *state;

	world_start(w,
		"service a/first created=10 ip=10.95.0.1 external=192.0.2.1 port=p:80/TCP\n"
		"service a/second created=20 ip=10.95.0.2 external=192.0.2.1 port=p:80/TCP\n"
		"service a/third created=30 ip=10.95.0.3 external=192.0.2.1 port=p:80/TCP\n"
		"slice a/third-1 port=p:80/TCP ep=10.244.1.3\n");
	fixture_load(&w->store, "service a/second created=20 ip=10.95.0.2 port=p:80/TCP\n");
	store_delete_service(&w->store, "a", "first");
	world_step(w);
	world_expect(w, "rs 192.0.2.1:80/TCP 10.244.1.3:80 weight=1\n");
}

static void an_endpoint_that_comes_and_goes_decides_again(void **state)
{
	struct world *w = *state;

	world_start(w, EXTERNAL TENANT_EPS);
	world_load(w,
		"service b/other ip=10.95.0.8 port=p:80/TCP\n"
		"slice b/other-1 port=p:80/TCP ep=192.0.2.1\n");
	expect_told(w, "192.0.2.1:80/TCP: a/tenant refused: Endpoint\n");
	world_expect_gone(w, TENANT);
	world_load(w, "slice b/other-1 port=p:80/TCP ep=192.0.2.2\n");
	world_expect(w, TENANT);
	/* One's own endpoint is no reason, and neither is one of a Service that is gone. */
	world_load(w, "slice a/tenant-2 port=p:80/TCP ep=192.0.2.1\n");
	expect_told(w, "");
}

static void a_health_check_that_comes_and_goes_decides_again(void **state)
{
	struct world *w = *state;

	world_start(w,
		"service a/tenant created=1 ip=10.95.0.7 external=" NODE_IP " port=p:31234/TCP\n");
	world_load(w,
		"service b/lb created=900 type=LoadBalancer etp=Local ip=10.95.0.8 "
		"healthcheck=31234 port=p:80/TCP\n");
	expect_told(w, NODE_IP ":31234/TCP: a/tenant refused: HealthCheck\n");
	store_delete_service(&w->store, "b", "lb");
	world_step(w);
	world_expect(w, "vs " NODE_IP ":31234/TCP rr\n");
}

static void ranges_limit_external_addresses(void **state)
{
	struct world *w = *state;
	struct options *o = &w->node.options;

	o->external_ip_ranges[0] = fixture_cidr("192.0.2.0/24");
	o->n_external_ip_ranges = 1;
	o->load_balancer_ranges[0] = fixture_cidr("203.0.113.0/24");
	o->n_load_balancer_ranges = 1;
	world_start(w,
		"service a/web ip=10.95.0.7 type=LoadBalancer external=192.0.2.1,203.0.113.1 "
		"lb=203.0.113.2,192.0.2.2 port=p:80/TCP\n");
	expect_told(w, "192.0.2.2:80/TCP: a/web refused: Range and 1 more\n");
	world_expect(w, "vs 192.0.2.1:80/TCP rr\nvs 203.0.113.2:80/TCP rr\n");
	world_expect_gone(w, "vs 203.0.113.1:80/TCP rr\nvs 192.0.2.2:80/TCP rr\n");
}

/* A range that holds the node's own address is no range of pods alone. */
static void a_range_of_nodes_and_pods_refuses_nothing(void **state)
{
	struct world *w = *state;

	w->node.options.cluster_cidr[0] = fixture_cidr("100.0.0.0/8");
	world_start(w, "service a/web ip=10.95.0.7 external=100.9.9.9 port=p:80/TCP\n");
	expect_told(w, "");
}

#define TAKEN                                                      \
	"link kube-ipvs1\n"                                        \
	"policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512\n" \
	"set KUBE-EXTERNAL-PORT hash:ip,port maxelem=65536\n"
#define TAKEN_PORT                     \
	"held 192.0.2.1\n"             \
	"route 192.0.2.1 table=2512\n" \
	"member KUBE-EXTERNAL-PORT 192.0.2.1,tcp:80\n"

/* A node without such an address pays nothing for them. */
static void the_rules_stand_while_a_port_is_taken(void **state)
{
	static const char chain[] = "chain IPv4 mangle KUBE-IPVS-EXTERNAL text=0000000000000000\n";
	static const char jumps[] =
		"jump IPv4 mangle PREROUTING KUBE-IPVS-EXTERNAL text=0000000000000000\n"
		"jump IPv4 mangle INPUT KUBE-IPVS-TAKEN text=0000000000000000\n";
	struct world *w = *state;

	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, "service a/plain ip=10.95.0.9 external=" NODE_IP " port=p:80/TCP\n");
	world_expect_gone(w, TAKEN);
	world_expect_gone(w, chain);
	world_load(w,
		EXTERNAL TENANT_EPS
		"service a/again created=5 ip=10.95.0.6 external=192.0.2.1 port=p:81/TCP\n");
	world_expect(w, TAKEN TAKEN_PORT TENANT);
	world_expect_gone(w, "route 192.0.2.1\nmember KUBE-IPVS-IPS 192.0.2.1\n");
	store_delete_service(&w->store, "a", "tenant");
	world_step(w);
	world_expect(w, TAKEN "held 192.0.2.1\nroute 192.0.2.1 table=2512\n");
	world_expect_gone(w, "member KUBE-EXTERNAL-PORT 192.0.2.1,tcp:80\n");
	store_delete_service(&w->store, "a", "again");
	world_step(w);
	world_expect_gone(w, TAKEN TAKEN_PORT);
	world_expect_gone(w, chain);
	world_expect_gone(w, jumps);
}

/* When it goes to another host, connections go on here until packets find that host. */
static void a_port_of_an_own_address_is_ready_to_be_taken(void **state)
{
	static const char ready[] = "route " NODE_IP " table=2512\n"
				    "member KUBE-EXTERNAL-PORT " NODE_IP ",tcp:80\n";
	static const char taken[] = "held " NODE_IP "\n";
	struct world *w = *state;

	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w, "service a/own ip=10.95.0.9 external=" NODE_IP " port=p:80/TCP:30080\n");
	world_expect_gone(w, ready);
	world_load(w, EXTERNAL TENANT_EPS);
	world_expect(w, ready);
	world_expect_gone(w, taken);
	assert_null(strstr(world_log(w), NODE_IP ",tcp:30080"));
	w->node.view.n_local = 0;
	engine_node_changed(w->engine);
	world_step(w);
	world_expect(w, ready);
	world_expect(w, taken);
	w->node.view.n_local = 1;
	engine_node_changed(w->engine);
	store_delete_service(&w->store, "a", "tenant");
	world_step(w);
	world_expect_gone(w, ready);
	world_expect_gone(w, taken);
}

/* The address of an own interface, of a pool that nobody else has, without policy routing. */
static void some_addresses_are_not_taken_port_by_port(void **state)
{
	struct world *w = *state;
	struct options *o = &w->node.options;

	o->external_addresses = EXTERNAL_PORTS;
	o->local_ranges[0] = fixture_cidr("203.0.113.0/24");
	o->n_local_ranges = 1;
	world_start(
		w, "service a/web ip=10.95.0.9 external=203.0.113.1," NODE_IP " port=p:80/TCP\n");
	world_expect(w, "route 203.0.113.1 src=" NODE_IP "\nvs " NODE_IP ":80/TCP rr\n");
	world_expect_gone(w, TAKEN);
	w->node.view.policy_routing[0] = false;
	engine_node_changed(w->engine);
	world_load(w, EXTERNAL);
	world_expect(w, "route 192.0.2.1 src=" NODE_IP "\n");
	world_expect_gone(w, TAKEN);
}

/* On iptables addresses are translated before anybody asks whose they are. */
static void iptables_needs_no_address(void **state)
{
	static const char jump[] = "jump IPv4 filter OUTPUT KUBE-SERVICES text=0000000000000000\n";
	struct world *w = *state;

	w->node.options.external_addresses = EXTERNAL_PORTS;
	w->node.view.backend = BACKEND_IPTABLES;
	world_start(w, EXTERNAL TENANT_EPS);
	world_expect(w, "member KUBE-EXTERNAL-IP 192.0.2.1,tcp:80\n");
	world_expect_gone(w, TAKEN TAKEN_PORT);
	world_expect_gone(w, "route 192.0.2.1\nmember KUBE-IPVS-IPS 192.0.2.1\n");
	assert_non_null(strstr(world_log(w), "add jump IPv4 filter OUTPUT KUBE-SERVICES"));
	store_delete_service(&w->store, "a", "tenant");
	world_step(w);
	world_expect_gone(w, jump);
}

static void expect_order(struct world *w, const char *const *lines, size_t n)
{
	const char *at = world_log(w);

	for (size_t i = 0; i < n; i++) {
		at = strstr(at, lines[i]);
		if (!at)
			fail_msg("%s is too early or missing in\n%s", lines[i], world_log(w));
	}
	world_forget(w);
}

/* Members that lead packets to us come last and go first; rules the other way round. */
static void the_order_of_taking_and_giving_back(void **state)
{
	static const char *const taken[] = { "add policy-rule IPv4", "add set KUBE-EXTERNAL-PORT",
		"add jump IPv4 mangle PREROUTING KUBE-IPVS-EXTERNAL", "add vs 192.0.2.1",
		"add rs 192.0.2.1", "add route 192.0.2.1 table", "add member KUBE-EXTERNAL-PORT",
		"add held 192.0.2.1" };
	static const char *const given_back[] = { "delete member KUBE-EXTERNAL-PORT",
		"delete route 192.0.2.1 table", "delete held 192.0.2.1", "delete vs 192.0.2.1" };
	/* Members and addresses go with their set and device. */
	static const char *const all_given_back[] = { "delete route 192.0.2.9 table",
		"delete vs 192.0.2.9", "delete jump IPv4 mangle PREROUTING KUBE-IPVS-EXTERNAL",
		"delete set KUBE-EXTERNAL-PORT", "delete policy-rule IPv4",
		"delete link kube-ipvs1" };
	struct world *w = *state;

	w->node.options.external_addresses = EXTERNAL_PORTS;
	world_start(w,
		EXTERNAL TENANT_EPS
		"service b/stays ip=10.95.0.9 external=192.0.2.9 port=p:80/TCP\n");
	expect_order(w, taken, ARRAY_SIZE(taken));
	store_delete_service(&w->store, "a", "tenant");
	world_step(w);
	expect_order(w, given_back, ARRAY_SIZE(given_back));
	store_delete_service(&w->store, "b", "stays");
	world_step(w);
	expect_order(w, all_given_back, ARRAY_SIZE(all_given_back));
}

static void refusals_are_counted(void **state)
{
	struct world *w = *state;
	const struct engine_stats *stats = engine_stats(w->engine);

	world_start(w,
		EXTERNAL
		"service b/web ip=10.95.0.8 external=127.0.0.1,127.0.0.2,192.0.2.1 port=p:80/TCP\n");
	assert_int_equal(stats->refused[REFUSAL_SPECIAL], 2);
	assert_int_equal(stats->refused[REFUSAL_HELD], 1);
	store_delete_service(&w->store, "b", "web");
	world_step(w);
	for (enum refusal r = REFUSAL_HELD; r < REFUSALS; r++)
		assert_int_equal(stats->refused[r], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(some_addresses_are_refused_to_everybody),
		WORLD_TEST(the_api_servers_address_is_never_taken_as_a_whole),
		WORLD_TEST(a_load_balancer_address_beats_an_older_external_ip),
		WORLD_TEST(who_loses_authority_may_lose_the_address),
		WORLD_TEST(a_newer_cluster_ip_beats_an_older_external_ip),
		WORLD_TEST(a_newer_node_port_beats_an_older_external_ip),
		WORLD_TEST(promotion_goes_by_authority_and_age),
		WORLD_TEST(promotion_finds_the_next_who_still_asks),
		WORLD_TEST(an_endpoint_that_comes_and_goes_decides_again),
		WORLD_TEST(a_health_check_that_comes_and_goes_decides_again),
		WORLD_TEST(ranges_limit_external_addresses),
		WORLD_TEST(a_range_of_nodes_and_pods_refuses_nothing),
		WORLD_TEST(the_rules_stand_while_a_port_is_taken),
		WORLD_TEST(a_port_of_an_own_address_is_ready_to_be_taken),
		WORLD_TEST(some_addresses_are_not_taken_port_by_port),
		WORLD_TEST(iptables_needs_no_address),
		WORLD_TEST(the_order_of_taking_and_giving_back),
		WORLD_TEST(refusals_are_counted),
	};

	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
