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

/* The Service a/web in the environment of fixture_node_init(); W.. are kube-proxy's worked cases.
 */
struct row {
	const char *name, *objects, *expected;
	void (*change)(struct fixture_node *n);
};

#define SERVICE "service a/web ip=10.20.30.41 "
#define PORT "port=p80:80/TCP"
#define SLICE "\nslice a/web-1 port=p80:8080/TCP "
#define LOCAL_EP "ep=10.244.0.5@test-node "
#define REMOTE_EP "ep=10.244.1.7@other "
#define EPS SLICE LOCAL_EP REMOTE_EP

#define LOOP "member KUBE-LOOP-BACK 10.244.0.5,tcp:8080,10.244.0.5\n"
#define CIP "member KUBE-CLUSTER-IP 10.20.30.41,tcp:80\n"
#define IPS "member KUBE-IPVS-IPS 10.20.30.41\n"
#define VS "vs 10.20.30.41:80/TCP rr\n"
#define RS_LOCAL "rs 10.20.30.41:80/TCP 10.244.0.5:8080 weight=1\n"
#define RS_REMOTE "rs 10.20.30.41:80/TCP 10.244.1.7:8080 weight=1\n"
#define ROUTE "route 10.20.30.41 src=100.101.102.103\n"

static void check(const struct row *row)
{
	_cleanup_(fact_list_done) struct fact_list list = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };
	struct fixture_node node;
	struct store store;

	store_init(&store);
	fixture_load(&store, row->objects);
	fixture_node_init(&node);
	node.view.store = &store;
	if (row->change)
		row->change(&node);
	fixture_resolve(&store, "a", "web", &node.view, NULL, &list);
	fact_list_finish(&list);
	fixture_print_facts(&b, list.facts, list.n);
	if (strcmp(buf_str(&b), row->expected) != 0)
		fail_msg("%s: expected\n%sbut got\n%s", row->name, row->expected, buf_str(&b));
	store_done(&store);
}

static void check_all(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&rows[i]);
}

