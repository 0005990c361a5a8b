// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/daemon/release.h"
#include "base/mem.h"
#include "fake/kernel.h"
#include "fixture.h"

#define API "192.0.2.6"
#define SETS                                                  \
	"set KUBE-CLUSTER-IP hash:ip,port maxelem=65536\n"    \
	"set KUBE-EXTERNAL-IP hash:ip,port maxelem=65536\n"   \
	"set KUBE-LOAD-BALANCER hash:ip,port maxelem=65536\n" \
	"set KUBE-EXTERNAL-PORT hash:ip,port maxelem=65536\n" \
	"set KUBE-IPVS-IPS hash:ip maxelem=65536\n"           \
	"link kube-ipvs0\n"
/* Of other addresses, or ports: they stay. */
#define OTHERS                                         \
	"member KUBE-EXTERNAL-IP 192.0.2.9,tcp:6443\n" \
	"vs 192.0.2.9:6443/TCP rr\n"                   \
	"vs " API ":443/TCP rr\n"                      \
	"route 192.0.2.9\n"                            \
	"addr 10.96.0.1\n"

static void put(struct fake_kernel *k, const char *lines)
{
	_cleanup_free_ char *copy = mem_strdup(lines);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		fake_kernel_put(k, l);
}

/* The kernel begins with SETS, OTHERS and `more`, of which `left` is to be left. */
static void check(const char *more, const char *left)
{
	struct fake_kernel k, expected;
	struct fixture_node node;
	_cleanup_(buf_done) struct buf found = { 0 }, wanted = { 0 };
	struct node_socket api;
	struct adapters a;

	memset(&api, 0, sizeof(api));
	api.ip = fixture_ip(API);
	api.port = 6443;
	fixture_node_init(&node);
	node_view_set_api_in_use(&node.view, &api, 1);
	fake_kernel_init(&k);
	fake_kernel_init(&expected);
	put(&k, SETS);
	put(&k, OTHERS);
	put(&k, more);
	put(&expected, SETS);
	put(&expected, OTHERS);
	put(&expected, left);
	a = (struct adapters){ .ipvs = &k.adapter, .link = &k.adapter, .ipset = &k.adapter };
	release_api_servers(&a, a.ipset, &node.view);
	fake_kernel_print(&k, &found);
	fake_kernel_print(&expected, &wanted);
	assert_string_equal(buf_str(&found), buf_str(&wanted));
	fake_kernel_done(&k);
	fake_kernel_done(&expected);
	free(node.view.api_in_use);
}

static void what_keeps_the_node_from_the_api_server_is_given_back(void **state)
{
	(void)state;
	/* The address, by another port of it. */
	check("route " API " src=100.101.102.103\n"
	      "member KUBE-EXTERNAL-IP " API ",tcp:80\n",
		"member KUBE-EXTERNAL-IP " API ",tcp:80\n");
	check("addr " API "\nmember KUBE-IPVS-IPS " API "\n", "member KUBE-IPVS-IPS " API "\n");
	/* Its very port. */
	check("vs " API ":6443/TCP rr\nrs " API ":6443/TCP 10.244.1.1:80 weight=1\n"
	      "member KUBE-EXTERNAL-IP " API ",tcp:6443\n"
	      "member KUBE-EXTERNAL-PORT " API ",tcp:6443\n",
		"");
	check("vs " API ":6443/TCP rr\nmember KUBE-LOAD-BALANCER " API ",tcp:6443\n", "");
}

static void what_others_made_stays(void **state)
{
	static const char foreign[] = "addr " API "\nvs " API ":6443/TCP rr\n";
	static const char other_protocol[] = "member KUBE-EXTERNAL-IP " API ",udp:6443\n"
					     "vs " API ":6443/UDP rr\n";

	(void)state;
	check("", "");
	check(foreign, foreign);
	check(other_protocol, other_protocol);
}

/* In a cluster the API server is reached by a Service. */
static void a_cluster_ip_stays(void **state)
{
	static const char cluster_ip[] = "member KUBE-CLUSTER-IP " API ",tcp:443\n"
					 "member KUBE-EXTERNAL-IP " API ",tcp:6443\n"
					 "vs " API ":6443/TCP rr\n"
					 "route " API "\n";

	(void)state;
	check(cluster_ip, cluster_ip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_keeps_the_node_from_the_api_server_is_given_back),
		cmocka_unit_test(what_others_made_stays),
		cmocka_unit_test(a_cluster_ip_stays),
	};

	return cmocka_run_group_tests_name("release", tests, NULL, NULL);
}
