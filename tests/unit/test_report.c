// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "kernel/rule_text.h"
#include "report/report.h"
#include "world.h"

enum { START = 1000 /* the world's first moment */ };

struct fixture {
	struct world *world; /* of both families */
	const char *refuse;  /* facts whose line begins so; NULL: none */
	int refusal;
	struct report_input in;
	json_t *report;
};

static int refuse(const struct op *op, void *arg)
{
	const struct fixture *f = arg;
	_cleanup_(buf_done) struct buf line = { 0 };

	fact_print(&line, &op->fact);
	return f->refuse && !strncmp(buf_str(&line), f->refuse, strlen(f->refuse)) ? f->refusal : 0;
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);
	void *world;

	world_setup(&world);
	f->world = world;
	f->world->kernel.fault = refuse;
	f->world->kernel.arg = f;
	f->world->node.view.ipv6 = true;
	f->in = (struct report_input){
		.store = &f->world->store,
		.engine = f->world->engine,
		.view = &f->world->node.view,
		.backend = "ipvs",
		.kernel = "6.1.0",
		.input = "manifests",
		.now = START,
		.print_chain = rule_text_print_chain,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *world = f->world;

	json_decref(f->report);
	world_teardown(&world);
	free(f);
	return 0;
}

/* All pieces together. */
static json_t *whole_report(const struct report_input *in)
{
	struct report *r = report_begin(in);
	_cleanup_(buf_done) struct buf b = { 0 };

	while (report_next(r, in, &b))
		;
	report_free(r);
	return json_loads(buf_str(&b), JSON_REJECT_DUPLICATES, NULL);
}

/* Loads, lets the engine work, and reports. */
static void run(struct fixture *f, const char *lines)
{
	world_start(f->world, lines);
	json_decref(f->report);
	f->report = whole_report(&f->in);
	assert_non_null(f->report);
}

static json_t *find_service(const struct fixture *f, const char *name)
{
	json_t *services = json_object_get(f->report, "services"), *s;
	size_t i;

	json_array_foreach(services, i, s) {
		if (!strcmp(json_string_value(json_object_get(s, "name")), name))
			return s;
	}
	fail_msg("no Service %s", name);
	return NULL;
}

static json_t *first_port(const struct fixture *f, const char *name)
{
	json_t *p = json_array_get(json_object_get(find_service(f, name), "ports"), 0);

	assert_non_null(p);
	return p;
}

static const char *text(const json_t *o, const char *key)
{
	const json_t *s = json_object_get(o, key);

	if (!json_is_string(s))
		fail_msg("no text %s", key);
	return json_string_value(s);
}

static int number(const json_t *o, const char *key)
{
	const json_t *n = json_object_get(o, key);

	if (!json_is_integer(n))
		fail_msg("no number %s", key);
	return (int)json_integer_value(n);
}

static bool truth(const json_t *o, const char *key)
{
	const json_t *b = json_object_get(o, key);

	if (!json_is_boolean(b))
		fail_msg("no boolean %s", key);
	return json_is_true(b);
}

static json_t *element(const json_t *o, const char *key, size_t i)
{
	json_t *e = json_array_get(json_object_get(o, key), i);

	if (!e)
		fail_msg("no element %zu of %s", i, key);
	return e;
}

static void assert_state(const json_t *o, const char *state, const char *reason)
{
	assert_string_equal(text(o, "state"), state);
	assert_string_equal(text(o, "reason"), reason);
}

static void assert_json(const json_t *have, const char *want)
{
	json_error_t e;
	json_t *tree = json_loads(want, 0, &e);
	_cleanup_free_ char *s = json_dumps(have, JSON_INDENT(1));

	if (!tree)
		fail_msg("%d:%d: %s", e.line, e.column, e.text);
	if (!json_equal(have, tree))
		fail_msg("unexpected: %s", s);
	json_decref(tree);
}

#define WEB                                                             \
	"service shop/web ip=10.20.30.41 port=http:80/TCP created=10\n" \
	"slice shop/web-1 port=http:8080/TCP ep=10.244.0.1@test-node ep=10.244.1.1@other,-\n"

static void the_contract_of_one_service(void **state)
{
	struct fixture *f = *state;

	run(f, WEB);
	assert_json(find_service(f, "web"),
		"{\"namespace\": \"shop\", \"name\": \"web\", \"type\": \"ClusterIP\","
		" \"state\": \"OK\", \"reason\": \"\", \"limits\": [],"
		" \"ports\": [{\"name\": \"http\", \"port\": 80, \"protocol\": \"TCP\","
		"  \"nodePort\": 0, \"scheduler\": \"rr\", \"requestedScheduler\": \"rr\","
		"  \"persistenceSeconds\": 0,"
		"  \"addresses\": [{\"address\": \"10.20.30.41\", \"port\": 80,"
		"   \"kind\": \"ClusterIP\", \"vip\": true, \"taken\": \"whole\","
		"   \"present\": true, \"state\": \"OK\", \"reason\": \"\"}],"
		"  \"fwmarks\": [],"
		"  \"endpoints\": [{\"address\": \"10.244.0.1\", \"port\": 8080,"
		"   \"node\": \"test-node\", \"weight\": 1, \"used\": true, \"reason\": \"ready\","
		"   \"present\": true, \"active\": null, \"inactive\": null},"
		"   {\"address\": \"10.244.1.1\", \"port\": 8080, \"node\": \"other\","
		"   \"weight\": 1, \"used\": false, \"reason\": \"not ready\","
		"   \"present\": false, \"active\": null, \"inactive\": null}],"
		"  \"ready\": 1, \"total\": 2, \"draining\": 0, \"activeConnections\": null,"
		"  \"state\": \"OK\", \"reason\": \"\"}]}");
}