static void a_cluster_ip_leads_to_all_endpoints(void **state)
{
	static const struct row rows[] = {
		{ "W1", SERVICE PORT EPS, LOOP CIP IPS VS RS_LOCAL RS_REMOTE ROUTE },
		{ "W2, no slices", SERVICE PORT, CIP IPS VS ROUTE },
		{ "W2, none ready",
			SERVICE PORT SLICE "ep=10.244.0.5@test-node,- ep=10.244.1.7@other,s",
			LOOP CIP IPS VS ROUTE },
		{ "W2, two ports", SERVICE PORT " port=p443:443/TCP" EPS "port=p443:8443/TCP",
			LOOP "member KUBE-LOOP-BACK 10.244.0.5,tcp:8443,10.244.0.5\n" CIP
			     "member KUBE-CLUSTER-IP 10.20.30.41,tcp:443\n" IPS VS
			     "vs 10.20.30.41:443/TCP rr\n" RS_LOCAL RS_REMOTE
			     "rs 10.20.30.41:443/TCP 10.244.0.5:8443 weight=1\n"
			     "rs 10.20.30.41:443/TCP 10.244.1.7:8443 weight=1\n" ROUTE },
		{ "W2, UDP and SCTP on one port",
			SERVICE "port=dns:53/UDP port=sig:53/SCTP\n"
				"slice a/web-1 port=dns:5353/UDP port=sig:36412/SCTP " LOCAL_EP,
			"member KUBE-LOOP-BACK 10.244.0.5,udp:5353,10.244.0.5\n"
			"member KUBE-LOOP-BACK 10.244.0.5,sctp:36412,10.244.0.5\n"
			"member KUBE-CLUSTER-IP 10.20.30.41,udp:53\n"
			"member KUBE-CLUSTER-IP 10.20.30.41,sctp:53\n" IPS
			"vs 10.20.30.41:53/UDP rr\n"
			"vs 10.20.30.41:53/SCTP rr\n"
			"rs 10.20.30.41:53/UDP 10.244.0.5:5353 weight=1\n"
			"rs 10.20.30.41:53/SCTP 10.244.0.5:36412 weight=1\n" ROUTE },
		{ "W2, headless", "service a/web headless " PORT EPS, "" },
		{ "W2, ExternalName", SERVICE "type=ExternalName " PORT EPS, "" },
		{ "W2, of another proxy", SERVICE "otherproxy " PORT EPS, "" },
		{ "slices only", "slice a/web-1 port=p80:8080/TCP " LOCAL_EP, "" },
		{ "weights", SERVICE PORT SLICE "weight=5 " REMOTE_EP,
			CIP IPS VS "rs 10.20.30.41:80/TCP 10.244.1.7:8080 weight=5\n" ROUTE },
		{ "W14, one that goes is not wanted while another is ready",
			SERVICE PORT SLICE LOCAL_EP "ep=10.244.1.7@other,st",
			LOOP CIP IPS VS RS_LOCAL ROUTE },
		{ "W14, the only one stays", SERVICE PORT SLICE "ep=10.244.1.7@other,st",
			CIP IPS VS RS_REMOTE ROUTE },
		{ "W15, no health check without etp Local",
			SERVICE "type=LoadBalancer healthcheck=32000 " PORT, CIP IPS VS ROUTE },
		{ "W15, no health check but for load balancers",
			SERVICE "type=NodePort etp=Local healthcheck=32000 " PORT,
			CIP IPS VS ROUTE },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void scheduler_is_mh(struct fixture_node *p)
{
	strcpy(p->options.scheduler, "mh");
}

static void wlc_is_missing(struct fixture_node *p)
{
	strcpy(p->options.scheduler, "wlc");
	strcpy(p->view.missing_schedulers[p->view.n_missing_schedulers++], "wlc");
}

static void a_service_chooses_its_scheduler(void **state)
{
	static const struct row rows[] = {
		{ "persistence", SERVICE "affinity=10800 " PORT,
			CIP IPS "vs 10.20.30.41:80/TCP rr persistence=10800\n" ROUTE },
		{ "sh passes over what drains", SERVICE "scheduler=sh " PORT,
			CIP IPS "vs 10.20.30.41:80/TCP sh flags=0x8\n" ROUTE },
		{ "mh hashes the port, too", SERVICE PORT,
			CIP IPS "vs 10.20.30.41:80/TCP mh flags=0x10\n" ROUTE, scheduler_is_mh },
		{ "mh with persistence", SERVICE "affinity=5 " PORT,
			CIP IPS "vs 10.20.30.41:80/TCP mh persistence=5 flags=0x10\n" ROUTE,
			scheduler_is_mh },
		{ "by annotation", SERVICE "scheduler=sed " PORT,
			CIP IPS "vs 10.20.30.41:80/TCP sed\n" ROUTE, scheduler_is_mh },
		{ "one that the kernel lacks degrades to the default",
			SERVICE "scheduler=wlc " PORT, CIP IPS VS ROUTE, wlc_is_missing },
		{ "and the default to rr", SERVICE PORT, CIP IPS VS ROUTE, wlc_is_missing },
		{ "no kernel has one with such a name", SERVICE "scheduler=a-scheduler-of-16 " PORT,
			CIP IPS "vs 10.20.30.41:80/TCP mh flags=0x10\n" ROUTE, scheduler_is_mh },
		{ "on all addresses", SERVICE "affinity=7 external=50.60.70.81 " PORT,
			CIP "member KUBE-EXTERNAL-IP 50.60.70.81,tcp:80\n" IPS
			    "member KUBE-IPVS-IPS 50.60.70.81\n"
			    "vs 10.20.30.41:80/TCP rr persistence=7\n"
			    "vs 50.60.70.81:80/TCP rr persistence=7\n" ROUTE
			    "route 50.60.70.81 src=100.101.102.103\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

#define NP_PORT "port=p80:80/TCP:30001"
#define NP_VS "vs 100.101.102.103:30001/TCP rr\n"
#define NP_RS_LOCAL "rs 100.101.102.103:30001/TCP 10.244.0.5:8080 weight=1\n"
#define NP_RS_REMOTE "rs 100.101.102.103:30001/TCP 10.244.1.7:8080 weight=1\n"
#define NP "member KUBE-NODE-PORT-TCP 30001\n"
#define NP_LOCAL "member KUBE-NODE-PORT-LOCAL-TCP 30001\n"

static void three_addresses(struct fixture_node *p)
{
	static struct ip local[] = {
		{ .family = AF_INET, .bytes = { 100, 101, 102, 103 } },
		{ .family = AF_INET, .bytes = { 100, 101, 102, 104 } },
		{ .family = AF_INET, .bytes = { 100, 101, 102, 105 } },
	};

	p->view.local = local;
	p->view.n_local = ARRAY_SIZE(local);
}

static void no_node_port_address(struct fixture_node *p)
{
	p->options.nodeport_addresses[p->options.n_nodeport_addresses++] =
		fixture_cidr("203.0.113.0/24");
}

static void node_ports_answer_on_the_nodes_addresses(void **state)
{
	static const struct row rows[] = {
		{ "W3", SERVICE NP_PORT EPS,
			LOOP CIP NP IPS VS NP_VS RS_LOCAL RS_REMOTE NP_RS_LOCAL NP_RS_REMOTE
				ROUTE },
		{ "W3, UDP", SERVICE "port=p80:80/UDP:30001",
			"member KUBE-CLUSTER-IP 10.20.30.41,udp:80\n"
			"member KUBE-NODE-PORT-UDP 30001\n" IPS "vs 10.20.30.41:80/UDP rr\n"
			"vs 100.101.102.103:30001/UDP rr\n" ROUTE },
		{ "W3, UDP, etp Local", SERVICE "type=NodePort etp=Local port=p80:80/UDP:30001",
			"member KUBE-CLUSTER-IP 10.20.30.41,udp:80\n"
			"member KUBE-NODE-PORT-UDP 30001\n"
			"member KUBE-NODE-PORT-LOCAL-UDP 30001\n" IPS "vs 10.20.30.41:80/UDP rr\n"
			"vs 100.101.102.103:30001/UDP rr\n" ROUTE },
		{ "W3, SCTP on several addresses",
			SERVICE "type=NodePort etp=Local port=p80:80/SCTP:30001",
			"member KUBE-CLUSTER-IP 10.20.30.41,sctp:80\n"
			"member KUBE-NODE-PORT-SCTP-HASH 100.101.102.103,sctp:30001\n"
			"member KUBE-NODE-PORT-SCTP-HASH 100.101.102.104,sctp:30001\n"
			"member KUBE-NODE-PORT-SCTP-HASH 100.101.102.105,sctp:30001\n"
			"member KUBE-NODE-PORT-LOCAL-SCTP-HASH 100.101.102.103,sctp:30001\n"
			"member KUBE-NODE-PORT-LOCAL-SCTP-HASH 100.101.102.104,sctp:30001\n"
			"member KUBE-NODE-PORT-LOCAL-SCTP-HASH 100.101.102.105,sctp:30001\n" IPS
			"vs 10.20.30.41:80/SCTP rr\n"
			"vs 100.101.102.103:30001/SCTP rr\n"
			"vs 100.101.102.104:30001/SCTP rr\n"
			"vs 100.101.102.105:30001/SCTP rr\n" ROUTE,
			three_addresses },
		{ "W4, local and remote", SERVICE "type=NodePort etp=Local " NP_PORT EPS,
			LOOP CIP NP NP_LOCAL IPS VS NP_VS RS_LOCAL RS_REMOTE NP_RS_LOCAL ROUTE },
		/* Never to another node, where the reply would not come back from. */
		{ "W4, remote only", SERVICE "type=NodePort etp=Local " NP_PORT SLICE REMOTE_EP,
			CIP "member KUBE-NO-LOCAL 100.101.102.103,tcp:30001\n" NP NP_LOCAL IPS VS
				NP_VS RS_REMOTE ROUTE },
		{ "W4, a local one that goes",
			SERVICE "type=NodePort etp=Local " NP_PORT SLICE
				"ep=10.244.0.5@test-node,st " REMOTE_EP,
			LOOP CIP NP NP_LOCAL IPS VS NP_VS RS_REMOTE NP_RS_LOCAL ROUTE },
		/* kube-proxy loses the health check port here. */
		{ "W5, no address for it",
			SERVICE "type=LoadBalancer etp=Local healthcheck=32000 " NP_PORT,
			CIP "member KUBE-HEALTH-CHECK-NODE-PORT 32000\n" IPS VS ROUTE,
			no_node_port_address },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

#define LB "member KUBE-LOAD-BALANCER 1.2.3.4,tcp:80\n"
#define LB_LOCAL "member KUBE-LOAD-BALANCER-LOCAL 1.2.3.4,tcp:80\n"
#define LB_FW "member KUBE-LOAD-BALANCER-FW 1.2.3.4,tcp:80\n"
#define LB_IPS "member KUBE-IPVS-IPS 1.2.3.4\n"
#define LB_VS "vs 1.2.3.4:80/TCP rr\n"
#define LB_RS_LOCAL "rs 1.2.3.4:80/TCP 10.244.0.5:8080 weight=1\n"
#define LB_RS_REMOTE "rs 1.2.3.4:80/TCP 10.244.1.7:8080 weight=1\n"
#define LB_ROUTE "route 1.2.3.4 src=100.101.102.103\n"

static void load_balancers_answer_on_their_addresses(void **state)
{
	static const struct row rows[] = {
		{ "W6", SERVICE "type=LoadBalancer lb=1.2.3.4 " NP_PORT EPS,
			LOOP CIP LB NP LB_IPS IPS LB_VS VS NP_VS LB_RS_LOCAL LB_RS_REMOTE RS_LOCAL
				RS_REMOTE NP_RS_LOCAL NP_RS_REMOTE LB_ROUTE ROUTE },
		{ "W6, without node ports", SERVICE "type=LoadBalancer lb=1.2.3.4 " PORT EPS,
			LOOP CIP LB LB_IPS IPS LB_VS VS LB_RS_LOCAL LB_RS_REMOTE RS_LOCAL RS_REMOTE
				LB_ROUTE ROUTE },
		{ "W6, ipMode Proxy", SERVICE "type=LoadBalancer lbproxy=1.2.3.4 " PORT,
			CIP IPS VS ROUTE },
		{ "W6, an address of the node",
			SERVICE "type=LoadBalancer lb=100.101.102.103 " PORT,
			CIP "member KUBE-LOAD-BALANCER 100.101.102.103,tcp:80\n" IPS VS
			    "vs 100.101.102.103:80/TCP rr\n" ROUTE },
		{ "W6, etp Local with a health check",
			SERVICE
			"type=LoadBalancer etp=Local healthcheck=32000 lb=1.2.3.4 " PORT EPS,
			LOOP CIP LB LB_LOCAL "member KUBE-HEALTH-CHECK-NODE-PORT 32000\n" LB_IPS IPS
				LB_VS VS LB_RS_LOCAL RS_LOCAL RS_REMOTE LB_ROUTE ROUTE },
		{ "W6, etp Local, no local endpoint",
			SERVICE "type=LoadBalancer etp=Local lb=1.2.3.4 " PORT SLICE REMOTE_EP,
			CIP LB LB_LOCAL "member KUBE-NO-LOCAL 1.2.3.4,tcp:80\n" LB_IPS IPS LB_VS VS
				RS_REMOTE LB_ROUTE ROUTE },
		{ "W6, etp Local, one elsewhere that goes is still one elsewhere",
			SERVICE "type=LoadBalancer etp=Local lb=1.2.3.4 " PORT SLICE
				"ep=10.244.1.7@other,st",
			CIP LB LB_LOCAL "member KUBE-NO-LOCAL 1.2.3.4,tcp:80\n" LB_IPS IPS LB_VS VS
				RS_REMOTE LB_ROUTE ROUTE },
		{ "W6, etp Local, none that could serve: refused, not dropped",
			SERVICE "type=LoadBalancer etp=Local lb=1.2.3.4 " PORT SLICE
				"ep=10.244.1.7@other,s",
			CIP LB LB_LOCAL LB_IPS IPS LB_VS VS LB_ROUTE ROUTE },
		{ "W6, etp Local, the fallback on both sides",
			SERVICE "type=LoadBalancer etp=Local lb=1.2.3.4 " PORT SLICE
				"ep=10.244.0.5@test-node,st ep=10.244.1.7@other,st",
			LOOP CIP LB LB_LOCAL LB_IPS IPS LB_VS VS LB_RS_LOCAL RS_LOCAL RS_REMOTE
				LB_ROUTE ROUTE },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void no_node_ip(struct fixture_node *p)
{
	p->view.node_ip[0] = (struct ip){ 0 };
}

#define RANGED "service a/web ip=10.20.30.41 type=LoadBalancer lb=1.2.3.4 " PORT
#define SOURCE "member KUBE-LOAD-BALANCER-SOURCE-CIDR 1.2.3.4,tcp:80,"

static void source_ranges_restrict_load_balancers(void **state)
{
	static const struct row rows[] = {
		{ "W7, the node is not inside", RANGED " ranges=10.0.0.0/8",
			CIP LB SOURCE "10.0.0.0/8\n" LB_FW LB_IPS IPS LB_VS VS LB_ROUTE ROUTE },
		{ "W7, the node is inside", RANGED " ranges=10.0.0.0/8,100.101.0.0/16",
			CIP LB "member KUBE-LOAD-BALANCER-SOURCE-IP 1.2.3.4,tcp:80,1.2.3.4\n" SOURCE
			       "10.0.0.0/8\n" SOURCE
			       "100.101.0.0/16\n" LB_FW LB_IPS IPS LB_VS VS LB_ROUTE ROUTE },
		{ "W7, single addresses", RANGED " ranges=10.0.0.1/32",
			CIP LB SOURCE "10.0.0.1/32\n" LB_FW LB_IPS IPS LB_VS VS LB_ROUTE ROUTE },
		{ "W7, everything is no restriction", RANGED " ranges=10.0.0.0/8,0.0.0.0/0",
			CIP LB LB_IPS IPS LB_VS VS LB_ROUTE ROUTE },
		{ "W7, node IP unknown", RANGED " ranges=100.101.0.0/16",
			CIP LB SOURCE "100.101.0.0/16\n" LB_FW LB_IPS IPS LB_VS VS
				      "route 1.2.3.4\nroute 10.20.30.41\n",
			no_node_ip },
		{ "not for other addresses",
			SERVICE "external=50.60.70.81 ranges=10.0.0.0/8 " NP_PORT,
			CIP "member KUBE-EXTERNAL-IP 50.60.70.81,tcp:80\n" NP IPS
			    "member KUBE-IPVS-IPS 50.60.70.81\n" VS
			    "vs 50.60.70.81:80/TCP rr\n" NP_VS ROUTE
			    "route 50.60.70.81 src=100.101.102.103\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

#define EXT_VS "vs 50.60.70.81:80/TCP rr\n"
#define EXT_RS_LOCAL "rs 50.60.70.81:80/TCP 10.244.0.5:8080 weight=1\n"
#define EXT_RS_REMOTE "rs 50.60.70.81:80/TCP 10.244.1.7:8080 weight=1\n"
#define EXT_IPS "member KUBE-IPVS-IPS 50.60.70.81\n"
#define EXT_ROUTE "route 50.60.70.81 src=100.101.102.103\n"

static void external_ips_answer_too(void **state)
{
	static const struct row rows[] = {
		{ "W8", SERVICE "external=50.60.70.81,2012::51 " PORT EPS,
			LOOP CIP
			"member KUBE-EXTERNAL-IP 50.60.70.81,tcp:80\n" IPS EXT_IPS VS EXT_VS
				RS_LOCAL RS_REMOTE EXT_RS_LOCAL EXT_RS_REMOTE ROUTE EXT_ROUTE },
		{ "W8, etp Local", SERVICE "etp=Local external=50.60.70.81 " PORT EPS,
			LOOP CIP "member KUBE-EXTERNAL-IP-LOCAL 50.60.70.81,tcp:80\n" IPS EXT_IPS VS
				EXT_VS RS_LOCAL RS_REMOTE EXT_RS_LOCAL ROUTE EXT_ROUTE },
		{ "W8, an address of the node", SERVICE "external=100.101.102.103 " PORT,
			CIP "member KUBE-EXTERNAL-IP 100.101.102.103,tcp:80\n" IPS VS
			    "vs 100.101.102.103:80/TCP rr\n" ROUTE },
		{ "W8, no endpoints", SERVICE "external=50.60.70.81 " PORT,
			CIP "member KUBE-EXTERNAL-IP 50.60.70.81,tcp:80\n" IPS EXT_IPS VS EXT_VS
				ROUTE EXT_ROUTE },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void internal_policy_local_never_leaves_the_node(void **state)
{
	static const struct row rows[] = {
		{ "W9, local endpoints", SERVICE "itp=Local " PORT EPS,
			LOOP CIP IPS VS RS_LOCAL ROUTE },
		{ "W9, none", SERVICE "itp=Local " PORT SLICE REMOTE_EP,
			CIP "member KUBE-NO-LOCAL 10.20.30.41,tcp:80\n" IPS VS ROUTE },
		{ "W9, none that could serve: refused, not dropped",
			SERVICE "itp=Local " PORT SLICE "ep=10.244.1.7@other,s", CIP IPS VS ROUTE },
		{ "W9, one here that goes, before a ready one elsewhere",
			SERVICE "itp=Local " PORT SLICE "ep=10.244.0.5@test-node,st " REMOTE_EP,
			LOOP CIP IPS VS RS_LOCAL ROUTE },
		{ "W9, both policies, both sides",
			SERVICE "itp=Local etp=Local external=50.60.70.81 " PORT EPS,
			LOOP CIP "member KUBE-EXTERNAL-IP-LOCAL 50.60.70.81,tcp:80\n" IPS EXT_IPS VS
				EXT_VS RS_LOCAL EXT_RS_LOCAL ROUTE EXT_ROUTE },
		{ "W9, both policies, none here",
			SERVICE "itp=Local etp=Local external=50.60.70.81 " PORT SLICE REMOTE_EP,
			CIP "member KUBE-EXTERNAL-IP-LOCAL 50.60.70.81,tcp:80\n"
			    "member KUBE-NO-LOCAL 10.20.30.41,tcp:80\n"
			    "member KUBE-NO-LOCAL 50.60.70.81,tcp:80\n" IPS EXT_IPS VS EXT_VS ROUTE
				    EXT_ROUTE },
		/* kube-proxy's IPVS mode leaks to other nodes here. */
		{ "W9, none, reachable from outside",
			SERVICE "itp=Local external=50.60.70.81 " PORT SLICE REMOTE_EP,
			CIP "member KUBE-EXTERNAL-IP 50.60.70.81,tcp:80\n"
			    "member KUBE-NO-LOCAL 10.20.30.41,tcp:80\n" IPS EXT_IPS VS EXT_VS
				    EXT_RS_REMOTE ROUTE EXT_ROUTE },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void ipv4_only(struct fixture_node *p)
{
	p->view.ipv6 = false;
}

#define DUAL                                            \
	"service a/web ip=10.20.30.41,2020::1 " NP_PORT \
	"\nslice a/web-1 port=p80:8080/TCP " LOCAL_EP   \
	"\nslice a/web-2 port=p80:8080/TCP ep=2012::5@test-node "

static void families_stand_side_by_side(void **state)
{
	static const struct row rows[] = {
		{ "W10", DUAL,
			LOOP CIP NP IPS "member KUBE-6-LOOP-BACK 2012::5,tcp:8080,2012::5\n"
					"member KUBE-6-CLUSTER-IP 2020::1,tcp:80\n"
					"member KUBE-6-NODE-PORT-TCP 30001\n"
					"member KUBE-6-IPVS-IPS 2020::1\n" VS NP_VS
					"vs [2001:db8::1:1]:30001/TCP rr\n"
					"vs [2020::1]:80/TCP rr\n" RS_LOCAL NP_RS_LOCAL
					"rs [2001:db8::1:1]:30001/TCP [2012::5]:8080 weight=1\n"
					"rs [2020::1]:80/TCP [2012::5]:8080 weight=1\n" ROUTE
					"route 2020::1 src=2001:db8::1:1\n" },
		{ "a node without IPv6", DUAL, LOOP CIP NP IPS VS NP_VS RS_LOCAL NP_RS_LOCAL ROUTE,
			ipv4_only },
		{ "IPv6 alone",
			"service a/web ip=2020::1 type=LoadBalancer etp=Local healthcheck=32000 "
			"lb=2020::2 ranges=2001:db8::/32,10.0.0.0/8 " PORT,
			"member KUBE-6-CLUSTER-IP 2020::1,tcp:80\n"
			"member KUBE-6-LOAD-BALANCER 2020::2,tcp:80\n"
			"member KUBE-6-LOAD-BALANCER-LOCAL 2020::2,tcp:80\n"
			"member KUBE-6-LOAD-BALANCER-SOURCE-IP 2020::2,tcp:80,2020::2\n"
			"member KUBE-6-LOAD-BALANCER-SOURCE-CID 2020::2,tcp:80,2001:db8::/32\n"
			"member KUBE-6-LOAD-BALANCER-FW 2020::2,tcp:80\n"
			"member KUBE-6-HEALTH-CHECK-NODE-PORT 32000\n"
			"member KUBE-6-IPVS-IPS 2020::1\n"
			"member KUBE-6-IPVS-IPS 2020::2\n"
			"vs [2020::1]:80/TCP rr\n"
			"vs [2020::2]:80/TCP rr\n"
			"route 2020::1 src=2001:db8::1:1\n"
			"route 2020::2 src=2001:db8::1:1\n" },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void vips_are_addresses(struct fixture_node *p)
{
	p->options.vip_mode = VIP_ADDRESS;
}

static void vips_can_be_addresses_as_in_kube_proxy(void **state)
{
	static const struct row rows[] = {
		{ "address mode", SERVICE PORT EPS,
			LOOP CIP IPS VS RS_LOCAL RS_REMOTE "addr 10.20.30.41\n",
			vips_are_addresses },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void lists_drop_all_but_the_first_of_equal_keys(void **state)
{
	_cleanup_(fact_list_done) struct fact_list list = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };

	(void)state;
	fact_list_finish(&list);
	assert_int_equal(list.n, 0);
	fact_list_add(&list, fixture_fact("route 10.0.0.2"));
	fact_list_add(&list, fixture_fact("route 10.0.0.1"));
	fact_list_add(&list, fixture_fact("vs 10.0.0.1:80/TCP rr"));
	fact_list_add(&list, fixture_fact("route 10.0.0.2"));
	fact_list_finish(&list);
	fixture_print_facts(&b, list.facts, list.n);
	assert_string_equal(buf_str(&b), "vs 10.0.0.1:80/TCP rr\nroute 10.0.0.1\nroute 10.0.0.2\n");
}

/* Values are compared as bytes: a name must not leave the rest of a longer one behind it. */
static void nothing_stands_behind_the_name_of_a_scheduler(void **state)
{
	_cleanup_(fact_list_done) struct fact_list list = { 0 };
	struct served_ports served = { 0 };
	struct fixture_node node;
	struct store store;
	size_t n = 0;

	(void)state;
	store_init(&store);
	fixture_load(&store,
		"service a/web ip=10.20.30.41 external=1.2.3.4 etp=Local affinity=100 "
		"scheduler=lblcr port=p80:80/TCP");
	fixture_node_init(&node);
	served_ports_select(&served, store_find(&store, "a", "web"), &node.view);
	for (size_t i = 0; i < served.n; i++)
		served.ports[i].mark = 0x100000;
	resolve_service(&served, &node.view, (bool[2]){ false, false }, NULL, &list);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = list.facts[i].val.vs.scheduler;

		if (list.facts[i].key.kind != FACT_VS || list.facts[i].key.proto)
			continue;
		assert_string_equal(name, "sh");
		for (size_t k = strlen(name); k < SCHED_NAME_SIZE; k++)
			assert_int_equal(name[k], 0);
		n++;
	}
	assert_int_equal(n, 1);
	served_ports_done(&served);
	store_done(&store);
}

static void excluded_addresses_are_told_by_range(void **state)
{
	struct fixture_node p;
	struct ip in = fixture_ip("192.0.2.7"), out = fixture_ip("192.0.3.7"),
		  v6 = fixture_ip("2012::1");

	(void)state;
	fixture_node_init(&p);
	assert_false(options_excluded(&p.options, &in));
	p.options.exclude[p.options.n_exclude++] = fixture_cidr("192.0.2.0/24");
	p.options.exclude[p.options.n_exclude++] = fixture_cidr("2012::/16");
	assert_true(options_excluded(&p.options, &in));
	assert_false(options_excluded(&p.options, &out));
	assert_true(options_excluded(&p.options, &v6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_ip_leads_to_all_endpoints),
		cmocka_unit_test(a_service_chooses_its_scheduler),
		cmocka_unit_test(node_ports_answer_on_the_nodes_addresses),
		cmocka_unit_test(load_balancers_answer_on_their_addresses),
		cmocka_unit_test(source_ranges_restrict_load_balancers),
		cmocka_unit_test(external_ips_answer_too),
		cmocka_unit_test(internal_policy_local_never_leaves_the_node),
		cmocka_unit_test(families_stand_side_by_side),
		cmocka_unit_test(vips_can_be_addresses_as_in_kube_proxy),
		cmocka_unit_test(lists_drop_all_but_the_first_of_equal_keys),
		cmocka_unit_test(nothing_stands_behind_the_name_of_a_scheduler),
		cmocka_unit_test(excluded_addresses_are_told_by_range),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