static void the_contract_of_the_whole(void **state)
{
	static const char *const warnings[] = { "a broken file" };
	static const char *const keys[] = { "apiVersion", "kind", "source", "node", "backend",
		"netfilter", "kernel", "input", "summary", "warnings", "failures", "overrides",
		"services", "foreign", "unknown" };
	struct fixture *f = *state;

	f->in.warnings = warnings;
	f->in.n_warnings = 1;
	f->in.last_sync_us = 800;
	run(f, WEB);
	assert_int_equal(json_object_size(f->report), ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_non_null(json_object_get(f->report, keys[i]));
	assert_string_equal(text(f->report, "apiVersion"), "ipvsctl.io/v1");
	assert_string_equal(text(f->report, "kind"), "Status");
	assert_string_equal(text(f->report, "source"), "daemon");
	assert_string_equal(text(f->report, "node"), "test-node");
	assert_string_equal(text(f->report, "backend"), "ipvs");
	assert_string_equal(text(f->report, "kernel"), "6.1.0");
	assert_json(json_object_get(f->report, "input"),
		"{\"kind\": \"manifests\", \"synced\": true, \"complete\": true}");
	assert_json(json_object_get(f->report, "warnings"), "[\"a broken file\"]");
	assert_json(json_object_get(f->report, "failures"), "[]");
	assert_json(json_object_get(f->report, "foreign"), "[]");
}

static void the_summary_counts(void **state)
{
	struct fixture *f = *state;
	json_t *s;

	f->in.now = START + 2500;
	f->in.last_sync_us = 800;
	run(f,
		WEB "service shop/alias type=ExternalName\n"
		    "service shop/two ip=10.20.30.42 port=a:1/TCP port=b:2/UDP\n");
	s = json_object_get(f->report, "summary");
	assert_int_equal(number(s, "services"), 3);
	assert_int_equal(number(s, "ports"), 3);
	assert_int_equal(number(s, "endpoints"), 2);
	assert_int_equal(number(s, "draining"), 0);
	assert_int_equal(number(s, "drift"), 0);
	assert_int_equal(number(s, "foreign"), 0);
	assert_int_equal(number(s, "failing"), 0);
	assert_int_equal(number(s, "pending"), 0);
	assert_int_equal(number(s, "audits"), 1);
	assert_true(number(s, "operations") > 10);
	assert_int_equal(number(s, "lastChangeMsAgo"), 2500);
	assert_int_equal(number(s, "lastSyncMicroseconds"), 800);
}

static void before_the_first_sync_everything_is_pending(void **state)
{
	struct fixture *f = *state;

	fixture_load(&f->world->store, WEB);
	f->report = whole_report(&f->in);
	assert_false(truth(json_object_get(f->report, "input"), "synced"));
	assert_true(json_is_null(
		json_object_get(json_object_get(f->report, "summary"), "lastChangeMsAgo")));
	assert_state(first_port(f, "web"), "Pending",
		"virtual server 10.20.30.41:80/TCP is not in the kernel yet");
	assert_state(find_service(f, "web"), "Pending",
		"virtual server 10.20.30.41:80/TCP is not in the kernel yet");
	assert_false(truth(element(first_port(f, "web"), "addresses", 0), "present"));
	assert_false(truth(element(first_port(f, "web"), "endpoints", 0), "present"));
}

static const char *explain(const struct op *op)
{
	return op->type == OP_ADD && op->result == -EINVAL ? "a bad argument" : NULL;
}

static void what_the_kernel_refuses_is_failing_with_its_words(void **state)
{
	struct fixture *f = *state;

	f->refuse = "vs 10.20.30.41:80/TCP";
	f->refusal = -EINVAL;
	f->world->kernel.adapter.explain = explain;
	f->in.now = START + 12999;
	run(f, WEB "service shop/other ip=10.20.30.42 port=:80/TCP\n");
	assert_state(first_port(f, "web"), "Failing",
		"virtual server 10.20.30.41:80/TCP: Invalid argument (a bad argument), for the "
		"last 12 s");
	assert_string_equal(text(find_service(f, "web"), "state"), "Failing");
	assert_false(truth(element(first_port(f, "web"), "addresses", 0), "present"));
	assert_string_equal(text(find_service(f, "other"), "state"), "NoEndpoints");
	assert_int_equal(number(json_object_get(f->report, "summary"), "failing"), 1);
	assert_json(json_object_get(f->report, "failures"), "[]");
}

static void a_real_server_or_vip_or_set_entry_can_fail_too(void **state)
{
	static const struct {
		const char *refuse, *reason;
	} cases[] = {
		{ "rs 10.20.30.41:80/TCP 10.244.0.1:8080",
			"real server 10.244.0.1:8080 of virtual server 10.20.30.41:80/TCP: "
			"Operation not permitted, for the last 0 s" },
		{ "route 10.20.30.41",
			"local route 10.20.30.41: Operation not permitted, for the last 0 s" },
		{ "member KUBE-CLUSTER-IP 10.20.30.41,tcp:80",
			"entry 10.20.30.41,tcp:80 of ipset KUBE-CLUSTER-IP: Operation not "
			"permitted, for the last 0 s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f;

		setup(state);
		f = *state;
		f->refuse = cases[i].refuse;
		f->refusal = -EPERM;
		run(f, WEB);
		assert_state(first_port(f, "web"), "Failing", cases[i].reason);
		teardown(state);
	}
}

static void a_missing_scheduler_degrades_and_names_both(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	f->world->kernel.no_scheduler = "mh";
	run(f,
		"service shop/web ip=10.20.30.41 port=http:80/TCP scheduler=mh\n"
		"slice shop/web-1 port=http:8080/TCP ep=10.244.0.1\n");
	port = first_port(f, "web");
	assert_string_equal(text(port, "scheduler"), "rr");
	assert_string_equal(text(port, "requestedScheduler"), "mh");
	assert_state(
		port, "Degraded", "the kernel has no scheduler \"mh\"; \"rr\" is used instead");
	assert_true(truth(element(port, "addresses", 0), "present"));
}

static void use_iptables(struct fixture *f)
{
	f->world->node.view.backend = BACKEND_IPTABLES;
	f->in.backend = "iptables";
}

static void on_iptables_addresses_and_endpoints_are_rules(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	use_iptables(f);
	run(f,
		"service shop/web ip=10.20.30.41 type=NodePort port=http:80/TCP:30001\n"
		"slice shop/web-1 port=http:8080/TCP ep=10.244.0.1 ep=10.244.1.1@other\n"
		"slice shop/web-2 port=http:8080/TCP weight=0 ep=10.244.0.9\n");
	port = first_port(f, "web");
	assert_state(port, "OK", "");
	assert_string_equal(text(port, "scheduler"), "random");
	assert_true(truth(element(port, "addresses", 0), "present"));
	assert_string_equal(text(element(port, "addresses", 1), "kind"), "NodePort");
	assert_true(truth(element(port, "addresses", 1), "present"));
	assert_true(truth(element(port, "endpoints", 0), "present"));
	assert_false(truth(element(port, "endpoints", 1), "present")); /* weight 0 */
	assert_true(truth(element(port, "endpoints", 2), "present"));
	assert_json(json_object_get(find_service(f, "web"), "limits"),
		"[\"weights: they are kept on average only\"]");
}

static void on_iptables_before_the_first_sync_everything_is_pending(void **state)
{
	struct fixture *f = *state;

	use_iptables(f);
	fixture_load(&f->world->store, WEB);
	f->report = whole_report(&f->in);
	assert_state(first_port(f, "web"), "Pending",
		"entry for 10.20.30.41:80/TCP is not in the kernel yet");
}

static void on_iptables_the_younger_of_two_services_is_in_conflict_too(void **state)
{
	struct fixture *f = *state;

	use_iptables(f);
	run(f,
		WEB "service shop/late ip=10.20.30.41 port=http:80/TCP created=20\n"
		    "slice shop/late-1 port=http:8080/TCP ep=10.244.0.2\n");
	assert_state(first_port(f, "web"), "OK", "");
	assert_state(first_port(f, "late"), "Conflict",
		"10.20.30.41:80/TCP belongs to Service shop/web");
}

static void what_iptables_cannot_do_is_named(void **state)
{
	struct fixture *f = *state;

	use_iptables(f);
	run(f,
		WEB "service shop/least ip=10.20.30.42 port=http:80/TCP scheduler=lc drain=5000\n"
		    "slice shop/least-1 port=http:8080/TCP ep=10.244.0.2\n"
		    "service shop/turns ip=10.20.30.43 port=http:80/TCP scheduler=rr\n"
		    "slice shop/turns-1 port=http:8080/TCP ep=10.244.0.2\n");
	assert_json(json_object_get(find_service(f, "web"), "limits"), "[]");
	assert_json(json_object_get(find_service(f, "least"), "limits"),
		"[\"scheduler \\\"lc\\\": endpoints are chosen by chance\","
		" \"drain timeout: a removed endpoint keeps its connections until they end\"]");
	assert_state(find_service(f, "least"), "Degraded",
		"iptables has no scheduler \"lc\"; \"random\" is used instead");
	assert_json(json_object_get(find_service(f, "turns"), "limits"),
		"[\"scheduler \\\"rr\\\": endpoints are chosen by chance, not in turn\"]");
	assert_state(find_service(f, "turns"), "OK", "");
}

static void of_two_services_on_one_address_the_younger_is_in_conflict(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	run(f,
		"service a/young ip=10.20.30.41 port=:80/TCP external=1.2.3.4 created=20\n"
		"slice a/young-1 port=:8080/TCP ep=10.244.0.1\n"
		"service z/old ip=10.20.30.42 port=:80/TCP external=1.2.3.4 created=10\n"
		"slice z/old-1 port=:8080/TCP ep=10.244.0.2\n");
	assert_state(first_port(f, "old"), "OK", "");
	port = first_port(f, "young");
	assert_state(port, "Conflict", "1.2.3.4:80/TCP belongs to Service z/old");
	assert_true(truth(element(port, "addresses", 0), "present"));
	assert_false(truth(element(port, "addresses", 1), "present"));
	assert_true(truth(element(port, "endpoints", 0), "present"));
}

static void two_services_may_share_an_address_on_other_ports(void **state)
{
	struct fixture *f = *state;

	run(f,
		"service a/one ip=10.20.30.41 port=:80/TCP external=1.2.3.4\n"
		"slice a/one-1 port=:8080/TCP ep=10.244.0.1\n"
		"service a/two ip=10.20.30.42 port=:81/TCP external=1.2.3.4\n"
		"slice a/two-1 port=:8080/TCP ep=10.244.0.2\n");
	assert_state(find_service(f, "one"), "OK", "");
	assert_state(find_service(f, "two"), "OK", "");
}

static void what_is_not_proxied_says_why_and_has_no_ports(void **state)
{
	struct fixture *f = *state;

	run(f,
		"service shop/alias type=ExternalName port=:80/TCP\n"
		"service shop/headless headless port=:80/TCP\n");
	assert_state(find_service(f, "alias"), "NotProxied", "ExternalName");
	assert_state(find_service(f, "headless"), "NotProxied", "Headless");
	assert_int_equal(json_array_size(json_object_get(find_service(f, "headless"), "ports")), 0);
}

static void a_family_that_the_node_does_not_serve_is_left_out(void **state)
{
	struct fixture *f = *state;

	f->world->node.view.ipv6 = false;
	run(f,
		"service shop/six ip=fd00::1 port=:80/TCP\n"
		"slice shop/six-1 port=:8080/TCP ep=fd01::1\n"
		"service shop/both ip=10.20.30.41,fd00::2 port=:80/TCP\n"
		"slice shop/both-1 port=:8080/TCP ep=10.244.0.1\n"
		"slice shop/both-2 port=:8080/TCP ep=fd01::1\n");
	assert_state(
		first_port(f, "six"), "NotProxied", "no address of a family that this node serves");
	assert_state(first_port(f, "both"), "OK", "");
	assert_int_equal(number(first_port(f, "both"), "total"), 1);
}

static void both_families_count(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	run(f,
		"service shop/both ip=10.20.30.41,fd00::2 port=:80/TCP\n"
		"slice shop/both-1 port=:8080/TCP ep=10.244.0.1\n"
		"slice shop/both-2 port=:8080/TCP ep=fd01::1\n");
	port = first_port(f, "both");
	assert_state(port, "OK", "");
	assert_int_equal(number(port, "total"), 2);
	assert_string_equal(text(element(port, "addresses", 1), "address"), "fd00::2");
	assert_string_equal(text(element(port, "endpoints", 1), "address"), "fd01::1");
}

static void every_kind_of_address_is_told(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	f->world->node.view.ipv6 = false;
	run(f,
		"service shop/web ip=10.20.30.41 port=:80/TCP:30080 type=LoadBalancer "
		"external=50.60.70.81 lb=1.2.3.4 affinity=10800\n"
		"slice shop/web-1 port=:8080/TCP ep=10.244.0.1\n");
	port = first_port(f, "web");
	assert_int_equal(number(port, "nodePort"), 30080);
	assert_int_equal(number(port, "persistenceSeconds"), 10800);
	assert_json(json_object_get(port, "addresses"),
		"[{\"address\": \"10.20.30.41\", \"port\": 80, \"kind\": \"ClusterIP\","
		"  \"vip\": true, \"taken\": \"whole\","
		"   \"present\": true, \"state\": \"OK\", \"reason\": \"\"},"
		" {\"address\": \"50.60.70.81\", \"port\": 80, \"kind\": \"ExternalIP\","
		"  \"vip\": true, \"taken\": \"whole\","
		"   \"present\": true, \"state\": \"OK\", \"reason\": \"\"},"
		" {\"address\": \"1.2.3.4\", \"port\": 80, \"kind\": \"LoadBalancer\","
		"  \"vip\": true, \"taken\": \"whole\","
		"   \"present\": true, \"state\": \"OK\", \"reason\": \"\"},"
		" {\"address\": \"100.101.102.103\", \"port\": 30080, \"kind\": \"NodePort\","
		"  \"vip\": false, \"taken\": \"node\","
		"   \"present\": true, \"state\": \"OK\", \"reason\": \"\"}]");
}

static void vips_as_addresses_are_present_too(void **state)
{
	struct fixture *f = *state;

	f->world->node.options.vip_mode = VIP_ADDRESS;
	run(f, WEB);
	assert_state(first_port(f, "web"), "OK", "");
	assert_true(truth(element(first_port(f, "web"), "addresses", 0), "present"));
}

static void endpoints_that_are_left_out_say_why(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	run(f,
		"service shop/web ip=10.20.30.41 port=:80/TCP itp=Local\n"
		"slice shop/web-1 port=:8080/TCP ep=10.244.0.1@test-node ep=10.244.1.1@other "
		"ep=10.244.1.2@other,- ep=10.244.1.3@test-node,st\n");
	port = first_port(f, "web");
	assert_int_equal(number(port, "ready"), 1);
	assert_int_equal(number(port, "total"), 4);
	assert_string_equal(text(element(port, "endpoints", 0), "reason"), "ready");
	assert_string_equal(text(element(port, "endpoints", 1), "reason"),
		"on another node, and the traffic policy is Local");
	assert_string_equal(text(element(port, "endpoints", 2), "reason"), "not ready");
	assert_string_equal(text(element(port, "endpoints", 3), "reason"), "terminating");
}

static void a_terminating_endpoint_that_is_used_says_so(void **state)
{
	struct fixture *f = *state;
	json_t *ep;

	run(f,
		"service shop/web ip=10.20.30.41 port=:80/TCP\n"
		"slice shop/web-1 port=:8080/TCP ep=10.244.0.1,st\n");
	ep = element(first_port(f, "web"), "endpoints", 0);
	assert_true(truth(ep, "used"));
	assert_true(truth(ep, "present"));
	assert_string_equal(text(ep, "reason"), "terminating, used because no endpoint is ready");
}

static void without_a_usable_endpoint_there_are_none(void **state)
{
	struct fixture *f = *state;

	run(f,
		"service shop/web ip=10.20.30.41 port=:80/TCP\n"
		"slice shop/web-1 port=:8080/TCP ep=10.244.0.1,-\n");
	assert_state(first_port(f, "web"), "NoEndpoints", "");
	assert_int_equal(number(first_port(f, "web"), "ready"), 0);
	assert_int_equal(number(first_port(f, "web"), "total"), 1);
}

static void ports_that_no_endpoint_has_are_told_with_those_that_they_have(void **state)
{
	struct fixture *f = *state;

	run(f,
		"service shop/web ip=10.20.30.41 port=http:80/TCP port=dns:53/UDP\n"
		"slice shop/web-1 port=web:8080/TCP port=dns:53/TCP port=a:1/TCP port=b:1/TCP "
		"ep=10.244.0.1\n"
		"slice shop/web-2 port=web:8080/TCP ep=10.244.0.2\n"
		"service shop/gone ip=10.20.30.42 port=http:80/TCP\n"
		"slice shop/gone-1 port=web:8080/TCP\n");
	assert_state(first_port(f, "web"), "NoEndpoints",
		"no endpoint has a port \"http\" for TCP; they have \"a\" for TCP, \"b\" for TCP, "
		"\"dns\" for TCP and 1 more");
	assert_state(element(find_service(f, "web"), "ports", 1), "NoEndpoints",
		"no endpoint has a port \"dns\" for UDP; they have \"a\" for TCP, \"b\" for TCP, "
		"\"dns\" for TCP and 1 more");
	assert_state(first_port(f, "gone"), "NoEndpoints", "");
}

static void services_are_sorted_by_namespace_and_name(void **state)
{
	struct fixture *f = *state;

	run(f,
		"service b/a type=ExternalName\nservice a/b type=ExternalName\n"
		"service a-b/a type=ExternalName\nservice a/a type=ExternalName\n"
		"slice c/only-1 port=:1/TCP ep=10.244.0.1\n");
	assert_int_equal(json_array_size(json_object_get(f->report, "services")), 4);
	assert_string_equal(text(element(f->report, "services", 0), "namespace"), "a");
	assert_string_equal(text(element(f->report, "services", 0), "name"), "a");
	assert_string_equal(text(element(f->report, "services", 1), "name"), "b");
	assert_string_equal(text(element(f->report, "services", 2), "namespace"), "a-b");
	assert_string_equal(text(element(f->report, "services", 3), "namespace"), "b");
}

static void virtual_servers_of_others_are_foreign(void **state)
{
	struct fixture *f = *state;

	fake_kernel_put(&f->world->kernel, "vs 9.9.9.9:53/UDP wlc");
	fake_kernel_put(&f->world->kernel, "rs 9.9.9.9:53/UDP 8.8.8.8:53 weight=1");
	fake_kernel_put(&f->world->kernel, "vs 192.0.2.1:80/TCP rr");
	fake_kernel_put(&f->world->kernel, "vs fwmark:7/IPv4 lc");
	run(f, WEB);
	assert_json(json_object_get(f->report, "foreign"),
		"[{\"fwmark\": 7, \"family\": \"IPv4\", \"scheduler\": \"lc\"},"
		" {\"address\": \"9.9.9.9\", \"port\": 53, \"protocol\": \"UDP\","
		"  \"scheduler\": \"wlc\"},"
		" {\"address\": \"192.0.2.1\", \"port\": 80, \"protocol\": \"TCP\","
		"  \"scheduler\": \"rr\"}]");
	assert_int_equal(number(json_object_get(f->report, "summary"), "foreign"), 3);
}

static bool misses_shop(const struct slot *slot, void *arg)
{
	(void)arg;
	return !strcmp(slot->service->name, "shop");
}

/* Of a Service that is known, but whose endpoints are not, its own row tells. */
static void what_an_earlier_run_left_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct world *w = f->world;

	run(f,
		WEB "service a/shop ip=10.96.0.2 port=s:81/TCP\n"
		    "slice a/shop-1 port=s:8080/TCP ep=10.244.2.1\n");
	assert_json(json_object_get(f->report, "unknown"), "[]");

	world_restart_with(w, (struct engine_config){ .misses_endpoints = misses_shop });
	f->in.engine = w->engine;
	engine_set_input_complete(w->engine, false);
	run(f, "service a/shop ip=10.96.0.2 port=s:81/TCP\n");
	assert_json(json_object_get(f->report, "unknown"),
		"[{\"address\": \"10.20.30.41\", \"port\": 80, \"protocol\": \"TCP\","
		"  \"scheduler\": \"rr\", \"state\": \"Unknown\","
		"  \"reason\": \"input incomplete\"}]");
	assert_int_equal(number(json_object_get(f->report, "summary"), "unknown"), 1);
	assert_false(
		json_is_true(json_object_get(json_object_get(f->report, "input"), "complete")));
	assert_state(first_port(f, "shop"), "Unknown", "input incomplete");
	assert_true(json_is_true(json_object_get(
		json_array_get(json_object_get(first_port(f, "shop"), "addresses"), 0),
		"present")));
}

static void failures_of_no_service_are_told_apart(void **state)
{
	struct fixture *f = *state;

	f->refuse = "chain IPv4 nat KUBE-SERVICES";
	f->refusal = -EIO;
	run(f, WEB);
	assert_state(find_service(f, "web"), "OK", "");
	assert_json(json_object_get(f->report, "failures"),
		"[\"IPv4 iptables chain KUBE-SERVICES in table nat: Input/output error, for the "
		"last 0 s\"]");
}

static void failures_name_the_objects_of_nftables(void **state)
{
	static const struct {
		const char *refuse, *failures;
	} cases[] = {
		{ "set KUBE-CLUSTER-IP",
			"[\"nftables set KUBE-CLUSTER-IP: Input/output error, for the last 0 s\"]" },
		{ "chain IPv4 nat KUBE-SERVICES",
			"[\"IPv4 nftables chain nat-KUBE-SERVICES: Input/output error, for the last "
			"0 s\"]" },
		{ "jump IPv6 nat PREROUTING KUBE-SERVICES",
			"[\"IPv6 nftables rule from nat-PREROUTING to nat-KUBE-SERVICES: Input/output "
			"error, for the last 0 s\"]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f;

		setup(state);
		f = *state;
		f->world->node.view.netfilter = NETFILTER_NFTABLES;
		f->refuse = cases[i].refuse;
		f->refusal = -EIO;
		run(f, WEB);
		assert_json(json_object_get(f->report, "failures"), cases[i].failures);
		teardown(state);
	}
}

/* The entry of a frontend, those of pods and the node, and what they lead to. */
static void on_nftables_all_that_leads_to_an_endpoint_counts(void **state)
{
	static const struct {
		const char *refuse, *reason;
	} cases[] = {
		{ "dispatch 0.0.0.0:30001/TCP",
			"entry for 0.0.0.0:30001/TCP: Input/output error, for the last 0 s" },
		{ "chain IPv4 nat KUBE-SPREAD-1-LP",
			"IPv4 nftables chain nat-KUBE-SPREAD-1-LP: Input/output error, for the last 0 s" },
		{ "member KUBE-SPREADS KUBE-SPREAD-2-MP",
			"entry KUBE-SPREAD-2-MP of nftables set KUBE-SPREADS: Input/output error, for the last 0 s" },
		{ "member KUBE-DISPATCH-NODE",
			"entry 0.0.0.0,tcp:30001 of nftables set KUBE-DISPATCH-NODE: Input/output "
			"error, for the last 0 s" },
		{ "member KUBE-ENDPOINTS 0.0.0.0,tcp:30001,1",
			"entry 0.0.0.0,tcp:30001,1 of nftables set KUBE-ENDPOINTS: Input/output error, for the last 0 s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f;

		setup(state);
		f = *state;
		f->world->node.view.backend = BACKEND_NFTABLES;
		f->refuse = cases[i].refuse;
		f->refusal = -EIO;
		run(f,
			"service shop/web ip=10.20.30.41 type=NodePort etp=Local "
			"port=http:80/TCP:30001\n"
			"slice shop/web-1 port=http:8080/TCP ep=10.244.0.1@test-node "
			"ep=10.244.1.1@other\n");
		assert_state(find_service(f, "web"), "Failing", cases[i].reason);
		teardown(state);
	}
}

static void what_does_not_go_away_is_a_failure_of_no_service(void **state)
{
	struct fixture *f = *state;

	fake_kernel_put(&f->world->kernel, "route 10.20.30.99");
	f->refuse = "route 10.20.30.99";
	f->refusal = -EPERM;
	run(f, WEB);
	assert_state(find_service(f, "web"), "OK", "");
	assert_json(json_object_get(f->report, "failures"),
		"[\"local route 10.20.30.99: Operation not permitted, for the last 0 s\"]");
}

static void count_conns(const struct fact_key *vs, const char *rs, uint32_t active,
	void (*fn)(const struct rs_conns *c, void *arg), void *arg)
{
	struct ip ip = fixture_ip(rs);
	const struct rs_conns c = {
		.key = fact_rs(vs, &ip, 8080, 1).key,
		.weight = 1,
		.active = active,
		.inactive = active + 1,
	};

	fn(&c, arg);
}

/* A real server of the Service, and one that has left it. */
static int conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *arg, void *conns_arg)
{
	(void)conns_arg;
	count_conns(vs, "10.244.0.1", 10, fn, arg);
	count_conns(vs, "10.244.9.9", 100, fn, arg);
	return 0;
}

static int no_conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *arg, void *conns_arg)
{
	(void)vs;
	(void)fn;
	(void)arg;
	(void)conns_arg;
	return -EIO;
}

#define WEB_ON_TWO                                                            \
	"service shop/web ip=10.20.30.41 port=:80/TCP external=50.60.70.81\n" \
	"slice shop/web-1 port=:8080/TCP ep=10.244.0.1\n"

static void connections_are_summed_over_the_addresses(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	f->in.conns = conns;
	run(f, WEB_ON_TWO);
	port = first_port(f, "web");
	assert_int_equal(number(port, "activeConnections"), 220);
	assert_int_equal(number(element(port, "endpoints", 0), "active"), 20);
	assert_int_equal(number(element(port, "endpoints", 0), "inactive"), 22);
}

static void connections_that_cannot_be_counted_are_unknown(void **state)
{
	struct fixture *f = *state;

	f->in.conns = no_conns;
	run(f, WEB_ON_TWO);
	assert_true(json_is_null(json_object_get(first_port(f, "web"), "activeConnections")));
	assert_state(first_port(f, "web"), "OK", "");
}

static void an_endpoint_on_its_way_out_is_draining(void **state)
{
	static const struct claimant last = { .born = CLAIMANT_LAST, .name = "draining" };
	struct fact rs = fixture_fact("rs 10.20.30.41:80/TCP 10.244.9.9:8080 weight=0");
	struct fixture *f = *state;
	json_t *port;

	f->in.conns = conns;
	run(f, WEB_ON_TWO);
	ledger_claim(engine_ledger(f->world->engine), &rs, &last);
	run(f, "");
	port = first_port(f, "web");
	assert_state(port, "Draining", "");
	assert_int_equal(number(port, "draining"), 1);
	assert_int_equal(number(port, "ready"), 1);
}

static void warnings_with_odd_bytes_are_told_nevertheless(void **state)
{
	static const char *const warnings[] = { "caf\xc3\xa9 \"x\"\n", "bad \xff name" };
	struct fixture *f = *state;

	f->in.warnings = warnings;
	f->in.n_warnings = 2;
	run(f, "");
	assert_json(json_object_get(f->report, "warnings"),
		"[\"caf\xc3\xa9 \\\"x\\\"\\n\", \"bad ? name\"]");
}

static void endpoints_are_counted_where_they_are_left_out(void **state)
{
	struct fixture *f = *state;
	json_t *port;

	f->in.conns = conns;
	f->in.no_endpoints = true;
	run(f, WEB_ON_TWO);
	port = first_port(f, "web");
	assert_null(json_object_get(port, "endpoints"));
	assert_true(number(port, "total") > 0);
	assert_int_equal(number(port, "ready"), number(port, "total"));
	assert_true(number(port, "activeConnections") > 0);
	assert_int_equal(
		number(json_object_get(f->report, "summary"), "endpoints"), number(port, "total"));
}

static void many_services_are_told_in_pieces(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf lines = { 0 }, b = { 0 };
	struct report *r;
	size_t pieces = 1;

	for (int i = 0; i < 2 * REPORT_PIECE + 1; i++)
		buf_addf(&lines, "service a/s%03d ip=10.20.30.%d port=http:80/TCP\n", i, i + 1);
	run(f, buf_str(&lines));
	assert_int_equal(
		json_array_size(json_object_get(f->report, "services")), 2 * REPORT_PIECE + 1);
	r = report_begin(&f->in);
	for (; report_next(r, &f->in, &b); pieces++)
		buf_reset(&b);
	assert_int_equal(pieces, 3);
	report_free(r);

	/* Services of much text count for more. */
	buf_reset(&lines);
	for (int i = 0; i < 2 * REPORT_PIECE + 1; i++) {
		buf_addf(&lines, "slice a/s%03d-1 port=http:80/TCP", i);
		for (int k = 0; k < 30; k++)
			buf_addf(&lines, " ep=10.244.%d.%d", i, k);
		buf_adds(&lines, "\n");
	}
	world_load(f->world, buf_str(&lines));
	r = report_begin(&f->in);
	buf_reset(&b);
	for (pieces = 1; report_next(r, &f->in, &b); pieces++) {
		assert_true(b.len < (1 << 16) + 10000);
		buf_reset(&b);
	}
	assert_true(pieces > 6);
	report_free(r);
}

/* As it was before a change or as it is after. */
static void assert_whole(const json_t *service)
{
	const json_t *port = json_array_get(json_object_get(service, "ports"), 0);
	const size_t n = json_array_size(json_object_get(port, "endpoints"));

	assert_int_equal(json_array_size(json_object_get(service, "ports")), 1);
	assert_int_equal(json_array_size(json_object_get(port, "addresses")), 1);
	assert_int_equal(number(port, "total"), n);
	assert_true(n == 0 || n == 2);
	assert_string_equal(text(port, "state"), n ? "OK" : "NoEndpoints");
	assert_string_equal(text(service, "state"), text(port, "state"));
}

static void services_stay_whole_while_all_of_them_change(void **state)
{
	enum { SERVICES = 5 * REPORT_PIECE };
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf lines = { 0 }, b = { 0 };
	unsigned random = 1, n_changes = 0;
	const char *before = "";
	json_t *report, *services, *s;
	struct report *r;
	size_t i;

	for (unsigned k = 0; k < SERVICES; k++)
		buf_addf(&lines, "service a/s%03u ip=10.20.%u.%u port=http:80/TCP\n", k, k >> 8,
			k & 255);
	run(f, buf_str(&lines));
	r = report_begin(&f->in);
	while (report_next(r, &f->in, &b))
		for (unsigned k = 0; k < SERVICES; k++) {
			char name[8], slice[16];

			random = random * 1103515245 + 12345;
			snprintf(name, sizeof(name), "s%03u", k);
			snprintf(slice, sizeof(slice), "s%03u-1", k);
			buf_reset(&lines);
			switch (random >> 16 & 3) {
			case 0:
				store_delete_service(&f->world->store, "a", name);
				break;
			case 1:
				store_delete_slice(
					&f->world->store, SLICE_ENDPOINT_SLICE, "a", slice);
				break;
			case 2:
				buf_addf(&lines, "service a/%s ip=10.20.%u.%u port=http:80/TCP\n",
					name, k >> 8, k & 255);
				break;
			default:
				buf_addf(&lines,
					"slice a/%s port=http:80/TCP ep=10.244.%u.1 ep=10.244.%u.2\n",
					slice, k, k);
				break;
			}
			n_changes++;
			world_load(f->world, buf_str(&lines));
		}
	report_free(r);
	assert_true(n_changes >= 4 * SERVICES);

	report = json_loads(buf_str(&b), JSON_REJECT_DUPLICATES, NULL);
	services = json_object_get(report, "services");
	assert_true(json_array_size(services) >= REPORT_PIECE);
	json_array_foreach(services, i, s) {
		assert_whole(s);
		assert_true(strcmp(before, text(s, "name")) < 0);
		before = text(s, "name");
	}
	json_decref(report);
}

static void what_changes_between_two_pieces_is_told_as_it_is_then(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf lines = { 0 }, b = { 0 };
	struct report *r;
	json_t *report, *services;

	for (int i = 0; i < REPORT_PIECE + 2; i++)
		buf_addf(&lines, "service a/s%03d ip=10.20.30.%d port=http:80/TCP\n", i, i + 1);
	run(f, buf_str(&lines));
	r = report_begin(&f->in);
	assert_true(report_next(r, &f->in, &b));
	for (int i = 0; i < REPORT_PIECE + 1; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%03d", i);
		store_delete_service(&f->world->store, "a", name);
	}
	world_load(f->world, "service a/new ip=10.20.31.1 port=http:80/TCP\n");
	assert_false(report_next(r, &f->in, &b));
	report_free(r);
	report = json_loads(buf_str(&b), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(report);
	services = json_object_get(report, "services");
	assert_int_equal(json_array_size(services), REPORT_PIECE + 1);
	assert_string_equal(text(json_array_get(services, REPORT_PIECE), "name"), "s051");
	json_decref(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_contract_of_one_service),
		TEST(the_contract_of_the_whole),
		TEST(the_summary_counts),
		TEST(before_the_first_sync_everything_is_pending),
		TEST(what_the_kernel_refuses_is_failing_with_its_words),
		cmocka_unit_test(a_real_server_or_vip_or_set_entry_can_fail_too),
		TEST(a_missing_scheduler_degrades_and_names_both),
		TEST(on_iptables_addresses_and_endpoints_are_rules),
		TEST(on_iptables_before_the_first_sync_everything_is_pending),
		TEST(on_iptables_the_younger_of_two_services_is_in_conflict_too),
		TEST(what_iptables_cannot_do_is_named),
		TEST(of_two_services_on_one_address_the_younger_is_in_conflict),
		TEST(two_services_may_share_an_address_on_other_ports),
		TEST(what_is_not_proxied_says_why_and_has_no_ports),
		TEST(a_family_that_the_node_does_not_serve_is_left_out),
		TEST(both_families_count),
		TEST(every_kind_of_address_is_told),
		TEST(vips_as_addresses_are_present_too),
		TEST(endpoints_that_are_left_out_say_why),
		TEST(a_terminating_endpoint_that_is_used_says_so),
		TEST(without_a_usable_endpoint_there_are_none),
		TEST(ports_that_no_endpoint_has_are_told_with_those_that_they_have),
		TEST(services_are_sorted_by_namespace_and_name),
		TEST(virtual_servers_of_others_are_foreign),
		TEST(what_an_earlier_run_left_is_unknown),
		TEST(failures_of_no_service_are_told_apart),
		cmocka_unit_test(failures_name_the_objects_of_nftables),
		cmocka_unit_test(on_nftables_all_that_leads_to_an_endpoint_counts),
		TEST(what_does_not_go_away_is_a_failure_of_no_service),
		TEST(connections_are_summed_over_the_addresses),
		TEST(connections_that_cannot_be_counted_are_unknown),
		TEST(an_endpoint_on_its_way_out_is_draining),
		TEST(warnings_with_odd_bytes_are_told_nevertheless),
		TEST(endpoints_are_counted_where_they_are_left_out),
		TEST(many_services_are_told_in_pieces),
		TEST(what_changes_between_two_pieces_is_told_as_it_is_then),
		TEST(services_stay_whole_while_all_of_them_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
